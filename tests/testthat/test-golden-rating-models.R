test_that("the models of ratings that both languages test are what R computes", {
  made <- golden_rating_models()
  for (name in names(made)) {
    known <- read_golden(paste0("rating-model-", name))
    # Columns of text without any are read as logical ones.
    empty <- vapply(known, \(x) all(is.na(x)), NA)
    known[empty] <- NA_character_
    expect_equal(
      as.data.frame(made[[name]]), as.data.frame(known),
      tolerance = 1e-8, ignore_attr = TRUE, info = name
    )
  }
})

test_that("images of a group that rated few of them have few degrees of freedom", {
  # One cluster of five images, of which D rated two, as rating_means() counts them.
  ratings <- tibble::tibble(
    respondent_id = paste0("p", 1:28), group = rep(c("D", "R"), c(8, 20)),
    image_id = c(rep(c("i1", "i2"), 4), rep(paste0("i", 1:5), 4)), cluster = 1, item = "angry",
    rating = c(1, 4, 2, 6, 1, 5, 3, 6, 1:20 %% 7), weight_cluster = 0.2
  )
  for (variance in c("image", "two-way")) {
    model <- quietly(rating_model(ratings, ~ 0 + group, variance = variance))
    means <- quietly(rating_means(ratings, variance = variance))
    expect_equal(tidy(model)$std.error, means$std.error)
    expect_equal(tidy(model)$df, means$df)
  }
  # Images that both groups rated count once in their difference.
  gap <- tidy(quietly(rating_model(ratings, ~group, variance = "image")))[2, ]
  # Squared weights are 1/8 and 1/20. D has 1 degree of freedom and R 4, with two images in common.
  q <- c(1 / 8, 1 / 20) / c(1, 4)
  both <- 2 * (1 - 1 / 2 - 1 / 5 + 2 / 10)
  expect_equal(gap$df, (1 / 8 + 1 / 20)^2 / (q[1]^2 + 4 * q[2]^2 + 2 * both * q[1] * q[2]))
})
