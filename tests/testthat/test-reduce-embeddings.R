test_that("principal components are those of prcomp()", {
  skip_if_no_core()
  vectors <- as.matrix(iris[1:4])
  reduced <- reduce_embeddings(vectors, n_components = 2, progress = FALSE)
  expected <- prcomp(vectors)
  expect_equal(abs(unname(as.matrix(reduced))), abs(unname(expected$x[, 1:2])), tolerance = 1e-4)
  expect_equal(
    attr(reduced, "explained_variance"), (expected$sdev^2 / sum(expected$sdev^2))[1:2],
    tolerance = 1e-5
  )
  expect_equal(glance(reduced)$encoder, "pca")
  expect_equal(ncol(as.matrix(reduce_embeddings(vectors, progress = FALSE))), 1)
})

test_that("reduced vectors are clustered, and kept in a run folder", {
  skip_if_no_core()
  vectors <- toy_vectors()
  run <- withr::local_tempdir()
  reduced <- reduce_embeddings(vectors, n_components = 1, out = run, progress = FALSE)
  expect_equal(as.matrix(read_embeddings(run)), as.matrix(reduced))
  topics <- cluster_images(reduced, "kmeans", n_clusters = 3, progress = FALSE)
  expect_equal(tidy(topics)$size, c(20, 20, 20))
  expect_output(print(summary(reduced)), "reduced_by *pca")
  expect_error(
    predict(topics, imagestrata_example("images")), "reduced vectors",
    class = "imagestrata_error"
  )
})

test_that("arguments arrive as Python wants them", {
  calls <- local_core(reduce_embeddings = function(...) {
    list(
      images = toy_table(image_id = "a", path = "/a", n_copies = 1L),
      failures = toy_table(image_id = character(), path = character(), reason = character()),
      encoder = "{\"name\": \"umap\", \"reduced_by\": \"umap\"}", width = 2,
      matrix = encode_matrix(matrix(1:2, 1))
    )
  })
  reduced <- reduce_embeddings(diag(3), "umap", seed = NULL, progress = FALSE)
  expect_null(attr(reduced, "explained_variance"))
  sent <- calls$reduce_embeddings
  expect_equal(sent[[2]], "umap")
  expect_equal(sent$n_neighbors, 15)
  expect_null(sent$seed)
  expect_null(sent$n_components)
})

test_that("bad arguments are errors", {
  expect_error(reduce_embeddings("folder"), "embed_images", class = "imagestrata_error")
  expect_error(reduce_embeddings(diag(3), n_components = "two"), "one number",
    class = "imagestrata_error"
  )
  skip_if_no_core()
  expect_error(reduce_embeddings(diag(3), n_components = 4, progress = FALSE), "between 1 and 3",
    class = "imagestrata_error"
  )
})
