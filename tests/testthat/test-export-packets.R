toy_packets <- function() {
  tibble::tibble(packet_id = "p001", group = "D", position = 1L, image_id = "a", cluster = 1L)
}

test_that("items are names or a table, and what is left out crosses as nothing", {
  calls <- local_core(export_packets = \(packets, out, ...) out)
  folder <- withr::local_tempdir()
  expect_message(
    written <- withVisible(export_packets(
      toy_packets(), folder,
      items = data.frame(item = c("sad", "glad"), dimension = "mood"), exclude = "b",
      progress = FALSE
    )),
    "For annotators"
  )
  expect_false(written$visible)
  sent <- calls$export_packets
  expect_equal(sent$items, list("sad", "glad"))
  expect_equal(sent$scale, list(0, 10))
  expect_equal(sent$anchors, list("not at all", "extremely"))
  expect_equal(sent$exclude, list("b"))
  expect_null(sent$warning)
  expect_message(export_packets(toy_packets(), folder, items = "sad", progress = FALSE))
  expect_equal(calls$export_packets$items, list("sad"))
  page <- function(...) export_packets(toy_packets(), folder, ...)
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
  suppressMessages(export_packets(packets, out, exclude = hidden, progress = FALSE))
  index <- utils::read.csv(file.path(out, "packets.csv"))
  expect_setequal(index$packet_id, packets$packet_id)
  pages <- vapply(file.path(out, index$file), \(f) readChar(f, file.size(f)), "")
  expect_false(any(grepl(hidden, pages)))
  expect_true(all(grepl("data:image/jpeg", pages)))
  expect_error(
    export_packets(packets, out, progress = FALSE), "already contains an export",
    class = "imagestrata_error"
  )
})

test_that("tasks and their configuration are written", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  folder <- withr::local_tempdir()
  write <- function(name, ...) {
    suppressMessages(export_packets(
      packets, file.path(folder, name),
      to = "labelstudio", ..., progress = FALSE
    ))
  }
  tasks <- jsonlite::fromJSON(file.path(write("embedded"), "tasks.json"))$data
  expect_equal(tasks$image_id, packets$image_id)
  expect_equal(tasks$group, packets$group)
  expect_true(all(startsWith(tasks$image, "data:image/jpeg")))
  hosted <- write("hosted", base_url = "https://x.org", items = "sad", warning = "Beware")
  tasks <- jsonlite::fromJSON(file.path(hosted, "tasks.json"))$data
  expect_equal(tasks$image, paste0("https://x.org/", packets$image_id, ".jpg"))
  config <- readLines(file.path(hosted, "config.xml"))
  expect_equal(sum(grepl("<Choices name=\"sad\"", config)), 1)
  expect_equal(sum(grepl("Beware", config)), 1)
  expect_error(write("hosted", base_url = 1), "base_url", class = "imagestrata_error")
})

test_that("a survey, its loop, its packets and its images are written", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  out <- file.path(withr::local_tempdir(), "survey")
  expect_message(
    export_packets(
      packets, out, "qualtrics",
      base_url = "https://www.example.org/i/", items = c("sad", "glad"), progress = FALSE
    ),
    "For annotators"
  )
  survey <- readLines(file.path(out, "survey.txt"))
  expect_equal(survey[1], "[[AdvancedFormat]]")
  expect_true(all(c("[[ED:image_2]]", "[[ID:rating]]", "[[Answer:0]]", "glad") %in% survey))
  loop <- utils::read.csv(file.path(out, "loop-and-merge.csv"), check.names = FALSE)
  expect_equal(
    loop[["Field 2"]], sprintf("https://www.example.org/i/${e://Field/image_%d}.jpg", 1:2)
  )
  wide <- utils::read.csv(file.path(out, "packets.csv"))
  expect_setequal(c(wide$image_1, wide$image_2), packets$image_id)
  expect_setequal(
    list.files(file.path(out, "images")), paste0(unique(packets$image_id), ".jpg")
  )
})

test_that("an address is needed", {
  packets <- tibble::tibble(packet_id = "p001")
  expect_error(
    export_packets(packets, "here", "qualtrics", base_url = 1), "base_url",
    class = "imagestrata_error"
  )
})

test_that("tables to fill in are read as they come back", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  out <- file.path(withr::local_tempdir(), "tables")
  suppressMessages(
    export_packets(packets, out, "csv", items = c("sad", "glad"), progress = FALSE)
  )
  expect_true(file.exists(paste0(out, "-key.csv")))
  index <- utils::read.csv(file.path(out, "packets.csv"))
  for (file in file.path(out, index$file)) {
    table <- utils::read.csv(file, colClasses = "character")
    expect_equal(table$path, paste0("images/", table$image_id, ".jpg"))
    table[c("respondent_id", "sad", "glad")] <- list(basename(file), 3, 4)
    utils::write.csv(table, file, row.names = FALSE)
  }
  items <- data.frame(item = c("sad", "glad"), dimension = "mood")
  ratings <- read_ratings(out, items = items)
  expect_equal(nrow(ratings), 2 * nrow(packets))
  expect_equal(unique(ratings$rating[ratings$item == "glad"]), 4)
  expect_error(
    export_packets(packets, tempfile(), base_url = "https://x.org"), "no effect",
    class = "imagestrata_error"
  )
})
