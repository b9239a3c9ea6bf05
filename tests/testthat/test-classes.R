test_that("objects print a line for people first", {
  expect_snapshot({
    toy_images()
    toy_embeddings()
    toy_clustering()
    toy_sample()
  })
})

test_that("summaries are sentences and small tables", {
  expect_snapshot({
    summary(toy_images())
    summary(toy_embeddings())
    summary(toy_clustering())
    summary(toy_sample())
  })
})

test_that("tidy, glance and augment give plain tibbles of the contract", {
  topics <- toy_clustering()
  plain <- c("tbl_df", "tbl", "data.frame")
  expect_named(tidy(topics), c("cluster", "size", "share", "silhouette", "iteration"))
  expect_named(
    tidy(topics, "trace"),
    c("iteration", "n_remaining", "k", "n_cohesive", "mean_size", "seconds")
  )
  expect_named(glance(topics), c(
    "n_images", "n_clusters", "n_residual", "n_iterations", "mean_silhouette", "method",
    "encoder", "seed"
  ))
  expect_named(
    augment(topics),
    c("image_id", "path", "cluster", "iteration", "silhouette", "distance", "n_copies")
  )
  for (table in list(tidy(topics), glance(topics), augment(topics), tibble::as_tibble(topics))) {
    expect_equal(class(table), plain)
  }
  expect_equal(tidy(toy_images())$n, c(2, 1, 1))
  expect_equal(glance(toy_images()), tibble::tibble(
    n_files = 4L, n_images = 2L, n_duplicates = 1L, n_rejected = 1L
  ))
  expect_equal(glance(toy_embeddings())$encoder, "hog")
  expect_equal(tidy(toy_embeddings())$reason, "it changed since the scan")
})

test_that("augment() joins clusters to data of one's own", {
  posts <- data.frame(image_id = c("c", "zz", "c"), likes = 1:3)
  joined <- augment(toy_clustering(), posts)
  expect_equal(joined$cluster, c(2, NA, 2))
  expect_equal(joined$likes, 1:3)
  by_path <- augment(toy_clustering(), data.frame(path = "/p/e.jpg", cluster = "mine"))
  expect_equal(by_path$cluster, "mine")
  expect_equal(by_path$silhouette, -0.1)
})

test_that("a clustering stays one only as long as it has all its images", {
  topics <- toy_clustering()
  is_clustering <- function(x) inherits(x, "imagestrata_clustering")
  expect_true(is_clustering(dplyr::mutate(topics, month = 1)))
  expect_true(is_clustering(dplyr::arrange(topics, silhouette)))
  expect_true(is_clustering(dplyr::left_join(topics, data.frame(path = "x", y = 1), by = "path")))
  expect_true(is_clustering(topics[6:1, ]))
  expect_false(is_clustering(dplyr::filter(topics, cluster == 1)))
  expect_false(is_clustering(topics[1:3, ]))
  expect_false(is_clustering(dplyr::select(topics, image_id, cluster)))
  expect_false(is_clustering(topics["cluster"]))
  kept <- names(attributes(dplyr::filter(topics, cluster == 1)))
  expect_setequal(kept, c("class", "row.names", "names"))
  expect_equal(topics[["cluster"]], topics$cluster)
  expect_equal(dplyr::count(topics, cluster)$n, c(1, 3, 2))
  expect_equal(glance(dplyr::mutate(topics, month = 1)), glance(topics))
})

test_that("embeddings find their vectors by id, whatever became of the rows", {
  embeddings <- toy_embeddings()
  all <- as.matrix(embeddings)
  expect_equal(rownames(all), c("a", "b", "c"))
  some <- dplyr::arrange(dplyr::filter(embeddings, image_id != "b"), dplyr::desc(image_id))
  expect_s3_class(some, "imagestrata_embeddings")
  expect_equal(as.matrix(some), all[c("c", "a"), ])
  some$image_id[1] <- "unknown"
  expect_error(as.matrix(some), "unknown", class = "imagestrata_error")
  expect_false(inherits(dplyr::select(embeddings, path), "imagestrata_embeddings"))
})

test_that("objects survive saveRDS() whole", {
  path <- withr::local_tempfile()
  for (object in list(toy_images(), toy_embeddings(), toy_clustering(), toy_sample())) {
    saveRDS(object, path)
    expect_identical(readRDS(path), object)
  }
})

test_that("durations and counts are words of people", {
  expect_equal(duration(3.21), "3.2 s")
  expect_equal(duration(125), "2 min")
  expect_equal(duration(5400), "1.5 h")
  expect_equal(count_of(1, "image"), "1 image")
  expect_equal(count_of(18096, "image"), "18,096 images")
})
