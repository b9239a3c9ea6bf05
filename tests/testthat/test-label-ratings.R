test_that("the clear cases become labels, and all others are counted", {
  skip_if_no_core()
  labels <- label_ratings(toy_label_ratings())
  # c is angry, but hardly more than afraid; d is not much of either; e is rated for one only.
  expect_equal(
    tibble::as_tibble(labels),
    tibble::tibble(image_id = c("a", "b"), anger = c(1L, 0L), fear = c(NA, 0L))
  )
  expect_equal(
    tidy(labels),
    tibble::tibble(
      item = c("anger", "fear"), positive = c(1L, 0L), negative = c(1L, 1L), weak = c(1L, 0L),
      unclear = c(1L, 0L)
    )
  )
  expect_equal(attr(labels, "incomplete"), 1)
  expect_equal(nrow(label_ratings(toy_label_ratings(), margin = 1)), 3)
  alone <- label_ratings(toy_label_ratings(), items = "fear")
  expect_equal(alone$fear, c(0, 1, 1))
})

test_that("what is no ratings is an error", {
  expect_snapshot(error = TRUE, {
    label_ratings("ratings.csv")
    label_ratings(toy_label_ratings(), items = 2)
    label_ratings(toy_label_ratings(), margin = "much")
  })
  skip_if_no_core()
  expect_error(label_ratings(data.frame(anger = 1)), "image_id", class = "imagestrata_error")
  expect_error(
    label_ratings(toy_label_ratings(), items = "joy"), "joy",
    class = "imagestrata_error"
  )
})
