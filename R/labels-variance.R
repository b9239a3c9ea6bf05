# Design-based estimates of shares and means, with and without the help of predictions.
#
# The sample is stratified: n of the N images of a stratum, drawn at random. For a value z, the
# score of image i is u_i = w_i (z_i - mean) / sum(a w), with a = N / n and the weight w of the
# image in the cell. The variance of a mean is sum(k_i c_i^2), where c_i is a_i times the
# difference between u_i and its mean in the stratum, and k = (1 - n / N) n / (n - 1). Strata with
# one labelled image are collapsed: the mean is that of several of them.
#
# The corrected estimate is the difference estimator: the mean of the labels plus lambda times (the
# mean prediction of all images - that of the labelled ones). Its lambda minimises the variance over
# all strata (Angelopoulos, Duchi and Zrnic 2023, for a stratified sample), between 0 and 1.

# How the labelled images of one code were drawn: their places `at` among the images and, for each
# of them, its `stratum`, `a`, `fraction` (n / N), the `group` of images that it is compared with,
# the one that it is `own` part of (NA for an image without others in its stratum, which is
# compared with another stratum), and the factor `k` of its squared deviation. `df` has the degrees
# of freedom of each group, `n_merged` is the number of strata without labels, which others
# represent, and `n_single` that of strata with one labelled image.
plan_labelled <- function(observed, targets) {
  size <- as.double(observed$strata$N_h)
  at <- which(!is.na(targets[[1]]$y))
  stratum <- observed$images$stratum[at]
  n <- tabulate(stratum, length(size))
  # A stratum without labels is represented by the one with labels that is nearest in size.
  empty <- which(n == 0)
  labelled <- which(n > 0)
  total <- size
  for (one in empty) {
    near <- labelled[nearest_size(size[labelled], size[one])]
    total[near] <- total[near] + size[one]
  }
  fraction <- (n / total)[stratum]
  many <- as.double(n[stratum])
  plan <- list(
    at = at, stratum = stratum, a = (total / pmax(n, 1))[stratum], fraction = fraction,
    group = stratum, own = stratum, k = (1 - fraction) * many / pmax(many - 1, 1),
    df = pmax(n - 1, 0), n_merged = length(empty)
  )
  singles <- which(n[stratum] == 1 & fraction < 1)
  plan$n_single <- length(singles)
  if (length(singles) == 1) {
    plan$own[singles] <- NA
    others <- which(n > 1)
    if (length(others) > 0) {
      plan$group[singles] <- others[nearest_size(size[others], size[stratum[singles]])]
      plan$k[singles] <- 1 - fraction[singles]
    } else {
      plan$k[singles] <- NA
    }
  } else if (length(singles) > 1) {
    plan <- collapse_strata(plan, singles, similar_strata(observed, targets, size))
  }
  plan
}

nearest_size <- function(sizes, size) which.min(abs(log(sizes / size)))

# Strata with one labelled image are collapsed in pairs, similar ones together; the last three if
# their number is odd.
collapse_strata <- function(plan, singles, similar) {
  stratum <- plan$stratum[singles]
  ordered <- singles[order(similar[stratum], stratum)]
  pair <- pmin((seq_along(ordered) + 1) %/% 2, length(ordered) %/% 2)
  first <- plan$stratum[ordered[2 * pair - 1]]
  count <- tabulate(pair)[pair]
  plan$group[ordered] <- plan$own[ordered] <- first
  plan$k[ordered] <- (1 - plan$fraction[ordered]) * count / (count - 1)
  plan$df[first] <- count - 1
  plan
}

# The order of strata that are collapsed. It must not depend on labels: it is that of the mean
# predictions of the strata, or else of their sizes.
similar_strata <- function(observed, targets, size) {
  sums <- vapply(targets, \(one) if (is_predicted(one)) sum(one$f, na.rm = TRUE) else -1, 0)
  found <- targets[[which.max(sums)]]
  if (!observed$placed || !observed$whole || !is_predicted(found)) {
    return(size)
  }
  of <- observed$images$stratum
  round(sum_by(fill_predictions(found$f), of, length(size)) / tabulate(of, length(size)), 10)
}

# Differences between scores and their mean in the group, times a.
centre_scores <- function(plan, scores) {
  inside <- !is.na(plan$own)
  total <- sum_by(scores[inside], plan$own[inside], length(plan$df))
  n <- pmax(tabulate(plan$own[inside], length(plan$df)), 1)
  plan$a * (scores - (total / n)[plan$group])
}

# Lambda for all answers of a code, between 0 and 1, and how much each labelled image influences it
# (`leverage`, by target).
tune_lambda <- function(plan, targets, w) {
  w <- w[plan$at]
  weight <- plan$a * w
  total <- sum(weight)
  k <- ifelse(is.na(plan$k), 0, plan$k)
  product <- square <- 0
  leverage <- lapply(targets, \(target) numeric(length(plan$at)))
  none <- leverage
  for (i in seq_along(targets)) {
    target <- targets[[i]]
    if (!is_predicted(target) || total == 0) next
    y <- target$y[plan$at]
    f <- fill_predictions(target$f)[plan$at]
    dy <- centre_scores(plan, w * (y - sum(weight * y) / total) / total)
    df <- centre_scores(plan, w * (f - sum(weight * f) / total) / total)
    product <- product + sum(k * dy * df)
    square <- square + sum(k * df^2)
    leverage[[i]] <- k * df^2
  }
  if (square <= 1e-24 || product <= 0) {
    return(list(value = 0, leverage = none))
  }
  value <- product / square
  if (value >= 1) {
    return(list(value = 1, leverage = none))
  }
  list(value = value, leverage = lapply(leverage, \(own) own / square))
}

