test_that("several people's labels become one", {
  skip_if_no_core()
  judged <- data.frame(
    path = c("a", "a", "a", "b", "b", "c"), annotator = c("1", "2", "3", "1", "2", "1"),
    crowd = c(1, 1, 0, 1, 0, NA), flag = c(0, 0, 0, 1, 1, 1)
  )
  labels <- combine_labels(judged)
  expect_equal(labels$crowd, c(1, NA, NA))
  expect_equal(labels$flag, c(0, 1, 1))
  expect_equal(tidy(labels)$tied, c(1, 0))
  expect_equal(tidy(labels)$disputed, c(2, 0))
  expect_equal(combine_labels(judged, "any")$crowd, c(1, 1, NA))
  expect_output(print(labels), "1 crowd, 2 flag")
  expect_error(combine_labels(judged, "loudest"), "majority", class = "imagestrata_error")
  expect_error(combine_labels(list(judged)), "data frame", class = "imagestrata_error")
})
