test_that("gaps of clusters look as they did", {
  skip_if_not_installed("vdiffr")
  gaps <- few_gaps(by = c(group, cluster))
  pictures <- toy_pictures()
  names(pictures) <- c(5, 8, 2)
  vdiffr::expect_doppelganger("largest", plot_cluster_gaps(gaps, n = 4))
  vdiffr::expect_doppelganger("pictures", plot_cluster_gaps(
    gaps, clusters = c(5, 8, 2), thumbnails = pictures, labels = c(`5` = "protest")
  ))
})

test_that("the largest gaps come first, or the clusters asked for", {
  gaps <- few_gaps(by = c(group, cluster))
  expect_equal(largest_gaps(gaps[gaps$level == "dimension", ], 2), c("5", "8"))
  points <- layers_of(plot_cluster_gaps(gaps, clusters = c(2, 5)))$Point
  wanted <- gaps[gaps$level == "dimension" & gaps$cluster %in% c(2, 5), ]
  expect_equal(points$x, wanted$estimate)
  expect_equal(points$y, ifelse(wanted$cluster == 2, 2, 1), ignore_attr = TRUE)
})

test_that("clusters are not ranked by noise", {
  # By hand: variances of 8 / n; tau squared by DerSimonian and Laird.
  gaps <- tibble::tibble(
    item = "aversion", cluster = 1:6, n_ratings = c(2, 40, 40, 40, 40, 40),
    estimate = c(3, 2, 0, 0.1, -0.1, -1), std.error = sqrt(8 / n_ratings), variance = "two-way"
  )
  w <- gaps$n_ratings / 8
  mean <- sum(w * gaps$estimate) / sum(w)
  q <- sum(w * (gaps$estimate - mean)^2)
  tau <- (q - 5) / (sum(w) - sum(w^2) / sum(w))
  expect_gt(tau, 0)
  centre <- stats::weighted.mean(gaps$estimate, 1 / (1 / w + tau))
  shrunk <- centre + (gaps$estimate - centre) * tau / (tau + 1 / w)
  expect_equal(shrink_gaps(gaps)$shrunk, shrunk)
  expect_equal(largest_gaps(gaps, 1), "2")
  # A standard error that is 0 by chance does not count as certainty.
  lucky <- dplyr::mutate(gaps, std.error = replace(std.error, 1, 0))
  expect_equal(largest_gaps(lucky, 1), "2")
  # Clusters that differ no more than by chance: by the gap in standard errors.
  alike <- dplyr::mutate(gaps, estimate = c(1.5, 0.4, 0.1, 0.1, 0.1, 0.1))
  expect_equal(var(shrink_gaps(alike)$shrunk), 0)
  expect_equal(largest_gaps(alike, 1), "2")
  # Gaps of a mixed model are shrunk already.
  shrunken <- dplyr::mutate(gaps, variance = "mixed model")
  expect_equal(largest_gaps(shrunken, 1), "1")
  # In the simulated study, by the known truth: of many small clusters the widest are noise.
  all <- quietly(rating_gaps(simulated_ratings, by = c(group, cluster), variance = "respondent"))
  aversion <- all[all$item == "aversion", ]
  few <- median(aversion$n_ratings)
  widest <- utils::head(aversion$cluster[order(-abs(aversion$estimate))], 10)
  largest <- largest_gaps(aversion, 10)
  small <- \(clusters) mean(aversion$n_ratings[match(clusters, aversion$cluster)] < few)
  expect_gt(small(widest), 0.5)
  expect_lt(small(largest), 0.5)
})

test_that("fills, scales and words are those of plot_rating_gaps()", {
  gaps <- few_gaps(by = c(group, cluster))
  plot <- plot_cluster_gaps(gaps, n = 4, scale = c(0, 10))
  drawn <- layers_of(plot)
  fill <- drawn[names(drawn) == "Point"][[2]]
  line <- drawn$Linerange
  expect_equal(fill$alpha > 0, line$xmin > 0 | line$xmax < 0)
  wide <- dplyr::mutate(tidy(gaps), conf.low = conf.low - 15)
  lines <- layers_of(plot_cluster_gaps(wide, n = 4, scale = c(0, 10)))
  expect_gte(min(lines$Linerange$xmin), -10)
  expect_gt(nrow(lines$Segment), 0)
  expect_match(caption_on_one_line(plot), "Of 12 clusters the 4 with the largest gaps")
  expect_no_match(caption_on_one_line(plot), "weight")
  expect_no_match(
    caption_on_one_line(plot_cluster_gaps(gaps, clusters = c(5, 8))), "largest gaps"
  )
  text <- ggplot2::get_alt_text(plot)
  expect_match(text, "12 gaps in 4 rows of clusters, from the top 5,")
  expect_match(text, "A panel for each of enthusiasm, aversion and anxiety")
  directions <- grobs_of(plot)
  expect_equal(directions[["directions-3"]]$pair, c("Democrat", "Republican"))
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
  points <- layers_of(plot_cluster_gaps(gaps, clusters = c("flags", "march")))$Point
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
    plot_cluster_gaps(gaps, scale = 5)
    plot_rating_gaps(gaps, colours = "blew")
    plot_cluster_gaps(gaps[gaps$level == "item", ])
    plot_cluster_gaps(dplyr::bind_rows(gaps, dplyr::mutate(gaps, contrast = "A - B")))
  })
})
