#' Mean ratings, with honest uncertainty
#'
#' Means of every item and dimension, by groups of respondents, of images, or both.
#'
#' @param ratings What [read_ratings()] returned, or a table with the same columns.
#' @param by Columns whose values have means of their own: one or more bare names as in
#'   [dplyr::select()], or `NULL` for everybody together. By default the respondents' `group`;
#'   `c(group, cluster)` gives means of each group for each cluster.
#' @param weight What counts the same. `"cluster"`: every cluster of images, so that the rare is
#'   heard (the paper's Figure 10). `"corpus"`: every image of the corpus, so that the mean is what
#'   a reader of the whole corpus would meet. `"share"`: every share of an image. `"none"`: every
#'   rated image. An image counts once in a mean however many have rated it.
#' @param variance What was drawn by chance. `"respondent"`, the default: people. `"two-way"`:
#'   people and the images within a cluster. `"image"`: images only, which is too little and is
#'   there for comparison: people differ, and whoever rates eight images is not eight people.
#' @param shrink Draw means of clusters to the mean of all clusters, by as much as the few
#'   ratings that they rest on deserve? By a mixed model (lme4) with respondents, images and
#'   clusters as random effects; `by` must name `cluster`. Within a cluster images count the same.
#' @param conf_level Level of the intervals.
#'
#' @details
#' A dimension's rating is the mean of its items' ratings by the same respondent of the same image.
#'
#' Standard errors are linearised, as in the survey package: those of
#' `svydesign(ids = ~respondent_id, weights = )` and `svyby(..., svymean, covmat = TRUE)`. With
#' `"two-way"`, variances by respondent and by image (within clusters as strata) are added and that
#' of their intersection is subtracted. Clusters with a single image stop nothing: they count with
#' their distance from the mean (survey's `"adjust"`). No correction is made for images being drawn
#' from a finite corpus.
#'
#' Intervals are those of the t distribution with the cell's respondents less one as degrees of
#' freedom (`df`); with `"two-way"`, the smaller of respondents and images less one; with
#' `"image"`, images less clusters. This is more careful than survey's default, the respondents of
#' the whole survey, and matters where a cell holds few people. Shrunken means have intervals
#' of the normal distribution.
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
                         conf_level = 0.95) {
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
  check_number(conf_level, "conf_level", call = call)
  if (conf_level <= 0 || conf_level >= 1) {
    abort_imagestrata(
      "{.arg conf_level} must lie between 0 and 1, and is {.val {conf_level}}.",
      hint = "For 95% intervals it is 0.95.",
      call = call
    )
  }
  list(
    weight = weight, variance = if (shrink) "mixed model" else variance, conf_level = conf_level
  )
}

check_weight <- function(weight, call = rlang::caller_env()) {
  check_choice(weight, "weight", c("cluster", "corpus", "share", "none"), call)
}

check_choice <- function(x, name, choices, call) {
  check_string(x, name, call = call)
  if (!x %in% choices) {
    abort_imagestrata(
      "{.arg {name}} must be one of {.or {.val {choices}}}, not {.val {x}}.",
      call = call
    )
  }
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
