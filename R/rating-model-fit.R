# Weighted least squares of ratings, and the variance of its coefficients.
#
# Everything is in coordinates `z` = x %*% turn in which the weighted crossproduct is the identity
# matrix, so that the results do not depend on how the covariates are coded. The coefficients are
# turn %*% gamma; a contrast (a row of L, on the coefficients) is t(turn) %*% L there. The score of
# an answer is u = weight * residual * z, and the weights of a measure add up to one.
#
# "respondent": V is N / (N - 1) times the sum of squares of the respondents' sums of scores, that
# of survey::svyglm(). "image": the same for images within strata. "two-way" adds to the latter the
# covariance of a respondent's answers to different images; see ratings-variance.R, of which this is
# the generalisation.

fit_design_models <- function(model) {
  lapply(model$which, fit_design, model = model)
}

# The regression of the measure with this number.
fit_design <- function(measure, model) {
  answers <- model$answers
  rows <- which(answers$measure == measure & answers$weight > 0)
  weight <- answers$weight[rows] / sum(answers$weight[rows])
  x <- model$x[answers$row[rows], , drop = FALSE]
  basis <- turned_basis(x, weight)
  fit <- list(
    rows = rows, weight = weight, turn = basis$turn, lost = basis$lost, qr = basis$qr
  )
  rank <- ncol(fit$turn)
  if (length(rows) <= rank) {
    fit$refused <- paste0(
      count_of(length(rows), "rating"), ", no more than the ", count_of(rank, "coefficient")
    )
    return(fit)
  }
  z <- x %*% fit$turn
  rating <- answers$rating[rows]
  fit$gamma <- drop(crossprod(z, weight * rating))
  residual <- rating - drop(z %*% fit$gamma)
  # What is left by rounding would pass for a standard error.
  fit$residual <- ifelse(abs(residual) < 1e-11 * max(abs(rating), 1), 0, residual)
  fit$inner <- variance_of_fit(model, fit, z)
  fit
}

# `turn`, so that x %*% turn is orthonormal by weight; `lost` says why a column of x has no
# coefficient. Of collinear columns, the later ones are lost.
turned_basis <- function(x, weight) {
  basis <- qr(x * sqrt(weight))
  kept <- basis$pivot[seq_len(basis$rank)]
  turn <- matrix(0, ncol(x), basis$rank, dimnames = list(colnames(x), NULL))
  turn[kept, ] <- backsolve(qr.R(basis), diag(1, ncol(x)), basis$rank)[, seq_len(basis$rank)]
  lost <- ifelse(seq_len(ncol(x)) %in% kept, NA, "collinear")
  lost[!is.na(lost) & colSums(x != 0) == 0] <- "no rating"
  list(turn = turn, lost = lost, qr = basis)
}

coefficient_estimates <- function(fit) {
  estimate <- drop(fit$turn %*% fit$gamma)
  replace(estimate, !is.na(fit$lost), NA)
}

# Scores of answers, and their sums by respondent and by image. Those of images are distances from
# the mean of their stratum, for each cell of weights (a group) by itself, as in ratings-variance.R.
# For each answer `several` says whether its cell has other images of its stratum. `stratum` is a
# stratum in a cell, and `in_strata` has the images of each and their numbers. `across`: the sums of
# images if those that are alone in their stratum are compared across strata, see
# compare_residuals().
scores_of_fit <- function(model, fit, z) {
  answers <- lapply(
    model$answers[c("respondent", "image", "stratum", "row", "cell")], \(x) x[fit$rows]
  )
  scores <- fit$weight * fit$residual * z
  if (model$variance == "two-way") {
    scores <- fit$weight * fit$residual * spread_by_leverage(z, fit$weight, answers)
  }
  stratum <- pair_up(answers$cell, answers$stratum %||% rep(1L, nrow(z)))
  unit <- pair_up(answers$cell, answers$image)
  first <- match(seq_len(max(unit)), unit)
  place <- stratum[first]
  size <- tabulate(place)
  of_unit <- sum_by(scores, unit, max(unit))
  centre <- sum_by(of_unit, place, length(size)) / size
  inflate <- sqrt(ifelse(size > 1, size / (size - 1), 0))
  image <- answers$image[first]
  ids <- unique(image)
  of_images <- function(x) sum_by(x, match(image, ids), length(ids))
  distances <- (of_unit - centre[place, , drop = FALSE]) * inflate[place]
  alone <- size[place] == 1
  single <- compare_residuals(fit, z, unit, image, alone)
  list(
    answers = scores,
    respondents = sum_by(scores, answers$respondent, model$n_respondents),
    images = of_images(distances),
    across = of_images(distances + alone * (of_unit + single$effects * single$moved)),
    single = single, image = ids, row = answers$row, respondent = answers$respondent, unit = unit,
    several = size[stratum] > 1, stratum = stratum,
    in_strata = list(image = image, stratum = place, size = size)
  )
}

