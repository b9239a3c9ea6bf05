# Methods of models of ratings.

#' @rdname rating_model
#' @param x,object,model The result of `rating_model()`.
#' @param table `"coefficients"` (the default), `"terms"`, or `"random"` for a mixed model.
#' @param conf.int,conf.level As in other packages that tidy models: whether to return intervals,
#'   and their level (by default that of the model).
#' @export
tidy.imagestrata_rating_model <- function(x, table = "coefficients", conf.int = TRUE, # nolint
                                          conf.level = NULL, ...) { # nolint
  # Packages that tabulate models hand on their own arguments, so the dots are not checked.
  check_choice(table, "table", c("coefficients", "terms", "random"), rlang::current_env())
  check_flag(conf.int, "conf.int")
  level <- check_share(conf.level %||% x$conf_level, "conf.level")
  if (table == "random" && x$method != "mixed") {
    abort_imagestrata(
      "{.code tidy(x, \"random\")} is for mixed models.",
      hint = "Fit one with {.code rating_model(method = \"mixed\")}."
    )
  }
  if (table != "coefficients") {
    return(if (table == "terms") test_terms(x) else random_effects_of(x))
  }
  found <- add_rating_tests(x$coefficients, level)
  if (!conf.int) found$conf.low <- found$conf.high <- NULL
  found
}

#' @rdname rating_model
#' @export
glance.imagestrata_rating_model <- function(x, ...) {
  lines <- lapply(seq_along(x$fits), function(i) {
    fit <- x$fits[[i]]
    answers <- lapply(x$answers[c("respondent", "image", "cluster")], \(one) one[fit$rows])
    distinct <- \(unit) if (is.null(unit)) NA_integer_ else length(unique(unit))
    n <- length(fit$rows)
    rank <- ncol(fit$turn)
    rating <- x$answers$rating[fit$rows]
    mean <- sum(fit$weight * rating)
    left <- sum(fit$weight * fit$residual^2)
    known <- is.null(fit$refused)
    tibble::tibble(
      n_ratings = n, n_respondents = distinct(answers$respondent),
      n_images = distinct(answers$image), n_clusters = distinct(answers$cluster),
      n_coefficients = rank,
      r.squared = if (known) 1 - left / sum(fit$weight * (rating - mean)^2) else NA_real_,
      sigma = fit$sigma %||% if (known) sqrt(left * n / (n - rank)) else NA_real_
    )
  })
  tibble::tibble(
    x$measures[1:3], dplyr::bind_rows(lines), n_left_out = x$n_left_out, weight = x$weight,
    variance = x$variance, method = x$method, target = x$target,
    df_method = if (x$satterthwaite) "Satterthwaite" else "between units",
    conf_level = x$conf_level, nobs = vapply(x$fits, \(fit) length(fit$rows), 0L)
  )
}

#' @rdname rating_model
#' @export
augment.imagestrata_rating_model <- function(x, ...) {
  check_dots(...)
  answers <- x$answers
  dplyr::bind_rows(lapply(seq_along(x$fits), function(i) {
    fit <- x$fits[[i]]
    rows <- fit$rows
    n <- length(rows)
    fitted <- if (is.null(fit$refused)) {
      answers$rating[rows] - fit$residual
    } else {
      rep(NA_real_, n)
    }
    covariates <- tibble::new_tibble(x$data, nrow = nrow(x$x))[answers$row[rows], ]
    own <- c("respondent_id", "image_id", "cluster")
    table <- tibble::tibble(
      x$measures[rep(i, n), 1:3],
      respondent_id = x$ids$respondent[answers$respondent[rows]],
      image_id = x$ids$image[answers$image[rows]],
      cluster = if (!is.null(answers$cluster)) x$ids$cluster[answers$cluster[rows]]
    )
    tibble::tibble(
      table, covariates[setdiff(names(covariates), own)],
      rating = answers$rating[rows], weight = fit$weight * n, .fitted = fitted,
      .resid = answers$rating[rows] - fitted
    )
  }))
}

