linked <- toy_linked()

test_that("each topic is a logistic regression, with the clustered variance of survey", {
  skip_if_not_installed("survey")
  skip_if_not_installed("sandwich")
  model <- topic_model(linked, ~ party * followers, variance = "sandwich")
  weighted <- topic_model(linked, ~ party * followers, weights = "size", variance = "sandwich")
  expect_equal(model$topics$cluster, c(1, 2, 3, -1))
  for (topic in c(1, 2, -1)) {
    posts <- posts_of(linked, topic)
    expect_equal(nrow(posts), 900)
    fit <- stats::glm(y ~ party * followers, stats::binomial, posts, epsilon = 1e-14)
    found <- dplyr::filter(tidy(model), .data$cluster == topic)
    expect_equal(found$term, names(stats::coef(fit)))
    expect_equal(found$estimate, unname(stats::coef(fit)), tolerance = 1e-9)
    error <- unname(sqrt(diag(sandwich::vcovCL(fit, ~author))))
    expect_equal(found$std.error, error, tolerance = 1e-9)
    expect_equal(found$df, rep(24, 6))
    expect_equal(found$p.value, 2 * stats::pt(-abs(found$estimate / error), 24), tolerance = 1e-8)
    svy <- survey::svydesign(~author, data = posts, weights = ~size)
    fit <- survey::svyglm(
      y ~ party * followers, svy,
      family = stats::quasibinomial, epsilon = 1e-14
    )
    found <- dplyr::filter(tidy(weighted), .data$cluster == topic)
    expect_equal(found$estimate, unname(stats::coef(fit)), tolerance = 1e-9)
    expect_equal(found$std.error, unname(sqrt(diag(stats::vcov(fit)))), tolerance = 1e-9)
  }
})

test_that("the default variance is CR2 with its own degrees of freedom", {
  found <- tidy(topic_model(linked, 1 ~ party + s(month, df = 3)))
  posts <- posts_of(linked, 1)
  fit <- stats::glm(
    y ~ party + splines::ns(days, 3), stats::binomial, posts,
    epsilon = 1e-14
  )
  expect_equal(found$estimate, unname(stats::coef(fit)), tolerance = 1e-9)
  by_hand <- contrast_errors(glm_sandwich(fit, posts$author), diag(6))
  expect_equal(found$std.error, by_hand$std.error, tolerance = 1e-7)
  expect_equal(found$df, by_hand$df, tolerance = 1e-6)
  half <- stats::qt(0.975, found$df) * found$std.error
  expect_equal(found$conf.low, found$estimate - half)
})

test_that("s() is ns() with the degrees of freedom of stm, and other splines work", {
  terms <- function(formula) {
    found <- tidy(topic_model(linked, formula))
    list(n = nrow(found), estimate = found$estimate)
  }
  linked$x <- round(linked$followers * 100)
  linked$few <- match(linked$post_id, linked$post_id) %% 5
  expect_equal(terms(1 ~ s(time))$n, 11)
  expect_equal(terms(1 ~ s(few))$n, 5)
  posts <- posts_of(linked, 1)
  posts$day <- as.numeric(posts$time)
  same <- function(formula, other) {
    fit <- stats::glm(other, stats::binomial, posts, epsilon = 1e-14)
    expect_equal(terms(formula)$estimate, unname(stats::coef(fit)), tolerance = 1e-7)
  }
  same(1 ~ s(time), y ~ splines::ns(day, 10))
  same(1 ~ ns(time, 4), y ~ splines::ns(day, 4))
  same(1 ~ bs(time, 5), y ~ splines::bs(day, 5))
  same(1 ~ poly(followers, 2), y ~ poly(followers, 2))
  same(1 ~ factor(month), y ~ factor(month))
  same(1 ~ relevel(party, "B") + log(size), y ~ relevel(factor(party), "B") + log(size))
  same(1 ~ time, y ~ day)
  same(1 ~ 1, y ~ 1)
  linked$time <- as.POSIXct(format(linked$time), tz = "UTC")
  same(1 ~ time, y ~ day)
  same(1 ~ s(time, df = 2), y ~ splines::ns(day, 2))
  linked$time <- linked$time + 5 * 3600
  values <- tidy(topic_model(linked, 1 ~ s(time, df = 2)), "predictions")$value
  expect_equal(values[1], format(min(linked$time), "%Y-%m-%d 05:00:00"))
  linked$time <- linked$time - 5 * 3600
  # Quantiles that are equal are one knot.
  linked$tied <- c(0, 0, 0, 1, 2, 3)[1 + (match(linked$post_id, linked$post_id) %% 6)]
  expect_false(anyNA(suppressWarnings(tidy(topic_model(linked, 1 ~ s(tied))))$estimate))
})

