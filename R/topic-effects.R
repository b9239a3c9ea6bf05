#' Predict the prevalence of topics from a model
#'
#' Predicted prevalences, and their differences, at values of a covariate: the numbers that
#' `plot.estimateEffect()` of stm draws.
#'
#' A predicted prevalence is the mean, over all posts of the model, of the probability that the post
#' shows the topic if the covariate had the given value and its other covariates were as they are.
#' (stm instead sets the other covariates to their median or mode.) Standard errors follow by the
#' delta method from those of the coefficients, clustered on authors.
#'
#' @param model The result of [topic_model()].
#' @param variable A covariate of the model.
#' @param method `"pointestimate"`, the prevalence at each of the `values`; `"difference"`, the
#'   differences between the first and each further value; or `"continuous"`, the prevalence over
#'   the range of a number or date. By default (`NULL`) `"continuous"` for numbers and dates, else
#'   `"pointestimate"`.
#' @param by Another covariate, a moderator, at each of whose values the prevalences are predicted:
#'   `topic_effects(model, "month", by = "party")`.
#' @param values Values of `variable`. By default (`NULL`) all levels of a factor (for
#'   `"difference"`, each further level minus the reference); for `"continuous"` `n_points` values
#'   from the lowest to the highest, or those that occur if they are fewer.
#' @param n_points The largest number of values.
#' @param topics Numbers or names of topics, by default (`NULL`) all.
#' @param conf_level Confidence level of intervals.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per topic and value: `cluster`, `cluster_name` (or `theme`,
#'   `theme_name`); the values in a column with the name of `variable`, or with `"difference"` a
#'   column `contrast` ("B - A" is the prevalence at B minus that at A); the column of `by`;
#'   `estimate`, `std.error`, `df`, `conf.low`, `conf.high` and `reason`, why a value is missing.
#'   Intervals of prevalences are on the logit scale. Differences also have `statistic` and
#'   `p.value`. If no post with a value shows the topic, its estimate is 0 without an interval:
#'   [topic_prevalence()] has an upper bound. An average in which more than 5% of the posts have a
#'   probability of 0 or 1 for such reasons has no interval either.
#' @family posts
#' @export
#' @examples
#' model <- topic_model(simulated_posts, c(1, 4) ~ party * s(month, df = 3))
#' topic_effects(model, "party")
#' topic_effects(model, "party", method = "difference")
#' topic_effects(model, "month", by = "party")
topic_effects <- function(model,
                          variable,
                          method = NULL,
                          by = NULL,
                          values = NULL,
                          n_points = 50,
                          topics = NULL,
                          conf_level = 0.95,
                          ...) {
  check_dots(...)
  check_class(model, "imagestrata_topic_model", "model", "topic_model")
  check_variable(model, variable, "variable")
  if (!is.null(by)) check_variable(model, by, "by")
  if (identical(by, variable)) {
    abort_imagestrata("{.arg by} must be another covariate than {.arg variable}.")
  }
  method <- method %||% if (is_continuous(model, variable)) "continuous" else "pointestimate"
  check_choice(method, "method", c("pointestimate", "difference", "continuous"), environment())
  if (method == "continuous" && !is_continuous(model, variable)) {
    abort_imagestrata(
      "{.code method = \"continuous\"} takes numbers and dates, but {.field {variable}} is used as a
       factor.",
      hint = "Use {.code method = \"pointestimate\"}."
    )
  }
  n_points <- check_count(n_points, "n_points")
  conf_level <- check_share(conf_level, "conf_level")
  which <- pick_topics(model, topics)
  at <- values_at(model, variable, method, values, n_points)
  moderator <- if (!is.null(by)) few_values(model, by)
  grid <- expand.grid(
    value = seq_along(at), by = seq_len(max(1, length(moderator)))
  )
  scenarios <- lapply(seq_len(nrow(grid)), function(i) {
    fixed <- list(at[grid$value[i]])
    if (!is.null(by)) fixed <- c(fixed, list(moderator[grid$by[i]]))
    rlang::set_names(fixed, c(variable, by))
  })
  averages <- average_scenarios(model, scenarios, which)
  labels <- tibble::tibble(.rows = nrow(grid))
  if (method == "difference") {
    further <- which(grid$value > 1)
    first <- match(paste(1, grid$by[further]), paste(grid$value, grid$by))
    averages <- difference(averages, further, first)
    text <- values_as_text(at)
    labels <- tibble::tibble(contrast = paste(text[grid$value[further]], "-", text[1]))
    grid <- grid[further, ]
  } else {
    labels[[variable]] <- at[grid$value]
  }
  if (!is.null(by)) labels[[by]] <- moderator[grid$by]
  finish_averages(
    model, averages, which, labels, conf_level,
    scale = if (method == "difference") "linear" else "logit"
  )
}

