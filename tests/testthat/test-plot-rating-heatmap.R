test_that("heatmaps look as they did", {
  skip_if_not_installed("vdiffr")
  means <- few_means(by = cluster)
  clusters <- simulated_clusters[1:14, ]
  pictures <- toy_pictures()
  vdiffr::expect_doppelganger("plain", plot_rating_heatmap(means))
  vdiffr::expect_doppelganger(
    "marked", plot_rating_heatmap(means, clusters, mark = 12, thumbnails = c(`5` = pictures[1]))
  )
  vdiffr::expect_doppelganger(
    "dimensions", plot_rating_heatmap(means, clusters, level = "dimension")
  )
})

test_that("columns stand by size, the residual last, and lines where shares are reached", {
  clusters <- tibble::tibble(cluster = c(-1, 1, 2, 3), size = c(50, 10, 30, 20))
  columns <- columns_of(tibble::tibble(cluster = c(1, -1)), clusters)
  expect_equal(columns$cluster, c(2, 3, 1, -1))
  means <- few_means(by = cluster)
  plot <- plot_rating_heatmap(means, simulated_clusters[1:12, ])
  tiles <- ggplot2::layer_data(plot, 1)
  items <- means[means$level == "item", ]
  expect_equal(tiles$x, items$cluster, ignore_attr = TRUE)
  lines <- ggplot2::layer_data(plot, 2)
  share <- cumsum(simulated_clusters$size[1:12]) / sum(simulated_clusters$size[1:12])
  expect_equal(lines$x - 0.5, vapply(c(0.5, 0.75, 0.9), \(p) which(share >= p)[1], 1))
})

test_that("rows keep their order, dimensions apart", {
  rows <- heatmap_rows(tibble::tibble(item = c("a", "b", "c"), dimension = c("x", "x", "y")))
  expect_equal(rows$y, c(3.4, 2.4, 1))
})

test_that("what cannot be drawn is refused", {
  means <- few_means(by = cluster)
  expect_snapshot(error = TRUE, {
    plot_rating_heatmap(few_means())
    plot_rating_heatmap(few_means(by = c(group, cluster)))
    plot_rating_heatmap(means, clusters = 1:12)
    plot_rating_heatmap(means, simulated_clusters[1:10, ])
    plot_rating_heatmap(means, mark = 99)
    plot_rating_heatmap(means, thumbnails = "picture.png")
    plot_rating_heatmap(means, level = "image")
  })
  expect_error(
    plot_rating_heatmap(means, thumbnails = c(`1` = "/nowhere/picture.png")), "picture.png",
    class = "imagestrata_error"
  )
})

test_that("means that are not of clusters are refused with what would be", {
  means <- quietly(rating_means(toy_ratings()))
  expect_error(plot_rating_heatmap(means, simulated_clusters), "by = cluster")
})
