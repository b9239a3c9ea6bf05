two_annotators <- function() {
  data.frame(
    pair_id = rep(paste0("p", 1:10), 2),
    annotator = rep(c("anna", "ben"), each = 10),
    judgement = c(1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1)
  )
}

test_that("two annotators agree as counted by hand", {
  skip_if_no_core()
  found <- agreement(two_annotators())
  estimate <- rlang::set_names(found$estimate, paste(found$measure, found$annotators))
  expect_equal(estimate[["percent_agreement anna, ben"]], 0.8)
  expect_equal(estimate[["cohen_kappa all"]], 0.6)
  expect_equal(estimate[["krippendorff_alpha_nominal all"]], 1 - 4 / (200 / 19))
  expect_true(all(found$conf_low < found$estimate & found$estimate < found$conf_high))
  expect_true("krippendorff_alpha_ordinal" %in% agreement(two_annotators(), "ordinal")$measure)
})

test_that("one annotator has nobody to agree with", {
  skip_if_no_core()
  expect_error(agreement(two_annotators()[1:10, ]), "one annotator", class = "imagestrata_error")
  expect_error(agreement(1:3), "data frame", class = "imagestrata_error")
})
