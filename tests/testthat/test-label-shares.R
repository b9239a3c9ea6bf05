# Six images in two clusters; two of the first and one of the second are labelled.
shares_six <- data.frame(image_id = letters[1:6], cluster = c(1, 1, 1, 1, 2, 2))
shares_sample <- data.frame(
  image_id = c("a", "b", "e"), cluster = c(1, 1, 2), N_h = c(4, 4, 2), n_h = c(2, 2, 1)
)
shares_labels <- data.frame(image_id = c("a", "b", "e"), code = "protest", label = c(1, 0, 1))
shares_guesses <- data.frame(
  image_id = letters[1:6], label = "protest", probability = c(0.9, 0.2, 0.7, 0.1, 0.15, 0.15),
  decision = c(TRUE, FALSE, TRUE, FALSE, FALSE, FALSE), split = "fold"
)

test_that("six images by hand", {
  table <- label_shares(shares_labels, shares_guesses, shares_sample, clustering = shares_six)
  expect_equal(table$method, c("machine", "sample", "corrected"))
  # Every labelled image stands for two: 4 / 2 and 2 / 1.
  of_labelled <- (0.9 + 0.2 + 0.15) / 3
  of_all <- 2.2 / 6
  # Differences from the mean of cluster 1, with which the lone image e is compared, too; a / sum is
  # 2 / 6. The factors k are (1 - 2 / 4) * 2 / 1 and, for e, 1 - 1 / 2.
  y <- c(0.5, -0.5, 0.5) / 3
  f <- (c(0.9, 0.2, 0.15) - 0.55) / 3
  k <- c(1, 1, 0.5)
  lambda <- (2 * 0.5 * 0.35 - 0.5 * 0.5 * 0.4) / (2 * 0.35^2 + 0.5 * 0.4^2)
  expect_equal(lambda, 10 / 13)
  expect_equal(table$estimate, c(2 / 6, 2 / 3, 2 / 3 + lambda * (of_all - of_labelled)))
  expect_equal(table$lambda, c(NA, NA, lambda))
  influence <- k * f^2 / sum(k * f^2)
  residual <- (y - lambda * f) / (1 - influence)
  expect_equal(table$std.error[2:3]^2, c(2.5 / 36, sum(k * residual^2)))
  expect_equal(table$n_labelled, c(3, 3, 3))
  expect_equal(table$n_predicted, c(6, 6, 6))
  # Two of six images show a protest, and one does not.
  expect_true(all(table$conf.low[2:3] >= 2 / 6 & table$conf.high[2:3] <= 5 / 6))
})

test_that("the golden tables are what R computes", {
  made <- read_labelled()
  expect_equal(made$labels, golden_labelled()$labels, ignore_attr = TRUE)
  found <- golden_label_shares(made)
  expected <- read_golden("label-shares")
  expected$group[is.na(expected$group)] <- ""
  expect_equal(expected, found, tolerance = 1e-9, ignore_attr = TRUE)
})

test_that("estimates of the sample are those of survey", {
  skip_if_not_installed("survey")
  made <- golden_labelled()
  # Strata with at least two labels, and codes without missing ones.
  kept <- made$sample$n_h > 1
  sample <- made$sample[kept, ]
  labels <- made$labels[made$labels$code == "place" & made$labels$image_id %in% sample$image_id, ]
  found <- label_shares(labels, sample = sample)
  data <- merge(sample, labels)
  data$stratum <- paste(data$cluster, data$wave)
  design <- survey::svydesign(~1, strata = ~stratum, fpc = ~N_h, data = data)
  expected <- survey::svymean(~label, design)
  expect_equal(found$estimate, as.vector(expected), tolerance = 1e-12)
  expect_equal(found$std.error, as.vector(survey::SE(expected)), tolerance = 1e-12)
  by_cluster <- label_shares(labels, sample = sample, by = cluster)
  design <- stats::update(design, graphic = as.integer(label == "graphic"))
  expected <- survey::svyby(~graphic, ~cluster, design, survey::svymean)
  first <- by_cluster[by_cluster$label == "graphic", ]
  at <- match(first$cluster, expected$cluster)
  expect_equal(first$estimate, expected$graphic[at], tolerance = 1e-12)
  expect_equal(first$std.error, expected$se[at], tolerance = 1e-12)
})

