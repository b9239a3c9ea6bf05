toy_packets <- function() {
  tibble::tibble(packet_id = "p001", group = "D", position = 1L, image_id = "a", cluster = 1L)
}

test_that("items are names or a table, and what is left out crosses as nothing", {
  calls <- local_core(export_ratings_page = \(packets, out, ...) out)
  folder <- withr::local_tempdir()
  expect_message(
    written <- withVisible(export_ratings_page(
      toy_packets(), folder,
      items = data.frame(item = c("sad", "glad"), dimension = "mood"), exclude = "b",
      progress = FALSE
    )),
    "For annotators"
  )
  expect_false(written$visible)
  sent <- calls$export_ratings_page
  expect_equal(sent$items, list("sad", "glad"))
  expect_equal(sent$scale, list(0, 10))
  expect_equal(sent$anchors, list("not at all", "extremely"))
  expect_equal(sent$exclude, list("b"))
  expect_null(sent$warning)
  expect_message(export_ratings_page(toy_packets(), folder, items = "sad", progress = FALSE))
  expect_equal(calls$export_ratings_page$items, list("sad"))
  page <- function(...) export_ratings_page(toy_packets(), folder, ...)
  expect_error(page(items = 1), "items", class = "imagestrata_error")
  expect_error(page(items = data.frame(name = "a")), "item", class = "imagestrata_error")
  expect_error(page(scale = 10), "lowest and the highest", class = "imagestrata_error")
  expect_error(page(anchors = NA), "anchors", class = "imagestrata_error")
})

test_that("a page for each packet is written, without what is excluded", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  folder <- withr::local_tempdir()
  hidden <- packets$image_id[1]
  out <- file.path(folder, "pages")
  suppressMessages(export_ratings_page(packets, out, exclude = hidden, progress = FALSE))
  index <- utils::read.csv(file.path(out, "packets.csv"))
  expect_setequal(index$packet_id, packets$packet_id)
  pages <- vapply(file.path(out, index$file), \(f) readChar(f, file.size(f)), "")
  expect_false(any(grepl(hidden, pages)))
  expect_true(all(grepl("data:image/jpeg", pages)))
  expect_error(
    export_ratings_page(packets, out, progress = FALSE), "holds an export already",
    class = "imagestrata_error"
  )
})
