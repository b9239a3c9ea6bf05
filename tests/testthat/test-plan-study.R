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
  # Its limits are where the power of nine out of ten could lie, too.
  limits <- c(first$detectable.low, first$detectable.high)
  at <- plan_study(n_clusters = 50, gap = limits, n_simulations = 400)
  expect_true(at$power[1] < 0.9 && at$power[2] > 0.9)
  expect_true(all(at$power.low < 0.91 & at$power.high > 0.89))
})

test_that("a simulated survey is analysed as rating_gaps() does", {
  design <- tibble::tibble(
    n_clusters = 6, images_per_cluster = 2, raters_per_group = 1, images_per_rater = 3
  )
  sd <- c(respondent = 0, cluster = 0, image = 0, gap = 0, residual = 1)
  # Parts without spread use up no random numbers: what is drawn are the answers.
  answers <- with_seed(3, rnorm(24))
  ratings <- tibble::tibble(
    respondent_id = paste0(rep(c("D", "R"), each = 12), 1:4),
    group = rep(c("D", "R"), each = 12), image_id = rep(1:12, 2), item = "x", rating = answers,
    cluster = (image_id + 1) %/% 2, weight_cluster = 1
  )
  for (variance in c("two-way", "respondent", "image")) {
    surveys <- with_seed(3, simulate_gaps(design, equal_sample(design), sd, 1, variance = variance))
    gap <- rating_gaps(ratings, variance = variance)
    expect_equal(surveys$error, gap$estimate)
    expect_equal(surveys$std.error, gap$std.error)
    expect_equal(surveys$df, gap$df)
  }
})

test_that("every survey has its own degrees of freedom", {
  df <- degrees_of_gap(cbind(c(1, 1), c(1, 3)), matrix(4, 2, 2), 7)
  expect_equal(df, c(7, 16 / (1 / 4 + 9 / 4)))
})

test_that("so is one with clusters of different sizes, holes and several raters", {
  design <- tibble::tibble(raters_per_group = 2, images_per_rater = 4)
  n_h <- c(5, 4, 3, 2, 1, 1, 1)
  drawn <- tibble::tibble(
    cluster = rep(1:7, n_h), n_h = n_h[cluster],
    weight_cluster = 1 / n_h, weight_corpus = cluster^2 / n_h, weight_share = runif(17)
  )
  set.seed(5)
  for (weight in c("cluster", "corpus", "share")) {
    sample <- check_planned_sample(drawn, FALSE, weight)
    survey <- plan_answers(design, sample, 10, 0.3)
    survey$answers$rating <- matrix(rnorm(2 * length(survey$answers$image)), ncol = 2)
    table <- tibble::tibble(
      group = c("D", "R")[survey$answers$group],
      respondent_id = paste(group, survey$answers$person), image_id = survey$answers$image,
      item = "x", rating = survey$answers$rating[, 2]
    )
    # Everybody, and every image, is in the survey, if by an item of another name.
    others <- tibble::tibble(
      respondent_id = rep(paste(c("D", "R"), rep(1:10, each = 2)), 2),
      image_id = rep(1:20, 2) %% 17 + 1, item = "other", rating = 0
    )
    others$group <- substr(others$respondent_id, 1, 1)
    others <- dplyr::distinct(others, respondent_id, image_id, .keep_all = TRUE)
    table <- dplyr::bind_rows(table, others)
    table <- dplyr::bind_cols(table, drawn[table$image_id, ])
    for (variance in c("two-way", "respondent", "image")) {
      found <- gaps_of_surveys(survey, variance)[2, ]
      gap <- quietly(rating_gaps(table, weight = weight, variance = variance))
      gap <- gap[gap$item == "x", ]
      expect_equal(c(found$error, found$std.error^2, found$df), c(
        gap$estimate, gap$std.error^2, gap$df
      ), info = paste(weight, variance))
    }
  }
})

test_that("a sample with small clusters, and holes, need more people than equal clusters promise", {
  plan <- function(...) plan_study(..., gap = 0.3, n_simulations = 200)
  published <- plan(sample = simulated_sample)
  expect_equal(published$n_clusters, 309)
  expect_equal(published$images_per_cluster, 1087 / 309)
  expect_equal(published$n_ratings, 2 * 1087)
  expect_equal(published$n_respondents, 2 * 136)
  expect_gt(published$std.error, 1.2 * plan()$std.error)
  n_h <- tabulate(simulated_sample$cluster)
  expect_equal(plan(sample = n_h)$detectable, published$detectable)
  holes <- plan(sample = simulated_sample, unrated = 0.4)
  expect_equal(holes$n_ratings, round(2 * 1087 * 0.6))
  expect_gt(holes$detectable.low, published$detectable.high)
  corpus <- plan(sample = simulated_sample, weight = "corpus")
  expect_gt(corpus$std.error, published$std.error)
})

test_that("the design is counted right", {
  plan <- plan_study(10, 4, 2, 8, gap = 1, n_simulations = 100)
  expect_equal(plan$n_ratings, 10 * 4 * 2 * 2)
  expect_equal(plan$n_respondents, 2 * 10)
  # With few clusters more people are needed, so that nobody rates two images of one.
  expect_equal(plan_study(3, 5, 2, 3, gap = 1, n_simulations = 100)$n_respondents, 2 * 10)
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
    plan_study(20, sample = c(5, 5, 1))
    plan_study(sample = c(5, 0))
    plan_study(sample = c(5, 2, 2), images_per_rater = 2, weight = "corpus")
    plan_study(weight = "share")
    plan_study(unrated = 1)
  })
})
