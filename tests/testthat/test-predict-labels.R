test_that("thresholds are a number, a word, or a number for each label", {
  expect_equal(check_threshold(0.4), 0.4)
  expect_equal(check_threshold("calibrated"), "calibrated")
  expect_equal(check_threshold(c(crowd = 0.4)), list(crowd = 0.4))
  expect_snapshot(error = TRUE, {
    predict_labels(tempdir(), tempdir(), threshold = c(0.4, 0.6))
    predict_labels(tempdir(), tempdir(), threshold = c(crowd = "much"))
    predict_labels(tempdir(), tempdir(), threshold = c(crowd = 0.4, crowd = 0.6))
  })
})

test_that("predict() is predict_labels() with the model first", {
  calls <- local_core(predict_labels = \(...) toy_table(image_id = "a", label = "crowd"))
  folder <- withr::local_tempdir()
  predict(toy_model(folder), folder, threshold = c(crowd = 0.3), progress = FALSE)
  expect_equal(calls$predict_labels[[2]], list(kind = "path", path = absolute_path(folder)))
  expect_equal(calls$predict_labels$threshold, list(crowd = 0.3))
})

test_that("new images are labelled, from files and from vectors alike", {
  skip_if_no_core()
  fit <- demo_model()
  folder <- imagestrata_example("images")
  found <- predict_labels(folder, fit, progress = FALSE)
  expect_named(
    found,
    c(
      "image_id", "path", "file", "label", "probability", "decision", "threshold", "split",
      "annotator", "reason"
    )
  )
  expect_equal(found$decision, found$probability >= 0.5)
  seen <- augment(fit)
  expect_equal(found$split, seen$split[match(found$image_id, seen$image_id)])
  vectors <- embed_images(folder, model = fit, progress = FALSE)
  expect_equal(predict(fit, vectors, progress = FALSE), found)
  files <- augment(fit)$path[1]
  expect_equal(
    predict(fit, files, progress = FALSE)$probability, found$probability[1:3],
    tolerance = 1e-5
  )
  other <- predict(
    fit, files,
    threshold = c(people = 0.1, writing = 0.2, outdoors = 0.3), progress = FALSE
  )
  expect_equal(other$threshold, c(0.1, 0.2, 0.3), tolerance = 1e-6)
  expect_error(
    predict(fit, files, threshold = c(people = 0.1, crowd = 0.2), progress = FALSE), "crowd",
    class = "imagestrata_error"
  )
})

test_that("vectors of another encoder are refused", {
  skip_if_no_core()
  vectors <- embed_images(
    imagestrata_example("images"),
    encoder = "hog", resize = "squish", progress = FALSE
  )
  expect_error(predict(demo_model(), vectors), "resize", class = "imagestrata_error")
})
