test_that("gaps of topics look as they did", {
  skip_if_not_installed("vdiffr")
  pictures <- rlang::set_names(toy_pictures()[1:2], c(1, 3))
  vdiffr::expect_doppelganger("two parties", plot_topic_gaps(toy_gaps(), thumbnails = pictures))
  vdiffr::expect_doppelganger("three groups", plot_topic_gaps(toy_gaps(c("a", "b", "c"))))
})

test_that("topics stand from one side to the other, in the colours of the sides", {
  gaps <- toy_gaps()
  plot <- plot_topic_gaps(gaps)
  expect_equal(plot$scales$get_scales("y")$labels, c("protest", "flags", "Cluster 2"))
  points <- layers_of(plot)$Point
  expect_equal(points$x, c(0.02, -0.05, 0.08))
  expect_equal(points$y, c(2, 1, 3))
  sides <- party_colours()[c("Democrat", "Republican", "Democrat")]
  expect_equal(points$colour, unname(sides))
  # Points are open if and only if the interval that is drawn includes zero.
  lines <- layers_of(plot)$Linerange
  expect_equal(points$fill == "white", lines$xmin <= 0 & lines$xmax >= 0)
  expect_equal(points$fill[1], "white")
  expect_match(caption_on_one_line(plot), "unit: authors. Open points: the interval includes zero")
  expect_match(caption_on_one_line(plot), "Vertical line: no difference")
  expect_match(plot$labels$x, "Difference in the share of authors")
  expect_match(
    ggplot2::get_alt_text(plot), "largest difference is 8 percentage points .protest, more by Demo"
  )
  expect_equal(
    plot_topic_gaps(gaps, n = 1)$scales$get_scales("y")$labels, "protest"
  )
  # They are pale if the adjusted p value disagrees.
  holm <- plot_topic_gaps(dplyr::mutate(gaps, adjust = "holm", p.adjusted = 0.2))
  expect_match(caption_on_one_line(holm), "Pale points: p .adjusted by Holm. is not below 0.05")
  pale <- layers_of(holm)$Point
  expect_equal(pale$fill[-1], pale_colour(unname(sides[-1])))
  all <- plot_topic_gaps(gaps, topics = c(2, 3))
  expect_no_match(caption_on_one_line(all), "Open")
})

test_that("the directions are written above each panel", {
  grobs <- grobs_of(plot_topic_gaps(toy_gaps()))
  withr::local_pdf(NULL, width = 7)
  texts_of <- \(grob) {
    drawn <- grid::makeContent(grob)$children
    unname(unlist(lapply(drawn, \(one) one$label)))
  }
  expect_equal(texts_of(grobs[["directions-1"]]), c("Republican more", "Democrat more"))
  three <- grobs_of(plot_topic_gaps(toy_gaps(c("a", "b", "c"))))
  expect_equal(texts_of(three[["directions-2"]]), c("c more", "a more"))
  expect_equal(pairs_of_groups("pre - war - post - war")[[1]], c("pre - war", "post - war"))
})

test_that("gaps over time are lines", {
  gaps <- dplyr::bind_rows(lapply(1:3, \(i) {
    dplyr::mutate(toy_gaps(), month = as.Date(sprintf("2020-%02d-01", i)), estimate = estimate + i)
  }))
  plot <- plot_topic_gaps(gaps, topics = c(1, 3))
  drawn <- layers_of(plot)
  expect_equal(drawn$Hline$yintercept, c(0, 0))
  expect_equal(drawn$Line$y[drawn$Line$PANEL == 1], 1:3 + 0.02)
  expect_equal(levels(plot$data$panel), c("flags", "protest"))
  expect_match(caption_on_one_line(plot), "Above zero: Democrat more than Republican")
})

test_that("what cannot be drawn is refused", {
  expect_snapshot(error = TRUE, {
    plot_topic_gaps(toy_shares())
    plot_topic_gaps(toy_gaps(), alpha = 2)
    plot_topic_gaps(toy_gaps(), topics = 9)
    plot_topic_gaps(dplyr::mutate(toy_gaps(), estimate = NA_real_))
    plot_topic_gaps(toy_gaps(), n_columns = 2)
  })
})
