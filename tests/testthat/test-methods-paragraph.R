test_that("the run folder crosses as a path, and a text comes back", {
  calls <- local_core(methods_paragraph = \(run) "Of 2 files, 2 (100.0%)")
  run <- withr::local_tempdir()
  expect_equal(methods_paragraph(run), "Of 2 files, 2 (100.0%)")
  expect_equal(calls$methods_paragraph$run, normalizePath(run))
  expect_error(methods_paragraph(file.path(run, "x")), class = "imagestrata_error")
  expect_error(methods_paragraph(run, year = 2026), class = "imagestrata_error")
})

test_that("it tells a run with its own numbers", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  clustering <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  drawn <- sample_images(clustering, 2, out = run)
  text <- methods_paragraph(run)
  expect_length(text, 1)
  line <- glance(clustering)
  files <- nrow(scan_images(folder, out = run, progress = FALSE))
  expect_match(text, sprintf("Of %d files", files), fixed = TRUE)
  expect_match(
    text,
    sprintf("%d images into %d clusters (", line$n_images, line$n_clusters),
    fixed = TRUE
  )
  expect_match(text, sprintf("%d images", nrow(drawn)), fixed = TRUE)
  expect_match(text, "\n\nReference: ", fixed = TRUE)
  expect_match(text, "imagestrata: Visual topics", fixed = TRUE)
})
