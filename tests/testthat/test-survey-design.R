# Designs of the survey package.

test_that("survey's means of the design are ours, for every weight and measure", {
  for (ratings in list(golden_survey(), ratings_with_holes())) {
    ratings$v <- 1 + (as.integer(factor(ratings$respondent_id)) %% 5)
    for (weight in c("cluster", "corpus", "share", "none")) {
      design <- quietly(rating_survey(ratings, weight = weight, respondent_weight = v))
      means <- quietly(rating_means(
        ratings, weight = weight, respondent_weight = v, variance = "respondent"
      ))
      for (measure in unique(means$item)) {
        ours <- means[means$item == measure, ]
        fit <- survey::svyby(~rating, ~group, subset(design, item == measure), survey::svymean)
        expect_equal(ours$estimate, unname(coef(fit)), tolerance = 1e-9)
        expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
      }
    }
  }
})

test_that("svyglm()'s coefficients are our gaps", {
  ratings <- dplyr::filter(ratings_with_holes(), item != "hopeful")
  design <- quietly(rating_survey(ratings, weight = "corpus", of = "gaps"))
  gaps <- quietly(rating_gaps(
    ratings, weight = "corpus", reference = "Democrat", variance = "respondent"
  ))
  for (measure in unique(gaps$item)) {
    fit <- survey::svyglm(rating ~ group, subset(design, item == measure))
    ours <- gaps[gaps$item == measure, ]
    expect_equal(ours$estimate, coef(fit)[["groupRepublican"]], tolerance = 1e-9)
    expect_equal(ours$std.error, survey::SE(fit)[["groupRepublican"]], tolerance = 1e-9)
  }
  # With three groups there is a comparison for each pair.
  design <- quietly(rating_survey(golden_survey(), of = "gaps"))
  gaps <- quietly(rating_gaps(golden_survey(), variance = "respondent"))
  pair <- subset(design, contrast == "I - R" & item == "angry")
  ours <- gaps[gaps$contrast == "I - R" & gaps$item == "angry", ]
  fit <- survey::svyglm(rating ~ group, pair)
  expect_equal(c(-ours$estimate, ours$std.error), c(
    coef(fit)[["groupR"]], survey::SE(fit)[["groupR"]]
  ), tolerance = 1e-9)
})

# Every image by two people of each group.
complete_ratings <- function() {
  ratings <- dplyr::filter(golden_survey(), cluster < 8)
  images <- dplyr::distinct(ratings, image_id, cluster, month, n_h, weight_cluster)
  people <- dplyr::distinct(ratings, respondent_id, group, gender)
  people <- people[stats::ave(seq_along(people$group), people$group, FUN = seq_along) <= 2, ]
  both <- merge(images, people)
  dplyr::bind_rows(
    dplyr::mutate(both, item = "proud", rating = (seq_along(image_id) * 7) %% 11),
    dplyr::mutate(both, item = "glad", rating = (seq_along(image_id) * 5) %% 9),
    dplyr::mutate(both, item = "sad", rating = (seq_along(image_id) * 3) %% 8)
  ) |>
    dplyr::mutate(dimension = ifelse(item == "sad", NA, "enthusiasm"))
}

test_that("errors by image are those of clusters as strata", {
  ratings <- complete_ratings()
  design <- rating_survey(ratings, variance = "image")
  means <- rating_means(ratings, variance = "image")
  fit <- survey::svyby(~rating, ~group, subset(design, item == "enthusiasm"), survey::svymean)
  ours <- means[means$item == "enthusiasm", ]
  expect_equal(ours$estimate, unname(coef(fit)), tolerance = 1e-9)
  expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
  # Strata that are parts of clusters.
  ratings$stratum <- paste(ratings$cluster, ratings$month)
  ratings <- dplyr::filter(ratings, cluster < 6, n_h > 3)
  parts <- rating_survey(ratings, variance = "image")
  fit <- survey::svyby(~rating, ~group, subset(parts, item == "sad"), survey::svymean)
  ours <- rating_means(ratings, variance = "image")
  ours <- ours[ours$item == "sad", ]
  expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
})

test_that("a wide design has a column for each item and dimension", {
  ratings <- complete_ratings()
  design <- rating_survey(ratings, shape = "wide")
  means <- rating_means(ratings, variance = "respondent")
  expect_equal(nrow(design$variables), nrow(ratings) / 3)
  for (measure in c("enthusiasm", "proud", "glad", "sad")) {
    fit <- survey::svyby(stats::reformulate(measure), ~group, design, survey::svymean)
    ours <- means[means$item == measure, ]
    expect_equal(ours$estimate, unname(coef(fit)), tolerance = 1e-9)
    expect_equal(ours$std.error, unname(survey::SE(fit)), tolerance = 1e-9)
  }
  expect_equal(design$variables$enthusiasm, with(design$variables, (proud + glad) / 2))
  expect_true(all(c("month", "gender") %in% names(design$variables)))
})

test_that("columns of people and images are kept, those of single answers are not", {
  ratings <- dplyr::mutate(complete_ratings(), seconds = seq_along(rating))
  design <- rating_survey(ratings, by = c(party = group))
  expect_true(all(c("party", "group", "gender", "month") %in% names(design$variables)))
  expect_false(any(c("seconds", "weight_cluster") %in% names(design$variables)))
  first <- ratings[ratings$item == "sad", ]
  key <- \(x) paste(x$respondent_id, x$image_id)
  ours <- design$variables[design$variables$item == "enthusiasm", ]
  expect_equal(ours$month, first$month[match(key(ours), key(first))])
})

test_that("designs that would give other numbers are refused", {
  ratings <- complete_ratings()
  expect_snapshot(error = TRUE, {
    rating_survey(ratings[-1, ], shape = "wide")
    rating_survey(ratings, variance = "two-way")
    rating_survey(ratings, of = "gaps", shape = "wide")
    rating_survey(dplyr::mutate(ratings, item = sub("glad", "month", item)), shape = "wide")
  })
})

test_that("srvyr's generic finds our method, and users' own designs remain theirs", {
  methods <- getNamespaceInfo("imagestrata", "S3methods")
  ours <- methods[methods[, 1] == "as_survey_design", , drop = FALSE]
  expect_equal(unname(ours[1, c(2, 4)]), c("imagestrata_ratings", "srvyr"))
  called <- list()
  local_replaced("srvyr_verb", \(name) \(...) called <<- c(list(name), list(...)))
  ratings <- new_ratings(complete_ratings(), tibble::tibble())
  as_survey_design.imagestrata_ratings(ratings, weight = "none", by = c(group, month))
  expect_equal(called[[1]], "as_survey")
  expect_s3_class(called[[2]], "survey.design2")
  expect_true("month" %in% names(called[[2]]$variables))
  as_survey_design.imagestrata_ratings(ratings, ids = 1)
  expect_equal(called[[1]], "as_survey_design")
  expect_equal(class(called[[2]]), c("tbl_df", "tbl", "data.frame"))
})
