test_that("six ratings by hand", {
  means <- rating_means(toy_ratings(), variance = "respondent")
  items <- means[means$level == "item", ]
  expect_equal(items$group, c("D", "R"))
  expect_equal(items$estimate, c(1 * 4 + 0.5 * 8 + 0.5 * 2, 1 * 1 + 0.5 * 5 + 0.5 * 3) / 2)
  expect_equal(items$estimate, c(4.5, 2.5))
  # Scores of respondents are +-.625 and +-.125; 4 respondents give the factor 4 / 3.
  expect_equal(items$std.error, sqrt(4 / 3 * 2 * c(0.625, 0.125)^2))
  expect_equal(items$df, c(1, 1))
  expect_equal(items$conf.low, items$estimate - qt(0.975, 1) * items$std.error)
  expect_equal(items$n_ratings, c(3, 3))
  expect_equal(items$n_respondents, c(2, 2))
  expect_equal(items$n_images, c(3, 3))
  expect_equal(items$n_clusters, c(2, 2))
  # A dimension of one item is that item.
  same <- c("estimate", "std.error", "conf.low")
  expect_equal(tidy(means)[means$level == "dimension", same], tidy(items)[same])
})

test_that("weights say what counts the same", {
  first <- function(weight) {
    rating_means(toy_ratings(), weight = weight, variance = "respondent")$estimate[1]
  }
  expect_equal(first("corpus"), (10 * 4 + 3 * 8 + 3 * 2) / 16)
  # Nobody shared image 3, and without it one person is left in D.
  expect_warning(share <- rating_means(toy_ratings(), weight = "share"), "Only one respondent")
  expect_equal(share$estimate[1], (10 * 4 + 6 * 8) / 16)
  expect_equal(share$n_respondents, c(1, 2, 1, 2))
  expect_equal(is.na(share$std.error), c(TRUE, FALSE, TRUE, FALSE))
  # Here both people of R have a mean of 3.
  expect_warning(none <- first("none"), "do not differ")
  expect_equal(none, (4 + 8 + 2) / 3)
})

test_that("an image counts once, however many rated it", {
  twice <- dplyr::bind_rows(
    toy_ratings(),
    dplyr::mutate(toy_ratings()[1, ], respondent_id = "e", rating = 6)
  )
  expect_equal(rating_means(twice)$estimate[1], (1 * 5 + 0.5 * 8 + 0.5 * 2) / 2)
})

test_that("a dimension is the mean of its items per respondent and image", {
  both <- dplyr::bind_rows(
    toy_ratings(),
    dplyr::mutate(toy_ratings()[-1, ], item = "bitter", rating = rating / 2)
  )
  means <- rating_means(both, by = NULL, weight = "none")
  expect_equal(means$item, c("aversion", "angry", "bitter"))
  # Of image 1, D gave one item only; images 1 to 3 have two raters each.
  expect_equal(
    means$estimate[1],
    mean(c(mean(c(4, 0.75)), mean(c(6, 2.25)), mean(c(1.5, 3.75))))
  )
  expect_equal(means$n_ratings, c(6, 6, 5))
})

