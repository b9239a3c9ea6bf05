# Means and their covariances.
#
# The mean of a cell is sum(w y) / sum(w). Its linearised scores u = w (y - mean) / sum(w) add up
# to zero, and the variance of the mean is that of the total of u in a survey whose units were
# drawn independently: respondents, or images within clusters. This is what
# survey::svydesign(ids = ~respondent_id, weights = ) with svyby(covmat = TRUE) computes, done
# for all cells at once; the tests compare the two.
#
# Ratings may be a matrix whose columns are surveys with the same answers by the same people
# (plan_study()): estimates and variances then have a column for each.

estimate_cells <- function(design, variance, shrink, call = rlang::caller_env()) {
  answers <- design$answers
  n <- nrow(design$cells)
  rating <- as.matrix(answers$rating)
  start <- rating[match(seq_len(n), answers$cell), , drop = FALSE]
  distance <- from_first(rating, answers$cell)
  shift <- sum_by(answers$share * distance, answers$cell, n)
  estimate <- drop(start + shift)
  scores <- answers$share * (distance - shift[answers$cell, , drop = FALSE])
  respondents <- unit_totals(scores, answers$cell, answers$respondent)
  cells <- dplyr::bind_cols(design$cells, estimate = estimate, count_cells(answers, n))
  if (shrink) {
    return(shrink_cells(design, cells, call))
  }
  drawn <- design$n_respondents / (design$n_respondents - 1)
  parts <- list(
    respondents = respondents,
    answers = if (variance == "two-way") unit_totals(scores, answers$cell, answers$pair),
    images = if (variance != "respondent") image_totals(scores, answers)
  )
  cells$df <- degrees_of_means(cells, parts, variance)
  alone <- cells$n_respondents < 2
  warn_alone(design, cells, alone)
  list(
    cells = cells,
    variance = function(at, by = 1) {
      sums <- sums_of_cells(at, by)
      value <- variance_by_parts(parts, variance, drawn, sums)
      value[rowSums(matrix(alone[sums$at], nrow(sums$at))) > 0, ] <- NA
      drop(value)
    },
    most_df = function(at) {
      if (variance == "respondent") rep(Inf, nrow(at)) else degrees_of_sums(parts$images, at)
    }
  )
}

# By respondent; by image within clusters; or both. The part of images includes the variance of
# single answers, so respondents add only the covariance of their answers to several images. If a
# mean is that of one image, only respondents count.
variance_by_parts <- function(parts, variance, drawn, sums) {
  respondents <- drawn * variance_of(parts$respondents, sums)
  if (variance == "respondent") {
    return(respondents)
  }
  images <- variance_of_images(parts$images, sums)
  known <- !is.na(images)
  if (variance == "image") {
    return(ifelse(known, images, respondents))
  }
  alike <- respondents - drawn * variance_of(parts$answers, sums)
  # If no respondent is in several means, this covariance cannot be negative: a negative estimate is
  # set to 0.
  both <- images + pmax(alike, ifelse(shares_units(parts$respondents, sums), -Inf, 0))
  # A variance that is zero except for rounding counts as missing.
  ifelse(known & both > 1e-10 * respondents, both, respondents)
}

# Respondents minus one; with images, also images minus clusters, for clusters with several of them.
# Images that are compared across clusters have Satterthwaite's.
degrees_of_means <- function(cells, parts, variance) {
  people <- cells$n_respondents - 1
  if (variance == "respondent") {
    return(people)
  }
  images <- degrees_of_sums(parts$images, as.matrix(cells$cell))
  images <- ifelse(is.finite(images), images, people)
  if (variance == "image") images else pmin(people, images)
}

# Distances from a cell's first rating: where all are equal, they are 0, and not a rounding error
# that would pass for a standard error. (Ratings of dimensions, which are means of items, may differ
# in the last digit.)
from_first <- function(rating, cell) {
  first <- match(cell, cell)
  distance <- rating - if (is.matrix(rating)) rating[first, , drop = FALSE] else rating[first]
  ifelse(abs(distance) < 1e-12 * max(abs(rating)), 0, distance)
}

# Sums of means, one in each row of `at`: the numbers of cells, and what the mean of each is
# multiplied `by`. A cell is in one row only.
sums_of_cells <- function(at, by = 1) {
  at <- as.matrix(at)
  list(at = at, by = matrix(by, nrow(at), ncol(at)))
}

