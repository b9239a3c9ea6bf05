# How long shares of topics in a million posts of 5,000 authors take, with 300 topics, 2 parties and
# 12 months. Run it in the root of the repository:  Rscript benchmarks/prevalence_seconds.R

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n <- sized(1e4, 1e6)
many <- if (n == 1e6) "a million posts" else paste(format(n, big.mark = ","), "posts")
set.seed(20260729)
author <- sample(5000, n, TRUE, prob = stats::rlnorm(5000))
posts <- tibble::tibble(
  post_id = seq_len(n), image_id = seq_len(n), author = author,
  party = c("A", "B")[1 + author %% 2], cluster = sample(300, n, TRUE, prob = 1 / (1:300)),
  time = as.POSIXct("2024-01-01", tz = "UTC") + stats::runif(n, 0, 365.9 * 86400)
)
seconds <- function(code) {
  round(system.time(suppressMessages(suppressWarnings(code)))[["elapsed"]], 1)
}
rows <- tibble::tribble(
  ~what, ~seconds,
  paste("topic_prevalence() of", many), seconds(topic_prevalence(posts, by = c(party, month))),
  "topic_gaps() of parties", seconds(topic_gaps(posts, by = c(party, month))),
  "topic_gaps() of months", seconds(topic_gaps(posts, by = c(month, party)))
)
write_result(
  "prevalence_seconds", rows,
  title = paste("Shares of topics in", many),
  notes = "300 topics, 5,000 authors, 2 parties, 12 months."
)
