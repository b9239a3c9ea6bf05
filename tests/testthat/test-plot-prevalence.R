test_that("prevalences look as they did", {
  skip_if_not_installed("vdiffr")
  pictures <- rlang::set_names(toy_pictures()[1:2], c(1, 2))
  vdiffr::expect_doppelganger("months", plot_prevalence(toy_prevalence()))
  vdiffr::expect_doppelganger("months with pictures", plot_prevalence(
    toy_prevalence(), thumbnails = pictures, labels = c(`2` = "a long name of a cluster"),
    scales = "free_y", n_columns = 1
  ))
  vdiffr::expect_doppelganger("groups", plot_prevalence(toy_shares()))
  vdiffr::expect_doppelganger("groups with pictures", plot_prevalence(
    toy_shares(), topics = c(2, 1, -1), thumbnails = pictures
  ))
})

test_that("lines and bands are interrupted where there is no post", {
  table <- toy_prevalence()
  plot <- plot_prevalence(table)
  drawn <- layers_of(plot)
  # May, in which nobody has a post, has rows of its own.
  months <- seq(as.Date("2020-01-01"), as.Date("2020-06-01"), "month")
  expect_setequal(drawn$Line$x, as.numeric(months))
  republicans <- drawn$Line[drawn$Line$PANEL == 1 & drawn$Line$group == 2, ]
  expect_equal(republicans$x, as.numeric(months))
  shown <- dplyr::filter(table, cluster == 1, party == "Republican")
  expect_equal(republicans$y, c(shown$estimate[1:4], NA, shown$estimate[5]))
  band <- drawn$Ribbon[drawn$Ribbon$PANEL == 1 & drawn$Ribbon$group == 2, ]
  expect_equal(band$ymin, c(shown$conf.low[1:4], NA, shown$conf.low[5]))
  expect_equal(band$ymax, c(shown$conf.high[1:4], NA, shown$conf.high[5]))
  # Neither layer drops the gaps, which would join what is beside them.
  params <- lapply(plot$layers, \(layer) layer$geom_params$na.rm)
  expect_false(params[[1]])
  # April and June of Republicans, and June of Democrats, have no neighbours.
  alone <- drawn$Pointrange
  expect_equal(nrow(alone), 6)
  expect_setequal(as.Date(alone$x, "1970-01-01"), as.Date(c("2020-04-01", "2020-06-01")))
})

test_that("empty cells and periods without posts are marked", {
  plot <- plot_prevalence(toy_prevalence())
  drawn <- layers_of(plot)
  points <- drawn[names(drawn) == "Point"]
  zero <- points[[1]]
  expect_equal(zero$shape, 21)
  expect_equal(zero$fill, "white")
  expect_equal(c(zero$x, zero$y), c(as.numeric(as.Date("2020-02-01")), 0))
  crosses <- points[[2]]
  expect_equal(unique(crosses$shape), 4)
  expect_equal(unique(crosses$y), 0)
  # March of Republicans and May of both, in two panels.
  expect_equal(nrow(crosses), 6)
  expect_match(caption_on_one_line(plot), "Open points: no post shows the topic")
  expect_match(caption_on_one_line(plot), "Crosses and gaps: no post at all")

  full <- dplyr::filter(toy_prevalence(), party == "Democrat", month < as.Date("2020-05-01"))
  drawn <- plot_prevalence(full)
  expect_false("Point" %in% names(layers_of(drawn)))
  expect_no_match(caption_on_one_line(drawn), "Crosses|Open")
  expect_equal(drawn$guides$colour, "none")
})

