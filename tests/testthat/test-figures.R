# What is true of every figure: see also the tests of each.

toy_tuning <- function() {
  results <- tidyr::expand_grid(measure = c("precision", "recall", "f1"), candidate = 1:4)
  results$encoder <- c("clip", "clip", "hog", "hog")[results$candidate]
  results$baseline <- results$candidate == 4
  results$n_clusters <- c(5L, 10L, 5L, 5L)[results$candidate]
  results$estimate <- c(0.4, 0.8, 0.6, 0.2)[results$candidate]
  results$conf_low <- results$estimate - 0.1
  results$conf_high <- results$estimate + 0.1
  tables <- list(results = results, summary = tibble::tibble(candidate = 2L, measure = "f1"))
  new_result(
    list(tables = lapply(tables, encode_table), settings = "null"), "imagestrata_tuning", "results"
  )
}

toy_stability <- function() {
  clusters <- tibble::tibble(
    kind = rep(c("seed", "subsample"), each = 2), cluster = c(1:2, 1:2), size = c(3L, 2L, 3L, 2L),
    jaccard = c(0.9, 0.75, 0.6, 0.4), jaccard_low = c(0.8, 0.5, 0.5, 0.3)
  )
  tables <- list(clusters = clusters, summary = tibble::tibble(kind = c("seed", "subsample")))
  new_result(
    list(tables = lapply(tables, encode_table), settings = "null"),
    "imagestrata_stability", "clusters"
  )
}

toy_intruders <- function() {
  clusters <- tibble::tibble(
    cluster = 1:2, n_sets = 4L, share_found = c(1, 0.25), conf_low = c(0.5, 0.1),
    conf_high = c(1, 0.6)
  )
  tables <- list(clusters = clusters, summary = tibble::tibble(chance = 1 / 6))
  new_result(
    list(tables = lapply(tables, encode_table), settings = "null"),
    "imagestrata_cluster_test", "clusters"
  )
}

toy_matching <- function() {
  tables <- list(
    clusters = tibble::tibble(cluster = 1:2, description = c("flags", "police"), n_sets = 4L),
    confusion = tibble::tibble(cluster = c(1L, 1L, 2L), label = c(1L, 2L, 2L), n = c(3L, 1L, 4L)),
    summary = tibble::tibble(accuracy = 7 / 8)
  )
  new_result(
    list(tables = lapply(tables, encode_table), settings = "null"),
    "imagestrata_cluster_test", "clusters"
  )
}

# Two items of one dimension, from twelve respondents in two groups.
toy_reliability <- function(...) {
  ratings <- tidyr::expand_grid(respondent_id = 1:12, image_id = 1:6, item = c("proud", "hopeful"))
  ratings$group <- c("Democrat", "Republican")[ratings$respondent_id %% 2 + 1]
  ratings$dimension <- "enthusiasm"
  hopeful <- ratings$item == "hopeful"
  ratings$rating <- (2 * ratings$image_id + ratings$respondent_id * (1 + hopeful)) %% 7 + 1
  quietly(rating_reliability(ratings, ...))
}

toy_sweep <- function() {
  new_object(tibble::tibble(
    n_clusters = c(10, 20, 30), inertia = c(9, 4, 3), explained_variance = c(0.1, 0.6, 0.7),
    silhouette = c(0.1, 0.2, 0.3), knee = c(FALSE, TRUE, FALSE)
  ), "imagestrata_sweep")
}

all_figures <- function() {
  topics <- toy_clustering()
  plan <- plan_study(n_clusters = 20, gap = c(0, 0.5), n_simulations = 100)
  list(
    trace = autoplot(topics), sizes = autoplot(topics, "sizes"),
    silhouettes = autoplot(topics, "silhouettes"), searches = autoplot(topics, "searches"),
    map = autoplot(topics, "map", points = toy_points()),
    training = autoplot(toy_model()), folds = autoplot(toy_fold_model()),
    scores = autoplot(toy_model(), "scores"), confusion = autoplot(toy_model(), "confusion"),
    tuning = autoplot(toy_tuning()), baselines = autoplot(toy_tuning(), "clusters"),
    stability = autoplot(toy_stability()), intruders = autoplot(toy_intruders()),
    matching = autoplot(toy_matching()), sweep = autoplot(toy_sweep(), mark = 20),
    plan = autoplot(plan),
    reliability = autoplot(toy_reliability(by = group)),
    prevalence = plot_prevalence(toy_shares()), months = plot_prevalence(toy_prevalence()),
    gaps = plot_topic_gaps(toy_gaps())
  )
}