test_that("the reference is the first level, whatever contrasts the session has", {
  linked$party <- factor(linked$party, c("C", "A", "B"), ordered = TRUE)
  withr::local_options(contrasts = c("contr.sum", "contr.helmert"))
  found <- tidy(topic_model(linked, 1 ~ party))
  expect_equal(found$term, c("(Intercept)", "partyA", "partyB"))
  posts <- posts_of(linked, 1)
  odds <- stats::qlogis(as.numeric(tapply(posts$y, posts$party, mean)))
  expect_equal(found$estimate, odds - c(0, odds[1], odds[1]))
})

test_that("topics are chosen by number or name", {
  expect_equal(unique(tidy(topic_model(linked, c(-1, 2) ~ party))$cluster), c(-1, 2))
  expect_equal(unique(tidy(topic_model(linked, "maps" ~ party))$cluster_name), "maps")
  expect_snapshot(error = TRUE, {
    topic_model(linked, c(1, 7) ~ party)
    topic_model(linked, cluster ~ party)
  })
})

test_that("posts without known images, authors or covariates are left out and counted", {
  linked$unmatched <- NA_character_
  more <- linked[c(10, 11), ]
  more$post_id <- c("x1", "x2")
  more$cluster <- NA
  linked$followers[20] <- NA
  linked$author[21] <- NA
  expect_message(
    model <- topic_model(rbind(linked, more), 1 ~ party + followers),
    "4 of 902 posts are left out: 2 without a known image, 1 without author, 1 without followers"
  )
  partly <- linked[5, ]
  partly$cluster <- NA
  partly$unmatched <- "ambiguous"
  expect_message(
    topic_model(rbind(linked[-(20:21), ], partly), 1 ~ party),
    "1 post shows known images and images that are not in the clustering"
  )
  partly$unmatched <- "no image"
  expect_message(topic_model(rbind(linked[-(20:21), ], partly), 1 ~ party), NA)
  expect_equal(glance(model)$n_posts, 898)
  expect_equal(glance(model)$n_left_out, 4)
  complete <- topic_model(linked[-(20:21), ], 1 ~ party + followers)
  expect_equal(tidy(model), tidy(complete))
})

test_that("a party that never shows a topic has infinite coefficients, and the others stay", {
  linked$cluster[linked$party == "C" & linked$cluster == 3] <- 2L
  expect_warning(model <- topic_model(linked, ~ party * followers), "no post with party C shows it")
  found <- dplyr::filter(tidy(model), .data$cluster == 3)
  infinite <- grepl("partyC", found$term)
  expect_equal(found$reason == "infinite", ifelse(infinite, TRUE, NA))
  expect_true(all(is.na(found[infinite, c("estimate", "std.error", "conf.low")])))
  others <- linked[linked$party != "C", ]
  alone <- tidy(topic_model(others, 3 ~ party * followers))
  expect_equal(found$estimate[!infinite], alone$estimate, tolerance = 1e-8)
  expect_equal(found$std.error[!infinite], alone$std.error, tolerance = 1e-8)
  expect_equal(found$df[!infinite], alone$df, tolerance = 1e-6)
  # The prediction is the limit, without an interval.
  party <- topic_effects(model, "party", topics = 3)
  expect_equal(party$estimate[3], 0)
  expect_true(is.na(party$conf.high[3]))
  expect_equal(party$reason, c(NA, NA, "infinite"))
  expect_false(anyNA(tidy(model)$estimate[tidy(model)$cluster != 3]))
})

