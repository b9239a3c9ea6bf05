test_that("plots look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("training", autoplot(toy_model()))
  vdiffr::expect_doppelganger("scores", autoplot(toy_model(), "scores"))
  vdiffr::expect_doppelganger("confusion", autoplot(toy_model(), "confusion"))
})

test_that("models are called after the settings in which they differ, or as one likes", {
  one <- two <- toy_model()
  two$training <- sub("0.001", "0.01", one$training, fixed = TRUE)
  drawn <- function(plot) levels(plot$data$model)
  expect_equal(
    drawn(autoplot(one, "training", two)), c("learning_rate 0.001", "learning_rate 0.01")
  )
  expect_equal(
    drawn(autoplot(one, "training", faster = two)), c("learning_rate 0.001", "faster")
  )
  expect_equal(drawn(autoplot(one, "training", one)), c("Model 1", "Model 2"))
  kept <- ggplot2::layer_data(autoplot(one, "training", two), 1)
  expect_equal(kept$xintercept, rep(2, 4))
  expect_error(autoplot(one, "training", 7), "fine_tune", class = "imagestrata_error")
})

test_that("a confusion shows the split that was asked for, if the model looked at it", {
  shown <- ggplot2::layer_data(autoplot(toy_model(), "confusion", split = "train"), 2)
  expect_equal(sum(shown$label), 6)
  without <- toy_model(splits = c("train", "val"))
  expect_match(autoplot(without, "confusion")$labels$caption, "validation images")
  expect_snapshot(error = TRUE, {
    autoplot(without, "confusion", split = "test")
    autoplot(toy_model(), "scores", toy_model())
  })
})

test_that("folds have thin lines and dots, and their means thick ones", {
  drawn <- autoplot(toy_fold_model())
  kinds <- vapply(drawn$layers, \(layer) class(layer$geom)[[1]], "")
  dots <- drawn$layers[[which(kinds == "GeomPoint")[1]]]$data
  expect_setequal(dots$epoch, c(2, 3))
  expect_equal(nrow(dots), 4)
  means <- drawn$layers[[utils::tail(which(kinds == "GeomLine"), 2)[1]]]$data
  first <- dplyr::filter(means, .data$measure == "Loss", .data$split == "Validation")
  expect_equal(first$value, c(0.65, 0.525, 0.45))
  expect_match(drawn$labels$caption, "^Thin lines: folds")
  both <- autoplot(toy_model(), "training", folds = toy_fold_model())
  expect_match(both$labels$caption, "^Dotted line.*Thin lines")
  expect_no_error(ggplot2::ggplot_build(both))
  expect_match(autoplot(toy_fold_model(), "scores")$labels$caption, "Out-of-fold .* 4\\simages")
  expect_match(autoplot(toy_fold_model(), "confusion")$labels$caption, "out-of-fold")
  expect_error(
    autoplot(toy_fold_model(), "confusion", split = "test"), "no results for the split"
  )
})