test_that("a cluster counts in full, however many of its images were rated", {
  # Cluster 1: one of two images rated, 10; cluster 2: both rated, 0.
  half <- tibble::tibble(
    respondent_id = c("a", "b", "c"), group = "D", image_id = c("1", "3", "4"),
    cluster = c(1, 2, 2), item = "angry", rating = c(10, 0, 0), N_h = c(12, 6, 6), n_h = 2,
    weight_cluster = 0.5, weight_corpus = c(6, 3, 3), weight_share = c(10, 9, 3)
  )
  first <- function(ratings, ...) quietly(rating_means(ratings, ...))$estimate[1]
  expect_equal(first(half), 5)
  expect_equal(first(half, weight = "corpus"), 10 * 12 / 18)
  # The unrated image was shared as often as the rated one of its cluster, as far as is known.
  expect_equal(first(half, weight = "share"), 10 * 20 / 32)
  expect_equal(first(half, weight = "none"), 10 / 3)
  expect_equal(first(half[names(half) != "n_h"], weight = "corpus"), 10 * 12 / 18)

  # Now somebody else rated it: its shares are known.
  both <- dplyr::bind_rows(half, tibble::tibble(
    respondent_id = c("e", "e"), group = "R", image_id = c("2", "3"), cluster = c(1, 2),
    item = "angry", rating = c(4, 4), N_h = c(12, 6), n_h = 2, weight_cluster = 0.5,
    weight_corpus = c(6, 3), weight_share = c(2, 9)
  ))
  expect_equal(first(both, weight = "share"), 10 * 12 / 24)
  expect_equal(first(both), 5)
  # Several raters of an image share its weight.
  more <- dplyr::bind_rows(half, dplyr::mutate(half[2, ], respondent_id = "d", rating = 6))
  expect_equal(first(more), (10 + (3 + 0) / 2) / 2)
  # A cluster whose rated images nobody shared cannot stand for its shares.
  zero <- dplyr::mutate(both, weight_share = ifelse(image_id == "1", 0, weight_share))
  expect_equal(first(zero, weight = "share"), 0)
  expect_equal(quietly(rating_means(zero, weight = "share"))$n_clusters, c(1, 2))
  # A dimension has the images that were rated on any of its items.
  items <- dplyr::bind_rows(
    dplyr::mutate(half, dimension = "aversion"),
    dplyr::mutate(half[1, ], image_id = "2", item = "bitter", dimension = "aversion", rating = 2)
  )
  means <- quietly(rating_means(items))
  expect_equal(means$item, c("aversion", "angry", "bitter"))
  expect_equal(means$estimate, c(3, 5, 2))
})

test_that("images stand for those of their month, where means are by month", {
  # Of cluster 1 (10 images) two sampled images are of May and two of June; one of June is unrated.
  months <- tibble::tibble(
    respondent_id = c("a", "b", "a", "a", "b", "b"), month = c(5, 5, 6, 5, 6, 6),
    image_id = as.character(1:6), cluster = c(1, 1, 1, 2, 2, 2), item = "angry",
    rating = c(1, 2, 3, 4, 5, 6), N_h = c(12, 12, 12, 6, 6, 6), n_h = c(4, 4, 4, 3, 3, 3),
    weight_corpus = c(3, 3, 3, 2, 2, 2), weight_cluster = 1 / n_h
  )
  # Nobody rated the fourth image of cluster 1, whose month is unknown: the others stand for it.
  means <- quietly(rating_means(months, by = month, weight = "corpus"))
  expect_equal(means$estimate, c((8 * 1.5 + 2 * 4) / 10, (4 * 3 + 4 * 5.5) / 8))
  means <- quietly(rating_means(months, by = month))
  expect_equal(means$estimate, c((1.5 + 4) / 2, (3 + 5.5) / 2))
})

test_that("means are those of survey, for every weight, with and without holes", {
  for (ratings in list(some_ratings(), ratings_with_holes())) {
    for (weight in c("cluster", "corpus", "share", "none")) {
      means <- quietly(rating_means(ratings, weight = weight, variance = "respondent"))
      for (item in unique(ratings$item)) {
        fit <- survey_means(for_survey(ratings, item, weight))
        ours <- means[means$level == "item" & means$item == item, ]
        info <- paste(weight, item)
        expect_equal(ours$estimate, unname(fit$estimate), info = info, tolerance = 1e-9)
        expect_equal(
          ours$std.error, unname(sqrt(diag(fit$vcov))), info = info, tolerance = 1e-9
        )
      }
    }
  }
})

test_that("errors by image are those of survey with clusters as strata", {
  # Without lonely strata, and with every image rated by both groups.
  ratings <- whole_clusters(dplyr::filter(simulated_ratings, item == "angry", n_h > 1))
  for (weight in c("cluster", "corpus", "share")) {
    fit <- survey_means(for_survey(ratings, "angry", weight), ~image_id, ~cluster)
    means <- rating_means(ratings, weight = weight, variance = "image")
    ours <- means[means$level == "item", ]
    expect_equal(ours$std.error, unname(sqrt(diag(fit$vcov))), info = weight, tolerance = 1e-9)
    gap <- rating_gaps(ratings, weight = weight, variance = "image")[2, ]
    expect_equal(
      c(gap$estimate, gap$std.error), survey_gap(fit, "Democrat", "Republican"),
      info = weight, tolerance = 1e-9
    )
    expect_equal(ours$df, rep(sum(tapply(ratings$n_h, ratings$cluster, max) - 1), 2))
  }
})

