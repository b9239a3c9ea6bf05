# An ordered group of respondents, such as their ideology.
seven_groups <- function() {
  ratings <- dplyr::filter(simulated_ratings, cluster <= 12)
  people <- unique(ratings$respondent_id)
  ratings$ideology <- (match(ratings$respondent_id, people) %% 7) + 1
  quietly(rating_means(ratings, by = ideology))
}

test_that("means look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("two groups", plot_rating_means(few_means()))
  vdiffr::expect_doppelganger("everybody", plot_rating_means(few_means(by = NULL)))
  panels <- dplyr::filter(few_means(by = c(group, cluster)), cluster %in% c(5, 8))
  vdiffr::expect_doppelganger("panels", plot_rating_means(panels))
  vdiffr::expect_doppelganger("whole scale", plot_rating_means(few_means(), zoom = FALSE))
  vdiffr::expect_doppelganger("ordered", plot_rating_means(
    dplyr::filter(seven_groups(), level == "dimension"), scale = c(0, 10)
  ))
})

test_that("every row and group is drawn where it belongs", {
  means <- few_means()
  plot <- plot_rating_means(means)
  drawn <- layers_of(plot)
  expect_equal(drawn$Point$x, means$estimate)
  expect_equal(round(drawn$Point$y), rep(13:1, each = 2))
  expect_true(all(diff(drawn$Point$y) < 0))
  expect_equal(
    unique(drawn$Point$colour), unname(party_colours()[c("Democrat", "Republican")])
  )
  thin <- drawn[names(drawn) == "Linerange"][[1]]
  expect_equal(thin$xmin, pmax(means$conf.low, 0))
  expect_equal(thin$xmax, means$conf.high)
})

# Whether the thick lines of two groups overlap, by row.
overlap_in <- function(plot) {
  data <- plot$data
  low <- tapply(data$compare.low, list(data$item, data$side), c)
  high <- tapply(data$compare.high, list(data$item, data$side), c)
  list(low = low, high = high)
}

test_that("thick lines overlap if and only if rating_gaps() finds no difference", {
  ratings <- dplyr::filter(simulated_ratings, cluster <= 40)
  found <- logical()
  for (conf_level in c(0.8, 0.95)) {
    for (variance in c("two-way", "respondent")) {
      means <- quietly(rating_means(ratings, variance = variance, conf_level = conf_level))
      gaps <- quietly(rating_gaps(ratings, variance = variance))
      ends <- overlap_in(plot_rating_means(means))
      apart <- ends$low[, 1] > ends$high[, 2] | ends$low[, 2] > ends$high[, 1]
      significant <- rlang::set_names(gaps$p.value < 1 - conf_level, gaps$item)
      expect_equal(apart, significant[names(apart)])
      found <- c(found, apart)
      # They add up to the half width of the interval of the difference.
      half <- rowSums(ends$high - ends$low) / 2
      width <- stats::qt((1 + conf_level) / 2, gaps$df) * gaps$std.error
      expect_equal(unname(half[gaps$item]), width)
    }
  }
  expect_true(any(found) && !all(found))
})

test_that("three groups are compared exactly, more by least squares", {
  expect_equal(half_widths(c(1, 3), matrix(c(0, 4, 4, 0), 2)), c(1, 3))
  three <- matrix(c(0, 3, 4, 3, 0, 5, 4, 5, 0), 3)
  expect_equal(half_widths(c(1, 1, 1), three), c(1, 2, 3))
  withr::local_seed(1)
  four <- as.matrix(stats::dist(matrix(stats::rnorm(12), 4)))
  pairs <- utils::combn(4, 2)
  sums <- t(apply(pairs, 2, \(pair) as.numeric(1:4 %in% pair)))
  expect_equal(
    unname(half_widths(rep(1, 4), four)), unname(qr.solve(sums, four[t(pairs)])), tolerance = 1e-9
  )
  expect_equal(half_widths(1, matrix(0)), NA_real_)

  third <- dplyr::filter(simulated_ratings, cluster <= 60)
  person <- as.integer(sub("\\D", "", third$respondent_id))
  third$group <- ifelse(person %% 3 == 0, "Independent", as.character(third$group))
  plot <- plot_rating_means(quietly(rating_means(third)))
  gaps <- quietly(rating_gaps(third))
  ends <- overlap_in(plot)
  for (i in seq_len(nrow(gaps))) {
    pair <- strsplit(gaps$contrast[i], " - ")[[1]]
    low <- ends$low[gaps$item[i], pair]
    high <- ends$high[gaps$item[i], pair]
    expect_equal(max(low) > min(high), gaps$p.value[i] < 0.05)
  }
  expect_no_match(caption_on_one_line(plot), "except")
})

