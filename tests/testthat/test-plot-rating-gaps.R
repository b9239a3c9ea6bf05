three_groups <- function() {
  dplyr::mutate(simulated_ratings, group = ifelse(
    group == "Democrat" & respondent_id > "D180", "Independent", as.character(group)
  ))
}

test_that("gaps look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("gaps", plot_rating_gaps(few_gaps()))
  gaps <- quietly(rating_gaps(three_groups(), adjust = "BH"))
  vdiffr::expect_doppelganger("contrasts", plot_rating_gaps(gaps))
})

test_that("points are filled if and only if the interval that is drawn excludes zero", {
  for (conf_level in c(0.8, 0.99)) {
    for (adjust in c("holm", "none")) {
      gaps <- few_gaps(conf_level = conf_level, adjust = adjust)
      plot <- plot_rating_gaps(gaps)
      drawn <- layers_of(plot)
      line <- drawn$Linerange
      fill <- drawn[names(drawn) == "Point"][[2]]
      expect_equal(line$xmin, gaps$conf.low)
      expect_equal(fill$alpha > 0, line$xmin > 0 | line$xmax < 0)
      # Dark where the adjusted p value agrees.
      expect_equal(fill$alpha == 1, gaps$p.adjusted < 1 - conf_level)
      expect_equal(fill$x, gaps$estimate)
      shown <- plot$scales$get_scales("alpha")$labels
      expect_length(shown, if (adjust == "none") 2 else 3)
    }
  }
  expect_true(any(fill$alpha > 0) && any(fill$alpha == 0))
  expect_error(plot_rating_gaps(few_means()), "rating_gaps", class = "imagestrata_error")
})

test_that("arrows and colours name the group with the higher mean", {
  plot <- plot_rating_gaps(few_gaps())
  directions <- grobs_of(plot)[["directions-1"]]
  expect_equal(directions$pair, c("Democrat", "Republican"))
  expect_equal(directions$ahead, "higher")
  made <- grid::makeContent(directions)
  texts <- vapply(Filter(\(x) inherits(x, "text"), made$children), \(x) x$label, "")
  expect_setequal(texts, c("Republican higher", "Democrat higher"))
  left <- Filter(\(x) identical(x$label, "Republican higher"), made$children)[[1]]
  expect_equal(left$hjust, 0)
  points <- layers_of(plot)$Point
  ahead <- ifelse(points$x > 0, "Democrat", "Republican")
  expect_equal(points$colour, unname(party_colours()[ahead]))
})

test_that("names too long for arrows are cut instead of being unreadable", {
  long <- strrep("a name that goes on and on ", 14)
  gaps <- few_gaps()
  gaps$contrast <- paste0(long, "A - ", long, "B")
  directions <- grobs_of(plot_rating_gaps(gaps))[["directions-1"]]
  made <- grid::makeContent(directions)
  texts <- Filter(\(x) inherits(x, "text"), made$children)
  expect_true(all(vapply(texts, \(x) x$gp$fontsize, 0) >= 0.65 * directions$size))
  expect_true(all(nchar(vapply(texts, \(x) x$label, "")) < nchar(long)))
})

test_that("panels stand in the order of the groups", {
  expect_equal(
    levels(order_contrasts(c("Z - D", "R - D", "Z - R"))), c("Z - R", "Z - D", "R - D")
  )
  # The first item lacks the first group.
  turned <- three_groups()
  turned$group <- factor(turned$group, c("Republican", "Independent", "Democrat"))
  first <- levels(factor(turned$item))[1]
  turned <- dplyr::filter(turned, cluster <= 12, !(group == "Republican" & item == first))
  plot <- plot_rating_gaps(quietly(rating_gaps(turned)))
  expect_equal(
    levels(plot$data$contrast),
    c("Republican - Independent", "Republican - Democrat", "Independent - Democrat")
  )
  months <- dplyr::filter(simulated_ratings, cluster <= 12)
  months$wave <- factor(ifelse(months$cluster < 7, "spring", "autumn"), c("spring", "autumn"))
  plot <- plot_rating_gaps(quietly(rating_gaps(months, by = c(group, wave))))
  layout <- ggplot2::ggplot_build(plot)$layout$layout
  expect_equal(as.character(layout$wave), c("spring", "autumn"))
})

test_that("changes and trends have directions of their own", {
  ratings <- dplyr::filter(simulated_ratings, cluster <= 20)
  ratings$size <- factor(ifelse(ratings$cluster < 11, "large", "small"), c("small", "large"))
  gaps <- quietly(rating_gaps(ratings, by = c(group, size), change = "pairs"))
  plot <- plot_rating_gaps(gaps)
  directions <- grobs_of(plot)[["directions-1"]]
  expect_equal(directions$ahead, "gains")
  expect_equal(plot$labels$x, "Change of the gap in mean ratings: large - small")
  ratings$ideology <- (match(ratings$respondent_id, unique(ratings$respondent_id)) %% 7) + 1
  trend <- quietly(rating_gaps(ratings, by = ideology, contrasts = "trend"))
  plot <- plot_rating_gaps(trend)
  expect_equal(grobs_of(plot)[["directions-1"]]$pair, c("rising", "falling"))
  expect_equal(plot$data$ahead, ifelse(plot$data$estimate >= 0, "rising", "falling"))
  expect_equal(plot$labels$x, "Trend of ideology: mean rating per step")
  # Their limit is not that of a gap.
  wide <- dplyr::mutate(tidy(trend), conf.high = 25)
  expect_equal(max(layers_of(plot_rating_gaps(wide, scale = c(0, 10)))$Linerange$xmax), 25)
})

