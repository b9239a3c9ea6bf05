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
  expect_true(all(found$conf.low < found$estimate & found$estimate < found$conf.high))
  expect_true("krippendorff_alpha_ordinal" %in% agreement(two_annotators(), "ordinal")$measure)
})

test_that("perfect agreement leaves an interval", {
  skip_if_no_core()
  judged <- two_annotators()
  judged$judgement[11:20] <- judged$judgement[1:10]
  found <- agreement(judged)
  expect_equal(found$estimate, rep(1, 6))
  expect_equal(found$conf.high, rep(1, 6))
  expect_true(all(found$conf.low > 0.5 & found$conf.low < 0.95))
})

test_that("graded judgements have weighted kappas, by the formula of irr::kappa2()", {
  skip_if_no_core()
  one <- c(0, 1, 2, 0, 2, 1, 1, 2)
  other <- c(0, 1, 2, 1, 0, 1, 2, 2)
  judged <- data.frame(
    pair_id = rep(seq_along(one), 2), annotator = rep(c("anna", "ben"), each = 8),
    judgement = c(one, other)
  )
  found <- agreement(judged)
  observed <- prop.table(table(factor(one, 0:2), factor(other, 0:2)))
  expected <- outer(rowSums(observed), colSums(observed))
  steps <- abs(outer(0:2, 0:2, "-"))
  for (power in 1:2) {
    kappa <- 1 - sum(steps^power * observed) / sum(steps^power * expected)
    name <- c("cohen_kappa_linear", "cohen_kappa_quadratic")[[power]]
    expect_equal(found$estimate[found$measure == name], rep(kappa, 2))
  }
  expect_false(any(grepl("kappa_", agreement(judged, level = "nominal")$measure)))
})

test_that("an undefined kappa leaves the others their mean", {
  skip_if_no_core()
  judged <- data.frame(
    pair_id = rep(1:6, 3), annotator = rep(c("a", "b", "c"), each = 6),
    judgement = c(rep(1, 12), 1, 1, 1, 0, 0, 1)
  )
  expect_warning(found <- agreement(judged), "undefined for 1 of 3 pairs")
  kappas <- found[found$measure == "cohen_kappa", ]
  expect_equal(is.na(kappas$estimate), c(TRUE, FALSE, FALSE, FALSE))
  expect_equal(kappas$estimate[4], mean(kappas$estimate[2:3]))
})

test_that("each question is measured by itself", {
  skip_if_no_core()
  one <- two_annotators()
  other <- one
  other$judgement[1:5] <- 0
  both <- dplyr::bind_rows(things = one, ideas = other, .id = "question")
  found <- agreement(both)
  expect_equal(found[found$question == "things", -1], agreement(one))
  expect_equal(found[found$question == "ideas", -1], agreement(other))
})

test_that("one annotator has nobody to agree with", {
  skip_if_no_core()
  expect_error(agreement(two_annotators()[1:10, ]), "one annotator", class = "imagestrata_error")
  expect_error(agreement(1:3), "data frame", class = "imagestrata_error")
})
