#' Find the topics that set groups apart
#'
#' Estimates for each topic how much more likely posts of one group are to show it than those of
#' others: a log odds ratio that is shrunk where there are few posts, with an interval that
#' accounts for posts of the same author.
#'
#' @inheritParams topic_prevalence
#' @param by Columns of `linked`, as in [topic_prevalence()]. The values of the first column are
#'   compared; further columns give separate comparisons: `c(party, month)` compares parties within
#'   each month.
#' @param compare `"others"`: each group is compared with all others together; two groups are
#'   compared once. `"pairs"`: every pair of groups.
#' @inheritParams scan_images
#'
#' @details The idea is that of Monroe, Colaresi and Quinn (2008), with two changes.
#'
#' **Authors instead of posts.** They treat each word as an independent draw. Posts of one author
#' are not: an author who posts one image a hundred times is no hundred witnesses. The numbers of
#' posts are therefore divided by the design effect of the topic: the variance of these numbers by
#' the jackknife, which leaves out one author at a time, divided by that of independent posts, in
#' both groups together. In each group the former is at least the latter.
#'
#' **Shrinkage.** As their informative Dirichlet prior does for words, each group gets further
#' posts in which the topic is as common as in both groups together: as many as hold one effective
#' post with the topic (or without it, if most posts show it). So an estimate that rests on few
#' posts is close to 0, and topics that a group never shows have finite estimates.
#'  With \eqn{y} posts of \eqn{n} that show the topic, the design effect \eqn{d} and the prior
#' \eqn{a, b}, the log odds of a group are \eqn{\log((y / d + a) / ((n - y) / d + b))} with the
#' variance \eqn{1 / (y / d + a) + 1 / ((n - y) / d + b)}. Intervals use the t distribution with
#' \eqn{2 m - 1} degrees of freedom, where m is the effective number of authors in both groups who
#' show the topic (of each group at most half of its authors), or with the number of authors minus
#' 2 if that is smaller. Authors who are in both groups, as in comparisons of months, make the
#' intervals wider than necessary.
#' In simulated corpora with 8 to 100 authors a group, of very different activity, intervals covered
#' the truth a little more often than they claim; if posts are taken as independent, far too seldom.
#' Topics that are chosen because their estimates are the largest of many are covered less often
#' (`docs/posts.md` in the repository). Stronger shrinkage, towards a normal distribution of all
#' topics, gave intervals that missed half of the partisan topics or more.
#'
#' @returns A tibble with one row per topic and comparison, those of the residual last: `cluster`
#'   and `cluster_name` (or `theme` and `theme_name`), the further columns of `by`, `contrast` ("D
#'   - R" or "D - others"), `estimate`, the log odds ratio, above 0 if the first group is more
#'   likely to show the topic; `std.error`, `df`, `statistic` (the estimate divided by its standard
#'   error, by which Monroe, Colaresi and Quinn rank words), `conf.low`, `conf.high`; `share` and
#'   `share_other`, the shares of posts with the topic in both groups, not shrunk; `n_shown` (posts
#'   of both groups with the topic), `n_posts`, `n_authors`, `unit`. The odds ratio is
#'   `exp(estimate)`. Estimates are missing if neither group shows the topic, if both always show
#'   it, or if a group has no posts or only one author, whose posts are no evidence on others.
#' @references Monroe, B. L., Colaresi, M. P., and Quinn, K. M. (2008). Fightin' words: Lexical
#'   feature selection and evaluation for identifying the content of political conflict. *Political
#'   Analysis*, 16(4), 372-403.
#' @family posts
#' @export
#' @examples
#' posts <- data.frame(
#'   post_id = 1:60, image_id = 1:60, cluster = rep(c(1, 1, 2, 1, 2, -1), 10),
#'   author = rep(letters[1:12], each = 5), party = rep(c("A", "B"), each = 30)
#' )
#' topic_odds(posts, by = party)
topic_odds <- function(linked,
                       by,
                       unit = "post",
                       compare = "others",
                       level = "cluster",
                       denominator = "known",
                       author = "author",
                       time = "time",
                       time_zone = "UTC",
                       conf_level = 0.95,
                       ...) {
  check_dots(...)
  check_choice(compare, "compare", c("others", "pairs"), rlang::current_env())
  options <- check_prevalence(unit, level, denominator, author, time, conf_level)
  design <- design_posts(
    linked, rlang::enquo(by), unit, level, denominator, author, time, time_zone
  )
  pairs <- pairs_of_cells(design)
  tell_few_authors(design)
  sides <- compared_sides(design, pairs, compare)
  odds <- odds_of(pool_cells(design, sides$cells, unit), conf_level)
  odds <- odds[order(odds$topic, odds$pair), ]
  table <- dplyr::bind_cols(
    design$topics[odds$topic, ],
    design$cells[sides$of[odds$pair], -1],
    contrast = sides$contrast[odds$pair],
    odds[setdiff(names(odds), c("topic", "pair"))]
  )
  table$unit <- unit
  new_prevalence(table, "odds", design, c(options, compare = compare))
}

