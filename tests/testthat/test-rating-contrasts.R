# References, trends, and differences of gaps.

# Who rated nothing that is compared is a respondent of the survey nevertheless.
with_everybody <- function(data, ratings) {
  others <- dplyr::anti_join(ratings, data, "respondent_id")
  dplyr::bind_rows(data, dplyr::mutate(others, weight = 1, rating = NA_real_))
}

# The sum of means of cells times `by`, by survey: its estimate and standard error.
survey_sum <- function(data, cells, by) {
  design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = data)
  fit <- survey::svyby(
    ~rating, cells, subset(design, !is.na(rating)), survey::svymean,
    covmat = TRUE
  )
  found <- survey::svycontrast(fit, rlang::set_names(by, names(coef(fit))))
  unname(c(coef(found), survey::SE(found)))
}

one_item <- function() {
  ratings <- dplyr::filter(golden_survey(), item == "proud")
  ratings$dimension <- NULL
  ratings
}

test_that("a reference is subtracted from every other group", {
  ratings <- one_item()
  pairs <- rating_gaps(ratings)
  gaps <- rating_gaps(ratings, reference = "I")
  expect_equal(gaps$contrast, c("D - I", "R - I"))
  expect_equal(gaps$estimate, pairs$estimate[c(1, 3)] * c(1, -1))
  expect_equal(gaps$std.error, pairs$std.error[c(1, 3)])
  expect_equal(gaps$df, pairs$df[c(1, 3)])
  expect_equal(gaps$p.adjusted, p.adjust(gaps$p.value, "holm"))
  numbers <- quietly(rating_gaps(ratings, by = ideology, reference = 3))
  expect_equal(numbers$contrast, paste(c(1, 2, 4, 5), "- 3"))
})

test_that("changes of people's gaps by hand", {
  # Ten people of each party answer before and after; "after" is later by the order of levels.
  withr::local_seed(2)
  both <- tibble::tibble(
    respondent_id = rep(1:20, 2), group = rep(rep(c("D", "R"), each = 10), 2),
    wave = factor(rep(c("before", "after"), each = 20), c("before", "after")), image_id = 1:40,
    item = "x", rating = rep(rnorm(20, sd = 3), 2) + rnorm(40)
  )
  gaps_of <- function(...) {
    rating_gaps(both, by = c(group, wave), weight = "none", variance = "respondent", ...)
  }
  change <- gaps_of(change = "pairs")
  own <- both$rating[21:40] - both$rating[1:20]
  mean <- c(mean(own[1:10]), mean(own[11:20]))
  expect_equal(change$contrast, "D - R")
  expect_equal(change$change, "after - before")
  expect_equal(change$estimate, mean[1] - mean[2])
  # 20 respondents; the distances of their own changes from the mean change of their party.
  expect_equal(change$std.error, sqrt(20 / 19 * sum((own - rep(mean, each = 10))^2 / 100)))
  expect_equal(change$n_respondents, 20)
  expect_equal(change$n_ratings, 40)
  expect_lte(change$df, 19)
  expect_false("wave" %in% names(change))
  gaps <- gaps_of()
  expect_equal(change$estimate, gaps$estimate[2] - gaps$estimate[1])
  # As independent, the two gaps would be far less certain.
  expect_lt(change$std.error, 0.7 * sqrt(sum(gaps$std.error^2)))
})

test_that("changes over months are survey's contrasts of four means", {
  ratings <- one_item()
  for (weight in c("cluster", "corpus", "share")) {
    changes <- quietly(rating_gaps(
      ratings, by = c(group, month), weight = weight, respondent_weight = survey_weight,
      variance = "respondent", change = "pairs"
    ))
    data <- quietly(rating_weights(
      ratings, by = c(group, month), weight = weight, respondent_weight = survey_weight, of = "gaps"
    ))
    expect_equal(changes$contrast, c("D - I", "D - R", "I - R"))
    expect_equal(changes$change, rep("May - June", 3))
    for (i in 1:3) {
      known <- with_everybody(dplyr::filter(data, contrast == changes$contrast[i]), ratings)
      # D in June, the other in June, D in May, the other in May.
      theirs <- survey_sum(known, ~ group + month, c(-1, 1, 1, -1))
      expect_equal(c(changes$estimate[i], changes$std.error[i]), theirs, tolerance = 1e-9)
    }
    gaps <- quietly(rating_gaps(
      ratings, by = c(group, month), weight = weight, respondent_weight = survey_weight
    ))
    expect_equal(changes$estimate, gaps$estimate[4:6] - gaps$estimate[1:3])
  }
  # Exchanging the columns exchanges what is compared first, but not the result.
  other <- rating_gaps(
    ratings, by = c(month, group), weight = "share", respondent_weight = survey_weight,
    variance = "respondent", change = "pairs"
  )
  expect_equal(other$change, c("I - D", "R - D", "R - I"))
  expect_equal(other[c("estimate", "std.error", "df")], changes[c("estimate", "std.error", "df")])
})

