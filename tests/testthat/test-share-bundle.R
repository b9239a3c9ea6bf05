test_that("what is left out crosses as nothing, and columns as a list", {
  calls <- local_core(share_bundle = \(run, out, ...) out)
  run <- withr::local_tempdir()
  out <- file.path(withr::local_tempdir(), "bundle")
  rated <- tibble::tibble(respondent_id = "a", image_id = "b", rating = 1)
  expect_message(
    written <- withVisible(share_bundle(run, out, ratings = rated, columns = "year")),
    "Bundle to share"
  )
  expect_false(written$visible)
  sent <- calls$share_bundle
  expect_equal(decode_table(sent$ratings), rated)
  expect_equal(sent$columns, list("year"))
  expect_null(sent$noise)
  expect_false(sent$new_ids)
  expect_error(share_bundle(run, out, ratings = 1), "data frame", class = "imagestrata_error")
  expect_error(share_bundle(run, out, noise = "a"), "noise", class = "imagestrata_error")
  expect_error(share_bundle(file.path(run, "x"), out), class = "imagestrata_error")
})

test_that("a bundle is read as a run is, and holds no path", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  out <- file.path(withr::local_tempdir(), "bundle")
  folder <- imagestrata_example("images")
  clustering <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  drawn <- sample_images(clustering, out = run)
  ratings <- tibble::tibble(
    respondent_id = c("anna", "ben"), image_id = drawn$image_id[1:2], item = "anger", rating = 3
  )
  expect_warning(
    suppressMessages(share_bundle(run, out, ratings = ratings)),
    "not anonymous"
  )
  shared <- read_clustering(out)
  expect_setequal(shared$image_id, clustering$image_id)
  expect_true(all(is.na(shared$path)))
  expect_equal(nrow(as.matrix(read_embeddings(out))), nrow(clustering))
  expect_setequal(read.csv(file.path(out, "ratings.csv"))$respondent_id, c("r1", "r2"))
  expect_setequal(read.csv(file.path(out, "sample.csv"))$image_id, drawn$image_id)
  expect_error(share_bundle(run, out), "already holds a bundle", class = "imagestrata_error")
  expect_error(share_bundle(run, file.path(run, "x")), "run folder", class = "imagestrata_error")
})

test_that("a bundle with small copies is a run folder without the originals", {
  skip_if_no_core()
  place <- withr::local_tempdir()
  images <- file.path(place, "images")
  dir.create(images)
  file.copy(utils::head(list.files(imagestrata_example("images"), full.names = TRUE), 20), images)
  run <- file.path(place, "run")
  clustering <- cluster_images(
    images,
    method = "kmeans", n_clusters = 3, encoder = "hog", out = run, progress = FALSE
  )
  drawn <- sample_images(clustering, n_per_cluster = 2, out = run)
  bundle <- file.path(withr::local_tempdir(), "bundle")
  hidden <- clustering$image_id[1]
  expect_warning(
    suppressMessages(
      share_bundle(run, bundle, thumbnails = TRUE, exclude = hidden, progress = FALSE)
    ),
    "small copies of 19 images"
  )
  unlink(place, recursive = TRUE)
  moved <- file.path(withr::local_tempdir(), "received")
  file.rename(bundle, moved)
  shared <- read_clustering(moved)
  expect_equal(sum(file.exists(shared$path) %in% TRUE), 19)
  expect_equal(shared$image_id[is.na(shared$path)], hidden)
  expect_s3_class(plot_montage(shared), "ggplot")
  expect_true(any(file.exists(find_images(shared)$path)))
  again <- sample_images(shared, n_per_cluster = 2, out = moved)
  expect_setequal(again$image_id, drawn$image_id)
  suppressMessages(page <- image_gallery(shared, moved, again, view = FALSE, progress = FALSE))
  expect_equal(unclass(page), file.path(moved, "gallery", "index.html"))
  packets <- assign_annotators(again, "a", n_images = 2)
  expect_warning(
    suppressMessages(
      export_packets(packets, file.path(withr::local_tempdir(), "pages"), progress = FALSE)
    ),
    "originals of .* images are missing"
  )
})
