test_that("means look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("two groups", plot_rating_means(few_means()))
  vdiffr::expect_doppelganger("everybody", plot_rating_means(few_means(by = NULL)))
  panels <- dplyr::filter(few_means(by = c(group, cluster)), cluster %in% c(5, 8))
  vdiffr::expect_doppelganger("panels", plot_rating_means(panels))
})

test_that("every row and group is drawn where it belongs", {
  means <- few_means()
  plot <- plot_rating_means(means)
  points <- ggplot2::layer_data(plot, 3)
  expect_equal(points$x, means$estimate)
  expect_equal(round(points$y), rep(13:1, each = 2))
  expect_true(all(diff(points$y) < 0))
  expect_equal(unique(points$colour), unname(party_colours()[c("Democrat", "Republican")]))
  expect_equal(plot$labels$caption, "95% intervals; every cluster has equal weight.")
})

test_that("it is a ggplot to go on with, and takes tables from elsewhere", {
  means <- few_means()
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(means, file, row.names = FALSE)
  plot <- plot_rating_means(utils::read.csv(file), colours = c("black", "grey50")) +
    ggplot2::theme(legend.position = "top") + ggplot2::labs(x = "Mittelwert")
  expect_equal(plot$labels$x, "Mittelwert")
  expect_equal(unique(ggplot2::layer_data(plot, 3)$colour), c("black", "grey50"))
  expect_s3_class(autoplot(means), "ggplot")
  expect_s3_class(autoplot(few_gaps()), "ggplot")
})

test_that("what cannot be drawn is refused", {
  means <- few_means(by = c(group, cluster))
  expect_snapshot(error = TRUE, {
    plot_rating_means(simulated_ratings)
    plot_rating_means(means[0, ])
    plot_rating_means(quietly(rating_means(simulated_ratings, by = c(group, cluster))))
    plot_rating_means(few_means(), colours = "red")
  })
})

test_that("colours go to the groups of their names, or to the groups in order", {
  means <- few_means()
  colour_of <- function(...) {
    plot <- plot_rating_means(...)
    values <- plot$scales$get_scales("colour")$palette(nlevels(plot$data$side))
    points <- ggplot2::layer_data(plot, 3)
    expect_equal(points$colour, unname(values[as.character(plot$data$side)]))
    values
  }
  named <- c(Republican = "red", Democrat = "blue")
  expect_equal(colour_of(means, named), c(Democrat = "blue", Republican = "red"))
  more <- c(Green = "green", named)
  expect_equal(colour_of(means, more), c(Democrat = "blue", Republican = "red"))
  expect_equal(colour_of(means, c("red", "blue")), c(Democrat = "red", Republican = "blue"))
  expect_equal(colour_of(dplyr::filter(means, group == "Republican"), named), c(Republican = "red"))
  turned <- dplyr::mutate(simulated_ratings, group = factor(group, c("Republican", "Democrat")))
  turned <- quietly(rating_means(dplyr::filter(turned, cluster <= 12)))
  expect_equal(colour_of(turned, c("red", "blue")), c(Republican = "red", Democrat = "blue"))
  expect_equal(colour_of(turned, named), named)
  expect_equal(autoplot(means, colours = named)$scales$get_scales("colour")$palette(2)[[2]], "red")
})

test_that("groups stand in the order of their levels, in tables and in plots", {
  turned <- dplyr::mutate(simulated_ratings, group = factor(group, c("Republican", "Democrat")))
  turned <- dplyr::filter(turned, cluster <= 12)
  means <- quietly(rating_means(turned))
  expect_equal(as.character(means$group[1:2]), c("Republican", "Democrat"))
  expect_equal(levels(means$group), c("Republican", "Democrat"))
  points <- ggplot2::layer_data(plot_rating_means(means), 3)
  expect_gt(points$y[1], points$y[2])
  expect_equal(unique(quietly(rating_gaps(turned))$contrast), "Republican - Democrat")
  third <- as.integer(sub("\\D", "", turned$respondent_id)) %% 3 == 0
  three <- dplyr::mutate(turned, group = factor(
    ifelse(third, "Z", as.character(group)), c("Z", "Republican", "Democrat")
  ))
  plot <- plot_rating_gaps(quietly(rating_gaps(three)))
  expect_equal(
    levels(plot$data$contrast), c("Z - Republican", "Z - Democrat", "Republican - Democrat")
  )
})

test_that("colours that leave a group without one are refused", {
  expect_snapshot(error = TRUE, {
    plot_rating_means(few_means(), colours = c(Republican = "red"))
    plot_rating_means(few_means(), colours = c(Reds = "red", Blues = "blue"))
    plot_rating_means(few_means(), colours = c(Republican = "red", "blue"))
    plot_rating_means(few_means(), c(Democrat = "red", Democrat = "blue", Republican = "red"))
    plot_rating_means(few_means(), colours = c("red", "blew"))
    plot_rating_means(few_means(), colours = 1:2)
    plot_rating_means(few_means(), colors = "red")
    autoplot(few_means(), color = "red")
  })
})

test_that("tidy() gives what can be drawn", {
  drawn <- function(x) ggplot2::ggplot_build(x)$data
  means <- rating_means(simulated_ratings, by = group)
  expect_equal(drawn(plot_rating_means(tidy(means))), drawn(plot_rating_means(means)))
  gaps <- rating_gaps(simulated_ratings, by = group)
  expect_equal(drawn(plot_rating_gaps(tidy(gaps))), drawn(plot_rating_gaps(gaps)))
})

test_that("groups may be dates", {
  dates <- as.Date(c("2018-10-01", "2018-01-01", NA))
  expect_equal(as_groups(dates), factor(as.character(dates)))
  expect_equal(as_groups(c(2, 10, 2)), factor(c(2, 10, 2)))
  expect_equal(as_groups(c("b", "a")), factor(c("b", "a")))
})