# Images that are alone in their stratum, compared across strata. A unit is an image in a cell, with
# the weight w, the effect e = sum(w z) of its answers and their mean row of z, which is x. If units
# vary independently with equal variances, and H = x e', the mean residuals r of units have the
# covariances (I - H)(I - H)'. Those of an image are multiplied by the inverse root of its block of
# this matrix (CR2 by image), so that the squared sums of e r have the variance of the estimates.
# For means this is 1 / sqrt(1 - 2 s + q), see compare_across() in ratings-variance.R. Directions in
# which an image determines the model have no residual, and are `lost`. `moved` is how much r
# changes.
compare_residuals <- function(fit, z, unit, image, alone) {
  n <- length(image)
  weight <- sum_by(fit$weight, unit, n)
  none <- matrix(0, ncol(z), ncol(z))
  found <- list(
    alone = alone, effects = sum_by(fit$weight * z, unit, n), moved = numeric(n), lost = none,
    lost_answers = none, blocks = list()
  )
  residual <- sum_by(fit$weight * fit$residual, unit, n) / weight
  found$place <- found$effects / weight
  found$spread <- crossprod(found$effects)
  n_answers <- tabulate(unit, n)
  for (units in split(which(alone), image[alone])) {
    effects <- found$effects[units, , drop = FALSE]
    place <- found$place[units, , drop = FALSE]
    cross <- tcrossprod(place, effects)
    left <- diag(1, length(units)) - cross - t(cross) + place %*% found$spread %*% t(place)
    root <- eigen(symmetric(left), symmetric = TRUE)
    gone <- root$values < 1e-8
    by <- ifelse(gone, 0, 1 / sqrt(pmax(root$values, 1e-8)))
    block <- root$vectors %*% (by * t(root$vectors))
    found$blocks <- c(found$blocks, list(list(
      units = units, by = block, basis = root$vectors[, !gone, drop = FALSE]
    )))
    found$moved[units] <- drop(block %*% residual[units]) - residual[units]
    gone <- t(root$vectors[, gone, drop = FALSE])
    found$lost <- found$lost + crossprod(gone %*% effects)
    found$lost_answers <- found$lost_answers +
      crossprod(gone %*% (effects / sqrt(n_answers[units])))
  }
  found
}

# For each pair of strata with several images, `a` and `b`, the trace of the product of the matrices
# that centre their images, by (images - 1) of both: 1 / (images - 1) for a pair of the same stratum
# in one cell or in two cells with the same images, 0 for strata without a common image.
overlap_of_strata <- function(in_strata) {
  size <- in_strata$size
  known <- size[in_strata$stratum] > 1
  image <- in_strata$image[known]
  stratum <- in_strata$stratum[known]
  pairs <- merge(data.frame(image, a = stratum), data.frame(image, b = stratum))
  key <- (pairs$a - 1) * length(size) + pairs$b
  first <- !duplicated(key)
  both <- tabulate(match(key, key[first]), sum(first))
  a <- pairs$a[first]
  b <- pairs$b[first]
  n <- size[a]
  m <- size[b]
  list(a = a, b = b, trace = both * (1 - 1 / n - 1 / m + both / (n * m)) / ((n - 1) * (m - 1)))
}

