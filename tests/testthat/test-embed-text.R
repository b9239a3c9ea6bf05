test_that("texts become vectors that can be clustered", {
  skip_if_no_core()
  texts <- data.frame(
    image_id = letters[1:7],
    description = factor(c(rep("the red flag waves", 3), rep("a cat sleeps", 3), NA)),
    party = "green"
  )
  vectors <- embed_text(texts, progress = FALSE)
  expect_equal(dim(as.matrix(vectors)), c(6L, 5L))
  expect_equal(vectors$party, rep("green", 6))
  expect_equal(tidy(vectors)$reason, "no text")
  topics <- cluster_images(vectors, method = "kmeans", n_clusters = 2, progress = FALSE)
  expect_equal(length(unique(topics$cluster[1:3])), 1)
  expect_false(topics$cluster[1] == topics$cluster[4])
})

test_that("a server can be the encoder", {
  skip_if_no_core()
  server <- model_server("big", "https://models.example.org/v1", api_key = "k")
  texts <- data.frame(image_id = "a", description = "text")
  expect_error(embed_text(texts, server, progress = FALSE), "1 text leaves this machine",
    class = "imagestrata_error"
  )
})