check_variable <- function(model, variable, name, call = rlang::caller_env()) {
  check_string(variable, name, call = call)
  if (!variable %in% names(model$data)) {
    abort_imagestrata(
      "{.arg {name}} must be a covariate of the model, not {.val {variable}}.",
      hint = if (length(model$data) > 0) "Its covariates are {.val {names(model$data)}}.",
      call = call
    )
  }
}

is_continuous <- function(model, variable) {
  !variable %in% model$categorical
}

pick_topics <- function(model, topics, call = rlang::caller_env()) {
  known <- model$topics[[if (is.character(topics)) 2 else 1]]
  if (is.null(topics)) {
    return(seq_along(known))
  }
  place <- match(unique(topics), known)
  if (anyNA(place)) {
    abort_imagestrata(
      "{.arg topics} has {.val {unique(topics)[is.na(place)]}}, which the model does not have.",
      hint = "It has {.val {known[!is.na(known)]}}.",
      call = call
    )
  }
  place
}

# The values at which prevalences are predicted, in the type of the covariate.
values_at <- function(model, variable, method, values, n_points, call = rlang::caller_env()) {
  x <- model$data[[variable]]
  if (is.null(values)) {
    return(default_values(model, x, variable, method, n_points, call))
  }
  given <- typed_values(values, x)
  unknown <- length(given) == 0 || anyNA(given) ||
    (!is_continuous(model, variable) && !all(given %in% x))
  if (unknown) {
    examples <- utils::head(values_as_text(if (is.factor(x)) levels(x) else sorted_values(x)), 5)
    abort_imagestrata(
      "{.arg values} must be values of {.field {variable}}, such as {.val {examples}}, not {.val
       {as.character(values)}}.",
      call = call
    )
  }
  if (method == "difference" && length(given) < 2) {
    abort_imagestrata("{.arg values} must be two or more values to compare.", call = call)
  }
  given
}

# All values of a moderator.
few_values <- function(model, by, call = rlang::caller_env()) {
  x <- model$data[[by]]
  seen <- if (is.factor(x)) factor(levels(x), levels(x)) else sorted_values(x)
  if (is_continuous(model, by) && length(seen) > 10) {
    abort_imagestrata(
      "{.arg by} must be a covariate with at most 10 values, but {.field {by}} has {length(seen)}.",
      hint = "Give it as {.arg variable}, and the other covariate as {.arg by}.",
      call = call
    )
  }
  seen
}

typed_values <- function(values, x) {
  if (is.factor(x)) {
    return(factor(values, levels(x)))
  }
  if (inherits(x, "Date") && is.character(values)) {
    return(as.Date(values, optional = TRUE))
  }
  tryCatch(vctrs::vec_cast(values, x), error = \(error) {
    tryCatch(vctrs::vec_cast(values, double()), error = \(error) NULL)
  })
}

default_values <- function(model, x, variable, method, n_points, call) {
  seen <- if (is.factor(x)) factor(levels(x), levels(x)) else sorted_values(x)
  if (!is_continuous(model, variable) || length(seen) <= n_points && method == "continuous") {
    return(seen)
  }
  if (method == "continuous") {
    return(seq(min(seen), max(seen), length.out = n_points))
  }
  if (method == "difference" || length(seen) > 10) {
    abort_imagestrata(
      "{.field {variable}} has {length(seen)} values: name those of interest in {.arg values}.",
      hint = if (method == "pointestimate") {
        "Or use {.code method = \"continuous\"}."
      } else {
        "For example {.code values = c({toString(signif(as.double(range(seen)), 3))})}."
      },
      call = call
    )
  }
  seen
}

