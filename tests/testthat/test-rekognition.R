test_that("a service says what it is, and takes numbers and words", {
  service <- rekognition("celebrities", region = "eu-west-1")
  expect_output(print(service), "<Amazon Rekognition, celebrities, in eu-west-1>")
  expect_error(rekognition(price = "a"), "must be one number", class = "imagestrata_error")
})

test_that("faces come with a warning before anything is sent", {
  skip_if_no_core()
  expect_output(print(rekognition("faces")), "faces")
  expect_warning(
    expect_error(
      tag_images(
        imagestrata_example("images"), rekognition("faces"),
        out = withr::local_tempdir(), progress = FALSE
      ),
      "leave this machine.*\\(faces\\)",
      class = "imagestrata_error"
    ),
    "guesses from looks"
  )
})

test_that("keys of R's environment go along, and are not part of the service", {
  withr::local_envvar(
    AWS_ACCESS_KEY_ID = "key", AWS_SECRET_ACCESS_KEY = "words", AWS_SESSION_TOKEN = NA,
    AWS_PROFILE = NA
  )
  calls <- local_core(tag_images = \(...) toy_table(image_id = "a", label = "red"))
  service <- rekognition()
  tag_images(
    withr::local_tempdir(), service, budget = 2, consent = TRUE, out = withr::local_tempdir(),
    progress = FALSE
  )
  sent <- calls$tag_images[[2]]
  expect_equal(
    sent$environment, list(AWS_ACCESS_KEY_ID = "key", AWS_SECRET_ACCESS_KEY = "words")
  )
  expect_equal(sent$operation, "labels")
  expect_null(service$environment)
  expect_equal(calls$tag_images$budget, 2)
  expect_true(calls$tag_images$consent)
})

test_that("costs are told and consent is asked for", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  service <- rekognition(price = 0.5)
  costs <- costs(folder, service, progress = FALSE)
  expect_equal(costs$cost, costs$n_images / 2)
  expect_equal(costs$spent, 0)
  expect_error(
    tag_images(folder, service, out = withr::local_tempdir(), progress = FALSE),
    "leave this machine.*rekognition.us-east-1.amazonaws.com.*Nothing has been sent yet",
    class = "imagestrata_error"
  )
  expect_error(costs(folder, "resnet18"), "rekognition",
    class = "imagestrata_error"
  )
  expect_error(costs(folder, rekognition("hands"), progress = FALSE), "operation",
    class = "imagestrata_error"
  )
})
