test_that("the examples need no Python, and their images are there", {
  topics <- demo_topics()
  expect_s3_class(topics, "imagestrata_clustering")
  expect_true(all(file.exists(topics$path)))
  expect_true(all(demo_sample()$image_id %in% topics$image_id))
  expect_equal(sum(topics$cluster == -1), glance(topics)$n_residual)
})

test_that("the same seed draws the same corpus", {
  skip_if_no_core()
  draw <- function(folder) {
    draw_demo_corpus(folder, n_images = 20, seed = 4, progress = FALSE)
    unname(tools::md5sum(list.files(folder, full.names = TRUE, recursive = TRUE)))
  }
  expect_identical(draw(withr::local_tempdir()), draw(withr::local_tempdir()))
})

test_that("stored results are made as results are made now", {
  expect_identical(attributes(new_sample(simulated_sample))$class, class(simulated_sample))
  expect_identical(class(demo_sample()), class(toy_sample()))
  expect_identical(class(demo_topics()), class(toy_clustering()))
  expect_setequal(names(attributes(demo_topics())), names(attributes(toy_clustering())))
  expect_identical(class(demo_model()), class(toy_model()))
  expect_setequal(names(demo_model()), names(toy_model()))
  expect_setequal(names(attr(demo_model(), "tables")), names(attr(toy_model(), "tables")))
  # Rows that are left out are noticed.
  expect_message(simulated_sample[-1, ], "no longer a sample", class = "imagestrata_plain")
})