test_that("captions say what lines mean, and where comparisons are approximate", {
  means <- few_means()
  expect_equal(caption_on_one_line(plot_rating_means(means, scale = c(0, 10))), paste(
    "Every cluster has equal weight. Thin lines: 95% intervals of the means. Thick lines are for",
    "comparison: groups of a row differ (p < 0.05, not adjusted) where they do not overlap. Shaded",
    "rows: dimensions. The",
    "bar below the axis shows which part of the scale is drawn. Each point rests on 149 to 164",
    "ratings by 116 to 151 respondents."
  ))
  expect_match(caption_on_one_line(plot_rating_means(means)), "lowest and highest rating given")
  everybody <- caption_on_one_line(plot_rating_means(few_means(by = NULL)))
  expect_match(everybody, "Lines: 95% intervals[.]")
  expect_no_match(everybody, "comparison")
  # Saved as text, the covariance of groups is lost, but not the level.
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(few_means(conf_level = 0.9), file, row.names = FALSE)
  saved <- plot_rating_means(utils::read.csv(file))
  expect_match(caption_on_one_line(saved), "90% intervals.*p < 0.1.*treated as independent")
  data <- saved$data[saved$data$item == "angry", ]
  width <- stats::qt(0.95, min(data$df)) * sqrt(sum(data$std.error^2))
  expect_equal(sum(data$compare.high - data$compare.low) / 2, width)
  # So are means that are not those of the comparison.
  known <- known_comparisons(means)
  key <- c(known$a[1], known$b[1])
  error <- c(known$error_a[1], known$error_b[1])
  expect_equal(find_comparison(known, key, error), 1)
  expect_equal(find_comparison(known, rev(key), rev(error)), 1)
  expect_equal(find_comparison(known, key, 2 * error), NA)
  # Some pairs of many groups are misjudged: they are counted.
  groups <- add_comparisons(
    tibble::tibble(
      level = "item", item = "angry", group = letters[1:4], estimate = c(0, 1.38, 5, 9),
      std.error = c(0.1, 0.6, 0.5, 0.5), df = Inf
    ),
    "group", 0.95, NULL
  )
  d <- groups$means
  gap <- abs(outer(d$estimate, d$estimate, "-"))
  sure <- gap > 1.96 * sqrt(outer(d$std.error^2, d$std.error^2, "+"))
  half <- d$compare.high - d$estimate
  apart <- gap > outer(half, half, "+")
  expect_equal(groups$wrong, sum((sure != apart)[upper.tri(gap)]))
  expect_equal(groups$pairs, 6)
  expect_false(groups$exact)
})

test_that("the axis has the ends of the scale, or shows which part of it is drawn", {
  means <- few_means()
  axis <- \(plot) {
    panel <- ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$x
    list(breaks = panel$breaks, range = panel$continuous_range)
  }
  whole <- axis(plot_rating_means(means, zoom = FALSE))
  expect_equal(whole$breaks, c(0, 2, 4, 6, 8, 10))
  expect_equal(axis(plot_rating_means(means, scale = c(1, 7), zoom = FALSE))$breaks, 1:7)
  expect_equal(breaks_with_ends(c(1, 10)), c(1, 4, 7, 10))
  expect_equal(range(breaks_with_ends(c(0, 100))), c(0, 100))
  expect_equal(range(breaks_with_ends(c(0, 1))), c(0, 1))
  part <- axis(plot_rating_means(means))
  bar <- grobs_of(plot_rating_means(means))[["scale-1"]]
  expect_equal(bar$part, part$range / 10)
  expect_equal(bar$children[[3]]$label, "0")
  expect_equal(bar$children[[4]]$label, "10")
  expect_null(grobs_of(plot_rating_means(means, zoom = FALSE))[["scale-1"]])
  # If the intervals need most of the scale, it is drawn whole.
  ends <- range(means$conf.low, means$conf.high)
  expect_equal(range(axis(plot_rating_means(means, scale = ends))$breaks), ends)
  # A mean cannot be beyond the end of the scale.
  wide <- dplyr::mutate(tidy(means), conf.low = -3, conf.high = 12)
  lines <- layers_of(plot_rating_means(wide, scale = c(0, 10)))$Linerange
  expect_equal(unique(lines$xmin), 0)
  expect_equal(unique(lines$xmax), 10)
  expect_error(plot_rating_means(means, scale = 10), "lowest and the highest rating")
})

