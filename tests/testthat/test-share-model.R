share_posts <- function() read_golden("shares")
share_ratings_of <- function() {
  dplyr::select(read_golden("share-ratings"), -cluster, -weight_corpus)
}
read_golden <- function(name) {
  path <- testthat::test_path("..", "fixtures", paste0("golden-", name, ".csv"))
  tibble::as_tibble(utils::read.csv(path, na.strings = ""))
}
both <- cbind(retweets, likes) ~ hopeful + angry + log(followers) + party

test_that("estimates and errors are those of MASS and sandwich", {
  skip_if_not_installed("sandwich")
  posts <- simulated_posts[!is.na(simulated_posts$image_id), ]
  posts <- posts[!duplicated(posts$post_id) & !posts$post_id %in% posts$post_id[duplicated(
    posts$post_id
  )], ]
  posts <- utils::head(posts, 3000)
  posts$hopeful <- (posts$cluster %% 7) + as.integer(factor(posts$image_id)) %% 3
  ours <- share_model(posts, retweets ~ hopeful + log1p(followers) + party, variance = "sandwich")
  theirs <- MASS::glm.nb(
    retweets ~ hopeful + log1p(followers) + party, posts,
    control = glm.control(epsilon = 1e-11, maxit = 100)
  )
  expect_equal(ours$estimate, unname(coef(theirs)), tolerance = 1e-9)
  expected <- sandwich::vcovCL(theirs, cluster = ~ author + image_id)
  expect_equal(ours$std.error, unname(sqrt(diag(expected))), tolerance = 1e-9)
  expect_equal(glance(ours)$AIC, AIC(theirs))
  expect_equal(glance(ours)$BIC, BIC(theirs))
  author <- share_model(
    posts, retweets ~ hopeful, cluster = "author", family = "poisson", variance = "sandwich"
  )
  poisson <- glm(retweets ~ hopeful, poisson, posts, control = glm.control(epsilon = 1e-11))
  expect_equal(
    author$std.error, unname(sqrt(diag(sandwich::vcovCL(poisson, cluster = ~author)))),
    tolerance = 1e-9
  )
  expect_equal(unique(author$df), length(unique(posts$author)) - 1)
})

test_that("weights are those of glm.nb(), and a post's weight is shared by its images", {
  linked <- tibble::tibble(
    post_id = c("1", "1", "2", "3", "4", "5", "6"), image_id = c("a", "x", "a", "b", "c", "d", "b"),
    author = letters[c(1, 1:6)], n = c(3, 3, 1, 8, 4, 0, 1), x = c(1, 1, 2, 3, 5, 4, 2)
  )
  sample <- tibble::tibble(image_id = letters[1:4], weight_corpus = c(2, 4, 1, 3))
  ours <- quietly(share_model(
    linked, n ~ x, sample = sample, weight = "corpus", cluster = "author", family = "poisson"
  ))
  # Post 1 shows a, which stands for two images, and an image that was not sampled.
  w <- c(1, 2, 4, 1, 3, 4)
  theirs <- suppressWarnings(
    glm(n ~ x, poisson, linked[-2, ], weights = w, control = glm.control(epsilon = 1e-12))
  )
  expect_equal(ours$estimate, unname(coef(theirs)), tolerance = 1e-8)
  expect_true(is.na(glance(ours)$AIC))
  expect_error(share_model(linked, n ~ x, sample = sample), "weight", class = "imagestrata_error")
})

test_that("one 0/1 label of images, by hand", {
  linked <- tibble::tibble(
    post_id = c("1", "1", "2", "3", "4", "5"), image_id = c("a", "b", "a", "b", "c", NA),
    author = c("u", "u", "v", "w", "w", "u"), retweets = c(3, 3, 1, 8, 4, 9)
  )
  labels <- tibble::tibble(image_id = c("a", "b", "c"), crowd = c(1, 1, 0))
  expect_warning(
    posts <- share_model(
      linked, retweets ~ crowd, labels,
      family = "poisson", cluster = "author", variance = "sandwich"
    ),
    "1 of 5 posts is not in the model: no known image, 1 post"
  )
  expect_equal(posts$estimate, c(log(4), 0), tolerance = 1e-9)
  expect_equal(tidy(posts, "left_out")$n_posts, 1L)
  images <- quietly(share_model(
    linked, retweets ~ crowd, labels,
    unit = "image", family = "poisson"
  ))
  expect_equal(images$estimate, c(log(4), log(7.5 / 4)), tolerance = 1e-9)
  expect_equal(augment(images)$.observed, c(4, 11, 4))
  expect_equal(tidy(images, exponentiate = TRUE)$estimate, c(4, 7.5 / 4), tolerance = 1e-9)
})

