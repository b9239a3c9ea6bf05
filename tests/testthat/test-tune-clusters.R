test_that("grids and several encoders are sent as they are meant", {
  calls <- local_core(tune_clusters = function(...) {
    list(tables = lapply(attr(toy_tuning(), "tables"), encode_table), settings = "{}")
  })
  pairs <- tibble::tibble(pair_id = "p1", judgement = 1)
  grid <- list(k = c(10, 15), similarity_threshold = 0.05, normalize = list(NULL, "l2"))
  tuned <- tune_clusters(
    list(first = toy_vectors(), second = toy_embeddings()), pairs, grid, progress = FALSE
  )
  sent <- calls$tune_clusters
  expect_identical(
    sent[[3]], "{\"k\":[10,15],\"similarity_threshold\":0.05,\"normalize\":[null,\"l2\"]}"
  )
  expect_identical(sent[[1]]$names, list("first", "second"))
  expect_identical(sent[[1]]$several[[1]]$kind, "matrix")
  expect_s3_class(tuned, "imagestrata_tuning")

  tune_clusters(list(toy_vectors(), toy_vectors()), pairs, progress = FALSE)
  expect_null(calls$tune_clusters[[1]]$names)
  expect_null(calls$tune_clusters[[3]])
  grids <- list(list(k = 5), list(method = "kmeans", n_clusters = 2:3))
  tune_clusters(toy_vectors(), pairs, grids, progress = FALSE)
  expect_identical(
    calls$tune_clusters[[3]], "[{\"k\":5},{\"method\":\"kmeans\",\"n_clusters\":[2,3]}]"
  )
  tune_clusters(toy_vectors(), pairs, progress = FALSE)
  expect_identical(calls$tune_clusters[[1]]$kind, "matrix")
  expect_error(tune_clusters(toy_vectors(), pairs, c(10, 15)), "must be a named list",
    class = "imagestrata_error"
  )
  expect_error(tune_clusters("photos", pairs), "embed_images", class = "imagestrata_error")
  expect_error(tune_clusters(toy_vectors(), 1:3), "data frame", class = "imagestrata_error")
})

test_that("a tuning says what was best", {
  tuned <- toy_tuning()
  expect_output(print(tuned), "Tuning: 2 clusterings and 1 baseline, 300 pairs in 5 folds")
  expect_output(print(tuned), "candidate 1, hog, 12 clusters: precision 0.800 (0.780",
    fixed = TRUE
  )
  expect_equal(glance(tuned)$heldout, 0.78)
  expect_equal(nrow(tidy(tuned, "folds")), 2)
  expect_equal(nrow(tidy(tuned)), 6)
  expect_error(tidy(tuned, "trace"), "must be one of")
  expect_equal(class(tibble::as_tibble(tuned)), c("tbl_df", "tbl", "data.frame"))
})

test_that("of some of its rows or columns a tuning is a plain tibble", {
  tuned <- toy_tuning()
  plain <- c("tbl_df", "tbl", "data.frame")
  expect_s3_class(dplyr::arrange(tuned, estimate), "imagestrata_tuning")
  expect_s3_class(dplyr::mutate(tuned, note = "x"), "imagestrata_tuning")
  expect_s3_class(tuned[6:1, ], "imagestrata_tuning")
  expect_identical(class(dplyr::filter(tuned, baseline)), plain)
  expect_identical(class(dplyr::select(tuned, candidate)), plain)
  expect_identical(class(tuned[1:2, ]), plain)
  expect_identical(tuned$candidate[1], 1L)
})

test_that("a grid is scored, and the best clustering made again", {
  skip_if_no_core()
  embeddings <- example_embeddings()
  pairs <- judged_pairs(embeddings)
  several <- list(
    hog = embeddings,
    squished = embed_images(
      imagestrata_example("images"), "hog", resize = "squish", progress = FALSE
    )
  )
  tuned <- tune_clusters(several, pairs, list(k = c(5, 10), release_share = 1), progress = FALSE)
  expect_equal(glance(tuned)$n_candidates, 4)
  expect_setequal(tuned$encoder, c("hog", "squished"))
  expect_equal(nrow(tidy(tuned, "selection")), 5)
  best <- tuned[tuned$candidate == glance(tuned)$candidate, ]
  expect_warning(
    topics <- best_clustering(tuned, several, progress = FALSE),
    "Only 60 pairs decide"
  )
  expect_equal(nrow(tidy(topics)), best$n_clusters[1])
})

test_that("plots of tuning look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("precision and recall", autoplot(toy_tuning()))
  vdiffr::expect_doppelganger("against baselines", autoplot(toy_tuning(), "clusters"))
})
