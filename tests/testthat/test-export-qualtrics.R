test_that("a survey, its loop, its packets and its images are written", {
  skip_if_no_core()
  packets <- assign_annotators(demo_packets_sample(), n_images = 2)
  out <- file.path(withr::local_tempdir(), "survey")
  expect_message(
    export_qualtrics(
      packets, out, "https://www.example.org/i/",
      items = c("sad", "glad"), scale = c(0, 10), progress = FALSE
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
    export_qualtrics(packets, "here", base_url = 1), "base_url",
    class = "imagestrata_error"
  )
})