test_that("titles, axes and captions say what is drawn", {
  table <- toy_prevalence()
  attr(table, "tables") <- list(summary = tibble::tibble(conf_level = 0.9))
  plot <- plot_prevalence(table)
  expect_equal(levels(plot$data$panel), c("flags", "Cluster 2"))
  expect_match(
    caption_on_one_line(plot), "^Bands: 90% intervals, clustered on authors; unit: posts\\."
  )
  expect_equal(plot$labels$y, "Share of posts")
  authors <- plot_prevalence(dplyr::mutate(table, unit = "author"))
  expect_equal(authors$labels$y, "Share of authors")
  expect_match(ggplot2::get_alt_text(plot), paste0(
    "^Lines with bands for the share of posts that show 2 topics \\(flags; Cluster 2\\) by party ",
    "\\(Democrat, Republican\\), over month from 2020-01-01 to 2020-06-01"
  ))
  expect_equal(percents(c(0, 0.005, 0.1, NA)), c("0%", "0.5%", "10%", NA))
  built <- ggplot2::ggplot_build(plot)
  expect_true(all(grepl("%$", stats::na.omit(built$layout$panel_params[[1]]$y$get_labels()))))
  unnamed <- dplyr::mutate(table, cluster_name = NA_character_)
  expect_equal(levels(plot_prevalence(unnamed)$data$panel), c("Cluster 1", "Cluster 2"))
  twins <- plot_prevalence(table, labels = c(`2` = "flags"))
  expect_equal(levels(twins$data$panel), c("flags (1)", "flags (2)"))
})

test_that("dates are in English, with the year where it begins", {
  days <- as.Date(c("2019-11-01", "2020-01-01", "2020-03-01", NA))
  expect_equal(short_dates(days), c("Nov\n2019", "Jan\n2020", "Mar", NA))
  expect_equal(short_dates(as.Date(c("2019-01-01", "2020-01-01"))), c("2019", "2020"))
  expect_equal(short_dates(as.Date(c("2020-02-03", "2020-02-10"))), c("3 Feb\n2020", "10 Feb"))
})

test_that("the last label of a panel has room, and there are two at least", {
  breaks <- scale_of_dates(as.Date("2018-01-01"))$breaks
  year <- as.numeric(as.Date(c("2018-01-01", "2018-12-31")))
  for (limits in list(year, year + c(0, 300), c(year[1], year[1] + 9), c(17000, 19500))) {
    found <- breaks(as.Date(limits, "1970-01-01"))
    expect_gte(length(found), 2)
    expect_true(all(found >= limits[1] & found <= limits[1] + 0.95 * diff(limits)))
  }
  day <- as.Date("2018-06-01")
  expect_equal(breaks(c(day, day)), day)
})

test_that("only regular periods are filled", {
  as_days <- \(...) as.Date(c(...))
  filled <- \(...) all_periods(as_days(...))
  expect_equal(
    filled("2020-01-06", "2020-01-13", "2020-01-27"),
    as_days("2020-01-06", "2020-01-13", "2020-01-20", "2020-01-27")
  )
  expect_length(filled("2020-01-01", "2020-04-01", "2020-10-01"), 4)
  expect_length(filled("2018-01-01", "2019-01-01", "2021-01-01"), 4)
  irregular <- as_days("2020-01-01", "2020-01-08", "2020-01-20")
  expect_equal(all_periods(irregular), irregular)
})

test_that("the largest topics come first, or those that differ most, or those asked for", {
  shares <- toy_shares()
  shown <- \(...) plot_prevalence(...)$scales$get_scales("y")$labels
  expect_equal(shown(shares), c("flags", "Cluster 2"))
  expect_equal(shown(shares, n = 1), "flags")
  expect_equal(shown(shares, topics = c(-1, 2)), c("residual", "Cluster 2"))
  expect_equal(shown(shares, topics = c(police = 2, 1)), c("police", "flags"))
  many <- tibble::tibble(
    cluster = rep(1:4, each = 2), party = rep(c("Democrat", "Republican"), 4),
    estimate = c(0.4, 0.4, 0.1, 0.3, 0.2, 0.1, 0.02, 0.01), conf.low = 0, conf.high = 0.5
  )
  expect_equal(shown(many), paste("Cluster", 1:4))
  expect_equal(shown(many, n = 3, order = "difference"), paste("Cluster", c(3, 4, 2)))
  three <- dplyr::bind_rows(many, dplyr::mutate(many[c(1, 3, 5, 7), ], party = "Green"))
  three$estimate[9] <- 0.9
  expect_equal(shown(three, n = 1, order = "difference"), "Cluster 1")
  panels <- plot_prevalence(toy_prevalence(), topics = c(2, 1))
  expect_equal(levels(panels$data$panel), c("Cluster 2", "flags"))
})

