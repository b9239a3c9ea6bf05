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

test_that("a cluster is named by its address or file", {
  calls <- local_core(scan_images = \(...) encode_table(toy_images()))
  scan_images(".", progress = FALSE)
  expect_null(calls$scan_images$engine)
  scan_images(".", engine = "tcp://node7:8786", progress = FALSE)
  expect_equal(calls$scan_images$engine, "tcp://node7:8786")
  expect_error(scan_images(".", engine = 8786), "`engine` must be one piece of text")
})

test_that("the run folder is kept as an absolute path", {
  local_core(scan_images = \(...) encode_table(toy_images()))
  withr::local_dir(withr::local_tempdir())
  images <- scan_images(".", out = "run", progress = FALSE)
  expect_equal(attr(images, "folder"), file.path(absolute_path("."), "run"))
})

test_that("pictures of phones and of the web, and cut ones, are scanned by the real core", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  python_run <- c(
    "import pillow_heif, sys",
    "from PIL import Image",
    "shape = Image.radial_gradient('L').convert('RGB')",
    "shape.save(sys.argv[1] + '/web.avif')",
    "pillow_heif.from_pillow(shape.rotate(90)).save(sys.argv[1] + '/phone.jpg')",
    "shape.save(sys.argv[1] + '/cut.bmp')"
  )
  script <- withr::local_tempfile(lines = python_run)
  python <- reticulate::py_exe()
  expect_equal(system2(python, shQuote(c(script, folder))), 0)
  cut <- file.path(folder, "cut.bmp")
  whole <- readBin(cut, "raw", file.size(cut))
  writeBin(whole[seq_len(length(whole) * 0.8)], cut)

  images <- scan_images(folder, progress = FALSE)
  expect_equal(images$format, c("BMP", "HEIF", "AVIF"))
  expect_equal(images$status, c("rejected", "ok", "ok"))
  expect_equal(images$n_pages, c(NA, 1, 1))
  expect_equal(images$truncated, c(FALSE, FALSE, FALSE))
  images <- scan_images(folder, truncated = "keep", progress = FALSE)
  expect_equal(images$status, c("ok", "ok", "ok"))
  expect_equal(images$truncated, c(TRUE, FALSE, FALSE))
  expect_error(scan_images(folder, truncated = "yes", progress = FALSE), "must be one of")
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

test_that("hostile names come through whole", {
  skip_if_no_core()
  skip_on_os("windows")
  folder <- withr::local_tempdir()
  names <- c(
    "new\nline.png", "quo'te\".png", "=cmd|'!A0.png", "-rf.png", "a..png", "<script>.png",
    "\u00fcn\u00ef\u732b.png", "tab\t.png", "back\\slash.png", "{brace}.png",
    paste0(strrep("x", 251), ".png")
  )
  some <- list.files(imagestrata_example("images"), full.names = TRUE)
  usable <- scan_images(some, progress = FALSE)
  usable <- utils::head(usable$path[usable$status == "ok"], length(names))
  expect_true(all(file.copy(usable, file.path(folder, names))))
  run <- file.path(withr::local_tempdir(), "run")
  images <- scan_images(folder, out = run, progress = FALSE)
  expect_setequal(images$path, file.path(absolute_path(folder), names))
  expect_true(all(file.exists(images$path)))
  expect_setequal(images$status, "ok")
  embeddings <- embed_images(images, "hog", out = run, progress = FALSE)
  clusters <- cluster_images(
    embeddings,
    method = "kmeans", n_clusters = 2, out = run, progress = FALSE
  )
  drawn <- sample_images(clusters, budget = 5, out = run)
  expect_setequal(read_clustering(run)$path, images$path)
  # Once made, now read from its CSV file.
  expect_equal(sample_images(clusters, budget = 5, out = run)$path, drawn$path)
})

test_that("names with accents are read where R was started in the C locale", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  dir.create(file.path(folder, "b\u00e4ume"))
  file.copy(
    list.files(imagestrata_example("images"), full.names = TRUE)[1:3],
    file.path(folder, "b\u00e4ume", c("\u00e4.jpg", "\u00f6.jpg", "u.jpg"))
  )
  found <- fresh_r(
    'inside <- list.files(Sys.getenv("IMAGES"), full.names = TRUE)
     images <- scan_images(inside, progress = FALSE)
     few <- scan_images(inside, exclude = "\\u00e4.*", progress = FALSE)
     list(images$status, sum(Encoding(images$path) == "UTF-8"), nrow(few),
          Sys.getlocale("LC_CTYPE"))',
    env = c(LC_ALL = "C", IMAGES = folder)
  )
  expect_equal(found, list(rep("ok", 3), 3L, 2L, "C"))
})

test_that("patterns leave files out", {
  skip_if_no_core()
  images <- imagestrata_example("images")
  all <- scan_images(images, progress = FALSE)
  first <- basename(all$path[[1]])
  few <- scan_images(images, exclude = first, progress = FALSE)
  expect_setequal(few$path, all$path[basename(all$path) != first])
  expect_warning(scan_images(images, exclude = c(first, "*.none"), progress = FALSE), "none")
  expect_error(scan_images(images, exclude = 3), "exclude")
})
