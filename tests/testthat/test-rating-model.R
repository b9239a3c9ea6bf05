# 24 respondents of two groups, who rate 6 of 20 images in 5 clusters, on two items.
rated <- function(n = 24, seed = 1) {
  set.seed(seed)
  people <- tibble::tibble(
    respondent_id = sprintf("r%02d", seq_len(n)),
    group = factor(rep(c("D", "R"), length.out = n)), ideology = sample(1:7, n, TRUE),
    age = sample(18:80, n, TRUE), survey_weight = stats::runif(n, 0.5, 2)
  )
  images <- tibble::tibble(
    image_id = sprintf("i%02d", 1:20), cluster = rep(1:5, each = 4), N_h = 40, n_h = 4,
    weight_cluster = 1 / 4, weight_corpus = 10, theme = rep(1:2, c(12, 8)),
    bright = stats::rnorm(20)
  )
  pairs <- tibble::tibble(
    respondent_id = rep(people$respondent_id, each = 6),
    image_id = sprintf("i%02d", (seq_len(6 * n) * 7) %% 20 + 1)
  )
  table <- dplyr::left_join(pairs, people, "respondent_id") |> dplyr::left_join(images, "image_id")
  feels <- stats::rnorm(n)[match(table$respondent_id, people$respondent_id)]
  shows <- stats::rnorm(20)[match(table$image_id, images$image_id)]
  dplyr::bind_rows(lapply(c("angry", "bitter"), \(item) dplyr::mutate(
    table, item = item, dimension = "aversion",
    rating = 5 + 0.3 * (group == "R") * ideology + 0.02 * age + feels + shows +
      stats::rnorm(nrow(table))
  )))
}

of <- function(x, which) {
  table <- tidy(x)
  table[table$level == "item" & table$item == which, ]
}

test_that("six ratings by hand", {
  # Means 4.5 and 2.5; scores of respondents are +-.625 and +-.125 (test-rating-means.R).
  suppressWarnings(model <- rating_model(toy_ratings(), angry ~ group, variance = "respondent"))
  table <- tidy(model)
  expect_equal(table$term, c("(Intercept)", "groupR"))
  expect_equal(table$estimate, c(4.5, -2))
  expect_equal(table$std.error, sqrt(4 / 3 * c(2 * 0.625^2, 2 * 0.625^2 + 2 * 0.125^2)))
  # Two people with different weights have 1 degree of freedom: one distance from the mean.
  expect_equal(table$df[1], 1)
  expect_equal(table$statistic, table$estimate / table$std.error)
  expect_equal(table$p.value, 2 * pt(-abs(table$statistic), table$df))
  expect_equal(table$conf.high, table$estimate + qt(0.975, table$df) * table$std.error)
  line <- glance(model)
  expect_equal(line$n_ratings, 6)
  expect_equal(line$n_respondents, 4)
  # Weights .25, .125, .125 in each group.
  rows <- augment(model)
  expect_equal(rows$weight, c(2, 1, 1, 2, 1, 1) / 8 * 6)
  expect_equal(rows$.fitted, rep(c(4.5, 2.5), each = 3))
  expect_equal(rows$.resid, c(-0.5, 3.5, -2.5, -1.5, 2.5, 0.5))
})