test_that("points stand in the rows of their topics, bounds are arrows", {
  shares <- toy_shares()
  plot <- plot_prevalence(shares)
  drawn <- layers_of(plot)
  points <- drawn[names(drawn) == "Point"][[1]]
  some <- dplyr::filter(shares, cluster > 0, estimate > 0)
  expect_equal(points$x, some$estimate)
  expect_equal(points$y, c(2, 1, 1) + c(1, 1, -1) * 0.125)
  expect_equal(drawn$Linerange$xmin, some$conf.low)
  expect_equal(drawn$Linerange$xmax, some$conf.high)
  arrow <- drawn$Segment
  expect_equal(c(arrow$x, arrow$xend, arrow$y, arrow$yend), c(0.1, 0, 1.875, 1.875))
  expect_match(caption_on_one_line(plot), "Arrows lead from the upper bound to zero")
  expect_match(ggplot2::get_alt_text(plot), "^Points with intervals for the share of posts")
})

test_that("parties have their colours whatever their order, and other groups a palette", {
  shares <- toy_shares()
  parties <- party_colours()[c("Democrat", "Republican")]
  values <- \(plot) plot$scales$get_scales("colour")$palette(2)
  expect_equal(values(plot_prevalence(shares)), parties)
  turned <- dplyr::mutate(shares, party = factor(party, c("Republican", "Democrat")))
  expect_equal(values(plot_prevalence(turned)), rev(parties))
  points <- layers_of(plot_prevalence(turned))
  points <- points[names(points) == "Point"][[1]]
  expect_equal(points$colour[1], party_colours()[["Democrat"]])
  other <- dplyr::mutate(shares, party = ifelse(party == "Democrat", "Labour", "Tory"))
  expect_equal(unname(values(plot_prevalence(other))), group_colours[1:2])
  own <- c(Tory = "blue", Labour = "red")
  expect_equal(values(plot_prevalence(other, colours = own)), own[c("Labour", "Tory")])
  expect_equal(default_colours("Republican"), party_colours()["Republican"])
  expect_equal(default_colours(c("d", "r")), c(d = parties[[1]], r = parties[[2]]))
  expect_equal(default_colours(c("a", "d")), group_colours)
  three <- default_colours(c("Democrat", "Green", "Republican"))
  expect_equal(unname(three), c(parties[[1]], other_colours[1], parties[[2]]))
})

test_that("in grey, lines differ by type and points by shape", {
  line <- layers_of(plot_prevalence(toy_prevalence()))$Line
  expect_equal(unique(line$linetype), c("solid", "22"))
  points <- layers_of(plot_prevalence(toy_shares()))$Point
  expect_equal(unique(points$shape), c(16, 17))
})

test_that("further columns are panels, and missing groups are a group", {
  both <- dplyr::bind_rows(House = toy_shares(), Senate = toy_shares(), .id = "chamber")
  both <- dplyr::relocate(both, chamber, .after = party)
  built <- ggplot2::ggplot_build(plot_prevalence(both))
  expect_equal(built$layout$layout$chamber, c("House", "Senate"))
  over <- dplyr::bind_rows(House = toy_prevalence(), Senate = toy_prevalence(), .id = "chamber")
  over <- dplyr::relocate(over, chamber, .after = party)
  expect_equal(
    levels(plot_prevalence(over, n = 1)$data$panel),
    c("flags\nchamber: House", "flags\nchamber: Senate")
  )
  unknown <- dplyr::mutate(toy_shares(), party = dplyr::na_if(party, "Republican"))
  expect_equal(levels(plot_prevalence(unknown)$data$side), c("Democrat", "(missing)"))
})

test_that("pictures keep their room under any theme", {
  pictures <- rlang::set_names(toy_pictures()[1:2], c(1, 2))
  for (theme in list(NULL, ggplot2::theme_bw(), ggplot2::theme_void())) {
    grobs <- grobs_of(plot_prevalence(toy_shares(), thumbnails = pictures) + theme)
    expect_length(grobs[["pictures-1"]]$children, 2)
    # Flags are the upper of two rows.
    heights <- vapply(grobs[["pictures-1"]]$children, \(one) as.numeric(one$y), 0)
    expect_equal(unname(heights), c(0.75, 0.25))
    grobs <- grobs_of(plot_prevalence(toy_prevalence(), thumbnails = pictures[2]) + theme)
    expect_false("picture" %in% names(grobs[["strip-t-1-1"]]$children))
    expect_true("picture" %in% names(grobs[["strip-t-2-1"]]$children))
  }
})

