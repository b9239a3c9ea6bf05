test_that("tasks and their configuration are written", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  folder <- withr::local_tempdir()
  write <- function(name, ...) {
    suppressMessages(export_labelstudio(packets, file.path(folder, name), ..., progress = FALSE))
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