test_that("covariates that separate the posts are found, also if they are numbers", {
  linked$x <- seq_len(nrow(linked))
  linked$x <- linked$x[match(linked$post_id, linked$post_id)]
  linked$cluster <- ifelse(linked$x > 450, 1L, 2L)
  expect_warning(model <- topic_model(linked, 1 ~ x), "combinations of covariates separate")
  expect_equal(tidy(model)$reason, c("infinite", "infinite"))
  # A reference that never shows it: all comparisons with it are infinite.
  linked <- toy_linked()
  linked$cluster[linked$party == "A" & linked$cluster == 3] <- 2L
  model <- suppressWarnings(topic_model(linked, 3 ~ party + followers))
  expect_equal(tidy(model)$term[is.na(tidy(model)$reason)], "followers")
})

test_that("rare topics are refused, with their number of posts", {
  linked$cluster[c(30, 31, 32)] <- 9L
  expect_warning(
    model <- topic_model(linked, ~ party + followers),
    "cluster 9: 3 posts with it, fewer than the 4 coefficients"
  )
  expect_equal(glance(model)$n_modelled, 4)
  expect_true(all(is.na(tidy(model)$estimate[tidy(model)$cluster == 9])))
  expect_error(topic_model(linked, 9 ~ party + followers), "No cluster can be modelled")
})

test_that("what rests on one author has no standard error", {
  one <- names(sort(table(linked$author), decreasing = TRUE))[2]
  linked$party[linked$author == one] <- "D"
  expect_warning(model <- topic_model(linked, 1 ~ party + s(month, df = 2)), one)
  found <- tidy(model)
  expect_equal(found$term[is.na(found$std.error)], "partyD")
  expect_equal(found$reason[found$term == "partyD"], paste("rests on the author", one))
  expect_false(is.na(found$estimate[found$term == "partyD"]))
  effects <- tidy(model, "effects")
  expect_equal(is.na(effects$std.error), effects$contrast == "D - A")
})

test_that("average marginal effects are those of the definition", {
  model <- topic_model(linked, ~ party * followers + s(month, df = 3))
  effects <- tidy(model, "effects")
  posts <- posts_of(linked, 1)
  fit <- stats::glm(
    y ~ party * followers + splines::ns(days, 3), stats::binomial, posts,
    epsilon = 1e-14
  )
  mean_at <- function(beta = stats::coef(fit), ...) {
    new <- posts
    change <- list(...)
    for (name in names(change)) new[[name]] <- change[[name]]
    x <- stats::model.matrix(stats::delete.response(stats::terms(fit)), new, xlev = fit$xlevels)
    mean(stats::plogis(x %*% beta))
  }
  variance <- glm_sandwich(fit, posts$author)
  check <- function(row, effect) {
    expect_equal(row$estimate, effect(stats::coef(fit)), tolerance = 1e-5)
    gradient <- vapply(seq_along(stats::coef(fit)), \(j) {
      e <- 1e-5 * (seq_along(stats::coef(fit)) == j)
      (effect(stats::coef(fit) + e) - effect(stats::coef(fit) - e)) / 2e-5
    }, 0)
    by_hand <- contrast_errors(variance, t(gradient))
    expect_equal(row$std.error, by_hand$std.error, tolerance = 1e-4)
    expect_equal(row$df, by_hand$df, tolerance = 1e-3)
  }
  row <- function(term, contrast) {
    effects[effects$cluster == 1 & effects$term == term & effects$contrast == contrast, ]
  }
  check(row("party", "C - A"), \(b) mean_at(b, party = "C") - mean_at(b, party = "A"))
  check(row("followers", "per unit"), \(b) {
    (mean_at(b, followers = posts$followers + 1e-4) -
      mean_at(b, followers = posts$followers - 1e-4)) / 2e-4
  })
  check(row("month", "per 30 days"), \(b) {
    30 * (mean_at(b, days = posts$days + 1e-3) - mean_at(b, days = posts$days - 1e-3)) / 2e-3
  })
})

