test_that("settings go along, and clear groups pass the threshold", {
  skip_if_no_core()
  row <- suggest_threshold(toy_vectors(), n_draws = 3, progress = FALSE, k = 3)
  expect_equal(row$k, 3)
  expect_equal(row$n_null, 9)
  expect_equal(row$share_images, 1)
  expect_gt(row$threshold, row$null_median)
  expect_error(suggest_threshold(toy_vectors(), n_clusters = 3), "no argument `n_clusters`",
    class = "imagestrata_error"
  )
})
