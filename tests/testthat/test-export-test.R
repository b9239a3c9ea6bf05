test_that("sets go to people and their answers come back", {
  skip_if_no_core()
  topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
  folder <- withr::local_tempdir()
  page <- file.path(folder, "page.html")
  names <- tibble::tibble(cluster = 1:3, description = c("one", "two", "three"))
  expect_message(
    key <- export_test(topics, page, descriptions = names, n_sets = 2, progress = FALSE),
    "For annotators"
  )
  expect_equal(nrow(key), 18)
  expect_true(file.exists(page))
  sets <- unique(key[c("set_id", "cluster")])
  wrong <- replace(sets$cluster, which(sets$cluster == 3)[1], 1L)
  files <- c(
    answer_file(folder, "ann", sets$set_id, sets$cluster),
    answer_file(folder, "bo", sets$set_id, wrong),
    answer_file(folder, "cy", sets$set_id, wrong)
  )
  found <- read_test(files, key)
  expect_equal(found$recall, c(1, 1, 0.5))
  expect_equal(found$precision, c(2 / 3, 1, 1))
  expect_equal(glance(found)$accuracy, 5 / 6)
  expect_equal(sum(tidy(found, "confusion")$n), 6)
  expect_true("fleiss_kappa" %in% tidy(found, "agreement")$measure)
  expect_output(print(found), "Matching test: 6 sets, 3 annotators, kappa")
  expect_s3_class(autoplot(found), "ggplot")
  expect_equal(read_test(files, file.path(folder, "page-key.csv"))$recall, found$recall)

  alone <- read_test(files[1], key)
  expect_equal(nrow(tidy(alone, "agreement")), 0)
  expect_output(print(alone), "Matching test: 6 sets, 1 annotator\n", fixed = TRUE)
  expect_error(export_test(topics, page, descriptions = c("a", "b")), "must be a data frame",
    class = "imagestrata_error"
  )
  expect_error(
    export_test(topics, page, descriptions = names, progress = FALSE), "exists already",
    class = "imagestrata_error"
  )
  expect_error(
    export_test(topics, page, descriptions = names, clusters = 1:2, overwrite = TRUE), "no effect",
    class = "imagestrata_error"
  )
  expect_error(read_test("nowhere.csv", key), "nowhere", class = "imagestrata_error")
})

test_that("long descriptions are cut", {
  expect_equal(shorten(c("short", "rather long"), 7), c("short", "rath..."))
  # Those that begin alike stay apart.
  names <- c("a very long name 1", "a very long name 2", NA, "a very long name 1")
  expect_equal(shorten(names, 12), c("a ver...me 1", "a ver...me 2", NA, "a ver...me 1"))
})