# The rows of z, corrected for leverage: covariates fit respondents with extreme values too well, so
# that their residuals are too small. With Z, the rows sqrt(weight) * z of a respondent,
# (I - Z Z')^(-1/2) Z is Z (I - A)^(-1/2) of sandwich.R. The leverage that respondents have in their
# group's mean is taken out of it, since rating_means() has no such correction.
spread_by_leverage <- function(z, weight, answers) {
  root <- sqrt(weight)
  total <- sum_by(weight, answers$cell, max(answers$cell))
  own <- weight / total[answers$cell]
  for (rows in split(seq_along(weight), answers$respondent)) {
    part <- z[rows, , drop = FALSE] * root[rows]
    gram <- eigen(tcrossprod(part), symmetric = TRUE)
    rest <- 1 - gram$values
    by <- ifelse(rest < 1e-8, 0, 1 / sqrt(pmax(rest, 1e-8)))
    level <- sum(own[rows]) / length(unique(answers$cell[rows]))
    part <- gram$vectors %*% (by * crossprod(gram$vectors, part))
    z[rows, ] <- sqrt(max(1 - level, 0)) * part / root[rows]
  }
  z
}

# A list: `v`, the variance in the coordinates of z, and `ways`, see shared_directions().
variance_of_fit <- function(model, fit, z) {
  scores <- scores_of_fit(model, fit, z)
  drawn <- model$n_respondents / (model$n_respondents - 1)
  respondents <- drawn * crossprod(scores$respondents)
  if (model$variance == "respondent") {
    return(list(v = respondents))
  }
  ways <- shared_directions(fit, z, scores)
  v <- crossprod(images_by_ways(scores, ways))
  alike <- 0 * v
  if (model$variance == "two-way") {
    alike <- respondents - drawn * crossprod(scores$answers)
    v <- v + alike_in_respondents(alike, fit, z, scores)
  }
  v <- join_directions(v, alike, respondents, ways$known, ways$known)
  list(v = fill_empty(v, respondents), ways = ways)
}

# `v` in known directions, the variance by respondents in others, and between them the covariance of
# answers that is due to respondents.
join_directions <- function(v, alike, respondents, known, known_other) {
  rest <- diag(nrow(known)) - known
  rest_other <- diag(nrow(known_other)) - known_other
  known %*% v %*% t(known_other) + rest %*% respondents %*% t(rest_other) +
    known %*% alike %*% t(rest_other) + rest %*% alike %*% t(known_other)
}

images_by_ways <- function(scores, ways) {
  scores$images %*% t(ways$images) + scores$across %*% t(ways$across)
}

# Strata with a single image have no variance between images: they are given the average of the
# others, in proportion to what they contribute to `all`, the sum of squared weights, direction by
# direction. `images` is the map of the others' scores that does so. Directions in which too little
# of `all` is from the others are those of images that are compared `across` strata. If too little
# is from them, because single images determine the model, directions are not `known`.
shared_directions <- function(fit, z, scores) {
  effects <- fit$weight * z
  all <- crossprod(effects)
  part <- crossprod(effects[scores$several, , drop = FALSE])
  single <- crossprod(effects[!scores$several, , drop = FALSE]) - scores$single$lost_answers
  # As in rating_means(), ratings of an image by a group count together, unless they cancel.
  together <- scores$single$effects
  sums <- crossprod(together)
  left <- t(chol(all))
  inverse <- forwardsolve(left, diag(nrow(all)))
  if (min(eigen(symmetric(inverse %*% sums %*% t(inverse)), TRUE, TRUE)$values) > 0.1) {
    all <- sums
    alone <- scores$single$alone
    part <- crossprod(together[!alone, , drop = FALSE])
    single <- crossprod(together[alone, , drop = FALSE]) - scores$single$lost
    left <- t(chol(all))
    inverse <- forwardsolve(left, diag(nrow(all)))
  }
  shares <- eigen(symmetric(inverse %*% part %*% t(inverse)), symmetric = TRUE)
  known <- shares$values >= least_of_others
  rest <- t(shares$vectors[, !known, drop = FALSE]) %*% inverse
  others <- list(values = numeric(), vectors = diag(0, 0))
  if (!all(known)) {
    others <- eigen(symmetric(rest %*% (part + single) %*% t(rest)), symmetric = TRUE)
  }
  across <- others$values >= least_of_others
  basis <- cbind(
    shares$vectors[, known, drop = FALSE],
    shares$vectors[, !known, drop = FALSE] %*% others$vectors[, across, drop = FALSE]
  )
  to <- left %*% basis
  from <- t(basis) %*% inverse
  kinds <- rep(c(TRUE, FALSE), c(sum(known), sum(across)))
  stretch <- 1 / sqrt(c(shares$values[known], others$values[across]))
  list(
    images = to %*% (ifelse(kinds, stretch, 0) * from),
    across = to %*% (ifelse(kinds, 0, stretch) * from), known = to %*% from
  )
}

