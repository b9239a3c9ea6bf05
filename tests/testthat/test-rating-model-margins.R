moderated <- function() {
  set.seed(3)
  table <- tibble::tibble(
    respondent_id = rep(sprintf("r%02d", 1:30), each = 6),
    image_id = sprintf("i%02d", (seq_len(180) * 7) %% 20 + 1),
    group = rep(rep(c("D", "R"), 15), each = 6), ideology = rep(sample(1:7, 30, TRUE), each = 6)
  )
  dplyr::bind_rows(
    dplyr::mutate(table, item = "angry", rating = rnorm(180, 5)),
    dplyr::mutate(table, item = "proud", rating = rnorm(180, 3 + 0.2 * ideology))
  )
}

test_that("emmeans has the means, contrasts and slopes of rating_effects()", {
  skip_if_not_installed("emmeans")
  ratings <- moderated()
  model <- rating_model(ratings, ~ group * ideology, weight = "none")
  at <- list(ideology = c(2, 6))
  by <- rating_effects(model, "group", by = at, items = "proud")
  found <- as.data.frame(emmeans::emmeans(model, ~ group | ideology, at = at, item = "proud"))
  expect_equal(found$emmean, by$estimate)
  expect_equal(found$SE, by$std.error)
  expect_equal(found$df, by$df)
  # All items at once.
  all <- emmeans::emmeans(model, ~ group | ideology * item, at = at)
  gaps <- as.data.frame(graphics::pairs(all, reverse = TRUE))
  own <- rating_effects(model, "group", "difference", by = at)
  expect_equal(as.character(gaps$item), own$item)
  expect_equal(gaps$estimate, own$estimate)
  expect_equal(gaps$SE, own$std.error)
  expect_equal(gaps$df, own$df)
  slopes <- as.data.frame(emmeans::emtrends(model, ~group, var = "ideology", item = "angry"))
  own <- rating_effects(model, "ideology", "slope", by = "group", items = "angry")
  expect_equal(slopes$ideology.trend, own$estimate, tolerance = 1e-6)
  expect_equal(slopes$SE, own$std.error, tolerance = 1e-6)
  # Factors made in the formula, and splines.
  other <- rating_model(ratings, proud ~ group + factor(ideology > 4) + s(ideology, df = 2),
    weight = "none"
  )
  means <- as.data.frame(emmeans::emmeans(other, ~group, at = list(ideology = 5)))
  row <- predict(other, data.frame(group = c("D", "R"), ideology = 5))
  expect_equal(means$emmean, row$estimate)
  expect_error(emmeans::emmeans(model, ~group, item = "happy"), "no such item")
})

test_that("emmeans knows what is not estimable", {
  skip_if_not_installed("emmeans")
  ratings <- dplyr::mutate(moderated(), twice = 2 * ideology)
  suppressWarnings(
    model <- rating_model(ratings, proud ~ group + ideology + twice, weight = "none")
  )
  found <- as.data.frame(emmeans::emmeans(model, ~group, at = list(ideology = 2, twice = 3)))
  expect_true(all(is.na(found$emmean)))
  found <- as.data.frame(emmeans::emmeans(model, ~group, at = list(ideology = 2, twice = 4)))
  expect_equal(found$emmean, predict(model, found[1:2, ] |>
    dplyr::mutate(ideology = 2, twice = 4))$estimate)
})

# marginaleffects is not among the packages that are tested with; its documentation says what its
# methods return.
test_that("methods for marginaleffects return what it documents", {
  ratings <- moderated()
  model <- rating_model(ratings, ~ group * ideology, weight = "none")
  b <- get_coef.imagestrata_rating_model(model)
  expect_equal(names(b)[c(1, 6)], c("angry:(Intercept)", "proud:groupR"))
  v <- get_vcov.imagestrata_rating_model(model)
  expect_equal(dimnames(v), list(names(b), names(b)))
  expect_equal(unname(sqrt(diag(v))), tidy(model)$std.error)
  new <- data.frame(group = c("D", "R"), ideology = c(2, 5))
  found <- get_predict.imagestrata_rating_model(model, new)
  expect_equal(names(found), c("rowid", "estimate", "group"))
  expect_equal(found$group, rep(c("angry", "proud"), each = 2))
  own <- dplyr::arrange(predict(model, new), item, row)
  expect_equal(found$estimate, own$estimate)
  # The delta method, as the package computes it from these methods, has our standard errors.
  step <- function(j) {
    moved <- set_coef.imagestrata_rating_model(model, replace(b, j, b[j] + 1e-4))
    (get_predict.imagestrata_rating_model(moved, new)$estimate - found$estimate) / 1e-4
  }
  jacobian <- vapply(seq_along(b), step, numeric(4))
  expect_equal(sqrt(diag(jacobian %*% v %*% t(jacobian))), own$std.error, tolerance = 1e-7)
  one <- rating_model(ratings, proud ~ group, weight = "none")
  expect_equal(names(get_predict.imagestrata_rating_model(one, new)), c("rowid", "estimate"))
  expect_equal(
    colnames(get_vcov.imagestrata_rating_model(one)), c("proud:(Intercept)", "proud:groupR")
  )
})
