test_that("intruders are hidden, and found", {
  skip_if_no_core()
  topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
  folder <- withr::local_tempdir()
  page <- file.path(folder, "page.html")
  expect_message(
    key <- export_test(topics, page, "intruders", clusters = 1:3, n_sets = 2, progress = FALSE),
    "For annotators"
  )
  expect_equal(sum(key$intruder), 6)
  hidden <- key[key$intruder, ]
  others <- key[!key$intruder, ]
  wrong <- others$image_id[match(hidden$set_id, others$set_id)]
  files <- c(
    answer_file(folder, "ann", hidden$set_id, hidden$image_id),
    answer_file(folder, "bo", hidden$set_id, wrong)
  )
  found <- read_test(files, key)
  expect_equal(found$share_found, rep(0.5, 3))
  expect_equal(glance(found)$chance, 1 / 6)
  expect_equal(glance(read_test(files[1], key))$share_found, 1)
  expect_equal(glance(read_test(files[1], key))$p.value, 1 / 6^6)
  # In each set one annotator is right and the other wrong: one of two chosen images is right.
  expect_equal(glance(found)$p.value, (2 / 6)^6)
  expect_output(print(found), "Found: +50.0%")
  expect_s3_class(autoplot(found), "ggplot")
  expect_equal(nrow(tidy(found, "answers")), 12)
  expect_equal(read_test(folder, key)$share_found, found$share_found)
  expect_error(
    export_test(topics, page, "intruders", clusters = "a"), "numbers of clusters",
    class = "imagestrata_error"
  )
})