test_that("predictions are averages over posts, with intervals on the logit scale", {
  model <- topic_model(linked, ~ party * s(month, df = 3) + followers)
  found <- topic_effects(model, "month", by = "party", topics = c(2, 1))
  expect_equal(names(found), c(
    "cluster", "cluster_name", "month", "party", "estimate", "std.error", "df", "conf.low",
    "conf.high", "reason"
  ))
  expect_s3_class(found$month, "Date")
  one <- found[found$cluster == 1 & found$party == "B", ][4, ]
  posts <- posts_of(linked, 1)
  posts$month <- one$month
  posts$party <- "B"
  predicted <- predict(model, posts, topics = 1)
  expect_equal(one$estimate, mean(predicted$estimate))
  half <- stats::qt(0.975, one$df) * one$std.error / one$estimate / (1 - one$estimate)
  expect_equal(one$conf.high, stats::plogis(stats::qlogis(one$estimate) + half))
  # Without other covariates, that of a party is its share.
  share <- topic_effects(topic_model(linked, 1 ~ party), "party")
  posts <- posts_of(linked, 1)
  expect_equal(share$estimate, as.numeric(tapply(posts$y, posts$party, mean)))
  gap <- topic_effects(
    topic_model(linked, 1 ~ party), "party",
    method = "difference", values = c("B", "C")
  )
  expect_equal(gap$contrast, "C - B")
  expect_equal(gap$estimate, share$estimate[3] - share$estimate[2])
  table <- tidy(model, "predictions")
  expect_equal(unique(table$term), c("party", "followers", "month"))
  expect_true(all(table$conf.low > 0 & table$conf.high < 1))
})

test_that("predict() and augment() are those of glm()", {
  model <- topic_model(linked, ~ party * followers)
  posts <- posts_of(linked, 1)
  fit <- stats::glm(y ~ party * followers, stats::binomial, posts, epsilon = 1e-14)
  new <- posts[c(3, 40, 7), ]
  found <- predict(model, new, topics = 1)
  expect_equal(found$estimate, unname(stats::predict(fit, new, type = "response")))
  expect_equal(found$reason, rep(NA_character_, 3))
  link <- predict(model, new, topics = 1, type = "link")
  x <- stats::model.matrix(fit)[c(3, 40, 7), ]
  errors <- contrast_errors(glm_sandwich(fit, posts$author), x)
  expect_equal(link$std.error, errors$std.error, tolerance = 1e-7)
  expect_equal(link$df, errors$df, tolerance = 1e-6)
  both <- augment(model, topics = c(2, 1))
  expect_equal(nrow(both), 1800)
  both <- both[both$cluster == 1, ]
  expect_equal(both$post_id, posts$post_id)
  expect_equal(both$shown, posts$y)
  expect_equal(both$.fitted, unname(stats::fitted(fit)))
  expect_equal(both$.resid, both$shown - both$.fitted)
})

test_that("tidy() and glance() have what tables of models expect", {
  model <- topic_model(linked, ~party)
  odds <- tidy(model, exponentiate = TRUE, conf.level = 0.9, parallel = FALSE)
  plain <- tidy(model, conf.level = 0.9)
  expect_equal(odds$estimate, exp(plain$estimate))
  expect_equal(odds$conf.low, exp(plain$conf.low))
  expect_equal(odds$std.error, plain$std.error)
  expect_true(all(c("cluster", "term", "std.error", "statistic", "p.value") %in% names(plain)))
  expect_false("conf.low" %in% names(tidy(model, conf.int = FALSE)))
  expect_equal(glance(model)$nobs, 900)
  expect_error(tidy(model, "effects", exponentiate = TRUE), "log odds")
})

test_that("the order of rows, copies of rows and the kind of data frame do not matter", {
  model <- topic_model(linked, ~ party + followers)
  mixed <- withr::with_seed(3, as.data.frame(linked[sample(nrow(linked)), ]))
  grouped <- dplyr::group_by(rbind(mixed, mixed[1:50, ]), .data$author)
  same <- topic_model(grouped, ~ party + followers)
  expect_equal(tidy(same), tidy(model), tolerance = 1e-7)
  numbers <- linked
  numbers$author <- as.integer(substring(numbers$author, 2))
  numbers$post_id <- as.integer(substring(numbers$post_id, 2))
  expect_equal(tidy(topic_model(numbers, ~ party + followers)), tidy(model), tolerance = 1e-7)
})