test_that("two-way errors by hand", {
  # Three clusters, the last with one image; person a rated three images.
  hand <- tibble::tibble(
    respondent_id = c("a", "b", "a", "c", "a"), image_id = as.character(1:5),
    cluster = c(1, 1, 2, 2, 3), item = "angry", rating = c(1, 3, 6, 2, 8), n_h = c(2, 2, 2, 2, 1),
    weight_cluster = 1 / n_h
  )
  share <- c(1, 1, 1, 1, 2) / 6
  mean <- sum(share * hand$rating)
  # Within clusters: m / (m - 1) times squared distances of shares times ratings; the single image
  # is given what the other four show, 4 / 36, by the ratio of squared shares, 8 to 4.
  images <- 2 * 2 * ((1 / 6)^2 + (2 / 6)^2)
  score <- share * (hand$rating - mean)
  alike <- 3 / 2 * (sum(score[c(1, 3, 5)])^2 - sum(score[c(1, 3, 5)]^2))
  error <- function(variance) rating_means(hand, by = NULL, variance = variance)$std.error
  expect_equal(error("image"), sqrt(images * 8 / 4))
  expect_equal(error("two-way"), sqrt(images * 8 / 4 + max(alike, 0)))
  people <- c(sum(score[c(1, 3, 5)]), score[c(2, 4)])
  expect_equal(error("respondent"), sqrt(3 / 2 * sum(people^2)))
  # A mean of one image: respondents are all there is.
  one <- dplyr::mutate(hand, image_id = "1", cluster = 1)[c(1, 2, 4), ]
  expect_equal(
    suppressWarnings(rating_means(one, by = cluster))$std.error,
    rating_means(one, by = cluster, variance = "respondent")$std.error
  )
})

test_that("two-way errors are pairs of answers that share an image or a respondent", {
  ratings <- whole_clusters(dplyr::filter(simulated_ratings, item == "angry", n_h > 1))
  data <- for_survey(ratings, "angry", "corpus")
  side <- ifelse(data$group == "Democrat", 1, -1)
  mean <- tapply(data$w * data$rating, data$group, sum) / tapply(data$w, data$group, sum)
  score <- side * data$w / ave(data$w, data$group, FUN = sum) * (data$rating - mean[data$group])
  image <- rowsum(score, data$image_id)
  cluster <- data$cluster[match(rownames(image), data$image_id)]
  n <- ave(cluster, cluster, FUN = length)
  within <- sum((image - ave(image, cluster))^2 * n / (n - 1))
  people <- sum(rowsum(score, data$respondent_id)^2) - sum(score^2)
  n <- length(unique(data$respondent_id))
  gap <- rating_gaps(ratings, weight = "corpus")[2, ]
  expect_equal(gap$std.error, sqrt(within + people * n / (n - 1)), tolerance = 1e-9)
})

test_that("means of dimensions and of clusters are those of survey", {
  ratings <- ratings_with_holes()
  wide <- dplyr::summarise(
    dplyr::group_by(
      dplyr::filter(ratings, dimension == "enthusiasm"),
      respondent_id, group, image_id, cluster, weight_cluster
    ),
    rating = mean(rating), item = "enthusiasm", .groups = "drop"
  )
  # Who rated nothing else than anger is a unit of the design, too.
  wide <- dplyr::bind_rows(wide, dplyr::filter(ratings, item == "angry"))
  wide <- dplyr::left_join(wide, dplyr::distinct(ratings, image_id, N_h, n_h), "image_id")
  fit <- survey_means(for_survey(wide, "enthusiasm", "cluster"))
  ours <- quietly(rating_means(ratings, variance = "respondent"))
  ours <- dplyr::filter(ours, item == "enthusiasm")
  expect_equal(ours$estimate, unname(fit$estimate))
  expect_equal(ours$std.error, unname(sqrt(diag(fit$vcov))))

  few <- dplyr::filter(ratings, item == "angry", cluster %in% c(1, 2, 200, 299))
  fit <- survey_means(for_survey(few, "angry", "cluster", c("group", "cluster")))
  ours <- quietly(rating_means(few, by = c(group, cluster), variance = "respondent"))
  ours <- ours[ours$level == "item", ]
  at <- match(paste(ours$group, ours$cluster, sep = "/"), names(fit$estimate))
  expect_equal(ours$estimate, unname(fit$estimate[at]))
  expect_equal(ours$std.error, unname(sqrt(diag(fit$vcov))[at]))
})

