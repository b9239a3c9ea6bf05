test_that("dots have the colours of their clusters, labels stand above medians", {
  words <- tibble::tibble(cluster = 2L, rank = 2:1, term = c("cat", "dog"))
  plot <- autoplot(toy_clustering(), "map", points = toy_points(), keywords = words)
  dots <- ggplot2::layer_data(plot, 1)
  expect_equal(dots$colour, rep(c(map_greys[["none"]], group_colours[1:2]), c(1, 3, 2)))
  expect_equal(dots$x[1:2], c(0.5, 0))
  labels <- ggplot2::layer_data(plot, 2)
  expect_equal(labels$label, c("1", "2 dog"))
  expect_equal(labels$x, c(0, 0.95))
  expect_equal(labels$y, c(0, 1) + 0.024)
  expect_equal(
    gsub("\n", " ", plot$labels$caption),
    paste(
      "Principal components 1 and 2: 6 images, 2 clusters. Labels: above the median of a cluster's",
      "images."
    )
  )
  key <- plot$scales$get_scales("colour")
  expect_equal(key$get_limits(), c("1", "2", "in no cluster"))
  expect_equal(key$name, "Cluster")
  expect_match(ggplot2::get_alt_text(plot), "^A map of 6 images .* colours of 2 clusters: 1, 2")
})

test_that("the map looks as it did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("map", autoplot(toy_clustering(), "map", points = toy_points()))
})

test_that("no colour stands for two clusters: the largest have one each, smaller ones are grey", {
  # The same case by hand as in tests/python/test_map.py.
  group <- rep(1:9, c(3, 3, 1, 3, 1, 3, 3, 3, 3))
  key <- map_key(c(group, -1), 1:9, c(`1` = "flags"), "cluster")
  expect_equal(
    key$entries, c("1  flags", "2", "4", "6", "7", "8", "9", "2 smaller clusters", "in no cluster")
  )
  expect_equal(
    unname(key$colours), unname(c(group_colours, map_greys[c("smaller", "none")]))
  )
  expect_equal(key$entry_of[c(3, 5, 9)], c(rep("2 smaller clusters", 2), "9"))
  expect_equal(map_key(group, 1:9, character(), "theme")$grey, "2 smaller themes")
})

test_that("the key has as many columns as one column of a journal has room for", {
  expect_equal(columns_of_key(c("1", "2", "in no cluster")), 3)
  expect_equal(columns_of_key(c("1", "2 smaller clusters")), 2)
  expect_equal(columns_of_key(c("1", "3  families at the border fence")), 1)
  expect_equal(columns_of_key(strrep("a", 60)), 1)
})

test_that("labels are those of the core", {
  # The same case by hand as in tests/python/test_map.py, counted from 1.
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
