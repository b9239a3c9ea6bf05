test_that("a folder, files and a table are sent as what they are", {
  calls <- local_core(scan_images = \(...) encode_table(toy_images()))
  folder <- withr::local_tempdir()
  file.create(files <- file.path(folder, c("a.jpg", "b.jpg")))

  images <- scan_images(folder, min_side = 20, progress = FALSE)
  expect_s3_class(images, "imagestrata_images")
  expect_equal(calls$scan_images[[1]], list(kind = "paths", paths = list(absolute_path(folder))))
  expect_equal(calls$scan_images$min_side, 20)
  expect_null(calls$scan_images$near_duplicates)

  scan_images(files, progress = FALSE)
  expect_equal(calls$scan_images[[1]]$paths, as.list(absolute_path(files)))

  scan_images(data.frame(path = files, year = 2020:2021), progress = FALSE)
  sent <- decode_table(calls$scan_images[[1]]$table)
  expect_equal(sent, tibble::tibble(path = absolute_path(files), year = 2020:2021))
})

test_that("the run folder is kept as an absolute path", {
  local_core(scan_images = \(...) encode_table(toy_images()))
  withr::local_dir(withr::local_tempdir())
  images <- scan_images(".", out = "run", progress = FALSE)
  expect_equal(attr(images, "folder"), file.path(absolute_path("."), "run"))
})

test_that("the real core scans the example, and columns travel along", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  images <- scan_images(folder, progress = FALSE)
  expect_setequal(images$status, c("ok", "duplicate", "rejected"))
  expect_equal(glance(images)$n_files, length(list.files(folder)))
  mine <- tibble::tibble(
    path = utils::head(images$path[images$status == "ok"], 3),
    posted = as.POSIXct(c("2020-01-01 10:00", NA, "2021-01-01 11:00"), tz = "UTC"),
    account = factor(c("b", "a", NA), levels = c("a", "b", "c"))
  )
  again <- scan_images(mine, progress = FALSE)
  again <- again[match(mine$path, again$path), ]
  expect_identical(again$posted, mine$posted)
  expect_identical(again$account, mine$account)
})
