# A few authors with uneven numbers of posts; `party` and `followers` are constant in an author.
toy_posts <- function(seed = 1, n_authors = 12) {
  withr::with_seed(seed, {
    n <- c(1, 2, stats::rpois(n_authors - 2, 15) + 1)
    author <- rep(paste0("a", seq_len(n_authors)), n)
    data <- data.frame(
      author = author, party = ifelse(author %in% paste0("a", 1:4), "B", "A"),
      followers = stats::rnorm(n_authors)[match(author, unique(author))], t = stats::runif(sum(n)),
      weight = stats::runif(sum(n), 0.5, 2)
    )
    data$y <- stats::rbinom(sum(n), 1, stats::plogis(-0.5 + 0.5 * (data$party == "B") + data$t))
    data$n <- stats::rnbinom(sum(n), 2, mu = exp(1 + data$t))
    data
  })
}

test_that("'sandwich' is the variance of sandwich and survey", {
  skip_if_not_installed("sandwich")
  skip_if_not_installed("survey")
  skip_if_not_installed("MASS")
  posts <- toy_posts()
  fit <- stats::glm(y ~ party * t + followers, stats::binomial, posts)
  ours <- glm_sandwich(fit, posts$author, "sandwich")
  expect_equal(ours$vcov, sandwich::vcovCL(fit, ~author), tolerance = 1e-9)
  svy <- survey::svydesign(~author, data = posts, weights = ~weight)
  weighted <- survey::svyglm(
    y ~ party * t + followers, svy,
    family = stats::quasibinomial, epsilon = 1e-12
  )
  expect_equal(
    glm_sandwich(weighted, posts$author, "sandwich")$vcov, stats::vcov(weighted),
    tolerance = 1e-9, ignore_attr = TRUE
  )
  counts <- MASS::glm.nb(n ~ party + t, posts)
  expect_equal(
    glm_sandwich(counts, posts$author, "sandwich")$vcov, sandwich::vcovCL(counts, ~author),
    tolerance = 1e-9
  )
  errors <- contrast_errors(ours, diag(5))
  expect_equal(errors$std.error, unname(sqrt(diag(ours$vcov))))
  expect_equal(errors$df, rep(11, 5))
})

# By the definition, with matrices of posts by posts: the square root of the inverse of I - H within
# authors, and the covariances of the authors' contributions if posts are independent.
cr2_by_definition <- function(x, residual, weight, author, contrast) {
  scaled <- x * sqrt(weight)
  bread <- solve(crossprod(scaled))
  hat <- scaled %*% bread %*% t(scaled)
  parts <- lapply(unique(author), function(g) {
    own <- author == g
    e <- eigen(diag(sum(own)) - hat[own, own], symmetric = TRUE)
    root <- e$vectors %*% (t(e$vectors) / sqrt(e$values))
    part <- numeric(length(author))
    part[own] <- root %*% scaled[own, , drop = FALSE] %*% bread %*% contrast
    part
  })
  p <- do.call(cbind, parts)
  form <- t(p) %*% (diag(nrow(x)) - hat) %*% p
  c(
    std.error = sqrt(sum(crossprod(p, residual / sqrt(weight))^2)),
    df = sum(diag(form))^2 / sum(form^2)
  )
}

test_that("CR2 and its degrees of freedom are those of the definition", {
  posts <- toy_posts(2)
  fit <- stats::glm(y ~ party * t + followers, stats::binomial, posts)
  ours <- glm_sandwich(fit, posts$author)
  contrasts <- rbind(diag(5), c(1, 1, 0.5, 0, 0.5), c(0, 0.2, 0.3, -0.1, 0))
  errors <- contrast_errors(ours, contrasts)
  weight <- stats::weights(fit, "working")
  residual <- weight * stats::residuals(fit, "working")
  for (i in seq_len(nrow(contrasts))) {
    expected <- cr2_by_definition(
      stats::model.matrix(fit), residual, weight, posts$author, contrasts[i, ]
    )
    expect_equal(unlist(errors[i, c("std.error", "df")]), expected, tolerance = 1e-9)
  }
  expect_equal(errors$std.error[1:5], unname(sqrt(diag(ours$vcov))))
})

test_that("CR2 is HC2 and the t test if every post has its own author", {
  skip_if_not_installed("sandwich")
  data <- data.frame(y = c(1, 3, 2, 5, 4, 9), x = rep(0:1, each = 3))
  fit <- stats::glm(y ~ x, data = data)
  ours <- glm_sandwich(fit, 1:6)
  expect_equal(ours$vcov, sandwich::vcovHC(fit, type = "HC2"))
  # A mean of three has 2 degrees of freedom, the difference of two such means has 4.
  expect_equal(contrast_errors(ours, diag(2))$df, c(2, 4))
})

test_that("posts with equal covariates of an author may be one row", {
  posts <- toy_posts(3)
  posts$t <- round(posts$t * 3)
  fit <- stats::glm(y ~ party + t, stats::binomial, posts)
  x <- stats::model.matrix(fit)
  weight <- stats::weights(fit, "working")
  residual <- weight * stats::residuals(fit, "working")
  row <- paste(posts$author, posts$t)
  first <- !duplicated(row)
  total <- function(values) rowsum(values, row, reorder = FALSE)[, 1]
  together <- author_sandwich(x[first, ], total(residual), total(weight), posts$author[first])
  expect_equal(together$vcov, glm_sandwich(fit, posts$author)$vcov)
})

test_that("what one author alone determines has no standard error", {
  posts <- toy_posts(4)
  posts$party[posts$author == "a5"] <- "C"
  fit <- stats::glm(y ~ party + t, stats::binomial, posts)
  errors <- contrast_errors(glm_sandwich(fit, posts$author), diag(4))
  expect_equal(errors$alone, c(NA, NA, "a5", NA))
  expect_equal(is.na(errors$std.error), c(FALSE, FALSE, TRUE, FALSE))
  expect_true(all(errors$df[-3] < 11))
})