test_that("themes can be topics", {
  linked$theme <- c(1L, 1L, 2L)[ifelse(linked$cluster > 0, linked$cluster, NA)]
  linked$theme_name <- c("animals", "places")[linked$theme]
  model <- topic_model(linked, ~party, level = "theme")
  expect_equal(model$topics$theme, c(1, 2, -1))
  expect_equal(
    model$topics$n_posts[1], length(unique(linked$post_id[linked$cluster %in% 1:2]))
  )
  expect_equal(topic_effects(model, "party", topics = "places")$theme, c(2, 2, 2))
})

test_that("bad input gets an error that names it", {
  varying <- linked
  varying$followers[901] <- 99
  zero <- linked
  zero$size[5] <- 0
  expect_snapshot(error = TRUE, {
    topic_model(varying, ~ party + followers)
    topic_model(linked, "party")
    topic_model(linked, ~.)
    topic_model(linked, ~ parti)
    topic_model(linked[names(linked) != "time"], ~ time)
    topic_model(linked[names(linked) != "time"], ~ s(month))
    topic_model(linked, ~ party, weights = "party")
    topic_model(zero, ~ log(size - 0.5))
    topic_model(zero, ~ party, weights = "size")
    topic_model(linked[linked$author == "a1", ], ~ followers)
    topic_model(linked[linked$author == "a1", ], ~ s(time))
    topic_model(linked, ~ s(party))
    topic_model(linked, ~ s(followers, df = 40))
    topic_model(linked, ~ party, author = "who")
    topic_model(linked, ~ party, variance = "HC3")
  })
  model <- topic_model(linked, ~ party + followers)
  expect_snapshot(error = TRUE, {
    topic_effects(model, "age")
    topic_effects(model, "party", method = "continuous")
    topic_effects(model, "followers", method = "difference")
    topic_effects(model, "party", values = "D")
    topic_effects(model, "party", topics = 12)
    topic_effects(linked, "party")
    predict(model, data.frame(party = "D", followers = 1))
    predict(model, data.frame(party = "A", followers = "1"))
  })
})

test_that("summary() prints a table for each topic", {
  expect_snapshot({
    print(topic_model(linked, c(1, -1) ~ party + followers), width = 80)
    summary(topic_model(linked, c(1, -1) ~ party + followers))
  })
})

test_that("the tables that both languages test are what R computes", {
  read <- function(name) {
    path <- testthat::test_path("..", "fixtures", paste0("golden-", name, ".csv"))
    tibble::as_tibble(utils::read.csv(path, na.strings = ""))
  }
  posts <- golden_linked()
  posts$time <- as.character(posts$time)
  expect_equal(read("posts"), posts, ignore_attr = TRUE)
  model <- suppressWarnings(golden_model(read("posts")))
  for (table in c("coefficients", "effects", "predictions")) {
    expect_equal(read(paste0("topic-", table)), tidy(model, table), ignore_attr = TRUE)
  }
})

test_that("effects over all posts stay if few of them are infinite", {
  linked <- toy_linked(1000, 60)
  linked$party[linked$author %in% c("a7", "a8")] <- "D"
  small <- linked$party == "D"
  linked <- rbind(linked[!small, ], linked[small, ][1:20, ])
  linked$cluster[linked$party == "D" & linked$cluster == 3] <- 2L
  model <- suppressWarnings(topic_model(linked, 3 ~ party + followers))
  effects <- tidy(model, "effects")
  expect_equal(is.na(effects$std.error), effects$contrast == "D - A")
  expect_equal(effects$contrast[1:2], c("B - A", "C - A"))
})

test_that("topics that no post shows have rows, if link_posts() saw them", {
  attr(linked, "topics") <- tibble::tibble(
    cluster = c(1, 2, 3, 4), cluster_name = letters[1:4], n_rows = c(9, 9, 9, 0)
  )
  expect_warning(model <- topic_model(linked, ~party), "4")
  expect_equal(model$topics$cluster, c(1, 2, 3, 4, -1))
  expect_equal(model$topics$n_posts[4], 0)
  expect_match(model$topics$reason[4], "0 posts with it")
  found <- dplyr::filter(tidy(model), .data$cluster == 4)
  expect_true(all(is.na(found$estimate)))
})
