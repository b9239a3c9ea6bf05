test_that("six ratings by hand", {
  gap <- rating_gaps(toy_ratings(), variance = "respondent")[2, ]
  expect_equal(gap$contrast, "D - R")
  expect_equal(gap$estimate, 2)
  expect_equal(gap$std.error, sqrt(4 / 3 * 2 * (0.625^2 + 0.125^2)))
  expect_equal(gap$statistic, 2 / gap$std.error)
  # Welch's degrees of freedom from one and one.
  variance <- 4 / 3 * 2 * c(0.625, 0.125)^2
  expect_equal(gap$df, sum(variance)^2 / sum(variance^2))
  expect_equal(gap$p.value, 2 * pt(-gap$statistic, gap$df))
  expect_equal(gap$conf.high, 2 + qt(0.975, gap$df) * gap$std.error)
  expect_equal(gap$n_ratings, 6)
  expect_equal(gap$n_respondents, 4)
})

test_that("gaps are survey's contrasts, over the clusters that both groups rated", {
  for (ratings in list(some_ratings(), ratings_with_holes())) {
    for (weight in c("cluster", "corpus", "share", "none")) {
      gaps <- quietly(rating_gaps(ratings, weight = weight, variance = "respondent"))
      for (item in unique(ratings$item)) {
        data <- for_survey(ratings, item, weight)
        rated <- with(data[!is.na(data$rating), ], split(cluster, group))
        data$rating[!data$cluster %in% Reduce(intersect, rated)] <- NA
        fit <- survey_means(data)
        ours <- gaps[gaps$level == "item" & gaps$item == item, ]
        theirs <- survey_gap(fit, "Democrat", "Republican")
        info <- paste(weight, item)
        expect_equal(c(ours$estimate, ours$std.error), theirs, info = info, tolerance = 1e-9)
      }
    }
  }
})

test_that("gaps of three groups compare what each pair has rated", {
  three <- tibble::tibble(
    respondent_id = rep(letters[1:6], 3), group = rep(rep(c("A", "B", "C"), each = 2), 3),
    cluster = rep(1:3, each = 6), image_id = as.character(cluster), item = "angry",
    rating = c(1, 1, 3, 3, 9, 9, 2, 2, 2, 2, 0, 0, 5, 5, 7, 7, 6, 6) + rep(c(0, 0.5), 9),
    weight_cluster = 1, n_h = 1
  )
  # A did not rate cluster 3, C not cluster 1.
  hole <- paste(three$group, three$cluster) %in% c("A 3", "C 1")
  holes <- three[!hole, ]
  expect_warning(gaps <- suppressMessages(rating_gaps(holes)), "a single rated image")
  expect_equal(gaps$contrast, c("A - B", "A - C", "B - C"))
  expect_equal(gaps$estimate, c(((1 - 3) + (2 - 2)) / 2, 2 - 0, ((2 - 0) + (7 - 6)) / 2))
  expect_message(rating_gaps(holes, variance = "respondent"), "1 cluster \\(1 image\\) in A - B")
  # Nothing in common: missing, and said.
  apart <- three[three$group == "A" & three$cluster == 1 | three$group == "B" & three$cluster > 1, ]
  expect_warning(gap <- suppressMessages(rating_gaps(apart)), "that the other group rated")
  expect_true(is.na(gap$estimate))
  # Every cluster belongs to one month: nothing to warn of.
  three$month <- three$cluster
  expect_silent(gaps <- rating_gaps(three, by = c(group, month), variance = "respondent"))
  expect_equal(nrow(gaps), 9)
  expect_silent(rating_means(three, by = c(group, month), variance = "respondent"))
  expect_silent(rating_gaps(three, by = month, variance = "respondent"))
})

test_that("the default is svycontrast() after svyby(), with the weights that we hand out", {
  ratings <- ratings_with_holes()
  for (weight in c("cluster", "corpus", "share")) {
    for (measure in c("angry", "enthusiasm")) {
      data <- quietly(rating_weights(ratings, weight = weight, of = "gaps"))
      # Who rated none of the clusters compared is a respondent of the survey nevertheless.
      everybody <- quietly(rating_weights(ratings, weight = weight))
      data <- dplyr::bind_rows(data, dplyr::anti_join(everybody, data, "respondent_id"))
      design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = data)
      item <- subset(design, item == measure & !is.na(contrast))
      means <- survey::svyby(~rating, ~group, item, survey::svymean, covmat = TRUE)
      gap <- survey::svycontrast(means, c(Democrat = 1, Republican = -1))
      ours <- quietly(rating_gaps(ratings, weight = weight, variance = "respondent"))
      ours <- ours[ours$item == measure, ]
      expect_equal(ours$estimate, as.numeric(coef(gap)), tolerance = 1e-9)
      expect_equal(ours$std.error, as.numeric(survey::SE(gap)), tolerance = 1e-9)
    }
  }
})

