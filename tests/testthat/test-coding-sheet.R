test_that("codes reach Python as names or as names with answers", {
  calls <- local_core(coding_sheet = \(...) toy_table(image_id = "a"))
  out <- withr::local_tempfile(fileext = ".html")
  write <- function(codes, ...) {
    suppressMessages(coding_sheet(toy_clustering(), out, codes, ..., progress = FALSE))
    calls$coding_sheet
  }
  expect_equal(write("frame")$codes$text, '["frame"]')
  codes <- list(people = c("yes", "no"), frame = NULL)
  expect_equal(write(codes)$codes$text, '{"people":["yes","no"],"frame":null}')
  sent <- write(c("a", "b"), columns = "account", exclude = "x", clusters = 1)
  expect_equal(sent$columns, list("account"))
  expect_equal(sent$exclude, list("x"))
  expect_error(write(list(1)), "must be names of codes", class = "imagestrata_error")
})

test_that("a sheet goes out and comes back", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
  page <- file.path(folder, "sheet.html")
  expect_message(
    sheet <- coding_sheet(
      topics, page, list(people = c("yes", "no"), frame = NULL),
      n = 2, clusters = 1:2, progress = FALSE
    ),
    "For annotators"
  )
  expect_equal(sheet$certainty, rep(rep(c("most", "least"), each = 2), 2))
  expect_equal(sheet$rank, rep(1:2, 4))
  expect_true(file.exists(page))
  filled <- utils::read.csv(file.path(folder, "sheet.csv"), colClasses = "character")
  filled$frame[1:8] <- "conflict"
  filled$people <- "yes"
  file <- file.path(folder, "anna.csv")
  utils::write.csv(filled, file, row.names = FALSE)
  labels <- suppressMessages(read_labels(file, sheet))
  expect_equal(nrow(labels), 16)
  expect_equal(
    unlist(labels[1, c("annotator", "code", "label")], use.names = FALSE),
    c("anna", "people", "yes")
  )
  expect_equal(unique(labels$image_id), sheet$image_id)
  again <- suppressMessages(read_labels(file, file.path(folder, "sheet-key.csv")))
  expect_equal(again, labels)
  expect_error(
    coding_sheet(topics, page, "frame", progress = FALSE), "exists already",
    class = "imagestrata_error"
  )
})
