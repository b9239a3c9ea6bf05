test_that("labels, limits and tables reach Python", {
  calls <- local_core(propose_exclusions = \(...) toy_table(image_id = "a", label = "Violence"))
  tags <- data.frame(image_id = "a", label = "Violence", confidence = 0.9)
  propose_exclusions(tags, c("Violence", "Nudity"), progress = FALSE)
  expect_equal(calls$propose_exclusions$labels, list("Violence", "Nudity"))
  propose_exclusions(tags, c(Violence = 0.25, Nudity = 1), progress = FALSE)
  expect_equal(
    jsonlite::fromJSON(calls$propose_exclusions$labels$text),
    list(Violence = 0.25, Nudity = 1)
  )
  propose_exclusions(tags, words = "kill", progress = FALSE)
  expect_equal(calls$propose_exclusions$words, list("kill"))
  expect_error(propose_exclusions("tags"), class = "imagestrata_error")
})

test_that("images are proposed, and the table is taken as `exclude`", {
  skip_if_no_core()
  tags <- data.frame(
    image_id = c("a", "b", "c"), label = c("Violence", "Violence", NA),
    confidence = c(0.9, 0.4, NA), reason = c(NA, NA, "damaged")
  )
  expect_warning(
    proposed <- propose_exclusions(tags, c(violence = 0.5), progress = FALSE),
    "2 of 3 images are proposed for exclusion: 1 \"violence\", 1 not screened"
  )
  expect_s3_class(proposed, "tbl_df")
  expect_named(proposed, c("image_id", "path", "label", "confidence", "reason"))
  expect_equal(proposed$image_id, c("a", "c"))
  expect_equal(proposed$label, c("violence", NA))
  expect_equal(proposed$reason, c("violence (0.90)", "not screened: damaged"))
  sent <- check_exclude(proposed)
  expect_equal(sent$kind, "table")
  sample <- demo_sample()
  sure <- c(1, rep(0, nrow(sample) - 1))
  tags <- data.frame(image_id = sample$image_id, label = "x", confidence = sure)
  proposed <- suppressWarnings(propose_exclusions(tags, "x", progress = FALSE))
  packets <- assign_annotators(sample, n_images = 5)
  expect_warning(
    suppressMessages(
      export_packets(packets, withr::local_tempdir(), exclude = proposed, progress = FALSE)
    ),
    "excluded: 1 \"x\""
  )
})
