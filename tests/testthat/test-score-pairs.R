clusters <- tibble::tibble(
  image_id = paste0("i", 0:6), cluster = c(1L, 1L, 2L, 2L, 2L, -1L, -1L)
)
# Together are the first three; of them the first two are judged the same.
judged <- tibble::tibble(
  pair_id = paste0("p", 1:6),
  image_a = paste0("i", c(0, 2, 2, 0, 0, 5)),
  image_b = paste0("i", c(1, 3, 4, 5, 2, 6)),
  judgement = c(1, 1, 0, 1, 0, 0),
  stratum = rep(c("within", "between"), each = 3),
  probability = rep(c(0.5, 0.1), each = 3)
)

test_that("choices are sent as they are meant", {
  calls <- local_core(score_pairs = \(...) toy_table(measure = "recall"))
  score_pairs(toy_clustering(), judged, measures = "recall", weighted = TRUE)
  sent <- calls$score_pairs
  expect_equal(sent$measures, list("recall"))
  expect_true(sent$weighted)
  expect_equal(decode_table(sent[[1]]$table)$cluster, toy_clustering()$cluster)
  score_pairs(clusters, judged)
  expect_null(calls$score_pairs$weighted)
  expect_error(score_pairs(1:3, judged), "cluster_images", class = "imagestrata_error")
  expect_error(score_pairs(clusters, judged, weighted = NA), "weighted",
    class = "imagestrata_error"
  )
})

test_that("a small case is scored as by hand", {
  skip_if_no_core()
  scores <- score_pairs(clusters, judged)
  estimate <- rlang::set_names(scores$estimate, paste(scores$measure, scores$weighting))
  expect_equal(estimate[["precision none"]], 2 / 3)
  expect_equal(estimate[["recall none"]], 2 / 3)
  expect_equal(estimate[["precision design"]], 2 / 3)
  expect_equal(estimate[["recall design"]], 4 / 14)
  expect_equal(unique(scores$n_residual), 2)
  left_out <- score_pairs(clusters, judged, residual = "drop", weighted = FALSE)
  expect_equal(left_out$estimate[left_out$measure == "recall"], 1)
  expect_error(score_pairs(clusters, judged, measures = "quality"), "Quality needs 50",
    class = "imagestrata_error"
  )
})