test_that("without clusters images are units of their own", {
  # Every image is rated by both groups, so that survey counts the same images for each.
  clustered <- whole_clusters(some_ratings("angry"))
  ratings <- dplyr::select(clustered, -cluster)
  expect_warning(
    means <- rating_means(ratings, variance = "image"), "no column cluster.*counts for less"
  )
  data <- for_survey(clustered, "angry", "none")
  data$w <- data$weight_cluster * data$w
  fit <- survey::svyby(
    ~rating, ~cell, survey::svydesign(ids = ~image_id, weights = ~w, data = data), survey::svymean
  )
  expect_equal(means$std.error[means$level == "item"], unname(survey::SE(fit)))
  expect_true(all(is.na(means$n_clusters)))
})

test_that("columns are named as in select(), and in any order of rows", {
  means <- rating_means(toy_ratings(), by = c(party = group))
  expect_true("party" %in% names(means))
  expect_equal(tidy(rating_means(toy_ratings()[6:1, ])), tidy(rating_means(toy_ratings(), group)))
  expect_equal(rating_means(toy_ratings(), by = NULL, weight = "none")$n_ratings, c(6, 6))
  expect_equal(nrow(rating_means(toy_ratings()[, -6])), 2)
})

test_that("groups of images need not hold the same clusters", {
  expect_silent(means <- rating_means(toy_ratings(), by = image_id, weight = "none"))
  expect_equal(means$estimate[means$level == "item"], c(2.5, 5.5, 3.5))
  expect_silent(rating_means(toy_ratings(), by = cluster, variance = "respondent"))
  uneven <- dplyr::filter(toy_ratings(), !(group == "R" & cluster == 1))
  expect_warning(rating_means(uneven, by = group), "1 of 2 clusters \\(group R\\)")
})

test_that("the result knows its survey, and stays a tibble", {
  means <- rating_means(simulated_ratings)
  expect_equal(glance(means)$n_respondents, 720)
  expect_equal(glance(means)$n_items, 10)
  expect_s3_class(dplyr::filter(means, level == "item"), "imagestrata_estimates")
  expect_identical(class(tidy(means)), class(tibble::tibble()))
  expect_snapshot(means)
})

test_that("shrunken means are drawn to the middle, those with few ratings most", {
  skip_if_not_installed("lme4")
  ratings <- dplyr::filter(simulated_ratings, item == "afraid", cluster <= 40 | cluster > 280)
  ratings$dimension <- NULL
  raw <- quietly(rating_means(ratings, by = c(group, cluster)))
  shrunk <- quietly(rating_means(ratings, by = c(group, cluster), shrink = TRUE))
  expect_equal(shrunk[c("item", "group", "cluster")], raw[c("item", "group", "cluster")])
  expect_lt(var(shrunk$estimate), var(raw$estimate))
  few <- raw$n_ratings < 5
  ratio <- function(rows) var(shrunk$estimate[rows]) / var(raw$estimate[rows])
  expect_lt(ratio(few), ratio(!few))
  expect_gt(cor(shrunk$estimate, raw$estimate), 0.9)
  expect_equal(unique(shrunk$variance), "mixed model")
  # The same numbers from lme4 itself.
  model <- lme4::lmer(
    rating ~ 0 + group + (0 + group | cluster) + (1 | respondent_id) + (1 | image_id), ratings,
    control = lme4::lmerControl(calc.derivs = FALSE)
  )
  expect_equal(
    shrunk$estimate[shrunk$group == "Democrat"], coef(model)$cluster$groupDemocrat,
    tolerance = 1e-4
  )
  one <- quietly(rating_means(ratings, by = cluster, shrink = TRUE))
  expect_equal(nrow(one), length(unique(ratings$cluster)))
})

