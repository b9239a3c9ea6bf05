read_golden <- function(name) {
  path <- testthat::test_path("..", "fixtures", paste0("golden-", name, ".csv"))
  tibble::as_tibble(utils::read.csv(path, na.strings = ""))
}

test_that("the tables that both languages test are what R computes", {
  ratings <- read_golden("ratings")
  expect_equal(read_golden("means"), golden_means(ratings), ignore_attr = TRUE)
  expect_equal(read_golden("gaps"), golden_gaps(ratings), ignore_attr = TRUE)
  expect_equal(
    read_golden("reliability"), quietly(rating_reliability(ratings)),
    ignore_attr = TRUE
  )
})

test_that("the model of sharing that both languages test is what R computes", {
  skip_if_not_installed("MASS")
  skip_if_not_installed("sandwich")
  skip_if_not_installed("tidyr")
  images <- read_golden("shares")
  expect_equal(images, golden_shares(), ignore_attr = TRUE)
  expect_equal(read_golden("sharing"), golden_sharing(images), tolerance = 1e-6)
})