test_that("intervals end at the largest gap that the scale allows, with an arrow", {
  gaps <- few_gaps()
  gaps <- dplyr::mutate(tidy(gaps), conf.high = ifelse(item == "angry", 25, conf.high))
  plot <- plot_rating_gaps(gaps, scale = c(0, 10))
  drawn <- layers_of(plot)
  expect_equal(max(drawn$Linerange$xmax), 10)
  expect_equal(nrow(drawn$Segment), 1)
  expect_equal(drawn$Segment$xend, 10)
  expect_match(caption_on_one_line(plot), "Arrows: intervals beyond the largest gap .* \\(10\\)")
  expect_null(layers_of(plot_rating_gaps(few_gaps(), scale = c(0, 10)))$Segment)
})

test_that("clusters that are compared have their names", {
  gaps <- few_gaps(by = cluster)
  gaps <- dplyr::filter(gaps, contrast %in% c("5 - 8"))
  plot <- plot_rating_gaps(gaps, labels = c(`5` = "protest", `8` = "cages"))
  expect_equal(levels(plot$data$contrast), "protest - cages")
  expect_equal(grobs_of(plot)[["directions-1"]]$pair, c("protest", "cages"))
  expect_setequal(plot$data$ahead, c("protest", "cages"))
})

test_that("the figure is described in words", {
  gaps <- few_gaps()
  text <- ggplot2::get_alt_text(plot_rating_gaps(gaps))
  expect_match(text, "Points with intervals for gaps in mean ratings (Democrat - Republican), 13",
    fixed = TRUE
  )
  excluded <- sum(gaps$conf.low > 0 | gaps$conf.high < 0)
  expect_match(text, sprintf("%d of 13 intervals exclude zero", excluded))
  expect_match(text, sprintf("After adjustment, %d of them", sum(gaps$p.adjusted < 0.05)))
})

test_that("zero is on the axis", {
  expect_equal(breaks_around_zero(6)(c(-0.2, 0.9)), c(0, 0.2, 0.4, 0.6, 0.8), tolerance = 1e-9)
  for (limits in list(c(-2.3, 8.1), c(-0.01, 0.013), c(-30, 2))) {
    breaks <- breaks_around_zero(3)(limits)
    expect_true(0 %in% breaks)
    expect_lte(length(breaks), 3)
  }
  # Below three panels there is room for five short labels.
  expect_equal(breaks_of_gaps(3)(c(-3, 6.5)), c(-2, 0, 2, 4, 6))
  expect_equal(breaks_of_gaps(3)(c(-0.4, 1)), c(0, 0.5, 1))
  expect_equal(breaks_of_gaps(4)(c(-3, 6.5)), breaks_around_zero(3)(c(-3, 6.5)))
})

test_that("text has enough contrast on white", {
  expect_equal(text_colour("#000000"), "#000000")
  for (colour in c(party_colours(), group_colours)) {
    rgb <- grDevices::col2rgb(text_colour(colour))[, 1] / 255
    expect_gte(1.05 / (relative_luminance(rgb) + 0.05), 4.4)
  }
})

test_that("arrows are above their own panels, in several rows of panels, too", {
  ratings <- dplyr::filter(simulated_ratings, cluster <= 12, item %in% c("angry", "proud"))
  person <- as.integer(factor(ratings$respondent_id))
  ratings$group <- c("a", "b", "c")[person %% 3 + 1]
  ratings$topic <- c("x", "y")[ratings$cluster %% 2 + 1]
  gaps <- quietly(rating_gaps(ratings, by = c(group, topic)))
  plot <- plot_rating_gaps(gaps)
  layout <- ggplot2::ggplot_build(plot)$layout$layout
  expect_equal(max(layout$ROW), 2)
  table <- ggplot2::ggplotGrob(plot)
  places <- table$layout
  panels <- places[grepl("^panel", places$name), ]
  for (i in seq_len(nrow(layout))) {
    at <- which(places$name == paste0("directions-", i))
    # By the place, not by the name: the row above that of the panel.
    expect_equal(places$l[at], sort(unique(panels$l))[layout$COL[i]])
    expect_equal(places$t[at], sort(unique(panels$t))[layout$ROW[i]] - 1)
    contrast <- paste(table$grobs[[at]]$pair, collapse = " - ")
    expect_equal(contrast, as.character(layout$contrast[i]))
  }
  means <- quietly(rating_means(ratings, by = c(group, cluster)))
  few <- means[means$cluster %in% 1:4, ]
  table <- ggplot2::ggplotGrob(plot_rating_means(few, scale = c(0, 30)))
  places <- table$layout
  bars <- places$l[grepl("^scale-", places$name)]
  expect_equal(sort(bars), sort(unique(places$l[grepl("^panel", places$name)])))
})
