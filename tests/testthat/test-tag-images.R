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
    several = list(list("a photo of a protest", "a march"), "a photo"),
    names = list("protest", "other")
  ))
  expect_equal(calls$tag_images$calibrate$kind, "table")
  tag_images(folder, labels = c(protest = "a march", other = "a photo"), progress = FALSE)
  expect_equal(calls$tag_images$labels$several, list("a march", "a photo"))
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

test_that("a model and its questions are sent", {
  calls <- local_core(tag_images = \(...) toy_table(image_id = "a", code = "protest", label = "1"))
  model <- model_server("llava", "http://localhost:1/v1", price = c(1, 2))
  folder <- withr::local_tempdir()
  tag_images(folder, model,
    questions = list(
      protest = "Is it a protest?",
      place = list("Where?", c("street", "indoors")),
      mood = list("Which?", c(calm = "nobody moves", angry = "fists")),
      people = list("How many?", 0:2)
    ),
    out = folder, budget = 3, progress = FALSE
  )
  sent <- calls$tag_images
  expect_equal(sent[[2]]$kind, "ModelServer")
  expect_equal(sent$questions$names, list("protest", "place", "mood", "people"))
  asked <- sent$questions$several
  expect_equal(asked[[1]], "Is it a protest?")
  expect_equal(asked[[2]]$several, list("Where?", list("street", "indoors")))
  expect_equal(asked[[3]]$several[[2]]$names, list("calm", "angry"))
  expect_equal(asked[[3]]$several[[2]]$several, list("nobody moves", "fists"))
  expect_equal(asked[[4]]$several[[2]], list(0L, 1L, 2L))
  for (wrong in list("a", list("a"), list(a = 1), list(a = list("b")))) {
    expect_error(
      tag_images(folder, model, questions = wrong, out = folder, progress = FALSE), "questions",
      class = "imagestrata_error"
    )
  }
})

test_that("the costs of a model's answers are estimated, and nothing is sent without consent", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  server <- model_server("big", "https://models.example.org/v1", api_key = "k", price = c(1, 2))
  questions <- list(
    protest = "Is it a protest?", place = list("Where?", c(street = "outside", indoors = "inside")),
    people = list("How many?", 0:2)
  )
  found <- costs(folder, server, questions = questions, progress = FALSE)
  expect_equal(found$cost, (found$tokens_in + 2 * found$tokens_out) / 1e6)
  expect_error(
    tag_images(
      folder, server,
      questions = questions, out = withr::local_tempdir(), progress = FALSE
    ),
    "leave this machine.*with 3 questions",
    class = "imagestrata_error"
  )
})
