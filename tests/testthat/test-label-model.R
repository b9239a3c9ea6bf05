# 400 posted images in 40 clusters, of which three each are labelled.
modelled_posts <- function() {
  n <- 400
  images <- data.frame(image_id = paste0("i", seq_len(n)), cluster = rep(1:40, each = 10))
  truth <- as.numeric(scattered(n, 1) < rep(0.2 + 0.6 * scattered(40, 2), each = 10))
  author <- 1 + floor(30 * scattered(n, 3))
  posts <- data.frame(
    post_id = seq_len(n), image_id = images$image_id, author = paste0("a", author),
    party = c("D", "R")[1 + author %% 2], month = scattered(n, 4)
  )
  posts$likes <- truth + (posts$party == "R") + scattered(n, 5)
  p <- pmin(pmax(0.2 + 0.6 * truth + 0.4 * (scattered(n, 6) - 0.5), 0.01), 0.99)
  drawn <- rep(scattered(10, 7), 40) + rep(0.01 * (1:40), each = 10)
  drawn <- stats::ave(drawn %% 1, images$cluster, FUN = rank) <= 3
  sample <- data.frame(images[drawn, ], N_h = 10, n_h = 3)
  list(
    images = images, posts = posts, truth = truth, p = p, drawn = drawn, sample = sample,
    labels = data.frame(image_id = sample$image_id, code = "violence", label = truth[drawn]),
    predictions = data.frame(
      image_id = images$image_id, label = "violence", probability = p, decision = p >= 0.5,
      split = NA
    )
  )
}

fit_posts <- function(formula, x = modelled_posts(), ...) {
  quietly(label_model(formula, x$labels, x$predictions, x$posts, x$sample, ...))
}

by_method <- function(model, method, column = "estimate") {
  rows <- as.data.frame(tidy(model))
  rows <- rows[rows$method == method, ]
  rlang::set_names(rows[[column]], rows$term)
}

test_that("coefficients are those of published formulas", {
  x <- modelled_posts()
  f <- transform(x$posts, f = x$p, y = x$truth)
  s <- f[x$drawn, ]
  # Prediction-powered inference (Angelopoulos et al. 2023).
  theirs <- coef(lm(f ~ party + month, f)) - coef(lm(I(f - y) ~ party + month, s))
  expect_equal(
    by_method(fit_posts(violence ~ party + month, tuning = 1), "corrected"), theirs,
    tolerance = 1e-9
  )
  # With the label as a predictor (Kluger et al. 2025).
  theirs <- coef(lm(likes ~ y + party, s)) + coef(lm(likes ~ f + party, f)) -
    coef(lm(likes ~ f + party, s))
  ours <- by_method(fit_posts(likes ~ violence + party, tuning = 1), "corrected")
  expect_equal(unname(ours), unname(theirs), tolerance = 1e-9)
  # Logistic: the same with three regressions.
  logit <- function(formula, data) {
    suppressWarnings(coef(glm(formula, quasibinomial(), data, epsilon = 1e-14, maxit = 100)))
  }
  theirs <- logit(y ~ party, s) + logit(f ~ party, f) - logit(f ~ party, s)
  ours <- by_method(fit_posts(violence ~ party, family = "logit", tuning = 1), "corrected")
  expect_equal(ours, theirs, tolerance = 1e-9)
})