symmetric <- function(x) (x + t(x)) / 2

# The covariance of a respondent's answers to different images. It is not negative in directions in
# which a respondent's answers count with the same sign, such as differences between groups: there,
# differences in level between respondents add at least half of what they would if all signs were
# the same.
alike_in_respondents <- function(alike, fit, z, scores) {
  effects <- fit$weight * z
  spread <- crossprod(effects)
  level <- crossprod(rowsum(effects, scores$respondent, reorder = FALSE)) - spread
  left <- t(chol(spread))
  inverse <- forwardsolve(left, diag(nrow(spread)))
  signs <- eigen(symmetric(inverse %*% level %*% t(inverse)), symmetric = TRUE)
  by_way <- effects %*% t(inverse) %*% signs$vectors
  most <- colSums(rowsum(abs(by_way), scores$respondent, reorder = FALSE)^2) - colSums(by_way^2)
  same <- signs$values > 1e-10 & signs$values >= most / 2
  if (!any(same)) {
    return(alike)
  }
  from <- crossprod(signs$vectors, inverse)[same, , drop = FALSE]
  inside <- eigen(symmetric(from %*% alike %*% t(from)), symmetric = TRUE)
  lift <- inside$vectors %*% (pmax(-inside$values, 0) * t(inside$vectors))
  to <- left %*% signs$vectors[, same, drop = FALSE]
  alike + to %*% lift %*% t(to)
}

# Directions without any variance, or less than none, take that between respondents.
fill_empty <- function(v, respondents) {
  found <- eigen(symmetric(v), symmetric = TRUE)
  empty <- found$values <= 1e-10 * sum(diag(respondents)) / nrow(v)
  lacks <- found$vectors[, empty, drop = FALSE]
  found$vectors %*% (ifelse(empty, 0, found$values) * t(found$vectors)) +
    lacks %*% (t(lacks) %*% respondents %*% lacks) %*% t(lacks)
}

# ---- Contrasts -----------------------------------------------------------------------------------

# `estimate`, `std.error`, `df` and `reason` of linear combinations of the coefficients of measure
# `i`: the rows of `contrasts`.
estimate_combinations <- function(model, i, contrasts) {
  fit <- model$fits[[i]]
  n <- nrow(contrasts)
  table <- tibble::tibble(
    estimate = rep(NA_real_, n), std.error = NA_real_, df = NA_real_, reason = NA_character_
  )
  if (!is.null(fit$refused)) {
    table$reason <- rep(fit$refused, n)
    return(table)
  }
  fine <- is_estimable(fit, contrasts)
  table$reason[!fine] <- "not estimable"
  if (!any(fine)) {
    return(table)
  }
  at <- t(fit$turn) %*% t(contrasts[fine, , drop = FALSE])
  table$estimate[fine] <- drop(crossprod(at, fit$gamma))
  found <- if (model$method == "mixed") {
    errors_of_mixed(model, fit, contrasts[fine, , drop = FALSE])
  } else {
    errors_of_design(model, fit, at)
  }
  table$std.error[fine] <- found$std.error
  table$df[fine] <- found$df
  table$reason[fine] <- found$reason
  table
}

# A combination is estimable if it is one of rows of the model matrix.
is_estimable <- function(fit, contrasts) {
  if (all(is.na(fit$lost))) {
    return(rep(TRUE, nrow(contrasts)))
  }
  null <- null_space(fit)
  size <- sqrt(rowSums(contrasts^2))
  sqrt(rowSums((contrasts %*% null)^2)) <= 1e-8 * pmax(size, 1e-300)
}

# The directions of coefficients that the ratings of a measure do not determine.
null_space <- function(fit) {
  rank <- fit$qr$rank
  r <- qr.R(fit$qr)[seq_len(rank), , drop = FALSE]
  lost <- seq_len(ncol(r) - rank) + rank
  null <- matrix(0, ncol(r), length(lost))
  null[fit$qr$pivot, ] <- rbind(
    -backsolve(r[, seq_len(rank), drop = FALSE], r[, lost, drop = FALSE]),
    diag(1, length(lost))
  )
  qr.Q(qr(null))
}

