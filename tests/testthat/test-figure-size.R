test_that("figures fit one or two columns", {
  expect_equal(figure_size(), list(width = 3.35, height = 2.68, text = 9))
  expect_equal(figure_size(columns = 2, height = 5), list(width = 7, height = 5, text = 10))
  expect_error(figure_size(columns = 3), "1 or 2, not 3", class = "imagestrata_error")
  expect_error(figure_size(height = 0), "height", class = "imagestrata_error")
})