# Ten clusters of six images, forty people who rate six images each.
ten_clusters <- function() {
  image <- as.vector(vapply(1:40, \(i) sample(10, 6) * 6 - sample(0:5, 6, TRUE), numeric(6)))
  person <- rep(1:40, each = 6)
  evoked <- rnorm(10, 5, 1)
  cluster <- (image - 1) %/% 6 + 1
  list(evoked = evoked, ratings = tibble::tibble(
    respondent_id = person, group = ifelse(person %% 2, "D", "R"), image_id = image,
    cluster = cluster, item = "angry", weight_cluster = 1, n_h = 6,
    rating = evoked[cluster] + rnorm(60, sd = 0.4)[image] + rnorm(40, sd = 0.3)[person] +
      rnorm(240, sd = 0.8)
  ))
}

test_that("errors of shrunken means are those of the mixed-model equations", {
  skip_if_not_installed("lme4")
  ratings <- withr::with_seed(1, ten_clusters())$ratings
  model <- lme4::lmer(
    rating ~ 0 + group + (0 + group | cluster) + (1 | respondent_id) + (1 | image_id), ratings,
    control = lme4::lmerControl(calc.derivs = FALSE, check.conv.singular = "ignore")
  )
  # Henderson's equations, solved in full.
  x <- as.matrix(lme4::getME(model, "X"))
  z <- as.matrix(lme4::getME(model, "Z"))
  lambda <- as.matrix(lme4::getME(model, "Lambda"))
  zl <- z %*% lambda
  left <- rbind(
    cbind(crossprod(x), crossprod(x, zl)),
    cbind(crossprod(zl, x), crossprod(zl) + diag(ncol(z)))
  )
  errors <- sigma(model)^2 * solve(left)
  to_effects <- rbind(cbind(diag(2), matrix(0, 2, ncol(z))), cbind(matrix(0, ncol(z), 2), lambda))
  errors <- to_effects %*% errors %*% t(to_effects)
  start <- lme4::getME(model, "Gp")[match("cluster", names(lme4::getME(model, "cnms")))]
  pick <- matrix(0, 20, ncol(errors))
  pick[cbind(1:20, rep(1:2, 10))] <- 1
  pick[cbind(1:20, 2 + start + 1:20)] <- 1
  vcov <- pick %*% errors %*% t(pick)
  means <- quietly(rating_means(ratings, by = c(cluster, group), shrink = TRUE))
  expect_equal(means$std.error, sqrt(diag(vcov)), tolerance = 1e-9)
  gaps <- quietly(rating_gaps(ratings, by = c(group, cluster), shrink = TRUE))
  of_gap <- kronecker(diag(10), matrix(c(1, -1), 1))
  expect_equal(gaps$std.error, sqrt(diag(of_gap %*% vcov %*% t(of_gap))), tolerance = 1e-9)
  # Gaps between clusters share respondents and images.
  between <- quietly(rating_gaps(ratings, by = c(cluster, group), shrink = TRUE))
  first <- between[between$contrast == "1 - 2" & between$group == "D", ]
  expect_equal(first$std.error^2, vcov[1, 1] + vcov[3, 3] - 2 * vcov[1, 3], tolerance = 1e-9)

  # The random part's own covariances are lme4's, given the fixed part: what is added is the error
  # of the fixed part, as far as the random part does not make up for it.
  one <- lme4::lmer(
    rating ~ 1 + (1 | cluster) + (1 | respondent_id) + (1 | image_id), ratings,
    control = lme4::lmerControl(calc.derivs = FALSE)
  )
  lambda <- as.matrix(lme4::getME(one, "Lambda"))
  zl <- as.matrix(lme4::getME(one, "Z")) %*% lambda
  made_up <- lambda %*% t(zl) %*% solve(tcrossprod(zl) + diag(240), rep(1, 240))
  start <- lme4::getME(one, "Gp")[match("cluster", names(lme4::getME(one, "cnms")))]
  given_fixed <- as.vector(attr(lme4::ranef(one)$cluster, "postVar"))
  expected <- given_fixed + (1 - made_up[start + 1:10])^2 * as.numeric(vcov(one))
  means <- quietly(rating_means(ratings, by = cluster, shrink = TRUE))
  expect_equal(means$std.error^2, expected, tolerance = 1e-6)
})

