# Speed of topic_model(): logistic regressions of 300 topics on 15 coefficients, in seconds of one
# core.
#
#   Rscript benchmarks/topic_model.R

source("benchmarks/machine.R")
suppressMessages(pkgload::load_all(quiet = TRUE))

posts_of <- function(n, n_authors, n_topics = 300) {
  set.seed(1)
  by <- sample(n_authors, n, TRUE, prob = stats::rexp(n_authors))
  followers <- stats::rlnorm(n_authors, 7)
  tibble::tibble(
    post_id = as.character(seq_len(n)), image_id = post_id, author = paste0("a", by),
    party = c("A", "B")[1 + by %% 2], followers = log(followers[by]),
    time = as.POSIXct("2020-01-01", tz = "UTC") + 86400 * sample(0:729, n, TRUE),
    # Topics of very different size; a few images are in the residual.
    cluster = sample(
      c(seq_len(n_topics), -1L), n, TRUE, c(1 / (20 + seq_len(n_topics)), 0.1)
    )
  )
}

measure <- function(n, n_authors, formula, variance = "CR2") {
  linked <- posts_of(n, n_authors)
  seconds <- system.time({
    model <- suppressWarnings(topic_model(linked, formula, variance = variance))
  })
  effects <- system.time(tidy(model, "effects"))
  tibble::tibble(
    posts = n, authors = n_authors, variance = variance, cells = length(model$n),
    coefficients = ncol(model$z), topics = nrow(model$topics),
    seconds = seconds[["user.self"]], `seconds, effects` = effects[["user.self"]]
  )
}

# The usual way, seconds a topic.
measure_glm <- function(n, n_authors, n_topics = 5) {
  linked <- posts_of(n, n_authors)
  linked$day <- as.numeric(linked$time)
  seconds <- system.time(for (topic in seq_len(n_topics)) {
    linked$shown <- linked$cluster == topic
    fit <- stats::glm(
      shown ~ party * splines::ns(day, 6) + followers, stats::binomial, linked
    )
    sandwich::vcovCL(fit, linked$author)
  })
  seconds[["user.self"]] / n_topics
}

by_month <- ~ party * s(month, df = 6) + followers
by_day <- ~ party * s(time, df = 6) + followers
n <- sized(5e3, 1e5, 1e6)
rows <- rbind(
  data.frame(time = "month", measure(n, n / 100, by_month), check.names = FALSE),
  data.frame(time = "day", measure(n, n / 100, by_day), check.names = FALSE),
  data.frame(time = "month", measure(n, n / 100, by_month, "sandwich"), check.names = FALSE)
)
few <- sized(5e3, 1e5)
write_result(
  "topic_model", rows,
  title = "Speed of topic_model()", digits = 1,
  notes = c(
    "Seconds of one core; formula: party * s(time, df = 6) + followers.",
    sprintf(
      "glm() and vcovCL(), %s posts: %.1f s a topic.", format(few, big.mark = ","),
      measure_glm(few, few / 100)
    )
  )
)
