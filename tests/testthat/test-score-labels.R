test_that("a small clustering is scored as by hand", {
  skip_if_no_core()
  # Pairs put together: (1,2), (3,4); rightly so: (1,2). Pairs of one class: (1,2), (1,4), (2,4).
  scores <- score_labels(c(1, 1, 2, 2), c("cat", "cat", "dog", "cat"))
  estimate <- rlang::set_names(scores$estimate, scores$measure)
  expect_equal(estimate[["precision"]], 1 / 2)
  expect_equal(estimate[["recall"]], 1 / 3)
  expect_equal(estimate[["residual_share"]], 0)
})

test_that("a whole clustering is told which column is meant", {
  expect_error(
    score_labels(data.frame(cluster = 1:2), 1:2), "must be two columns",
    class = "imagestrata_error"
  )
})
