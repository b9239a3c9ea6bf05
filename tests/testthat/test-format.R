test_that("sentences above a table are as wide as the console", {
  withr::local_options(width = 40)
  said <- capture.output(write_heading(c(strrep("seven w ", 12), "short")))
  expect_true(all(nchar(said) <= 40))
  expect_true(all(startsWith(said, "# ")))
  expect_equal(said[length(said)], "# short")
})
