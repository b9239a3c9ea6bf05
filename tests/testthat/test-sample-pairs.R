test_that("embeddings or a matrix are sent with the settings", {
  calls <- local_core(sample_pairs = \(...) toy_table(pair_id = "p1"))
  expect_equal(sample_pairs(toy_embeddings(), n = 3)$pair_id, "p1")
  expect_equal(calls$sample_pairs[[1]]$kind, "embeddings")
  expect_equal(unname(calls$sample_pairs[2:3]), list(3, 80))
  sample_pairs(diag(3), share_within = 0.2, seed = 4)
  expect_equal(calls$sample_pairs[[1]]$kind, "matrix")
  expect_equal(calls$sample_pairs[c("share_within", "seed")], list(share_within = 0.2, seed = 4))
  expect_null(calls$sample_pairs$out)
  expect_error(sample_pairs(toy_images()), "embed_images", class = "imagestrata_error")
})

test_that("pairs carry their stratum and their probability", {
  skip_if_no_core()
  pairs <- sample_pairs(toy_vectors(), n = 40, k = 4)
  expect_equal(nrow(pairs), 40)
  expect_equal(anyDuplicated(pairs$pair_id), 0)
  expect_true(all(pairs$image_a != pairs$image_b))
  expect_equal(sum(pairs$stratum == "within"), 20)
  expect_equal(pairs$probability, 20 / pairs$N_h)
  expect_equal(sum(unique(pairs$N_h)), 60 * 59 / 2)
  expect_identical(pairs, sample_pairs(toy_vectors(), n = 40, k = 4))
  expect_error(sample_pairs(toy_vectors(), n = 5000, k = 4), "there are only",
    class = "imagestrata_error"
  )
})
