test_that("the tables that both languages test are what R computes", {
  ratings <- read_golden("ratings")
  expect_equal(read_golden("means"), golden_means(ratings), ignore_attr = TRUE)
  expect_equal(read_golden("gaps"), golden_gaps(ratings), ignore_attr = TRUE)
  expect_equal(
    read_golden("reliability"), quietly(rating_reliability(ratings)),
    ignore_attr = TRUE
  )
})

test_that("the models of shares that both languages test are what R computes", {
  posts <- read_golden("shares")
  ratings <- read_golden("share-ratings")
  expect_equal(posts, golden_shares(), ignore_attr = TRUE)
  expect_equal(ratings, golden_share_ratings(), ignore_attr = TRUE)
  expected <- read_golden("share-models")
  expect_equal(expected, golden_share_models(posts, ratings), tolerance = 1e-7, ignore_attr = TRUE)
})

test_that("the weighted survey that both languages test is what R computes", {
  ratings <- read_golden("survey")
  cases <- golden_survey_cases()
  expect_equal(ratings, golden_survey(), ignore_attr = TRUE)
  expect_equal(
    read_golden("survey-means"), golden_survey_estimates(rating_means, cases$means, ratings),
    ignore_attr = TRUE
  )
  expect_equal(
    read_golden("survey-gaps"), golden_survey_estimates(rating_gaps, cases$gaps, ratings),
    ignore_attr = TRUE
  )
})

test_that("the survey of single images that both languages test is what R computes", {
  single <- read_golden("single")
  expect_equal(single, golden_single(read_golden("survey")), ignore_attr = TRUE)
  cases <- golden_single_cases()
  verbs <- list(means = rating_means, gaps = rating_gaps, models = rating_model)
  for (name in names(verbs)) {
    expect_equal(
      read_golden(paste0("single-", name)),
      golden_single_estimates(verbs[[name]], cases[[name]], single),
      ignore_attr = TRUE, info = name
    )
  }
  expect_equal(
    read_golden("single-corrected"),
    golden_single_corrected(single, read_golden("corpus"), read_golden("predictions")),
    ignore_attr = TRUE
  )
})

test_that("the corrected estimates that both languages test are what R computes", {
  ratings <- read_golden("survey")
  corpus <- read_golden("corpus")
  predictions <- read_golden("predictions")
  expect_equal(corpus, golden_corpus(ratings), ignore_attr = TRUE)
  expect_equal(predictions, golden_predictions(ratings, corpus), ignore_attr = TRUE)
  cases <- golden_corrected_cases()
  expect_equal(
    read_golden("corrected-means"),
    golden_corrected(rating_means, cases$means, ratings, corpus, predictions),
    ignore_attr = TRUE
  )
  expect_equal(
    read_golden("corrected-gaps"),
    golden_corrected(rating_gaps, cases$gaps, ratings, corpus, predictions),
    ignore_attr = TRUE
  )
})

test_that("the response that both languages test is what R computes", {
  ratings <- read_golden("survey")
  packets <- read_golden("packets")
  expect_equal(packets, golden_packets(ratings), ignore_attr = TRUE)
  response <- golden_response(ratings, packets, golden_people(ratings))
  for (name in names(response)) {
    expect_equal(
      read_golden(paste0("response-", name)), response[[name]],
      ignore_attr = TRUE, tolerance = 1e-7, info = name
    )
  }
})