test_that("errors of shrunken means are as large as the means' distances from the truth", {
  skip_if_not_installed("lme4")
  set.seed(11)
  found <- dplyr::bind_rows(lapply(1:40, function(i) {
    survey <- ten_clusters()
    means <- quietly(rating_means(survey$ratings, by = cluster, shrink = TRUE))
    tibble::tibble(error = means$estimate - survey$evoked[means$cluster], se = means$std.error)
  }))
  ratio <- mean(found$se) / sqrt(mean(found$error^2))
  expect_gt(ratio, 0.85)
  expect_lt(ratio, 1.15)
  expect_gt(mean(abs(found$error) < 1.96 * found$se), 0.9)
})

test_that("bad tables are refused, with what was seen and what to do", {
  toy <- toy_ratings()
  expect_snapshot(error = TRUE, {
    rating_means("ratings.csv")
    rating_means(toy[, c("respondent_id", "rating")])
    rating_means(toy[0, ])
    rating_means(dplyr::mutate(toy, rating = as.character(rating)))
    rating_means(dplyr::mutate(toy, image_id = dplyr::na_if(image_id, "3")))
    rating_means(dplyr::mutate(toy, rating = NA_real_))
    rating_means(toy, by = party)
    rating_means(toy, by = item)
    rating_means(dplyr::rename(toy, variance = group), by = variance)
    rating_means(toy[c(1, 1:6), ])
    rating_means(dplyr::mutate(toy, group = c("D", NA, "D", "R", "R", "R")))
    rating_means(
      dplyr::mutate(dplyr::bind_rows(toy, toy), item = rep(c("angry", "sad"), each = 6),
                    group = ifelse(item == "sad", "X", group))
    )
    rating_means(
      dplyr::bind_rows(toy, dplyr::mutate(toy[1, ], image_id = "4", dimension = "anxiety"))
    )
  })
})

test_that("bad arguments are refused", {
  toy <- toy_ratings()
  expect_snapshot(error = TRUE, {
    rating_means(toy, weight = "clusters")
    rating_means(toy, variance = "naive")
    rating_means(toy, conf_level = 95)
    rating_means(toy, shrink = "yes")
    rating_means(toy, shrink = TRUE)
  })
})

test_that("missing, zero and negative weights are refused", {
  toy <- toy_ratings()
  expect_snapshot(error = TRUE, {
    rating_means(dplyr::select(toy, -weight_cluster))
    rating_means(dplyr::mutate(toy, weight_cluster = c(NA, 1, 1, 1, 1, 1)))
    rating_means(dplyr::mutate(toy, weight_cluster = "one"))
    rating_means(dplyr::mutate(toy, weight_cluster = c(1, 0, 1, 1, 1, 1)))
    rating_means(dplyr::mutate(toy, weight_share = -1), weight = "share")
    rating_means(dplyr::mutate(toy, weight_share = 0), weight = "share")
  })
})

test_that("what limits an answer is said, and nothing is dropped in silence", {
  toy <- toy_ratings()
  expect_snapshot({
    missing <- rating_means(dplyr::mutate(toy, rating = c(NA, 8, 2, 1, 5, 3)))
    alone <- rating_means(dplyr::filter(toy, respondent_id != "b"))
    levels <- rating_means(dplyr::mutate(toy, group = factor(group, c("R", "D", "I"))))
    equal <- rating_means(dplyr::mutate(toy, rating = 5))
  })
  expect_equal(is.na(alone$std.error), c(TRUE, FALSE, TRUE, FALSE))
  expect_false(anyNA(alone$estimate))
  expect_equal(levels$group, factor(c("R", "D", "R", "D"), c("R", "D", "I")))
  expect_equal(equal$std.error, rep(0, 4))
})

