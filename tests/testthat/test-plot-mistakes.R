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
  calls <- local_core(plot_mistakes = function(model, out, ...) {
    png::writePNG(matrix(0.5, 2, 2), out)
  })
  folder <- withr::local_tempdir()
  plot_mistakes(toy_model(folder), file.path(folder, "wrong.png"), label = "crowd")
  expect_equal(decode_table(calls$plot_mistakes[[1]]$predictions)$path[1], "/p/a.jpg")
  expect_equal(calls$plot_mistakes$label, "crowd")
  plot_mistakes(folder)
  expect_null(calls$plot_mistakes[[1]]$predictions)
  expect_true(file.exists(file.path(folder, "wrong.png")))
})