#' @rdname rating_model
#' @param newdata A data frame with the covariates of the model.
#' @param items Names of items and dimensions, by default (`NULL`) all.
#' @export
predict.imagestrata_rating_model <- function(object, newdata, items = NULL, conf_level = 0.95,
                                             ...) {
  check_dots(...)
  level <- check_share(conf_level, "conf_level")
  which <- pick_measures(object, items)
  check_data_frame(newdata, "newdata", needs = names(object$data))
  if (nrow(newdata) == 0) {
    abort_imagestrata("{.arg newdata} has no rows.")
  }
  x <- new_rows(object, newdata)
  found <- dplyr::bind_rows(lapply(which, function(i) {
    table <- estimate_combinations(object, i, x)
    tibble::tibble(row = seq_len(nrow(x)), object$measures[rep(i, nrow(x)), 1:3], table)
  }))
  add_rating_tests(found, level, test = FALSE)
}

# The rows of the model matrix for new data.
new_rows <- function(model, newdata, call = rlang::caller_env()) {
  newdata <- plain_columns(newdata)
  numbers <- intersect(names(model$data), c("cluster", "theme"))
  newdata[numbers] <- lapply(newdata[numbers], as.character)
  # A factor is ordered or not as in the model.
  data <- covariates_like(newdata, model$data, call)
  for (name in names(data)) {
    if (is.ordered(model$data[[name]])) data[[name]] <- factor(data[[name]], ordered = TRUE)
  }
  if (length(model$data) == 0) {
    return(model$x[rep(1, nrow(newdata)), , drop = FALSE])
  }
  matrix_at(model, data)
}

pick_measures <- function(model, items, call = rlang::caller_env()) {
  if (is.null(items)) {
    return(seq_along(model$fits))
  }
  if (!is.character(items) || length(items) == 0) {
    abort_imagestrata(
      "{.arg items} must be names of items or dimensions, not {seen(items)}.",
      call = call
    )
  }
  find_measures(items, model$measures, "items", call)
}

#' @rdname rating_model
#' @export
coef.imagestrata_rating_model <- function(object, ...) {
  found <- matrix(
    object$coefficients$estimate, ncol = ncol(object$x), byrow = TRUE,
    dimnames = list(object$measures$item, colnames(object$x))
  )
  found
}

#' @rdname rating_model
#' @param item For `vcov()`: the item or dimension. By default (`NULL`) all, whose coefficients are
#'   then called `"item:term"`.
#' @export
vcov.imagestrata_rating_model <- function(object, item = NULL, ...) {
  check_dots(...)
  which <- pick_measures(object, item)
  if (length(which) == 1) {
    return(covariance_of_fit(object, object$fits[[which]]))
  }
  joint_covariance(object, which)
}

# A block for each pair of measures.
joint_covariance <- function(model, which, call = rlang::caller_env()) {
  if (model$method == "mixed") {
    abort_imagestrata(
      "Mixed models are fitted item by item, and do not know how coefficients of two items vary
       together.",
      hint = "Name one {.arg item}: {.code item = \"{model$measures$item[1]}\"}.",
      call = call
    )
  }
  k <- ncol(model$x)
  names <- joint_names(model, which)
  v <- matrix(0, length(names), length(names), dimnames = list(names, names))
  place <- \(a) (a - 1) * k + seq_len(k)
  for (a in seq_along(which)) {
    v[place(a), place(a)] <- covariance_of_fit(model, model$fits[[which[a]]])
    for (b in seq_len(a - 1)) {
      refused <- c(model$fits[[which[a]]]$refused, model$fits[[which[b]]]$refused)
      part <- if (is.null(refused)) covariance_between(model, which[a], which[b]) else NA_real_
      v[place(a), place(b)] <- part
      v[place(b), place(a)] <- if (is.matrix(part)) t(part) else part
    }
  }
  v
}