test_that("strata of a topped-up sample share the weight of their cluster, as in survey", {
  ratings <- tibble::tibble(
    respondent_id = letters[1:9], group = "g", item = "joy", image_id = LETTERS[1:9],
    cluster = rep(1:2, c(6, 3)), stratum = rep(c("w1c1", "w2c1", "w1c2"), c(4, 2, 3)),
    N_h = rep(c(12L, 7L, 9L), c(4, 2, 3)), n_h = rep(c(4L, 2L, 3L), c(4, 2, 3)),
    weight_corpus = N_h / n_h, weight_cluster = weight_corpus / rep(c(19, 9), c(6, 3)),
    weight_share = weight_corpus * c(1, 3, 2, 1, 5, 1, 2, 2, 1),
    rating = c(1, 2, 0, 3, 9, 7, 4, 6, 6)
  )
  for (weight in c("corpus", "cluster", "share")) {
    design <- survey::svydesign(
      ids = ~image_id, strata = ~stratum, weights = ratings[[paste0("weight_", weight)]],
      data = ratings
    )
    fit <- survey::svymean(~rating, design)
    means <- rating_means(ratings, by = NULL, weight = weight, variance = "image")
    expect_equal(means$estimate, unname(coef(fit)))
    expect_equal(means$std.error, as.vector(survey::SE(fit)))
    expect_equal(means$df, 6)
  }
  weights <- suppressWarnings(rating_weights(ratings[-1, ], by = NULL, weight = "corpus"))
  expect_equal(weights$weight, c(4, 4, 4, 3.5, 3.5, 3, 3, 3))
  other <- dplyr::mutate(ratings[5:9, ], item = "anger", respondent_id = letters[11:15])
  weights <- suppressWarnings(
    rating_weights(rbind(ratings, other), by = NULL, weight = "cluster")
  )
  expect_equal(weights$weight[weights$item == "anger"], rep(c(1 / 2, 1 / 3), c(2, 3)))
  own <- dplyr::mutate(ratings, stratum = rep(1:3, 3))
  expect_equal(
    rating_means(own, by = NULL, variance = "image"),
    rating_means(dplyr::select(own, -stratum), by = NULL, variance = "image")
  )
})

# Two people rate one image of each of three clusters.
single_images <- function(ratings = list(c(2, 4), c(6, 8), c(1, 5)), sizes = c(2, 1, 1)) {
  tibble::tibble(
    respondent_id = rep(c("a", "b"), 3), group = "D", image_id = rep(c("i", "j", "k"), each = 2),
    cluster = rep(1:3, each = 2), item = "angry", rating = unlist(ratings), weight_cluster = 1,
    weight_corpus = rep(sizes, each = 2)
  )
}

test_that("single images are compared across clusters, by hand", {
  # The images' means are 3, 7 and 3: the variance of their mean is 16/3 / 3.
  means <- rating_means(single_images(), by = NULL, variance = "image")
  expect_equal(means$std.error, sqrt(16 / 9))
  expect_equal(means$df, 2)
  # With the shares 1/2, 1/4, 1/4 the mean is 4, the scores of the images are -1/2, 3/4, -1/4, and
  # their squares are divided by 1 - 2 s + 3/8.
  image <- (1 / 4) / (3 / 8) + (9 / 16 + 1 / 16) / (7 / 8)
  means <- rating_means(single_images(), by = NULL, weight = "corpus", variance = "image")
  expect_equal(means$std.error, sqrt(image))
  scores <- rbind(a = c(-4, 2, -3), b = c(0, 4, 1)) / 8
  alike <- 2 * (sum(rowSums(scores)^2) - sum(scores^2))
  means <- rating_means(single_images(), by = NULL, weight = "corpus")
  expect_equal(means$std.error, sqrt(image + alike))
})

test_that("the variance of single images is that of clusters which do not differ", {
  # As a matrix of the images' means it has the sum of squared shares as its trace.
  share <- c(5, 2, 1) / 8
  found <- lapply(1:3, function(i) {
    one <- single_images(lapply(1:3, \(j) rep(as.numeric(i == j), 2)), c(5, 2, 1))
    suppressWarnings(rating_means(one, by = NULL, weight = "corpus", variance = "image"))
  })
  expect_equal(sum(vapply(found, \(x) x$std.error^2, 0)), sum(share^2))
  parts <- diag(3) - matrix(share, 3, 3, byrow = TRUE)
  matrix <- crossprod(parts, share^2 / (1 - 2 * share + sum(share^2)) * parts)
  expect_equal(found[[1]]$df, sum(diag(matrix))^2 / sum(matrix^2))
})