test_that("with groups only, a model has the means and gaps of rating_means() and rating_gaps()", {
  # Clusters with one sampled image, images with different numbers of raters.
  ratings <- whole_clusters(some_ratings())
  for (weight in c("cluster", "corpus", "none")) {
    for (variance in c("two-way", "respondent", "image")) {
      means <- suppressMessages(rating_means(ratings, weight = weight, variance = variance))
      gaps <- suppressMessages(rating_gaps(ratings, weight = weight, variance = variance))
      both <- suppressMessages(
        tidy(rating_model(ratings, ~ 0 + group, weight, variance = variance))
      )
      expect_equal(both$estimate, means$estimate, tolerance = 1e-9)
      expect_equal(both$std.error, means$std.error, tolerance = 1e-9)
      model <- suppressMessages(
        tidy(rating_model(ratings, ~group, weight, variance = variance))
      )
      model <- model[model$term == "groupRepublican", ]
      expect_equal(model$item, gaps$item)
      expect_equal(-model$estimate, gaps$estimate, tolerance = 1e-9)
      # Strata with a single image, and covariances below zero, are treated jointly by the model.
      close <- if (variance == "respondent") 1e-9 else 0.05
      expect_equal(model$std.error, gaps$std.error, tolerance = close)
    }
  }
  # Strata have two or more images, and each pair of groups has the variance of its gap.
  ratings <- rated()
  gaps <- rating_gaps(ratings)
  model <- tidy(rating_model(ratings, ~group))
  expect_equal(model$std.error[model$term == "groupR"], gaps$std.error, tolerance = 1e-9)
  alone <- tidy(rating_model(ratings, ~1))
  expect_equal(alone$estimate, rating_means(ratings, by = NULL)$estimate, tolerance = 1e-9)
})

test_that("other groups can define the weights", {
  ratings <- rated()
  ratings$month <- ifelse(as.integer(substring(ratings$image_id, 2)) %% 3 == 0, "May", "June")
  model <- tidy(rating_model(
    ratings, ~ 0 + group:month,
    variance = "respondent", weight_by = c(group, month)
  ))
  means <- rating_means(ratings, by = c(month, group), variance = "respondent")
  expect_equal(model$estimate, means$estimate, tolerance = 1e-9)
  expect_equal(model$std.error, means$std.error, tolerance = 1e-9)
  # Controls do not change the weights.
  weights <- \(formula) augment(rating_model(ratings, formula))$weight
  expect_equal(weights(~ group * ideology + age), weights(~group))
})

test_that("survey's svyglm has the same coefficients and standard errors", {
  skip_if_not_installed("survey")
  ratings <- rated()
  formulas <- list(
    rating ~ group * ideology + age, rating ~ group * factor(cluster), rating ~ group * bright,
    rating ~ poly(age, 2) + group
  )
  for (formula in formulas) {
    for (respondents in list(NULL, "survey_weight")) {
      weights <- rating_weights(ratings, respondent_weight = dplyr::all_of(respondents))
      known <- dplyr::distinct(ratings, respondent_id, ideology, age)
      images <- dplyr::distinct(ratings, image_id, bright)
      weights <- weights |>
        dplyr::left_join(known, "respondent_id") |>
        dplyr::left_join(images, "image_id")
      design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = weights)
      model <- suppressWarnings(rating_model(
        ratings, formula,
        respondent_weight = dplyr::all_of(respondents), variance = "respondent"
      ))
      for (name in c("angry", "bitter")) {
        own <- subset(design, weights$level == "item" & weights$item == name)
        fit <- survey::svyglm(formula, own)
        expect_equal(of(model, name)$estimate, unname(stats::coef(fit)), tolerance = 1e-9)
        expect_equal(vcov(model, name), stats::vcov(fit), tolerance = 1e-9, ignore_attr = TRUE)
        expect_equal(of(model, name)$term, names(stats::coef(fit)))
      }
    }
  }
})

test_that("a model does not depend on the coding of its covariates", {
  ratings <- rated()
  turned <- dplyr::mutate(ratings, group = relevel(group, "R"), age = (age - 50) / 10)
  a <- rating_model(ratings, angry ~ group * ideology + age)
  b <- rating_model(turned, angry ~ group * ideology + age)
  expect_equal(b$coefficients$term[2], "groupD")
  expect_equal(tidy(b)$estimate[4:5], tidy(a)$estimate[4:5] * c(10, -1))
  expect_equal(tidy(b)$std.error[4:5], tidy(a)$std.error[4:5] * c(10, 1))
  expect_equal(tidy(b)$df[4:5], tidy(a)$df[4:5])
  expect_equal(augment(b)$.fitted, augment(a)$.fitted)
  effects <- \(model) rating_effects(model, "group", by = list(ideology = c(2, 6)))
  sorted <- \(model) dplyr::arrange(effects(model), as.character(group), ideology)$std.error
  expect_equal(sorted(b), sorted(a))
})

