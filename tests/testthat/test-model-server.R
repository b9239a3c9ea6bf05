test_that("a server shows its key in no way", {
  server <- model_server("llava", "http://localhost:1/v1", api_key = "my-secret")
  expect_output(print(server), "llava at http://localhost:1/v1")
  shown <- capture.output({
    print(server)
    print(list(server))
    print(unclass(server))
    print(as.list(server$api_key))
    str(server)
    str(unclass(server))
    dput(server)
    cat(format(server), format(unclass(server)), toString(server), deparse(server))
    print(tibble::tibble(server = list(server)))
    utils::ls.str(server$api_key)
  })
  expect_false(any(grepl("secret", shown)))
  expect_equal(send_server(server, "x")$api_key, "my-secret")
})

test_that("a key is not written with its server", {
  server <- model_server("llava", "http://localhost:1/v1", api_key = "my-secret")
  file <- withr::local_tempfile()
  saveRDS(server, file, compress = FALSE)
  bytes <- readBin(file, "raw", file.size(file))
  expect_false(grepl("my-secret", rawToChar(bytes[bytes != 0])))
  expect_error(send_server(readRDS(file), "x"), "not contain its key", class = "imagestrata_error")
  keyless <- unserialize(serialize(model_server("m", "http://localhost:1/v1"), NULL))
  expect_null(send_server(keyless, "x")$api_key)
})

test_that("an error shows no key", {
  told <- expect_error(model_server("m", api_key = c("one-secret", "b")), "one piece of text")
  expect_no_match(conditionMessage(told), "secret")
  trace <- tryCatch(
    describe_images(7, model_server("m", api_key = Sys.getenv("HOME")), "run"),
    error = \(error) capture.output(print(error), str(error))
  )
  expect_false(any(grepl(Sys.getenv("HOME"), gsub(getwd(), "", trace, fixed = TRUE), fixed = TRUE)))
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
  expect_equal(calls$describe_images[[2]], list(
    kind = "LocalModel", model = absolute_path(folder), device = "cpu"
  ))
})

test_that("a folder without a model is told", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  expect_error(
    describe_images(imagestrata_example("images"), local_model(folder), folder, progress = FALSE),
    "contains no weights",
    class = "imagestrata_error"
  )
})
