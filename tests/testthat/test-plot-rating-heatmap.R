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
  plot <- plot_rating_heatmap(means, simulated_clusters[1:12, c("cluster", "size")])
  tiles <- ggplot2::layer_data(plot, 1)
  items <- means[means$level == "item", ]
  expect_equal(tiles$x, items$cluster, ignore_attr = TRUE)
  lines <- ggplot2::layer_data(plot, 2)
  share <- cumsum(simulated_clusters$size[1:12]) / sum(simulated_clusters$size[1:12])
  expect_equal(lines$x - 0.5, vapply(c(0.5, 0.75, 0.9), \(p) which(share >= p)[1], 1))
})

axis_of <- function(plot) {
  axis <- ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$x
  rlang::set_names(axis$get_breaks(), axis$get_labels())
}

test_that("the axis shows the clusters' own numbers, or names, and not their places", {
  rated <- dplyr::filter(simulated_ratings, cluster %in% c(182, 5, 17))
  means <- quietly(rating_means(rated, by = cluster))
  plot <- plot_rating_heatmap(means)
  expect_equal(axis_of(plot), c(`5` = 1, `17` = 2, `182` = 3))
  expect_setequal(ggplot2::layer_data(plot, 1)$x, 1:3)
  sizes <- tibble::tibble(cluster = c(5, 17, 182, 300), size = c(2, 9, 1, 4))
  plot <- plot_rating_heatmap(means, sizes)
  expect_equal(axis_of(plot), c(`17` = 1, `300` = 2, `5` = 3, `182` = 4))
  sizes$cluster_name <- c("flags", "police", NA, "memes")
  expect_equal(names(axis_of(plot_rating_heatmap(means, sizes))), c(
    "police", "memes", "flags", "Cluster 182"
  ))
  many <- axis_of(plot_rating_heatmap(means, simulated_clusters))
  expect_equal(names(many), as.character(c(1, 50, 100, 150, 200, 250, 300)))
  expect_equal(unname(many), c(1, 50, 100, 150, 200, 250, 300))
  named <- dplyr::mutate(rated, cluster = paste("topic", cluster))
  plot <- plot_rating_heatmap(quietly(rating_means(named, by = cluster)))
  expect_equal(names(axis_of(plot)), paste("topic", c(17, 182, 5)))
})

test_that("the residual stands apart and moves no cluster", {
  rated <- dplyr::filter(simulated_ratings, cluster <= 3)
  rated$cluster[rated$cluster == 3] <- -1
  means <- quietly(rating_means(rated, by = cluster))
  expect_equal(axis_of(plot_rating_heatmap(means)), c(`1` = 1, `2` = 2, residual = 3.5))
  # tidy() of a clustering has no row of the residual, which the default sample contains.
  topics <- toy_clustering()
  plot <- plot_rating_heatmap(means, tidy(topics), mark = c(1, -1))
  expect_equal(axis_of(plot), c(`1` = 1, `2` = 2, residual = 3.5))
  expect_equal(axis_of(plot_rating_heatmap(means, topics)), axis_of(plot))
})

test_that("lines count shares of all images, rated or not, in a cluster or not", {
  rated <- dplyr::filter(simulated_ratings, cluster %in% c(2, 5))
  means <- quietly(rating_means(rated, by = cluster))
  lines_of <- function(clusters) ggplot2::layer_data(plot_rating_heatmap(means, clusters), 2)$x
  sizes <- tibble::tibble(cluster = 1:5, size = c(40, 30, 15, 10, 5))
  expect_equal(lines_of(sizes), c(2, 3, 4) + 0.5)
  # Another hundred images belong to no cluster: of 200 images, 40 to 100.
  sizes$share <- sizes$size / 200
  expect_equal(lines_of(sizes), 5 + 0.5)
  expect_null(lines_of(sizes[c(2, 5), ]))
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