test_that("the corrected estimate of equal strata is that of calibration in survey", {
  skip_if_not_installed("survey")
  n <- 200
  cluster <- rep(1:4, each = 50)
  truth <- as.integer(scattered(n, 21) < c(0.2, 0.4, 0.6, 0.3)[cluster])
  f <- 0.05 + 0.9 * ifelse(scattered(n, 22) < 0.25, 1 - truth, truth)
  ids <- sprintf("i%03d", seq_len(n))
  drawn <- ave(scattered(n, 23), cluster, FUN = rank) <= 10
  sample <- data.frame(image_id = ids, cluster = cluster, N_h = 50, n_h = 10)[drawn, ]
  labels <- data.frame(image_id = ids[drawn], code = "x", label = truth[drawn])
  guesses <- data.frame(image_id = ids, label = "x", probability = f, split = "fold")
  found <- label_shares(labels, guesses, sample)
  data <- data.frame(sample, y = truth[drawn], f = f[drawn])
  design <- survey::svydesign(~1, strata = ~cluster, fpc = ~N_h, data = data)
  totals <- colSums(stats::model.matrix(~ factor(cluster) + f, data.frame(cluster, f)))
  calibrated <- survey::calibrate(design, ~ factor(cluster) + f, totals)
  expect_gt(found$lambda[3], 0)
  expect_lt(found$lambda[3], 1)
  expect_equal(found$estimate[3], as.vector(survey::svymean(~y, calibrated)), tolerance = 1e-9)
  # Stratified prediction-powered inference (Fisch et al. 2024) with this lambda.
  lambda <- found$lambda[3]
  by_stratum <- vapply(1:4, \(one) {
    lambda * mean(f[cluster == one]) + mean((data$y - lambda * data$f)[data$cluster == one])
  }, 0)
  expect_equal(found$estimate[3], mean(by_stratum), tolerance = 1e-12)
})

test_that("errors by author of a census are those of survey", {
  skip_if_not_installed("survey")
  made <- golden_labelled()
  posts <- made$posts[!duplicated(made$posts[c("post_id", "image_id")]), ]
  n <- nrow(made$images)
  truth <- as.integer(scattered(n, 31) < 0.4)
  sample <- data.frame(image_id = made$images$image_id, cluster = 1, N_h = n, n_h = n)
  labels <- data.frame(image_id = made$images$image_id, code = "x", label = truth)
  found <- label_shares(
    labels,
    sample = sample, weight = "post", linked = posts, clustering = sample
  )
  posts$y <- truth[match(posts$image_id, made$images$image_id)]
  design <- survey::svydesign(~author, weights = ~1, data = posts)
  jackknife <- survey::as.svrepdesign(design, type = "JK1", mse = TRUE)
  expected <- survey::svymean(~y, jackknife)
  expect_equal(found$estimate, as.vector(expected), tolerance = 1e-12)
  expect_equal(found$std.error, as.vector(survey::SE(expected)), tolerance = 1e-12)
  # Without authors, nothing is left to chance.
  exact <- label_shares(
    labels,
    sample = sample, weight = "post", linked = posts, clustering = sample, author = NULL
  )
  expect_equal(c(exact$std.error, exact$conf.low), c(0, exact$estimate))
})

test_that("results print, and tidy() and glance() have their tables", {
  table <- label_shares(
    shares_labels, shares_guesses, shares_sample,
    clustering = shares_six
  )
  expect_snapshot(tbl_sum(table))
  expect_equal(tidy(table)$term, rep("protest", 3))
  expect_equal(glance(table)$n_images, 6)
  expect_s3_class(dplyr::filter(table, method == "corrected"), "imagestrata_label_shares")
  expect_message(dplyr::mutate(table, estimate = 1), "plain tibble")
})

test_that("bad arguments are refused, and few labels reported", {
  posts <- data.frame(
    post_id = 1:6, image_id = letters[1:6], party = c("A", "A", "B", "B", "A", "A")
  )
  expect_snapshot(error = TRUE, {
    label_shares(shares_labels)
    label_shares(shares_labels, shares_guesses, shares_sample, cluster)
    label_shares(shares_labels, shares_guesses, shares_sample, party, clustering = shares_six)
    label_shares(shares_labels, shares_guesses, shares_sample, weight = "post")
    label_shares(shares_labels, shares_guesses, shares_sample, weight = "posts")
    label_shares(shares_labels, shares_guesses, shares_sample, weight = "share")
    label_shares(shares_labels, shares_guesses, shares_sample, conf_level = 95)
    label_shares(shares_labels, shares_guesses, shares_sample, linked = posts)
    label_shares(
      shares_labels, shares_guesses, shares_sample, party,
      weight = "post", linked = posts
    )
  })
  expect_snapshot({
    x <- label_shares(shares_labels, shares_guesses, shares_sample, party, linked = posts)
  })
})

test_that("strata without labels are named", {
  made <- golden_labelled()
  expect_snapshot({
    x <- label_shares(made$labels[made$labels$code == "protest", ], sample = made$sample)
  })
})

test_that("labels of a large cluster that agree have an interval", {
  sample <- data.frame(
    image_id = letters[1:16], cluster = rep(1:2, each = 8), N_h = rep(c(900, 100), each = 8),
    n_h = 8
  )
  labels <- data.frame(image_id = letters[1:16], code = "x", label = c(rep(1, 8), rep(1:0, 4)))
  row <- label_shares(labels, sample = sample)
  expect_equal(row$estimate, 0.95)
  # Up to 37% of the 892 images without a label may differ although none of eight does.
  exact <- 0.892 * (1 - 0.025^(1 / 8))
  expect_equal(row$conf.low, 0.95 - exact / 2)
})