# The mean of the labels in a cell, or with `lambda` the corrected one: `estimate`, `variance`,
# `df`, the `effective` number of units that the weights are worth (labelled images or, if authors
# are drawn, authors), that of `images`, and the limits `low` and `high` that labels exclude.
mean_of_labels <- function(plan, target, w, lambda = 0, leverage = 0, whole = TRUE) {
  of <- w[plan$at]
  weight <- plan$a * of
  total <- sum(weight)
  if (total <= 0) {
    return(no_mean())
  }
  y <- target$y[plan$at]
  estimate <- sum(weight * y) / total
  error <- y - estimate
  if (lambda > 0) {
    f <- fill_predictions(target$f)
    of_labelled <- sum(weight * f[plan$at]) / total
    estimate <- estimate + lambda * (sum(w * f) / sum(w) - of_labelled)
    error <- error - lambda * (f[plan$at] - of_labelled)
  }
  # Lambda fits the labelled images better than others, as in a regression (HC3).
  deviation <- centre_scores(plan, of * error / total) / (1 - pmin(leverage, 0.9))
  parts <- sum_by(plan$k * deviation^2, plan$group, length(plan$df))
  variance <- sum(parts)
  if (sum(weight > 0) == 1 && plan$fraction[weight > 0] < 1) {
    variance <- NA_real_ # one image does not tell how images differ
  }
  # Satterthwaite's, corrected for the variance of the variances.
  df <- variance^2 / sum(parts^2 / (plan$df + 2)) - 2
  spread <- sum(weight^2 * (1 - plan$fraction))
  mean <- list(
    estimate = estimate, variance = variance, df = if (is.finite(df)) max(df, 1) else NA_real_,
    effective = if (spread > 0) total^2 / spread else Inf, low = -Inf, high = Inf
  )
  mean$images <- mean$effective
  if (target$kind != "scale") mean$uniform <- uniform_strata(plan, weight, y)
  if (target$kind != "scale" && whole) {
    mean$low <- sum(of * y) / sum(w)
    mean$high <- 1 - sum(of * (1 - y)) / sum(w)
    mean$estimate <- min(max(estimate, mean$low), mean$high)
  }
  mean
}

# The strata whose labels are all the same: the `share` of the images that they stand for, without
# the labelled ones, and the number of `images` that their weights are worth. That labels do not
# differ does not mean that images do not.
uniform_strata <- function(plan, weight, y) {
  n <- length(plan$df)
  all <- sum_by(weight, plan$group, n)
  ones <- sum_by(weight * y, plan$group, n)
  unseen <- sum_by(weight * (1 - plan$fraction), plan$group, n)
  same <- unseen > 0 & (ones == 0 | ones == all)
  list(
    share = unseen[same] / sum(all),
    images = all[same]^2 / sum_by(weight^2, plan$group, n)[same]
  )
}

no_mean <- function() {
  list(
    estimate = NA_real_, variance = NA_real_, df = NA_real_, effective = 0, images = 0,
    low = -Inf, high = Inf
  )
}

# The mean of the machine's labels, as if they were a random sample of correct ones.
mean_of_machine <- function(target, w) {
  known <- !is.na(target$decided) & w > 0
  w <- w[known]
  value <- target$decided[known]
  total <- sum(w)
  if (total <= 0) {
    return(no_mean())
  }
  estimate <- sum(w * value) / total
  list(
    estimate = estimate, variance = sum(w^2 * (value - estimate)^2) / total^2,
    df = max(length(value) - 1, 1), effective = total^2 / sum(w^2), images = total^2 / sum(w^2),
    low = -Inf, high = Inf
  )
}

# Limits of an interval; see the help page of label_shares().
limits_of_labels <- function(mean, kind, conf_level) {
  p <- mean$estimate
  if (is.na(p) || is.na(mean$effective)) {
    return(c(NA_real_, NA_real_))
  }
  if (is.infinite(mean$effective)) { # every image is labelled
    return(c(p, p))
  }
  half <- half_width(mean, conf_level)
  if (kind == "scale") {
    if (half %in% 0) half <- NA_real_
    return(c(p - half, p + half))
  }
  limits_of_share(mean, half, (1 - conf_level) / 2)
}

# Half of the symmetric interval, missing if the variance or the degrees of freedom are unknown.
half_width <- function(mean, conf_level) {
  if (mean$variance %in% 0) {
    return(0)
  }
  stats::qt((1 + conf_level) / 2, mean$df) * sqrt(mean$variance)
}

# Limits of a share: those on the logit scale, no wider than the exact ones of so many labels.
limits_of_share <- function(mean, half, tail) {
  p <- mean$estimate
  n <- mean$effective
  low <- if (p > 0) stats::qbeta(tail, n * p, n * (1 - p) + 1) else 0
  high <- if (p < 1) stats::qbeta(tail, n * p + 1, n * (1 - p), lower.tail = FALSE) else 1
  if (p > 0 && p < 1 && !is.na(half)) {
    width <- half / (p * (1 - p))
    low <- max(low, stats::plogis(stats::qlogis(p) - width))
    high <- min(high, stats::plogis(stats::qlogis(p) + width))
  }
  # At least as wide as the exact interval of errors (or exceptions) if no label shows one, among
  # all images or in one stratum.
  exact <- c(1, mean$uniform$share) * (1 - tail^(1 / c(mean$images, mean$uniform$images)))
  least <- max(exact) / 2
  low <- min(low, p - least)
  high <- max(high, p + least)
  c(max(low, mean$low, 0), min(high, mean$high, 1))
}
