# Measures of predictions as ratios of weighted totals over images, and their design variance.
#
# A measure is sum(w * a) / sum(w * b) over the labelled images. Its linearised scores are
# u = w * (a - ratio * b) / sum(w * b), whose variance is that of a stratified sample without
# replacement. It is too small where few images differ from the rest, and 0 where none does.
# Intervals therefore add two half images with the mean weight, one with the property and one
# without, to ratio and variance; ratio * (1 - ratio) / variance is the effective number of images,
# which Wilson's interval takes.

# Labelled images that are a simple random sample of very many: a plan as plan_labelled() makes it.
plan_of_alone <- function(n) {
  list(
    at = seq_len(n), stratum = rep(1L, n), a = rep(1, n), fraction = numeric(n),
    group = rep(1L, n), own = rep(1L, n), k = rep(n / max(n - 1, 1), n), df = n - 1
  )
}

# The variance of a total of the labelled images, weighted.
variance_of_scores <- function(plan, scores) {
  k <- ifelse(is.na(plan$k), 0, plan$k)
  sum(k * centre_scores(plan, scores)^2)
}

# Labelled images less the groups of strata that they are compared in.
df_of_plan <- function(plan, most = Inf) {
  inside <- !is.na(plan$own)
  max(min(sum(inside) - length(unique(plan$own[inside])), most), 1)
}

# The ratio of two totals, a share: `row`, a table of one row, and `smooth`, the scores with the
# half images, before weights.
ratio_of <- function(a, b, plan) {
  w <- plan$a
  whole <- sum(w * b)
  n <- sum(b > 0)
  if (n == 0) {
    return(list(row = score_row(n = 0L), smooth = rep(NA_real_, length(w))))
  }
  share <- sum(w * a) / whole
  weight <- sum(w^2 * b^2) / whole
  middle <- (sum(w * a) + weight / 2) / (whole + weight)
  smooth <- (a - middle * b) / whole
  rest <- sum((1 - plan$fraction) * w^2 * b^2) / sum(w^2 * b^2)
  added <- rest * (weight / whole)^2 * (middle^2 + (1 - middle)^2) / 2
  spread <- variance_of_scores(plan, smooth) + added
  row <- score_row(
    share, sqrt(variance_of_scores(plan, (a - share * b) / whole)), df_of_plan(plan), n,
    middle * (1 - middle) / spread, added, share
  )
  list(row = row, smooth = smooth)
}

# The mean of numbers, which may be negative: no half images are added.
mean_of_scores <- function(a, within, plan) {
  w <- plan$a * within
  n <- sum(within)
  if (n == 0) {
    return(list(row = score_row(n = 0L), smooth = rep(NA_real_, length(w))))
  }
  mean <- sum(w * a) / sum(w)
  scores <- within * (a - mean) / sum(w)
  row <- score_row(mean, sqrt(variance_of_scores(plan, scores)), df_of_plan(plan, n - 1), n)
  list(row = row, smooth = scores)
}

# `share` is what Wilson's interval is of: of F1, the Jaccard coefficient.
score_row <- function(estimate = NA_real_, std.error = NA_real_, df = NA_real_, n = 0, # nolint
                      effective = NA_real_, added = 0, share = NA_real_) {
  tibble::tibble(
    estimate = estimate, std.error = std.error, df = df, n = as.integer(n), effective = effective,
    added = added, share = share
  )
}

# F1 is 2 J / (1 + J) for the Jaccard coefficient J, a share.
f1_of <- function(jaccard) {
  row <- jaccard$row
  slope <- 2 / (1 + row$share)^2
  row$estimate <- 2 * row$share / (1 + row$share)
  row$std.error <- slope * row$std.error
  row$added <- slope^2 * row$added
  list(row = row, smooth = slope * jaccard$smooth)
}

# Wilson's interval of shares with an effective number of images, and a quantile of the t
# distribution in place of the normal one. All images labelled: no width.
wilson_interval <- function(share, n, t) {
  middle <- (share + t^2 / (2 * n)) / (1 + t^2 / n)
  half <- t / (1 + t^2 / n) * sqrt(share * (1 - share) / n + t^2 / (4 * n^2))
  low <- pmax(middle - half, 0)
  high <- pmin(middle + half, 1)
  list(low = ifelse(share == 0, 0, low), high = ifelse(share == 1, 1, high))
}
