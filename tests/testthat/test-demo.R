test_that("the examples need no Python, and their images are there", {
  topics <- demo_topics()
  expect_s3_class(topics, "imagestrata_clustering")
  expect_true(all(file.exists(topics$path)))
  expect_true(all(demo_sample()$image_id %in% topics$image_id))
  expect_equal(sum(topics$cluster == -1), glance(topics)$n_residual)
})

test_that("the same seed draws the same corpus", {
  skip_if_no_core()
  draw <- function(folder) {
    draw_demo_corpus(folder, n_images = 20, seed = 4, progress = FALSE)
    unname(tools::md5sum(list.files(folder, full.names = TRUE, recursive = TRUE)))
  }
  expect_identical(draw(withr::local_tempdir()), draw(withr::local_tempdir()))
})
