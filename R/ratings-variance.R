# Means and their covariances.
#
# The mean of a cell is sum(w y) / sum(w). Its linearised scores u = w (y - mean) / sum(w) add up
# to zero, and the variance of the mean is that of the total of u in a survey whose units were
# drawn independently: respondents, or images within clusters. This is what
# survey::svydesign(ids = ~respondent_id, weights = ) with svyby(covmat = TRUE) computes, done
# for all cells at once; the tests compare the two.

estimate_cells <- function(design, variance, shrink, call = rlang::caller_env()) {
  answers <- design$answers
  n <- nrow(design$cells)
  start <- answers$rating[match(seq_len(n), answers$cell)]
  distance <- from_first(answers$rating, answers$cell)
  shift <- sum_by(answers$share * distance, answers$cell, n)
  estimate <- start + shift
  scores <- answers$share * (distance - shift[answers$cell])
  respondents <- unit_totals(scores, answers$cell, answers$respondent)
  cells <- dplyr::bind_cols(design$cells, estimate = estimate, count_cells(answers, n))
  if (shrink) {
    return(shrink_cells(design, cells, call))
  }
  parts <- switch(variance,
    respondent = list(respondents),
    image = list(stratified_totals(scores, answers, answers$image)),
    `two-way` = list(
      respondents,
      stratified_totals(scores, answers, answers$image),
      stratified_totals(scores, answers, answers$pair)
    )
  )
  parts[[1]]$factor <- parts[[1]]$factor %||% (design$n_respondents / (design$n_respondents - 1))
  cells$df <- switch(variance,
    respondent = cells$n_respondents - 1,
    `two-way` = pmin(cells$n_respondents, cells$n_images) - 1,
    image = pmax(cells$n_images - dplyr::coalesce(cells$n_clusters, 1L), 1)
  )
  alone <- cells$n_respondents < 2
  warn_alone(design, cells, alone)
  list(
    cells = cells,
    variance = function(a, b = NULL) {
      value <- variance_by_parts(parts, a, b)
      value[alone[a] | (!is.null(b) & alone[b %||% a])] <- NA
      value
    },
    overlap = function(a, b) shared_units(respondents, a, b)
  )
}

# Distances from a cell's first rating: where all are equal, they are 0, and not a rounding error
# that would pass for a standard error. (Ratings of dimensions, which are means of items, may differ
# in the last digit.)
from_first <- function(rating, cell) {
  distance <- rating - rating[match(cell, cell)]
  ifelse(abs(distance) < 1e-12 * max(abs(rating)), 0, distance)
}

# Clustered two ways, the units of both count twice, so those are subtracted. Where chance makes
# that negative, respondents alone count.
variance_by_parts <- function(parts, a, b) {
  value <- lapply(parts, variance_of, a = a, b = b)
  if (length(parts) == 1) {
    return(value[[1]])
  }
  both <- value[[1]] + value[[2]] - value[[3]]
  ifelse(both > 0, both, value[[1]])
}

# Of the means of cells `a`, or of their differences from those of cells `b`.
variance_of <- function(totals, a, b) {
  value <- covariance_of(totals, a, a)
  if (!is.null(b)) {
    value <- value + covariance_of(totals, b, b) - 2 * covariance_of(totals, a, b)
  }
  # Rounding may leave a hair below zero.
  pmax(value, 0)
}

# Of what counts: an answer of weight zero is none.
count_cells <- function(answers, n) {
  counts <- answers$weight > 0
  cell <- answers$cell[counts]
  distinct <- function(unit) if (is.null(unit)) NA_integer_ else n_in_cells(unit[counts], cell, n)
  tibble::tibble(
    n_ratings = tabulate(cell, n),
    n_respondents = distinct(answers$respondent),
    n_images = distinct(answers$image),
    n_clusters = distinct(answers$cluster)
  )
}

n_in_cells <- function(unit, cell, n) {
  key <- (cell - 1) * max(unit) + unit
  tabulate(cell[!duplicated(key)], n)
}

# Scores summed within units of a cell.
unit_totals <- function(scores, cell, unit) {
  n_units <- max(unit)
  key <- (cell - 1) * n_units + unit
  first <- !duplicated(key)
  list(
    cell = cell[first], unit = unit[first], key = key[first], n_units = n_units,
    total = as.vector(rowsum(scores, match(key, key[first]), reorder = FALSE))
  )
}

# The same for units within clusters as strata, all of which are in the study: only what differs
# within a cluster is chance. A cluster with one unit shows no such difference and gives its
# squared distance from the mean instead, as survey.lonely.psu = "adjust" does.
stratified_totals <- function(scores, answers, unit) {
  totals <- unit_totals(scores, answers$cell, unit)
  if (is.null(answers$cluster)) {
    totals$factor <- totals$n_units / (totals$n_units - 1)
    return(totals)
  }
  stratum <- answers$cluster[match(seq_len(totals$n_units), unit)]
  size <- tabulate(stratum)
  factor <- ifelse(size > 1, size / (size - 1), 1)
  totals$factor <- factor[stratum][totals$unit]
  totals$strata <- unit_totals(scores, answers$cell, answers$cluster)
  totals$strata$factor <- ifelse(size > 1, -factor / size, 0)[totals$strata$unit]
  totals
}

# Covariances of cells a[i] and b[i]. All of a differ from each other.
covariance_of <- function(totals, a, b) {
  other <- other_totals(totals, a, b)
  at <- match(totals$cell, a)
  inside <- !is.na(at)
  product <- totals$factor * totals$total * other
  value <- sum_by(product[inside], at[inside], length(a))
  if (!is.null(totals$strata)) {
    value <- value + covariance_of(totals$strata, a, b)
  }
  value
}

