# Three regressions, their corrected combination, and its variance.
#
# The influence of a unit (an author, a labelled image, or an author's posts of a labelled image) on
# a coefficient is its part in the difference between estimate and truth. The variance of a
# coefficient is
#
#   sum over authors of influence^2 - sum over authors of V(author) + V(all),
#
# where V is the variance due to the drawing of images for labelling: the first sum contains that of
# each author's own posts, as if images were drawn for each author anew, but posts share images.

# Regressions with weights: the coefficients `beta`; and for the influence the scores z * residual
# and the information crossprod(z * sqrt(weight)), in coordinates that `turn` leads back from. NULL
# if the coefficients are infinite.
regress_rows <- function(x, y, weight, family, call = rlang::caller_env()) {
  basis <- qr(x * sqrt(weight))
  kept <- basis$pivot[seq_len(basis$rank)]
  if (basis$rank < ncol(x)) {
    return(list(collinear = setdiff(colnames(x), colnames(x)[kept])))
  }
  turn <- matrix(0, ncol(x), ncol(x), dimnames = list(colnames(x), NULL))
  turn[kept, ] <- backsolve(qr.R(basis), diag(sqrt(sum(weight)), ncol(x)))
  z <- x %*% turn
  if (family == "linear") {
    gamma <- drop(crossprod(z, weight * y)) / sum(weight)
    fitted <- drop(z %*% gamma)
    spread <- rep(1, length(y))
  } else {
    fit <- fit_logit(z, weight, weight * y)
    if (is.null(fit) || length(fit$directions) > 0) {
      return(NULL)
    }
    gamma <- drop(fit$basis %*% fit$gamma)
    fitted <- stats::plogis(drop(z %*% gamma))
    spread <- fitted * (1 - fitted)
  }
  list(
    beta = drop(turn %*% gamma), z = z, turn = turn, residual = weight * (y - fitted),
    weight = weight * spread
  )
}

# The regressions of the `machine`'s decisions, of predictions for all rows (`all`), and of labels
# (`people`) and predictions (`same`) for the sample, weighted by the images that one stands for.
fit_methods <- function(rows, plan, family, call = rlang::caller_env()) {
  one <- rep(1, length(rows$image))
  place <- match(rows$image[rows$sampled], plan$at)
  a <- plan$a[place]
  s <- rows$sampled
  people <- regress_rows(rows$y, rows$out_y, a, family)
  check_regression(people, rows, family, call)
  fits <- list(
    place = place, people = people,
    machine = regress_rows(rows$machine, rows$out_machine, one, family),
    all = regress_rows(rows$f, rows$out_f, one, family),
    same = regress_rows(rows$f[s, , drop = FALSE], rows$out_f[s], a, family)
  )
  fine <- vapply(fits[c("machine", "all", "same")], \(fit) !is.null(fit$beta), NA)
  if (!all(fine)) {
    warn_imagestrata(
      "The regression of the predictions has no finite estimates, because they are all alike or
       separate the groups: the corrected coefficients are those of the sample.",
      if (!fine[1]) "Coefficients of the machine are missing."
    )
  }
  fits
}

check_regression <- function(fit, rows, family, call) {
  if (length(fit$collinear) > 0) {
    abort_imagestrata(
      "{.arg formula} has terms that others determine among the labelled images: {.code
       {fit$collinear}}.",
      hint = "Leave {cli::qty(length(fit$collinear))}{?it/them} out, or put small groups together.",
      call = call
    )
  }
  if (is.null(fit)) {
    abort_imagestrata(
      "The coefficients are infinite, because the covariates separate the labelled images with the
       outcome from those without it: {sum(rows$out_y == 1)} of {length(rows$out_y)} rows have it.",
      hint = "Put small groups together, label more images, or use {.code family = \"linear\"}.",
      call = call
    )
  }
  if (length(unique(rows$author[rows$sampled])) < 2) {
    abort_imagestrata(
      "All labelled images were posted by {.val {rows$author[rows$sampled][1]}}, and nothing is
       known of differences between authors.",
      call = call
    )
  }
}

