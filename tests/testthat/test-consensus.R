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

test_that("a meeting decides what annotators dispute", {
  skip_if_no_core()
  judgements <- data.frame(
    pair_id = c("p1", "p1", "p1", "p2", "p2"),
    annotator = c("anna", "ben", "carla", "anna", "ben"),
    judgement = c(1, 1, 0, 1, 0)
  )
  expect_warning(decided <- consensus(judgements), "1 of 2 pairs")
  disputed <- attr(decided, "disputed")
  expect_equal(disputed$pair_id, c("p2", "p2", "p1", "p1", "p1"))
  expect_equal(disputed$disagreement, c(1, 1, 2 / 3, 2 / 3, 2 / 3))
  meeting <- data.frame(pair_id = c("p2", "p1"), annotator = "all", judgement = c(1, 0))
  final <- consensus(judgements, meeting = meeting)
  expect_equal(final$judgement, c(0, 1))
  expect_equal(final$n_annotators, c(3, 2))
  expect_equal(nrow(attr(final, "disputed")), 0)
  expect_error(consensus(judgements, meeting = "m.csv"), "data frame", class = "imagestrata_error")

  labels <- tidyr::expand_grid(image_id = c("a", "b"), code = "x", annotator = c("1", "2"))
  labels$label <- c("1", "0", "1", "1")
  met <- data.frame(image_id = "a", code = "x", annotator = "all", label = 0)
  expect_equal(consensus(labels, meeting = met)$label, c("0", "1"))
})

test_that("several people's labels become one", {
  skip_if_no_core()
  judged <- data.frame(
    path = c("a", "a", "a", "b", "b", "c"), annotator = c("1", "2", "3", "1", "2", "1"),
    crowd = c(1, 1, 0, 1, 0, NA), flag = c(0, 0, 0, 1, 1, 1)
  )
  labels <- consensus(judged)
  expect_equal(labels$crowd, c(1, NA, NA))
  expect_equal(labels$flag, c(0, 1, 1))
  expect_equal(tidy(labels)$tied, c(1, 0))
  expect_equal(tidy(labels)$disputed, c(2, 0))
  expect_equal(consensus(judged, "any")$crowd, c(1, 1, NA))
  expect_output(print(labels), "1 crowd, 2 flag")
  expect_error(consensus(judged, "loudest"), "majority", class = "imagestrata_error")
  expect_error(consensus(list(judged)), "data frame", class = "imagestrata_error")
})
