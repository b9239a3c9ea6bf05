test_that("the arguments reach Python", {
  calls <- local_core(map_images = \(...) toy_table(image_id = "a", x = 1, y = 2, method = "pca"))
  points <- map_images(toy_embeddings(), "pca", n_neighbors = 5L)
  expect_equal(points, tibble::tibble(image_id = "a", x = 1, y = 2, method = "pca"))
  expect_equal(calls$map_images[[2]], "pca")
  expect_equal(calls$map_images[c("n_neighbors", "min_dist", "seed")], list(
    n_neighbors = 5, min_dist = 0.01, seed = 0
  ))
  expect_error(map_images("folder"), "embed_images", class = "imagestrata_error")
})

test_that("images are mapped, drawn, and shown on the page", {
  skip_if_no_core()
  embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
  topics <- cluster_images(embeddings, progress = FALSE)
  points <- map_images(embeddings, "pca", progress = FALSE)
  expect_equal(names(points), c("image_id", "x", "y", "method"))
  expect_setequal(points$image_id, embeddings$image_id)
  expect_s3_class(autoplot(topics, "map", points = points), "ggplot")
  page <- suppressMessages(
    image_gallery(topics, withr::local_tempdir(), points = points, progress = FALSE)
  )
  expect_match(
    paste(readLines(page, warn = FALSE), collapse = ""), '"method":"pca"', fixed = TRUE
  )
})