values_as_text <- function(x) {
  if (is.factor(x)) {
    as.character(x)
  } else if (inherits(x, "POSIXct")) {
    text <- format(round(x, "secs"), "%Y-%m-%d %H:%M:%S")
    if (all(endsWith(text, "00:00:00"))) substr(text, 1, 10) else text
  } else if (is.numeric(x) && !is.object(x)) {
    vapply(x, format, "", digits = 15, scientific = FALSE)
  } else if (is.factor(x) || is.character(x)) {
    # format() would pad them to equal width.
    as.character(x)
  } else {
    format(x, trim = TRUE)
  }
}

# ---- Averages over posts -----------------------------------------------------------------------

# An average has no standard error if a larger share of its posts has infinite linear predictors,
# whose probabilities of 0 or 1 have no errors.
most_infinite <- 0.05

# For each topic and scenario (values of some covariates) the mean probability of all posts, with
# their other covariates as they are; its derivative by the coefficients; and the share of posts
# with infinite linear predictors.
average_scenarios <- function(model, scenarios, which) {
  posts <- list()
  fill_averages(model, which, length(scenarios), function(i) {
    fixed <- scenarios[[i]]
    key <- toString(names(fixed))
    if (is.null(posts[[key]])) posts[[key]] <<- distinct_posts(model, names(fixed))
    rows <- posts[[key]]
    z <- rows_at(model, c(rows$data, lapply(fixed, rep, length(rows$n))))
    function(fit) {
      at <- logit_at(fit, z)
      weight <- rows$n / sum(rows$n)
      list(
        estimate = sum(weight * at$p),
        gradient = crossprod(z, weight * at$p * (1 - at$p)),
        infinite = sum(weight[at$infinite])
      )
    }
  })
}

# The mean slope of the probability in a continuous covariate.
average_slopes <- function(model, variables, which) {
  rows <- distinct_posts(model, character())
  weight <- rows$n / sum(rows$n)
  z <- rows_at(model, rows$data)
  fill_averages(model, which, length(variables), function(i) {
    slope <- slope_at(model, rows$data, variables[i])
    function(fit) {
      at <- logit_at(fit, z)
      spread <- at$p * (1 - at$p)
      eta <- drop(slope %*% (fit$basis %*% fit$gamma))
      list(
        estimate = sum(weight * spread * eta),
        gradient = crossprod(slope, weight * spread) +
          crossprod(z, weight * spread * (1 - 2 * at$p) * eta),
        infinite = sum(weight[at$infinite])
      )
    }
  })
}

# The derivative of the rows of the model matrix by a covariate.
slope_at <- function(model, data, variable, rows = rows_at) {
  x <- data[[variable]]
  unit <- if (inherits(x, "POSIXct")) 30 * 86400 else if (inherits(x, "Date")) 30 else 1
  x <- if (is.object(x)) x else as.double(x)
  h <- 1e-4 * diff(range(as.double(model$data[[variable]])))
  move <- function(by) {
    data[[variable]] <- x + by
    suppressWarnings(rows(model, data))
  }
  forward <- move(h)
  slope <- (forward - move(-h)) / (2 * h)
  # At the end of the range, such as 0 of a logarithm, there may be no value on one side.
  lost <- !is.finite(rowSums(slope))
  slope[lost, ] <- ((forward - rows(model, data)) / h)[lost, ]
  slope * unit
}

fill_averages <- function(model, which, n, average_of) {
  rank <- ncol(model$z)
  estimate <- infinite <- matrix(NA_real_, length(which), n)
  gradient <- array(NA_real_, c(length(which), n, rank))
  for (i in seq_len(n)) {
    average <- average_of(i)
    for (t in seq_along(which)) {
      fit <- model$fits[[which[t]]]
      if (is.null(fit)) next
      one <- average(fit)
      estimate[t, i] <- one$estimate
      gradient[t, i, ] <- one$gradient
      infinite[t, i] <- one$infinite
    }
  }
  list(estimate = estimate, gradient = gradient, infinite = infinite)
}

difference <- function(averages, a, b) {
  list(
    estimate = averages$estimate[, a, drop = FALSE] - averages$estimate[, b, drop = FALSE],
    gradient = averages$gradient[, a, , drop = FALSE] - averages$gradient[, b, , drop = FALSE],
    infinite = pmax(averages$infinite[, a, drop = FALSE], averages$infinite[, b, drop = FALSE])
  )
}

