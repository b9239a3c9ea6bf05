#' Measure the reliability of ratings
#'
#' @inheritParams rating_means
#' @param by Columns that define separate groups, such as `group`, for the agreement of Democrats
#'   among themselves; `NULL` for all raters together.
#' @inheritParams scan_images
#'
#' @details Each image has its own raters, so the intraclass correlation is that of the one-way
#' model, ICC(1): the share of variance that is between images. `icc_average` is the reliability of
#' the mean of as many ratings as an image has on average. Intervals are those of the F
#' distribution. Krippendorff's `alpha`, for interval scales, compares differences within images
#' with differences among all ratings; images with one rating do not contribute. Cronbach's alpha is
#' about items, not raters: it measures the internal consistency of a dimension.
#'
#' Means over many ratings can be precise even if these values are low. Low values show that a
#' single rating does not measure an image reliably.
#'
#' @returns A tibble with one row per item and dimension (and group): `level`, `item`, `dimension`,
#'   the columns of `by`, `icc`, `conf.low`, `conf.high`, `icc_average`, `alpha`, `cronbach`
#'   (dimensions only), `n_ratings`, `n_images`, `raters_per_image`. Without `by`, the attribute
#'   `error_correlation` has the correlations between the errors of images' mean ratings, which
#'   [share_model()] uses. [autoplot()][autoplot.imagestrata_reliability] draws it.
#' @family ratings
#' @export
#' @examples
#' rating_reliability(simulated_ratings)
#' rating_reliability(simulated_ratings, by = group)
rating_reliability <- function(ratings, by = NULL, conf_level = 0.95, ...) {
  check_dots(...)
  check_estimate("none", "respondent", FALSE, conf_level)
  design <- design_ratings(ratings, rlang::enquo(by), "none")
  # Only differences between ratings matter here.
  design$answers$rating <- from_first(design$answers$rating, design$answers$cell)
  answers <- design$answers
  n <- nrow(design$cells)
  unit <- unit_totals(answers$rating, answers$cell, answers$image)
  key <- match((answers$cell - 1) * unit$n_units + answers$image, unit$key)
  size <- tabulate(key)
  square <- as.vector(rowsum(answers$rating^2, key))
  # Sums over the images of a cell.
  total <- function(x) sum_by(x, unit$cell, n)
  spread <- list(
    ratings = total(size), images = tabulate(unit$cell, n),
    between = total(unit$total^2 / size) - total(unit$total)^2 / total(size),
    within = total(square - unit$total^2 / size)
  )
  warn_single_raters(spread, design)
  warn_constant(design)
  agreement <- dplyr::bind_cols(
    icc_of(spread, total(size^2), conf_level),
    alpha = alpha_of(unit, size, square, total)
  )
  agreement$cronbach <- cronbach_of(design)
  table <- dplyr::bind_cols(
    design$measures[design$cells$measure, ],
    design$groups[design$cells$group, ],
    agreement,
    n_ratings = spread$ratings, n_images = spread$images,
    raters_per_image = spread$ratings / spread$images
  )
  tibble::new_tibble(
    name_clusters(table, ratings),
    class = "imagestrata_reliability", by = design$by, conf_level = conf_level,
    error_correlation = if (length(design$by) == 0) error_correlation(design)
  )
}

# Correlations between the errors of images' mean ratings: deviations of answers from the mean of
# their image, of the same respondents. An item that others answered has errors of its own.
error_correlation <- function(design) {
  answers <- design$answers
  unit <- pair_up(answers$measure, answers$image)
  mean <- sum_by(answers$rating, unit, max(unit)) / tabulate(unit)
  names <- design$measures$item
  error <- matrix(0, max(answers$pair), length(names), dimnames = list(NULL, names))
  error[cbind(answers$pair, answers$measure)] <- answers$rating - mean[unit]
  covariance <- crossprod(error)
  covariance / tcrossprod(sqrt(diag(covariance)))
}

warn_single_raters <- function(spread, design) {
  single <- spread$ratings == spread$images
  if (any(single)) {
    warn_imagestrata(
      "In {sum(single)} of {length(single)} row{?s} no image has two ratings: agreement between
       raters cannot be estimated.",
      if (length(design$by) > 0) "{.code by = NULL} compares raters of all groups."
    )
  }
}

warn_constant <- function(design) {
  distance <- from_first(design$answers$rating, design$answers$cell)
  flat <- sum_by(abs(distance), design$answers$cell, nrow(design$cells)) == 0
  if (any(flat)) {
    items <- unique(design$measures$item[design$cells$measure[flat]])
    warn_imagestrata(
      "All ratings are equal in {sum(flat)} of {length(flat)} row{?s}, those of {.val {items}}:
       agreement between raters, or correlation of items, cannot be estimated.",
      "Is the file complete?"
    )
  }
}