test_that("the machine's errors are clustered on authors, those of a census too", {
  skip_if_not_installed("sandwich")
  x <- modelled_posts()
  x$posts$d <- as.numeric(x$p >= 0.5)
  theirs <- lm(d ~ party, x$posts)
  model <- fit_posts(violence ~ party, modelled_posts())
  expect_equal(by_method(model, "machine"), coef(theirs), tolerance = 1e-9)
  # Without other covariates, CR2 has a closed form: that of each party on its own.
  expect_equal(
    by_method(model, "machine", "std.error"),
    sqrt(diag(author_sandwich(
      model.matrix(theirs), residuals(theirs), rep(1, 400), x$posts$author
    )$vcov)),
    tolerance = 1e-9
  )
  census <- modelled_posts()
  census$sample <- data.frame(census$images, N_h = 10, n_h = 10)
  census$labels <- data.frame(image_id = census$images$image_id, code = "violence", label = x$truth)
  model <- fit_posts(violence ~ month, census)
  fit <- lm(census$truth ~ month, census$posts)
  sandwich <- author_sandwich(model.matrix(fit), residuals(fit), rep(1, 400), census$posts$author)
  expect_equal(
    by_method(model, "corrected", "std.error"), sqrt(diag(sandwich$vcov)),
    tolerance = 1e-9
  )
  expect_equal(by_method(model, "corrected"), coef(fit), tolerance = 1e-9, ignore_attr = TRUE)
})

test_that("coefficients of the sample are those of survey", {
  skip_if_not_installed("survey")
  x <- modelled_posts()
  x$sample$N_h <- 10 # equal weights within and between clusters, but drawn without replacement
  data <- data.frame(x$posts, y = x$truth, cluster = x$images$cluster)[x$drawn, ]
  design <- survey::svydesign(~1, strata = ~cluster, weights = rep(10 / 3, nrow(data)), data = data)
  theirs <- survey::svyglm(y ~ party + month, design)
  expect_equal(
    by_method(fit_posts(violence ~ party + month, x), "sample"), coef(theirs),
    tolerance = 1e-9
  )
})

test_that("the models that both languages test are what R computes", {
  golden <- read_golden("label-models")
  ours <- golden_label_models(read_labelled())
  expect_equal(golden, as.data.frame(ours), tolerance = 1e-9, ignore_attr = TRUE)
})

test_that("a model of labels prints and tidies", {
  model <- fit_posts(violence ~ party)
  expect_equal(unique(model$method), c("machine", "sample", "corrected"))
  expect_match(
    tibble::tbl_sum(model),
    "linear, violence ~ party; 400 posted images by 30 authors, 120 labelled"
  )
  expect_equal(glance(model)$n_labelled, 120)
  expect_named(tidy(model)[1:4], c("term", "method", "estimate", "std.error"))
  corrected <- dplyr::filter(model, method == "corrected")
  expect_s3_class(corrected, "imagestrata_label_model")
})

test_that("wrong arguments of label_model() are refused", {
  x <- modelled_posts()
  three <- x
  three$labels$label <- rep(c("a", "b", "c"), 40)
  three$predictions <- data.frame(
    image_id = x$images$image_id, code = "violence", label = "a", split = NA
  )
  flat <- x
  flat$posts$apart <- x$truth
  few <- x
  few$labels$label <- c(1, rep(0, 119))
  expect_snapshot(error = TRUE, {
    label_model(violence ~ party, x$labels, x$predictions, x$posts)
    fit_posts("violence ~ party")
    fit_posts(~party)
    fit_posts(likes ~ party)
    fit_posts(violence ~ violence)
    fit_posts(likes ~ log1p(violence))
    fit_posts(label ~ party, code = "arms")
    fit_posts(likes ~ party, code = "violence")
    fit_posts(violence ~ sex)
    fit_posts(violence ~ party, answer = "1")
    fit_posts(violence ~ party, three)
    fit_posts(violence ~ month + I(2 * month))
    fit_posts(likes ~ violence, family = "logit")
    fit_posts(violence ~ apart, flat, family = "logit")
    fit_posts(violence ~ party, few, family = "logit")
    fit_posts(violence ~ party, tuning = 2)
    fit_posts(violence ~ party, author = "who")
  })
  useless <- x
  useless$predictions <- transform(x$predictions, probability = 0.5, decision = FALSE)
  expect_warning(
    label_model(likes ~ violence, useless$labels, useless$predictions, x$posts, x$sample),
    "no finite estimates"
  ) |>
    suppressWarnings()
})
