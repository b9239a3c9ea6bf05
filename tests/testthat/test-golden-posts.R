test_that("the tables of posts that both languages test are what R computes", {
  read <- function(name) {
    table <- read_golden(name)
    if ("month" %in% names(table)) table$month <- as.Date(table$month)
    table
  }
  posts <- read("linked")
  expect_equal(posts, golden_shown(), ignore_attr = TRUE)
  expect_equal(read("prevalence"), golden_prevalence(posts), tolerance = 1e-12, ignore_attr = TRUE)
  expect_equal(read("topic-gaps"), golden_topic_gaps(posts), tolerance = 1e-9, ignore_attr = TRUE)
  expect_equal(read("topic-odds"), golden_topic_odds(posts), tolerance = 1e-9, ignore_attr = TRUE)
})
