test_that("clear groups have high silhouettes", {
  skip_if_no_core()
  vectors <- toy_vectors()
  topics <- cluster_images(vectors, method = "kmeans", n_clusters = 3, progress = FALSE)
  scores <- score_vectors(topics, vectors)
  estimate <- rlang::set_names(scores$estimate, scores$measure)
  expect_gt(estimate[["silhouette"]], 0.7)
  expect_equal(estimate[["residual_share"]], 0)
  expect_error(score_vectors(topics, vectors[1:5, ]), "embeddings are of 5",
    class = "imagestrata_error"
  )
})
