test_that("embeddings or a matrix are sent with the settings", {
  calls <- local_core(sample_pairs = \(...) toy_table(pair_id = "p1"))
  expect_equal(sample_pairs(toy_embeddings(), n = 3)$pair_id, "p1")
  expect_equal(calls$sample_pairs[[1]]$kind, "embeddings")
  expect_equal(unname(calls$sample_pairs[2:3]), list(3, 80))
  sample_pairs(diag(3), share_within = 0.2, seed = 4)
  expect_equal(calls$sample_pairs[[1]]$kind, "matrix")
  expect_equal(calls$sample_pairs[c("share_within", "seed")], list(share_within = 0.2, seed = 4))
  expect_null(calls$sample_pairs$out)
  expect_null(calls$sample_pairs$grid)
  expect_null(calls$sample_pairs$clusterings)
  topics <- toy_clustering()
  sample_pairs(toy_vectors(), clusterings = list(a = topics, b = topics), missing = "drop")
  sent <- calls$sample_pairs
  expect_equal(decode_table(sent$clusterings$several[[2]]$table)$cluster, topics$cluster)
  expect_equal(sent$missing, "drop")
  sample_pairs(list(toy_vectors(), toy_vectors()), clusterings = topics, grid = list(k = 5:6))
  expect_length(calls$sample_pairs$clusterings$several, 1)
  expect_equal(calls$sample_pairs[[1]]$kind, "several")
  expect_equal(calls$sample_pairs$grid$text, "{\"k\":[5,6]}")
  expect_error(sample_pairs(toy_vectors(), clusterings = 1:3), "cluster_images",
    class = "imagestrata_error"
  )
  expect_error(sample_pairs(toy_images()), "embed_images", class = "imagestrata_error")
})

test_that("pairs carry their stratum and their probability", {
  skip_if_no_core()
  pairs <- sample_pairs(toy_vectors(), n = 40, k = 4)
  expect_equal(nrow(pairs), 40)
  expect_equal(anyDuplicated(pairs$pair_id), 0)
  expect_true(all(pairs$image_a != pairs$image_b))
  expect_equal(sum(pairs$stratum == "within"), 12)
  sizes <- dplyr::distinct(pairs[c("stratum", "N_h", "probability")])
  expect_equal(sum(sizes$N_h), 60 * 59 / 2)
  expect_equal(sizes$probability * sizes$N_h, unname(c(table(pairs$stratum)[sizes$stratum])))
  expect_identical(pairs, sample_pairs(toy_vectors(), n = 40, k = 4))
  expect_error(sample_pairs(toy_vectors(), n = 5000, k = 4), "there are only",
    class = "imagestrata_error"
  )
})

test_that("pairs are drawn by how many clusterings put them together", {
  skip_if_no_core()
  coarse <- cluster_images(toy_vectors(), "kmeans", n_clusters = 2, progress = FALSE)
  fine <- cluster_images(toy_vectors(), "kmeans", n_clusters = 6, progress = FALSE)
  pairs <- sample_pairs(
    toy_vectors(),
    n = 40, between = "random", clusterings = list(coarse, fine)
  )
  together <- function(topics) {
    cluster <- rlang::set_names(topics$cluster, topics$image_id)
    cluster[pairs$image_a] == cluster[pairs$image_b]
  }
  expect_equal(pairs$stratum, paste(together(coarse) + together(fine), "of 2"))
  sizes <- dplyr::distinct(pairs[c("stratum", "N_h")])
  expect_equal(sum(sizes$N_h), 60 * 59 / 2)
  grid <- list(method = "kmeans", n_clusters = c(2, 6))
  expect_identical(pairs, sample_pairs(
    toy_vectors(),
    n = 40, between = "random", grid = grid, progress = FALSE
  ))
})

test_that("pairs within are divided by cluster, and pairs between are drawn by nearness", {
  skip_if_no_core()
  topics <- cluster_images(toy_vectors(), "kmeans", n_clusters = 3, progress = FALSE)
  pairs <- sample_pairs(toy_vectors(), n = 40, clusterings = topics, within = "per_cluster")
  numbers <- table(pairs$stratum)
  expect_equal(unname(c(numbers[paste("within", 1:3)])), c(4, 4, 4))
  expect_match(setdiff(pairs$stratum, paste("within", 1:3)), "^between [1-4]$")
  pairs$judgement <- as.integer(grepl("within", pairs$stratum))
  scores <- score_clustering(topics, pairs, weighted = TRUE)
  expect_equal(scores$estimate, c(1, 1, 1, 1))
  expect_error(
    sample_pairs(
      toy_vectors(),
      n = 40, within = "per_image", grid = list(method = "kmeans", n_clusters = 2:3),
      progress = FALSE
    ),
    "different ones",
    class = "imagestrata_error"
  )
})

test_that("plain random pairs are one stratum", {
  skip_if_no_core()
  pairs <- sample_pairs(toy_vectors(), n = 50, k = 1)
  expect_equal(unique(pairs$stratum), "all")
  expect_equal(unique(pairs$N_h), 60 * 59 / 2)
  expect_equal(unique(pairs$probability), 50 / (60 * 59 / 2))
  expect_error(sample_pairs(toy_vectors(), n = 50, k = 1, within = "per_cluster"), "no effect",
    class = "imagestrata_error"
  )
})