test_that("a clustering gives its typical images", {
  topics <- demo_topics()
  found <- check_thumbnails(topics, 1:3)
  images <- dplyr::filter(plain_tibble(topics), cluster %in% 1:3)
  images <- dplyr::slice_max(dplyr::group_by(images, cluster), silhouette, with_ties = FALSE)
  expect_equal(found$path, images$path)
  expect_equal(found$cluster, c(1, 2, 3))
  # Without Python the order is that of find_images().
  skip_if_no_core()
  expect_equal(find_images(topics, 1:3, n = 1)$path, found$path)
})

test_that("images that R cannot read are passed over", {
  topics <- demo_topics()
  folder <- withr::local_tempdir()
  first <- which(topics$cluster %in% 1)
  first <- first[order(-topics$silhouette[first])]
  broken <- file.path(folder, "a.webp")
  writeLines("RIFF", broken)
  topics$path[first[1]] <- broken
  expect_equal(check_thumbnails(topics, 1)$path, topics$path[first[2]])
  topics$path[first] <- broken
  expect_warning(found <- check_thumbnails(topics, 1:2), "no typical image that is a PNG")
  expect_equal(found$cluster, 2)
})

test_that("it is a ggplot to go on with, and takes tables from files", {
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(toy_prevalence(), file, row.names = FALSE)
  expect_equal(
    layers_of(plot_prevalence(utils::read.csv(file))), layers_of(plot_prevalence(toy_prevalence()))
  )
  plot <- plot_prevalence(toy_shares()) + ggplot2::labs(x = "Anteil") + ggplot2::theme_bw()
  expect_equal(plot$labels$x, "Anteil")
})

test_that("what cannot be drawn is refused", {
  shares <- toy_shares()
  expect_snapshot(error = TRUE, {
    plot_prevalence(simulated_ratings)
    plot_prevalence(shares[0, ])
    plot_prevalence(shares[shares$cluster == -1, ])
    plot_prevalence(shares, topics = 7)
    plot_prevalence(shares, topics = 1, n = 3)
    plot_prevalence(shares, n = 0)
    plot_prevalence(shares, order = "name")
    plot_prevalence(shares[shares$party == "Democrat", ], order = "difference")
    plot_prevalence(shares, scales = "free_y")
    plot_prevalence(shares, colours = c(Democrat = "blue"))
    plot_prevalence(shares, thumbnails = "a.png")
    plot_prevalence(shares, labels = c(`9` = "x"))
    plot_prevalence(dplyr::bind_rows(shares, shares))
    plot_prevalence(dplyr::bind_rows(shares, dplyr::mutate(shares, unit = "author")))
    plot_prevalence(dplyr::mutate(toy_prevalence(), week = month))
    plot_prevalence(dplyr::mutate(toy_prevalence(), month = NULL, chamber = seq_along(cluster)))
  })
})

test_that("themes are topics, too", {
  shares <- dplyr::rename(toy_shares(), theme = cluster, theme_name = cluster_name)
  plot <- plot_prevalence(shares)
  expect_equal(plot$scales$get_scales("y")$labels, c("flags", "Theme 2"))
  topics <- demo_topics()
  expect_error(
    plot_prevalence(shares, thumbnails = topics), "no themes", class = "imagestrata_error"
  )
  topics$theme <- c(2, 1, NA)[match(topics$cluster, c(1, 2, -1))]
  found <- check_thumbnails(topics, c(1, 2), "theme")
  expect_equal(found$path, check_thumbnails(topics, c(1, 2))$path[2:1])
})

test_that("topics can be named", {
  plot <- plot_prevalence(toy_shares(), topics = c("flags", "2"))
  expect_equal(plot$scales$get_scales("y")$labels, c("flags", "Cluster 2"))
  plot <- plot_prevalence(toy_shares(), topics = "police", labels = c(`2` = "police"))
  expect_equal(unique(plot$data$cluster), 2)
})

test_that("topics are ordered by what is shown, if it is known", {
  shares <- dplyr::mutate(toy_shares(), n_shown = ifelse(cluster == 2, 100L, 1L))
  plot <- plot_prevalence(shares)
  expect_equal(plot$scales$get_scales("y")$labels, c("Cluster 2", "flags"))
})

