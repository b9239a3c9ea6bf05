# Two respondents of each of two groups, who were asked to rate two images; d rated none, b not 2.
asked_toy <- function() {
  tibble::tibble(
    packet_id = rep(c("p1", "p2", "p3", "p4"), each = 2),
    respondent_id = rep(c("a", "b", "c", "d"), each = 2),
    group = rep(c("D", "R"), each = 4), image_id = rep(c("1", "2"), 4), cluster = rep(1:2, 4)
  )
}

answers_toy <- function() {
  tibble::tibble(
    respondent_id = c("a", "a", "b", "c", "c"), group = c("D", "D", "D", "R", "R"),
    image_id = c("1", "2", "1", "1", "2"), cluster = c(1, 2, 1, 1, 2), item = "angry",
    rating = c(4, 6, 8, 2, 4), weight_cluster = 1, weight_corpus = c(9, 5, 9, 9, 5)
  )
}

test_that("response rates are what a count by hand gives", {
  rates <- response_rates(answers_toy(), asked_toy())
  expect_equal(rates$group, c("D", "R"))
  expect_equal(rates$n_respondents, c(2, 2))
  expect_equal(rates$n_silent, c(0, 1))
  expect_equal(rates$n_asked, c(4, 4))
  expect_equal(rates$n_rated, c(3, 2))
  expect_equal(rates$estimate, c(0.75, 0.5))
  # a is half an answer above three quarters of two, b half an answer below.
  expect_equal(rates$std.error, sqrt(2 * c(2 * (0.5 / 4)^2, 2 * (1 / 4)^2)))
  width <- qt(0.975, 1) * rates$std.error / (rates$estimate * (1 - rates$estimate))
  expect_equal(rates$conf.low, plogis(qlogis(rates$estimate) - width))
  expect_equal(rates$skipped, c(0, 0))

  each <- response_rates(answers_toy(), asked_toy(), by = c(party = group, cluster))
  expect_equal(each$party, c("D", "D", "R", "R"))
  expect_equal(each$estimate, c(1, 0.5, 0.5, 0.5))
  expect_equal(each$conf.low[1], 0.025^(1 / 2))
  # Two of three answers to two items of rated images.
  two <- dplyr::bind_rows(answers_toy(), dplyr::mutate(answers_toy()[c(1, 4), ], item = "proud"))
  expect_equal(response_rates(two, asked_toy(), by = NULL)$skipped, 1 - 7 / 10)
})

test_that("errors are those of the survey package", {
  set.seed(2)
  packets <- tibble::tibble(
    respondent_id = sprintf("r%02d", rep(1:30, each = 6)), image_id = as.character(rep(1:6, 30)),
    group = "D"
  )
  answered <- runif(180) < plogis(rnorm(30)[rep(1:30, each = 6)])
  ratings <- dplyr::mutate(packets[answered, ], item = "angry", rating = 1)
  rates <- response_rates(ratings, packets)
  design <- survey::svydesign(
    ~respondent_id,
    weights = ~1, data = dplyr::mutate(packets, rated = as.numeric(answered))
  )
  expected <- survey::svymean(~rated, design)
  expect_equal(rates$estimate, coef(expected)[[1]])
  expect_equal(rates$std.error, sqrt(vcov(expected)[[1]]))
})

test_that("packets tell who was asked, also if nobody took them up", {
  packets <- dplyr::select(asked_toy(), -respondent_id)
  ratings <- dplyr::mutate(answers_toy(), packet_id = c("p1", "p1", "p2", "p3", "p3"))
  expect_equal(response_rates(ratings, packets), response_rates(answers_toy(), asked_toy()))
  expect_snapshot(error = TRUE, {
    response_rates(answers_toy(), packets)
    response_rates(answers_toy(), asked_toy()[0, ])
    response_rates(answers_toy(), dplyr::mutate(asked_toy(), image_id = "9"))
    response_rates(answers_toy(), asked_toy(), by = month)
  })
  expect_warning(
    less <- response_rates(answers_toy(), asked_toy()[-1, ]), "1 of 5 ratings are of images"
  )
  expect_equal(less$n_rated, c(2, 2))
})

