test_that("the intraclass correlation is that of the analysis of variance", {
  ratings <- dplyr::filter(simulated_ratings, item == "proud")
  table <- anova(lm(rating ~ factor(image_id), ratings))
  n <- table(ratings$image_id)
  size <- (sum(n) - sum(n^2) / sum(n)) / (length(n) - 1)
  between <- table$`Mean Sq`[1]
  within <- table$`Mean Sq`[2]
  ours <- rating_reliability(ratings)[2, ]
  expect_equal(ours$icc, (between - within) / (between + (size - 1) * within))
  expect_equal(ours$icc_average, (between - within) / between)
  low <- between / within / qf(0.975, table$Df[1], table$Df[2])
  expect_equal(ours$conf.low, (low - 1) / (low + size - 1))
  expect_true(ours$icc > ours$conf.low && ours$icc < ours$conf.high)
  expect_equal(ours$raters_per_image, nrow(ratings) / length(n))
})

test_that("alpha by hand", {
  # Image 1: 1 and 3; image 2: 5 and 5; image 3 alone, so it does not count.
  ratings <- tibble::tibble(
    respondent_id = letters[1:5], image_id = c(1, 1, 2, 2, 3), item = "x", rating = c(1, 3, 5, 5, 9)
  )
  # Observed: (4 + 4 + 0 + 0) / 4; expected: all ordered pairs of 1, 3, 5, 5.
  pairs <- outer(c(1, 3, 5, 5), c(1, 3, 5, 5), `-`)^2
  expect_equal(rating_reliability(ratings)$alpha, 1 - 2 / (sum(pairs) / 12))
})

test_that("Cronbach's alpha is that of complete answers", {
  ratings <- dplyr::filter(simulated_ratings, dimension == "anxiety", group == "Democrat")
  wide <- tidyr::pivot_wider(
    ratings, id_cols = c(respondent_id, image_id), names_from = item, values_from = rating
  )
  wide <- stats::na.omit(wide[-(1:2)])
  theirs <- 3 / 2 * (1 - sum(apply(wide, 2, var)) / var(rowSums(wide)))
  ours <- rating_reliability(ratings)
  expect_equal(ours$cronbach[1], theirs)
  expect_equal(is.na(ours$cronbach), c(FALSE, TRUE, TRUE, TRUE))
})

test_that("perfect agreement is 1, and groups stand apart", {
  ratings <- tibble::tibble(
    respondent_id = 1:8, image_id = rep(1:4, 2), group = rep(c("D", "R"), each = 4), item = "x",
    rating = rep(1:4, 2)
  )
  all <- rating_reliability(ratings)
  expect_equal(all$alpha, 1)
  expect_equal(all$icc, 1)
  expect_warning(apart <- rating_reliability(ratings, by = group), "no image has two ratings")
  expect_true(all(is.na(apart$icc)) && all(is.na(apart$alpha)))
  expect_equal(apart$group, c("D", "R"))
})

test_that("correlations of items are cor()'s", {
  found <- item_correlations(simulated_ratings, by = group)
  one <- dplyr::filter(found, item_1 == "worried", item_2 == "afraid", group == "Republican")
  values <- tidyr::pivot_wider(
    dplyr::filter(simulated_ratings, group == "Republican", item %in% c("worried", "afraid")),
    id_cols = c(respondent_id, image_id), names_from = item, values_from = rating
  )
  values <- stats::na.omit(values)
  expect_equal(one$correlation, cor(values$worried, values$afraid))
  expect_equal(one$n_answers, nrow(values))
  expect_equal(nrow(found), 2 * (3 + 6 + 3))
  expect_error(
    item_correlations(dplyr::select(simulated_ratings, -dimension)), "dimension",
    class = "imagestrata_error"
  )
})

test_that("items that never vary and dimensions of one item have no correlation", {
  expect_equal(nrow(item_correlations(toy_ratings())), 0)
  flat <- dplyr::bind_rows(toy_ratings(), dplyr::mutate(toy_ratings(), item = "b", rating = 1))
  expect_warning(correlations <- item_correlations(flat), "All ratings are equal in 1 of 3")
  expect_identical(correlations$correlation, NA_real_)
})

test_that("equal ratings are told", {
  ratings <- some_ratings()
  ratings$rating[ratings$item == "angry"] <- 3.3
  expect_warning(reliability <- rating_reliability(ratings), "in 2 of 5 rows.*aversion.*angry")
  expect_equal(is.na(reliability$icc), reliability$dimension == "aversion")
  ratings$rating[ratings$item == "proud"] <- 3.3
  expect_warning(correlations <- item_correlations(ratings), "proud")
  expect_equal(correlations$correlation, NA_real_)
})
