test_that("the page is written, its path returned invisibly and told", {
  skip_if_no_core()
  make <- function() {
    image_gallery(demo_topics(), withr::local_tempdir(.local_envir = parent.frame()),
      sample = demo_sample(), progress = FALSE
    )
  }
  expect_message(page <- withVisible(make()), "index.html")
  expect_false(page$visible)
  expect_true(file.exists(page$value))
  expect_equal(basename(dirname(page$value)), "gallery")
})

test_that("a sample of another clustering is refused", {
  skip_if_no_core()
  expect_error(
    image_gallery(demo_topics(), withr::local_tempdir(), sample = toy_sample(), progress = FALSE),
    "not in the clustering",
    class = "imagestrata_error"
  )
})

test_that("the page opens in the viewer, or the browser, only where it is asked for", {
  local_core(image_gallery = \(out, ...) file.path(out, "gallery", "index.html"))
  opened <- character()
  withr::local_options(
    viewer = \(page) opened <<- c(opened, paste("viewer", page)),
    browser = \(page) opened <<- c(opened, paste("browser", page))
  )
  gallery <- function(out, ...) {
    suppressMessages(image_gallery(toy_clustering(), out, progress = FALSE, ...))
  }
  inside <- absolute_path(file.path(tempdir(), "run"))
  gallery(inside)
  gallery(inside, view = FALSE)
  expect_equal(opened, character())
  gallery(inside, view = TRUE)
  gallery("/elsewhere/run", view = TRUE)
  # Not below the folder, though its name begins alike.
  gallery(paste0(absolute_path(tempdir()), "-other"), view = TRUE)
  options(viewer = NULL)
  gallery(inside, view = TRUE)
  expect_equal(sub(" .*", "", opened), c("viewer", "browser", "browser", "browser"))
  expect_match(opened[[1]], file.path(inside, "gallery", "index.html"), fixed = TRUE)
  expect_match(opened[[2]], "file:///", fixed = TRUE)
  expect_error(gallery(inside, view = "yes"), "`view` must be", class = "imagestrata_error")
})

test_that("a page prints as a link", {
  page <- structure("/run/gallery/index.html", class = "imagestrata_page")
  expect_output(print(page), "^/run/gallery/index.html$")
  withr::local_options(cli.hyperlink = TRUE)
  expect_output(print(page), "\033]8;;file:///run/gallery/index.html", fixed = TRUE)
})