test_that("changes over groups of respondents are about clusters that all four rated", {
  ratings <- dplyr::filter(one_item(), group != "I")
  ratings <- dplyr::filter(ratings, !(group == "D" & gender == "f" & cluster == 2))
  expect_snapshot(change <- rating_gaps(
    ratings,
    by = c(group, gender), change = "pairs", variance = "respondent"
  ))
  rated <- dplyr::distinct(ratings, cluster, group, gender)
  rated <- which(tabulate(rated$cluster) == 4)
  data <- quietly(
    rating_weights(dplyr::filter(ratings, cluster %in% rated), by = c(group, gender))
  )
  # D f, R f, D m, R m
  theirs <- survey_sum(with_everybody(data, ratings), ~ group + gender, c(-1, 1, 1, -1))
  expect_equal(c(change$estimate, change$std.error), theirs, tolerance = 1e-9)
})

test_that("two-way errors of changes are pairs of answers that share an image or a respondent", {
  withr::local_seed(4)
  # Four images in each cluster and month, each rated by two people of each party.
  images <- tibble::tibble(
    image_id = 1:24, cluster = rep(1:3, each = 8), month = rep(rep(1:2, each = 4), 3), n_h = 8,
    weight_cluster = 1 / 8, weight_corpus = cluster
  )
  ratings <- dplyr::bind_rows(lapply(c(D = 0, R = 30), \(start) {
    people <- start + replicate(2, sample(1:12)[rep(1:12, 2)])
    dplyr::bind_rows(images, images) |>
      dplyr::mutate(respondent_id = as.vector(people), rating = rnorm(48, respondent_id %% 5))
  }), .id = "group")
  ratings$item <- "x"
  ratings <- dplyr::distinct(ratings, respondent_id, image_id, .keep_all = TRUE)
  data <- rating_weights(ratings, by = c(group, month), weight = "corpus")
  cell <- paste(data$group, data$month)
  share <- data$weight / ave(data$weight, cell, FUN = sum)
  mean <- tapply(share * data$rating, cell, sum)
  by <- c("D 1" = -1, "R 1" = 1, "D 2" = 1, "R 2" = -1)
  score <- unname(by[cell] * share * (data$rating - mean[cell]))
  image <- rowsum(score, data$image_id)
  of <- images[match(rownames(image), images$image_id), ]
  stratum <- paste(of$cluster, of$month)
  within <- sum((image - ave(image, stratum))^2 * 4 / 3)
  people <- sum(rowsum(score, data$respondent_id)^2) - sum(score^2)
  n <- length(unique(data$respondent_id))
  change <- rating_gaps(ratings, by = c(group, month), weight = "corpus", change = "pairs")
  expect_equal(change$estimate, sum(by[names(mean)] * mean))
  expect_equal(change$std.error, sqrt(within + people * n / (n - 1)), tolerance = 1e-9)
  images <- rating_gaps(
    ratings, by = c(group, month), weight = "corpus", change = "pairs", variance = "image"
  )
  expect_equal(images$std.error, sqrt(within), tolerance = 1e-9)
  # 24 images in 6 strata.
  expect_lte(images$df, 18 + 1e-9)
})

test_that("trends are slopes of means, with survey's standard errors", {
  ratings <- one_item()
  for (weight in c("cluster", "corpus", "share")) {
    rated <- dplyr::distinct(
      if (weight == "share") dplyr::filter(ratings, weight_share > 0) else ratings,
      cluster, ideology
    )
    alike <- dplyr::filter(ratings, cluster %in% which(tabulate(rated$cluster) == 5))
    means <- quietly(rating_means(alike, by = ideology, weight = weight))
    trend <- quietly(rating_gaps(
      ratings, by = ideology, contrasts = "trend", weight = weight, variance = "respondent"
    ))
    slope <- coef(lm(estimate ~ ideology, means))[[2]]
    expect_equal(trend$estimate, slope)
    expect_equal(trend$contrast, "trend of ideology")
    data <- quietly(rating_weights(alike, by = ideology, weight = weight))
    theirs <- survey_sum(with_everybody(data, ratings), ~ideology, (1:5 - 3) / 10)
    expect_equal(c(trend$estimate, trend$std.error), theirs, tolerance = 1e-9)
  }
})