# The coefficients of the three methods: `estimate`, `std.error`, `df`, `lambda`.
correct_fits <- function(fits, rows, plan, lambda) {
  parts <- influences(fits, rows, plan)
  k <- length(fits$people$beta)
  known <- !is.null(fits$all$beta) && !is.null(fits$same$beta)
  chosen <- if (!known) numeric(k) else if (is.null(lambda)) parts$best else rep(lambda, k)
  empty <- tibble::tibble(
    estimate = rep(NA_real_, k), std.error = NA_real_, df = NA_real_, lambda = NA_real_
  )
  machine <- empty
  if (!is.null(fits$machine$beta)) {
    sandwich <- author_sandwich(
      fits$machine$z, fits$machine$residual, fits$machine$weight, rows$author
    )
    machine$estimate <- fits$machine$beta
    machine[c("std.error", "df")] <- contrast_errors(sandwich, fits$machine$turn)[1:2]
  }
  row <- function(lambda, tuned) {
    estimate <- fits$people$beta
    if (known) estimate <- estimate + lambda * (fits$all$beta - fits$same$beta)
    error <- sqrt(corrected_variance(parts, plan, lambda, tuned))
    tibble::tibble(
      estimate = estimate, std.error = ifelse(is.na(parts$df), NA, error), df = parts$df,
      lambda = lambda
    )
  }
  sample <- row(numeric(k), FALSE)
  sample$lambda <- NA_real_
  list(machine = machine, sample = sample, corrected = row(chosen, known && is.null(lambda)))
}

# ---- Influences --------------------------------------------------------------------------------

# The influences, rows by unit and columns by coefficient, of people's labels (`people`) and of the
# predictions (`same`, of the sample, less `all`): `authors`, `images` (all labelled ones), `pairs`
# (of an author and a labelled image); the degrees of freedom, and the `best` lambda.
influences <- function(fits, rows, plan) {
  author <- match(rows$author, unique(rows$author))
  of_sample <- author[rows$sampled]
  pair <- vctrs::vec_group_id(vctrs::new_data_frame(list(of_sample, fits$place)))
  first <- !duplicated(pair)
  n_authors <- max(author)
  n_images <- length(plan$at)
  none <- \(n) matrix(0, n, length(fits$people$beta))
  by_author <- function(fit, author) {
    sandwich <- author_sandwich(fit$z, fit$residual, fit$weight, author)
    spread_rows(sandwich$influence %*% t(fit$turn), unique(author), n_authors)
  }
  by_image <- \(fit) spread_rows(jackknife(fit, fits$place), unique(fits$place), n_images)
  by_pair <- \(fit) rowsum(influence_of_rows(fit), pair, reorder = FALSE)
  known <- !is.null(fits$all$beta) && !is.null(fits$same$beta)
  found <- list(
    author = of_sample[first], image = fits$place[first],
    people = list(
      authors = by_author(fits$people, of_sample), images = by_image(fits$people),
      pairs = by_pair(fits$people)
    ),
    machine = if (known) {
      list(
        authors = by_author(fits$same, of_sample) - by_author(fits$all, author),
        images = by_image(fits$same), pairs = by_pair(fits$same)
      )
    } else {
      list(authors = none(n_authors), images = none(n_images), pairs = none(sum(first)))
    }
  )
  own <- deviations(plan, found$people$images)
  other <- deviations(plan, found$machine$images)
  square <- colSums(plan_factors(plan) * other^2)
  best <- colSums(plan_factors(plan) * own * other) / square
  found$best <- pmin(pmax(ifelse(square > 0, best, 0), 0), 1)
  found$df <- df_of_influences(fits, of_sample)
  found
}

# Satterthwaite's degrees of freedom, of authors or of images, whichever are fewer; missing if a
# coefficient rests on one author.
df_of_influences <- function(fits, author) {
  df_by <- function(unit) {
    people <- fits$people
    sandwich <- author_sandwich(people$z, people$residual, people$weight, unit)
    contrast_errors(sandwich, people$turn)$df
  }
  pmin(df_by(author), df_by(fits$place))
}

