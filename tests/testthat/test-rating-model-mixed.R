# 40 respondents of two groups; every one rates 8 of 60 images in 12 clusters.
crossed <- function() {
  set.seed(4)
  people <- tibble::tibble(
    respondent_id = sprintf("r%02d", 1:40), group = rep(c("D", "R"), 20),
    ideology = sample(1:7, 40, TRUE)
  )
  table <- tibble::tibble(
    respondent_id = rep(people$respondent_id, each = 8),
    image = (seq_len(320) * 7) %% 60 + 1, image_id = sprintf("i%02d", image),
    cluster = (image - 1) %/% 5 + 1, weight_cluster = 1 / 5, n_h = 5,
    item = "angry"
  )
  table <- dplyr::left_join(table, people, "respondent_id")
  gap <- rnorm(12, 0.5, 0.7)[table$cluster]
  table$rating <- 4 + rnorm(40)[match(table$respondent_id, people$respondent_id)] +
    rnorm(12)[table$cluster] + rnorm(60)[table$image] + (table$group == "R") * gap +
    0.2 * table$ideology + rnorm(320)
  table$image <- NULL
  table
}

test_that("images like these: the model is lme4's", {
  skip_if_not_installed("lme4")
  ratings <- crossed()
  model <- rating_model(ratings, ~ group * ideology, method = "mixed")
  fit <- lme4::lmer(
    rating ~ group * ideology + (1 | respondent_id) + (1 | image_id) + (1 + group | cluster),
    ratings
  )
  expect_equal(tidy(model)$estimate, unname(lme4::fixef(fit)), tolerance = 1e-5)
  expect_equal(vcov(model), as.matrix(stats::vcov(fit)), tolerance = 1e-4, ignore_attr = TRUE)
  sd <- as.data.frame(lme4::VarCorr(fit))
  sd <- sd$sdcor[is.na(sd$var2)]
  random <- tidy(model, "random")
  expect_equal(sort(random$estimate), sort(sd), tolerance = 1e-3)
  expect_setequal(random$unit, c("respondent", "image", "cluster", "residual"))
  expect_true("groupR" %in% random$term)
  expect_equal(glance(model)$sigma, stats::sigma(fit), tolerance = 1e-5)
  expect_equal(glance(model)[c("variance", "method", "target")], tibble::tibble(
    variance = "mixed model", method = "mixed", target = "images like these"
  ))
  expect_output(print(model), "About images like these")
})

test_that("degrees of freedom are Satterthwaite's, or those of the fewest units", {
  skip_if_not_installed("lmerTest")
  ratings <- crossed()
  model <- rating_model(ratings, ~ group * ideology, method = "mixed")
  fit <- lmerTest::lmer(
    rating ~ group * ideology + (1 | respondent_id) + (1 | image_id) + (1 + group | cluster),
    ratings
  )
  expect_equal(tidy(model)$df, unname(summary(fit)$coefficients[, "df"]), tolerance = 1e-3)
  expect_equal(glance(model)$df_method, "Satterthwaite")
  # Without lmerTest.
  model$satterthwaite <- FALSE
  model$answers$measure <- model$answers$measure
  model$fits <- fit_mixed_models(model)
  expect_equal(coefficients_of(model, 1)$df, rep(12 - 4, 4))
  expect_equal(glance(model)$df_method, "between units")
  these <- rating_model(ratings, ~ group * ideology, method = "mixed", target = "these images")
  expect_equal(tidy(these)$df, rep(40 - 4, 4))
})

test_that("these images: predictions of effects and their errors", {
  skip_if_not_installed("lme4")
  ratings <- crossed()
  wide <- rating_model(ratings, ~group, method = "mixed")
  model <- rating_model(ratings, ~group, method = "mixed", target = "these images")
  expect_true(all(tidy(model)$std.error < tidy(wide)$std.error))
  # Fitted values, without those of respondents, regressed with the design's weights.
  fit <- model$fits[[1]]$mixed
  fixed <- drop(lme4::getME(fit, "X") %*% lme4::fixef(fit))
  all <- stats::fitted(fit)
  own <- lme4::ranef(fit)$.respondent[[1]][as.integer(fit@frame$.respondent)]
  weight <- model$fits[[1]]$weight
  group <- ratings$group[order(match(ratings$respondent_id, unique(ratings$respondent_id)))]
  direct <- stats::lm((all - own) ~ augment(model)$group, weights = weight)
  expect_equal(tidy(model)$estimate, unname(stats::coef(direct)), tolerance = 1e-8)
  # Henderson's equations, written out: the inverse of the whole system.
  x <- as.matrix(lme4::getME(fit, "X"))
  z <- as.matrix(lme4::getME(fit, "Z"))
  sigma <- stats::sigma(fit)
  lambda <- as.matrix(lme4::getME(fit, "Lambda"))
  g <- lambda %*% t(lambda) * sigma^2
  system <- rbind(
    cbind(crossprod(x), crossprod(x, z)), cbind(crossprod(z, x), crossprod(z))
  ) / sigma^2
  place <- ncol(x) + seq_len(ncol(z))
  system[place, place] <- system[place, place] + solve(g + diag(1e-12, ncol(z)))
  start <- lme4::getME(fit, "Gp")
  names <- names(lme4::getME(fit, "cnms"))
  those <- match(".respondent", names)
  keep <- setdiff(seq_len(ncol(z)), seq(start[those] + 1, start[those + 1]))
  map <- matrix(0, 2, ncol(z))
  map[, keep] <- solve(crossprod(x, weight * x), crossprod(x, weight * z[, keep]))
  both <- cbind(diag(2), map)
  errors <- both %*% solve(system) %*% t(both)
  expect_equal(vcov(model), errors, tolerance = 1e-5, ignore_attr = TRUE)
})

test_that("random effects that the ratings cannot tell apart are left out, and it is said", {
  skip_if_not_installed("lme4")
  ratings <- crossed()
  once <- ratings[!duplicated(ratings$image_id), ]
  expect_message(
    suppressMessages(
      model <- rating_model(once, ~1, method = "mixed"),
      classes = "nothing"
    ),
    "every image has one rating"
  )
  expect_false("image" %in% tidy(model, "random")$unit)
  # With clusters in the formula, they have no random effects.
  model <- suppressMessages(rating_model(ratings, ~ group + cluster, method = "mixed"))
  expect_setequal(tidy(model, "random")$unit, c("respondent", "image", "residual"))
  # No differences between respondents: a singular fit is told.
  ratings$rating <- ave(ratings$rating, ratings$respondent_id, FUN = \(x) x - mean(x))
  expect_message(rating_model(ratings, ~ideology, method = "mixed"), "singular")
})

test_that("weights that a mixed model does not use are refused", {
  ratings <- dplyr::mutate(crossed(), weight_corpus = 1, own = 1)
  expect_snapshot(error = TRUE, {
    rating_model(ratings, ~group, weight = "corpus", method = "mixed")
    rating_model(ratings, ~group, respondent_weight = own, method = "mixed")
    rating_model(ratings, ~group, method = "mixed", target = "all images")
  })
  two <- dplyr::bind_rows(ratings, dplyr::mutate(ratings, item = "proud"))
  model <- suppressMessages(rating_model(two, ~group, method = "mixed"))
  expect_error(vcov(model), "item by item")
  expect_equal(dim(vcov(model, "proud")), c(2, 2))
})