errors_of_design <- function(model, fit, at) {
  z <- model$x[model$answers$row[fit$rows], , drop = FALSE] %*% fit$turn
  variance <- colSums(at * (fit$inner$v %*% at))
  alone <- who_determines(model, fit, z, at)
  df <- degrees_of_contrasts(model, fit, z, at)
  tibble::tibble(
    std.error = ifelse(is.na(alone), sqrt(pmax(variance, 0)), NA),
    df = ifelse(is.na(alone), df, NA),
    reason = ifelse(is.na(alone), NA, paste("rests on respondent", alone))
  )
}

# The respondent without whom a contrast (a column of `at`) cannot be estimated. That counts if more
# than 1% of its square is in that direction.
who_determines <- function(model, fit, z, at) {
  respondent <- model$answers$respondent[fit$rows]
  own <- z * sqrt(fit$weight)
  total <- sum_by(rowSums(own^2), respondent, model$n_respondents)
  found <- rep(NA_character_, ncol(at))
  for (r in rev(which(total > 1 - 1e-8))) {
    part <- own[respondent == r, , drop = FALSE]
    gram <- eigen(tcrossprod(part), symmetric = TRUE)
    full <- gram$values > 1 - 1e-8
    if (!any(full)) next
    directions <- crossprod(part, gram$vectors[, full, drop = FALSE])
    depends <- colSums(crossprod(directions, at)^2) > 0.01 * colSums(at^2)
    found[depends] <- as.character(model$ids$respondent[r])
  }
  found
}

# Satterthwaite's degrees of freedom: by respondents, by images within strata, or the smaller.
degrees_of_contrasts <- function(model, fit, z, at) {
  respondent <- model$answers$respondent[fit$rows]
  parts <- if (model$variance != "respondent") scores_of_fit(model, fit, z)
  pairs <- if (model$variance != "respondent") overlap_of_strata(parts$in_strata)
  spread <- crossprod(fit$weight * z)
  influences <- z %*% at
  vapply(seq_len(ncol(at)), function(j) {
    influence <- influences[, j]
    people <- min(
      degrees_of_respondents(fit, z, influence, respondent, spread), model$n_respondents - 1
    )
    if (model$variance == "respondent") {
      return(people)
    }
    own <- sum_by((fit$weight * influence)^2, parts$stratum, max(parts$stratum))
    all <- sum(own)
    own <- replace(own, setdiff(seq_along(own), pairs$a), 0)
    images <- if (sum(own) >= least_of_others * all) {
      sum(own)^2 / sum(pairs$trace * own[pairs$a] * own[pairs$b])
    } else {
      degrees_across(parts, (fit$weight * influence)^2, at[, j])
    }
    if (is.na(images)) {
      people
    } else if (model$variance == "image") {
      images
    } else {
      min(people, images)
    }
  }, 0)
}

# The sum of squares of respondents' scores is a quadratic form in the residuals. Its degrees of
# freedom follow from the mean and the variance that it has if answers are independent and equally
# variable (Bell and McCaffrey 2002).
degrees_of_respondents <- function(fit, z, influence, respondent, spread) {
  acts <- abs(influence) > 1e-10 * max(abs(influence))
  respondent <- match(respondent[acts], unique(respondent[acts]))
  moved <- (fit$weight * influence)[acts]
  n <- max(respondent)
  z <- z[acts, , drop = FALSE]
  v <- sum_by(moved * z, respondent, n)
  b <- sum_by(moved * fit$weight[acts] * z, respondent, n)
  d <- sum_by(moved^2, respondent, n)
  degrees_of_form(d, v, b, spread)
}

# Satterthwaite's degrees of freedom of images that are compared across strata, if they vary
# independently and equally; NA if single images determine the contrast. If the effects of answers
# (with the given squares) cancel within images, answers vary instead.
degrees_across <- function(scores, squares, at) {
  single <- scores$single
  own <- drop(single$effects %*% at)
  alone <- !scores$several
  if (sum(own^2) < 0.1 * sum(squares)) {
    kept <- sum(squares[alone]) - sum(at * (single$lost_answers %*% at))
    of_images <- rowsum(squares[alone], scores$in_strata$image[scores$unit[alone]])
    few <- kept < least_of_others * sum(squares)
    return(if (few) NA_real_ else sum(of_images)^2 / sum(of_images^2))
  }
  parts <- lapply(single$blocks, function(block) {
    moved <- own[block$units] %*% block$by
    list(
      moved = sum(moved^2), kept = sum((own[block$units] %*% block$basis)^2),
      v = moved %*% single$place[block$units, , drop = FALSE],
      b = moved %*% single$effects[block$units, , drop = FALSE]
    )
  })
  gather <- function(name) do.call(rbind, lapply(parts, `[[`, name))
  if (length(parts) == 0 || sum(gather("kept")) < least_of_others * sum(own^2)) {
    return(NA_real_)
  }
  degrees_of_form(drop(gather("moved")), gather("v"), gather("b"), single$spread)
}

