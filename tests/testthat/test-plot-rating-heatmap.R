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
  tiles <- layers_of(plot)$Tile
  items <- means[means$level == "item", ]
  expect_equal(tiles$x, items$cluster, ignore_attr = TRUE)
  lines <- layers_of(plot)$Segment
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
  lines_of <- function(clusters) layers_of(plot_rating_heatmap(means, clusters))$Segment$x
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

test_that("cells that rest on few ratings fade, and bars count the ratings", {
  means <- few_means(by = cluster)
  means <- tidy(means)
  means$n_ratings[means$cluster == 3] <- 2L
  means$n_ratings[means$cluster == 4] <- 8L
  plot <- plot_rating_heatmap(means)
  drawn <- layers_of(plot)
  ground <- drawn[names(drawn) == "Tile"][[1]]
  tiles <- drawn[names(drawn) == "Tile"][[2]]
  expect_equal(unique(ground$fill), "grey80")
  alpha <- tapply(tiles$alpha, tiles$x, unique)
  expect_equal(alpha[["1"]], 1)
  expect_equal(alpha[["3"]], 0.25 + 0.75 * 1 / 9)
  expect_equal(alpha[["4"]], 0.25 + 0.75 * 7 / 9)
  bars <- drawn$Rect
  items <- means[means$level == "item", ]
  counts <- as.vector(tapply(items$n_ratings, items$cluster, median))
  expect_equal((bars$ymax - bars$ymin) / 0.9, counts / max(counts))
  expect_match(caption_on_one_line(plot), paste0("at most ", max(counts), ";"))
  expect_equal(plot$scales$get_scales("alpha")$labels, c("2", "6", "10 or more"))
  said <- paste("Cells rest on 2 to", max(items$n_ratings), "ratings")
  expect_match(ggplot2::get_alt_text(plot), said)
  expect_null(layers_of(plot_rating_heatmap(means, fade = 0))$Rect)
  means$n_ratings <- 7L
  same <- plot_rating_heatmap(means)
  expect_null(layers_of(same)$Rect)
  expect_match(caption_on_one_line(same), "Each cell rests on 7 ratings")
})

test_that("lines count clusters only, not images without a cluster", {
  columns <- tibble::tibble(cluster = c(1L, 2L, -1L), share = c(0.3, 0.25, 0.45))
  expect_equal(shares_reached(columns)$label, "50%")
  expect_equal(shares_reached(columns)$place, 2)
  expect_equal(nrow(shares_reached(columns[c(1, 3), ])), 0)
})

test_that("without cells that fade there is no key and no word of it", {
  means <- few_means(by = cluster)
  means$n_ratings <- means$n_ratings + 20L
  plot <- plot_rating_heatmap(means)
  expect_match(caption_on_one_line(plot), "Bars: ratings of each cluster, at most [0-9]+[.]")
  expect_equal(plot$scales$get_scales("alpha")$guide, "none")
})

test_that("of many clusters, numbers are on the axis where there are no names", {
  places <- place_clusters(tibble::tibble(cluster = 1:60), c(`5` = "protest", `20` = "flags"))
  labels <- scale_x_clusters(places)$labels
  expect_true(all(c("1", "10", "flags") %in% labels))
  expect_equal(scale_x_clusters(places[1:6, ])$labels[4:6], c("Cluster 4", "protest", "Cluster 6"))
})

test_that("marks name their clusters and do not overlap", {
  means <- few_means(by = cluster)
  plot <- plot_rating_heatmap(means, simulated_clusters[1:12, 1:2], mark = c(5, 4))
  texts <- layers_of(plot)$Text
  expect_equal(texts$label, c("4", "5"))
  expect_match(caption_on_one_line(plot), "Dots: clusters 4 and 5")
  expect_match(caption_on_one_line(plot), "to the left hold 50%, 75% and 90% of all images")
  expect_equal(spread_apart(c(1, 5, 9), c(1, 1, 1), c(0, 10)), c(1, 5, 9))
  close <- spread_apart(c(5, 5.1), c(2, 2), c(0, 10))
  expect_equal(diff(close), 2)
  expect_equal(mean(close), 5.05)
  expect_equal(spread_apart(c(9.8, 9.9), c(2, 2), c(0, 10)), c(7, 9))
  expect_equal(spread_apart(c(0, 0.1), c(2, 2), c(0, 10)), c(1, 3))
})

test_that("the heat map is described in words, with the ends of the scale", {
  means <- few_means(by = cluster)
  plot <- plot_rating_heatmap(means, simulated_clusters[1:12, 1:2], scale = c(0, 10))
  expect_equal(plot$labels$fill, "Mean rating (scale 0 to 10)")
  key <- grobs_of(plot)[["guide-box"]]
  width <- grid::convertWidth(gtable::gtable_width(key$grobs[[1]]), "mm", valueOnly = TRUE)
  expect_lt(width, 80)
  text <- ggplot2::get_alt_text(plot)
  expect_match(text, "^Heat map of mean ratings: a column for each of 12 clusters")
  expect_match(text, "120 cells")
  items <- means[means$level == "item", ]
  expect_match(text, sprintf("The highest mean rating is %.2f", max(items$estimate)))
  expect_match(text, "clusters hold 50%, 75% and 90% of all images")
  # Twelve of 309 clusters do not hold half of all images.
  few <- plot_rating_heatmap(means, simulated_clusters[1:12, ])
  expect_no_match(caption_on_one_line(few), "Lines")
  expect_null(layers_of(few)$Segment)
})

test_that("the residual stands apart among many clusters, too", {
  places <- place_clusters(tibble::tibble(cluster = c(1:300, -1)))
  expect_equal(diff(tail(places$x, 2)), 7)
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

test_that("gaps are not drawn as means", {
  gaps <- few_gaps(by = c(group, cluster), variance = "respondent")
  expect_error(plot_rating_heatmap(gaps), "plot_cluster_gaps", class = "imagestrata_error")
  expect_error(plot_rating_means(gaps), "plot_rating_gaps", class = "imagestrata_error")
  expect_error(
    plot_rating_means(tibble::as_tibble(gaps)), "plot_rating_gaps",
    class = "imagestrata_error"
  )
})
