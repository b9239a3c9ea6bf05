# Speed of topic_model(): logistic regressions of 300 topics on 15 coefficients, in seconds of one
# core.
#
#   Rscript benchmarks/topic_model.R

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
  cat(sprintf(
    "%9d posts, %6d authors, %6d cells, %d coefficients, %d topics, %s: %.0f s; effects %.0f s\n",
    n, n_authors, length(model$n), ncol(model$z), nrow(model$topics), variance,
    seconds[["user.self"]], effects[["user.self"]]
  ))
  invisible(linked)
}

by_month <- ~ party * s(month, df = 6) + followers
by_day <- ~ party * s(time, df = 6) + followers
measure(1e5, 1000, by_month)
measure(1e5, 1000, by_day)
if ("full" %in% commandArgs(TRUE)) {
  measure(1e6, 10000, by_month)
  measure(1e6, 10000, by_month, "sandwich")
  # The usual way, for five topics.
  linked <- posts_of(1e5, 1000)
  linked$day <- as.numeric(linked$time)
  seconds <- system.time(for (topic in 1:5) {
    fit <- stats::glm(
      cluster == topic ~ party * splines::ns(day, 6) + followers, stats::binomial, linked
    )
    sandwich::vcovCL(fit, ~author)
  })
  cat(sprintf("glm() and vcovCL(), 100000 posts: %.1f s a topic\n", seconds[["user.self"]] / 5))
}
