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
  expect_snapshot(error = TRUE, {
    autoplot(toy_model(splits = c("train", "val")), "confusion")
    autoplot(toy_model(), "scores", toy_model())
  })
})
