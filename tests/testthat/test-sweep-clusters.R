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

test_that("a sweep of sizes has a row per size, and a plot", {
  skip_without("hdbscan")
  swept <- sweep_clusters(toy_density(), "hdbscan", values = c(10, 30), progress = FALSE)
  expect_s3_class(swept, "imagestrata_sweep")
  expect_equal(swept$min_cluster_size, c(10, 30))
  expect_equal(swept$n_clusters, c(2, 0))
  expect_equal(swept$n_noise[1], 3)
  expect_true(is.na(swept$silhouette[2]))
  drawn <- autoplot(swept)
  expect_equal(levels(drawn$data$panel)[1], "Clusters")
  expect_equal(drawn$data$y[1:2], c(2, 0))
  expect_s3_class(dplyr::filter(swept, n_clusters > 0), "imagestrata_sweep")
  expect_false(inherits(swept["n_clusters"], "imagestrata_sweep"))
})

test_that("a sweep of numbers agrees with base R on the same clusters", {
  skip_if_no_core()
  points <- toy_density()
  swept <- sweep_clusters(points, values = 1:4, progress = FALSE)
  expect_s3_class(swept, "imagestrata_sweep")
  total <- sum(scale(points, scale = FALSE)^2)
  for (k in 2:4) {
    topics <- cluster_images(points, "kmeans", n_clusters = k, progress = FALSE)
    within <- sum(vapply(
      split(as.data.frame(points), topics$cluster), \(one) sum(scale(one, scale = FALSE)^2), 1
    ))
    expect_equal(swept$inertia[k], within, tolerance = 1e-4)
    expect_equal(swept$explained_variance[k], 1 - within / total, tolerance = 1e-4)
    expect_equal(swept$silhouette[k], mean(topics$silhouette), tolerance = 1e-5)
  }
  expect_equal(swept$explained_variance[1], 0, tolerance = 1e-6)
  expect_true(is.na(swept$silhouette[1]))
  expect_equal(sum(swept$knee), 1)
})

test_that("plots of sweeps and searches look as they did", {
  skip_if_not_installed("vdiffr")
  k <- seq(30, 300, by = 30)
  swept <- new_object(
    tibble::tibble(
      n_clusters = k, inertia = 4e5 / sqrt(k), explained_variance = 1 - 2 / sqrt(k),
      silhouette = 0.2 - abs(k - 120) / 2000, knee = k == 90
    ),
    "imagestrata_sweep"
  )
  vdiffr::expect_doppelganger("sweep of numbers", autoplot(swept, mark = 80))
  vdiffr::expect_doppelganger("searches", autoplot(toy_clustering(), "searches"))
  expect_match(
    gsub("\n", " ", autoplot(swept)$labels$caption),
    "knee of the explained variance at 90, highest silhouette at 120"
  )
  expect_error(autoplot(swept, mark = "80"), "must be numbers", class = "imagestrata_error")
})

test_that("many iterations share a panel, and a clustering without a search has none to draw", {
  topics <- toy_clustering()
  many <- tibble::tibble(iteration = rep(1:60, each = 3), k = rep(c(5L, 10L, 15L), 60), fit = 0.1)
  many$kept <- many$k == 10
  many$criterion <- "inertia"
  attr(topics, "tables")$searches <- many
  drawn <- ggplot2::ggplot_build(autoplot(topics, "searches"))
  expect_equal(nrow(drawn$layout$layout), 1)
  expect_equal(drawn$plot$labels$y, "Inertia, negated")
  expect_error(
    autoplot(toy_clustering(trace = FALSE), "searches"), "no search for the number",
    class = "imagestrata_error"
  )
  # Results of an older version.
  attr(topics, "tables")$searches <- NULL
  expect_error(autoplot(topics, "searches"), "no search", class = "imagestrata_error")
  expect_named(send_clustering(topics)$tables, c("images", "clusters", "trace"))
  skip_if_no_core()
  found <- cluster_images(toy_density(), step_size = 2, progress = FALSE)
  searches <- tidy(found, "searches")
  expect_named(searches, c("iteration", "k", "fit", "kept", "criterion"))
  expect_equal(sum(searches$kept), nrow(tidy(found, "trace")))
})

test_that("bad arguments are errors", {
  expect_error(sweep_clusters(diag(3), values = "ten"), "must be numbers",
    class = "imagestrata_error"
  )
  expect_error(cluster_confidence(diag(3)), "cluster_images", class = "imagestrata_error")
  skip_if_no_core()
  expect_error(cluster_confidence(demo_topics()), "hdbscan", class = "imagestrata_error")
})