test_that("levels are equally spaced, also those that nobody has; numbers are what they are", {
  ratings <- one_item()
  trend <- \(values) quietly(rating_gaps(
    dplyr::mutate(ratings, ideology = values), by = ideology, contrasts = "trend"
  ))
  plain <- trend(ratings$ideology)
  expect_equal(trend(ordered(ratings$ideology))$estimate, plain$estimate)
  expect_equal(trend(10 * ratings$ideology)$estimate, plain$estimate / 10)
  expect_equal(trend(10 * ratings$ideology)$std.error, plain$std.error / 10)
  ratings <- dplyr::filter(ratings, ideology %in% c(1, 2, 4))
  gapped <- trend(ordered(ratings$ideology, 1:5))
  expect_equal(gapped$estimate, trend(ratings$ideology)$estimate)
  # Two values: the difference.
  ratings <- dplyr::filter(ratings, ideology > 1)
  expect_equal(
    trend(ratings$ideology)$estimate,
    quietly(rating_gaps(ratings, by = ideology, reference = 2))$estimate / 2
  )
})

test_that("gaps have trends, and trends have changes", {
  ratings <- dplyr::filter(one_item(), cluster < 4)
  ratings$week <- 1 + (as.integer(sub("i", "", ratings$image_id)) %% 3)
  gaps <- quietly(rating_gaps(ratings, by = c(group, week), reference = "D"))
  trend <- quietly(rating_gaps(ratings, by = c(group, week), reference = "D", change = "trend"))
  expect_equal(trend$contrast, c("I - D", "R - D"))
  expect_equal(trend$change, rep("trend of week", 2))
  slope <- \(contrast) {
    coef(lm(estimate ~ week, gaps[gaps$contrast == contrast, ]))[[2]]
  }
  expect_equal(trend$estimate, c(slope("I - D"), slope("R - D")))
  steps <- quietly(rating_gaps(ratings, by = c(group, week), change = "consecutive"))
  expect_equal(unique(steps$change), c("2 - 1", "3 - 2"))
  every <- quietly(rating_gaps(ratings, by = c(group, week), change = "pairs"))
  expect_equal(unique(every$change), c("2 - 1", "3 - 1", "3 - 2"))
  expect_equal(steps$estimate, every$estimate[every$change != "3 - 1"])
  both <- quietly(rating_gaps(
    ratings, by = c(week, group), contrasts = "trend", change = "pairs"
  ))
  expect_equal(both$contrast, rep("trend of week", 3))
  expect_equal(both$estimate[1:2], c(slope("I - D"), slope("R - D")))
  # Further columns separate comparisons.
  apart <- quietly(rating_gaps(
    one_item(), by = c(group, month, gender), change = "pairs", adjust = "BH"
  ))
  expect_equal(apart$gender, rep(c("f", "m"), each = 3))
  own <- quietly(rating_gaps(
    dplyr::filter(one_item(), gender == "m"),
    by = c(group, month), change = "pairs"
  ))
  expect_equal(apart$estimate[4:6], own$estimate)
  expect_equal(apart$p.adjusted, p.adjust(apart$p.value, "BH"))
})

test_that("changes of shrunken gaps are those of the mixed model's means", {
  skip_if_not_installed("lme4")
  ratings <- dplyr::filter(one_item(), group != "I", cluster < 7)
  gaps <- quietly(rating_gaps(ratings, by = c(group, cluster), shrink = TRUE))
  changes <- quietly(
    rating_gaps(ratings, by = c(group, cluster), shrink = TRUE, change = "consecutive")
  )
  expect_equal(changes$estimate, diff(gaps$estimate))
  expect_true(all(changes$std.error > 0))
})

test_that("a comparison without one of its means is missing", {
  ratings <- dplyr::filter(one_item(), !(group == "D" & month == "May"))
  expect_warning(
    changes <- suppressMessages(rating_gaps(ratings, by = c(group, month), change = "pairs")),
    "lacks one side"
  )
  expect_equal(is.na(changes$estimate), c(TRUE, TRUE, FALSE))
  expect_equal(is.na(changes$std.error), c(TRUE, TRUE, FALSE))
})

test_that("contrasts that cannot be made are refused", {
  ratings <- one_item()
  expect_snapshot(error = TRUE, {
    rating_gaps(ratings, change = "pairs")
    rating_gaps(ratings, reference = "X")
    rating_gaps(ratings, reference = c("D", "R"))
    rating_gaps(ratings, contrasts = "trend")
    rating_gaps(ratings, by = c(group, gender), change = "trend")
    rating_gaps(ratings, by = ideology, contrasts = "trend", reference = 1)
    rating_gaps(ratings, contrasts = "all")
    rating_gaps(ratings, by = c(group, month), change = TRUE)
  })
})

test_that("nobody reads thousands of pairs", {
  column <- \(n) tibble::tibble(cluster = seq_len(n))
  expect_length(pairs_of(column(most_compared)), 4950)
  expect_error(pairs_of(column(101)), "101 values, so that there are 5,050 pairs",
    class = "imagestrata_error"
  )
  expect_error(pairs_of(column(101)), "reference")
  expect_error(pairs_of(column(101), later_first = TRUE), "consecutive")
  expect_length(pairs_of(column(101), consecutive = TRUE), 100)
  expect_equal(pairs_of(column(3), consecutive = TRUE), pairs_of(column(3))[c(1, 3)])
})