test_that("a post has the mean of its rated images", {
  posts <- share_posts()
  ratings <- share_ratings_of()
  fit <- quietly(share_model(posts, both, ratings))
  mean_of <- function(post) {
    shown <- unique(posts$image_id[posts$post_id == post])
    mean(ratings$hopeful[match(shown, ratings$image_id)], na.rm = TRUE)
  }
  found <- dplyr::filter(augment(fit), outcome == "likes")
  expect_equal(found$hopeful, vapply(found$post_id, mean_of, 0, USE.NAMES = FALSE))
  expect_equal(
    sum(tidy(fit, "left_out")$n_posts), length(unique(posts$post_id)) - nrow(found)
  )
  long <- dplyr::bind_rows(
    dplyr::transmute(ratings, image_id, item = "hopeful", estimate = hopeful),
    dplyr::transmute(ratings, image_id, item = "angry", estimate = angry)
  )
  joined <- quietly(share_model(posts, both, long))
  expect_equal(joined$estimate, fit$estimate)
  # Columns that users have joined to the posts themselves.
  own <- dplyr::left_join(posts, ratings, by = "image_id")
  expect_equal(quietly(share_model(own, both))$std.error, fit$std.error)
})

test_that("means of simulated ratings are joined, and their errors corrected", {
  means <- quietly(rating_means(simulated_ratings, by = image_id))
  linked <- tibble::tibble(
    post_id = simulated_sample$image_id, image_id = simulated_sample$image_id,
    cluster = simulated_sample$cluster, shares = simulated_sample$n_shares - 1
  )
  reliability <- rating_reliability(simulated_ratings)
  fit <- share_model(
    linked, shares ~ enthusiasm + aversion + anxiety, means,
    unit = "image", cluster = "topic", reliability = reliability
  )
  corrected <- dplyr::filter(tidy(fit, "corrected"), term != "(Intercept)")
  truth <- c(enthusiasm = 0.18, aversion = 0.1, anxiety = 0)
  expect_equal(fit$estimate[3] < 0.06, TRUE)
  near <- dplyr::filter(corrected, reliability == "estimate")
  expect_true(all(abs(near$estimate - truth) < near$std.error))
  expect_equal(unique(corrected$reliability), c("none", "low", "estimate", "high"))
  # Without interactions the correction is a linear map of the coefficients.
  w <- as.matrix(dplyr::filter(augment(fit))[names(truth)])
  variance <- cov(w) * (nrow(w) - 1) / nrow(w)
  at <- match(names(truth), reliability$item)
  error <- sqrt((1 - reliability$icc_average[at]) * diag(cov(w)))
  r <- attr(reliability, "error_correlation")[names(truth), names(truth)]
  by_hand <- solve(diag(3) - solve(variance, tcrossprod(error) * r), fit$estimate[-1])
  expect_equal(near$estimate, unname(drop(by_hand)), tolerance = 1e-7)
})

test_that("errors of items that other people answered are uncorrelated", {
  ratings <- dplyr::filter(simulated_ratings, item %in% c("proud", "angry"), cluster < 20)
  r <- attr(rating_reliability(ratings), "error_correlation")
  expect_gt(r["proud", "angry"], 0.3)
  other <- dplyr::mutate(
    ratings,
    respondent_id = paste(respondent_id, ifelse(item == "proud", "p", "a")),
    dimension = NULL
  )
  expect_equal(attr(rating_reliability(other), "error_correlation")["proud", "angry"], 0)
})

test_that("average marginal effects and predictions follow from the coefficients", {
  fit <- quietly(share_model(share_posts(), both, share_ratings_of(), cluster = "author"))
  likes <- dplyr::filter(augment(fit), outcome == "likes")
  effects <- dplyr::filter(tidy(fit, "effects"), outcome == "likes")
  slope <- fit$estimate[fit$outcome == "likes" & fit$term == "hopeful"]
  expect_equal(effects$estimate[effects$term == "hopeful"], slope * mean(likes$.fitted))
  model <- attr(fit, "models")$likes
  as_party <- function(party) {
    likes$party <- party
    mean(predict(model, likes, type = "response"))
  }
  expect_equal(
    effects$estimate[effects$contrast == "R - D"], as_party("R") - as_party("D")
  )
  # The error of a prediction at zero is that of the intercept.
  zero <- data.frame(hopeful = 0, angry = 0, followers = 1, party = "D")
  at_zero <- predict(fit, zero, type = "link")
  intercepts <- dplyr::filter(tidy(fit), term == "(Intercept)")
  expect_equal(at_zero$estimate, intercepts$estimate)
  expect_equal(at_zero$std.error, intercepts$std.error)
  expect_equal(
    dplyr::filter(predict(fit), outcome == "likes")$estimate, likes$.fitted
  )
  expect_error(predict(fit, transform(zero, party = "X")), "X", class = "imagestrata_error")
})

