test_that("a plan by hand", {
  # Two clusters of 100 and 300 images, four labels of each: variances 1 / 3 and 0. That of all is
  # their mean with weights 100 and 300: 1 / 12.
  sample <- data.frame(
    image_id = letters[1:8], cluster = rep(1:2, each = 4), N_h = rep(c(100, 300), each = 4), n_h = 4
  )
  labels <- data.frame(image_id = letters[1:8], code = "x", label = c(1, 0, 0, 1, 0, 0, 0, 0))
  plan <- plan_labels(labels, sample = sample, width = 0.1)
  expect_equal(plan$sd^2, c(3 * (1 / 3) + 4 / 12, 4 / 12) / 7)
  # Neyman's numbers are as 100 * sd to 300 * sd.
  n <- plan$n_labelled + plan$n_next
  expect_equal(n[2] / n[1], 300 * plan$sd[2] / (100 * plan$sd[1]), tolerance = 0.05)
  share <- c(0.25, 0.75)
  parts <- share^2 * plan$sd^2 * (1 / n - 1 / c(100, 300))
  df <- sum(parts)^2 / sum(parts^2 / (n - 1))
  width <- 2 * stats::qt(0.975, df) * sqrt(sum(parts))
  expect_equal(tidy(plan, "needed")$width_planned, width)
  expect_lte(width, 0.1)
  # One image less of either cluster is too few.
  fewer <- planned_width(c(100, 300), plan$sd, n - c(1, 1), 0.95, FALSE)
  expect_gt(fewer, 0.1)
  expect_snapshot(tbl_sum(plan))
  expect_equal(glance(plan)$n_next, sum(plan$n_next))
})

test_that("the golden tables of plans are what R computes", {
  expected <- read_golden("label-plan")
  found <- golden_label_plan(read_labelled())
  expect_equal(expected, found, tolerance = 1e-9, ignore_attr = TRUE)
})

test_that("bad arguments are refused", {
  made <- golden_labelled()
  plan <- function(...) plan_labels(made$labels, NULL, made$sample, ...)
  suppressWarnings(expect_snapshot(error = TRUE, {
    plan_labels(made$labels, width = 0.1)
    plan(width = 0)
    plan(width = 0.1)
    plan(width = 0.1, code = "flag")
    plan(width = 0.1, code = "place", by = "cluster")
    plan(width = 0.1, code = "place", by = "n_copies", clustering = made$images)
  }))
})