# Those of the sum of squares of scores whose covariances are G = diag(d) - V B' - B V' + V S V';
# the trace of its square is found from the smaller of two equivalent matrices.
degrees_of_form <- function(d, v, b, spread) {
  n <- length(d)
  k <- ncol(v)
  own <- rowSums((v %*% spread) * v) - 2 * rowSums(v * b)
  squared <- if (n <= 2 * k) {
    cross <- tcrossprod(v, b)
    sum((diag(d, n) - cross - t(cross) + v %*% tcrossprod(spread, v))^2)
  } else {
    middle <- rbind(cbind(spread, -diag(k)), cbind(-diag(k), matrix(0, k, k)))
    inner <- middle %*% crossprod(cbind(v, b))
    sum(d^2) + 2 * sum(d * own) + sum(inner * t(inner))
  }
  (sum(d) + sum(own))^2 / squared
}

# ---- Tables --------------------------------------------------------------------------------------

coefficients_of <- function(model, i) {
  names <- colnames(model$x)
  fit <- model$fits[[i]]
  found <- estimate_combinations(model, i, diag(1, length(names)))
  lost <- if (is.null(fit$refused)) fit$lost
  found$reason[!is.na(lost)] <- lost[!is.na(lost)]
  # With collinear columns, the others are estimated as if the lost ones were not there.
  at <- which(is.na(lost) & found$reason %in% "not estimable")
  if (length(at) > 0) {
    own <- diag(1, length(names))[at, , drop = FALSE]
    found[at, ] <- estimate_kept(model, fit, own)
  }
  tibble::tibble(model$measures[rep(i, length(names)), 1:3], term = names, found)
}

# Coefficients of the columns that are kept, as lm() reports them.
estimate_kept <- function(model, fit, contrasts) {
  at <- t(fit$turn) %*% t(contrasts)
  errors <- if (model$method == "mixed") {
    errors_of_mixed(model, fit, contrasts)
  } else {
    errors_of_design(model, fit, at)
  }
  tibble::tibble(estimate = drop(crossprod(at, fit$gamma)), errors)
}

# Adds tests and intervals.
add_rating_tests <- function(table, conf_level, test = TRUE) {
  reason <- table$reason
  table$reason <- NULL
  if (test) {
    table$statistic <- ifelse(table$std.error > 0, table$estimate / table$std.error, NA)
    table$p.value <- 2 * stats::pt(-abs(table$statistic), table$df)
  }
  table <- add_interval(table, conf_level)
  table$reason <- reason
  table
}

# Joint tests of the coefficients of each term.
test_terms <- function(model) {
  labels <- attr(model$terms, "term.labels")
  parts <- lapply(seq_along(model$fits), function(i) {
    own <- model$coefficients[model$coefficients$level == model$measures$level[i] &
      model$coefficients$item == model$measures$item[i], ]
    fit <- model$fits[[i]]
    dplyr::bind_rows(lapply(seq_along(labels), function(term) {
      which <- which(model$assign == term & !is.na(own$estimate))
      test <- test_together(model, fit, own, which)
      tibble::tibble(model$measures[i, 1:3], term = labels[term], test)
    }))
  })
  dplyr::bind_rows(parts)
}

# Wald's test with Hotelling's correction: F = W (nu - q + 1) / (nu q) for q coefficients.
test_together <- function(model, fit, own, which) {
  q <- length(which)
  table <- tibble::tibble(
    statistic = NA_real_, df = q, df.residual = NA_real_, p.value = NA_real_
  )
  if (q == 0 || anyNA(own$std.error[which])) {
    return(table)
  }
  v <- covariance_of_fit(model, fit)[which, which, drop = FALSE]
  if (any(diag(v) <= 0) || rcond(stats::cov2cor(v)) < 1e-12) {
    return(table)
  }
  residual <- degrees_together(model, fit, own$df, which) - q + 1
  if (residual < 1 - 1e-9) {
    return(table)
  }
  b <- own$estimate[which]
  wald <- sum(b * solve(v, b))
  table$statistic <- wald * residual / ((residual + q - 1) * q)
  table$df.residual <- residual
  table$p.value <- stats::pf(table$statistic, q, residual, lower.tail = FALSE)
  table
}

