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
    sent[[3]]$text, "{\"k\":[10,15],\"similarity_threshold\":0.05,\"normalize\":[null,\"l2\"]}"
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
    calls$tune_clusters[[3]]$text, "[{\"k\":5},{\"method\":\"kmeans\",\"n_clusters\":[2,3]}]"
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
  expect_output(print(tuned), "Tuning: 2 clusterings and 1 baseline, 300 pairs, weighted")
  expect_output(print(tuned), "candidate 1, hog, 12 clusters: precision 0.800 (0.780",
    fixed = TRUE
  )
  expect_output(print(tuned), "1 clustering may be the best")
  expect_named(tidy(tuned, "differences"), c(
    "candidate_a", "candidate_b", "measure", "estimate", "std.error", "conf.low", "conf.high",
    "n_differ"
  ))
  expect_equal(glance(tuned)$heldout, 0.78)
  expect_equal(nrow(tidy(tuned, "heldout")), 2)
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

test_that("the pairs' probabilities, or the lack of them, decide what is estimated", {
  skip_if_no_core()
  embeddings <- example_embeddings()
  grid <- list(k = c(5, 10), release_share = 1)
  pairs <- sample_pairs(embeddings, n = 80, grid = grid, progress = FALSE)
  expect_setequal(sub(",.*", "", pairs$stratum), c("0 of 2", "1 of 2", "2 of 2"))
  pairs$judgement <- as.integer(pairs$stratum == "2 of 2")
  tune <- function(pairs, ...) {
    tune_clusters(embeddings, pairs, grid, baselines = FALSE, progress = FALSE, ...)
  }
  weighted <- tune(pairs)
  expect_equal(unique(weighted$weighting), "design")
  topics <- cluster_images(embeddings, k = 5, release_share = 1, progress = FALSE)
  scores <- score_clustering(topics, pairs, weighted = TRUE)
  expect_equal(weighted$estimate[weighted$k == 5], scores$estimate)
  expect_equal(nrow(tidy(weighted, "heldout")), 4)
  plain <- pairs[setdiff(names(pairs), "probability")]
  expect_warning(unweighted <- tune(plain), "estimates describe the drawn pairs")
  expect_equal(unique(unweighted$weighting), "none")
  expect_silent(tune(plain, weighted = FALSE))
  expect_error(tune(plain, weighted = TRUE), "probability", class = "imagestrata_error")
  expect_warning(
    tune_clusters(embeddings, pairs, list(similarity_threshold = c(0, 0.001)), progress = FALSE),
    "2 points of the grid give only 1 different clustering"
  )
})

test_that("standard errors of differences are those of the package survey", {
  skip_if_no_core()
  vectors <- toy_vectors()
  pairs <- sample_pairs(vectors, n = 600, k = 4, share_within = 0.5, between = "random")
  group <- as.integer(sub("\\D*", "", pairs$image_a)) %% 3
  other <- as.integer(sub("\\D*", "", pairs$image_b)) %% 4
  pairs$judgement <- as.integer((pairs$stratum == "within") != (group == 0 & other == 1))
  pairs$N_h <- NULL # the number of all pairs is then estimated, as survey does
  grid <- list(method = "kmeans", n_clusters = c(3, 5))
  tuned <- tune_clusters(vectors, pairs, grid, baselines = FALSE, progress = FALSE)
  found <- lapply(c(3, 5), \(k) {
    topics <- cluster_images(vectors, "kmeans", n_clusters = k, progress = FALSE)
    cluster <- topics$cluster[match(pairs$image_a, topics$image_id)]
    as.numeric(cluster == topics$cluster[match(pairs$image_b, topics$image_id)])
  })
  data <- data.frame(
    hits_a = found[[1]] * pairs$judgement, n_a = found[[1]],
    hits_b = found[[2]] * pairs$judgement, n_b = found[[2]], same = pairs$judgement,
    stratum = pairs$stratum, weight = 1 / pairs$probability
  )
  design <- survey::svydesign(ids = ~1, strata = ~stratum, weights = ~weight, data = data)
  totals <- survey::svytotal(~ hits_a + n_a + hits_b + n_b + same, design)
  expected <- survey::svycontrast(totals, list(
    precision = quote(hits_a / n_a - hits_b / n_b),
    recall = quote(hits_a / same - hits_b / same),
    f1 = quote(2 * hits_a / (n_a + same) - 2 * hits_b / (n_b + same))
  ))
  ours <- tidy(tuned, "differences")
  ours <- ours[match(c("precision", "recall", "f1"), ours$measure), ]
  expect_equal(ours$estimate, unname(as.vector(stats::coef(expected))), tolerance = 1e-6)
  expect_equal(ours$std.error, unname(as.vector(survey::SE(expected))), tolerance = 0.08)
})

test_that("reductions belong to the grid", {
  skip_if_no_core()
  embeddings <- example_embeddings()
  pairs <- judged_pairs(embeddings, 200)
  grid <- list(
    method = "kmeans", n_clusters = c(5, 10), reduction = "pca", n_components = c(2, 10)
  )
  tuned <- tune_clusters(embeddings, pairs, grid, progress = FALSE)
  expect_equal(glance(tuned)$n_candidates, 4)
  expect_setequal(tuned$n_components, c(2, 10))
  found <- best_clustering(tuned, embeddings, progress = FALSE)
  best <- tuned[tuned$candidate == glance(tuned)$candidate, ][1, ]
  reduced <- reduce_embeddings(embeddings, n_components = best$n_components, progress = FALSE)
  alone <- cluster_images(
    reduced, "kmeans", n_clusters = best$n_clusters, progress = FALSE
  )
  expect_equal(found$cluster, alone$cluster)
})

test_that("pairs with images that an encoder lacks are left out on request", {
  skip_if_no_core()
  vectors <- toy_vectors()
  rownames(vectors) <- NULL
  first <- cluster_images(vectors, k = 4, progress = FALSE)
  pairs <- sample_pairs(vectors, n = 60, k = 4)
  pairs$judgement <- as.integer(pairs$stratum == "within")
  fewer <- tibble::as_tibble(first)[-(1:5), ]
  expect_error(score_clustering(fewer, pairs), 'missing = "drop"', fixed = TRUE,
    class = "imagestrata_error"
  )
  scores <- score_clustering(fewer, pairs, missing = "drop")
  lacking <- pairs$image_a %in% first$image_id[1:5] | pairs$image_b %in% first$image_id[1:5]
  expect_equal(unique(scores$n_missing), sum(lacking))
  expect_equal(unique(scores$n_pairs), sum(!lacking))
  expect_error(tune_clusters(vectors[-60, ], pairs, list(k = 4), progress = FALSE),
    'missing = "drop"',
    fixed = TRUE, class = "imagestrata_error"
  )
  expect_warning(
    tuned <- tune_clusters(
      list(all = vectors, fewer = vectors[-60, ]), pairs, list(k = 4),
      missing = "drop", baselines = FALSE, folds = 3, progress = FALSE
    ),
    NA
  )
  expect_gt(glance(tuned)$n_missing, 0)
})

test_that("plots of tuning look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("precision and recall", autoplot(toy_tuning()))
  vdiffr::expect_doppelganger("against baselines", autoplot(toy_tuning(), "clusters"))
})
