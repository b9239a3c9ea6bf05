test_that("a grid is a named list, whose values keep their kinds", {
  expect_equal(
    check_model_grid(list(freeze = list("backbone", 2), epochs = 5, learning_rate = c(0.1, 1))),
    list(freeze = list("backbone", 2L), epochs = list(5L), learning_rate = list(0.1, 1L))
  )
  expect_snapshot(error = TRUE, {
    tune_model(tempdir(), out = tempfile(), grid = c(epochs = 5))
    tune_model(tempdir(), out = tempfile(), grid = list(5))
    tune_model(tempdir(), out = tempfile(), split = 1)
  })
})

test_that("points are ranked by their loss, and their models can be read", {
  skip_if_no_core()
  out <- withr::local_tempdir()
  tune <- function(rates) {
    tune_model(
      imagestrata_example("images"), imagestrata_example("labels.csv"),
      out = out, grid = list(learning_rate = rates), encoder = "hog", freeze = "backbone",
      epochs = 3, split = c(0.6, 0.4, 0), progress = FALSE
    )
  }
  few <- tune(0.001)
  tried <- tune(c(0.0001, 0.001))
  expect_named(tried, c(
    "classifier", "accuracy", "f1", "precision", "recall", "learning_rate", "loss",
    "best_epoch", "folder"
  ))
  expect_equal(tried$loss, sort(tried$loss))
  expect_equal(tried[tried$learning_rate == 0.001, ], few)
  best <- read_model(tried$folder[1])
  expect_equal(min(tidy(best)$loss[tidy(best)$split == "val"]), tried$loss[1])
  expect_error(
    tune_model(imagestrata_example("images"), out = out, grid = list(luck = 1)), "luck",
    class = "imagestrata_error"
  )
})

test_that("separate classifiers are compared in one table", {
  skip_if_no_core()
  labels <- utils::read.csv(imagestrata_example("labels.csv"))
  tried <- suppressWarnings(tune_model(
    imagestrata_example("images"), labels[c("path", "people", "writing")],
    out = withr::local_tempdir(), grid = list(learning_rate = c(0.0001, 0.01)), separate = TRUE,
    encoder = "hog", freeze = "backbone", epochs = 3, progress = FALSE
  ))
  expect_equal(tried$classifier, c("people", "writing"))
  points <- tidy(tried, "points")
  expect_equal(nrow(points), 4)
  best <- dplyr::slice_min(dplyr::group_by(points, .data$classifier), .data$loss)
  expect_equal(tried$loss, best$loss)
  expect_output(print(tried), "2 labels, each with the best of 2 settings")
  expect_equal(read_model(tried$folder[1])$labels, "people")
})
