sizes <- c(12, 10, 9, 8)
kinds <- rep(c(1, 2, 3, 3), sizes)

# Cluster 1 has two kinds of images; the third kind has two clusters.
four_groups <- function() {
  centres <- rbind(c(9, 0, 0, 0), c(0, 9, 0, 0), c(0, 0, 9, 0), c(0, 0, 9, 1.5))
  noise <- matrix(sin(seq_len(39 * 4) * 12.9898) * 0.3, ncol = 4)
  centres[rep(1:4, sizes), ] + noise
}

judge_by_kind <- function(pairs, topics) {
  kind <- stats::setNames(kinds, topics$image_id)
  pairs$judgement <- as.integer(kind[pairs$image_a] == kind[pairs$image_b])
  pairs
}

test_that("clusters are split and merged as people judge, and edits can be undone", {
  skip_if_no_core()
  vectors <- four_groups()
  topics <- as_clustering(vectors, rep(c(1, 1, 2, 3), sizes))
  pairs <- judge_by_kind(propose_pairs(topics, embeddings = vectors, n = 40), topics)
  expect_setequal(pairs$stratum, "teaching")
  expect_true(all(is.na(pairs$probability)))
  more <- judge_by_kind(propose_pairs(topics, pairs, vectors, n = 20, seed = 1), topics)
  expect_length(intersect(pairs$pair_id, more$pair_id), 0)
  judged <- dplyr::bind_rows(pairs, more)

  improved <- improve_clusters(topics, judged, vectors, weighted = FALSE, editor = "Ann")
  expect_s3_class(improved, "imagestrata_improvement")
  expect_s3_class(improved$clustering, "imagestrata_clustering")
  expect_equal(glance(improved)[c("n_merges", "n_splits", "n_clusters")] |> unlist(),
    c(n_merges = 1, n_splits = 1, n_clusters = 3)
  )
  expect_equal(glance(improved)$n_pairs, nrow(judged))
  found <- table(improved$clustering$cluster, kinds)
  expect_equal(sum(found > 0), 3)
  scores <- tidy(improved)
  expect_named(scores, c("measure", "weighting", "clustering", "estimate", "conf.low", "conf.high",
                         "n_pairs"))
  f1 <- scores[scores$measure == "f1", ]
  expect_equal(f1$estimate[[2]] - f1$estimate[[1]], f1$estimate[[3]])
  expect_gt(f1$estimate[[3]], 0)
  edits <- tidy(improved, "edits")
  expect_setequal(edits$editor, "Ann")
  expect_match(edits$note, "judged pairs (apart|together)$")
  again <- edit_clusters(topics, vectors, edits = edits)
  expect_equal(again$cluster, improved$clustering$cluster)
  expect_output(print(improved), "1 merge and 1 split from")
})

test_that("the clustering is the given one if no edit helps", {
  skip_if_no_core()
  vectors <- four_groups()
  topics <- as_clustering(vectors, rep(c(1, 1, 2, 3), sizes))
  pairs <- propose_pairs(topics, embeddings = vectors, n = 40)
  own <- stats::setNames(topics$cluster, topics$image_id)
  pairs <- dplyr::bind_rows(
    pairs[c("pair_id", "image_a", "image_b")],
    tibble::tibble(
      pair_id = paste0("q", 1:6), image_a = topics$image_id[topics$cluster == 1][1:6],
      image_b = topics$image_id[topics$cluster == 3][1:6]
    )
  )
  pairs$judgement <- as.integer(own[pairs$image_a] == own[pairs$image_b])
  improved <- improve_clusters(topics, pairs, vectors, weighted = FALSE)
  expect_identical(improved$clustering, topics)
  expect_equal(nrow(tidy(improved, "edits")), 0)
  expect_output(print(improved), "No edit: 46 judged pairs do not show that one helps")
})

test_that("arguments are checked before Python is called", {
  calls <- local_core(improve_clusters = \(...) stop("not reached"))
  expect_error(improve_clusters(mean, data.frame()), "cluster_images", class = "imagestrata_error")
  expect_error(propose_pairs(mean), "cluster_images", class = "imagestrata_error")
})

test_that("pairs divide a cluster whose kinds differ in one of many directions", {
  skip_if_no_core()
  kinds <- rep(1:3, c(60, 60, 40))
  vectors <- matrix(sin(seq_len(160 * 12)^2 * 12.9898) * 1.5, ncol = 12)
  vectors[, 1] <- vectors[, 1] + 30 * (kinds == 3)
  vectors[, 2] <- vectors[, 2] + 4 * (kinds == 2)
  topics <- as_clustering(vectors, rep(c(1, 2), c(120, 40)))
  every <- utils::combn(120, 2)[, seq(1, 7140, by = 60)]
  judged <- tibble::tibble(
    pair_id = paste0("p", seq_len(ncol(every))),
    image_a = topics$image_id[every[1, ]], image_b = topics$image_id[every[2, ]],
    judgement = as.integer(kinds[every[1, ]] == kinds[every[2, ]])
  )
  improved <- improve_clusters(topics, judged, vectors, weighted = FALSE)
  expect_equal(glance(improved)$n_splits, 1)
  purity <- sum(apply(table(improved$clustering$cluster, kinds), 1, max)) / 160
  expect_gt(purity, 0.9)
  # The order of pairs does not matter, nor which image is first.
  turned <- dplyr::rename(judged[rev(seq_len(nrow(judged))), ],
    image_a = "image_b", image_b = "image_a"
  )
  again <- improve_clusters(topics, turned, vectors, weighted = FALSE)
  expect_equal(again$clustering$cluster, improved$clustering$cluster)
  # Edits can be replayed, and left out again.
  edits <- tidy(improved, "edits")
  expect_equal(
    edit_clusters(topics, vectors, edits = edits)$cluster, improved$clustering$cluster
  )
  expect_equal(edit_clusters(topics, vectors, edits = edits[0, ])$cluster, topics$cluster)
  # Several judgements of a pair are made one first.
  twice <- dplyr::bind_rows(judged, judged[1, ])
  expect_error(improve_clusters(topics, twice, vectors, weighted = FALSE), "consensus")
})
