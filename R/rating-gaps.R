#' Estimate gaps between groups
#'
#' Estimates differences in mean ratings between groups of respondents or images, with p values
#' adjusted for their number.
#'
#' @inheritParams rating_means
#' @param by Columns in `ratings`. The values of the first column are the groups that are compared;
#'   with more than two groups, every pair, unless `reference` or `contrasts` says otherwise.
#'   Further columns give separate comparisons: `c(group, cluster)` compares groups within each
#'   cluster.
#' @param adjust Adjustment of p values for multiple comparisons: `"holm"`, `"BH"` (Benjamini and
#'   Hochberg) or `"none"`. Items are one family, dimensions another.
#' @param reference One of the groups: each other group is compared with it, instead of every pair.
#' @param contrasts `"pairs"`, or `"trend"` for groups that are numbers or an ordered factor: the
#'   slope of the least-squares line through the means of all groups. It is the difference per unit
#'   of the number, or per level of the factor, positive if ratings rise with the groups.
#' @param change How the gap differs between values of the second column of `by`, such as months:
#'   `"none"` estimates the gap for each value. `"pairs"` estimates differences of gaps for every
#'   pair of values, the later minus the earlier; `"consecutive"` for neighbouring values only.
#'   `"trend"` estimates the slope of the gaps, as for `contrasts`. Text is in alphabetical order:
#'   make names of months a factor.
#' @inheritParams scan_images
#'
#' @details Groups of respondents are compared on the clusters that both rated, whatever the
#' `weight`; a message reports the clusters and images that are left out. Groups of images, such as
#' clusters or months, are compared on all their images.
#'
#' **Changes.** With `by = c(group, month)`, `change = "pairs"` tests whether the gap changes: a row
#' with the `contrast` "Democrat - Republican" and the `change` "June - May" is the gap in June
#' minus the gap in May. Its standard error accounts for respondents and images that the four means
#' share.
#' If the second column is about images (months of posts), each gap describes the clusters that the
#' groups rated in that month, so that the change includes a change of topics. If it is about
#' respondents (`by = c(group, gender)`), all four groups are compared on the clusters that all of
#' them rated.
#'
#' **Trends** use the means of all groups, on the clusters that all groups rated; with equally
#' spaced groups, the middle one of an odd number has no weight. Trends over respondents with
#' covariates are regressions: see [rating_model()].
#'
#' The standard error of a gap is that of the contrast of two means in one survey (for
#' `"respondent"` it equals survey's `svycontrast()` after `svyby(covmat = TRUE)`). It accounts for
#' respondents and images that contribute to both means.
#'
#' The degrees of freedom are Welch's, computed from those of the means. They are at most the number
#' of respondents in all cells of the comparison minus one; with `"two-way"` and `"image"` also at
#' most the number of images in them minus the number of their clusters. (For images that are
#' compared across clusters, see [rating_means()].)
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
#' gain less than for means. Trends and changes cannot be corrected.
#'
#' @returns A tibble with one row per measure and contrast: `level`, `item`, `dimension`, the
#'   further columns of `by`, `contrast` ("Democrat - Republican" is the first minus the second),
#'   `change` ("June - May", instead of the second column of `by`, unless `change` is `"none"`),
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
#'
#' # Is the gap larger in large clusters?
#' simulated_ratings |>
#'   dplyr::mutate(size = cut(N_h, c(0, 20, 100, Inf), ordered_result = TRUE)) |>
#'   rating_gaps(by = c(group, size), change = "trend")
rating_gaps <- function(ratings,
                        by = "group",
                        weight = "cluster",
                        respondent_weight = NULL,
                        variance = "two-way",
                        adjust = "holm",
                        reference = NULL,
                        contrasts = "pairs",
                        change = "none",
                        shrink = FALSE,
                        predictions = NULL,
                        clustering = NULL,
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  check_choice(adjust, "adjust", c("holm", "BH", "none"), rlang::current_env())
  check_contrasts(reference, contrasts, change, predictions)
  options <- check_estimate(weight, variance, shrink, conf_level)
  design <- design_ratings(ratings, rlang::enquo(by), weight, rlang::enquo(respondent_weight))
  options <- add_respondent_weight(options, design)
  comparisons <- comparisons_of(design, reference, contrasts, change)
  predicted <- predict_ratings(
    predictions, clustering, ratings, design, rlang::enquo(by), shrink
  )
  check_comparable(predicted, design)
  compared <- if (shrink) design else compare_alike(design, comparisons)
  tell_unrated(design, compared, comparisons)
  if (!shrink) warn_single_images(compared, variance)
  design <- compared
  gaps <- bind_methods(fits_of(design, variance, shrink, predicted, TRUE), function(fit) {
    dplyr::bind_rows(
      lapply(seq_along(comparisons), estimate_comparison, comparisons, design, fit),
      .id = "comparison"
    )
  })
  gaps <- gaps[order(gaps$measure, gaps$other, as.integer(gaps$comparison)), ]
  further <- design$by[-seq_along(comparisons[[1]]$n_values)]
  warn_one_sided(gaps, further)
  warn_flat(gaps, design)
  gaps <- add_interval(gaps, conf_level)
  # Without any variance there is no test.
  gaps$statistic <- ifelse(gaps$std.error > 0, gaps$estimate / gaps$std.error, NA)
  gaps$p.value <- 2 * stats::pt(-abs(gaps$statistic), gaps$df)
  family <- paste(design$measures$level[gaps$measure], gaps[["method"]])
  gaps$p.adjusted <- stats::ave(gaps$p.value, family, FUN = \(p) stats::p.adjust(p, adjust))
  table <- dplyr::bind_cols(
    design$measures[gaps$measure, ],
    dplyr::select(gaps, dplyr::all_of(further)),
    gaps[c(
      "contrast", if (change != "none") "change", if (!is.null(predicted)) "method",
      "estimate", "std.error", "df", "statistic", "p.value", "p.adjusted", "conf.low", "conf.high",
      "n_ratings", "n_respondents", if (!is.null(predicted)) "lambda"
    )]
  )
  table$weight <- weight
  table$respondent_weight <- design$respondent_weight
  table$variance <- options$variance
  table$adjust <- adjust
  design$by <- c(design$by[1], further)
  new_estimates(
    name_clusters(table, ratings), "gaps", design, c(options, adjust = adjust),
    scale = scale_of_ratings(ratings)
  )
}

check_contrasts <- function(reference, contrasts, change, predictions = NULL,
                            call = rlang::caller_env()) {
  check_choice(contrasts, "contrasts", c("pairs", "trend"), call)
  check_choice(change, "change", c("none", "pairs", "consecutive", "trend"), call)
  if (!is.null(reference) && contrasts == "trend") {
    abort_imagestrata(
      "{.arg reference} cannot be combined with {.code contrasts = \"trend\"}, which has no
       reference.",
      hint = "Leave one of them out.",
      call = call
    )
  }
  if (!is.null(predictions) && (contrasts == "trend" || change != "none")) {
    abort_imagestrata(
      "{.arg predictions} correct differences of two means, but not trends and changes.",
      hint = "Leave {.arg predictions} out, or use {.code contrasts = \"pairs\"} and {.code change =
              \"none\"}.",
      call = call
    )
  }
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