test_that("the scale is that of read_ratings()", {
  answers <- data.frame(
    respondent_id = c("r1", "r1", "r2", "r2"), group = c("D", "D", "R", "R"),
    image_id = rep(simulated_sample$image_id[c(1, 7)], 2), item = "proud", rating = c(2, 3, 5, 4)
  )
  ratings <- quietly(read_ratings(answers, sample = simulated_sample, scale = c(1, 7)))
  means <- quietly(rating_means(dplyr::filter(ratings, rating > 0)))
  expect_equal(scale_to_draw(NULL, means), list(ends = c(1, 7), known = TRUE))
  expect_equal(scale_to_draw(NULL, quietly(rating_gaps(ratings)))$ends, c(1, 7))
  plain <- quietly(rating_means(tibble::as_tibble(ratings)))
  expect_equal(scale_to_draw(NULL, plain), list(ends = c(2, 5), known = FALSE))
})

test_that("ordered groups have a sequential palette, and groups of clusters do not", {
  plot <- plot_rating_means(seven_groups())
  values <- plot$scales$get_scales("colour")$palette(7)
  expect_equal(unname(values), sequential_colours(7))
  clusters <- few_means(by = cluster)
  plot <- plot_rating_means(dplyr::filter(clusters, cluster %in% c(5, 8)))
  expect_equal(unname(plot$scales$get_scales("colour")$palette(2))[1:2], group_colours[1:2])
})

test_that("there is one legend, for colours and shapes", {
  boxes <- grobs_of(plot_rating_means(few_means()))[["guide-box"]]
  legends <- grep("^guides$", boxes$layout$name)
  expect_length(legends, 1)
})

test_that("the figure is described in words", {
  means <- few_means()
  text <- ggplot2::get_alt_text(plot_rating_means(means))
  expect_match(text, "^Points with intervals for mean ratings, 26 points in 13 rows")
  expect_match(text, "by group: Democrat and Republican")
  highest <- means[which.max(means$estimate), ]
  expect_match(text, sprintf(
    "The highest mean rating is %.2f (%s, %s)", highest$estimate, highest$item, highest$group
  ), fixed = TRUE)
  gaps <- few_gaps()
  expect_match(text, sprintf("do not overlap in %d of 13 rows", sum(gaps$p.value < 0.05)))
  panels <- dplyr::filter(few_means(by = c(group, cluster)), cluster %in% c(5, 8))
  expect_match(ggplot2::get_alt_text(plot_rating_means(panels)), "Panels: cluster")
})

test_that("it is a ggplot to go on with, and takes tables from elsewhere", {
  means <- few_means()
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(means, file, row.names = FALSE)
  plot <- plot_rating_means(utils::read.csv(file), colours = c("black", "grey50")) +
    ggplot2::theme(legend.position = "top") + ggplot2::labs(x = "Mittelwert")
  expect_equal(plot$labels$x, "Mittelwert")
  expect_equal(unique(layers_of(plot)$Point$colour), c("black", "grey50"))
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
    points <- layers_of(plot)$Point
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
  points <- layers_of(plot_rating_means(means))$Point
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
  means <- few_means()
  points <- \(x) layers_of(plot_rating_means(x, scale = c(0, 10)))[["Point"]]
  expect_equal(points(tidy(means)), points(means))
  gaps <- few_gaps()
  drawn <- \(x) ggplot2::ggplot_build(plot_rating_gaps(x))$data
  expect_equal(drawn(tidy(gaps)), drawn(gaps))
})

test_that("groups may be dates", {
  dates <- as.Date(c("2018-10-01", "2018-01-01", NA))
  expect_equal(as_groups(dates), factor(as.character(dates)))
  expect_equal(as_groups(c(2, 10, 2)), factor(c(2, 10, 2)))
  expect_equal(as_groups(c("b", "a")), factor(c("b", "a")))
})
