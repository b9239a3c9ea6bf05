test_that("links have the names of their groups, and a server is stopped and printed", {
  running <- TRUE
  calls <- local_core(
    serve_forms = \(folder, ...) {
      list(
        process = 3L, folder = folder, address = "http://127.0.0.1:1",
        groups = list("D", ""), links = list("http://127.0.0.1:1/r/a", "http://127.0.0.1:1/r/b"),
        researcher = "http://127.0.0.1:1/w/c/"
      )
    },
    server_runs = \(number) running,
    stop_server = \(number) {
      running <<- FALSE
      NULL
    }
  )
  expect_message(
    server <- serve_forms("forms", port = 0, completion_code = "DONE"), "running.*D: http"
  )
  expect_s3_class(server, "imagestrata_form_server")
  expect_equal(server$links[["D"]], "http://127.0.0.1:1/r/a")
  sent <- calls$serve_forms
  expect_equal(sent$port, 0)
  expect_equal(sent$completion_code, "DONE")
  expect_null(sent$address)
  expect_output(print(server), "running.*D: http.*annotators: http.*for you alone: http")
  expect_invisible(close(server))
  expect_equal(calls$stop_server[[1]], 3L)
  expect_output(print(server), "stopped")
  expect_error(serve_forms("forms", port = "x"), "port", class = "imagestrata_error")
  expect_error(serve_forms("forms", address = 1), "address", class = "imagestrata_error")
  expect_error(serve_forms("forms", ports = 1), class = "imagestrata_error")
})

test_that("answers are collected by a server and read", {
  skip_without("starlette")
  skip_without("uvicorn")
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  folder <- file.path(withr::local_tempdir(), "forms")
  suppressMessages(
    export_packets(packets, folder, "server", items = c("sad", "glad"), progress = FALSE)
  )
  out <- file.path(dirname(folder), "answers.csv")
  expect_error(export_answers(folder, out), "Nobody has answered", class = "imagestrata_error")
  server <- suppressMessages(serve_forms(folder, port = 0))
  withr::defer(close(server))
  expect_setequal(names(server$links), unique(packets$group))
  group <- names(server$links)[1]
  # A visitor, as the page in her browser acts for her.
  post <- function(address, body) {
    urllib <- reticulate::import("urllib.request", convert = FALSE)
    request <- urllib$Request(
      address,
      data = reticulate::py_eval("str.encode")(as.character(body)),
      headers = list(`Content-Type` = "application/json", Origin = server$address)
    )
    reply <- reticulate::py_to_r(urllib$urlopen(request)$read()$decode())
    jsonlite::fromJSON(reply)
  }
  begun <- post(paste0(server$links[[group]], "/begin"), '{"id": "panel1", "code": null}')
  own <- paste0(server$address, sub("^[.][.]", "", begun$go))
  page <- paste(readLines(own, warn = FALSE), collapse = "\n")
  images <- strsplit(sub('(?s).*"images":\\["(.*?)"\\].*', "\\1", page, perl = TRUE), '","')[[1]]
  expect_false(any(vapply(packets$image_id, grepl, NA, x = page, fixed = TRUE)))
  for (i in seq_along(images)) {
    said <- post(paste0(own, "answers"), sprintf(
      '{"sequence": "r-%08d", "task": "%s", "value": {"ratings": {"sad": %d, "glad": 3},
        "skipped": false, "seconds": 2, "order": ["glad", "sad"]}}',
      i, images[i], i
    ))
  }
  expect_equal(said$left, 0)
  expect_message(file <- export_answers(folder, out), "Answers")
  items <- data.frame(item = c("sad", "glad"), dimension = "mood")
  ratings <- read_ratings(file, items = items)
  expect_equal(ratings$rating[ratings$item == "sad"], as.numeric(seq_along(images)))
  expect_equal(unique(as.character(ratings$group)), group)
  expect_equal(unique(ratings$respondent_id), "panel1")
  # The table of people is no file of answers.
  expect_equal(nrow(read_ratings(c(dirname(out)), items = items)), nrow(ratings))
})
