test_that("training sets are balanced, and say what they hold", {
  skip_if_no_core()
  labels <- data.frame(
    image_id = letters[1:10], code = "protest", label = rep(1:0, c(3, 7))
  )
  found <- sample_training(labels, seed = 1)
  expect_equal(unclass(table(found$label))[["1"]], 3)
  expect_equal(unclass(table(found$label))[["0"]], 3)
  expect_equal(unique(found$source), "label")
  expect_equal(tidy(found)$labelled, c(3, 7))
  expect_output(print(found), "protest = 1")
  expect_equal(nrow(sample_training(labels, balance = FALSE)), 10)
  expect_error(
    sample_training(labels, negatives = "clusters"), "needs a clustering",
    class = "imagestrata_error"
  )
})
