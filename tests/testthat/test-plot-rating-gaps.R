test_that("gaps look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("gaps", plot_rating_gaps(few_gaps()))
  three <- dplyr::mutate(simulated_ratings, group = ifelse(
    group == "Democrat" & respondent_id > "D180", "Independent", group
  ))
  gaps <- quietly(rating_gaps(three, adjust = "BH"))
  vdiffr::expect_doppelganger("contrasts", plot_rating_gaps(gaps))
})

test_that("points are filled where the adjusted p value is small", {
  gaps <- few_gaps()
  points <- ggplot2::layer_data(plot_rating_gaps(gaps, alpha = 0.01), 4)
  expect_equal(points$fill == "white", gaps$p.adjusted >= 0.01)
  expect_equal(points$x, gaps$estimate)
  expect_error(plot_rating_gaps(few_means()), "rating_gaps", class = "imagestrata_error")
})