test_that("with equal shares survey's adjusted lonely units are the same, but for K / (K - 1)", {
  withr::local_options(survey.lonely.psu = "adjust")
  withr::local_seed(4)
  ratings <- dplyr::mutate(
    merge(tibble::tibble(image_id = 1:12), tibble::tibble(respondent_id = 1:6)),
    group = ifelse(respondent_id > 3, "D", "R"), cluster = image_id, item = "x",
    rating = stats::rnorm(12)[image_id] + stats::rnorm(72), weight_cluster = 1
  )
  means <- rating_means(ratings, variance = "image")
  gap <- rating_gaps(ratings, variance = "image")
  lonely <- rating_survey(ratings, variance = "image")
  fit <- survey::svyby(~rating, ~group, lonely, survey::svymean)
  expect_equal(means$std.error, unname(survey::SE(fit)) * sqrt(12 / 11))
  expect_equal(means$df, c(11, 11))
  fit <- survey::svyglm(rating ~ group, rating_survey(ratings, variance = "image", of = "gaps"))
  expect_equal(gap$std.error, unname(survey::SE(fit))[2] * sqrt(12 / 11))
  # One stratum of all images, the collapsed one.
  weights <- rating_weights(ratings)
  whole <- survey::svydesign(ids = ~image_id, weights = ~weight, data = weights)
  fit <- survey::svyby(~rating, ~group, whole, survey::svymean)
  expect_equal(means$std.error, unname(survey::SE(fit)))
  model <- suppressWarnings(tidy(rating_model(ratings, ~group, variance = "image")))
  expect_equal(model$std.error[2], gap$std.error)
  # Covariates of groups and clusters do not change the gap of complete ratings.
  model <- suppressWarnings(tidy(rating_model(ratings, ~ group + cluster, variance = "image")))
  expect_equal(model$std.error[2], gap$std.error)
  expect_equal(model$df[2], 11)
})

test_that("single images have the average of others if these are not few", {
  several <- function(n) {
    images <- tibble::tibble(cluster = c(1:8, seq_len(n)), image_id = seq_along(cluster))
    images$rating <- images$image_id * 5 %% 7
    images$weight_cluster <- 1 / tabulate(images$cluster)[images$cluster]
    images
  }
  estimate <- function(images) {
    ratings <- merge(dplyr::mutate(images, item = "x"), tibble::tibble(respondent_id = c("a", "b")))
    rating_means(ratings, by = NULL, variance = "image")
  }
  # Pairs are a seventh, (1/2 + 1/2) / 7, of the sum of squared shares.
  two <- several(2)
  pairs <- tapply(two$rating, two$cluster, stats::var)
  means <- estimate(two)
  expect_equal(means$std.error, sqrt(sum(pairs[1:2] / 2 / 64) * 7))
  expect_equal(means$df, 2)
  # One is a fifteenth.
  one <- several(1)
  share <- one$weight_cluster / 8
  distance <- one$rating - sum(share * one$rating)
  alone <- (share^2 * distance^2 / (1 - 2 * share + sum(share^2)))[2:8]
  means <- estimate(one)
  expect_equal(means$std.error, sqrt(stats::var(one$rating[c(1, 9)]) / 2 / 64 + sum(alone)))
  expect_gt(means$df, 6)
  expect_lt(means$df, 8)
})

test_that("means of a single image are warned of", {
  expect_silent(rating_means(single_images()))
  expect_silent(rating_means(single_images(), by = cluster, variance = "respondent"))
  expect_silent(rating_means(single_images(), by = image_id))
  # All of the cluster was rated.
  expect_silent(rating_means(dplyr::mutate(single_images(), N_h = 1), by = cluster))
  warned <- "3 of 3 means rest on a single rated image"
  expect_warning(means <- rating_means(single_images(), by = cluster), warned)
  alone <- rating_means(single_images(), by = cluster, variance = "respondent")
  expect_equal(means$std.error, alone$std.error)
  two <- dplyr::bind_rows(
    single_images(), dplyr::mutate(single_images(), respondent_id = c("c", "d")[
      match(respondent_id, c("a", "b"))
    ], group = "R")
  )
  one <- dplyr::filter(two, cluster == 1)
  warned <- "2 of 2 means rest on a single rated image"
  expect_warning(rating_gaps(one), warned)
  suppressWarnings(expect_warning(rating_model(one, ~group), warned))
})
