# Coverage of the 95% intervals of topic_model() in simulated corpora: few, uneven and bursty
# authors; effects of covariates of authors (party, followers) and of posts (time); average marginal
# effects. Writes results/topic_model_coverage.md.
#
#   Rscript benchmarks/topic_model_coverage.R [number of corpora]

source("benchmarks/machine.R")
suppressMessages(pkgload::load_all(quiet = TRUE))

n_corpora <- asked(sized(3, 60, 400))

settings <- tibble::tribble(
  ~authors, ~in_b, ~unevenness, ~spread, ~rate, ~burst,
  10, 5, 0.5, 0.8, -1.5, 0,
  20, 4, 1, 0.8, -1.5, 0,
  40, 5, 1, 0.8, -2.5, 0,
  40, 20, 3, 0.8, -2.5, 0,
  40, 20, 1, 0.8, -1.5, 1.5,
  100, 20, 1, 0.8, -2.5, 0,
  100, 50, 0.3, 0, -2.5, 0
)

# Posts of a corpus. Authors differ in a random effect; with `burst`, also in each month.
corpus <- function(set) {
  n <- pmax(2, stats::rnbinom(set$authors, size = 1 / set$unevenness, mu = 40))
  author <- rep(seq_len(set$authors), n)
  followers <- stats::rnorm(set$authors)[author]
  b <- author <= set$in_b
  day <- sample(0:359, sum(n), TRUE)
  month <- interaction(author, day %/% 30, drop = TRUE)
  p <- stats::plogis(
    set$rate + 0.5 * b + 0.3 * followers + 0.5 * day / 360 +
      stats::rnorm(set$authors, sd = set$spread)[author] +
      stats::rnorm(nlevels(month), sd = set$burst)[month]
  )
  tibble::tibble(
    post_id = seq_along(author), image_id = post_id, author = author,
    cluster = 2L - stats::rbinom(sum(n), 1, p), party = ifelse(b, "B", "A"),
    followers = followers, year = day / 360
  )
}

# What the model estimates: the coefficients and effects in a very large corpus, whose authors have
# one post each.
truth <- function(set, n = 1e6) {
  b <- seq_len(n) <= n * set$in_b / set$authors
  x <- cbind(1, b, stats::rnorm(n), sample(0:359, n, TRUE) / 360)
  p <- stats::plogis(
    drop(x %*% c(set$rate, 0.5, 0.3, 0.5)) +
      stats::rnorm(n, sd = sqrt(set$spread^2 + set$burst^2))
  )
  beta <- suppressWarnings(stats::glm.fit(x, p, family = stats::quasibinomial())$coefficients)
  at <- function(party) {
    x[, 2] <- party
    mean(stats::plogis(x %*% beta))
  }
  c(beta, at(1) - at(0))
}

covers <- function(table, true) {
  ifelse(is.na(table$conf.low), NA, table$conf.low <= true & true <= table$conf.high)
}

rows <- lapply(seq_len(nrow(settings)), function(i) {
  set <- settings[i, ]
  set.seed(i)
  true <- truth(set)
  found <- replicate(n_corpora, simplify = FALSE, {
    posts <- corpus(set)
    one <- function(variance) {
      model <- suppressWarnings(
        topic_model(posts, 1 ~ party + followers + year, variance = variance)
      )
      c(covers(tidy(model), true[1:4]), covers(tidy(model, "effects")[1, ], true[5]))
    }
    rbind(one("CR2"), one("sandwich"))
  })
  share <- apply(simplify2array(found), 1:2, mean, na.rm = TRUE)
  tibble::tibble(
    set[rep(1, 2), ],
    variance = c("CR2", "sandwich"), party = share[, 2], followers = share[, 3], time = share[, 4],
    `effect of party` = share[, 5]
  )
})
table <- dplyr::bind_rows(rows)
share <- c("party", "followers", "time", "effect of party")
table[share] <- 100 * table[share]
write_result(
  "topic_model_coverage", table,
  title = "Coverage of the intervals of topic_model()", digits = 1, simulations = n_corpora,
  notes = paste0(
    "Percent of ", n_corpora, " simulated corpora in which a 95% interval covers the truth. ",
    "Authors have 40 posts on average; `unevenness` is the squared coefficient of variation of ",
    "their numbers. `spread` and `burst` are the standard deviations of effects of authors and of ",
    "their months, in log odds; `rate` is the log odds of the topic. Party and followers belong ",
    "to authors, time to posts."
  )
)
