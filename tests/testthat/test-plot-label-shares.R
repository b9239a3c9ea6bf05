test_that("shares of labels look as they did", {
  skip_if_not_installed("vdiffr")
  protest <- toy_label_shares(code == "protest")
  vdiffr::expect_doppelganger("groups", plot_label_shares(protest))
  vdiffr::expect_doppelganger("codes", plot_label_shares(
    dplyr::select(toy_label_shares(party == "Democrat"), -party),
    labels = c(protest = "A protest with people")
  ))
  vdiffr::expect_doppelganger("codes and groups", plot_label_shares(toy_label_shares()))
  vdiffr::expect_doppelganger("months", plot_label_shares(toy_label_months(code == "protest")))
})

test_that("each row has three marks with their intervals, in the order of the methods", {
  table <- toy_label_shares(code == "protest")
  plot <- plot_label_shares(table)
  drawn <- layers_of(plot)
  expect_equal(drawn$Point$x, table$estimate)
  expect_equal(drawn$Point$y, rep(c(2, 1), each = 3) + rep(c(0.26, 0, -0.26), 2))
  expect_equal(drawn$Linerange$xmin, table$conf.low)
  expect_equal(drawn$Linerange$xmax, table$conf.high)
  scale <- plot$scales$get_scales("y")
  expect_equal(scale$labels[order(-scale$breaks)], c("Democrat", "Republican"))
  # In any order of the rows.
  turned <- plot_label_shares(table[6:1, ])
  point <- dplyr::arrange(layers_of(turned)$Point, -y)
  expect_equal(point$x, table$estimate)
})

test_that("in grey, methods differ by shape and by darkness", {
  point <- layers_of(plot_label_shares(toy_label_shares(code == "protest")))$Point
  expect_equal(point$shape[1:3], c(0, 17, 16))
  grey <- colSums(grDevices::col2rgb(point$colour[1:3]) * c(0.299, 0.587, 0.114))
  expect_true(all(diff(grey) < -30))
})

test_that("methods are named beside their marks, or in a legend where there is no room", {
  table <- toy_label_shares(code == "protest")
  plot <- plot_label_shares(table)
  named <- layers_of(plot)$Text
  expect_equal(named$label, factor(share_methods, share_methods), ignore_attr = TRUE)
  # Republicans end first, and have room on the right.
  expect_equal(round(unique(floor(named$y + 0.5))), 1)
  expect_equal(named$hjust, c(0, 0, 0))
  expect_equal(plot$guides$colour, "none")
  ends <- ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$x.range[2]
  expect_lt(max(named$x), 0.7 * ends)

  abreast <- plot_label_shares(toy_label_shares())
  expect_false("Text" %in% names(layers_of(abreast)))
  expect_s3_class(abreast$guides$colour, "legend")
  below <- plot_label_shares(toy_label_shares(), n_columns = 1)
  expect_true("Text" %in% names(layers_of(below)))
})

test_that("codes are rows without groups, and answers have their own", {
  table <- tidyr::expand_grid(
    code = "setting", label = c("indoors", "outdoors"), method = c("machine", "sample", "corrected")
  )
  table <- dplyr::mutate(table, estimate = 0.5, conf.low = 0.4, conf.high = 0.6)
  plot <- plot_label_shares(table, labels = c("setting: indoors" = "Inside"))
  expect_equal(plot$scales$get_scales("y")$labels, c("Inside", "setting: outdoors"))
  expect_equal(plot$labels$x, "Share of images")
  both <- dplyr::select(toy_label_shares(party == "Democrat"), -party)
  chosen <- plot_label_shares(both, codes = c("children", "protest"))
  expect_equal(chosen$scales$get_scales("y")$labels, c("children", "protest"))
  # The share of "0" is the rest.
  rest <- dplyr::bind_rows(both, dplyr::mutate(both, label = "0", estimate = 1 - estimate))
  expect_equal(layers_of(plot_label_shares(rest))$Point, layers_of(plot_label_shares(both))$Point)
})

test_that("means of scales have their own axis", {
  means <- dplyr::mutate(
    toy_label_shares(code == "protest"), code = "anger", label = NA, estimate = 2 + estimate,
    conf.low = 2 + conf.low, conf.high = 2 + conf.high
  )
  plot <- plot_label_shares(means)
  expect_equal(plot$labels$x, "Mean of images: anger")
  expect_gt(ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$x.range[1], 1.5)
  mixed <- dplyr::bind_rows(means, toy_label_shares())
  expect_error(plot_label_shares(mixed), "figure each", class = "imagestrata_error")
  expect_equal(
    layers_of(plot_label_shares(mixed, codes = "anger"))$Point, layers_of(plot)$Point
  )
})

test_that("over time, groups are panels with lines, bands and points", {
  table <- toy_label_months(code == "protest")
  plot <- plot_label_shares(table)
  expect_equal(levels(plot$data$panel), c("Democrat", "Republican"))
  expect_equal(plot$labels$y, "Share of images: protest")
  drawn <- layers_of(plot)
  expect_setequal(
    drawn$Linerange$ymax, table$conf.high[table$method == "sample"]
  )
  line <- drawn$Line
  expect_equal(unique(line$linetype), c("22", "solid"))
  expect_setequal(line$y, table$estimate[table$method != "sample"])
  expect_equal(plot$scales$get_scales("shape")$breaks, unname(share_methods))
  expect_match(ggplot2::get_alt_text(plot), "over month from 2020-01-01 to 2020-03-01")
  # Dates of a file are texts.
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(table, file, row.names = FALSE)
  expect_equal(layers_of(plot_label_shares(utils::read.csv(file))), drawn)
})

