test_that("a server prints without its key", {
  server <- model_server("llava", "http://localhost:1/v1", api_key = "secret")
  expect_output(print(server), "llava at http://localhost:1/v1")
  expect_false(any(grepl("secret", capture.output(print(server)))))
})

test_that("the key of OpenAI goes to OpenAI only", {
  withr::local_envvar(OPENAI_API_KEY = "precious")
  expect_equal(send_server(model_server("m"), "x")$api_key, "precious")
  expect_equal(send_server(model_server("m", api_key = "own"), "x")$api_key, "own")
  for (url in c("http://localhost:1/v1", "https://api.openai.com.example.org/v1")) {
    expect_null(send_server(model_server("m", url), "x")$api_key)
  }
})

test_that("bad prices are told", {
  expect_error(model_server("m", price = 1), "must be two numbers", class = "imagestrata_error")
})

test_that("a local model is sent as it is", {
  calls <- local_core(describe_images = \(...) toy_table(image_id = "a"))
  folder <- withr::local_tempdir()
  model <- local_model(folder, device = "cpu")
  expect_output(print(model), "on this machine")
  describe_images(folder, model, folder, progress = FALSE)
  expect_equal(calls$describe_images[[2]], list(model = absolute_path(folder), device = "cpu"))
})

test_that("a folder without a model is told", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  expect_error(
    describe_images(imagestrata_example("images"), local_model(folder), folder, progress = FALSE),
    "There are no weights",
    class = "imagestrata_error"
  )
})