test_that("the intervals of a small group leave room for the others, and the caption says so", {
  shares <- dplyr::bind_rows(
    toy_shares(), dplyr::mutate(toy_shares(party == "Democrat"), party = "Green", conf.high = 1)
  )
  shares$estimate <- shares$estimate / 10
  shares$conf.high <- ifelse(shares$party == "Green", 1, shares$estimate + 0.01)
  plot <- plot_prevalence(shares)
  limits <- ggplot2::ggplot_build(plot)$layout$panel_params[[1]]$x.range
  top <- max(shares$conf.high[shares$party != "Green" & shares$cluster > 0])
  expect_equal(plot$coordinates$limits$x, c(0, 1.05 * top))
  expect_match(caption_on_one_line(plot), "Intervals of Green extend beyond the panels")
  # The data are as they were.
  lines <- layers_of(plot)$Linerange
  expect_equal(max(lines$xmax), 1)
  expect_null(plot_prevalence(toy_shares())$coordinates$limits$x)
  wide <- dplyr::mutate(shares, conf.high = 1)
  expect_null(plot_prevalence(wide)$coordinates$limits$x)
})

test_that("PDF devices can draw long names", {
  file <- withr::local_tempfile(fileext = ".pdf")
  long <- c(`1` = strrep("many words ", 9), `2` = strrep("Donaudampfschiff", 5))
  pictures <- rlang::set_names(toy_pictures()[1], 1)
  for (table in list(toy_shares(), toy_prevalence())) {
    plot <- plot_prevalence(table, labels = long, thumbnails = pictures)
    expect_silent(ggplot2::ggsave(file, plot, width = 3.5, height = 3))
  }
  expect_silent(ggplot2::ggsave(
    file, plot_topic_gaps(toy_gaps(), labels = long), width = 3.5, height = 3
  ))
})

test_that("the tables of the verbs are drawn as they are", {
  posts <- made_posts()
  prevalence <- quietly(topic_prevalence(posts, by = c(party, month), conf_level = 0.9))
  plot <- autoplot(prevalence, n = 3)
  shown <- dplyr::filter(plain_tibble(prevalence), cluster %in% plot$data$cluster)
  expect_setequal(layers_of(plot)$Line$y, shown$estimate)
  expect_setequal(layers_of(plot)$Ribbon$ymax, shown$conf.high)
  size <- sort(tapply(prevalence$n_shown, prevalence$cluster, sum)[as.character(1:5)])
  expect_setequal(unique(plot$data$cluster), as.numeric(names(utils::tail(size, 3))))
  expect_match(caption_on_one_line(plot), "^Bands: 90% intervals, clustered on authors;")
  expect_equal(layers_of(plot_prevalence(tidy(prevalence), n = 3)), layers_of(plot))
  values <- plot$scales$get_scales("colour")$palette(2)
  expect_equal(unname(values), unname(party_colours()[c("Democrat", "Republican")]))

  gaps <- quietly(topic_gaps(posts, by = party, unit = "author"))
  plot <- autoplot(gaps, n = 2)
  expect_match(plot$labels$x, "share of authors")
  widest <- dplyr::slice_max(dplyr::filter(plain_tibble(gaps), cluster > 0), abs(estimate), n = 2)
  expect_setequal(layers_of(plot)$Point$x, widest$estimate)
  expect_error(
    plot_prevalence(gaps), "not gaps, which `topic_gaps", class = "imagestrata_error"
  )
  expect_error(
    plot_topic_gaps(prevalence), "not prevalence, which", class = "imagestrata_error"
  )
})

test_that("the caption says that panels have their own axes", {
  months <- tidyr::expand_grid(cluster = 1:2, month = as.Date(c("2020-01-01", "2020-02-01")))
  months$estimate <- c(0.5, 0.4, 0.02, 0.01)
  months$conf.low <- 0.9 * months$estimate
  months$conf.high <- 1.1 * months$estimate
  own <- "Each panel has its own axis"
  caption <- \(...) gsub("\n", " ", plot_prevalence(months, ...)$labels$caption)
  expect_match(caption(scales = "free_y"), own)
  expect_no_match(caption(), own)
  expect_no_match(caption(scales = "free_y", topics = 1), own)
})

test_that("names of groups have room in legends", {
  expect_equal(legend_names(c("Labour", NA)), c("Labour", NA))
  long <- legend_names(strrep("eight ch ", 12))
  expect_true(all(nchar(strsplit(long, "\n")[[1]]) <= 44))
})