test_that("every figure has a text for readers who do not see it, and explains its marks", {
  for (name in names(figures <- all_figures())) {
    plot <- figures[[name]]
    expect_s3_class(plot, "ggplot")
    alt <- ggplot2::get_alt_text(plot)
    expect_match(alt, "^[A-Z].{40,}[.]$", info = name)
    expect_no_match(alt, "NA|NULL|Inf|character", info = name)
    expect_match(plot$labels$caption, "[.]$", info = name)
    # It fits one column of a journal.
    expect_lte(max(nchar(strsplit(plot$labels$caption, "\n")[[1]])), caption_width)
  }
})

test_that("a theme that is added later wins", {
  for (plot in all_figures()) {
    changed <- plot + ggplot2::theme(
      plot.caption = ggplot2::element_text(colour = "red"), legend.position = "top",
      axis.title = ggplot2::element_text(size = 20),
      strip.text = ggplot2::element_text(face = "plain")
    )
    drawn <- ggplot2::ggplot_build(changed)$plot
    theme <- ggplot2::theme_get() + drawn$theme
    expect_equal(ggplot2::calc_element("plot.caption", theme)$colour, "red")
    expect_equal(ggplot2::calc_element("strip.text", theme)$face, "plain")
    expect_equal(theme$legend.position, "top")
    # No title of an axis has a size of its own.
    expect_equal(ggplot2::calc_element("axis.title.x", theme)$size, 20)
    expect_equal(ggplot2::calc_element("axis.title.y", theme)$size, 20)
  }
})

test_that("circles, hollow points, whiskers and dashed lines are in the caption", {
  one_line <- \(plot) gsub("\n", " ", plot$labels$caption)
  expect_equal(one_line(autoplot(toy_tuning(), "clusters")), paste(
    "Points: the candidates. Lines: 95% intervals. Circle: the best candidate. Hollow points:",
    "baselines."
  ))
  expect_no_match(one_line(autoplot(toy_tuning())), "Hollow")
  expect_match(one_line(autoplot(toy_stability())), "stable from .75 and dissolved up to .5")
  expect_match(
    ggplot2::get_alt_text(autoplot(toy_stability())), "other seeds 2 of 2, subsamples 0 of 2"
  )
  expect_match(one_line(autoplot(toy_intruders())), "Dashed line: chance, 16.7%")
  expect_equal(
    one_line(autoplot(toy_sweep(), mark = 20)), paste(
      "Points: the values that were tried. Circles: knee of the explained variance at 20, highest",
      "silhouette at 30. Dashed: 20."
    )
  )
  expect_match(ggplot2::get_alt_text(autoplot(toy_matching())), "Of 8 sets, 7 got the description")
})

test_that("no colour stands for two groups, and shapes differ, too", {
  expect_equal(distinct_colours(3), group_colours[1:3])
  many <- distinct_colours(20)
  expect_length(unique(many), 20)
  plot <- ggplot2::ggplot_build(autoplot(toy_tuning(), "clusters"))
  points <- plot$data[[2]]
  expect_equal(points$fill[4], "white")
  expect_equal(points$fill[1:3], points$colour[1:3])
  expect_length(unique(points$shape), 2)
})

test_that("training is readable in grey: lines differ in type, points in shape", {
  lines <- ggplot2::layer_data(autoplot(toy_model()), 3)
  expect_setequal(unique(lines$linetype), c("solid", "42"))
  points <- ggplot2::layer_data(autoplot(toy_model()), 4)
  expect_setequal(unique(points$shape), c(16, 17))
})

