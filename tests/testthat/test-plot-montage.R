test_that("the montage is a ggplot, stored where asked and by ggsave()", {
  skip_if_no_core()
  stored <- withr::local_tempfile(fileext = ".pdf")
  saved <- withr::local_tempfile(fileext = ".png")
  topics <- demo_topics()
  ggplot2::ggplot(data.frame(x = 1), ggplot2::aes(x, x)) + ggplot2::geom_point()
  plot <- plot_montage(topics, stored, n_clusters = 3, n_images = 4)
  expect_s3_class(plot, "ggplot")
  expect_equal(readLines(stored, 1, warn = FALSE), "%PDF-1.4")
  # What was drawn last is what ggsave() stores.
  expect_identical(ggplot2::last_plot(), plot)
  ggplot2::ggsave(saved, width = 4, height = 3, dpi = 100)
  expect_gt(length(unique(as.vector(png::readPNG(saved)))), 50)
  expect_error(
    plot_montage(topics, n_clusters = 3, clusters = 1:2), "only with", class = "imagestrata_error"
  )
})

test_that("a picture keeps its shape", {
  local_core(plot_montage = \(out, ...) png::writePNG(matrix(0.5, 20, 50), out))
  plot <- plot_montage(toy_clustering())
  expect_equal(plot$theme$aspect.ratio, 0.4)
})
