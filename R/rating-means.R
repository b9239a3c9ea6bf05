#' Estimate mean ratings with standard errors
#'
#' Estimates the mean of every item and dimension, by groups of respondents, of images, or both.
#'
#' @param ratings The result of [read_ratings()], or a table with the same columns.
#' @param by Columns that define the groups: one or more bare names as in [dplyr::select()], or
#'   `NULL` for all respondents together. By default the respondents' `group`; `c(group, cluster)`
#'   gives the mean of each group for each cluster.
#' @param weight The unit that has equal weight. `"cluster"`: every cluster of images, so that rare
#'   topics count as much as frequent ones (the paper's Figure 10). `"corpus"`: every image of the
#'   corpus, so that the mean describes the whole corpus. `"share"`: every share of an image.
#'   `"none"`: every rated image. The weight of an image does not depend on the number of its
#'   raters, and the weight of a cluster does not depend on the number of its rated images: see the
#'   details.
#' @param respondent_weight The column of `ratings` with the survey weight of each respondent: a
#'   bare name as in [dplyr::select()], or `NULL` if respondents have equal weight. Their unit does
#'   not matter. Means then describe the population that the survey's weights lead back to.
#' @param variance The units that are random. `"two-way"`, the default: respondents, and images
#'   within clusters. `"respondent"`: respondents only, as survey's `svydesign(ids =
#'   ~respondent_id)` computes. `"image"`: images only, for comparison. It gives standard errors
#'   that are too small, because it ignores differences between respondents.
#' @param shrink Shrink means of clusters towards the mean of all clusters, more so for clusters
#'   with few ratings? A mixed model (lme4) has respondents, images and clusters as random effects;
#'   `by` must name `cluster`. Images have equal weight within a cluster.
#' @param predictions What a machine predicts for every image of the corpus: a table with the
#'   columns `image_id`, `item` and `prediction`, on the scale of the ratings. The result then has
#'   corrected means of all images; see below. A column of `by` that is about respondents, such as
#'   `group`, gives each group predictions of its own; without it they are the same for all groups.
#'   `split` says what the model has seen, as [predict_labels()] returns it. The columns of labels
#'   by a machine, `code` and `label`, are understood as well. By default (`NULL`) there are only
#'   estimates from the ratings.
#' @param clustering With `predictions`: the clustering from which the sample was drawn, or a data
#'   frame with the columns `image_id` and `cluster`, and those columns of `by` that are about
#'   images. `weight = "share"` also needs the shares of all images, `n_shares` or `n_copies`.
#' @param conf_level Confidence level of the intervals.
#' @inheritParams scan_images
#'
#' @details The rating of a dimension is the mean of its items, for each respondent and image.
#'
#' **Weights.** The rated images of a cluster represent its images without ratings. In a cell (an
#' item in a group) the weight of a rated cluster is 1 (`"cluster"`), its number of images in the
#' corpus (`"corpus"`) or the number of their shares (`"share"`; images without ratings are given
#' the average of the others). This weight is divided among the rated images of the cluster, and the
#' weight of an image among its ratings. [rating_weights()] returns these weights. Clusters without
#' ratings are not in the mean; a warning counts them for each group. If a column of `by` is about
#' images, such as their month, the weight of a cluster is that of its images in that month.
#'
#' **Respondents' weights** multiply the weights of answers: an image's part of its cluster, divided
#' by the number of its raters, times the weight of the respondent. The mean of a cell is the sum of
#' weighted ratings divided by the sum of these weights, so it estimates the mean over images (equal
#' clusters, images or shares) of what the population of respondents would answer on average. The
#' weights are not scaled to keep the total of each image or cluster fixed: with one rater per
#' image, they would cancel out. In simulated surveys in which the weights had to remove a bias,
#' hardly any remained, but much of it did with weights scaled within images or within clusters
#' (`docs/ratings-coverage.md` in the repository). The standard errors below take the weights into
#' account. `n_effective` is Kish's effective number of respondents, the squared sum of their
#' weights divided by the sum of squared weights; a message tells you if it is less than half of the
#' respondents. With so unequal weights, intervals are too short and cover the truth less often
#' than they claim.
#'
#' **Standard errors** are linearised. With `"respondent"` they are those of survey's `svydesign(ids
#' = ~respondent_id, weights = )` and `svyby(..., svymean, covmat = TRUE)`, which treat the clusters
#' that a respondent rated as random. Because all clusters are in the study, these standard errors
#' are too large, above all for gaps if each image has one rating in each group. `"two-way"` is the
#' sum of two parts: the variance between the rated images of a cluster (survey's `svydesign(ids =
#' ~image_id, strata = ~cluster)`), and the covariance of a respondent's answers to different
#' images. In simulated surveys, the coverage of its intervals was close to the nominal level. There
#' is no finite population correction for the corpus.
#'
#' **Single images.** A cluster with one rated image has no variance between images: it is given the
#' average of the other clusters, in proportion to the squared weight. (With survey's `"average"` it
#' does not count that such an image has the weight of a whole cluster; standard errors are then
#' smaller.) If no cluster of a cell has two rated images, or if those that have are less than a
#' tenth of the sum of squared weights of images, the single images are compared across clusters
#' (collapsed strata). An
#' image with the share s in the mean then adds s^2 times the squared distance of its rating from
#' the mean, divided by 1 - 2 s + q, where q is the sum of squared shares in the cell; with K
#' clusters of equal weight this is survey's `"adjust"` times K / (K - 1). Such standard errors are
#' right if clusters do not differ, and too large if they do, because differences between clusters
#' count as chance. In gaps, what both groups have in common cancels out. Two rated images in each
#' cluster avoid this. For a mean of one image, such as that of a cluster, nothing is known about
#' other images: only respondents count, and a warning says so, unless the corpus has no other image
#' of that cluster.
#'
#' **Intervals** are those of the t distribution. Its degrees of freedom (`df`) are the number of
#' respondents in the cell minus one (`"respondent"`), the number of rated images minus the number
#' of clusters, for clusters with several of them (`"image"`), or the smaller of the two
#' (`"two-way"`). Images that are compared across clusters have Satterthwaite's degrees of freedom:
#' their number minus one if their shares are equal, and fewer otherwise. All this is more
#' conservative than survey's default, the respondents of the whole survey. It matters for cells
#' with few respondents or, as in a single cluster, few images.
#'
#' **Shrunken means** have intervals of the normal distribution. Their standard errors are those of
#' the prediction from fixed and random effects together (Henderson's mixed-model equations). The
#' variance components are treated as known, so the standard errors are a little too small with few
#' clusters.
#'
#' @section Corrected means:
#' People rate few images, and a machine predicts the rating of all. Its predictions may be wrong in
#' one direction, so that their mean is biased, however many images they cover. With `predictions`
#' there are three rows for each measure and group, in the column `method`:
#'
#' * `"machine"`: the mean prediction of all images. Its interval treats predictions as a random
#'   sample of correct ratings and does not hold the truth as often as it claims.
#' * `"sample"`: the mean rating, as without predictions.
#' * `"corrected"`: `lambda` times the mean prediction of all images, plus the weighted mean of
#'   rating minus `lambda` times prediction among the ratings (the difference estimator). It is
#'   unbiased whatever the errors of the machine. Its variance is that of these differences, for
#'   respondents and images as above. Figures show these rows.
#'
#' All three describe all images of the clusters that were rated in the cell, with the same
#' `weight`. Lambda, between 0 and 1, makes the variance between images as small as possible: 1
#' takes predictions at full value, and with 0 they do not count, so that a useless machine costs
#' almost nothing. There is one for each item and dimension, and for each group of respondents if
#' predictions are by group. It fits the rated images better than others; their residuals are
#' divided by one minus their influence on lambda, as in HC3 standard errors. The prediction of a
#' dimension is the mean of those of its items. Images without a prediction get the mean of the
#' others.
#'
#' How much a machine can help depends on how much images of one cluster differ: differences between
#' respondents, and between clusters, remain. See `docs/ratings.md` in the repository for what it
#' gained in simulations.
#'
#' Predictions must not depend on the ratings with which they are compared: train on other images,
#' or predict every fold of the rated images by a model that was fitted to the other folds.
#' Predictions by a model that is known to have seen the ratings (`split` is `"train"` or `"val"`)
#' are refused.
#'
#' @returns A tibble with one row per measure and group: `level` (`"item"` or `"dimension"`), `item`
#'   (for a dimension its name), `dimension`, the columns of `by` (and the names of clusters, if
#'   they have any), `estimate`, `std.error`, `df`, `conf.low`, `conf.high`, `n_ratings`,
#'   `n_respondents`, `n_images`, `n_clusters`, `weight`, `variance`; with respondents' weights also
#'   `n_effective` and `respondent_weight`; with predictions up to three rows, and also `method`,
#'   `n_predicted` (images with a prediction) and `lambda`. Items that nobody rated have no rows.
#'   `glance()` returns one row about the whole survey.
#' @family ratings
#' @export
#' @examples
#' rating_means(simulated_ratings)
#' rating_means(simulated_ratings, by = c(party = group), weight = "corpus")
#' simulated_ratings |>
#'   dplyr::filter(cluster <= 10) |>
#'   rating_means(by = c(group, cluster))
#'
#' # A machine that predicts how angry the people in a picture look, for all 18,096 images. This
#' # says little about how angry respondents were: lambda is 0, and the sample's estimate remains.
#' predictions <- simulated_predictions |>
#'   dplyr::filter(code == "anger") |>
#'   dplyr::transmute(image_id, item = "angry", prediction = as.numeric(label), split)
#' images <- dplyr::distinct(simulated_posts, image_id, cluster) |>
#'   dplyr::filter(!is.na(image_id))
#' simulated_ratings |>
#'   dplyr::filter(item == "angry") |>
#'   rating_means(predictions = predictions, clustering = images)
rating_means <- function(ratings,
                         by = "group",
                         weight = "cluster",
                         respondent_weight = NULL,
                         variance = "two-way",
                         shrink = FALSE,
                         predictions = NULL,
                         clustering = NULL,
                         conf_level = 0.95,
                         ...) {
  check_dots(...)
  options <- check_estimate(weight, variance, shrink, conf_level)
  design <- design_ratings(ratings, rlang::enquo(by), weight, rlang::enquo(respondent_weight))
  options <- add_respondent_weight(options, design)
  tell_unrated(design)
  if (!shrink) warn_single_images(design, variance)
  predicted <- predict_ratings(
    predictions, clustering, ratings, design, rlang::enquo(by), shrink
  )
  fits <- fits_of(design, variance, shrink, predicted)
  cells <- bind_methods(fits, function(fit) {
    fit$cells$std.error <- sqrt(fit$variance(fit$cells$cell))
    fit$cells
  })
  cells <- cells[order(cells$cell), ]
  warn_flat(cells, design)
  cells <- add_interval(cells, conf_level)
  means <- dplyr::bind_cols(
    design$measures[cells$measure, ],
    design$groups[cells$group, ],
    cells[c(
      if (!is.null(predicted)) "method", "estimate", "std.error", "df", "conf.low", "conf.high",
      "n_ratings", "n_respondents", "n_images", "n_clusters",
      if (!is.null(predicted)) c("n_predicted", "lambda")
    )],
    n_effective = cells[["n_effective"]]
  )
  means$weight <- weight
  means$respondent_weight <- design$respondent_weight
  means$variance <- if (shrink) "mixed model" else variance
  new_estimates(
    name_clusters(means, ratings), "means", design, options,
    scale = scale_of_ratings(ratings), comparisons = compare_means(design, fits)
  )
}