bind_averages <- function(x, y) {
  size <- dim(x$gradient)
  gradient <- vapply(seq_len(size[3]), \(k) {
    cbind(matrix(x$gradient[, , k], size[1]), matrix(y$gradient[, , k], size[1]))
  }, matrix(0, size[1], size[2] + dim(y$gradient)[2]))
  list(
    estimate = cbind(x$estimate, y$estimate),
    gradient = array(gradient, c(size[1], size[2] + dim(y$gradient)[2], size[3])),
    infinite = cbind(x$infinite, y$infinite)
  )
}

# The posts of the model by their covariates other than `fixed`, with their weights.
distinct_posts <- function(model, fixed) {
  data <- model$data[setdiff(names(model$data), fixed)]
  if (ncol(data) == 0) {
    return(list(data = list(), n = sum(model$n)))
  }
  id <- as.integer(vctrs::vec_group_id(data))
  first <- which(!duplicated(id))
  list(data = as.list(vctrs::vec_slice(data, first)), n = sum_by(model$n, id, length(first)))
}

# A table with one row per topic and average; `labels` describe the averages.
finish_averages <- function(model, averages, which, labels, conf_level, scale) {
  n <- nrow(labels)
  parts <- lapply(seq_along(which), function(t) {
    i <- which[t]
    fit <- model$fits[[i]]
    table <- vctrs::vec_cbind(model$topics[rep(i, n), 1:2], labels)
    table$estimate <- averages$estimate[t, ]
    table[c("std.error", "df")] <- NA_real_
    table$reason <- rep(if (is.null(fit)) model$topics$reason[i] else NA_character_, n)
    if (is.null(fit)) {
      return(table)
    }
    gradient <- matrix(averages$gradient[t, , ], n)
    found <- estimate_contrasts(model, fit, sandwich_of(model, fit, i), gradient)
    infinite <- averages$infinite[t, ] > most_infinite
    fine <- !infinite & is.na(found$alone)
    table$std.error[fine] <- found$std.error[fine]
    table$df[fine] <- found$df[fine]
    table$reason[!is.na(found$alone)] <- paste(
      "rests on the author", found$alone[!is.na(found$alone)]
    )
    table$reason[infinite] <- "infinite"
    table
  })
  add_tests(dplyr::bind_rows(parts), conf_level, scale)
}

# All average marginal effects: differences from the reference, and slopes.
marginal_effects <- function(model, conf_level) {
  which <- seq_along(model$fits)
  parts <- lapply(names(model$data), function(name) {
    if (is_continuous(model, name)) {
      averages <- average_slopes(model, name, which)
      is_time <- inherits(model$data[[name]], c("Date", "POSIXct"))
      labels <- tibble::tibble(term = name, contrast = if (is_time) "per 30 days" else "per unit")
    } else {
      at <- default_values(model, model$data[[name]], name, "pointestimate", Inf)
      averages <- average_scenarios(
        model, lapply(seq_along(at), \(i) rlang::set_names(list(at[i]), name)), which
      )
      averages <- difference(averages, seq_along(at)[-1], rep(1, length(at) - 1))
      text <- values_as_text(at)
      labels <- tibble::tibble(term = name, contrast = paste(text[-1], "-", text[1]))
    }
    list(averages = averages, labels = labels)
  })
  finish_parts(model, parts, which, conf_level, "linear")
}

# Predictions at the values of each covariate.
predicted_prevalence <- function(model, conf_level) {
  which <- seq_along(model$fits)
  parts <- lapply(names(model$data), function(name) {
    method <- if (is_continuous(model, name)) "continuous" else "pointestimate"
    at <- default_values(model, model$data[[name]], name, method, 20)
    list(
      averages = average_scenarios(
        model, lapply(seq_along(at), \(i) rlang::set_names(list(at[i]), name)), which
      ),
      labels = tibble::tibble(term = name, value = values_as_text(at))
    )
  })
  finish_parts(model, parts, which, conf_level, "logit")
}

finish_parts <- function(model, parts, which, conf_level, scale) {
  if (length(parts) == 0) {
    abort_imagestrata("The model has no covariates.", call = rlang::caller_env(2))
  }
  averages <- Reduce(bind_averages, lapply(parts, `[[`, "averages"))
  labels <- dplyr::bind_rows(lapply(parts, `[[`, "labels"))
  finish_averages(model, averages, which, labels, conf_level, scale)
}
