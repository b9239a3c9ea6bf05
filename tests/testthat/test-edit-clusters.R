# Two groups in corners and one image between them.
corners <- rbind(c(0, 0), c(0, 1), c(9, 0), c(9, 1), c(0, 9), c(1, 9), c(5, 5))
rownames(corners) <- letters[1:7]

found <- function() as_clustering(corners, c(1, 1, 2, 2, 3, 3, -1))

test_that("clusters are named, merged, split, moved and dropped", {
  skip_if_no_core()
  topics <- edit_clusters(
    found(), corners,
    names = c("3" = "North"), merge = list(South = c(1, 2)), move = list("3" = "g"), drop = "f",
    editor = "Ada", note = "first look"
  )
  expect_s3_class(topics, "imagestrata_clustering")
  expect_identical(topics$cluster, c(1L, 1L, 1L, 1L, 3L, -1L, 3L))
  expect_identical(tidy(topics)$cluster_name, c("South", "North"))
  expect_identical(tidy(topics)$size, c(4L, 2L))
  expect_identical(glance(topics)$n_clusters, 2L)
  edits <- tidy(topics, "edits")
  expect_identical(edits$action, c("name", "merge", "move", "drop"))
  expect_identical(unique(edits$editor), "Ada")
  expect_true(any(grepl("4 edits", format(topics))))
  parts <- edit_clusters(topics, corners, split = c("1" = 2))
  expect_identical(sort(tidy(parts)$cluster), 3:5)
  apart <- edit_clusters(topics, corners, split = list("1" = c("b", "c")), drop = list(3, "a"))
  expect_identical(apart$cluster, c(-1L, 5L, 5L, 4L, -1L, -1L, -1L))
})

test_that("the ledger is replayed and shortened", {
  skip_if_no_core()
  first <- edit_clusters(found(), corners, merge = c(1, 2))
  second <- edit_clusters(first, corners, split = list("1" = "a"), names = c("3" = "North"))
  edits <- tidy(second, "edits")
  again <- edit_clusters(found(), corners, edits = edits)
  expect_identical(plain_tibble(again), plain_tibble(second))
  expect_identical(tidy(again, "edits"), edits)
  expect_identical(
    plain_tibble(edit_clusters(found(), corners, edits = second)), plain_tibble(second)
  )
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(edits, file, row.names = FALSE, na = "")
  expect_identical(
    plain_tibble(edit_clusters(found(), corners, edits = file)), plain_tibble(second)
  )
  undone <- edit_clusters(found(), corners, edits = edits[edits$edit <= 1, ])
  expect_identical(plain_tibble(undone), plain_tibble(first))
  expect_warning(
    edit_clusters(found(), corners, edits = data.frame(action = "drop", clusters = c(3, 9))),
    "no cluster 9"
  )
})

test_that("a run folder has the vectors and keeps the edits", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  embeddings <- embed_images(
    imagestrata_example("images"), "hog", out = run, progress = FALSE
  )
  topics <- cluster_images(
    embeddings, "kmeans", n_clusters = 3, neighbors = NULL, out = run, progress = FALSE
  )
  edited <- edit_clusters(topics, merge = c(1, 2), names = c("1" = "Both"), out = run)
  expect_identical(nrow(tidy(edited)), 2L)
  expect_identical(plain_tibble(read_clustering(run)), plain_tibble(edited))
  more <- edit_clusters(read_clustering(run), drop = 3)
  expect_identical(tidy(more)$cluster, 1L)
})

test_that("wrong edits are refused", {
  skip_if_no_core()
  expect_error(edit_clusters(found()), "No edit is given", class = "imagestrata_error")
  expect_error(edit_clusters(found(), names = "North"), "names are numbers of clusters")
  expect_error(edit_clusters(found(), names = c("9" = "North")), "no cluster 9")
  expect_error(edit_clusters(found(), merge = "1"), "must be numbers of clusters")
  expect_error(edit_clusters(found(), merge = c(1, 2)), "does not know the vectors")
  expect_error(edit_clusters(found(), edits = "none.csv"), "none.csv")
  expect_error(edit_clusters(corners, names = c("1" = "x")), "cluster_images")
})