test_that("posts depend on all posts that show one of their images", {
  shown <- list("a", c("a", "b"), "b", c("c", "d"), c("c", "d"), "d", "e", "f", c("e", "g"), "h")
  author <- c("u", "v", "v", "u", "w", "x", "x", "y", "w", "y")
  linked <- tibble::tibble(
    post_id = rep(as.character(1:10), lengths(shown)), image_id = unlist(shown),
    author = rep(author, lengths(shown)), x = rep(c(1, 4, 2, 3, 0, 5, 2, 2, 6, 1), lengths(shown)),
    n = rep(c(3, 1, 0, 8, 4, 0, 2, 6, 9, 1), lengths(shown))
  )
  by_image <- outer(shown, shown, Vectorize(\(x, y) any(x %in% y)))
  by_author <- outer(author, author, `==`)
  model <- glm(
    n ~ x, poisson, dplyr::distinct(linked, post_id, x, n),
    control = glm.control(epsilon = 1e-14, maxit = 100)
  )
  scores <- model.matrix(model) * (model$y - fitted(model))
  pairs <- \(depends) t(scores) %*% depends %*% scores
  # G / (G - 1) multiplies the sums over groups, which count posts with two images twice.
  scaled <- function(depends, twice, n_groups) {
    (pairs(depends) + pairs(twice)) * n_groups / (n_groups - 1) - pairs(twice)
  }
  twice <- outer(shown, shown, Vectorize(\(x, y) identical(x, y) && length(x) == 2))
  each <- length(unique(paste(linked$author, linked$image_id)))
  expected <- list(
    author = scaled(by_author, 0 * twice, 5), image = scaled(by_image, twice, 8),
    both = scaled(by_author, 0 * twice, 5) + scaled(by_image, twice, 8) -
      scaled(by_image & by_author, twice & by_author, each)
  )
  for (cluster in names(expected)) {
    data <- share_units(
      linked, list(n = list(outcome = quote(n), rhs = quote(x), env = globalenv())), NULL, NULL,
      list(unit = "post", cluster = cluster, author = "author", weight = "none")
    )
    found <- errors_of(model, data$groups, "sandwich")$vcov
    by_hand <- no_negative_variance(vcov(model) %*% expected[[cluster]] %*% vcov(model))
    expect_equal(found, by_hand, tolerance = 1e-6)
  }
})

test_that("counts that vary little are Poisson", {
  linked <- data.frame(
    post_id = 1:40, image_id = 1:40, author = rep(letters[1:10], 4), x = 1:40 %% 5,
    shares = 3 + 1:40 %% 2
  )
  expect_warning(fit <- share_model(linked, shares ~ x), "no more than in a Poisson model")
  expect_equal(glance(fit)$family, "poisson")
  expect_equal(glance(fit)$theta, Inf)
})

