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
