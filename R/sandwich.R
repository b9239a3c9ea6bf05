# Standard errors clustered on authors, for models whose estimates solve "the sum of x * residual is
# zero" (logistic, Poisson and negative binomial regression, least squares).
#
# A row of `x`, a model matrix of full rank, is a post, or all posts of an author with the same
# covariates; x * residual are the scores, and crossprod(x * sqrt(weight)) is the information.
# `root` leads to coordinates in which the information is the identity matrix I. A_g is the part of
# author g in it, and s_g the author's sum of scores.
#
# "CR2": the variance is the sum of the squares of (I - A_g)^(-1/2) s_g, which is unbiased if posts
# are independent (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018), with Satterthwaite's
# degrees of freedom for each contrast. If a contrast cannot be estimated without author g, then A_g
# has an eigenvalue of 1, and the contrast has no standard error.
#
# "sandwich": the sum of the squares of s_g, times G / (G - 1) for G authors, with G - 1 degrees of
# freedom. The variance equals that of sandwich::vcovCL(type = "HC0") and survey::svyglm().
#
# `influence` has a row per author, in the order of their first rows: their crossproduct is `vcov`.

author_sandwich <- function(x, residual, weight, author, variance = "CR2",
                            root = chol(crossprod(x * sqrt(weight)))) {
  author <- factor(author, unique(author))
  n_authors <- nlevels(author)
  k <- ncol(x)
  z <- x %*% backsolve(root, diag(k))
  scores <- rowsum(z * residual, as.integer(author))
  parts <- list(alone = list(author = character(), direction = matrix(0, k, 0)))
  if (variance == "CR2") {
    parts <- parts_of_authors(z * sqrt(weight), author)
    by_author <- matrix(aperm(parts$adjust, c(3, 1, 2)), ncol = k)
    scores <- rowSums(by_author * scores[rep(seq_len(n_authors), k), , drop = FALSE])
    scores <- matrix(scores, ncol = k)
  } else {
    scores <- scores * sqrt(n_authors / (n_authors - 1))
  }
  influence <- t(backsolve(root, t(scores)))
  covariance <- crossprod(influence)
  dimnames(covariance) <- list(colnames(x), colnames(x))
  c(list(vcov = covariance, influence = influence, root = root, n_authors = n_authors), parts)
}

# The same for a model fitted by glm() or MASS::glm.nb().
glm_sandwich <- function(fit, author, variance = "CR2") {
  x <- stats::model.matrix(fit)
  x <- x[, !is.na(stats::coef(fit)), drop = FALSE]
  weight <- stats::weights(fit, "working")
  author_sandwich(x, weight * stats::residuals(fit, "working"), weight, author, variance)
}

# For each author `adjust`, (I - A_g)^(-1/2), and `leverage`, A_g (I - A_g)^(-1/2), where
# crossprod(z) is I. Directions that the author alone determines are left out and returned.
parts_of_authors <- function(z, author) {
  k <- ncol(z)
  rows <- split(seq_along(author), author)
  alone <- list()
  identity <- diag(k)
  parts <- vapply(seq_along(rows), function(g) {
    own <- crossprod(z[rows[[g]], , drop = FALSE])
    if (sum(diag(own)) < 0.05) {
      adjust <- inverse_root(own, identity)
      return(c(adjust, own %*% adjust))
    }
    share <- eigen(own, symmetric = TRUE)
    rest <- 1 - share$values
    full <- rest < 1e-8
    if (any(full)) {
      direction <- share$vectors[, full, drop = FALSE]
      alone[[length(alone) + 1]] <<- list(author = names(rows)[g], direction = direction)
    }
    by <- ifelse(full, 0, 1 / sqrt(pmax(rest, 1e-8)))
    turned <- t(share$vectors)
    c(share$vectors %*% (by * turned), share$vectors %*% (by * share$values * turned))
  }, numeric(2 * k^2))
  n_directions <- vapply(alone, \(one) ncol(one$direction), 0L)
  list(
    adjust = array(parts[seq_len(k^2), ], c(k, k, length(rows))),
    leverage = array(parts[k^2 + seq_len(k^2), ], c(k, k, length(rows))),
    alone = list(
      author = rep(vapply(alone, `[[`, "", "author"), n_directions),
      direction = do.call(cbind, c(list(matrix(0, k, 0)), lapply(alone, `[[`, "direction")))
    )
  )
}

# (I - A)^(-1/2) by its binomial series, which is faster than eigenvalues where A is small.
inverse_root <- function(part, identity) {
  n_terms <- ceiling(log(1e-14) / log(sum(diag(part))))
  sum <- identity
  for (j in rev(seq_len(n_terms))) {
    sum <- identity + ((2 * j - 1) / (2 * j)) * (part %*% sum)
  }
  sum
}

# `std.error` and `df` of contrasts of the coefficients, one per row of `contrasts`. `alone` is the
# author without whom a contrast cannot be estimated; it then has no standard error. That counts if
# more than 1% of the variance that the contrast has with independent posts is due to the author.
contrast_errors <- function(sandwich, contrasts) {
  at <- backsolve(sandwich$root, t(contrasts), transpose = TRUE)
  size <- colSums(at^2)
  alone <- rep(NA_character_, nrow(contrasts))
  for (i in rev(seq_along(sandwich$alone$author))) {
    depends <- drop(crossprod(sandwich$alone$direction[, i], at))^2 > 0.01 * size
    alone[depends] <- sandwich$alone$author[i]
  }
  found <- is.na(alone) & size > 0
  df <- rep(sandwich$n_authors - 1, nrow(contrasts))
  if (!is.null(sandwich$adjust)) {
    df <- pmin(satterthwaite(sandwich, at), df)
  }
  variance <- rowSums((contrasts %*% sandwich$vcov) * contrasts)
  tibble::tibble(
    std.error = ifelse(found, sqrt(pmax(variance, 0)), NA),
    df = ifelse(found, df, NA),
    alone = alone
  )
}

# The variance of a contrast (a column of `at`) is a quadratic form in the residuals. Its degrees of
# freedom follow from the mean and the variance that it has if posts are independent.
satterthwaite <- function(sandwich, at) {
  k <- nrow(at)
  apply_to <- \(part) matrix(aperm(part, c(1, 3, 2)), ncol = k) %*% at
  adjusted <- apply_to(sandwich$adjust)
  moved <- apply_to(sandwich$leverage)
  vapply(seq_len(ncol(at)), function(i) {
    v <- matrix(moved[, i], k)
    squared <- colSums(v^2)
    d <- colSums(v * adjusted[, i])
    (sum(d) - sum(squared))^2 / (sum(d^2) - 2 * sum(d * squared) + sum(tcrossprod(v)^2))
  }, 0)
}
