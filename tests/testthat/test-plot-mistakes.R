test_that("mistakes are a ggplot, stored where asked and by ggsave()", {
  skip_if_no_core()
  stored <- withr::local_tempfile(fileext = ".pdf")
  saved <- withr::local_tempfile(fileext = ".png")
  plot <- plot_mistakes(demo_model(), stored, n_images = 4)
  expect_s3_class(plot, "ggplot")
  expect_identical(ggplot2::last_plot(), plot)
  expect_equal(readLines(stored, 1, warn = FALSE), "%PDF-1.4")
  ggplot2::ggsave(saved, width = 4, height = 3, dpi = 100)
  expect_gt(length(unique(as.vector(png::readPNG(saved)))), 50)
})

test_that("the images are those that R knows of", {
  calls <- local_core(plot_mistakes = \(...) NULL, rows_of_mistakes = function(file, ...) {
    png::writePNG(matrix(0.5, 2, 2), file)
    list(
      rows = toy_table(label = "crowd", about = "false positives\n1 of 2", heading = NA_character_),
      images = toy_table(image_id = "a", row = 1L, column = 1L), n_images = 3,
      note = "Rows: labels."
    )
  })
  folder <- withr::local_tempdir()
  plot <- plot_mistakes(toy_model(folder), file.path(folder, "wrong.png"), label = "crowd")
  expect_equal(plot$labels$caption, "Rows: labels.")
  expect_match(ggplot2::get_alt_text(plot), "for each mistake of crowd .false positives, 1 of 2")
  expect_equal(decode_table(calls$plot_mistakes[[1]]$predictions)$path[1], "/p/a.jpg")
  expect_equal(calls$plot_mistakes$label, "crowd")
  expect_equal(calls$rows_of_mistakes$label, "crowd")
  # Python's figure is stored where it is asked for only.
  expect_equal(calls$plot_mistakes$out, absolute_path(file.path(folder, "wrong.png")))
  expect_null(calls$rows_of_mistakes$out)
  plot_mistakes(folder)
  expect_null(calls$rows_of_mistakes[[1]]$predictions)
})