# The groups that are compared: `contrast`, a cell `of` each comparison, and `cells`, which cell of
# the design belongs to which side (1 and 2 of the first comparison, 3 and 4 of the second, ...).
compared_sides <- function(design, pairs, compare) {
  value <- number_levels(design$cells[[1]])
  if (compare == "pairs" || max(value) == 2) {
    of <- dplyr::coalesce(pairs$first, pairs$second)
    cells <- tibble::tibble(cell = c(pairs$first, pairs$second), side = c(
      2 * seq_along(of) - 1, 2 * seq_along(of)
    ))
    return(list(contrast = pairs$contrast, of = of, cells = cells[!is.na(cells$cell), ]))
  }
  rest <- number_rows(design$cells[-1])
  of <- order(rest, value)
  cells <- lapply(seq_along(of), \(i) {
    others <- which(rest == rest[of[i]] & value != value[of[i]])
    tibble::tibble(cell = c(of[i], others), side = c(2 * i - 1, rep(2 * i, length(others))))
  })
  list(
    contrast = paste(as.character(design$cells[[1]])[of], "- others"), of = of,
    cells = dplyr::bind_rows(cells)
  )
}

# The design with the sides of comparisons as cells. An author who is in several cells of a side is
# one author there.
pool_cells <- function(design, cells, unit) {
  n_sides <- max(2 * ceiling(cells$side / 2))
  places <- design$places
  shown <- design$shown
  known <- seq_len(nrow(design$cells))
  places_in <- split(seq_along(places$n), factor(places$cell, known))[cells$cell]
  shown_in <- split(seq_along(shown$y), factor(places$cell[shown$place], known))[cells$cell]
  before <- cumsum(c(0, lengths(places_in)))[seq_along(places_in)]
  place <- unlist(places_in)
  side <- rep(cells$side, lengths(places_in))
  id <- group_ids(side, places$author[place])
  first <- which(!duplicated(id))
  # Whether an author shows a topic at all is counted once.
  whole <- \(x) if (unit == "author") pmin(x, 1) else x
  pooled <- list(
    cell = side[first], author = places$author[place][first],
    n = whole(sum_by(places$n[place], id, length(first)))
  )
  row <- unlist(shown_in)
  at <- unlist(Map(\(rows, here, start) start + match(shown$place[rows], here),
    shown_in, places_in, before
  ))
  key <- group_ids(id[at], shown$topic[row])
  start <- which(!duplicated(key))
  posts <- sum_by(design$counts$n_posts[cells$cell], cells$side, n_sides)
  design$cells <- tibble::tibble(side = seq_len(n_sides))
  design$places <- pooled
  design$shown <- list(
    place = id[at][start], topic = shown$topic[row][start],
    y = whole(sum_by(shown$y[row], key, length(start)))
  )
  design$counts <- tibble::tibble(n_posts = posts, n_authors = tabulate(pooled$cell, n_sides))
  design
}

# A table with a row for each topic and pair of sides.
odds_of <- function(design, conf_level) {
  shares <- estimate_shares(design)
  shares$n <- sum_by(design$places$n, design$places$cell, nrow(design$cells))[shares$cell]
  a <- shares[shares$cell %% 2 == 1, ]
  b <- shares[shares$cell %% 2 == 0, ]
  both <- \(x) x(a) + x(b)
  # The variance of the number of posts with the topic, over that of independent posts.
  independent <- both(\(s) s$n * s$estimate * (1 - s$estimate))
  effect <- both(\(s) (s$n * s$std.error.adjusted)^2) / independent
  # Each group shows the topic always or never.
  effect <- ifelse(independent %in% 0, both(\(s) s$n) / both(\(s) s$effective), effect)
  common <- both(\(s) s$n_shown) / both(\(s) s$n)
  common[common %in% c(0, 1)] <- NA
  prior <- 1 / pmin(common, 1 - common)
  log_odds <- function(s) {
    with <- s$n_shown / effect + prior * common
    without <- (s$n - s$n_shown) / effect + prior * (1 - common)
    list(estimate = log(with / without), variance = 1 / with + 1 / without)
  }
  first <- log_odds(a)
  second <- log_odds(b)
  # The effective number of authors who show the topic.
  few <- both(\(s) ifelse(s$n_shown == 0 | s$n_shown == s$n, 0, (s$df + 1) / 2))
  df <- pmax(pmin(a$n_authors + b$n_authors - 2, 2 * few - 1), 1)
  estimate <- first$estimate - second$estimate
  error <- sqrt(first$variance + second$variance)
  alone <- pmin(a$n_authors, b$n_authors) < 2 | is.na(estimate)
  error[alone] <- NA
  width <- stats::qt((1 + conf_level) / 2, df) * error
  cell <- b$cell
  tibble::tibble(
    topic = a$topic, pair = cell / 2, estimate = estimate, std.error = error,
    df = ifelse(alone, NA, df), statistic = estimate / error,
    conf.low = estimate - width, conf.high = estimate + width,
    share = a$estimate, share_other = b$estimate,
    n_shown = a$n_shown + b$n_shown,
    n_posts = as.integer(design$counts$n_posts[cell - 1] + design$counts$n_posts[cell]),
    n_authors = authors_of_both(design)[cell / 2]
  )
}

# The number of authors in either side of each comparison.
authors_of_both <- function(design) {
  pair <- ceiling(design$places$cell / 2)
  tabulate(pair[!duplicated(pair_of(pair, design$places$author))], nrow(design$cells) / 2)
}
