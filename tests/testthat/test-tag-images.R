test_that("labels are sent as a list", {
  calls <- local_core(tag_images = \(...) toy_table(image_id = "a", label = "red"))
  tag_images(withr::local_tempdir(), labels = "red", progress = FALSE)
  expect_equal(calls$tag_images$labels, list("red"))
})

test_that("labels are counted by images", {
  skip_if_no_core()
  tags <- data.frame(
    image_id = c("a", "a", "b", "c"),
    label = c("dog", "ball", "dog", NA),
    confidence = c(0.5, 0.1, 0.7, NA)
  )
  counted <- tag_frequencies(tags)
  expect_equal(counted$label, c("dog", "ball"))
  expect_equal(counted$n_images, c(2, 1))
  expect_equal(counted$share, c(2, 1) / 3)
  expect_equal(counted$mean_confidence, c(0.6, 0.1))
})

test_that("what is no classifier of torchvision is told", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  expect_error(tag_images(folder, "hog", progress = FALSE), "has no labels",
    class = "imagestrata_error"
  )
})

test_that("labels with captions are sent by name", {
  calls <- local_core(tag_images = \(...) toy_table(image_id = "a", label = "protest"))
  folder <- withr::local_tempdir()
  labels <- list(protest = c("a photo of a protest", "a march"), other = "a photo")
  by_hand <- data.frame(image_id = "a", label = "protest")
  tag_images(folder, "clip:ViT-B-32", labels = labels, calibrate = by_hand, progress = FALSE)
  expect_equal(calls$tag_images$labels, list(
    kind = "several",
    several = list(list("a photo of a protest", "a march"), list("a photo")),
    names = list("protest", "other")
  ))
  expect_equal(calls$tag_images$calibrate$kind, "table")
  tag_images(folder, labels = c(protest = "a march", other = "a photo"), progress = FALSE)
  expect_equal(calls$tag_images$labels$several, list(list("a march"), list("a photo")))
  expect_error(
    tag_images(folder, labels = list(a = "x", "y"), progress = FALSE), "a name of its own",
    class = "imagestrata_error"
  )
})

test_that("labels in words are checked before the network is loaded", {
  skip_if_no_core()
  expect_error(
    tag_images(
      imagestrata_example("images"), "clip:ViT-B-32", labels = c(protest = "a march"),
      progress = FALSE
    ),
    "exclude each other",
    class = "imagestrata_error"
  )
})