test_that("response weights are inverse to the probability of an answer", {
  # Of four people who were asked to rate an image, one of two old ones did not.
  packets <- tibble::tibble(
    respondent_id = letters[1:4], group = "D", image_id = "1", cluster = 1
  )
  people <- tibble::tibble(respondent_id = letters[1:4], old = c(TRUE, TRUE, FALSE, FALSE))
  ratings <- tibble::tibble(
    respondent_id = letters[2:4], group = "D", image_id = "1", cluster = 1, item = "angry",
    rating = c(8, 2, 4), weight_cluster = 1
  )
  weighted <- suppressWarnings(response_weights(ratings, packets, ~old, respondents = people))
  expect_equal(weighted$response_probability, c(0.5, 1, 1), tolerance = 1e-6)
  # Three of four answered; E = 3, O = 3.
  expect_equal(
    weighted$response_weight, 3 / 4 * c(3 - 0.5 + 1, 3, 3) / (3 * c(0.5, 1, 1)),
    tolerance = 1e-6
  )
  # In classes, all weights of a class are equal, and means by class are not touched.
  same <- response_weights(answers_toy(), asked_toy(), ~group)
  expect_equal(same$response_probability, c(0.75, 0.75, 0.75, 0.5, 0.5))
  d <- same[same$group == "D", ]
  expect_equal(diff(range(d$response_weight)), 0)
  expect_equal(
    quietly(rating_means(same, respondent_weight = response_weight))$estimate,
    quietly(rating_means(answers_toy()))$estimate
  )
  survey <- dplyr::mutate(answers_toy(), w = c(1, 1, 2, 1, 1))
  expect_equal(
    response_weights(survey, asked_toy(), ~group, respondent_weight = w)$response_weight,
    same$response_weight * survey$w
  )
})

test_that("the model of answers is that of glm()", {
  set.seed(4)
  packets <- tibble::tibble(
    respondent_id = sprintf("r%02d", rep(1:40, each = 5)), group = rep(c("D", "R"), each = 100),
    image_id = as.character(rep(1:5, 40)), cluster = rep(1:5, 40)
  )
  people <- tibble::tibble(respondent_id = sprintf("r%02d", 1:40), age = round(rnorm(40, 40, 10)))
  asks <- dplyr::left_join(packets, people, by = "respondent_id")
  answered <- runif(200) < plogis(1 - (asks$age - 40) / 10)
  ratings <- dplyr::mutate(packets[answered, ], item = "angry", rating = 1:sum(answered) %% 11)
  weighted <- response_weights(ratings, packets, ~ group * age, respondents = people)
  fit <- glm(answered ~ group * age, binomial, asks)
  expect_equal(weighted$response_probability, unname(fitted(fit))[answered], tolerance = 1e-6)
  expect_snapshot(error = TRUE, {
    response_weights(ratings, packets, "age")
    response_weights(ratings, packets, ~age)
    response_weights(ratings, packets, ~age, respondents = people[-1, ])
    response_weights(ratings, packets, ~age, respondents = people[c(1, 1:40), ])
    response_weights(ratings, packets, ~age, dplyr::mutate(people, age = c(NA, age[-1])))
  })
})

test_that("bounds are what a calculation by hand gives", {
  means <- quietly(response_bounds(answers_toy(), asked_toy(), of = "means"))
  # Clusters of D: (4 + 8) / 2 and 6, or (6 + 0) / 2, or (6 + 10) / 2.
  expect_equal(means$estimate, c(6, 3))
  expect_equal(means$low, c((6 + 3) / 2, (1 + 2) / 2))
  expect_equal(means$high, c((6 + 8) / 2, (6 + 7) / 2))
  expect_equal(means$missing, c(1 / 4, 2 / 4))
  gaps <- quietly(response_bounds(answers_toy(), asked_toy()))
  expect_equal(gaps$contrast, "D - R")
  expect_equal(gaps$low, means$low[1] - means$high[2])
  expect_equal(gaps$high, means$high[1] - means$low[2])
  # With missing answers like the given ones the gap is 3; with those of D a point lower and those
  # of R a point higher, it is (6 + 5.5) / 2 - (2.5 + 4.5) / 2.
  expect_equal(gaps$tipping_point, 3 / (3 - 2.25))
})

