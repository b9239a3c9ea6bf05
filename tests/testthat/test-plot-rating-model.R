modelled <- function() {
  set.seed(3)
  table <- tibble::tibble(
    respondent_id = rep(sprintf("r%02d", 1:30), each = 6),
    image_id = sprintf("i%02d", (seq_len(180) * 7) %% 20 + 1),
    group = rep(rep(c("Democrat", "Republican"), 15), each = 6),
    ideology = rep(sample(1:7, 30, TRUE), each = 6)
  )
  table <- dplyr::bind_rows(
    dplyr::mutate(table, item = "angry", rating = rnorm(180, 5)),
    dplyr::mutate(table, item = "proud", rating = rnorm(180, 3 + 0.2 * ideology))
  )
  table$dimension <- "mood"
  rating_model(table, ~ group * ideology, weight = "none")
}

test_that("plots of models look as before", {
  skip_if_not_installed("vdiffr")
  model <- modelled()
  vdiffr::expect_doppelganger("coefficients", plot_rating_model(model))
  vdiffr::expect_doppelganger("lines", plot_rating_model(model, "ideology", by = "group"))
  vdiffr::expect_doppelganger("means", plot_rating_model(model, "group"))
  vdiffr::expect_doppelganger("differences", plot_rating_model(
    model, "group", "difference",
    by = list(ideology = c(2, 6))
  ))
})

test_that("a plot draws what the tables say", {
  model <- modelled()
  drawn <- ggplot2::layer_data(plot_rating_model(model, terms = "ideology", items = "proud"), 3)
  own <- dplyr::filter(tidy(model), term == "ideology", item == "proud")
  expect_equal(drawn$x, own$estimate)
  expect_equal(ggplot2::get_alt_text(plot_rating_model(model, "group", items = "angry")), paste0(
    "Points with intervals: predicted mean ratings by group (Democrat and Republican). ",
    "The highest mean rating is ",
    paste(collapse = ", the lowest ", vapply(2:1, \(i) {
      means <- dplyr::arrange(rating_effects(model, "group", items = "angry"), estimate)
      sprintf("%.2f (angry, %s)", means$estimate[i], means$group[i])
    }, "")), "."
  ))
  expect_match(ggplot2::get_alt_text(autoplot(model)), "intervals? excludes? zero")
  expect_error(plot_rating_model(model, by = "group"), "only with")
  expect_error(plot_rating_model(model, "group", terms = "ideology"), "only with")
  expect_error(plot_rating_model(model, terms = "age"), "must name terms")
  expect_error(plot_rating_model(model, "party"), "must be a covariate")
})

test_that("the caption says that coefficients have axes of their own", {
  caption <- \(plot) gsub("\n", " ", plot$labels$caption)
  expect_match(caption(plot_rating_model(modelled())), "Each panel has its own axis")
  one <- plot_rating_model(modelled(), terms = "ideology")
  expect_no_match(caption(one), "own axis")
  expect_no_match(caption(plot_rating_model(modelled(), "group", "difference")), "own axis")
})
