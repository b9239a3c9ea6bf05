test_that("thresholds are those at which the validation images are labelled best", {
  skip_if_no_core()
  fit <- demo_model()
  best <- calibrate_thresholds(fit)
  expect_equal(best$label, fit$labels)
  expect_true(all(best$estimate >= best$at_half))
  shown <- dplyr::filter(augment(fit), split == "val", label == "writing", !is.na(truth))
  decided <- shown$probability >= best$threshold[2]
  f1 <- 2 * sum(decided & shown$truth == 1) / (sum(decided) + sum(shown$truth == 1))
  expect_equal(best$estimate[2], f1)
  found <- predict(fit, shown$path[1], threshold = "calibrated", progress = FALSE)
  expect_equal(found$threshold, best$threshold, tolerance = 1e-6)
  expect_error(calibrate_thresholds(fit, "luck"), "luck", class = "imagestrata_error")
})