test_that("Satterthwaite's degrees of freedom are those of balanced groups", {
  # Every respondent rates all images, and every answer weighs the same: n - 1 and 2 (n - 1).
  set.seed(2)
  table <- tidyr::expand_grid(respondent_id = paste0("r", 1:10), image_id = paste0("i", 1:6))
  table$group <- ifelse(table$respondent_id %in% paste0("r", 1:5), "D", "R")
  table$item <- "angry"
  table$rating <- rnorm(60)
  model <- rating_model(table, ~ 0 + group, weight = "none", variance = "respondent")
  expect_equal(tidy(model)$df, c(4, 4))
  gap <- rating_model(table, ~group, weight = "none", variance = "respondent")
  expect_equal(tidy(gap)$df, c(4, 8))
  # Six images in two strata have four.
  table$cluster <- ifelse(table$image_id %in% paste0("i", 1:3), 1, 2)
  image <- rating_model(table, ~1, weight = "none", variance = "image")
  expect_equal(tidy(image)$df, 4)
  two <- rating_model(table, ~group, weight = "none")
  expect_equal(tidy(two)$df, c(4, 4))
  # The trace of the square is the same from the small and from the large matrix.
  fit <- gap$fits[[1]]
  z <- gap$x[gap$answers$row[fit$rows], ] %*% fit$turn
  respondent <- gap$answers$respondent[fit$rows]
  h <- diag(60) - z %*% t(fit$weight * z)
  own <- outer(seq_len(10), respondent, "==") * rep(fit$weight * drop(z %*% c(1, 2)), each = 10)
  g <- own %*% h %*% t(own %*% h)
  direct <- sum(diag(g))^2 / sum(g^2)
  expect_equal(
    degrees_of_respondents(fit, z, drop(z %*% c(1, 2)), respondent, crossprod(fit$weight * z)),
    direct
  )
})

test_that("scores are corrected for the leverage of covariates, not for that of groups", {
  model <- rating_model(rated(), angry ~ group * ideology + age)
  fit <- model$fits[[1]]
  z <- model$x[model$answers$row[fit$rows], ] %*% fit$turn
  answers <- lapply(model$answers[c("respondent", "cell")], \(x) x[fit$rows])
  found <- spread_by_leverage(z, fit$weight, answers)
  # (I - A)^(-1/2) of the respondents, as in the sandwich of posts.
  adjust <- parts_of_authors(z * sqrt(fit$weight), factor(answers$respondent))$adjust
  total <- tapply(fit$weight, answers$cell, sum)
  for (r in c(1, 7, 24)) {
    rows <- which(answers$respondent == r)
    level <- sum(fit$weight[rows] / total[as.character(answers$cell[rows])])
    expect_equal(found[rows, ], sqrt(1 - level) * z[rows, ] %*% adjust[, , r], ignore_attr = TRUE)
  }
  groups <- rating_model(rated(), angry ~ group)
  fit <- groups$fits[[1]]
  z <- groups$x[groups$answers$row[fit$rows], ] %*% fit$turn
  expect_equal(spread_by_leverage(z, fit$weight, answers), z)
})