# The variance of sums of means, from the scores of units that were drawn independently.
variance_of <- function(totals, sums) {
  place <- match(totals$cell, sums$at)
  inside <- !is.na(place)
  row <- row(sums$at)[place[inside]]
  unit <- pair_up(row, totals$unit[inside])
  score <- sum_by(
    sums$by[place[inside]] * totals$total[inside, , drop = FALSE], unit, max(unit, 0L)
  )
  sum_by(score^2, row[match(seq_len(nrow(score)), unit)], nrow(sums$at))
}

# The same from images: their covariances are known for pairs of cells. NA where one of the cells
# has a single image.
variance_of_images <- function(totals, sums) {
  value <- 0
  scale <- scales_of_images(totals, sums$at)
  for (pair in names(scale)) {
    at <- as.integer(strsplit(pair, " ")[[1]])
    i <- at[1]
    j <- at[2]
    times <- (1 + (i != j)) * sums$by[, i] * sums$by[, j]
    value <- value + times * covariance_of(totals, sums$at[, i], sums$at[, j]) * scale[[pair]]
  }
  across <- !has_others(scale)
  if (any(across)) {
    apart <- replace(totals, "total", list(totals$across))
    value[across, ] <- variance_of(apart, sums)[across, ]
    value[across & rows_with(totals, sums$at, totals$only), ] <- NA
  }
  # Rounding may give a small negative number.
  pmax(value, 0)
}

# TRUE if a unit is in several cells of a sum.
shares_units <- function(totals, sums) {
  row <- row(sums$at)[match(totals$cell, sums$at)]
  unit <- totals$unit[!is.na(row)]
  row <- row[!is.na(row)]
  tabulate(row, nrow(sums$at)) > n_in_cells(unit, row, nrow(sums$at))
}

# TRUE for the rows of `at` that have one of these units in one of their cells.
rows_with <- function(totals, at, which) {
  seq_len(nrow(at)) %in% row(at)[at %in% totals$cell[which]]
}

# Images minus clusters of all cells in a row together; images in several cells count once.
degrees_of_sums <- function(images, at) {
  across <- !has_others(scales_of_images(images, at))
  row <- row(at)[match(images$cell, at)]
  inside <- !is.na(row)
  unit <- pair_up(row[inside], images$unit[inside])
  row <- row[inside]
  part <- ifelse(across[row], images$part[inside], 1 - 1 / images$size[inside])
  row <- row[match(seq_len(max(unit, 0L)), unit)]
  times <- tabulate(unit)
  # For equal parts p of an image in k cells this is p.
  sums <- sum_by(cbind(part, sqrt(part)), unit, max(unit))
  once <- sums[, 1] * (1 + 1 / times) - sums[, 2]^2 / times
  df <- sum_by(once, row, nrow(at))
  ifelse(df > 1e-9, df, Inf)
}

# Counts without answers of weight zero.
count_cells <- function(answers, n) {
  counts <- answers$weight > 0
  cell <- answers$cell[counts]
  distinct <- function(unit) if (is.null(unit)) NA_integer_ else n_in_cells(unit[counts], cell, n)
  tibble::tibble(
    n_ratings = tabulate(cell, n),
    n_respondents = distinct(answers$respondent),
    n_images = distinct(answers$image),
    n_clusters = distinct(answers$cluster),
    n_effective = if (!is.null(answers$respondent_weight)) {
      effective_respondents(answers, answers$cell, n)
    }
  )
}

n_in_cells <- function(unit, cell, n) {
  key <- (cell - 1) * max(unit, 0) + unit
  tabulate(cell[!duplicated(key)], n)
}

# Scores summed within units of a cell.
unit_totals <- function(scores, cell, unit) {
  n_units <- max(unit)
  key <- (cell - 1) * n_units + unit
  first <- !duplicated(key)
  list(
    cell = cell[first], unit = unit[first], key = key[first], n_units = n_units,
    total = sum_by(scores, match(key, key[first]), sum(first))
  )
}

# Scores of images, as distances from the mean score of the cell's images of their stratum (a
# cluster, or a part of it): all strata are in the study, so only what differs within them is
# chance. `size`: the stratum's images in the cell. `across`: the same if images that are alone in
# their stratum are compared across strata, and `part`, what an image then adds to degrees of
# freedom; `only`: the only image of a cell.
image_totals <- function(scores, answers) {
  totals <- unit_totals(scores, answers$cell, answers$image)
  first <- match(totals$key, (answers$cell - 1) * totals$n_units + answers$image)
  stratum <- pair_up(totals$cell, if (is.null(answers$stratum)) 1 else answers$stratum[first])
  totals$size <- tabulate(stratum)[stratum]
  totals$share <- sum_by(answers$share, match(
    (answers$cell - 1) * totals$n_units + answers$image, totals$key
  ), length(totals$key))
  whole <- totals$total
  centre <- sum_by(whole, stratum, max(stratum))[stratum, , drop = FALSE] / totals$size
  totals$total <- (whole - centre) *
    sqrt(ifelse(totals$size > 1, totals$size / (totals$size - 1), 0))
  compare_across(totals, whole)
}

