# The class of results of rating_means() and rating_gaps(): a tibble with a summary of its survey.

# All columns but those of `by`.
estimate_columns <- c(
  "level", "term", "item", "dimension", "contrast", "change", "method", "estimate", "std.error",
  "df", "statistic",
  "p.value", "p.adjusted", "conf.low", "conf.high", "n_ratings", "n_respondents", "n_images",
  "n_clusters", "n_effective", "n_predicted", "lambda", "weight", "respondent_weight", "variance",
  "adjust"
)

# `...`: what figures need besides the table.
new_estimates <- function(data, kind, design, options, ...) {
  survey <- tibble::tibble(
    n_ratings = design$n_ratings,
    n_respondents = design$n_respondents,
    n_images = design$n_images,
    n_clusters = if (is.null(design$answers$cluster)) NA_integer_ else max(design$answers$cluster),
    n_items = sum(design$measures$level == "item")
  )
  survey <- dplyr::bind_cols(survey, tibble::as_tibble(options))
  new_object(
    data, "imagestrata_estimates",
    tables = list(summary = survey), kind = kind, by = design$by, ...
  )
}

#' @export
tbl_sum.imagestrata_estimates <- function(x, ...) {
  survey <- glance(x)
  heading <- paste0(
    count_of(survey$n_ratings, "rating"), " of ", count_of(survey$n_images, "image"), " by ",
    count_of(survey$n_respondents, "respondent"), "; ", what_counts[[survey$weight]], "; ",
    if (!is.null(survey[["respondent_weight"]])) {
      paste0("respondents weighted by ", survey$respondent_weight, "; ")
    },
    100 * survey$conf_level, "% intervals", clustered_by[[survey$variance]],
    if ("corrected" %in% x[["method"]]) "; corrected by predictions of all images"
  )
  rlang::set_names(heading, if (attr(x, "kind") == "means") "Mean ratings" else "Gaps")
}

#' @rdname tidiers
#' @export
tidy.imagestrata_estimates <- function(x, ...) {
  check_dots(...)
  # Packages that plot and tabulate tidied models expect the column `term`.
  tibble::add_column(plain_tibble(x), term = x$item, .before = 1)
}

#' @importFrom ggplot2 autoplot
#' @export
autoplot.imagestrata_estimates <- function(object, ...) {
  if (attr(object, "kind") == "means") {
    plot_rating_means(object, ...)
  } else {
    plot_rating_gaps(object, ...)
  }
}

# What errors account for, as readers of tables know it.
clustered_by <- c(
  "two-way" = ", clustered on respondents and images", respondent = ", clustered on respondents",
  image = ", clustered on images"
)

what_counts <- c(
  cluster = "every cluster has equal weight",
  corpus = "every image of the corpus has equal weight",
  share = "every share has equal weight",
  none = "every rated image has equal weight"
)
