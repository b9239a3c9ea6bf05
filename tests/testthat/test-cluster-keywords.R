test_that("words are sent as lists, also a single one", {
  calls <- local_core(cluster_keywords = \(...) toy_table(cluster = 1L, rank = 1L))
  cluster_keywords(toy_clustering(), stop_words = "the", drop = c("a", "b"))
  expect_equal(calls$cluster_keywords$stop_words, list("the"))
  expect_equal(calls$cluster_keywords$drop, list("a", "b"))
  cluster_keywords(toy_clustering())
  expect_equal(calls$cluster_keywords$stop_words, "english")
  expect_null(calls$cluster_keywords$drop)
  expect_error(cluster_keywords(toy_clustering(), drop = 1), "must be text",
    class = "imagestrata_error"
  )
})

test_that("keywords tell clusters apart, and are shown", {
  skip_if_no_core()
  topics <- demo_topics()
  captions <- data.frame(
    image_id = topics$image_id,
    caption = factor(paste0("all of them, word", topics$cluster))
  )
  words <- cluster_keywords(topics, captions, column = "caption", n = 1)
  expect_equal(words$term, paste0("word", words$cluster))
  expect_equal(unique(words$exclusivity), 1)
  expect_equal(unique(words$share), 1)
  page <- suppressMessages(
    image_gallery(topics, withr::local_tempdir(), keywords = words, progress = FALSE)
  )
  expect_match(paste(readLines(page, warn = FALSE), collapse = ""), "word1", fixed = TRUE)
  file <- withr::local_tempfile(fileext = ".png")
  withr::local_pdf(NULL)
  plot_montage(topics, file, n_clusters = 2, n_images = 2, keywords = words)
  expect_true(file.exists(file))
})
