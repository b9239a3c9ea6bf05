#' Estimate gaps between groups
#'
#' Estimates differences in mean ratings between groups of respondents or images, with p values
#' adjusted for their number.
#'
#' @inheritParams rating_means
#' @param by Columns in `ratings`. The values of the first column are the groups that are compared;
#'   with more than two groups, every pair. Further columns give separate comparisons: `c(group,
#'   cluster)` compares groups within each cluster.
#' @param adjust Adjustment of p values for multiple comparisons: `"holm"`, `"BH"` (Benjamini and
#'   Hochberg) or `"none"`. Items are one family, dimensions another.
#' @inheritParams scan_images
#'
#' @details Groups of respondents are compared on the clusters that both rated, whatever the
#' `weight`; a message reports the clusters and images that are left out. Groups of images, such as
#' clusters or months, are compared on all their images.
#'
#' The standard error of a gap is that of the contrast of two means in one survey (for
#' `"respondent"` it equals survey's `svycontrast()` after `svyby(covmat = TRUE)`). It accounts for
#' respondents and images that contribute to both means.
#'
#' The degrees of freedom are Welch's, computed from those of the two means. They are at most the
#' number of respondents in the two cells minus one; with `"two-way"` and `"image"` also at most the
#' number of images in either cell minus the number of their clusters.
#'
#' Within a single cluster, `by = c(group, cluster)`, there are often five images or fewer, so
#' `"two-way"` has few degrees of freedom: its inference is about all images of the cluster.
#' `variance = "respondent"` limits the inference to the rated images and has more power; with
#' `shrink = TRUE` clusters borrow strength from each other.
#'
#' @section Corrected gaps:
#' With `predictions` a gap has three rows, as means have: see [rating_means()]. Predictions that
#' are the same for two groups of respondents cancel out in their gap, and are refused: give
#' predictions for each group, with the column that the groups are compared by. Gaps between groups
#' of images, such as clusters or months, take both. There is one lambda for each measure and pair
#' of groups, which makes the variance of their gap as small as possible; the corrected gap can
#' therefore differ a little from the difference between the corrected means. Where the same images
#' were rated by both groups, what the images evoke in both cancels out anyway, so that predictions
#' gain less than for means.
#'
#' @returns A tibble with one row per measure and contrast: `level`, `item`, `dimension`, the
#'   further columns of `by`, `contrast` ("Democrat - Republican" is the first minus the second),
#'   `estimate`, `std.error`, `df`, `statistic`, `p.value`, `p.adjusted`, `conf.low` and `conf.high`
#'   (not adjusted), `n_ratings`, `n_respondents`, `weight`, `variance`, `adjust`;
#'   with respondents' weights also `respondent_weight`; with predictions up to three rows, and also
#'   `method` and `lambda`.
#' @family ratings
#' @export
#' @examples
#' rating_gaps(simulated_ratings)
#' simulated_ratings |>
#'   dplyr::filter(cluster <= 10) |>
#'   rating_gaps(by = c(group, cluster), adjust = "BH") |>
#'   dplyr::slice_min(p.value, n = 5)
rating_gaps <- function(ratings,
                        by = "group",
                        weight = "cluster",
                        respondent_weight = NULL,
                        variance = "two-way",
                        adjust = "holm",
                        shrink = FALSE,
                        predictions = NULL,
                        clustering = NULL,
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  check_choice(adjust, "adjust", c("holm", "BH", "none"), rlang::current_env())
  options <- check_estimate(weight, variance, shrink, conf_level)
  design <- design_ratings(ratings, rlang::enquo(by), weight, rlang::enquo(respondent_weight))
  options <- add_respondent_weight(options, design)
  pairs <- contrasts_of(design)
  predicted <- predict_ratings(
    predictions, clustering, ratings, design, rlang::enquo(by), shrink
  )
  check_comparable(predicted, design)
  compared <- if (shrink) design else compare_alike(design, pairs)
  tell_unrated(design, compared, pairs)
  design <- compared
  gaps <- bind_methods(fits_of(design, variance, shrink, predicted, TRUE), function(fit) {
    dplyr::bind_rows(lapply(seq_along(pairs), gaps_of_pair, pairs, design, fit), .id = "pair")
  })
  gaps <- gaps[order(gaps$measure, gaps$other, as.integer(gaps$pair)), ]
  warn_one_sided(gaps, design$by[-1])
  warn_flat(gaps, design)
  gaps <- add_interval(gaps, conf_level)
  # Without any variance there is no test.
  gaps$statistic <- ifelse(gaps$std.error > 0, gaps$estimate / gaps$std.error, NA)
  gaps$p.value <- 2 * stats::pt(-abs(gaps$statistic), gaps$df)
  family <- paste(design$measures$level[gaps$measure], gaps[["method"]])
  gaps$p.adjusted <- stats::ave(gaps$p.value, family, FUN = \(p) stats::p.adjust(p, adjust))
  table <- dplyr::bind_cols(
    design$measures[gaps$measure, ],
    dplyr::select(gaps, dplyr::any_of(design$by[-1])),
    gaps[c(
      "contrast", if (!is.null(predicted)) "method", "estimate", "std.error", "df", "statistic",
      "p.value", "p.adjusted",
      "conf.low", "conf.high", "n_ratings", "n_respondents", if (!is.null(predicted)) "lambda"
    )]
  )
  table$weight <- weight
  table$respondent_weight <- design$respondent_weight
  table$variance <- options$variance
  table$adjust <- adjust
  new_estimates(name_clusters(table, ratings), "gaps", design, c(options, adjust = adjust))
}

