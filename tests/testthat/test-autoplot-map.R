# Two groups in corners and the residual between them: images a, b, d; c, f; e.
toy_points <- function() {
  tibble::tibble(
    image_id = letters[6:1], x = c(10, 5, 0, 9, 1, 0), y = c(10, 5, 1, 10, 0, 0), method = "pca"
  )
}

test_that("dots have the colours of their clusters, labels stand above medians", {
  words <- tibble::tibble(cluster = 2L, rank = 2:1, term = c("cat", "dog"))
  plot <- autoplot(toy_clustering(), "map", points = toy_points(), keywords = words)
  dots <- ggplot2::layer_data(plot, 1)
  expect_equal(dots$colour, rep(c("#cfd4da", map_colours[1:2]), c(1, 3, 2)))
  expect_equal(dots$x[1:2], c(0.5, 0))
  labels <- ggplot2::layer_data(plot, 2)
  expect_equal(labels$label, c("1", "2 dog"))
  expect_equal(labels$x, c(0, 0.95))
  expect_equal(labels$y, c(0, 1) + 0.024)
  expect_equal(
    plot$labels$caption,
    "Principal components 1 and 2: 6 images, 2 clusters; grey: in no cluster"
  )
})

test_that("the map looks as it did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("map", autoplot(toy_clustering(), "map", points = toy_points()))
})

test_that("colours and labels are those of the core", {
  # The same cases by hand as in tests/python/test_map.py, counted from 1.
  places <- cbind(c(0, 4, 5, 6, 0.5), 0)
  expect_equal(spread_colours(places, 3), c(1, 2, 3, 1, 3))
  centres <- cbind(c(0.5, 0.5, 0.1, 0.15, 0.9), c(0.5, 0.505, 0.1, 0.1, 0.9))
  expect_equal(
    fitting_labels(centres, 1:5, c(NA, NA, "word", "word", "word")),
    c("1", NA, "3", "4", "5 word")
  )
})

test_that("points that do not fit are refused", {
  topics <- toy_clustering()
  expect_snapshot(error = TRUE, {
    autoplot(topics, "map")
    autoplot(topics, "map", points = toy_points()["x"])
    autoplot(topics, "map", points = toy_points()[1:4, ])
    autoplot(topics, "map", points = toy_points(), keywords = data.frame(word = "dog"))
  })
})
