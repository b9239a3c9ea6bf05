# Shares and their variances.
#
# The share of a cell is sum(y) / sum(n) over its authors. Its linearised scores are
# u = (y - share * n) / sum(n), and survey's svydesign(ids = ~author) has the variance
# A / (A - 1) * sum(u^2), with the authors A of all cells. If few authors have many posts, this is
# too small. The jackknife, which leaves out one author at a time, has the scores u / (1 - w), with
# the author's share w of the units. Authors who do not show a topic have u = -share * n / sum(n),
# so that their sum needs no row for each of them.

# A table with a row per topic and cell (topics vary fastest).
estimate_shares <- function(design) {
  n_topics <- nrow(design$topics)
  n_cells <- nrow(design$cells)
  cell <- rep(seq_len(n_cells), each = n_topics)
  places <- weigh_places(design)
  shown <- design$shown
  of <- shown$place
  row <- (places$cell[of] - 1) * n_topics + shown$topic
  total <- function(x) sum_by(x, row, n_topics * n_cells)
  whole <- function(x) sum_by(x, places$cell, n_cells)[cell]
  units <- whole(places$n)
  y <- total(shown$y)
  authors <- design$counts$n_authors[cell]
  share <- ifelse(units > 0, y / units, NA)
  showing <- tabulate(row, n_topics * n_cells)
  variance <- function(factor) {
    weight <- factor^2
    some <- total(weight[of] * (shown$y - share[row] * places$n[of])^2)
    rest <- whole(weight * places$n^2) - total((weight * places$n^2)[of])
    spread <- some + ifelse(showing < authors, share^2 * rest, 0)
    # One author does not tell how authors differ.
    ifelse(share %in% c(0, 1), 0, ifelse(authors > 1, spread / units^2, NA))
  }
  squares <- total(shown$y^2)
  others <- whole(places$n^2) - 2 * total(shown$y * places$n[of]) + squares
  few <- pmin(effective(y, squares), effective(units - y, others), na.rm = TRUE)
  tibble::tibble(
    topic = rep(seq_len(n_topics), n_cells), cell = cell, estimate = share,
    std.error = sqrt(variance(rep(drawn(design), length(places$n)))),
    std.error.adjusted = sqrt(pmax(variance(places$jackknife), share * (1 - share) / units)),
    df = ifelse(units > 0, pmax(pmin(authors - 1, 2 * few - 1), 1), NA),
    effective = effective(units, whole(places$n^2)),
    n_shown = as.integer(y), n_authors = authors
  )
}

# The factor of the scores in survey's variance.
drawn <- function(design) sqrt(design$n_authors / (design$n_authors - 1))

# Of each author in a cell the share of the units, and the factor of the scores in the jackknife.
weigh_places <- function(design) {
  places <- design$places
  authors <- design$counts$n_authors[places$cell]
  share <- places$n / sum_by(places$n, places$cell, nrow(design$cells))[places$cell]
  places$jackknife <- ifelse(authors > 1, sqrt((authors - 1) / authors) / (1 - share), 0)
  places
}

# The number of authors with equal contributions that would be as uneven (Kish).
effective <- function(sum, squares) ifelse(sum > 0, sum^2 / squares, NA)

# The limits of shares for a quantile `t` of the t distribution: logit intervals, but never beyond
# the exact binomial interval of as many posts as there are effective authors. That interval holds
# if every author shows either nothing but the topic or nothing of it; authors cannot differ more.
# It alone bounds shares of 0 and 1, and it bounds topics that one or two authors show.
limits_of <- function(shares, t, df = shares$df) {
  p <- shares$estimate
  n <- shares$effective
  width <- t * shares$std.error.adjusted / (p * (1 - p))
  tail <- stats::pt(-t, df)
  least <- stats::qbeta(tail, n * p, n * (1 - p) + 1)
  most <- stats::qbeta(tail, n * p + 1, n * (1 - p), lower.tail = FALSE)
  # Shares of 0 and 1 have no logit.
  low <- pmax(stats::plogis(stats::qlogis(p) - width), least, na.rm = TRUE)
  high <- pmin(stats::plogis(stats::qlogis(p) + width), most, na.rm = TRUE)
  alone <- shares$n_authors < 2 & !p %in% 0:1
  list(low = replace(low, alone, NA), high = replace(high, alone, NA))
}