# Every pair of the values of the first `by` column.
contrasts_of <- function(design, call = rlang::caller_env()) {
  if (length(design$by) == 0) {
    abort_imagestrata(
      "{.arg by} must name the groups to compare.",
      hint = "For example {.code by = group}.",
      call = call
    )
  }
  values <- sort(unique(design$groups[[1]]))
  if (length(values) < 2) {
    abort_imagestrata(
      "{.field {design$by[1]}} must have two or more values to compare, but is {.val
       {as.character(values)}} in all ratings.",
      call = call
    )
  }
  utils::combn(length(values), 2, \(i) values[i], simplify = FALSE)
}

# The gaps between two values, in all measures and other groups where one of them was rated.
gaps_of_pair <- function(i, pairs, design, fit) {
  pair <- pairs[[i]]
  groups <- design$groups
  rest <- groups[-1]
  other <- number_rows(rest)
  cells <- fit$cells
  if ("comparable" %in% names(cells)) {
    cells <- cells[cells$pairing == i, ]
  } else {
    cells$comparable <- TRUE
  }
  cells$other <- other[cells$group]
  side <- match(groups[[1]][cells$group], pair)
  sides <- lapply(1:2, \(i) cells[side %in% i, ])
  rows <- dplyr::full_join(sides[[1]], sides[[2]], c("measure", "other"), suffix = c("", "_b"))
  both <- !is.na(rows$cell) & !is.na(rows$cell_b) & rows$comparable %in% TRUE
  a <- rows$cell[both]
  b <- rows$cell_b[both]
  gaps <- tibble::tibble(
    measure = rows$measure, other = rows$other,
    contrast = paste(pair, collapse = " - "),
    estimate = ifelse(both, rows$estimate - rows$estimate_b, NA),
    std.error = NA_real_, df = NA_real_,
    n_ratings = rowSums(cbind(rows$n_ratings, rows$n_ratings_b), na.rm = TRUE),
    lambda = rows[["lambda"]],
    n_respondents = rowSums(cbind(rows$n_respondents, rows$n_respondents_b), na.rm = TRUE)
  )
  shared <- fit$overlap(a, b)
  gaps$n_respondents[both] <- gaps$n_respondents[both] - shared
  gaps$std.error[both] <- sqrt(fit$variance(a, b))
  gaps$df[both] <- degrees_of_gap(
    list(fit$variance(a), fit$variance(b)), list(fit$cells$df[a], fit$cells$df[b]),
    pmin(gaps$n_respondents[both] - 1, fit$most_df(a, b))
  )
  dplyr::bind_cols(gaps, rest[match(rows$other, other), ])
}

# Welch's degrees of freedom; without any variance, the sum of those of both means.
degrees_of_gap <- function(variances, df, most) {
  welch <- (variances[[1]] + variances[[2]])^2 /
    (variances[[1]]^2 / df[[1]] + variances[[2]]^2 / df[[2]])
  welch[is.nan(welch)] <- (df[[1]] + df[[2]])[is.nan(welch)]
  ifelse(rep_len(is.infinite(df[[1]]), length(welch)), Inf, pmin(welch, most))
}

warn_one_sided <- function(gaps, rest) {
  lacking <- unique(gaps$other[is.na(gaps$estimate)])
  if (length(lacking) > 0) {
    first <- gaps[match(lacking[1], gaps$other), ]
    where <- label_of(first[rest])
    warn_imagestrata(
      "{length(lacking)} comparison{?s} lack{?s/} one side, the first in {.val {where}}: one group
       rated nothing there, or no cluster that the other group rated.",
      "Their gaps are missing ({.code NA})."
    )
  }
}
