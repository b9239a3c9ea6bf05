test_that("judged pairs, clusters and vectors are sent", {
  calls <- local_core(next_pairs = \(...) toy_table(pair_id = "p1"))
  judged <- tibble::tibble(pair_id = "p1", image_a = "a", image_b = "b", judgement = 1)
  topics <- toy_clustering()
  expect_equal(next_pairs(judged, topics, n = 20)$pair_id, "p1")
  sent <- calls$next_pairs
  expect_equal(decode_table(sent$judged)$judgement, 1)
  expect_equal(decode_table(sent$clustering$table)$cluster, topics$cluster)
  expect_null(sent$embeddings)
  expect_equal(sent[c("n", "width", "k")], list(n = 20, width = 0.2, k = 80))
  next_pairs(judged, topics, toy_embeddings())
  expect_equal(calls$next_pairs$embeddings$kind, "embeddings")
  expect_error(next_pairs("pairs.csv", topics), "read_pairs", class = "imagestrata_error")
})

test_that("rounds of pairs are one table", {
  skip_if_no_core()
  topics <- cluster_images(toy_vectors(), "kmeans", n_clusters = 3, progress = FALSE)
  judge <- function(pairs) {
    cluster <- rlang::set_names(topics$cluster, topics$image_id)
    dplyr::mutate(pairs, judgement = as.integer(cluster[image_a] %% 2 == cluster[image_b] %% 2))
  }
  judged <- judge(sample_pairs(toy_vectors(), n = 60, clusterings = topics))
  more <- next_pairs(judged, topics, toy_vectors(), n = 30, width = 0)
  expect_equal(more$round, rep(2L, 30))
  expect_false(any(more$pair_id %in% judged$pair_id))
  both <- dplyr::bind_rows(judged, judge(more))
  scores <- score_clustering(topics, both, weighted = TRUE)
  expect_equal(scores$n_pairs, rep(90, 4))
  expect_equal(scores$estimate[[1]], 1)
  third <- next_pairs(both, topics, toy_vectors(), n = 5, width = 0)
  expect_equal(third$round, rep(3L, 5))
  narrow <- next_pairs(both, topics, toy_vectors(), width = 1)
  expect_equal(nrow(narrow), 0)
  expect_named(narrow, names(more))
  other <- cluster_images(toy_vectors(), "kmeans", n_clusters = 2, progress = FALSE)
  expect_error(
    next_pairs(both, other, toy_vectors()), "not drawn from this clustering",
    class = "imagestrata_error"
  )
})