check_estimate <- function(weight, variance, shrink, conf_level, call = rlang::caller_env()) {
  check_weight(weight, call)
  check_choice(variance, "variance", c("two-way", "respondent", "image"), call)
  check_flag(shrink, "shrink", call)
  check_share(conf_level, "conf_level", call, hint = "For 95% intervals it is 0.95.")
  list(
    weight = weight, variance = if (shrink) "mixed model" else variance, conf_level = conf_level
  )
}

# The mixed model has no weights of respondents.
add_respondent_weight <- function(options, design, call = rlang::caller_env()) {
  column <- design$respondent_weight
  if (is.null(column)) {
    return(options)
  }
  if (options$variance == "mixed model") {
    abort_imagestrata(
      "{.arg respondent_weight} cannot be combined with {.code shrink = TRUE}: the mixed model gives
       respondents equal weight.",
      hint = "Use {.code shrink = FALSE}.",
      call = call
    )
  }
  append(options, list(respondent_weight = column), after = 1)
}

check_weight <- function(weight, call = rlang::caller_env()) {
  check_choice(weight, "weight", c("cluster", "corpus", "share", "none"), call)
}

add_interval <- function(table, conf_level) {
  width <- ifelse(
    is.na(table$std.error), NA,
    suppressWarnings(stats::qt((1 + conf_level) / 2, table$df)) * table$std.error
  )
  table$conf.low <- table$estimate - width
  table$conf.high <- table$estimate + width
  table
}

