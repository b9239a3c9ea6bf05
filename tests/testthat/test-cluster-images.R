test_that("the corpus is clustered alike from a folder, a scan and embeddings", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  direct <- cluster_images(folder, encoder = "hog", progress = FALSE)
  images <- scan_images(folder, progress = FALSE)
  from_scan <- cluster_images(images, encoder = "hog", progress = FALSE)
  embeddings <- embed_images(images, encoder = "hog", progress = FALSE)
  from_vectors <- cluster_images(embeddings, progress = FALSE)
  expect_identical(from_scan$cluster, direct$cluster)
  expect_identical(from_vectors$cluster, direct$cluster)
  expect_identical(from_vectors$image_id, direct$image_id)
})

test_that("a finished run is loaded, also in a new session", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  topics <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  again <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  expect_identical(again, topics)
  stored <- read_clustering(run)
  expect_identical(tidy(stored), tidy(topics))
  expect_identical(stored$cluster, topics$cluster)
  expect_error(
    cluster_images(folder, encoder = "hog", out = run, seed = 5, progress = FALSE),
    "seed",
    class = "imagestrata_error"
  )
})

test_that("a matrix of vectors of one's own is clustered", {
  skip_if_no_core()
  set.seed(1)
  vectors <- rbind(matrix(rnorm(200, 0), 50), matrix(rnorm(200, 20), 50))
  topics <- cluster_images(vectors, method = "kmeans", n_clusters = 2, progress = FALSE)
  expect_equal(tidy(topics)$size, c(50, 50))
  expect_equal(length(unique(topics$cluster[1:50])), 1)
})

test_that("new images go to the clusters of their likes", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
  placed <- predict(topics, folder, progress = FALSE)
  expect_named(placed, c("image_id", "path", "cluster", "distance"))
  both <- dplyr::inner_join(placed, augment(topics), by = "image_id")
  both <- dplyr::filter(both, cluster.y > 0)
  expect_gt(mean(both$cluster.x == both$cluster.y), 0.5)
  expect_equal(
    predict(topics, embed_images(folder, encoder = "hog", progress = FALSE))$cluster,
    placed$cluster
  )
})

test_that("R and Python give the golden tables", {
  skip_if_no_core()
  fixtures <- test_path("..", "fixtures")
  skip_if_not(dir.exists(fixtures), "not in the repository")
  vectors <- as.matrix(utils::read.csv(file.path(fixtures, "golden-vectors.csv")))
  topics <- cluster_images(unname(vectors), seed = 3, progress = FALSE)
  golden <- utils::read.csv(file.path(fixtures, "golden-clusters.csv"), colClasses = c(image_id = "character"))
  expect_equal(topics$image_id, golden$image_id)
  expect_equal(topics$cluster, golden$cluster)
  drawn <- sample_images(topics, seed = 3)
  sample <- utils::read.csv(file.path(fixtures, "golden-sample.csv"), colClasses = c(image_id = "character"))
  for (column in names(sample)) {
    expect_equal(drawn[[column]], sample[[column]], info = column)
  }
})
