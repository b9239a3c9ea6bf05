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
