test_that("a clustering or a table is sent with all its columns", {
  calls <- local_core(sample_images = \(...) encode_table(toy_sample()))
  drawn <- sample_images(toy_clustering(), n_per_cluster = 2)
  expect_s3_class(drawn, "imagestrata_sample")
  expect_equal(decode_table(calls$sample_images[[1]]$tables$images), augment(toy_clustering()))
  sample_images(data.frame(image_id = "a", path = "b", cluster = 1), budget = 1)
  expect_equal(calls$sample_images$budget, 1)
})

test_that("weights lead back to the corpus and to the clusters", {
  skip_if_no_core()
  topics <- demo_topics()
  drawn <- sample_images(topics, n_per_cluster = 3)
  expect_equal(drawn$inclusion_probability, drawn$n_h / drawn$N_h)
  expect_equal(sum(drawn$weight_cluster), length(unique(drawn$cluster)))
  strata <- dplyr::filter(dplyr::count(topics, cluster), cluster %in% drawn$cluster)
  expect_equal(sum(drawn$weight_corpus), sum(strata$n))
  expect_identical(drawn, sample_images(topics, n_per_cluster = 3))
  expect_equal(nrow(sample_images(topics, budget = 40, allocation = "sqrt")), 40)
})

test_that("the shipped sample is what the verb draws", {
  skip_if_no_core()
  expect_equal(sample_images(demo_topics(), n_per_cluster = 3), demo_sample())
})

test_that("columns of one's own count as shares", {
  skip_if_no_core()
  topics <- dplyr::mutate(demo_topics(), retweets = dplyr::row_number())
  drawn <- sample_images(topics, shares = "retweets")
  expect_equal(drawn$weight_share, drawn$weight_corpus * drawn$retweets)
  expect_error(sample_images(topics, shares = "likes"), "likes", class = "imagestrata_error")
})

test_that("a run folder takes the sample of its own clustering alone, and variants lie beside it", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  centres <- rep(c(0, 0.1, 5, 5.1, 9, 9.1, 14, 14.1), each = 4)
  vectors <- matrix(centres + seq_len(32) / 100, ncol = 2)
  three <- cluster_images(vectors, "kmeans", n_clusters = 3, out = run, progress = FALSE)
  two <- cluster_images(vectors, "kmeans", n_clusters = 2, progress = FALSE)
  expect_error(sample_images(two, 1, out = run), "holds another result of the step")
  expect_error(image_gallery(two, run, progress = FALSE), "overwrite = TRUE")
  expect_equal(nrow(sample_images(three, 1, singles = TRUE, out = run)), 3)

  variant <- file.path(run, "variants", "two")
  cluster_images(vectors, "kmeans", n_clusters = 2, out = variant, progress = FALSE)
  expect_equal(nrow(sample_images(two, 1, singles = TRUE, out = variant)), 2)
  expect_equal(nrow(tidy(read_clustering(variant))), 2)
  expect_equal(nrow(tidy(read_clustering(run))), 3)

  expect_warning(
    cluster_images(
      vectors, "kmeans",
      n_clusters = 2, out = run, overwrite = TRUE, progress = FALSE
    ),
    "moved to"
  )
  expect_false(file.exists(file.path(run, "sample.csv")))
  expect_length(list.files(file.path(run, "replaced"), "^sample.csv$", recursive = TRUE), 1)
})

test_that("a sample is topped up: images stay drawn, and additions are strata of their own", {
  skip_if_no_core()
  images <- tibble::tibble(
    image_id = sprintf("i%02d", 1:24), path = image_id,
    cluster = rep(c(1, 2, -1, 1), c(10, 4, 3, 7)), wave = rep(1:2, c(17, 7))
  )
  before <- sample_images(images[images$wave == 1, ], n_per_cluster = 4)
  expect_equal(before$stratum, rep(c("w1c1", "w1c2", "w1c-1"), c(4, 3, 2)))
  drawn <- sample_images(images, n_per_cluster = 4, keep = before)
  expect_equal(
    dplyr::count(drawn, cluster, wave, N_h, n_h),
    tibble::tibble(
      cluster = c(-1L, 1L, 1L, 2L), wave = c(1L, 1L, 2L, 1L), N_h = c(3L, 10L, 7L, 4L),
      n_h = c(2L, 4L, 3L, 3L), n = c(2L, 4L, 3L, 3L)
    )
  )
  expect_setequal(drawn$image_id[drawn$draw == 1], before$image_id)
  expect_equal(sum(drawn$weight_corpus), 24)
  expect_output(print(drawn), "12 images from 4 strata")
  expect_output(print(drawn), "# Drawn before: *9 images")
  expect_error(
    sample_images(images, keep = before[-1, ]), "`keep` is not a sample of these clusters",
    class = "imagestrata_error"
  )

  packets <- assign_annotators(before, groups = "g", n_images = 2)
  more <- assign_annotators(drawn, groups = "g", n_images = 2, keep = packets)
  expect_equal(more[seq_len(nrow(packets)), ], packets)
  expect_setequal(more$image_id[-seq_len(nrow(packets))], drawn$image_id[drawn$draw == 2])
})

test_that("each cluster can have a number of its own, also from a plan of labels", {
  skip_if_no_core()
  images <- data.frame(
    image_id = sprintf("i%02d", 1:30), path = sprintf("i%02d.jpg", 1:30),
    cluster = rep(c(1, 2, -1), each = 10)
  )
  drawn <- sample_images(images, c("1" = 3, "-1" = 4))
  expect_equal(as.vector(table(drawn$cluster)), c(4, 3))
  labels <- data.frame(image_id = drawn$image_id, code = "x", label = rep(0:1, length.out = 7))
  plan <- plan_labels(labels, sample = drawn, width = 0.6)
  more <- sample_images(images, plan, keep = drawn)
  expect_equal(nrow(more), sum(plan$n_h + plan$n_next))
  expect_true(all(drawn$image_id %in% more$image_id))
  expect_error(sample_images(images, c("7" = 3)), "does not exist")
  expect_error(sample_images(images, c("1" = NA)), "numbers of images")
})

test_that("a census has all images, and each stands for itself", {
  skip_if_no_core()
  images <- data.frame(
    image_id = sprintf("i%02d", 1:12), path = sprintf("i%02d.jpg", 1:12),
    cluster = c(rep(1, 7), rep(2, 2), 3, -1, -1)
  )
  census <- sample_images(images, n_per_cluster = Inf)
  expect_setequal(census$image_id, images$image_id)
  expect_equal(census$n_h, census$N_h)
  expect_equal(census$weight_corpus, rep(1, 12))
  expect_equal(as.vector(tapply(census$weight_cluster, census$cluster, sum)), rep(1, 4))
})