test_that("ordered factors, themes and text are coded as R does", {
  ratings <- dplyr::mutate(rated(80), age = cut(
    age, c(0, 35, 55, 90), c("young", "middle", "old"),
    ordered_result = TRUE
  ))
  model <- rating_model(ratings, angry ~ age * group + theme)
  expect_equal(colnames(coef(model)), c(
    "(Intercept)", "age.L", "age.Q", "groupR", "theme2", "age.L:groupR", "age.Q:groupR"
  ))
  withr::with_options(list(contrasts = c("contr.sum", "contr.helmert")), {
    again <- rating_model(ratings, angry ~ age * group + theme)
    expect_equal(coef(again), coef(model))
    expect_equal(predict(again, ratings[1:3, ]), predict(model, ratings[1:3, ]))
  })
  # Numbers of clusters are names.
  suppressWarnings(clusters <- rating_model(ratings, angry ~ group + cluster))
  expect_equal(colnames(coef(clusters)), c("(Intercept)", "groupR", paste0("cluster", 2:5)))
  text <- dplyr::mutate(ratings, group = ifelse(group == "R", "b", "A"))
  expect_equal(colnames(coef(rating_model(text, angry ~ group))), c("(Intercept)", "groupb"))
})

test_that("missing covariates, and items on the left side", {
  ratings <- rated()
  ratings$age[ratings$respondent_id == "r01"] <- NA
  expect_message(
    model <- rating_model(ratings, bitter ~ group + age), "6 of 144 answers .by 1 respondent of 24"
  )
  expect_equal(glance(model)$n_left_out, 6)
  expect_equal(glance(model)$n_respondents, 23)
  without <- dplyr::filter(ratings, respondent_id != "r01")
  expect_equal(coef(model), coef(rating_model(without, bitter ~ group + age)))
  items <- \(formula) unique(tidy(rating_model(without, formula))$item)
  expect_equal(items(~group), c("aversion", "angry", "bitter"))
  expect_equal(items(rating ~ group), c("aversion", "angry", "bitter"))
  expect_equal(items(c(bitter, "aversion") ~ group), c("aversion", "bitter"))
})

test_that("covariates are about respondents, images, or single answers", {
  ratings <- rated()
  ratings$position <- stats::ave(
    seq_len(nrow(ratings)), ratings$respondent_id, ratings$item,
    FUN = seq_along
  )
  expect_equal(nrow(tidy(rating_model(ratings, angry ~ position))), 2)
  wrong <- ratings
  wrong$age[wrong$respondent_id == "r01" & wrong$position == 2] <- 99
  expect_error(rating_model(wrong, ~ group + age), "one value per respondent.*r01")
  wrong$age[1] <- 98
  expect_error(rating_model(wrong, ~ group + age), "must be the same in all ratings")
})

test_that("wrong formulas are explained", {
  ratings <- rated()
  expect_snapshot(error = TRUE, {
    rating_model(ratings, ~party)
    rating_model(ratings, happy ~ group)
    rating_model(ratings, log(angry) ~ group)
    rating_model(ratings, ~ rating + group)
    rating_model(ratings, ~.)
    rating_model(ratings, "group")
    rating_model(dplyr::mutate(ratings, x = 1), ~x)
    rating_model(ratings, ~ log(age - 80))
    rating_model(dplyr::mutate(ratings, age = NA_real_), ~age)
    rating_model(ratings[0, ], ~group)
    rating_model(dplyr::filter(ratings, respondent_id == "r01"), ~bright)
    rating_model(ratings, ~group, method = "bayes")
    rating_model(ratings, ~group, wieght = "none")
    tidy(rating_model(ratings, ~group), "random")
  })
})