# The one-way analysis of variance, with different numbers of ratings per image.
icc_of <- function(spread, squared_sizes, conf_level) {
  df_between <- spread$images - 1
  df_within <- spread$ratings - spread$images
  between <- spread$between / df_between
  within <- spread$within / df_within
  size <- (spread$ratings - squared_sizes / spread$ratings) / df_between
  known <- df_within > 0 & df_between > 0 & spread$between + spread$within > 0
  icc <- function(f) ifelse(known, 1 - size / (f + size - 1), NA)
  f <- between / within
  tail <- (1 - conf_level) / 2
  bound <- function(p) f / suppressWarnings(stats::qf(p, df_between, df_within))
  tibble::tibble(
    icc = icc(f), conf.low = icc(bound(1 - tail)), conf.high = icc(bound(tail)),
    icc_average = ifelse(known, 1 - 1 / f, NA)
  )
}

# Krippendorff's, for interval scales: squared differences of all pairs of values.
alpha_of <- function(unit, size, square, total) {
  paired <- size > 1
  n <- total(ifelse(paired, size, 0))
  sum <- total(ifelse(paired, unit$total, 0))
  squares <- total(ifelse(paired, square, 0))
  observed <- total(ifelse(paired, (size * square - unit$total^2) / (size - 1), 0)) / n
  expected <- (n * squares - sum^2) / (n * (n - 1))
  ifelse(n > 0 & expected > 0, 1 - observed / expected, NA)
}

# For each cell of a dimension, over the answers (respondent and image) to all of its items.
cronbach_of <- function(design) {
  vapply(seq_len(nrow(design$cells)), function(i) {
    cell <- design$cells[i, ]
    measure <- design$measures[cell$measure, ]
    if (measure$level == "item") {
      return(NA_real_)
    }
    rating <- wide_items(design, measure$dimension, cell$group)
    rating <- rating[stats::complete.cases(rating), , drop = FALSE]
    k <- ncol(rating)
    spread <- stats::var(rowSums(rating))
    if (k < 2 || !isTRUE(spread > 0)) {
      return(NA_real_)
    }
    k / (k - 1) * (1 - sum(apply(rating, 2, stats::var)) / spread)
  }, 0)
}

# A row per respondent and image, a column per item of a dimension.
wide_items <- function(design, dimension, group) {
  answers <- design$answers
  items <- which(design$measures$level == "item" & design$measures$dimension %in% dimension)
  at <- which(answers$group == group & answers$measure %in% items)
  pairs <- unique(answers$pair[at])
  rating <- matrix(NA_real_, length(pairs), length(items))
  place <- cbind(match(answers$pair[at], pairs), match(answers$measure[at], items))
  rating[place] <- answers$rating[at]
  colnames(rating) <- design$measures$item[items]
  rating
}

#' Correlate the items of each dimension
#'
#' Computes the correlations between the items of a dimension, which are high if the items measure
#' the same. The units are answers: one respondent's ratings of one image.
#'
#' @inheritParams rating_reliability
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per pair of items of a dimension (and group): `dimension`,
#'   `item_1`, `item_2`, the columns of `by`, `correlation`, `n_answers`.
#' @family ratings
#' @export
#' @examples
#' item_correlations(simulated_ratings)
item_correlations <- function(ratings, by = NULL, ...) {
  check_dots(...)
  design <- design_ratings(ratings, rlang::enquo(by), "none")
  dimensions <- design$measures$dimension[design$measures$level == "dimension"]
  if (length(dimensions) == 0) {
    abort_imagestrata(
      "{.arg ratings} has no {.field dimension}, so no items can be correlated.",
      hint = "Give {.fn read_ratings} a table of {.arg items} with dimensions."
    )
  }
  warn_constant(design)
  wanted <- expand.grid(group = seq_len(nrow(design$groups)), dimension = dimensions)
  dplyr::bind_rows(lapply(seq_len(nrow(wanted)), function(i) {
    pairs <- correlate(wide_items(design, wanted$dimension[i], wanted$group[i]))
    group <- design$groups[rep(wanted$group[i], nrow(pairs)), ]
    dimension <- rep(as.character(wanted$dimension[i]), nrow(pairs))
    dplyr::bind_cols(dimension = dimension, pairs[1:2], group, pairs[3:4])
  }))
}

correlate <- function(rating) {
  pairs <- if (ncol(rating) > 1) utils::combn(ncol(rating), 2) else matrix(0L, 2, 0)
  both <- function(p) stats::complete.cases(rating[, pairs[, p]])
  # A constant item has no correlation: missing, without R's warning.
  correlation <- function(p) {
    suppressWarnings(stats::cor(rating[both(p), pairs[, p]])[1, 2])
  }
  tibble::tibble(
    item_1 = colnames(rating)[pairs[1, ]],
    item_2 = colnames(rating)[pairs[2, ]],
    correlation = vapply(seq_len(ncol(pairs)), correlation, 0),
    n_answers = vapply(seq_len(ncol(pairs)), \(p) sum(both(p)), 0L)
  )
}
