#' Estimate differences in the prevalence of topics between groups
#'
#' Compares the shares of posts, images or authors that show each topic between groups or periods,
#' with p values adjusted for their number.
#'
#' @inheritParams topic_prevalence
#' @param by Columns of `linked`, as in [topic_prevalence()]. The values of the first column are
#'   compared: with more than two, every pair. Further columns give separate comparisons:
#'   `c(party, month)` compares parties within each month, `c(month, party)` months within each
#'   party.
#' @param adjust Adjustment of p values for multiple comparisons: `"holm"`, `"BH"` (Benjamini and
#'   Hochberg) or `"none"`. All rows of the table are one family.
#' @inheritParams scan_images
#'
#' @details `std.error` is that of survey's `svycontrast()` after `svyby(covmat = TRUE)` with
#' authors as clusters. It accounts for authors who are in both groups, as in comparisons of
#' periods.
#'
#' A gap between rare topics is not symmetric around its estimate, and a group without any post of
#' the topic has a standard error of 0. So intervals are made from those of the two shares (see
#' [topic_prevalence()]) by the method of variance estimates recovery (Zou and Donner 2008): each
#' limit is as far from the gap as the two corresponding limits are from the shares, with their
#' correlation if groups have authors in common. The quantile is that of the t distribution with
#' Welch's degrees of freedom from those of the two shares, at most the number of authors minus
#' one. `statistic` is the t for which the interval ends at 0, so that the test and the interval
#' agree; in large samples it is `estimate / std.error`. If no author of either group shows the
#' topic, or all do in all posts, nothing can be tested, and the p value is missing.
#'
#' In simulated corpora with 10 to 40 authors of very different activity, who favour few topics and
#' post in bursts, intervals of gaps held the truth about as often as they claim, those of rare
#' topics more often. See `docs/posts.md` in the repository.
#'
#' @returns A tibble with one row per topic and comparison, those of the residual last: `cluster`
#'   and `cluster_name` (or `theme` and `theme_name`), the further columns of `by`, `contrast` ("D -
#'   R" is the first minus the second), `estimate`, `std.error`, `df`, `statistic`, `p.value`,
#'   `p.adjusted`, `conf.low` and `conf.high` (not adjusted), `n_posts` and `n_authors` of both
#'   groups together, `unit`, `adjust`. If a group has no posts, its gaps are missing (`NA`).
#' @references Zou, G. Y., and Donner, A. (2008). Construction of confidence limits about effect
#'   measures: A general approach. *Statistics in Medicine*, 27(10), 1693-1702.
#' @family posts
#' @export
#' @examples
#' posts <- data.frame(
#'   post_id = 1:60, image_id = 1:60, cluster = rep(c(1, 1, 2, 1, 2, -1), 10),
#'   author = rep(letters[1:12], each = 5), party = rep(c("A", "B"), each = 30)
#' )
#' topic_gaps(posts, by = party)
topic_gaps <- function(linked,
                       by,
                       unit = "post",
                       adjust = "holm",
                       level = "cluster",
                       denominator = "known",
                       author = "author",
                       time = "time",
                       time_zone = "UTC",
                       conf_level = 0.95,
                       ...) {
  check_dots(...)
  check_choice(adjust, "adjust", c("holm", "BH", "none"), rlang::current_env())
  options <- check_prevalence(unit, level, denominator, author, time, conf_level)
  design <- design_posts(
    linked, rlang::enquo(by), unit, level, denominator, author, time, time_zone
  )
  pairs <- pairs_of_cells(design)
  tell_few_authors(design)
  gaps <- gaps_of(design, pairs, conf_level)
  gaps <- gaps[order(gaps$topic, gaps$pair), ]
  gaps$p.adjusted <- stats::p.adjust(gaps$p.value, adjust)
  table <- dplyr::bind_cols(
    design$topics[gaps$topic, ],
    design$cells[dplyr::coalesce(pairs$first, pairs$second)[gaps$pair], -1],
    gaps[c(
      "contrast", "estimate", "std.error", "df", "statistic", "p.value", "p.adjusted", "conf.low",
      "conf.high", "n_posts", "n_authors"
    )]
  )
  table$unit <- unit
  table$adjust <- adjust
  new_prevalence(table, "gaps", design, c(options, adjust = adjust))
}