# For each unit of a cell a[i], its total in cell b[i]; 0 where it has none.
other_totals <- function(totals, a, b) {
  if (identical(a, b)) {
    return(totals$total)
  }
  partner <- b[match(totals$cell, a)]
  at <- match((partner - 1) * totals$n_units + totals$unit, totals$key)
  dplyr::coalesce(totals$total[at], 0)
}

shared_units <- function(totals, a, b) {
  partner <- b[match(totals$cell, a)]
  found <- (partner - 1) * totals$n_units + totals$unit
  both <- !is.na(found) & found %in% totals$key
  tabulate(match(totals$cell, a)[both], length(a))
}

warn_alone <- function(design, cells, alone) {
  if (any(alone)) {
    labels <- unique(vapply(which(alone), \(i) label_of(design$groups[cells$group[i], ]), ""))
    cli::cli_warn(
      c(
        "Only one respondent rated in {length(labels)} group{?s}: {.val {labels}}. How sure such a
         mean is cannot be said; {.field std.error} is missing.",
        i = "Ask more people, or compare larger groups."
      ),
      class = "imagestrata_warning"
    )
  }
}

# ---- Means that borrow from each other --------------------------------------------------

# For each measure, a mixed model with respondents, images and clusters as random effects, the
# latter for each of the other groups: means of clusters with few ratings are drawn to the mean
# of all clusters.
shrink_cells <- function(design, cells, call) {
  rlang::check_installed("lme4", "for means that are shrunken by a mixed model.", call = call)
  if (!"cluster" %in% design$by) {
    abort_imagestrata(
      "{.code shrink = TRUE} is for means of clusters, and {.arg by} does not name
       {.field cluster}.",
      hint = "For example {.code by = c(group, cluster)}.",
      call = call
    )
  }
  groups <- design$groups[setdiff(design$by, "cluster")]
  side <- if (ncol(groups) == 0) rep(1L, nrow(groups)) else number_levels(do.call(paste, groups))
  side <- match(side, unique(side))
  cluster <- number_levels(design$groups$cluster)
  fits <- lapply(seq_len(nrow(design$measures)), function(measure) {
    within <- design$answers$measure == measure
    answers <- lapply(design$answers, \(x) x[within])
    fit_mixed(answers, factor(side[answers$group]), call)
  })
  place <- cbind(side, cluster)[cells$group, , drop = FALSE]
  cells$estimate <- vapply(
    cells$cell, \(i) fits[[cells$measure[i]]]$mean[place[i, 1], place[i, 2]], 0
  )
  cells$df <- Inf
  list(
    cells = cells,
    variance = function(a, b = NULL) {
      covariance <- function(a, b) {
        vapply(seq_along(a), \(i) {
          mixed_covariance(fits[[cells$measure[a[i]]]], place[a[i], ], place[b[i], ])
        }, 0)
      }
      value <- covariance(a, a)
      if (is.null(b)) value else value + covariance(b, b) - 2 * covariance(a, b)
    },
    overlap = function(a, b) rep(0L, length(a))
  )
}

# Of the means of two places (side, cluster): what is uncertain about the sides' overall means, and,
# in one and the same cluster, about its deviations from them.
mixed_covariance <- function(fit, a, b) {
  own <- if (a[2] == b[2]) fit$posterior[a[1], b[1], a[2]] else 0
  fit$fixed[a[1], b[1]] + own
}

# `mean` and `posterior` by side and cluster, `fixed` the covariance of the sides' means.
fit_mixed <- function(answers, side, call) {
  data <- data.frame(
    rating = answers$rating, side = side, cluster = factor(answers$cluster),
    respondent = answers$respondent, image = answers$image
  )
  several <- nlevels(side) > 1
  if (all(from_first(data$rating, rep(1L, nrow(data))) == 0)) {
    return(fit_constant(data))
  }
  formula <- if (several) {
    rating ~ 0 + side + (0 + side | cluster) + (1 | respondent) + (1 | image)
  } else {
    rating ~ 1 + (1 | cluster) + (1 | respondent) + (1 | image)
  }
  control <- lme4::lmerControl(calc.derivs = FALSE, check.conv.singular = "ignore")
  model <- rlang::try_fetch(
    lme4::lmer(formula, data, control = control),
    error = function(error) {
      abort_imagestrata(
        "The mixed model cannot be fitted: {conditionMessage(error)}",
        hint = "It needs several clusters, images and ratings of images; else use
                {.code shrink = FALSE}.",
        call = call
      )
    }
  )
  deviation <- lme4::ranef(model)$cluster
  mean <- t(as.matrix(deviation)) + lme4::fixef(model)
  # By the numbers of clusters, whether or not this measure has all of them.
  column <- match(seq_len(max(answers$cluster)), as.integer(rownames(deviation)))
  list(
    mean = mean[, column, drop = FALSE],
    posterior = attr(deviation, "postVar")[, , column, drop = FALSE],
    fixed = as.matrix(stats::vcov(model))
  )
}

# All ratings are equal: there is nothing to model.
fit_constant <- function(data) {
  n_sides <- nlevels(data$side)
  n_clusters <- max(as.integer(as.character(data$cluster)))
  list(
    mean = matrix(data$rating[1], n_sides, n_clusters),
    posterior = array(0, c(n_sides, n_sides, n_clusters)),
    fixed = matrix(0, n_sides, n_sides)
  )
}