test_that("people who are in both cells are not counted as independent", {
  ratings <- dplyr::filter(some_ratings("angry"), cluster %in% 1:3)
  gaps <- quietly(rating_gaps(ratings, by = cluster, variance = "respondent"))
  gaps <- gaps[gaps$level == "item", ]
  fit <- survey_means(for_survey(ratings, "angry", "cluster", "cluster"))
  expect_equal(gaps$contrast, c("1 - 2", "1 - 3", "2 - 3"))
  for (i in 1:3) {
    sides <- strsplit(gaps$contrast[i], " - ")[[1]]
    expect_equal(c(gaps$estimate[i], gaps$std.error[i]), survey_gap(fit, sides[1], sides[2]))
  }
  # All answered twice, in both halves: a paired comparison of 40 people.
  set.seed(1)
  paired <- tibble::tibble(
    respondent_id = rep(1:40, 2), image_id = rep(1:80), half = rep(1:2, each = 40), item = "x",
    rating = rep(rnorm(40), 2) + rnorm(80, half, 0.2)
  )
  gap <- rating_gaps(paired, by = half, weight = "none")
  t <- t.test(paired$rating[1:40], paired$rating[41:80], paired = TRUE)
  expect_equal(gap$std.error, t$stderr)
  expect_equal(gap$df, 39)
  expect_equal(gap$p.value, t$p.value)
  expect_equal(gap$n_respondents, 40)
})

test_that("gaps within clusters are survey's", {
  ratings <- dplyr::filter(some_ratings("angry"), cluster %in% c(1, 2, 200, 299))
  gaps <- quietly(rating_gaps(ratings, by = c(group, cluster), variance = "respondent"))
  gaps <- gaps[gaps$level == "item", ]
  fit <- survey_means(for_survey(ratings, "angry", "cluster", c("group", "cluster")))
  expect_equal(gaps$cluster, c(1, 2, 200, 299))
  for (i in 1:4) {
    sides <- paste(c("Democrat", "Republican"), gaps$cluster[i], sep = "/")
    expect_equal(c(gaps$estimate[i], gaps$std.error[i]), survey_gap(fit, sides[1], sides[2]))
  }
})

test_that("p values are adjusted within items and within dimensions", {
  for (adjust in c("holm", "BH", "none")) {
    gaps <- rating_gaps(simulated_ratings, adjust = adjust)
    for (level in c("item", "dimension")) {
      p <- gaps[gaps$level == level, ]
      expect_equal(p$p.adjusted, p.adjust(p$p.value, adjust))
    }
  }
})

test_that("the simulated study has the gaps that it was made with", {
  gaps <- rating_gaps(simulated_ratings)
  found <- gaps$item[gaps$level == "item" & gaps$p.adjusted < 0.05 & gaps$estimate > 0]
  expect_setequal(found, c("hopeful", "proud", "angry", "worried", "scared", "afraid"))
})

test_that("shrunken gaps are closer together", {
  skip_if_not_installed("lme4")
  ratings <- dplyr::filter(simulated_ratings, item == "afraid", cluster <= 30)
  ratings$dimension <- NULL
  raw <- rating_gaps(ratings, by = c(group, cluster))
  shrunk <- rating_gaps(ratings, by = c(group, cluster), shrink = TRUE)
  expect_lt(var(shrunk$estimate), var(raw$estimate))
  expect_gt(shrunk$estimate[8], mean(shrunk$estimate) + 0.5)
  expect_true(all(shrunk$std.error > 0))
})

test_that("what cannot be compared is said", {
  toy <- toy_ratings()
  expect_snapshot(error = TRUE, {
    rating_gaps(dplyr::filter(toy, group == "D"))
    rating_gaps(toy, by = NULL)
    rating_gaps(toy, adjust = "bonferroni")
  })
})

test_that("a party with one respondent, a cluster rated by one party, equal ratings", {
  toy <- toy_ratings()
  expect_snapshot({
    alone <- rating_gaps(dplyr::filter(toy, respondent_id != "b"))
    sided <- rating_gaps(toy[-4, ], by = c(group, cluster))
    uneven <- rating_gaps(toy[-4, ])
    equal <- rating_gaps(dplyr::mutate(toy, rating = 5))
  })
  expect_true(all(is.na(alone$std.error) & is.na(alone$p.value)) && !anyNA(alone$estimate))
  expect_equal(is.na(sided$estimate), c(TRUE, FALSE, TRUE, FALSE))
  expect_true(all(is.na(equal$p.value)) && all(equal$estimate == 0))
})

test_that("equal ratings have no spread, whatever rounding leaves", {
  ratings <- dplyr::mutate(some_ratings(), rating = 3.3)
  for (weight in c("cluster", "corpus", "share")) {
    for (variance in c("respondent", "two-way", "image")) {
      expect_warning(
        gaps <- rating_gaps(ratings, weight = weight, variance = variance), "do not differ at all"
      )
      expect_equal(gaps$std.error, rep(0, nrow(gaps)), tolerance = 0)
      expect_true(all(is.na(gaps$p.value) & is.na(gaps$p.adjusted)))
    }
  }
})

test_that("equal ratings are not modelled", {
  skip_if_not_installed("lme4")
  ratings <- dplyr::mutate(some_ratings("proud"), rating = 3.3)
  expect_warning(
    gaps <- rating_gaps(ratings, by = c(group, cluster), shrink = TRUE), "do not differ at all"
  )
  known <- gaps[!is.na(gaps$estimate), ]
  expect_gt(nrow(known), 0)
  expect_true(all(known$estimate == 0 & known$std.error == 0))
})