# Collapsed strata: the score of an image that is alone in its stratum is s (y - mean), with its
# share s in the mean. If images vary by the variance v, wherever they are, (y - mean) has the
# variance v (1 - 2 s + q), where q is the sum of squared shares in the cell: for n equal shares
# this is v (n - 1) / n. Divided by its root, the squared scores add up to the variance of the mean.
# What differs between strata is included, which makes it too large rather than too small.
compare_across <- function(totals, whole) {
  n <- max(totals$cell)
  by_cell <- function(x) sum_by(x, totals$cell, n)
  share <- totals$share
  squares <- by_cell(share^2)[totals$cell]
  left <- (1 - share)^2 + squares - share^2
  alone <- totals$size == 1
  totals$only <- left < 1e-10
  by <- ifelse(totals$only, 0, 1 / sqrt(pmax(left, 1e-10)))
  totals$across <- totals$total
  totals$across[alone, ] <- (whole * by)[alone, ]
  # Satterthwaite's degrees of freedom of the sum of w (y - mean)^2: the covariance matrix of its
  # parts has v w (1 - 2 s + q) on the diagonal and v (w w')^(1/2) (q - s - s') elsewhere; they are
  # its squared trace by the sum of squares.
  w <- ifelse(alone, (by * share)^2, 0)
  moment <- lapply(0:2, \(power) by_cell(w * share^power))
  q <- by_cell(share^2)
  squared <- by_cell((w * left)^2 - (w * (squares - 2 * share))^2) + q^2 * moment[[1]]^2 +
    2 * moment[[1]] * moment[[3]] + 2 * moment[[2]]^2 - 4 * q * moment[[1]] * moment[[2]]
  df <- ifelse(squared > 0, by_cell(w * left)^2 / squared, 0)
  counts <- alone & share > 0
  own <- (df / tabulate(totals$cell[counts], n))[totals$cell]
  totals$part <- ifelse(counts, own, 1 - 1 / totals$size)
  totals
}

# A stratum with one rated image has no variance between images and is given the average of the
# others: covariances are multiplied by the sum of squared shares of all images in the means,
# divided by that of the others. For each pair of columns of `at` ("1 2") these numbers, by row; Inf
# if the others are too few. Two means that have few images in common are scaled as each of them.
scales_of_images <- function(totals, at) {
  square <- function(share, a, b) {
    drop(covariance_of(replace(totals, "total", list(as.matrix(share))), a, b))
  }
  several <- ifelse(totals$size > 1, totals$share, 0)
  pairs <- which(lower.tri(diag(ncol(at)), diag = TRUE), arr.ind = TRUE)
  sums <- lapply(seq_len(nrow(pairs)), function(pair) {
    a <- at[, pairs[pair, 1]]
    b <- at[, pairs[pair, 2]]
    list(all = square(totals$share, a, b), others = square(several, a, b))
  })
  own <- lapply(sums[pairs[, 1] == pairs[, 2]], scale_of_others)
  all <- lapply(sums[pairs[, 1] == pairs[, 2]], `[[`, "all")
  scales <- lapply(seq_along(sums), function(pair) {
    i <- pairs[pair, 1]
    j <- pairs[pair, 2]
    scale <- scale_of_others(sums[[pair]])
    few <- is.infinite(scale) & sums[[pair]]$all < least_of_others * sqrt(all[[i]] * all[[j]])
    ifelse(few, sqrt(own[[i]] * own[[j]]), scale)
  })
  rlang::set_names(scales, paste(pairs[, 1], pairs[, 2]))
}

scale_of_others <- function(sums) {
  enough <- sums$others >= least_of_others * sums$all
  ifelse(sums$all > 0, ifelse(enough, sums$all / sums$others, Inf), 0)
}

# With less than this part of the sum of squared shares, the variance of a few images would be
# multiplied more than tenfold. All images that are alone are then compared across strata.
least_of_others <- 0.1

has_others <- function(scales) Reduce(`&`, lapply(scales, is.finite))

# Covariances of cells a[i] and b[i]. All of a differ from each other.
covariance_of <- function(totals, a, b) {
  other <- other_totals(totals, a, b)
  at <- match(totals$cell, a)
  inside <- !is.na(at)
  sum_by((totals$total * other)[inside, , drop = FALSE], at[inside], length(a))
}