test_that("reliability is drawn as it was computed", {
  reliability <- toy_reliability()
  expect_equal(attr(reliability, "conf_level"), 0.95)
  plot <- autoplot(reliability)
  points <- ggplot2::layer_data(plot, 3)
  expect_setequal(points$x, stats::na.omit(c(
    reliability$icc, reliability$icc_average, reliability$alpha, reliability$cronbach
  )))
  lines <- ggplot2::layer_data(plot, 2)
  expect_equal(lines$xmin, reliability$conf.low)
  # The first row is on top.
  expect_gt(lines$y[1], lines$y[2])
  expect_match(plot$labels$caption, "Single rating: ICC\\(1\\), with 95% intervals")
  few <- autoplot(toy_reliability(conf_level = 0.9)[1:2, ])
  expect_match(few$labels$caption, "90% intervals")
  expect_error(autoplot(dplyr::mutate(reliability, icc = NA_real_)), "no estimates to draw")
})

test_that("figures look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("tuning", autoplot(toy_tuning()))
  vdiffr::expect_doppelganger("stability", autoplot(toy_stability()))
  vdiffr::expect_doppelganger("intruders", autoplot(toy_intruders()))
  vdiffr::expect_doppelganger("matching", autoplot(toy_matching()))
  vdiffr::expect_doppelganger("reliability", autoplot(toy_reliability(by = group)))
})

test_that("titles of panels side by side do not meet", {
  expect_equal(wrap_abreast("group: Republican × ideology", 3), "group:\nRepublican\n× ideology")
  expect_equal(wrap_abreast(c("a - b\nmonth: 3", "one"), 1), c("a - b\nmonth: 3", "one"))
  # Three panels are side by side in one column of a journal, four in two rows.
  data <- tibble::tibble(topic = paste("people with signs", 1:4))
  expect_equal(columns_of_panels(data, "topic"), 2)
  strips <- label_abreast(name_panels, 3)(data[1, ])
  expect_lte(max(nchar(strsplit(unlist(strips), "\n")[[1]])), 11)
  expect_equal(columns_of_panels(data, character()), 1)
  contrasts <- c("Democrat - Independent", "Independent - Republican", "a - b - c")
  expect_equal(
    break_at_minus(contrasts),
    c("Democrat\u00a0-\nIndependent", "Independent\n-\u00a0Republican", "a\u00a0-\nb\u00a0-\nc")
  )
  expect_equal(wrap_abreast(break_at_minus(contrasts), 3), break_at_minus(contrasts))
  expect_equal(reliability_breaks(c(-0.1, 1)), c(0, 0.25, 0.5, 0.75, 1))
  expect_equal(reliability_breaks(c(-3, 1)), -3:1)
})

test_that("shaded rows are in the caption, and only where there are any", {
  shaded <- "Shaded rows: dimensions[.]"
  one_line <- \(plot) gsub("\n", " ", plot$labels$caption)
  means <- few_means()
  gaps <- few_gaps()
  expect_match(one_line(plot_rating_means(means)), shaded)
  expect_match(one_line(plot_rating_gaps(gaps)), shaded)
  expect_match(one_line(autoplot(toy_reliability())), shaded)
  expect_no_match(one_line(plot_rating_means(means[means$level == "item", ])), "Shaded")
  expect_no_match(one_line(plot_rating_gaps(gaps[gaps$level == "dimension", ])), "Shaded")
})

test_that("captions count what points rest on", {
  expect_equal(range_of_counts(c(2641, NA, 12697), "rating"), "2,641 to 12,697 ratings")
  expect_equal(range_of_counts(c(1, 1), "author"), "1 author")
  expect_null(range_of_counts(NULL, "post"))
  expect_caption <- \(plot, words) expect_match(gsub("\n", " ", plot$labels$caption), words)
  by_respondents <- "Each point rests on .* ratings by .* respondents"
  expect_caption(plot_rating_means(few_means()), by_respondents)
  expect_caption(plot_rating_gaps(few_gaps()), by_respondents)
  expect_caption(plot_prevalence(toy_shares()), "Each point rests on .* posts by .* authors")
})