test_that("bad input has an error that says what to do", {
  posts <- share_posts()
  posts <- dplyr::mutate(
    posts,
    half = 0.5, negative = -1, none = 0, same = 3, zero = likes %% 3,
    separated = ifelse(party == "R", 0, retweets)
  )
  ratings <- share_ratings_of()
  fails <- function(formula, message, ...) {
    expect_error(
      quietly(share_model(posts, formula, ratings, ...)), message,
      class = "imagestrata_error"
    )
  }
  fails("retweets ~ hopeful", "formula with an outcome")
  fails(retweets ~ joy, "There is no column `?joy`?, a predictor")
  fails(shares ~ hopeful, "There is no column `?shares`?, an outcome")
  fails(cbind(likes, likes) ~ hopeful, "twice")
  fails(retweets ~ hopeful + offset(followers), "does not.*support")
  fails(retweets ~ hopeful + (1 | author), "does not.*support")
  fails(half ~ hopeful, "must hold counts")
  fails(negative ~ hopeful, "must hold counts")
  fails(party ~ hopeful, "must be numeric")
  fails(none ~ hopeful, "is 0 for all")
  fails(retweets ~ hopeful + same, "constant")
  fails(retweets ~ hopeful + I(2 * hopeful), "collinear")
  fails(retweets ~ hopeful + log(zero), "not a finite number")
  fails(separated ~ hopeful + party, "partyR.*separates")
  fails(retweets ~ hopeful, "several authors", unit = "image", cluster = "author")
  fails(retweets ~ party, "differs between the posts of an image", unit = "image")
  fails(retweets ~ hopeful, "must be positive", exposure = "zero")
  fails(retweets ~ hopeful, "not in `formula`", reliability = c(angry = 0.5))
  fails(retweets ~ hopeful, "above 0 and up", reliability = c(hopeful = 1.5))
  fails(retweets ~ crowd, "not a mean rating", reliability = c(crowd = 0.5))
  fails(retweets ~ followers, "not a mean rating", reliability = c(followers = 0.5))
  fails(retweets ~ hopeful, "who", author = "who")
  expect_error(share_model(posts, retweets ~ hopeful, simulated_ratings), "one row per answer")
  expect_error(
    quietly(share_model(posts, retweets ~ x, data.frame(image_id = "other", x = 1))),
    "No post is left"
  )
  twice <- data.frame(image_id = c("a", "a"), x = 1)
  expect_error(share_model(posts, retweets ~ x, twice), "several")
  fit <- quietly(share_model(posts, retweets ~ hopeful, ratings))
  expect_error(tidy(fit, "corrected"), "reliability", class = "imagestrata_error")
  expect_error(autoplot(fit, terms = "joy"), "joy", class = "imagestrata_error")
  expect_warning(
    share_model(
      dplyr::filter(posts, image_id %in% ratings$image_id), retweets ~ hopeful + angry, ratings,
      unit = "image", reliability = c(hopeful = 0.1)
    ),
    "too unreliable"
  )
})

test_that("times and fixed effects of authors can be predictors", {
  posts <- dplyr::filter(share_posts(), image_id %in% share_ratings_of()$image_id)
  hour <- as.integer(sub("p", "", posts$post_id))
  posts$time <- as.POSIXct("2018-01-01", tz = "UTC") + 3600 * hour
  fit <- share_model(posts, retweets ~ hopeful + time, share_ratings_of(), cluster = "author")
  expect_equal(tidy(fit, "effects")$contrast, c("slope", "slope"))
  expect_equal(
    tidy(fit, "effects")$estimate[2] / mean(augment(fit)$.fitted), fit$estimate[3],
    tolerance = 1e-5
  )
  posts$label <- sprintf("l%03d", seq_len(nrow(posts)) %% 110)
  posts <- dplyr::filter(posts, !duplicated(post_id))
  expect_error(
    share_model(posts, likes ~ label, cluster = "author", family = "poisson"), "sandwich",
    class = "imagestrata_error"
  )
})

test_that("figures show rate ratios, one panel per outcome", {
  fit <- quietly(share_model(
    share_posts(), both, share_ratings_of(),
    reliability = c(hopeful = 0.7, angry = 0.8)
  ))
  drawn <- ggplot2::layer_data(autoplot(fit), 3)
  ratios <- dplyr::filter(tidy(fit, exponentiate = TRUE), term != "(Intercept)")
  expect_setequal(round(10^drawn$x, 9), round(ratios$estimate, 9))
  expect_equal(length(unique(drawn$PANEL)), 2)
  corrected <- autoplot(fit, "corrected")
  caption <- gsub("\n", " ", corrected$labels$caption)
  expect_match(caption, "Horizontal lines: 95% intervals .* Vertical line: no difference[.]")
  expect_match(caption, "Corrected with the estimate of the rating's reliability")
  expect_no_match(autoplot(fit)$labels$caption, "Corrected")
  expect_match(
    ggplot2::get_alt_text(autoplot(fit)),
    "^Points with intervals for rate ratios of .* terms[.] retweets, hopeful: [0-9.]+ .[0-9.]+ to"
  )
  expect_equal(nrow(ggplot2::layer_data(corrected, 3)), 2 * 2 * 2)
  spread <- ggplot2::layer_data(autoplot(fit, per = "sd", terms = "hopeful"), 3)
  data <- dplyr::filter(augment(fit), outcome == "likes")
  likes <- fit$estimate[fit$outcome == "likes" & fit$term == "hopeful"]
  expect_equal(log(10) * spread$x[2], likes * sd(data$hopeful))
})
