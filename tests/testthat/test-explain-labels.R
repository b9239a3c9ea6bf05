test_that("what is explained comes back as a table of pictures", {
  calls <- local_core(explain_labels = \(...) toy_table(image_id = "a", overlay = "/out/a.png"))
  folder <- withr::local_tempdir()
  fit <- toy_model(folder)
  wrong <- dplyr::filter(augment(fit), split == "test", truth != decision)
  found <- explain_labels(wrong, fit, file.path(folder, "maps"), "crowd", progress = FALSE)
  expect_equal(found$overlay, "/out/a.png")
  expect_equal(decode_table(calls$explain_labels[[1]]$table)$image_id, "j")
  expect_equal(calls$explain_labels$label, "crowd")
})

test_that("a model without a network has nowhere to look", {
  skip_if_no_core()
  out <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  expect_error(
    explain_labels(folder, demo_model(), out, progress = FALSE), "not a network",
    class = "imagestrata_error"
  )
  expect_error(
    explain_labels(folder, demo_model(), out, label = "crowd", progress = FALSE), "crowd",
    class = "imagestrata_error"
  )
})
