#' Predict ratings from a model
#'
#' Marginal means, differences and slopes of a model of ratings, at values of a covariate and of a
#' moderator.
#'
#' A marginal mean is the mean, over all answers of the model with their weights, of the predicted
#' rating if the covariate had the given value and the other covariates were as they are. (emmeans
#' instead sets numbers to their mean and gives all levels of a factor equal weight.) Standard
#' errors and degrees of freedom are those of the model. The covariates are taken as given.
#'
#' @param model The result of [rating_model()].
#' @param variable A covariate of the model.
#' @param method `"mean"`, the mean rating at each of the `values`; `"difference"`, the differences
#'   between each further value and the first; `"continuous"`, the mean rating over the range of a
#'   number; or `"slope"`, the mean change of the rating per unit of a number. By default (`NULL`)
#'   `"continuous"` for numbers and dates, else `"mean"`.
#' @param by A moderator, at each of whose values the above is estimated: a covariate with at most
#'   ten values, or its name with the values, as in `by = list(ideology = c(2, 6))`.
#' @param values Values of `variable`. By default (`NULL`) all levels of a factor; for
#'   `"continuous"` `n_points` values from the lowest to the highest, or those that occur if they
#'   are fewer.
#' @param n_points The largest number of values.
#' @param items Names of items and dimensions, by default (`NULL`) all.
#' @param conf_level Confidence level of intervals.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per item or dimension and value: `level`, `item`, `dimension`; the
#'   values in a column with the name of `variable`, or with `"difference"` and `"slope"` a column
#'   `contrast` ("B - A" is the mean at B minus that at A); the column of `by`; `estimate`,
#'   `std.error`, `df`, `conf.low`, `conf.high`, `reason` (why a value is missing). Differences and
#'   slopes also have `statistic` and `p.value`.
#' @family ratings
#' @seealso [rating_model()]
#' @export
#' @examples
#' ratings <- dplyr::left_join(
#'   simulated_ratings, simulated_respondents,
#'   by = c("respondent_id", "group")
#' )
#' model <- rating_model(ratings, anxiety ~ group * ideology + age)
#' rating_effects(model, "group")
#' rating_effects(model, "group", method = "difference", by = list(ideology = c(2, 4, 6)))
#' rating_effects(model, "ideology", method = "slope", by = "group")
rating_effects <- function(model,
                           variable,
                           method = NULL,
                           by = NULL,
                           values = NULL,
                           n_points = 50,
                           items = NULL,
                           conf_level = 0.95,
                           ...) {
  check_dots(...)
  check_class(model, "imagestrata_rating_model", "model", "rating_model")
  check_variable(model, variable, "variable")
  moderator <- moderator_of(model, by, variable)
  method <- method %||% if (is_continuous(model, variable)) "continuous" else "mean"
  check_choice(method, "method", c("mean", "difference", "continuous", "slope"), environment())
  if (method %in% c("continuous", "slope") && !is_continuous(model, variable)) {
    abort_imagestrata(
      "{.code method = \"{method}\"} takes numbers and dates, but {.field {variable}} is used as a
       factor.",
      hint = "Use {.code method = \"mean\"} or {.code \"difference\"}."
    )
  }
  n_points <- check_count(n_points, "n_points")
  conf_level <- check_share(conf_level, "conf_level")
  which <- pick_measures(model, items)
  at <- if (method != "slope") {
    kind <- if (method == "mean") "pointestimate" else method
    values_at(model, variable, kind, values, n_points)
  }
  found <- dplyr::bind_rows(lapply(which, function(i) {
    effects_at(model, i, variable, method, at, moderator)
  }))
  add_rating_tests(found, conf_level, test = method %in% c("difference", "slope"))
}

# The values of a moderator, as a list with its name.
moderator_of <- function(model, by, variable, call = rlang::caller_env()) {
  if (is.null(by)) {
    return(NULL)
  }
  given <- is.list(by) && length(by) == 1 && rlang::is_named(by)
  name <- if (given) names(by) else by
  check_variable(model, name, "by", call)
  if (identical(name, variable)) {
    abort_imagestrata("{.arg by} must be another covariate than {.arg variable}.", call = call)
  }
  seen <- if (given) {
    values_at(model, name, "pointestimate", by[[1]], Inf, call)
  } else {
    few_values(model, name, call)
  }
  rlang::set_names(list(seen), name)
}

effects_at <- function(model, i, variable, method, at, moderator) {
  moments <- seq_len(max(1, length(moderator[[1]])))
  parts <- lapply(moments, function(j) {
    fixed <- lapply(moderator, `[`, j)
    rows <- if (method == "slope") {
      mean_slope(model, i, variable, fixed)
    } else {
      do.call(rbind, lapply(seq_along(at), \(v) {
        mean_row(model, i, c(rlang::set_names(list(at[v]), variable), fixed))
      }))
    }
    label <- if (method == "slope") {
      is_time <- inherits(model$data[[variable]], c("Date", "POSIXct"))
      tibble::tibble(contrast = if (is_time) "per 30 days" else "per unit")
    } else if (method == "difference") {
      text <- values_as_text(at)
      rows <- rows[-1, , drop = FALSE] - rows[rep(1, nrow(rows) - 1), , drop = FALSE]
      tibble::tibble(contrast = paste(text[-1], "-", text[1]))
    } else {
      tibble::new_tibble(rlang::set_names(list(at), variable), nrow = length(at))
    }
    label[names(fixed)] <- lapply(fixed, rep, nrow(label))
    tibble::tibble(label, estimate_combinations(model, i, rows))
  })
  table <- dplyr::bind_rows(parts)
  tibble::tibble(model$measures[rep(i, nrow(table)), 1:3], table)
}

# The mean row of the model matrix, over the answers to measure `i`, with some covariates fixed.
mean_row <- function(model, i, fixed) {
  rows <- distinct_answers(model, i, names(fixed))
  x <- matrix_at(model, c(rows$data, lapply(fixed, rep, length(rows$weight))))
  colSums(x * rows$weight)
}

mean_slope <- function(model, i, variable, fixed) {
  rows <- distinct_answers(model, i, names(fixed))
  data <- c(rows$data, lapply(fixed, rep, length(rows$weight)))
  slope <- slope_at(model, data, variable, matrix_at)
  t(colSums(slope * rows$weight))
}

# The covariates of answers other than `fixed`, with their weights.
distinct_answers <- function(model, i, fixed) {
  fit <- model$fits[[i]]
  rows <- model$answers$row[fit$rows]
  data <- model$data[setdiff(names(model$data), fixed)]
  if (length(data) == 0) {
    return(list(data = list(), weight = sum(fit$weight)))
  }
  data <- vctrs::vec_slice(tibble::new_tibble(data, nrow = nrow(model$x)), rows)
  id <- as.integer(vctrs::vec_group_id(data))
  first <- which(!duplicated(id))
  list(
    data = as.list(vctrs::vec_slice(data, first)), weight = sum_by(fit$weight, id, length(first))
  )
}
