# Weights of respondents in means, gaps and the weights that are handed out.

weighted_toy <- function() {
  dplyr::mutate(toy_ratings(), wave = c(a = 1, b = 3, c = 2, d = 2)[respondent_id])
}

test_that("respondents count by their weights, though each image has one rater in a group", {
  means <- rating_means(weighted_toy(), respondent_weight = wave, variance = "respondent")[3:4, ]
  # Image 1 is cluster 1, images 2 and 3 are halves of cluster 2; b counts three times.
  weight <- c(1, 0.5, 0.5 * 3)
  mean <- sum(weight * c(4, 8, 2)) / sum(weight)
  expect_equal(means$estimate, c(mean, 2.5))
  score <- weight * (c(4, 8, 2) - mean) / sum(weight)
  expect_equal(means$std.error[1], sqrt(4 / 3 * (sum(score[1:2])^2 + score[3]^2)))
  expect_equal(means$n_effective, c(16 / 10, 2))
  expect_equal(means$respondent_weight, rep("wave", 2))
  expect_equal(glance(means)$respondent_weight, "wave")
  weights <- rating_weights(weighted_toy(), respondent_weight = wave)
  weights <- weights[weights$level == "item" & weights$group == "D", ]
  expect_equal(weights$weight, weight)
})

test_that("the unit of the weights does not matter, and equal weights change nothing", {
  ratings <- golden_survey()
  same <- c("estimate", "std.error", "df", "conf.low", "conf.high")
  for (verb in list(rating_means, rating_gaps)) {
    for (variance in c("two-way", "respondent", "image")) {
      ratings$large <- 1000 * ratings$survey_weight
      ratings$equal <- 7
      estimates <- \(weight) quietly(
        verb(ratings, respondent_weight = dplyr::all_of(weight), variance = variance)
      )
      expect_equal(estimates("large")[same], estimates("survey_weight")[same])
      expect_equal(estimates("equal")[same], estimates(NULL)[same])
    }
  }
})

test_that("weighted means and gaps are survey's, with the weights that we hand out", {
  ratings <- golden_survey()
  for (weight in c("cluster", "corpus", "share", "none")) {
    for (of in c("means", "gaps")) {
      data <- quietly(
        rating_weights(ratings, weight = weight, respondent_weight = survey_weight, of = of)
      )
      everybody <- quietly(rating_weights(ratings, weight = weight))
      data <- dplyr::bind_rows(data, dplyr::anti_join(everybody, data, "respondent_id"))
      design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = data)
      verb <- if (of == "means") rating_means else rating_gaps
      ours <- quietly(verb(
        ratings, weight = weight, respondent_weight = survey_weight, variance = "respondent"
      ))
      for (i in seq_len(nrow(ours))) {
        measure <- subset(design, item == ours$item[i])
        if (of == "gaps") measure <- subset(measure, contrast == ours$contrast[i])
        found <- survey::svyby(~rating, ~group, measure, survey::svymean, covmat = TRUE)
        if (of == "gaps") {
          sides <- strsplit(ours$contrast[i], " - ")[[1]]
          found <- survey::svycontrast(found, rlang::set_names(c(1, -1), sides))
          theirs <- c(coef(found), survey::SE(found))
        } else {
          place <- found$group == ours$group[i]
          theirs <- c(coef(found)[place], survey::SE(found)[place])
        }
        expect_equal(
          c(ours$estimate[i], ours$std.error[i]), unname(theirs),
          tolerance = 1e-9, info = paste(weight, of, i)
        )
      }
    }
  }
})

test_that("weighted errors by image are survey's with clusters as strata", {
  # Every image in every cell, by two people of each group; the cluster of one image is left out.
  ratings <- dplyr::filter(golden_survey(), cluster < 8, item == "proud")
  images <- dplyr::distinct(ratings, image_id, cluster, n_h, weight_cluster)
  people <- dplyr::distinct(ratings, respondent_id, group, survey_weight)
  people <- people[stats::ave(seq_along(people$group), people$group, FUN = seq_along) <= 2, ]
  full <- dplyr::mutate(
    merge(images, people), item = "proud", rating = (seq_along(image_id) * 7) %% 11
  )
  data <- rating_weights(full, respondent_weight = survey_weight)
  design <- survey::svydesign(ids = ~image_id, strata = ~cluster, weights = ~weight, data = data)
  fit <- survey::svyby(~rating, ~group, design, survey::svymean)
  ours <- rating_means(full, respondent_weight = survey_weight, variance = "image")
  expect_equal(ours$estimate, unname(coef(fit)), tolerance = 1e-9)
  expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
})

test_that("weights that cannot be used are refused", {
  toy <- weighted_toy()
  expect_snapshot(error = TRUE, {
    rating_means(toy, respondent_weight = party)
    rating_means(toy, respondent_weight = c(wave, rating))
    rating_gaps(dplyr::mutate(toy, wave = c(1, 1, NA, 2, 2, 2)), respondent_weight = wave)
    rating_gaps(dplyr::mutate(toy, wave = c(1, 1, 0, 2, 2, Inf)), respondent_weight = wave)
    rating_weights(
      dplyr::bind_rows(toy, dplyr::mutate(toy[1, ], item = "proud", wave = 5)),
      respondent_weight = "wave"
    )
    rating_means(dplyr::mutate(toy, wave = "much"), respondent_weight = wave)
    rating_gaps(toy, by = c(group, cluster), respondent_weight = wave, shrink = TRUE)
  })
})

test_that("very unequal weights are reported, by groups of respondents", {
  ratings <- tibble::tibble(
    respondent_id = 1:40, group = rep(c("D", "R"), each = 20), image_id = 1:40, item = "angry",
    cluster = rep(1:20, 2), rating = as.double(1:40), wave = c(30, rep(1, 39))
  )
  expect_snapshot(means <- rating_means(ratings, weight = "none", respondent_weight = wave))
  # By cluster, nobody has other weights than within the group.
  expect_message(
    suppressWarnings(rating_means(
      ratings, by = c(group, cluster), weight = "none", respondent_weight = wave
    )),
    "in 1 group, most so for group D: 20 respondents"
  )
  expect_message(
    rating_means(ratings, by = NULL, weight = "none", respondent_weight = wave),
    "all respondents: 40 respondents are as informative as 5"
  )
})
