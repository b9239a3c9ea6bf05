test_that("a bar follows what Python reports, step after step", {
  local_core(scan_images = function(..., progress) {
    for (step in c("Scanning", "Comparing")) {
      progress(step, 0L, 10L)
      progress(step, 4L, 10L)
      progress(step, 10L, 10L)
    }
    progress("Reading", 0L, NULL)
    progress("Reading", 3L, NULL)
    encode_table(toy_images())
  })
  withr::local_options(cli.progress_show_after = 0, cli.progress_handlers_only = "logger")
  folder <- withr::local_tempdir()
  log <- capture.output(scan_images(folder))
  expect_equal(sum(grepl(" 0/10 created", log)), 2)
  expect_equal(sum(grepl("/10 terminated \\(done\\)", log)), 2)
  expect_match(log, " 0/NA created", all = FALSE)
})

test_that("the bar shows the pace", {
  local_core(scan_images = function(..., progress) {
    progress("Scanning", 0L, 100L, "")
    progress("Scanning", 40L, 100L, "312 images/s, 0:48 left")
    # Whether a bar is drawn at once depends on a clock of cli, which some sessions lack.
    drawn <- environment(environment(progress)$report)
    cli::cli_progress_update(set = 40, id = drawn$bar, force = TRUE, .envir = drawn$frame)
    encode_table(toy_images())
  })
  withr::local_options(cli.progress_show_after = 0, cli.dynamic = FALSE, cli.ansi = FALSE)
  folder <- withr::local_tempdir()
  shown <- cli::cli_fmt(scan_images(folder), collapse = TRUE, strip_newline = FALSE)
  expect_match(shown, "Scanning.*40/100 312 images/s, 0:48 left")
})

test_that("progress is a flag or a function of one's own", {
  expect_false(progress_bar(FALSE))
  seen <- NULL
  mine <- progress_bar(function(step, done, total) seen <<- list(step, done, total))
  expect_true(mine("Scanning", 1, 2))
  expect_equal(seen, list("Scanning", 1, 2))
})

test_that("an error in one's own function stops the work and arrives as it is", {
  skip_if_no_core()
  expect_error(
    scan_images(imagestrata_example("images"), progress = \(...) rlang::abort("mine", "my_class")),
    class = "my_class"
  )
})

test_that("the real core reports from the beginning to the end", {
  skip_if_no_core()
  steps <- tibble::tibble()
  scan_images(imagestrata_example("images"), progress = function(step, done, total) {
    steps <<- dplyr::bind_rows(steps, list(step = step, done = done, total = total))
  })
  expect_equal(steps$done[1], 0)
  expect_equal(max(steps$done), steps$total[1])
})

test_that("Ctrl-C leaves a usable session, and the work goes on from there", {
  skip_if_no_core()
  skip_on_os("windows")
  found <- fresh_r("
    folder <- imagestrata_example('images')
    out <- tempfile()
    interrupt <- function(step, done, total) {
      if (done > 0) tools::pskill(Sys.getpid(), tools::SIGINT)
    }
    caught <- tryCatch(
      cluster_images(folder, encoder = 'hog', out = out, progress = interrupt),
      interrupt = function(condition) 'interrupted'
    )
    again <- cluster_images(folder, encoder = 'hog', out = out, progress = FALSE)
    undisturbed <- cluster_images(folder, encoder = 'hog', progress = FALSE)
    list(caught, identical(again$cluster, undisturbed$cluster))
  ")
  expect_equal(found, list("interrupted", TRUE))
})
