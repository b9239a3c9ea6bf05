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
  expect_equal(widest_gaps(gaps[gaps$level == "dimension", ], 2), c("5", "8"))
  points <- ggplot2::layer_data(plot_cluster_gaps(gaps, clusters = c(2, 5)), 3)
  wanted <- gaps[gaps$level == "dimension" & gaps$cluster %in% c(2, 5), ]
  expect_equal(points$x, wanted$estimate)
  expect_equal(points$y, ifelse(wanted$cluster == 2, 2, 1), ignore_attr = TRUE)
})

test_that("clusters may have names, and the residual has one", {
  named <- dplyr::filter(simulated_ratings, cluster <= 4)
  named$cluster <- c("march", "flags", "police", "-1")[named$cluster]
  gaps <- quietly(rating_gaps(named, by = c(group, cluster)))
  axis_of <- function(...) {
    plot <- plot_cluster_gaps(gaps, ...)
    plot$scales$get_scales("y")$labels
  }
  expect_setequal(axis_of(), c("march", "flags", "police", "residual"))
  expect_equal(axis_of(clusters = c("flags", "march")), c("flags", "march"))
  picture <- rlang::set_names(toy_pictures()[1], "flags")
  expect_equal(axis_of(clusters = "flags", thumbnails = picture), "flags")
  points <- ggplot2::layer_data(plot_cluster_gaps(gaps, clusters = c("flags", "march")), 3)
  shown <- gaps[gaps$level == "dimension" & gaps$cluster %in% c("flags", "march"), ]
  expect_equal(points$y, ifelse(shown$cluster == "flags", 2, 1), ignore_attr = TRUE)

  numbered <- few_gaps(by = c(group, cluster))
  names <- data.frame(cluster = c(5, 8), cluster_name = c("march", NA))
  plot <- plot_cluster_gaps(numbered, c(5, 8, 2), labels = names)
  expect_equal(plot$scales$get_scales("y")$labels, c("march", "Cluster 8", "Cluster 2"))
  expect_error(
    plot_cluster_gaps(numbered, c(5, 8), n = 3), "`n` has an effect only with",
    class = "imagestrata_error"
  )
  named <- plot_cluster_gaps(numbered, c(march = 5, 8))
  expect_equal(named$scales$get_scales("y")$labels, c("march", "Cluster 8"))
  expect_error(plot_cluster_gaps(numbered, labels = "x"), "`labels`", class = "imagestrata_error")
  expect_error(
    plot_cluster_gaps(numbered, labels = c(`99` = "x")), "names 1 cluster that is not there",
    class = "imagestrata_error"
  )
})

test_that("what cannot be drawn is refused", {
  gaps <- few_gaps(by = c(group, cluster))
  expect_snapshot(error = TRUE, {
    plot_cluster_gaps(few_gaps())
    plot_cluster_gaps(gaps, clusters = 77)
    plot_cluster_gaps(gaps, n = 0)
    plot_cluster_gaps(gaps, n = -1)
    plot_cluster_gaps(gaps, alpha = 5)
    plot_rating_gaps(gaps, alpha = -1)
    plot_cluster_gaps(gaps[gaps$level == "item", ])
    plot_cluster_gaps(dplyr::bind_rows(gaps, dplyr::mutate(gaps, contrast = "A - B")))
  })
})