# How much images of a cluster differ is not known if the mean has one image, unless it is about
# that image. Means that are not compared do not count.
warn_single_images <- function(design, variance) {
  if (variance == "respondent" || "image_id" %in% design$by) {
    return()
  }
  counts <- design$answers$weight > 0
  cell <- design$answers$cell[counts]
  n <- nrow(design$cells)
  whole <- design$images$size[design$answers$image[counts]] %in% 1
  single <- n_in_cells(design$answers$image[counts], cell, n) == 1 &
    n_in_cells(design$answers$respondent[counts], cell, n) > 1 & !seq_len(n) %in% cell[whole]
  single <- single[design$cells[["comparable"]] %||% TRUE]
  n <- length(single)
  if (any(single)) {
    warn_imagestrata(
      "{sum(single)} of {n} mean{?s} rest{?s/} on a single rated image. How much other images
       differ from it is not known: the standard error accounts for respondents only.",
      "Such a mean, and its gap, is about that image. With {.code variance = \"respondent\"} all
       are about the rated images; for more, rate two images of each cluster."
    )
  }
}

# This may happen in one row; in all rows of an item it is suspicious.
warn_no_spread <- function(table, design) {
  flat <- !is.na(table$std.error) & table$std.error == 0
  if (!any(flat)) {
    return()
  }
  of_measure <- tapply(flat, table$measure, all)
  always <- design$measures$item[as.integer(names(of_measure))[of_measure]]
  warn_imagestrata(
    "In {sum(flat)} of {length(flat)} row{?s} respondents do not differ at all: the standard error
     is 0, and nothing can be tested.",
    if (length(always) > 0) {
      "This holds for all rows of {.val {always}}: is the file complete?"
    } else {
      "These rows rest on few ratings: {.code shrink = TRUE} may help."
    }
  )
}
