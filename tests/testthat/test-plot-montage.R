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

# Two rows: three pictures below a heading, and one.
toy_rows <- function() {
  list(
    rows = tibble::tibble(
      label = c("1", "a name of two lines and more"),
      about = c("3 images\n60.0%", "2 images\n40.0%"),
      heading = c("Protest", NA)
    ),
    images = tibble::tibble(
      image_id = letters[1:4], row = c(1L, 1L, 1L, 2L), column = c(1:3, 1L),
      picture = rep(list(matrix("red", 2, 2)), 4)
    ),
    n_images = 4, note = "Rows: clusters."
  )
}

test_that("pictures stand in rows, beside the names of rows", {
  plot <- draw_rows(toy_rows(), "cluster")
  pictures <- ggplot2::layer_data(plot, 1)
  expect_equal(pictures$x, c(1, 2, 3, 1))
  # The heading takes half a row.
  expect_equal(pictures$y, c(-1.5, -1.5, -1.5, -2.5))
  expect_equal(pictures$xmax - pictures$xmin, rep(0.94, 4))
  heading <- ggplot2::layer_data(plot, 2)
  expect_equal(heading$label, "Protest")
  expect_gt(heading$y, max(pictures$ymax))
  axis <- plot$scales$get_scales("y")
  expect_equal(axis$breaks, c(-1.5, -2.5))
  expect_equal(
    axis$labels, c("1\n3 images\n60.0%", "a name of two\nlines and more\n2 images, 40.0%")
  )
  expect_equal(plot$coordinates$ratio, 1)
  expect_match(
    ggplot2::get_alt_text(plot),
    "^Rows of images, up to 4 for each cluster of 1 .3 images, 60.0%. and a .* Themes: Protest[.]$"
  )
})

test_that("labs() and theme() change the montage", {
  plot <- draw_rows(toy_rows(), "cluster") +
    ggplot2::labs(title = "Topics", caption = "mine") +
    ggplot2::theme(axis.text.y = ggplot2::element_text(colour = "blue"))
  grobs <- ggplot2::ggplotGrob(plot)
  expect_true("title" %in% grobs$layout$name)
  expect_equal(plot$theme$axis.text.y$colour, "blue")
  expect_equal(plot$labels$caption, "mine")
})

test_that("the pictures of a file are its squares, row by row", {
  file <- withr::local_tempfile(fileext = ".png")
  picture <- array(0, c(4, 2, 3))
  picture[1:2, , 1] <- 1
  picture[4, 2, 2] <- 1
  png::writePNG(picture, file)
  pictures <- split_pictures(png::readPNG(file, native = TRUE))
  expect_length(pictures, 2)
  expect_s3_class(pictures[[1]], "nativeRaster")
  expect_equal(dim(pictures[[1]]), c(2, 2))
  expect_length(unique(as.integer(pictures[[1]])), 1)
  second <- as.integer(pictures[[2]])
  expect_true(second[1] == second[2] && second[2] == second[3] && second[3] != second[4])
})

test_that("pictures have 300 dots per inch at two columns", {
  for (n in c(5, 10, 12)) expect_gte(picture_side(n) / (7 / (n + 1)), 300)
  # Neither smaller nor larger than is of use.
  expect_equal(picture_side(50), 160)
  expect_equal(picture_side(1), 480)
})

test_that("the core sends the images of the largest clusters, and their pictures", {
  skip_if_no_core()
  topics <- demo_topics()
  plot <- plot_montage(topics, n_clusters = 3, n_images = 4)
  images <- plot$data
  best <- find_images(topics, clusters = 1:3, n = 4)
  expect_equal(images$image_id, best$image_id)
  expect_equal(dim(images$picture[[1]]), rep(picture_side(4), 2))
  expect_length(unique(images$picture), nrow(images))
  expect_match(gsub("\n", " ", plot$labels$caption), "Images: those with the highest silhouettes")
  random <- plot_montage(topics, n_clusters = 3, n_images = 4, order = "random")
  expect_match(gsub("\n", " ", random$labels$caption), "drawn at random")
})
