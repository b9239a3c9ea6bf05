test_that("weights by hand", {
  ratings <- tibble::tibble(
    respondent_id = c("a", "b", "c", "c"), group = c("D", "D", "D", "R"),
    image_id = c("1", "1", "2", "3"), cluster = c(1, 1, 1, 2), item = "angry", rating = 1:4,
    N_h = c(9, 9, 9, 4), n_h = c(3, 3, 3, 1), weight_cluster = 1 / n_h, weight_corpus = N_h / n_h
  )
  weights <- quietly(rating_weights(ratings))
  expect_equal(weights$weight, c(1 / 4, 1 / 4, 1 / 2, 1))
  expect_equal(names(weights), c(
    "level", "item", "dimension", "group", "respondent_id", "image_id", "cluster", "rating",
    "weight"
  ))
  expect_equal(
    quietly(rating_weights(ratings, weight = "corpus"))$weight, c(9 / 4, 9 / 4, 9 / 2, 4)
  )
  expect_equal(nrow(quietly(rating_weights(ratings, by = c(group, cluster)))), 4)
})

test_that("survey with these weights finds our means and errors", {
  ratings <- ratings_with_holes()
  for (weight in c("cluster", "corpus", "share", "none")) {
    means <- quietly(rating_means(ratings, weight = weight, variance = "respondent"))
    data <- quietly(rating_weights(ratings, weight = weight))
    design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = data)
    for (measure in unique(means$item)) {
      fit <- survey::svyby(~rating, ~group, subset(design, item == measure), survey::svymean)
      ours <- means[means$item == measure, ]
      expect_equal(ours$estimate, unname(coef(fit)), tolerance = 1e-9)
      expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
    }
  }
})
