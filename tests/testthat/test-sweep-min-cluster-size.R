toy_density <- function() {
  set.seed(3)
  rbind(
    matrix(rnorm(80), 40), matrix(rnorm(40, 30), 20), cbind(c(300, 0, 0), c(0, 300, -300))
  )
}

test_that("clusters by density have probabilities, and noise is the residual", {
  skip_without("hdbscan")
  points <- toy_density()
  topics <- cluster_images(points, "hdbscan", min_cluster_size = 10, progress = FALSE)
  expect_equal(topics$cluster, rep(c(1, 2, -1), c(40, 20, 3)))
  expect_equal(topics$probability[61:63], c(0, 0, 0))
  expect_gt(min(topics$outlier_score[61:63]), max(topics$outlier_score[1:60]))
  expect_false(any(topics$assigned))
  expect_equal(glance(topics)$n_residual, 3)
  expect_true(all(c("probability", "assigned") %in% names(augment(topics))))
  nearest <- cluster_images(
    points, "hdbscan",
    min_cluster_size = 10, noise = "nearest", progress = FALSE
  )
  expect_equal(which(nearest$assigned), 61:63)
  expect_equal(sum(tidy(nearest)$size), 63)
  # Those in clusters, noise left out, as base R counts them.
  inside <- topics[topics$cluster > 0, ]
  expect_equal(
    cluster_confidence(topics),
    tibble::tibble(
      n_images = 63L, n_clusters = 2L, n_clustered = 60L,
      n_confident = sum(inside$probability > 0.85),
      share_confident = mean(inside$probability > 0.85),
      share_of_all = sum(inside$probability > 0.85) / 63,
      mean_probability = mean(inside$probability),
      mean_confident = mean(inside$probability[inside$probability > 0.85]),
      mean_confident_clusters = mean(tapply(
        inside$probability, inside$cluster, \(one) mean(one[one > 0.85])
      ))
    )
  )
  by_cluster <- cluster_confidence(nearest, threshold = 0.5, by_cluster = TRUE)
  expect_equal(by_cluster$n_clustered, c(40, 20))
  expect_equal(
    by_cluster$mean_confident,
    as.vector(tapply(inside$probability, inside$cluster, \(one) mean(one[one > 0.5])))
  )
  expect_s3_class(autoplot(topics, "sizes"), "ggplot")
})

test_that("a sweep has a row per size, and a plot", {
  skip_without("hdbscan")
  swept <- sweep_min_cluster_size(toy_density(), sizes = c(10, 30), progress = FALSE)
  expect_s3_class(swept, "imagestrata_sweep")
  expect_equal(swept$min_cluster_size, c(10, 30))
  expect_equal(swept$n_clusters, c(2, 0))
  expect_equal(swept$n_noise[1], 3)
  expect_true(is.na(swept$silhouette[2]))
  drawn <- autoplot(swept)
  expect_equal(levels(drawn$data$panel)[1], "Clusters")
  expect_equal(drawn$data$value[1:2], c(2, 0))
  expect_s3_class(dplyr::filter(swept, n_clusters > 0), "imagestrata_sweep")
  expect_false(inherits(swept["n_clusters"], "imagestrata_sweep"))
})

test_that("bad arguments are errors", {
  expect_error(sweep_min_cluster_size(diag(3), sizes = "ten"), "must be numbers",
    class = "imagestrata_error"
  )
  expect_error(cluster_confidence(diag(3)), "cluster_images", class = "imagestrata_error")
  skip_if_no_core()
  expect_error(cluster_confidence(demo_topics()), "hdbscan", class = "imagestrata_error")
})