# For each unit of a cell a[i], its total in cell b[i]; 0 where it has none.
other_totals <- function(totals, a, b) {
  if (identical(a, b)) {
    return(totals$total)
  }
  partner <- b[match(totals$cell, a)]
  other <- totals$total[match((partner - 1) * totals$n_units + totals$unit, totals$key), ,
    drop = FALSE
  ]
  replace(other, is.na(other), 0)
}

warn_alone <- function(design, cells, alone) {
  if (any(alone)) {
    labels <- unique(vapply(which(alone), \(i) label_of(design$groups[cells$group[i], ]), ""))
    warn_imagestrata(
      "Only one respondent rated in {length(labels)} group{?s}: {.val {labels}}. The standard error
       of such a mean cannot be estimated; {.field std.error} is missing.",
      "Recruit more respondents, or compare larger groups."
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
      "{.code shrink = TRUE} is for means of clusters, but {.arg by} does not name {.field
       cluster}.",
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
  # The place of a cell's mean in the fit of its measure.
  n_sides <- max(side)
  place <- ((cluster - 1) * n_sides + side)[cells$group]
  cells$estimate <- vapply(cells$cell, \(i) fits[[cells$measure[i]]]$mean[place[i]], 0)
  cells$df <- Inf
  covariance <- function(a, b) {
    value <- numeric(length(a))
    for (measure in unique(cells$measure[a])) {
      at <- cells$measure[a] == measure
      value[at] <- fits[[measure]]$vcov[cbind(place[a[at]], place[b[at]])]
    }
    value
  }
  list(
    cells = cells,
    variance = function(at, by = 1) {
      sums <- sums_of_cells(at, by)
      value <- 0
      for (i in seq_len(ncol(sums$at))) {
        for (j in seq_len(ncol(sums$at))) {
          value <- value + sums$by[, i] * sums$by[, j] * covariance(sums$at[, i], sums$at[, j])
        }
      }
      pmax(value, 0)
    },
    most_df = function(at) rep(Inf, nrow(at))
  )
}

# Means of sides in clusters, side by side within a cluster, and the covariances of their errors.
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
        hint = "It needs several clusters, images and ratings of each image; otherwise use {.code
                shrink = FALSE}.",
        call = call
      )
    }
  )
  deviation <- lme4::ranef(model, condVar = FALSE)$cluster
  # Indexed by cluster, because this measure may lack some of them.
  known <- as.integer(rownames(deviation))
  n_sides <- ncol(deviation)
  places <- as.vector(outer(seq_len(n_sides), (known - 1) * n_sides, "+"))
  n <- max(answers$cluster) * n_sides
  mean <- rep(NA_real_, n)
  mean[places] <- t(as.matrix(deviation)) + lme4::fixef(model)
  vcov <- matrix(NA_real_, n, n)
  vcov[places, places] <- errors_of_clusters(model, n_sides, length(known))
  list(mean = mean, vcov = vcov)
}

# Covariances of the errors of the clusters' predicted means, fixed and random part together: a
# block of the inverse of Henderson's mixed-model equations,
#   [X'X, X'ZL; L'Z'X, L'Z'ZL + I]^-1 times the residual variance,
# with L the relative covariance factor; lme4 has its Cholesky factor (Bates et al. 2015, sec. 3).
# The variance components are taken as known.
errors_of_clusters <- function(model, n_sides, n_clusters) {
  get <- function(name) lme4::getME(model, name)
  start <- get("Gp")[match("cluster", names(get("cnms")))]
  n <- n_sides * n_clusters
  random <- Matrix::sparseMatrix(
    start + seq_len(n), seq_len(n), x = 1, dims = c(nrow(get("Lambdat")), n)
  )
  fixed <- diag(n_sides)[, rep(seq_len(n_sides), n_clusters), drop = FALSE]
  factor <- get("L")
  solve <- function(x, system) Matrix::solve(factor, x, system = system)
  random <- as.matrix(solve(solve(get("Lambdat") %*% random, "P"), "L"))
  left <- forwardsolve(t(get("RX")), fixed - crossprod(get("RZX"), random))
  get("sigma")^2 * (crossprod(random) + crossprod(left))
}

# All ratings are equal: there is nothing to model.
fit_constant <- function(data) {
  n <- nlevels(data$side) * max(as.integer(as.character(data$cluster)))
  list(mean = rep(data$rating[1], n), vcov = matrix(0, n, n))
}
