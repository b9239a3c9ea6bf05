test_that("numbers of clusters are sent as a list, also a single one", {
  calls <- local_core(find_images = \(...) toy_table(cluster = 1L, rank = 1L))
  find_images(toy_clustering(), clusters = 2)
  expect_equal(calls$find_images[[2]], list(2))
  find_images(toy_clustering())
  expect_null(calls$find_images[[2]])
})

test_that("typical images have the highest silhouettes of their cluster", {
  skip_if_no_core()
  topics <- demo_topics()
  found <- find_images(topics, clusters = 1, n = 4)
  best <- sort(topics$silhouette[topics$cluster == 1], decreasing = TRUE)[1:4]
  expect_equal(found$silhouette, best)
  expect_equal(found$rank, 1:4)
  expect_error(find_images(topics, clusters = 999), "999", class = "imagestrata_error")
})

test_that("doubtful images have the lowest margins, random ones depend on the seed", {
  skip_if_no_core()
  topics <- cluster_images(
    imagestrata_example("images"), method = "kmeans", n_clusters = 5, encoder = "hog",
    progress = FALSE
  )
  found <- find_images(topics, clusters = 1, n = 4, order = "doubtful")
  expect_equal(found$margin, sort(topics$margin[topics$cluster == 1])[1:4])
  expect_true(all(found$second_cluster %in% 2:5))
  drawn <- function(seed) find_images(topics, 1, order = "random", seed = seed)$image_id
  expect_identical(drawn(1), drawn(1))
  expect_false(identical(drawn(1), drawn(2)))
  stored <- withr::local_tempfile(fileext = c(".png", ".png"))
  plot_montage(topics, stored[1], order = "random", seed = 1)
  plot_montage(topics, stored[2], order = "random", seed = 2)
  expect_false(unname(tools::md5sum(stored[1]) == tools::md5sum(stored[2])))
  # Clusterings of older versions have no margins.
  expect_error(
    find_images(demo_topics(), order = "doubtful"), "margin", class = "imagestrata_error"
  )
})

test_that("images like a picture are found from the run folder or from embeddings", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  topics <- cluster_images(
    folder, method = "kmeans", n_clusters = 5, encoder = "hog", out = run, progress = FALSE
  )
  files <- list.files(folder, full.names = TRUE)
  found <- find_images(topics, like = files[3], n = 4)
  expect_named(
    found, c("query", "rank", "image_id", "path", "file", "cluster", "similarity")
  )
  expect_equal(found$file[1], basename(files[3]))
  expect_equal(found$similarity[1], 1)
  expect_equal(found$rank, 1:4)
  vectors <- as.matrix(read_embeddings(run))
  row <- match(found$image_id[1], rownames(vectors))
  units <- vectors / sqrt(rowSums(vectors^2))
  close <- sort((units %*% units[row, ])[, 1], decreasing = TRUE)[1:4]
  expect_equal(found$similarity, unname(close), tolerance = 1e-6)
  expect_equal(found$image_id, names(close))

  elsewhere <- withr::local_tempfile(fileext = ".png")
  png::writePNG(array(stats::runif(40 * 60 * 3), c(40, 60, 3)), elsewhere)
  several <- find_images(topics, like = c(elsewhere, found$image_id[1]), n = 2)
  expect_equal(several$query, rep(c(elsewhere, found$image_id[1]), each = 2))
  expect_lt(several$similarity[1], 1)
  expect_equal(find_images(topics, like = found[1, ], n = 2)$image_id, found$image_id[1:2])
  expect_true(all(find_images(topics, 2, like = files[3])$cluster == 2))

  lost <- topics
  attr(lost, "source") <- NULL
  expect_error(find_images(lost, like = files[3]), "embeddings", class = "imagestrata_error")
  expect_equal(find_images(lost, like = files[3], n = 4, embeddings = read_embeddings(run)), found)
  expect_error(find_images(topics, like = "no.jpg"), "no.jpg", class = "imagestrata_error")
  expect_error(find_images(topics, text = "a cat"), "hog", class = "imagestrata_error")
})
