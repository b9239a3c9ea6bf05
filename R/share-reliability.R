# Correction of the estimates of share_model() for the measurement error of mean ratings.

# A list: a table of reliabilities (columns) by predictor, and the correlations of their errors.
share_reliability <- function(reliability, sides, data, call = rlang::caller_env()) {
  if (is.null(reliability)) {
    return(NULL)
  }
  table <- if (is.data.frame(reliability)) {
    reliability_of_table(reliability, call)
  } else {
    reliability_of_numbers(reliability, call)
  }
  wanted <- unique(unlist(lapply(sides, \(side) all.vars(side$rhs))))
  unused <- setdiff(table$name, wanted)
  known <- table[table$name %in% wanted, ]
  if (nrow(known) == 0 || (!is.data.frame(reliability) && length(unused) > 0)) {
    abort_imagestrata(
      "{.arg reliability} names {.field {unused}}, which {?is/are} not in {.arg formula}; its
       predictors are {.field {wanted}}.",
      call = call
    )
  }
  check_rated(known$name, data$images, call)
  correlation <- attr(reliability, "error_correlation")
  list(table = known, correlation = known_correlation(correlation, known$name))
}

check_rated <- function(names, images, call) {
  for (name in names) {
    values <- images[[name]]
    if (!is.numeric(values) || all(values %in% c(0, 1, NA))) {
      abort_imagestrata(
        "{.field {name}} has a reliability, but is not a mean rating of images.",
        hint = "Mistakes in labels of 1 and 0 are not classical measurement error.",
        call = call
      )
    }
  }
}

known_correlation <- function(correlation, names) {
  found <- diag(length(names))
  dimnames(found) <- list(names, names)
  here <- intersect(names, rownames(correlation))
  found[here, here] <- correlation[here, here]
  found[is.na(found)] <- 0
  found
}

reliability_of_numbers <- function(x, call) {
  named <- is.numeric(x) && rlang::is_named(x)
  if (!named || anyNA(x) || any(x <= 0 | x > 1)) {
    abort_imagestrata(
      "{.arg reliability} must be the result of {.fn rating_reliability}, or numbers above 0 and up
       to 1 with the names of predictors, not {seen(x)}.",
      hint = "For example {.code c(hopeful = 0.6, angry = 0.7)}.",
      call = call
    )
  }
  tibble::tibble(name = names(x), estimate = unname(x))
}

# The interval of a mean's reliability follows from that of a single rating's: Spearman and Brown's
# formula with the number of ratings per image that leads from `icc` to `icc_average`.
reliability_of_table <- function(x, call) {
  needs <- c("item", "icc", "icc_average", "conf.low", "conf.high")
  check_data_frame(x, "reliability", call, "rating_reliability", needs = needs)
  item <- as.character(x$item)
  if (anyDuplicated(item)) {
    abort_imagestrata(
      "{.arg reliability} has several rows of {.val {item[duplicated(item)][1]}}.",
      hint = "Give {.code rating_reliability(ratings)}, of all respondents together.",
      call = call
    )
  }
  n <- (1 / (1 - x$icc_average) - 1) * (1 / x$icc - 1)
  average <- function(icc) n * icc / (1 + (n - 1) * icc)
  tibble::tibble(
    name = item, estimate = x$icc_average, low = average(x$conf.low),
    high = average(x$conf.high)
  )
}

# Corrected coefficients of all outcomes, at each reliability; NULL without reliability.
correct_share <- function(fits, sides, data, options, reliability, call = rlang::caller_env()) {
  if (is.null(reliability)) {
    return(NULL)
  }
  levels <- intersect(c("low", "estimate", "high"), names(reliability$table))
  plain <- lapply(fits, \(fit) tibble::tibble(reliability = "none", fit$coefficients))
  corrected <- lapply(levels, \(level) {
    lapply(rlang::set_names(names(sides)), function(name) {
      side <- sides[[name]]
      frame <- calibrate_ratings(side, data, options, reliability, level)
      if (is.null(frame)) {
        rows <- fits[[name]]$coefficients
        rows[setdiff(names(rows), "term")] <- NA_real_
      } else {
        rows <- fit_share(side, data, options, name, frame, call)$coefficients
      }
      tibble::tibble(reliability = level, rows)
    })
  })
  failed <- levels[vapply(corrected, \(rows) anyNA(rows[[1]]$estimate), NA)]
  if (length(failed) > 0) {
    warn_imagestrata(
      "The ratings are too unreliable to correct estimates at the reliability {.val {failed}}: the
       errors would explain all differences between images. These rows are missing."
    )
  }
  both <- c(list(plain), corrected)
  dplyr::bind_rows(lapply(names(sides), \(name) {
    tibble::tibble(outcome = name, dplyr::bind_rows(lapply(both, `[[`, name)))
  }))
}

# The frame with expected true values in place of ratings: the best linear prediction from ratings
# and controls. NULL if the errors are larger than the differences that are left.
calibrate_ratings <- function(side, data, options, reliability, level) {
  names <- intersect(reliability$table$name, all.vars(side$rhs))
  if (length(names) == 0) {
    return(data$frame)
  }
  rho <- reliability$table[[level]][match(names, reliability$table$name)]
  if (anyNA(rho) || any(rho <= 0)) {
    return(NULL)
  }
  error <- sqrt((1 - rho) * vapply(data$images[names], stats::var, 0, na.rm = TRUE))
  weight <- data$frame[[weight_column]] / sum(data$frame[[weight_column]])
  error <- tcrossprod(error) * reliability$correlation[names, names] * sum(weight / data$n_rated)
  w <- as.matrix(data$frame[names])
  known <- cbind(w, controls_of(side, data$frame, names, options))
  centre <- colSums(weight * known)
  from <- sweep(known, 2, centre)
  total <- crossprod(from * sqrt(weight))
  at <- seq_along(names)
  true <- total[, at, drop = FALSE]
  true[at, ] <- true[at, ] - error
  # The variance of the true values that controls do not explain.
  rest <- true[at, , drop = FALSE]
  if (ncol(known) > length(names)) {
    rest <- rest - true[-at, , drop = FALSE] |> crossprod(solve_scaled(
      total[-at, -at, drop = FALSE], true[-at, , drop = FALSE]
    ))
  }
  if (min(eigen(rest / tcrossprod(sqrt(diag(total)[at])), TRUE, TRUE)$values) < 1e-6) {
    return(NULL)
  }
  frame <- data$frame
  expected <- from %*% solve_scaled(total, true)
  frame[names] <- sweep(expected, 2, centre[at], "+")
  frame
}

solve_scaled <- function(a, b) {
  scale <- sqrt(diag(a))
  solve(a / tcrossprod(scale), b / scale) / scale
}

# The terms without ratings, and the logarithm of the exposure.
controls_of <- function(side, frame, names, options) {
  terms <- stats::terms(rlang::new_formula(NULL, side$rhs, side$env))
  factors <- attr(terms, "factors")
  free <- vapply(attr(terms, "term.labels"), \(label) {
    !any(names %in% all.vars(str2lang(label)))
  }, NA)
  labels <- attr(terms, "term.labels")[free]
  x <- matrix(0, nrow(frame), 0)
  if (length(labels) > 0) {
    formula <- stats::reformulate(labels, env = side$env)
    table <- stats::model.frame(formula, frame, drop.unused.levels = TRUE)
    x <- stats::model.matrix(formula, table)[, -1, drop = FALSE]
  }
  if (!is.null(options$exposure)) x <- cbind(x, log(frame[[options$exposure]]))
  x
}
