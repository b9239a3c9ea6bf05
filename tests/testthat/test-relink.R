test_that("arguments cross as they are", {
  calls <- local_core(relink = \(run, images, ...) encode_table(tibble::tibble(status = "same")))
  run <- withr::local_tempdir()
  expect_equal(relink(run, run, check = FALSE, progress = FALSE)$status, "same")
  expect_false(calls$relink$check)
  expect_error(relink(file.path(run, "x"), run), "exist", class = "imagestrata_error")
  expect_error(relink(run, run, check = "no"), "check", class = "imagestrata_error")
  expect_error(relink(run, run, chekc = TRUE), "check", class = "imagestrata_error")
})

test_that("renamed images are found, missing ones are told, and both are read from the run", {
  skip_if_no_core()
  place <- withr::local_tempdir()
  images <- file.path(place, "images")
  dir.create(images)
  file.copy(utils::head(list.files(imagestrata_example("images"), full.names = TRUE), 20), images)
  run <- file.path(place, "run")
  clusters <- cluster_images(
    images,
    method = "kmeans", n_clusters = 3, encoder = "hog", out = run, progress = FALSE
  )
  archive <- file.path(place, "archive")
  dir.create(archive)
  old <- list.files(images, full.names = TRUE)
  new <- file.path(archive, sprintf("picture-%02d.%s", seq_along(old), tools::file_ext(old)))
  file.rename(old, new)
  unlink(new[20])
  expect_warning(
    places <- relink(run, archive, progress = FALSE),
    "1 of 20 images were not found"
  )
  expect_s3_class(places, "tbl_df")
  expect_equal(as.vector(table(places$status)), c(1, 19))
  again <- read_clustering(run)
  expect_equal(again$cluster, clusters$cluster)
  expect_equal(sum(file.exists(again$path)), 19)
  expect_equal(nrow(as.matrix(read_embeddings(run))), 20)
})
