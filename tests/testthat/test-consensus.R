test_that("several judgements become one", {
  skip_if_no_core()
  judgements <- data.frame(
    pair_id = c("p1", "p1", "p1", "p2", "p2"),
    annotator = c("anna", "ben", "carla", "anna", "ben"),
    judgement = c(1, 1, 0, 1, 0)
  )
  expect_warning(decided <- consensus(judgements), "1 of 2 pairs")
  expect_equal(decided$judgement, c(1, NaN))
  expect_equal(decided$n_annotators, c(3, 2))
  expect_equal(consensus(judgements, "mean")$judgement, c(2 / 3, 1 / 2))
  expect_error(consensus(judgements, "median"), "majority", class = "imagestrata_error")
})