test_that("what cannot be estimated is missing, with a reason and a warning", {
  ratings <- dplyr::mutate(rated(), years = 2026 - age)
  expect_warning(model <- rating_model(ratings, angry ~ group + age + years), "determine it: years")
  expect_equal(tidy(model)$reason, c(NA, NA, NA, "collinear"))
  plain <- tidy(rating_model(ratings, angry ~ group + age))
  expect_equal(tidy(model)[1:3, 5:10], plain[5:10])
  expect_equal(is.na(diag(vcov(model))), c(FALSE, FALSE, FALSE, TRUE), ignore_attr = TRUE)
  # Age without years cannot change.
  expect_equal(rating_effects(model, "age", "slope")$reason, "not estimable")
  # One respondent of a third group.
  one <- dplyr::mutate(ratings, group = as.character(group))
  one$group[one$respondent_id == "r05"] <- "I"
  one$cluster <- NULL
  expect_warning(
    model <- rating_model(one, angry ~ group, weight = "none"), "rests on respondent r05"
  )
  expect_equal(tidy(model)$reason, c(NA, "rests on respondent r05", NA))
  expect_equal(is.na(tidy(model)$std.error), c(FALSE, TRUE, FALSE))
  # An item that only one group answered.
  half <- dplyr::filter(ratings, !(item == "bitter" & group == "R"))
  expect_warning(model <- rating_model(half, bitter ~ group), "no ratings: groupR")
  expect_equal(tidy(model)$reason, c(NA, "no rating"))
  # More coefficients than ratings.
  few <- dplyr::filter(ratings, item == "angry" | seq_along(item) %% 50 == 0)
  few$cluster <- NULL
  expect_warning(
    model <- rating_model(few, c(angry, bitter) ~ group * ideology, weight = "none"),
    "not modelled"
  )
  expect_true(all(grepl("no more than", tidy(model)$reason[5:8])))
  expect_output(print(summary(model)), "Not modelled")
  # Ratings that follow from the covariates.
  exact <- dplyr::mutate(ratings, rating = age)
  expect_warning(model <- rating_model(exact, angry ~ age), "determine the\\s+ratings exactly")
  expect_equal(tidy(model)$p.value, c(NA_real_, NA_real_))
})

test_that("terms are tested together", {
  ratings <- rated(40)
  for (variance in c("respondent", "image", "two-way")) {
    model <- rating_model(ratings, angry ~ group * ideology + factor(theme), variance = variance)
    terms <- tidy(model, "terms")
    own <- tidy(model)[-1, ]
    expect_equal(terms$term, c("group", "ideology", "factor(theme)", "group:ideology"))
    # A term of one coefficient has its test.
    expect_equal(terms$p.value, own$p.value)
    expect_equal(terms$df.residual, own$df)
    several <- rating_model(ratings, angry ~ group + poly(age, 3), variance = variance)
    b <- coef(several)[1, 3:5]
    v <- vcov(several)[3:5, 3:5]
    joint <- tidy(several, "terms")[2, ]
    nu <- joint$df.residual + 2
    expect_equal(joint$statistic, drop(b %*% solve(v, b)) * (nu - 2) / (3 * nu))
    expect_equal(joint$p.value, pf(joint$statistic, 3, nu - 2, lower.tail = FALSE))
  }
  # Ten people of equal weight have the degrees of freedom of a Wishart matrix, about 9.
  expect_gt(joint$df.residual, 1)
})

test_that("with two-way errors, joint tests count the chance of both parts", {
  ratings <- rated(40)
  models <- lapply(c("two-way", "image", "respondent"), function(variance) {
    rating_model(ratings, angry ~ group + poly(age, 3), variance = variance)
  })
  nu <- vapply(models, \(model) tidy(model, "terms")$df.residual[2] + 2, 0)
  fit <- models[[1]]$fits[[1]]
  answers <- models[[1]]$answers
  x <- models[[1]]$x[answers$row[fit$rows], ]
  effects <- (fit$weight * (x %*% solve(crossprod(x, fit$weight * x))))[, 3:5]
  scaled <- effects %*% solve(chol(crossprod(effects)))
  respondent <- answers$respondent[fit$rows]
  # One by one: the elements of the sum of products of two answers of a respondent.
  pairs <- utils::combn(length(respondent), 2)
  pairs <- pairs[, respondent[pairs[1, ]] == respondent[pairs[2, ]]]
  noise <- sum(apply(pairs, 2, function(own) {
    product <- outer(scaled[own[1], ], scaled[own[2], ])
    sum((product + t(product))^2)
  }))
  expect_equal(nu[1], min(nu[3], 12 / (12 / nu[2] + noise)))
  expect_lt(nu[1], nu[2])
})