# The cells that are compared: every pair of values of the first `by` column in each combination of
# the others in which there is a cell of either.
pairs_of_cells <- function(design, call = rlang::caller_env()) {
  if (length(design$by) == 0) {
    abort_imagestrata(
      "{.arg by} must name the groups to compare.",
      hint = "For example {.code by = party}.",
      call = call
    )
  }
  cells <- design$cells
  value <- number_levels(cells[[1]])
  names <- as.character(cells[[1]][match(seq_len(max(value)), value)])
  if (length(names) < 2) {
    abort_imagestrata(
      "{.field {design$by[1]}} must have two or more values to compare, but is {.val {names}} in all
       posts.",
      call = call
    )
  }
  rest <- number_rows(cells[-1])
  n_pairs <- length(names) * (length(names) - 1) / 2 * max(rest)
  if (n_pairs * nrow(design$topics) > 1e7) {
    abort_imagestrata(
      "The result would have {big(n_pairs * nrow(design$topics))} rows, because {.field
       {design$by[1]}} has {length(names)} values: every pair is compared.",
      hint = "Choose a column with fewer values, such as {.field month} instead of {.field day}.",
      call = call
    )
  }
  values <- utils::combn(length(names), 2)
  pairs <- expand.grid(pair = seq_len(ncol(values)), rest = seq_len(max(rest)))
  place_of <- function(wanted) {
    match((pairs$rest - 1) * length(names) + wanted, (rest - 1) * length(names) + value)
  }
  pairs <- tibble::tibble(
    contrast = paste(names[values[1, pairs$pair]], "-", names[values[2, pairs$pair]]),
    first = place_of(values[1, pairs$pair]), second = place_of(values[2, pairs$pair])
  )
  pairs <- pairs[!is.na(pairs$first) | !is.na(pairs$second), ]
  tell_one_sided(design, pairs)
  pairs
}

tell_one_sided <- function(design, pairs, call = rlang::caller_env(2)) {
  posts <- function(cell) dplyr::coalesce(design$counts$n_posts[cell], 0L)
  lacks <- which(posts(pairs$first) == 0 | posts(pairs$second) == 0)
  if (length(lacks) == nrow(pairs)) {
    abort_imagestrata("There is nothing to compare: no two groups have posts.", call = call)
  }
  if (length(lacks) > 0) {
    cli::cli_inform(c(
      "!" = "In {length(lacks)} of {nrow(pairs)} comparison{?s} a group has no posts: the gaps are
             missing ({.code NA})."
    ))
  }
}

gaps_of <- function(design, pairs, conf_level) {
  n_topics <- nrow(design$topics)
  shares <- estimate_shares(design)
  topic <- rep(seq_len(n_topics), nrow(pairs))
  pair <- rep(seq_len(nrow(pairs)), each = n_topics)
  side <- function(cell) shares[(cell[pair] - 1) * n_topics + topic, ]
  a <- side(pairs$first)
  b <- side(pairs$second)
  shared <- covariances(design, shares, pairs)
  a$r <- b$r <- ifelse(
    shared$jackknife == 0, 0, shared$jackknife / (a$std.error.adjusted * b$std.error.adjusted)
  )
  v <- lapply(list(a, b), \(side) side$std.error.adjusted^2)
  df <- sum_of(v)^2 / sum_of(list(v[[1]]^2 / a$df, v[[2]]^2 / b$df))
  of <- function(counts, cell) dplyr::coalesce(counts[cell[pair]], 0L)
  authors <- of(design$counts$n_authors, pairs$first) + of(design$counts$n_authors, pairs$second) -
    shared$n_authors
  df <- pmin(ifelse(is.nan(df), pmin(a$df, b$df), df), pmax(authors - 1, 1))
  limits <- limits_of_gap(a, b, stats::qt((1 + conf_level) / 2, df), df)
  statistic <- statistic_of(a, b, df)
  variance <- a$std.error^2 + b$std.error^2 - 2 * shared$survey
  tibble::tibble(
    topic = topic, pair = pair, contrast = pairs$contrast[pair],
    estimate = a$estimate - b$estimate,
    std.error = sqrt(pmax(variance, 0)),
    df = df, statistic = statistic, p.value = 2 * stats::pt(-abs(statistic), df),
    conf.low = limits$low, conf.high = limits$high,
    n_posts = of(design$counts$n_posts, pairs$first) + of(design$counts$n_posts, pairs$second),
    n_authors = authors
  )
}

