# How often 95% intervals of the prevalence of topics hold the truth, in simulated corpora of posts
# by few, uneven and bursty authors. Run it in the root of the repository:
#   Rscript benchmarks/prevalence.R [corpora]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_corpora <- asked(sized(3, 200, 1000))

# The shares of six topics in two parties, the last of them the residual.
shares <- list(
  A = c(0.01, 0.03, 0.1, 0.25, 0.5, 0.11),
  B = c(0.02, 0.03, 0.15, 0.25, 0.35, 0.2)
)

# Posts of an author: lognormal, or the heavier tail of a Pareto distribution.
numbers_of_posts <- list(
  lognormal = \(n) pmax(1, round(stats::rlnorm(n, log(15), 1))),
  Pareto = \(n) pmin(5000, round(5 * stats::runif(n)^(-1 / 1.3)))
)

scenarios <- expand.grid(
  burst = c(1, 3), favour = c("moderate", "strong"), posts = names(numbers_of_posts),
  authors = c(5, 10, 20, 40),
  stringsAsFactors = FALSE
)

# Each author has shares of topics of their own (Dirichlet: the smaller the concentration, the more
# each author favours few topics) and posts one by one, or in bursts of three posts of one topic.
draw_posts <- function(scenario) {
  n <- scenario$authors * n_corpora * 2
  authors <- data.frame(
    author = seq_len(n), party = rep(names(shares), each = n / 2),
    corpus = rep(seq_len(n_corpora), n / n_corpora)
  )
  concentration <- c(moderate = 5, strong = 1)[[scenario$favour]]
  favour <- do.call(rbind, shares)[authors$party, ]
  favour <- matrix(stats::rgamma(length(favour), favour * concentration), n)
  # Gammas with tiny parameters underflow to 0 together.
  favour[rowSums(favour) == 0, 6] <- 1
  reach <- t(apply(favour / rowSums(favour), 1, cumsum))
  bursts <- ceiling(numbers_of_posts[[scenario$posts]](n) / scenario$burst)
  author <- rep(seq_len(n), bursts)
  drawn <- stats::runif(length(author))
  topic <- 1 + rowSums(drawn > reach[author, 1:5, drop = FALSE])
  row <- rep(seq_along(author), each = scenario$burst)
  posts <- authors[author[row], ]
  posts$cluster <- ifelse(topic == 6, -1, topic)[row]
  # Half of the bursts are of the second month.
  posts$half <- sample(1:2, length(author), TRUE)[row]
  posts$post_id <- posts$image_id <- seq_len(nrow(posts))
  posts
}

covers <- function(table, truth) {
  known <- !is.na(table$conf.low)
  100 * mean(table$conf.low[known] <= truth + 1e-9 & table$conf.high[known] >= truth - 1e-9)
}

# Coverage in one scenario: a column per share, and for gaps between parties and between halves.
coverage_of <- function(scenario) {
  posts <- draw_posts(scenario)
  quiet <- function(code) suppressMessages(suppressWarnings(code))
  prevalence <- plain_tibble(quiet(topic_prevalence(posts, by = c(party, corpus))))
  gaps <- plain_tibble(quiet(topic_gaps(posts, by = c(party, corpus), adjust = "none")))
  of_a <- posts[posts$party == "A", ]
  halves <- plain_tibble(quiet(topic_gaps(of_a, by = c(half, corpus), adjust = "none")))
  rows <- lapply(1:5, function(topic) {
    truth <- shares$A[topic]
    mine <- prevalence[prevalence$cluster == topic & prevalence$party == "A", ]
    # survey's standard error with the t distribution, on the logit scale as well.
    p <- mine$estimate
    width <- stats::qt(0.975, mine$n_authors - 1) * mine$std.error / (p * (1 - p))
    naive <- data.frame(
      conf.low = stats::plogis(stats::qlogis(p) - width),
      conf.high = stats::plogis(stats::qlogis(p) + width)
    )
    gap <- shares$A[topic] - shares$B[topic]
    tibble::tibble(
      share = truth, covers = covers(mine, truth),
      `survey covers` = covers(naive[p > 0 & p < 1, ], truth),
      `no post shows it` = 100 * mean(p == 0),
      gap = gap, `gap covers` = covers(gaps[gaps$cluster == topic, ], gap),
      `gap of periods covers` = covers(halves[halves$cluster == topic, ], 0)
    )
  })
  rows <- do.call(rbind, rows)
  cbind(scenario[rep(1, nrow(rows)), ], rows, row.names = NULL)
}

set.seed(20260729)
rows <- do.call(rbind, lapply(seq_len(nrow(scenarios)), \(i) coverage_of(scenarios[i, ])))
write_result(
  "prevalence", rows,
  title = "How often 95% intervals of shares of topics hold the truth", simulations = n_corpora,
  digits = c(0, 0, 0, 0, 2, 1, 1, 1, 2, 1, 1),
  notes = c(
    paste(
      format(n_corpora, big.mark = ","), "simulated corpora per scenario; percent of 95% intervals",
      "that hold the truth. posts: how they are distributed over authors; favour: how much authors",
      "favour topics; burst: posts of the same topic in a row."
    ),
    paste(
      "survey covers: survey's standard error with a t distribution, authors minus one, on the",
      "logit scale. no post shows it: percent of the corpora. gap: between parties; gap of",
      "periods: between two periods (of 0) with the same authors."
    )
  )
)
