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