# Rows of a matrix at their places among n units; others are 0.
spread_rows <- function(x, place, n) {
  all <- matrix(0, n, ncol(x))
  all[place, ] <- x
  all
}

influence_of_rows <- function(fit) {
  root <- chol(crossprod(fit$z * sqrt(fit$weight)))
  (fit$z * fit$residual) %*% chol2inv(root) %*% t(fit$turn)
}

# How much the coefficients change without a unit: (information without it)^-1 times its scores,
# exact for least squares, one step for logistic regression.
jackknife <- function(fit, unit) {
  k <- ncol(fit$z)
  unit <- match(unit, unique(unit))
  information <- crossprod(fit$z * sqrt(fit$weight))
  scores <- rowsum(fit$z * fit$residual, unit, reorder = FALSE)
  pairs <- expand.grid(seq_len(k), seq_len(k))
  own <- rowsum(fit$z[, pairs[[1]]] * fit$z[, pairs[[2]]] * fit$weight, unit, reorder = FALSE)
  without <- vapply(seq_len(nrow(scores)), function(i) {
    left <- information - matrix(own[i, ], k)
    # A unit that alone determines a coefficient: as if it did not.
    drop(if (rcond(left) > 1e-12) solve(left, scores[i, ]) else solve(information, scores[i, ]))
  }, numeric(k))
  t(fit$turn %*% matrix(without, k))
}

# ---- Variance ----------------------------------------------------------------------------------

plan_factors <- function(plan) ifelse(is.na(plan$k), 0, plan$k)

# Of each labelled image and coefficient, the difference from the mean of its stratum.
deviations <- function(plan, influence) {
  apply(influence / plan$a, 2, \(scores) centre_scores(plan, scores))
}

corrected_variance <- function(parts, plan, lambda, tuned) {
  of <- function(unit) {
    parts$people[[unit]] - rep(lambda, each = nrow(parts$people[[unit]])) * parts$machine[[unit]]
  }
  k <- plan_factors(plan)
  left <- deviations(plan, of("images"))
  drawn <- colSums(k * left^2)
  between <- colSums(of("authors")^2) - variance_in_pairs(parts, plan, of("pairs"))
  variance <- pmax(between + drawn, drawn)
  if (tuned) {
    # Lambda fits the labelled images better than others, as in a regression (HC3).
    other <- deviations(plan, parts$machine$images)
    leverage <- k * other^2 / rep(colSums(k * other^2), each = nrow(other))
    leverage[, lambda <= 0 | lambda >= 1] <- 0
    ratio <- colSums(k * (left / (1 - pmin(leverage, 0.9)))^2) / drawn
    variance <- variance * ifelse(is.finite(ratio), ratio, 1)
  }
  variance
}

# The sum over authors of the variance due to the drawing of images: for each author and stratum,
# with v for influence / a and m labelled images, that of sum(k a^2 (v - sum(v) / m)^2).
variance_in_pairs <- function(parts, plan, influence) {
  image <- parts$image
  factor <- plan_factors(plan) * plan$a^2
  group <- ifelse(is.na(plan$own), -seq_along(plan$own), plan$own)
  group <- match(group, unique(group))
  m <- tabulate(group)
  whole <- sum_by(factor, group, max(group))
  v <- influence / plan$a[image]
  key <- vctrs::vec_group_id(vctrs::new_data_frame(list(parts$author, group[image])))
  of <- group[image][!duplicated(key)]
  sums <- rowsum(v, key, reorder = FALSE)
  weighted <- rowsum(factor[image] * v, key, reorder = FALSE)
  alone <- m[of] == 1
  mean <- ifelse(alone, 0, 1 / m[of]) * sums
  colSums(factor[image] * v^2) - colSums(2 * mean * weighted) + colSums(whole[of] * mean^2)
}
