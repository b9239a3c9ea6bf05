small_model <- function() {
  set.seed(1)
  party <- rep(c("Democrat", "Republican"), each = 600)
  n <- length(party)
  linked <- tibble::tibble(
    post_id = as.character(seq_len(n)), image_id = post_id,
    cluster = ifelse(
      party == "Democrat", sample(c(1:3, -1), n, TRUE, c(4, 2, 1, 3)),
      sample(c(1:3, -1), n, TRUE, c(1, 2, 3, 4))
    ),
    cluster_name = c("flags", NA, "police", NA)[match(cluster, c(1, 2, 3, -1))],
    author = rep(sprintf("a%02d", 1:40), each = 30),
    party = party,
    followers = round(exp(stats::rnorm(n, 6))),
    time = as.Date("2020-01-01") + sample(0:364, n, TRUE)
  )
  quietly(topic_model(linked, ~ party + s(month, df = 3) + log(followers)))
}
model <- small_model()

test_that("the values of a covariate are points in the rows of topics", {
  plot <- plot_topic_model(model)
  effects <- topic_effects(model, "party", topics = 1:3)
  points <- layers_of(plot)$Point
  shown <- topic_effects(model, "party", topics = unique(plot$data$cluster))
  expect_equal(points$x, shown$estimate)
  expect_setequal(points$x, effects$estimate)
  expect_setequal(plot$scales$get_scales("y")$labels, c("flags", "Cluster 2", "police"))
  expect_equal(unique(points$colour), unname(party_colours()[c("Democrat", "Republican")]))
  expect_equal(plot$labels$x, "Predicted share of posts")
  expect_match(plot$labels$caption, "^Lines: 95% intervals, clustered on authors")
  expect_match(
    ggplot2::get_alt_text(plot), "^Points with intervals for the predicted share of posts"
  )
})

test_that("differences have directions", {
  plot <- plot_topic_model(model, "party", method = "difference", conf_level = 0.9)
  points <- layers_of(plot)$Point
  effects <- topic_effects(model, "party", method = "difference", topics = 1:3)
  expect_setequal(points$x, effects$estimate)
  # Flags are shown more by Democrats: below zero, as Democrats are the reference.
  flags <- plot$data$cluster == 1
  expect_lt(points$x[flags], 0)
  expect_equal(points$colour[flags], party_colours()[["Democrat"]])
  expect_equal(plot$scales$get_scales("y")$labels[c(1, 3)], c("police", "flags"))
  directions <- grobs_of(plot)[["directions-1"]]
  expect_equal(directions$pair, c("Republican", "Democrat"))
  expect_equal(directions$colours, unname(party_colours()[c("Republican", "Democrat")]))
  expect_equal(unique(tidy(model, "effects")$contrast)[1], "Republican - Democrat")
  predicted <- dplyr::filter(tidy(model, "predictions"), term == "party")
  expect_equal(unique(predicted$value), c("Democrat", "Republican"))
  expect_match(caption_on_one_line(plot), "^Lines: 90% intervals")
  wide <- plot_topic_model(model, "party", method = "difference", conf_level = 1 - 1e-9)
  expect_match(caption_on_one_line(wide), "Open points: the interval includes zero")
})

test_that("dates and numbers are lines", {
  plot <- plot_topic_model(model, "month", by = "party", topics = c(3, 1))
  effects <- topic_effects(model, "month", by = "party", topics = c(3, 1))
  expect_equal(levels(plot$data$panel), c("police", "flags"))
  drawn <- layers_of(plot)
  first <- dplyr::filter(effects, cluster == 3, party == "Democrat")
  line <- drawn$Line[drawn$Line$PANEL == 1 & drawn$Line$group == 1, ]
  expect_equal(line$y, first$estimate)
  expect_equal(line$x, as.numeric(first$month))
  expect_equal(drawn$Ribbon$ymax[seq_len(nrow(first))], first$conf.high)
  days <- as.Date(c("2020-02-01", "2020-11-01"))
  points <- plot_topic_model(
    model, "month", method = "pointestimate", by = "party", values = days, topics = 1
  )
  expect_equal(levels(points$data$side), as.character(days))
  expect_equal(ggplot2::ggplot_build(points)$layout$layout$party, factor(
    c("Democrat", "Republican")
  ))
  followers <- plot_topic_model(model, "followers", topics = "flags", n_points = 5)
  expect_equal(nrow(layers_of(followers)$Line), 5)
  expect_equal(followers$labels$x, "followers")
  expect_match(ggplot2::get_alt_text(followers), "over followers from")
})

test_that("topics that are not modelled are left out", {
  expect_equal(common_topics(model, 2), utils::head(
    order(-tidy(model, "topics")$n_posts[1:3]), 2
  ))
  expect_s3_class(autoplot(model, n = 1), "ggplot")
  expect_error(plot_topic_model(model, n_columns = 2), "only with", class = "imagestrata_error")
  expect_error(plot_topic_model(toy_shares()), "topic_model", class = "imagestrata_error")
})
