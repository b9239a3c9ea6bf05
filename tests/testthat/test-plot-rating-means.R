test_that("means look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("two groups", plot_rating_means(few_means()))
  vdiffr::expect_doppelganger("everybody", plot_rating_means(few_means(by = NULL)))
  panels <- dplyr::filter(few_means(by = c(group, cluster)), cluster %in% c(5, 8))
  vdiffr::expect_doppelganger("panels", plot_rating_means(panels))
})

test_that("every row and group is drawn where it belongs", {
  means <- few_means()
  plot <- plot_rating_means(means)
  points <- ggplot2::layer_data(plot, 3)
  expect_equal(points$x, means$estimate)
  expect_equal(round(points$y), rep(13:1, each = 2))
  expect_true(all(diff(points$y) < 0))
  expect_equal(unique(points$colour), group_colours[1:2])
  expect_equal(plot$labels$caption, "95% intervals; every cluster counts the same.")
})

test_that("it is a ggplot to go on with, and takes tables from elsewhere", {
  means <- few_means()
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(means, file, row.names = FALSE)
  plot <- plot_rating_means(utils::read.csv(file), colours = c("black", "grey50")) +
    ggplot2::theme(legend.position = "top") + ggplot2::labs(x = "Mittelwert")
  expect_equal(plot$labels$x, "Mittelwert")
  expect_equal(unique(ggplot2::layer_data(plot, 3)$colour), c("black", "grey50"))
  expect_s3_class(autoplot(means), "ggplot")
  expect_s3_class(autoplot(few_gaps()), "ggplot")
})

test_that("what cannot be drawn is refused", {
  means <- few_means(by = c(group, cluster))
  expect_snapshot(error = TRUE, {
    plot_rating_means(simulated_ratings)
    plot_rating_means(means[0, ])
    plot_rating_means(quietly(rating_means(simulated_ratings, by = c(group, cluster))))
    plot_rating_means(few_means(), colours = "red")
  })
})
