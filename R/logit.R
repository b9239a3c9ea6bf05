# Logistic regressions of many outcomes on the same covariates, and infinite estimates.
#
# If some covariates separate the posts that show a topic from the others (a party never shows it),
# the likelihood has no maximum: along some direction of the coefficients it only grows. It then has
# a limit, in which the posts that the direction moves have a fitted probability of 0 or 1, while
# the others are fitted as usual, without the coefficients that they do not determine.

# A row of `z` stands for posts of total weight `n`, of which those that show the topic have the
# weight `y`; crossprod(z * sqrt(n)) is sum(n) times the identity matrix. Returns `basis` and
# `gamma`, so that the linear predictor is z %*% basis %*% gamma in the rows `kept`; and
# `directions`, along which that of the other rows is infinite, the first one first. NULL if the
# search does not converge.
fit_logit <- function(z, n, y) {
  kept <- seq_along(n)
  basis <- diag(ncol(z))
  directions <- list()
  repeat {
    part <- if (length(directions) == 0) z else z[kept, , drop = FALSE] %*% basis
    found <- maximise_logit(part, n[kept], y[kept])
    if (is.null(found)) {
      return(NULL)
    }
    if (is.null(found$move)) {
      break
    }
    directions <- c(directions, list(drop(basis %*% found$move)))
    kept <- kept[found$finite]
    basis <- row_space(z[kept, , drop = FALSE] * sqrt(n[kept]))
    if (ncol(basis) == 0) {
      found <- list(gamma = numeric())
      break
    }
  }
  list(basis = basis, gamma = found$gamma, kept = kept, directions = directions)
}

row_space <- function(z) {
  if (nrow(z) == 0) {
    return(matrix(0, ncol(z), 0))
  }
  parts <- eigen(crossprod(z), symmetric = TRUE)
  parts$vectors[, parts$values > 1e-10, drop = FALSE]
}

# Newton's method. The information is kept once steps are small, which costs few more steps, but
# these are ten times as fast. If the steps do not become smaller and move the linear predictors of
# no post in the wrong direction, the estimates are infinite: returns that `move`, and the rows that
# it leaves alone (`finite`).
maximise_logit <- function(z, n, y) {
  now <- list(gamma = start_of(z, n, y))
  now$deviance <- deviance_at(z, now$gamma, n, y)
  size <- Inf
  for (iteration in 1:100) {
    p <- 1 / (1 + exp(-drop(z %*% now$gamma)))
    root <- if (size > 0.05) cholesky(z * sqrt(n * p * (1 - p))) else root
    if (is.null(root)) {
      return(NULL)
    }
    step <- backsolve(root, backsolve(root, crossprod(z, y - n * p), transpose = TRUE))
    move <- drop(z %*% step)
    size <- max(abs(move))
    if (size < 1e-9) {
      return(list(gamma = drop(now$gamma + step)))
    }
    if (iteration > 8 && size > 0.3 && separates(move / size, n, y)) {
      return(list(move = step / size, finite = abs(move) <= 1e-5 * size))
    }
    now <- take_step(now, step, z, n, y)
  }
  NULL
}

# Takes a step, or a part of it if the deviance would rise.
take_step <- function(now, step, z, n, y) {
  repeat {
    new <- deviance_at(z, now$gamma + step, n, y)
    if (new <= now$deviance + 1e-8 * abs(now$deviance) || max(abs(step)) < 1e-12) {
      return(list(gamma = now$gamma + step, deviance = new))
    }
    step <- step / 2
  }
}

# TRUE if a move of the linear predictors lowers that of no post with the topic, and raises that of
# no post without it.
separates <- function(move, n, y) {
  shown <- y > 1e-9 * n
  not_shown <- n - y > 1e-9 * n
  !any(move[shown] < -1e-5) && !any(move[not_shown] > 1e-5)
}

# Coefficients of the overall share, as far as they can describe it.
start_of <- function(z, n, y) {
  share <- sum(y) / sum(n)
  crossprod(z, n) / sum(n) * stats::qlogis(share)
}

deviance_at <- function(z, gamma, n, y) {
  eta <- drop(z %*% gamma)
  # log(1 + exp(eta)) without overflow.
  2 * sum(n * (pmax(eta, 0) + log1p(exp(-abs(eta)))) - y * eta)
}

cholesky <- function(z) {
  tryCatch(chol(crossprod(z)), error = \(error) NULL)
}

# Fitted probabilities for rows `z`; `infinite` are rows whose linear predictor is.
logit_at <- function(fit, z) {
  eta <- drop(z %*% (fit$basis %*% fit$gamma))
  infinite <- logical(nrow(z))
  for (direction in fit$directions) {
    moved <- drop(z %*% direction)
    far <- !infinite & abs(moved) > 1e-5
    eta[far] <- sign(moved[far]) * Inf
    infinite <- infinite | far
  }
  list(p = unname(stats::plogis(eta)), infinite = infinite)
}
