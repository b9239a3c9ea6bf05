test_that("gaps of clusters look as they did", {
  skip_if_not_installed("vdiffr")
  gaps <- few_gaps(by = c(group, cluster))
  pictures <- toy_pictures()
  names(pictures) <- c(5, 8, 2)
  vdiffr::expect_doppelganger("widest", plot_cluster_gaps(gaps, n = 4))
  vdiffr::expect_doppelganger("pictures", plot_cluster_gaps(
    gaps, clusters = c(5, 8, 2), thumbnails = pictures, labels = c(`5` = "protest")
  ))
})

test_that("the widest gaps come first, or the clusters asked for", {
  gaps <- few_gaps(by = c(group, cluster))
  expect_equal(widest_gaps(gaps[gaps$level == "dimension", ], 2), c(5, 8))
  points <- ggplot2::layer_data(plot_cluster_gaps(gaps, clusters = c(2, 5)), 3)
  wanted <- gaps[gaps$level == "dimension" & gaps$cluster %in% c(2, 5), ]
  expect_equal(points$x, wanted$estimate)
  expect_equal(points$y, ifelse(wanted$cluster == 2, 2, 1), ignore_attr = TRUE)
})

test_that("what cannot be drawn is refused", {
  gaps <- few_gaps(by = c(group, cluster))
  expect_snapshot(error = TRUE, {
    plot_cluster_gaps(few_gaps())
    plot_cluster_gaps(gaps, clusters = 77)
    plot_cluster_gaps(gaps[gaps$level == "item", ])
    plot_cluster_gaps(dplyr::bind_rows(gaps, dplyr::mutate(gaps, contrast = "A - B")))
  })
})