test_that("joint tests do not depend on the reference level", {
  ratings <- golden_survey()
  other <- dplyr::mutate(ratings, group = factor(group, c("R", "I", "D")))
  for (variance in c("respondent", "image", "two-way")) {
    tests <- lapply(list(ratings, other), function(ratings) {
      tidy(quietly(rating_model(
        ratings, proud ~ group,
        respondent_weight = survey_weight, variance = variance
      )), "terms")
    })
    expect_equal(tests[[1]], tests[[2]], tolerance = 1e-8)
  }
})

test_that("all coefficients have a joint covariance matrix", {
  ratings <- rated()
  for (variance in c("respondent", "image", "two-way")) {
    model <- rating_model(ratings, ~ group * ideology, variance = variance)
    v <- vcov(model)
    expect_equal(rownames(v)[5], "angry:(Intercept)")
    expect_equal(v[5:8, 5:8], vcov(model, "angry"), ignore_attr = TRUE)
    expect_equal(unname(sqrt(diag(v))), tidy(model)$std.error)
    # The dimension is the mean of both items.
    mean <- rbind(-diag(4), diag(4) / 2, diag(4) / 2)
    left <- t(mean) %*% v %*% mean
    # With two-way errors, each item has a covariance of answers that is not below zero.
    if (variance == "two-way") {
      expect_gt(min(diag(left)), -1e-10)
    } else {
      expect_lt(max(abs(left)), 1e-10)
    }
  }
})

test_that("predictions and effects are combinations of coefficients", {
  ratings <- rated()
  model <- rating_model(ratings, c(angry, bitter) ~ group * ideology + age)
  new <- data.frame(group = "R", ideology = 3, age = 40)
  row <- c(1, 1, 3, 40, 3)
  found <- predict(model, new)
  expect_equal(found$estimate, drop(coef(model) %*% row), ignore_attr = TRUE)
  expect_equal(found$std.error[1], sqrt(drop(row %*% vcov(model, "angry") %*% row)))
  expect_equal(predict(model, ratings[5, ], items = "angry")$estimate, augment(model)$.fitted[5])
  expect_error(predict(model, data.frame(group = "X", ideology = 1, age = 1)), "has \"X\"")
  rows <- augment(model)
  rows <- rows[rows$item == "angry", ]
  means <- rating_effects(model, "group", items = "angry")
  b <- coef(model)["angry", ]
  ideology <- sum(rows$weight * rows$ideology) / sum(rows$weight)
  age <- sum(rows$weight * rows$age) / sum(rows$weight)
  expect_equal(means$estimate, unname(c(
    b[1] + b[3] * ideology + b[4] * age, b[1] + b[2] + (b[3] + b[5]) * ideology + b[4] * age
  )))
  gap <- rating_effects(
    model, "group", "difference",
    by = list(ideology = c(0, 4)), items = "angry"
  )
  expect_equal(gap$contrast, c("R - D", "R - D"))
  expect_equal(gap$estimate, unname(b[2] + c(0, 4) * b[5]))
  expect_equal(gap[1, c("std.error", "df")], of(model, "angry")[2, c("std.error", "df")])
  slope <- rating_effects(model, "ideology", "slope", by = "group", items = "angry")
  expect_equal(slope$estimate, unname(c(b[3], b[3] + b[5])), tolerance = 1e-7)
  expect_equal(slope$std.error[1], of(model, "angry")$std.error[3], tolerance = 1e-7)
  line <- rating_effects(model, "age", n_points = 5, items = "angry")
  expect_equal(diff(line$estimate) / diff(line$age), rep(b[["age"]], 4))
  expect_error(rating_effects(model, "group", "slope"), "used as a")
  expect_error(rating_effects(model, "group", by = "age"), "at most 10")
  expect_error(rating_effects(model, "party"), "must be a covariate")
})

test_that("a model is printed", {
  model <- rating_model(rated(), c(angry, bitter) ~ group * ideology)
  expect_snapshot({
    model
    summary(model, "angry")
  })
})
