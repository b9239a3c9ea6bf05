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
  calls <- local_core(score_clustering = \(...) toy_table(measure = "recall"))
  score_clustering(toy_clustering(), judged, measures = "recall", weighted = TRUE)
  sent <- calls$score_clustering
  expect_equal(sent$measures, list("recall"))
  expect_true(sent$weighted)
  expect_equal(decode_table(sent$clustering$table)$cluster, toy_clustering()$cluster)
  expect_equal(decode_table(sent$truth)$judgement, judged$judgement)
  score_clustering(clusters, judged)
  expect_null(calls$score_clustering$weighted)
  plain <- tibble::tibble(image_id = "a", cluster = 1)
  expect_error(score_clustering(plain, embeddings = toy_vectors()), "cluster_images",
    class = "imagestrata_error"
  )
  expect_error(score_clustering(clusters, judged, weighted = NA), "weighted",
    class = "imagestrata_error"
  )
})

test_that("a small case is scored as by hand", {
  skip_if_no_core()
  scores <- score_clustering(clusters, judged)
  estimate <- rlang::set_names(scores$estimate, paste(scores$measure, scores$weighting))
  expect_equal(estimate[["precision none"]], 2 / 3)
  expect_equal(estimate[["recall none"]], 2 / 3)
  expect_equal(estimate[["precision design"]], 2 / 3)
  expect_equal(estimate[["recall design"]], 4 / 14)
  expect_equal(unique(scores$n_residual), 2)
  left_out <- score_clustering(clusters, judged, residual = "drop", weighted = FALSE)
  expect_equal(left_out$estimate[left_out$measure == "recall"], 1)
  expect_error(score_clustering(clusters, judged, measures = "quality"), "Quality needs 50",
    class = "imagestrata_error"
  )
})

test_that("true classes are told from judged pairs", {
  skip_if_no_core()
  # Pairs put together: (1,2), (3,4); rightly so: (1,2). Pairs of one class: (1,2), (1,4), (2,4).
  scores <- score_clustering(c(1, 1, 2, 2), c("cat", "cat", "dog", "cat"))
  estimate <- rlang::set_names(scores$estimate, scores$measure)
  expect_equal(estimate[["precision"]], 1 / 2)
  expect_equal(estimate[["recall"]], 1 / 3)
  expect_equal(estimate[["share_residual"]], 0)
  table <- data.frame(
    image_id = letters[1:4], cluster = c(1, 1, 2, 2), kind = c("cat", "cat", "dog", "cat")
  )
  expect_equal(score_clustering(table, "kind"), scores)
  labels <- data.frame(image_id = letters[4:1], label = rev(table$kind))
  expect_equal(score_clustering(table, labels, by = "labels"), scores)
  expect_error(score_clustering(table, labels, seed = 4), "seed = 4 has no effect",
    class = "imagestrata_error"
  )
  expect_error(score_clustering(table), "nothing to compare", class = "imagestrata_error")
})

test_that("clear groups have high silhouettes", {
  skip_if_no_core()
  vectors <- toy_vectors()
  topics <- cluster_images(vectors, method = "kmeans", n_clusters = 3, progress = FALSE)
  scores <- score_clustering(topics, embeddings = vectors)
  estimate <- rlang::set_names(scores$estimate, scores$measure)
  expect_gt(estimate[["silhouette"]], 0.7)
  expect_equal(estimate[["share_residual"]], 0)
  expect_error(score_clustering(topics, embeddings = vectors[1:5, ]), "embeddings are of 5",
    class = "imagestrata_error"
  )
  expect_error(score_clustering(topics, vectors), "must be judged pairs or true classes",
    class = "imagestrata_error"
  )
  expect_error(
    score_clustering(topics, embeddings = vectors, residual = "alone"), "must be \"drop\"",
    class = "imagestrata_error"
  )
})