test_that("bounds with survey weights are what a calculation by hand gives", {
  people <- tibble::tibble(respondent_id = c("a", "b", "c", "d"), w = c(1, 3, 2, 6))
  weighted <- function(...) {
    quietly(response_bounds(
      answers_toy(), asked_toy(),
      respondent_weight = w, respondents = people, ...
    ))
  }
  means <- weighted(of = "means")
  # D: image 1 has 4 by a and 8 by b; image 2 has 6 by a, and b's answer is missing. Each image has
  # its answers' weights by half, since it was asked of two.
  expect_equal(means$estimate, c((4 / 2 + 3 * 8 / 2 + 6) / (1 / 2 + 3 / 2 + 1), 3))
  expect_equal(means$low, c((4 + 3 * 8 + 6) / 8, (2 * 2 + 2 * 4) / 16))
  expect_equal(means$high, c((4 + 3 * 8 + 6 + 3 * 10) / 8, (2 * 2 + 2 * 4 + 120) / 16))
  gaps <- weighted()
  expect_equal(gaps$estimate, diff(rev(means$estimate)))
  expect_equal(gaps$low, means$low[1] - means$high[2])
  expect_equal(gaps$high, means$high[1] - means$low[2])
  # Missing answers like the given ones: b gives image 2 a 6; d gives 2 and 4, so that R has 3. A
  # point lower or higher moves D by 3 / 8 and R by 12 / 16.
  expect_equal(gaps$tipping_point, ((4 + 24 + 6 + 18) / 8 - 3) / (3 / 8 + 12 / 16))
  # Only proportions matter, and equal weights do not.
  people$w <- people$w * 1000
  expect_equal(weighted(), gaps)
  people$w <- 7
  expect_equal(weighted()$conf.low, quietly(response_bounds(answers_toy(), asked_toy()))$conf.low)
  # Weights of the ratings are enough if everybody rated something.
  own <- dplyr::mutate(answers_toy(), w = c(1, 1, 3, 2, 2))
  asked <- dplyr::filter(asked_toy(), respondent_id != "d")
  expect_equal(
    quietly(response_bounds(own, asked, respondent_weight = w)),
    quietly(response_bounds(
      answers_toy(), dplyr::mutate(asked, w = c(1, 1, 3, 3, 2, 2)), respondent_weight = "w"
    ))
  )
  expect_snapshot(error = TRUE, {
    response_bounds(own, asked_toy(), respondent_weight = w)
    response_bounds(own, asked, respondent_weight = age)
    response_bounds(dplyr::mutate(own, w = 1:5), asked, respondent_weight = w)
    response_bounds(own, asked, respondent_weight = w, respondents = people)
  })
})

test_that("ratings that nobody asked for are in no bound and no estimate", {
  more <- dplyr::bind_rows(
    answers_toy(), dplyr::mutate(answers_toy()[1, ], respondent_id = "z", rating = 10)
  )
  suppressWarnings(expect_warning(
    bounds <- response_bounds(more, asked_toy(), of = "means"),
    "1 of 6 ratings are of images"
  ))
  expect_equal(bounds, quietly(response_bounds(answers_toy(), asked_toy(), of = "means")))
})

test_that("what is known of respondents is not taken for what is known of images", {
  # Every image has one rating, so that ages do not differ between the ratings of an image.
  packets <- tibble::tibble(
    respondent_id = rep(c("a", "b", "c", "d"), each = 2), group = "D",
    image_id = c("1", "2", "1", "3", "2", "4", "3", "4"), cluster = 1
  )
  ratings <- dplyr::mutate(
    packets[c(1, 4, 5, 8), ],
    item = "angry", rating = 1:4, age = c(20, 30, 40, 50), weight_cluster = 0.25
  )
  people <- tibble::tibble(respondent_id = c("a", "b", "c", "d"), age = c(20, 30, 40, 50))
  with_age <- dplyr::left_join(packets, people, "respondent_id")
  expected <- response_weights(ratings, with_age, ~age, by = NULL)
  expect_equal(response_weights(ratings, packets, ~age, people, by = NULL), expected)
  expect_error(response_weights(ratings, packets, ~age, by = NULL), "neither")
})

test_that("intervals of bounds are those of Imbens and Manski", {
  # Without missing answers they are those of the estimates.
  full <- some_ratings("angry")
  packets <- dplyr::distinct(full, respondent_id, group, image_id, cluster)
  bounds <- quietly(response_bounds(full, packets))
  gaps <- quietly(rating_gaps(full))
  expect_equal(bounds$missing, c(0, 0))
  same <- c("estimate", "conf.low", "conf.high")
  expect_equal(bounds[same], tidy(gaps)[same], tolerance = 1e-6)
  expect_equal(bounds$tipping_point, c(NA_real_, NA))
  # With wide bounds they are one-sided intervals of both.
  holes <- full[-seq(1, nrow(full), by = 2), ]
  bounds <- quietly(response_bounds(holes, packets, of = "means"))
  # Nothing is known of images that nobody rated.
  lost <- dplyr::anti_join(full, holes, c("respondent_id", "image_id"))
  lost <- lost[lost$image_id %in% holes$image_id, ]
  low <- quietly(rating_means(dplyr::bind_rows(holes, dplyr::mutate(lost, rating = 0))))
  expect_equal(bounds$low, low$estimate)
  expect_equal(bounds$conf.low, low$estimate - qt(0.95, low$df) * low$std.error, tolerance = 1e-4)
  expect_true(all(bounds$conf.low < bounds$low & bounds$high < bounds$conf.high))
  expect_snapshot(error = TRUE, {
    response_bounds(full, packets, scale = c(1, 5))
    response_bounds(full, packets, of = "shares")
    response_bounds(dplyr::filter(full, group == "Democrat"), packets)
  })
})
