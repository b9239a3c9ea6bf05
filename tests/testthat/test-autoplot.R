test_that("plots look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("trace", autoplot(toy_clustering()))
  vdiffr::expect_doppelganger("sizes", autoplot(toy_clustering(), "sizes"))
  vdiffr::expect_doppelganger("silhouettes", autoplot(toy_clustering(), "silhouettes"))
})

test_that("shares are reached where the running total reaches them", {
  expect_equal(
    clusters_to_reach(c(0.6, 0.2, 0.15), c(0.5, 0.75, 0.9)),
    tibble::tibble(place = 1:3, label = c("50%", "75%", "90%"))
  )
  expect_equal(clusters_to_reach(c(0.8, 0.05), c(0.5, 0.75, 0.9))$label, "50%, 75%")
})

test_that("shares that add up in steps of a tenth are reached when people say so", {
  expect_equal(clusters_to_reach(rep(0.1, 10), c(0.5, 0.9))$place, c(5, 9))
})

test_that("clusters stand side by side under their own numbers", {
  places <- place_clusters(data.frame(cluster = c(3, 40, 7)))
  expect_equal(places$x, 1:3)
  expect_equal(places$label, c("3", "40", "7"))
  apart <- place_clusters(data.frame(cluster = c(3, 7, -1), cluster_name = c("flags", NA, NA)))
  expect_equal(apart$x, c(1, 2, 3.5))
  expect_equal(apart$label, c("flags", "Cluster 7", "residual"))
  expect_equal(place_clusters(data.frame(cluster = -1))$x, 0)
  topics <- toy_clustering()
  attr(topics, "tables")$clusters$cluster <- c(4L, 9L)
  for (type in c("sizes", "silhouettes")) {
    axis <- ggplot2::ggplot_build(autoplot(topics, type))$layout$panel_params[[1]]$x
    expect_equal(axis$get_labels(), c("4", "9"))
  }
})

test_that("arguments without an effect are refused", {
  expect_error(
    autoplot(toy_clustering(), points = data.frame()),
    "`points` has an effect only with `type = \"map\"`",
    fixed = TRUE
  )
  expect_error(autoplot(toy_clustering(), "sizes", colour = "red"), "no argument `colour`")
})

test_that("a clustering without iterations has no trace to draw", {
  expect_snapshot(autoplot(toy_clustering(trace = FALSE)), error = TRUE)
  expect_error(autoplot(toy_clustering(), "pie"), "must be one of")
})

test_that("edited clusters stand from the largest to the smallest", {
  topics <- toy_clustering()
  attr(topics, "tables")$clusters$size <- c(1L, 4L)
  attr(topics, "tables")$clusters$share <- c(1, 4) / 6
  plot <- autoplot(topics, "sizes")
  expect_equal(ggplot2::layer_data(plot, 1)$y, c(4, 1))
  expect_match(ggplot2::get_alt_text(plot), "50% in the first 1", fixed = TRUE)
  for (type in c("sizes", "silhouettes")) {
    axis <- ggplot2::ggplot_build(autoplot(topics, type))$layout$panel_params[[1]]$x
    expect_equal(axis$get_labels(), c("2", "1"))
  }
})
