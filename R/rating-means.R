#' Mean ratings, with standard errors
#'
#' Means of every item and dimension, by groups of respondents, of images, or both.
#'
#' @param ratings The result of [read_ratings()], or a table with the same columns.
#' @param by Columns whose values have means of their own: one or more bare names as in
#'   [dplyr::select()], or `NULL` for everybody together. By default the respondents' `group`;
#'   `c(group, cluster)` gives means of each group for each cluster.
#' @param weight The unit that has equal weight. `"cluster"`: every cluster of images, so that the
#'   rare is heard (the paper's Figure 10). `"corpus"`: every image of the corpus, so that the mean
#'   is what a reader of the whole corpus would meet. `"share"`: every share of an image. `"none"`:
#'   every rated image. An image counts once in a mean however many have rated it, and a cluster
#'   counts in full however many of its sampled images were rated: see the details.
#' @param variance The units that were drawn by chance. `"two-way"`, the default: respondents, and
#'   images within clusters. `"respondent"`: respondents only; it is what survey's `svydesign(ids =
#'   ~respondent_id)` computes. `"image"`: images only, which is too little and is there for
#'   comparison: people differ, and whoever rates eight images is not eight people.
#' @param shrink Draw means of clusters to the mean of all clusters, by as much as the few
#'   ratings that they rest on deserve? By a mixed model (lme4) with respondents, images and
#'   clusters as random effects; `by` must name `cluster`. Within a cluster images count the same.
#' @param conf_level Level of the intervals.
#' @inheritParams scan_images
#'
#' @details
#' A dimension's rating is the mean of its items' ratings by the same respondent of the same image.
#'
#' **Weights.** Where not every sampled image has a rating, the rated images of a cluster stand for
#' the others. In a cell (an item in a group) a cluster that was rated weighs 1 (`"cluster"`), as
#' much as it has images in the corpus (`"corpus"`) or as much as they were shared (`"share"`; of
#' images that nobody rated the average of the others is taken). Its rated images divide that among
#' themselves, and the ratings of an image divide the image's weight. [rating_weights()] hands these
#' weights out. A cluster without a rating is not in the mean; a warning says how many there are in
#' each group. Where a column of `by` is about images, such as their month, a cluster's images of
#' that month are what counts.
#'
#' **Standard errors** are linearised. With `"respondent"` they are those of survey's
#' `svydesign(ids = ~respondent_id, weights = )` and `svyby(..., svymean, covmat = TRUE)`, which
#' take it for chance which clusters somebody rated; all clusters are in the study, so they are too
#' wide, by a third for gaps when each image has one rating in each group. `"two-way"` adds two
#' parts: how much the rated images of a cluster differ (survey's `svydesign(ids = ~image_id, strata
#' = ~cluster)`), and how alike the answers of a respondent to different images are. In simulated
#' surveys its intervals held the truth about as often as they say. A cluster with a single
#' rated image cannot show how images differ: it is given the average of the others, in proportion
#' to the squared weight (survey's `"average"`). Where no cluster of a cell has two rated images,
#' respondents alone count. No correction is made for images being drawn from a finite corpus.
#'
#' **Intervals** are those of the t distribution. Its degrees of freedom (`df`) are the cell's
#' respondents less one with `"respondent"`, the rated images less the clusters with several of them
#' with `"image"`, the smaller of the two with `"two-way"`. This is more careful than survey's
#' default, the respondents of the whole survey, and matters where a cell holds few people or, as
#' the mean of a single cluster does, few images: two images say little about their cluster.
#'
#' **Shrunken means** have intervals of the normal distribution. Their standard errors are those of
#' the prediction, fixed and random part together (Henderson's mixed-model equations); variance
#' components are taken as known, which makes them a little too small with few clusters.
#'
#' @returns A tibble with one row per measure and group: `level` (`"item"` or `"dimension"`),
#'   `item` (of a dimension: its name), `dimension`, the columns of `by`, `estimate`,
#'   `std.error`, `df`, `conf.low`, `conf.high`, `n_ratings`, `n_respondents`, `n_images`,
#'   `n_clusters`, `weight`, `variance`. Items that nobody rated have no rows. `glance()` gives one
#'   row about the whole survey.
#' @family ratings
#' @export
#' @examples
#' rating_means(simulated_ratings)
#' rating_means(simulated_ratings, by = c(party = group), weight = "corpus")
#' simulated_ratings |>
#'   dplyr::filter(cluster <= 10) |>
#'   rating_means(by = c(group, cluster))
rating_means <- function(ratings,
                         by = "group",
                         weight = "cluster",
                         variance = "two-way",
                         shrink = FALSE,
                         conf_level = 0.95,
                         ...) {
  check_dots(...)
  options <- check_estimate(weight, variance, shrink, conf_level)
  design <- design_ratings(ratings, rlang::enquo(by), weight)
  tell_unrated(design)
  fit <- estimate_cells(design, variance, shrink)
  cells <- fit$cells
  cells$std.error <- sqrt(fit$variance(cells$cell))
  warn_no_spread(cells, design)
  cells <- add_interval(cells, conf_level)
  means <- dplyr::bind_cols(
    design$measures[cells$measure, ],
    design$groups[cells$group, ],
    cells[c(
      "estimate", "std.error", "df", "conf.low", "conf.high",
      "n_ratings", "n_respondents", "n_images", "n_clusters"
    )]
  )
  means$weight <- weight
  means$variance <- if (shrink) "mixed model" else variance
  new_estimates(means, "means", design, options)
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

# In one row that may well happen; in all rows of an item it is suspicious.
warn_no_spread <- function(table, design) {
  flat <- !is.na(table$std.error) & table$std.error == 0
  if (!any(flat)) {
    return()
  }
  of_measure <- tapply(flat, table$measure, all)
  always <- design$measures$item[as.integer(names(of_measure))[of_measure]]
  cli::cli_warn(
    c(
      "In {sum(flat)} of {length(flat)} row{?s} respondents do not differ at all: the standard error
       is 0, and nothing can be tested.",
      i = if (length(always) > 0) "So it is in all rows of {.val {always}}: is the file complete?",
      i = if (length(always) == 0) "They rest on few ratings: {.code shrink = TRUE} may help."
    ),
    class = "imagestrata_warning"
  )
}