test_that("clusters have their names", {
  table <- dplyr::mutate(
    toy_label_shares(code == "protest"), cluster = rep(c(5, 17), each = 3),
    cluster_name = rep(c("people with signs", NA), each = 3), party = NULL
  )
  plot <- plot_label_shares(table)
  expect_equal(plot$scales$get_scales("y")$labels, c("people with signs", "Cluster 17"))
})

test_that("the truth is marked where it is known", {
  table <- toy_label_shares(code == "protest")
  truth <- data.frame(code = "protest", party = c("Republican", "Democrat"), truth = c(0.07, 0.14))
  plot <- plot_label_shares(table, truth = truth)
  drawn <- layers_of(plot)$Segment
  expect_equal(drawn$x, c(0.14, 0.07))
  expect_equal(drawn$y, c(2, 1) - 0.42)
  expect_match(caption_on_one_line(plot), "Grey lines: the truth")
  # Of a table with both answers, that of "1" counts.
  both <- dplyr::bind_rows(
    dplyr::mutate(truth, label = "0", truth = 1 - truth), dplyr::mutate(truth, label = "1")
  )
  expect_equal(layers_of(plot_label_shares(table, truth = both))$Segment, drawn)
  over <- tidyr::expand_grid(month = unique(toy_label_months()$month), truth)
  over <- layers_of(plot_label_shares(toy_label_months(code == "protest"), truth = over))
  expect_equal(unique(over$Step$y), c(0.14, 0.07))
})

test_that("captions and alternative texts say what is drawn", {
  table <- toy_label_shares(code == "protest")
  attr(table, "tables") <- list(summary = tibble::tibble(conf_level = 0.9, weight = "post"))
  expect_equal(plot_label_shares(table)$labels$x, "Share of images posted: protest")
  attr(table, "tables")$summary$weight <- "image"
  plot <- plot_label_shares(table)
  expect_equal(caption_on_one_line(plot), paste(
    "Lines: 90% intervals; 520 to 640 images labelled, 8,000 to 9,000 predicted.",
    "The interval of the machine says nothing about its errors."
  ))
  expect_equal(ggplot2::get_alt_text(plot), paste0(
    "Points with intervals for the share of images by machine only, sample only and corrected, a ",
    "row for each group. protest, Democrat: machine only 12.0%, sample only 17.0%, corrected ",
    "13.0%; protest, Republican: machine only 9.0%, sample only 8.0%, corrected 7.0%."
  ))
  table[2, c("estimate", "conf.low", "conf.high")] <- NA
  plot <- plot_label_shares(table)
  expect_equal(nrow(layers_of(plot)$Point), 5)
  expect_match(caption_on_one_line(plot), "No mark: too few labels")
})

test_that("what cannot be drawn is refused", {
  shares <- toy_label_shares()
  expect_snapshot(error = TRUE, {
    plot_label_shares(simulated_labels)
    plot_label_shares(shares[0, ])
    plot_label_shares(dplyr::mutate(shares, method = "guess"))
    plot_label_shares(dplyr::bind_rows(shares, shares))
    plot_label_shares(shares, codes = "violence")
    plot_label_shares(shares, labels = c(violence = "Violence"))
    plot_label_shares(shares, n_columns = 0)
    plot_label_shares(shares, truth = data.frame(code = "protest", truth = 0.1))
    plot_label_shares(shares, truth = data.frame(code = "protest", party = "Green", truth = 0.1))
    plot_label_shares(dplyr::mutate(toy_label_months(), week = month))
    plot_label_shares(dplyr::mutate(shares[rep(1, 41), ], party = 1:41))
  })
})

test_that("the tables of label_shares() are drawn as they are", {
  made <- read_labelled()
  table <- quietly(label_shares(
    made$labels, made$predictions, made$sample, clustering = made$images, conf_level = 0.9
  ))
  plot <- ggplot2::autoplot(table, codes = c("protest", "place"))
  expect_setequal(
    layers_of(plot)$Point$x, table$estimate[table$code != "anger"]
  )
  expect_match(
    caption_on_one_line(plot), "^Lines: 90% intervals; 5[0-9] to 59 images labelled, 419 predi"
  )
  expect_equal(plot$labels$x, "Share of images")
  clusters <- quietly(label_shares(
    made$labels, made$predictions, made$sample, cluster, clustering = made$images
  ))
  plot <- plot_label_shares(clusters, codes = "protest")
  expect_true("flags" %in% plot$scales$get_scales("y")$labels)
  posts <- quietly(label_shares(
    made$labels, made$predictions, made$sample, c(party, month), linked = made$posts
  ))
  plot <- plot_label_shares(posts, codes = "protest")
  expect_equal(levels(plot$data$panel), c("D", "R"))
})