joint_names <- function(model, which) {
  names <- measure_labels(model$measures)[which]
  paste(rep(names, each = ncol(model$x)), colnames(model$x), sep = ":")
}

# A dimension may have the name of an item.
measure_labels <- function(measures) {
  twice <- measures$item %in% measures$item[duplicated(measures$item)]
  ifelse(twice, paste0(measures$item, " (", measures$level, ")"), measures$item)
}

#' @rdname rating_model
#' @export
formula.imagestrata_rating_model <- function(x, ...) {
  x$formula
}

#' @rdname rating_model
#' @importFrom stats nobs
#' @export
nobs.imagestrata_rating_model <- function(object, ...) {
  max(glance(object)$nobs)
}

#' @rdname rating_model
#' @export
model.frame.imagestrata_rating_model <- function(formula, ...) {
  tibble::new_tibble(formula$data, nrow = nrow(formula$x))
}

rating_model_heading <- function(x) {
  line <- glance(x)
  kind <- if (x$method == "mixed") "Mixed models of " else "Linear models of "
  n <- nrow(x$measures)
  what <- if (n == 1) x$measures$item else paste(n, "items and dimensions")
  paste0(
    sub("models", if (n == 1) "model" else "models", kind), what, ": ",
    paste(deparse(rlang::new_formula(NULL, rlang::f_rhs(x$formula))), collapse = " "), "; ",
    rating_model_basis(line)
  )
}

rating_model_basis <- function(line) {
  paste0(
    count_of(max(line$n_respondents), "respondent"), ", ", count_of(max(line$n_images), "image")
  )
}

rating_model_errors <- function(x) {
  if (x$method == "mixed") {
    return(paste0(
      "About ", x$target, "; respondents",
      if (x$target == "images like these") ", images and clusters",
      " are random; ", 100 * x$conf_level, "% intervals"
    ))
  }
  paste0(
    sentence(what_counts[[x$weight]]),
    if (length(x$weight_by) > 0) paste(" within", paste(x$weight_by, collapse = " and ")),
    if (!is.null(x$respondent_weight)) paste("; respondents weighted by", x$respondent_weight),
    "; ", 100 * x$conf_level, "% intervals", clustered_by[[x$variance]]
  )
}

#' @export
print.imagestrata_rating_model <- function(x, ...) {
  write_heading(c(rating_model_heading(x), rating_model_errors(x)))
  print(tidy(x), ...)
  invisible(x)
}

#' @rdname rating_model
#' @export
summary.imagestrata_rating_model <- function(object, items = NULL, ...) {
  check_dots(...)
  structure(
    list(model = object, which = pick_measures(object, items)),
    class = "imagestrata_rating_summary"
  )
}

#' @export
print.imagestrata_rating_summary <- function(x, ...) {
  model <- x$model
  writeLines(c(rating_model_heading(model), rating_model_errors(model)))
  table <- tidy(model)
  lines <- glance(model)
  k <- ncol(model$x)
  for (i in x$which) {
    about <- lines[i, ]
    writeLines(c("", paste0(
      sentence(about$level), " ", about$item, ", ", count_of(about$n_ratings, "rating"),
      if (is.null(model$fits[[i]]$refused)) sprintf(", R squared %.2f", about$r.squared), ":"
    )))
    if (!is.null(model$fits[[i]]$refused)) {
      writeLines(paste("Not modelled:", model$fits[[i]]$refused))
      next
    }
    rows <- table[(i - 1) * k + seq_len(k), ]
    shown <- as.matrix(rows[c("estimate", "std.error", "df", "statistic", "p.value")])
    dimnames(shown) <- list(rows$term, c("Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"))
    stats::printCoefmat(shown, P.values = TRUE, has.Pvalue = TRUE, cs.ind = 1:2, tst.ind = 4)
    for (reason in unique(rows$reason[!is.na(rows$reason)])) {
      cat(paste0(sentence(reason), ": ", toString(rows$term[rows$reason %in% reason])), fill = TRUE)
    }
  }
  invisible(x)
}
