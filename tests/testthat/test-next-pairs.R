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

test_that("pairs get a second look by others, and errors are estimated", {
  skip_if_no_core()
  topics <- cluster_images(toy_vectors(), "kmeans", n_clusters = 3, progress = FALSE)
  first <- sample_pairs(toy_vectors(), n = 60, clusterings = topics)
  first <- dplyr::mutate(first, annotator = "ann", judgement = as.integer(stratum == "within"))
  first$judgement[which(first$stratum != "within")[1]] <- 1L
  again <- next_pairs(first, topics, n = 20, again = TRUE)
  expect_equal(nrow(again), 20)
  expect_true(all(again$pair_id %in% first$pair_id))
  expect_true(first$pair_id[which(first$stratum != "within")[1]] %in% again$pair_id)
  expect_false(any(c("annotator", "judgement") %in% names(again)))
  expect_error(
    score_clustering(topics, first, error_rate = "estimate"), "several annotators judged",
    class = "imagestrata_error"
  )
  second <- dplyr::mutate(again, annotator = "bea", judgement = as.integer(stratum == "within"))
  judged <- dplyr::bind_rows(first, second)
  scores <- score_clustering(topics, judged, error_rate = "estimate", weighted = TRUE)
  expect_equal(scores$measure[5:6], c("wrong_together", "wrong_apart"))
  expect_equal(scores$n_pairs, rep(60, 6))
  expect_gt(scores$estimate[[1]], 0.9)
})
