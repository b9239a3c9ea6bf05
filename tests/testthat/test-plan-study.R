test_that("power without a gap is alpha, and rises with gap and raters", {
  plan <- plan_study(
    n_clusters = 40, images_per_cluster = 3, raters_per_group = c(1, 4), gap = c(0, 0.3, 0.6),
    sd = c(cluster = 0, gap = 0), n_simulations = 500
  )
  expect_equal(names(plan)[1:4], names(design_labels))
  null <- plan[plan$gap == 0, ]
  expect_true(all(null$power.low < 0.05 & null$power.high > 0.05))
  expect_true(all(tapply(plan$power, plan$raters_per_group, \(p) all(diff(p) > 0))))
  expect_gt(plan$power[5], plan$power[2])
  expect_lt(plan$detectable[4], plan$detectable[1])
})

test_that("what is detectable is found with the wanted power", {
  first <- plan_study(n_clusters = 50, gap = 0.3, n_simulations = 400, power = 0.9)
  again <- plan_study(n_clusters = 50, gap = first$detectable, n_simulations = 400)
  expect_equal(again$power, 0.9, tolerance = 0.01)
})

test_that("a simulated survey is analysed as rating_gaps() does", {
  design <- tibble::tibble(
    n_clusters = 6, images_per_cluster = 2, raters_per_group = 1, images_per_rater = 3
  )
  sd <- c(respondent = 0, cluster = 0, image = 0, gap = 0, residual = 1)
  surveys <- with_seed(3, simulate_gaps(design, sd, 1))
  # Parts without spread use up no random numbers: what is drawn are the answers.
  answers <- with_seed(3, rnorm(24))
  ratings <- tibble::tibble(
    respondent_id = paste0(rep(c("D", "R"), each = 12), 1:4),
    group = rep(c("D", "R"), each = 12), image_id = rep(1:12, 2), item = "x", rating = answers
  )
  gap <- rating_gaps(ratings, weight = "none")
  expect_equal(surveys$error, gap$estimate)
  expect_equal(surveys$std.error, gap$std.error)
  expect_equal(surveys$df, gap$df)
})

test_that("the design is counted right", {
  plan <- plan_study(10, 4, 2, 8, gap = 1, n_simulations = 100)
  expect_equal(plan$ratings, 10 * 4 * 2 * 2)
  expect_equal(plan$respondents, 2 * 10)
  # With few clusters more people are needed, so that nobody rates two images of one.
  expect_equal(plan_study(3, 5, 2, 3, gap = 1, n_simulations = 100)$respondents, 2 * 10)
})

test_that("the same seed gives the same plan and leaves the session's numbers alone", {
  set.seed(1)
  before <- .Random.seed
  plan <- plan_study(20, gap = 0.5, n_simulations = 100, seed = 4)
  expect_identical(.Random.seed, before)
  expect_identical(plan_study(20, gap = 0.5, n_simulations = 100, seed = 4), plan)
  expect_output(print(plan), "100 simulated surveys per design")
})

test_that("plans look as they did", {
  skip_if_not_installed("vdiffr")
  plan <- plan_study(
    c(30, 60), raters_per_group = 1:2, gap = c(0.2, 0.5, 0.8), n_simulations = 100
  )
  vdiffr::expect_doppelganger("designs", autoplot(plan))
  vdiffr::expect_doppelganger("one design", autoplot(plan[1:3, ]))
})

test_that("impossible studies are refused", {
  expect_snapshot(error = TRUE, {
    plan_study(n_clusters = 0)
    plan_study(n_clusters = 5, images_per_rater = 8)
    plan_study(gap = -1)
    plan_study(alpha = 5)
    plan_study(sd = c(people = 1))
    plan_study(sd = c(residual = 0))
    plan_study(n_simulations = 10)
    plan_study(8, 1, 1, 8)
  })
})