# The degrees of freedom nu of the estimated covariance matrix of q coefficients, taken as Wishart:
# q (q + 1) over the sum of the variances of its elements, where its expectation is the identity
# matrix (Pustejovsky and Tipton 2018, eq. 18). Units contribute independent parts. For q = 1 they
# are the degrees of freedom of the coefficient.
degrees_together <- function(model, fit, df, which) {
  q <- length(which)
  if (model$method == "mixed" || q == 1) {
    return(min(df[which]))
  }
  z <- model$x[model$answers$row[fit$rows], , drop = FALSE] %*% fit$turn
  effects <- fit$weight * (z %*% t(fit$turn[which, , drop = FALSE]))
  whiten <- backsolve(chol(crossprod(effects)), diag(q))
  scaled <- effects %*% whiten
  parts <- scores_of_fit(model, fit, z)
  # The directions in which respondents are most and least unequal: unlike coefficients, they do not
  # depend on the reference levels of factors.
  turned <- eigen(crossprod_of_units(scaled, parts$respondent), symmetric = TRUE)$vectors
  contrasts <- t(fit$turn[which, , drop = FALSE]) %*% whiten %*% turned
  alone <- degrees_of_contrasts(replace(model, "variance", "respondent"), fit, z, contrasts)
  naive <- apply(scaled %*% turned, 2, function(one) {
    total <- sum_by(one^2, parts$respondent, model$n_respondents)
    sum(total)^2 / sum(total^2)
  })
  people <- q * (q + 1) / noise_of_units(scaled, parts$respondent) * min(alone / naive)
  if (model$variance == "respondent") {
    return(people)
  }
  share <- sum(scaled[parts$several, ]^2) / q
  if (share < least_of_others) {
    return(min(people, degrees_of_contrasts(model, fit, z, contrasts)))
  }
  images <- noise_of_strata(scaled, parts) / share^2
  if (model$variance == "image") {
    return(q * (q + 1) / images)
  }
  # The covariance of a respondent's answers varies by chance, too: as the products of different
  # answers do. It is added to the part of the images, so that both variances add up.
  pairs <- noise_of_units(scaled, parts$respondent) - 2 * sum(rowSums(scaled^2)^2)
  min(people, q * (q + 1) / (images + pairs))
}

# The sum of the squares of the units' parts of crossprod(effects).
crossprod_of_units <- function(effects, unit) {
  Reduce(`+`, lapply(split(seq_along(unit), unit), function(own) {
    part <- crossprod(effects[own, , drop = FALSE])
    part %*% part
  }))
}

# The sum of the variances of the elements of a sum of Wishart matrices, one for each unit.
noise_of_units <- function(effects, unit) {
  sum(vapply(split(seq_along(unit), unit), function(own) {
    part <- effects[own, , drop = FALSE]
    square <- if (length(own) < ncol(part)) tcrossprod(part) else crossprod(part)
    sum(part^2)^2 + sum(square^2)
  }, 0))
}

# The same for strata, which depend on each other if they are those of two cells.
noise_of_strata <- function(effects, parts) {
  pairs <- overlap_of_strata(parts$in_strata)
  rows <- split(seq_along(parts$stratum), parts$stratum)
  own <- lapply(rows, \(own) effects[own, , drop = FALSE])
  a <- match(pairs$a, names(rows))
  b <- match(pairs$b, names(rows))
  traces <- vapply(own, \(part) sum(part^2), 0)
  together <- mapply(\(a, b) sum(tcrossprod(own[[a]], own[[b]])^2), a, b)
  sum(pairs$trace * (traces[a] * traces[b] + together))
}

# The covariance matrix of the coefficients of a fit; those that are lost have none.
covariance_of_fit <- function(model, fit) {
  names <- colnames(model$x)
  if (!is.null(fit$refused)) {
    return(matrix(NA_real_, length(names), length(names), dimnames = list(names, names)))
  }
  v <- fit$turn %*% fit$inner$v %*% t(fit$turn)
  v[!is.na(fit$lost), ] <- NA
  v[, !is.na(fit$lost)] <- NA
  dimnames(v) <- list(names, names)
  v
}

