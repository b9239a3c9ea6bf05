test_that("what is left out crosses as nothing, and ids as a list", {
  calls <- local_core(export_pairs = \(pairs, out, ...) out)
  file <- withr::local_tempfile(fileext = ".html")
  pairs <- tibble::tibble(pair_id = "p1", image_a = "a", image_b = "b")
  expect_message(
    written <- withVisible(export_pairs(pairs, file, exclude = "a", progress = FALSE)),
    "For annotators"
  )
  expect_false(written$visible)
  expect_equal(written$value, absolute_path(file))
  sent <- calls$export_pairs
  expect_equal(decode_table(sent$pairs), pairs)
  expect_equal(sent$exclude, list("a"))
  expect_null(sent$question)
  expect_error(export_pairs("p1", file), "data frame", class = "imagestrata_error")
  expect_error(export_pairs(pairs, file, exclude = TRUE), "exclude", class = "imagestrata_error")
})

test_that("a page, a table and tasks are written", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  topics <- demo_topics()
  pairs <- tibble::tibble(
    pair_id = c("p1", "p2"),
    image_a = topics$image_id[1:2], path_a = topics$path[1:2],
    image_b = topics$image_id[3:4], path_b = topics$path[3:4]
  )
  write <- function(name, ...) {
    suppressMessages(export_pairs(pairs, file.path(folder, name), ..., progress = FALSE))
  }
  page <- write("a.html")
  expect_match(readChar(page, file.size(page)), "data:image/jpeg", fixed = TRUE)
  table <- utils::read.csv(write("b.csv", to = "csv"))
  expect_equal(table$pair_id, pairs$pair_id)
  tasks <- write("c.json", to = "labelstudio", graded = TRUE, base_url = "https://x")
  expect_equal(jsonlite::fromJSON(tasks)$data$pair_id, pairs$pair_id)
  expect_true(file.exists(file.path(folder, "c-config.xml")))
  expect_error(write("a.html"), "exists already", class = "imagestrata_error")
})
