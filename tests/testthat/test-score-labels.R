ids <- letters[1:6]
six_labels <- data.frame(image_id = ids, code = "flag", label = c(1, 1, 0, 0, 1, 0))
six_predictions <- data.frame(
  image_id = ids, label = "flag", probability = c(0.9, 0.4, 0.6, 0.1, 0.8, 0.3),
  decision = c(TRUE, FALSE, TRUE, FALSE, TRUE, FALSE), split = NA
)
six_sample <- data.frame(
  image_id = ids, cluster = c(1, 1, 2, 2, 3, 3), N_h = c(10, 10, 4, 4, 2, 2), n_h = 2
)

test_that("scores of six images are those worked by hand", {
  table <- quietly(score_labels(six_labels, six_predictions, six_sample))
  value <- rlang::set_names(table$estimate, table$measure)
  # Weights are 5, 5, 2, 2, 1, 1. People see flags in a, b, e; the machine in a, c, e.
  expect_equal(value[["precision"]], (5 + 1) / (5 + 2 + 1))
  expect_equal(value[["recall"]], (5 + 1) / (5 + 5 + 1))
  expect_equal(value[["specificity"]], (2 + 1) / (2 + 2 + 1))
  expect_equal(value[["f1"]], 2 * 6 / (2 * 6 + 2 + 5))
  expect_equal(value[["brier"]], (5 * (0.01 + 0.36) + 2 * (0.36 + 0.01) + 0.04 + 0.09) / 16)
  variance <- 0.8 * 2 * 2 * (5 / 32)^2 + 0.5 * 2 * 2 * (2 / 32)^2
  expect_equal(table$std.error[table$measure == "accuracy"], sqrt(variance))
})

test_that("ratios and their errors are those of survey", {
  skip_if_not_installed("survey")
  n <- 240
  y <- as.numeric(scattered(n, 1) < 0.4)
  decision <- ifelse(scattered(n, 2) < 0.2, 1 - y, y) == 1
  group <- ifelse(scattered(n, 3) < 0.5, "a", "b")
  of <- data.frame(
    image_id = paste0("i", seq_len(n)), cluster = rep(1:4, each = 60),
    N_h = rep(c(200, 60, 100, 400), each = 60), n_h = 60
  )
  scores <- quietly(score_labels(
    data.frame(image_id = of$image_id, code = "flag", label = y),
    data.frame(image_id = of$image_id, label = "flag", decision = decision, split = NA),
    of, group, data.frame(image_id = of$image_id, group = group)
  ))
  data <- cbind(of, y = y, d = as.numeric(decision))
  design <- survey::svydesign(~1, strata = ~cluster, fpc = ~N_h, data = data)
  ours <- function(measure, in_group) {
    row <- scores[scores$measure == measure & scores$group == in_group, ]
    unlist(row[c("estimate", "std.error")], use.names = FALSE)
  }
  theirs <- function(ratio) c(unname(stats::coef(ratio)), as.vector(survey::SE(ratio)))
  for (g in c("a", "b")) {
    part <- subset(design, group == g)
    found <- quietly(list(
      precision = theirs(survey::svyratio(~ I(y * d), ~d, part)),
      recall = theirs(survey::svyratio(~ I(y * d), ~y, part)),
      accuracy = theirs(survey::svyratio(~ I(1 * (y == d)), ~ I(0 * y + 1), part))
    ))
    for (measure in names(found)) {
      expect_equal(quietly(ours(measure, g)), found[[measure]], tolerance = 1e-10)
    }
  }
})

test_that("the scores that both languages test are what R computes", {
  scores <- golden_label_scores(read_labelled())
  for (name in c("scores", "differences", "calibration", "confusion")) {
    golden <- read_golden(paste0("label-", name))
    golden[] <- Map(\(x, y) if (is.character(y)) as.character(x) else x, golden, tidy(scores, name))
    expect_equal(golden, tidy(scores, name), tolerance = 1e-10, ignore_attr = TRUE)
  }
})

test_that("a score of 1 is uncertain, unless all images are labelled", {
  right <- transform(six_predictions, decision = six_labels$label == 1)
  table <- quietly(score_labels(six_labels, right))
  precision <- table[table$measure == "precision", ] |> quietly()
  expect_equal(c(precision$estimate, precision$conf.high), c(1, 1))
  expect_gt(precision$conf.low, 0.2)
  expect_lt(precision$conf.low, 0.6)
  all <- transform(six_sample, cluster = 1, N_h = 6, n_h = 6)
  census <- quietly(score_labels(six_labels, right, all))
  expect_equal(census$conf.low[census$measure == "precision"], 1)
})

test_that("scores print, subset and draw", {
  scores <- golden_label_scores(read_labelled())
  expect_match(tibble::tbl_sum(scores), "59 labelled images; weighted to the corpus; 95% intervals")
  expect_s3_class(dplyr::filter(scores, code == "protest"), "imagestrata_label_scores")
  expect_equal(glance(scores)$n_codes, 2)
  protest <- dplyr::filter(scores, code == "protest")
  vdiffr::expect_doppelganger("scores by party", autoplot(protest))
  vdiffr::expect_doppelganger("calibration by party", autoplot(protest, "calibration"))
  vdiffr::expect_doppelganger("scores of answers", autoplot(scores, measures = c("recall", "bias")))
  expect_match(ggplot2::get_alt_text(autoplot(protest, "calibration")), "by party: D, R")
})

test_that("wrong arguments of score_labels() are refused", {
  images <- data.frame(image_id = ids, group = rep(c("x", "y"), each = 3), n = 1)
  machine <- data.frame(six_labels, annotator = "model:m")
  strange <- transform(images, image_id = "x")
  expect_snapshot(error = TRUE, {
    score_labels(six_labels, six_predictions, images = images)
    score_labels(six_labels, six_predictions, by = group)
    score_labels(six_labels, six_predictions, by = sex, images = images)
    score_labels(six_labels, six_predictions, by = n, images = images)
    score_labels(six_labels, six_predictions, by = group, images = strange)
    score_labels(six_labels, machine, threshold = 0.3)
    score_labels(transform(six_labels, label = 1:6), transform(machine, label = 1:6))
    score_labels(six_labels, transform(six_predictions, image_id = letters[21:26]))
    score_labels(six_labels, transform(six_predictions, split = "train"))
    autoplot(quietly(score_labels(six_labels, machine)), "calibration")
  })
  expect_warning(score_labels(six_labels, six_predictions), "fewer than 10 labelled images")
  all <- capture_warnings(
    score_labels(six_labels, six_predictions, by = group, images = images[-1, ])
  )
  expect_match(all, "1 labelled image is left out, without a subgroup", all = FALSE)
})