# The covariance of the coefficients of two measures.
covariance_between <- function(model, i, j) {
  fits <- model$fits[c(i, j)]
  drawn <- model$n_respondents / (model$n_respondents - 1)
  scores <- lapply(fits, function(fit) {
    scores_of_fit(model, fit, model$x[model$answers$row[fit$rows], , drop = FALSE] %*% fit$turn)
  })
  respondents <- drawn * crossprod(scores[[1]]$respondents, scores[[2]]$respondents)
  v <- respondents
  if (model$variance != "respondent") {
    paired <- function(part, by) {
      common <- intersect(scores[[1]][[by]], scores[[2]][[by]])
      rows <- lapply(scores, \(one) one[[part]][match(common, one[[by]]), , drop = FALSE])
      crossprod(rows[[1]], rows[[2]])
    }
    ways <- lapply(fits, \(fit) fit$inner$ways)
    scores <- Map(\(one, way) replace(one, "ways", list(images_by_ways(one, way))), scores, ways)
    alike <- respondents - drawn * paired("answers", "row")
    if (model$variance == "image") alike <- 0 * alike
    v <- join_directions(
      paired("ways", "image") + alike, alike, respondents, ways[[1]]$known, ways[[2]]$known
    )
  }
  v <- fits[[1]]$turn %*% v %*% t(fits[[2]]$turn)
  v[!is.na(fits[[1]]$lost), ] <- NA
  v[, !is.na(fits[[2]]$lost)] <- NA
  v
}

# Warns of what is missing or rests on little.
tell_rating_fits <- function(model, call = rlang::caller_env()) {
  reason <- model$measures$reason
  refused <- !is.na(reason)
  table <- model$coefficients
  if (all(refused)) {
    abort_imagestrata(
      "No item can be modelled ({model$measures$item[1]}: {reason[1]}).",
      hint = "Use fewer covariates.",
      call = call
    )
  }
  if (any(refused)) {
    warn_imagestrata(
      "{sum(refused)} of {length(refused)} items and dimensions {cli::qty(sum(refused))}{?is/are}
       not modelled ({model$measures$item[refused][1]}: {reason[refused][1]}).",
      "Use fewer covariates."
    )
  }
  collinear <- unique(table$term[table$reason %in% "collinear"])
  if (length(collinear) > 0) {
    warn_imagestrata(
      "{length(collinear)} coefficient{?s} {?is/are} missing because other terms determine
       {cli::qty(length(collinear))}{?it/them}: {.field {collinear}}."
    )
  }
  unseen <- unique(table$term[table$reason %in% "no rating"])
  if (length(unseen) > 0) {
    warn_imagestrata(
      "{length(unseen)} coefficient{?s} {?is/are} missing because there are no ratings:
       {.field {unseen}}.",
      "Did a group not see these images, or not answer these items?"
    )
  }
  rests <- grepl("^rests on", table$reason)
  if (any(rests)) {
    warn_imagestrata(
      "{sum(rests)} of {nrow(table)} standard error{?s} {cli::qty(sum(rests))}{?is/are} missing
       (first {.field {table$term[rests][1]}} of {.val {table$item[rests][1]}}, which
       {table$reason[rests][1]}).",
      "Put small groups together, or use fewer covariates."
    )
  }
  flat <- table$std.error %in% 0
  if (any(flat)) {
    warn_imagestrata(
      "{sum(flat)} of {nrow(table)} standard error{?s} {cli::qty(sum(flat))}{?is/are} 0 (first
       {.field {table$term[flat][1]}} of {.val {table$item[flat][1]}}): the covariates determine the
       ratings exactly, and nothing can be tested.",
      "Is the file complete?"
    )
  }
  few <- which(table$df < 4 - 1e-6)
  if (length(few) > 0) {
    warn_imagestrata(
      "{length(few)} of {nrow(table)} coefficient{?s} {cli::qty(length(few))}{?rests/rest} on few
       respondents or images (first {.field {table$term[few[1]]}}, with
       {signif(table$df[few[1]], 2)} degrees of freedom): tests and intervals are not reliable.",
      "Put small groups together, or use fewer covariates."
    )
  }
}