sum_of <- function(parts) parts[[1]] + parts[[2]]

# The interval of a gap is made from those of the two shares: each limit is as far from the gap as
# the corresponding limits are from the shares (Zou and Donner 2008, with the correlation r).
limits_of_gap <- function(a, b, t, df) {
  of_a <- limits_of(a, t, df)
  of_b <- limits_of(b, t, df)
  reach <- function(x, y) sqrt(pmax(x^2 + y^2 - 2 * a$r * x * y, 0))
  gap <- a$estimate - b$estimate
  list(
    low = gap - reach(a$estimate - of_a$low, of_b$high - b$estimate),
    high = gap + reach(of_a$high - a$estimate, b$estimate - of_b$low)
  )
}

# The t for which the interval ends at 0, found by bisection; missing if both shares are 0 or 1.
statistic_of <- function(a, b, df) {
  gap <- a$estimate - b$estimate
  low <- numeric(length(gap))
  high <- rep(1000, length(gap))
  for (step in seq_len(50)) {
    t <- (low + high) / 2
    limits <- limits_of_gap(a, b, t, df)
    differs <- ifelse(gap > 0, limits$low, -limits$high) > 0
    low <- ifelse(differs, t, low)
    high <- ifelse(differs, high, t)
  }
  ifelse(a$estimate == b$estimate & a$estimate %in% c(0, 1), NA, sign(gap) * low)
}

# The covariances of the shares of two cells, for each pair and topic: in survey's variance and in
# the jackknife. Only authors who are in both cells contribute (`n_authors`).
covariances <- function(design, shares, pairs) {
  n_topics <- nrow(design$topics)
  places <- weigh_places(design)
  places$survey <- rep(drawn(design), length(places$n))
  shown <- design$shown
  cells <- seq_len(nrow(design$cells))
  places_in <- split(seq_along(places$n), factor(places$cell, cells))
  shown_in <- split(seq_along(shown$y), factor(places$cell[shown$place], cells))
  none <- numeric(n_topics)
  found <- lapply(seq_len(nrow(pairs)), function(pair) {
    cell <- c(pairs$first[pair], pairs$second[pair])
    if (anyNA(cell)) {
      return(list(survey = none, jackknife = none, n_authors = rep(0L, n_topics)))
    }
    here <- lapply(cell, \(x) places_in[[x]])
    common <- match(places$author[here[[1]]], places$author[here[[2]]])
    here <- list(here[[1]][!is.na(common)], here[[2]][common[!is.na(common)]])
    n_authors <- rep(length(here[[1]]), n_topics)
    if (n_authors[1] == 0) {
      return(list(survey = none, jackknife = none, n_authors = n_authors))
    }
    p <- lapply(cell, \(x) shares$estimate[(x - 1) * n_topics + seq_len(n_topics)])
    rows <- Map(\(x, places_here) {
      row <- shown_in[[x]]
      at <- match(shown$place[row], places_here)
      row <- row[!is.na(at)]
      list(at = at[!is.na(at)], topic = shown$topic[row], y = shown$y[row])
    }, cell, here)
    n <- lapply(here, \(x) places$n[x])
    units <- prod(vapply(cell, \(x) sum(places$n[places_in[[x]]]), 0))
    keys <- lapply(rows, \(rows) (rows$at - 1) * n_topics + rows$topic)
    both <- match(keys[[1]], keys[[2]])
    covariance <- function(factor) {
      weight <- factor[here[[1]]] * factor[here[[2]]]
      total <- function(rows, x) sum_by(weight[rows$at] * rows$y * x, rows$topic, n_topics)
      products <- total(rows[[1]], ifelse(is.na(both), 0, rows[[2]]$y[both]))
      sum <- products - p[[2]] * total(rows[[1]], n[[2]][rows[[1]]$at]) -
        p[[1]] * total(rows[[2]], n[[1]][rows[[2]]$at]) +
        p[[1]] * p[[2]] * sum(weight * n[[1]] * n[[2]])
      ifelse(p[[1]] %in% c(0, 1) | p[[2]] %in% c(0, 1), 0, sum / units)
    }
    list(
      survey = covariance(places$survey), jackknife = covariance(places$jackknife),
      n_authors = n_authors
    )
  })
  lapply(rlang::set_names(c("survey", "jackknife", "n_authors")), \(name) {
    unlist(lapply(found, `[[`, name))
  })
}
