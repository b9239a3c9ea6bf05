test_that("the corpus is clustered alike from a folder, a scan and embeddings", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  direct <- cluster_images(folder, encoder = "hog", progress = FALSE)
  images <- scan_images(folder, progress = FALSE)
  from_scan <- cluster_images(images, encoder = "hog", progress = FALSE)
  embeddings <- embed_images(images, encoder = "hog", progress = FALSE)
  from_vectors <- cluster_images(embeddings, progress = FALSE)
  expect_identical(from_scan$cluster, direct$cluster)
  expect_identical(from_vectors$cluster, direct$cluster)
  expect_identical(from_vectors$image_id, direct$image_id)
})

test_that("a finished run is loaded, also in a new session", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  topics <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  again <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  expect_identical(again, topics)
  stored <- read_clustering(run)
  expect_identical(tidy(stored), tidy(topics))
  expect_identical(stored$cluster, topics$cluster)
  expect_error(
    cluster_images(folder, encoder = "hog", out = run, seed = 5, progress = FALSE),
    "seed",
    class = "imagestrata_error"
  )
})

test_that("a matrix of vectors of one's own is clustered", {
  skip_if_no_core()
  set.seed(1)
  vectors <- rbind(matrix(rnorm(200, 0), 50), matrix(rnorm(200, 20), 50))
  topics <- cluster_images(vectors, method = "kmeans", n_clusters = 2, progress = FALSE)
  expect_equal(tidy(topics)$size, c(50, 50))
  expect_equal(length(unique(topics$cluster[1:50])), 1)
})

test_that("settings are sent by name, whole numbers as such", {
  calls <- local_core(cluster_images = function(...) {
    sent <- send_clustering(toy_clustering())
    sent$tables$summary <- encode_table(glance(toy_clustering()))
    sent
  })
  folder <- withr::local_tempdir()
  topics <- cluster_images(folder, k = 15, similarity_threshold = 0.03, progress = FALSE)
  expect_identical(calls$cluster_images$k, 15L)
  expect_identical(calls$cluster_images$similarity_threshold, 0.03)
  expect_identical(topics, toy_clustering())
  expect_null(calls$cluster_images$n_clusters)
  expect_null(calls$cluster_images$engine)
  cluster_images(
    folder, "hdbscan",
    k_max = "sample", exact = TRUE, noise = "nearest", engine = "scheduler.json", progress = FALSE
  )
  sent <- calls$cluster_images[c("method", "k_max", "exact", "noise", "engine")]
  expect_equal(sent, list(
    method = "hdbscan", k_max = "sample", exact = TRUE, noise = "nearest", engine = "scheduler.json"
  ))
  expect_snapshot(error = TRUE, {
    cluster_images(folder, k = "15")
    cluster_images(folder, k_criterion = 3)
    cluster_images(folder, exact = "yes")
    cluster_images(folder, n_cluster = 15)
  })
})

test_that("neighbors crosses as what it is: NULL is no step, and not the default", {
  calls <- local_core(
    cluster_images = \(...) send_clustering(toy_clustering()),
    sweep_clusters = \(...) stop("recorded")
  )
  folder <- withr::local_tempdir()
  for (given in list(NULL, 8L, "auto")) {
    try(cluster_images(folder, neighbors = given, progress = FALSE), silent = TRUE)
    expect_true("neighbors" %in% names(calls$cluster_images))
    expect_identical(calls$cluster_images$neighbors, given)
    expect_error(sweep_clusters(toy_embeddings(), neighbors = given, progress = FALSE), "recorded")
    expect_true("neighbors" %in% names(calls$sweep_clusters))
    expect_identical(calls$sweep_clusters$neighbors, given)
  }
  try(cluster_images(folder, neighbors = 8, progress = FALSE), silent = TRUE)
  expect_identical(calls$cluster_images$neighbors, 8L)
})

test_that("R has the neighbours that Python has: none, as many as given, or those of the method", {
  skip_if_no_core()
  set.seed(1)
  # Three groups in 16 dimensions.
  vectors <- matrix(rnorm(120 * 16), 120) + 6 * diag(16)[rep(1:3, each = 40), ]
  stored <- function(...) {
    topics <- cluster_images(vectors, seed = 1, progress = FALSE, ...)
    list(neighbors = from_json(attr(topics, "settings"))$neighbors, topics = topics)
  }
  raw <- stored(neighbors = NULL, n_init = 3)
  expect_null(raw$neighbors)
  eight <- stored(neighbors = 8)
  expect_identical(eight$neighbors, 8L)
  auto <- stored()
  # A twentieth of 120 images.
  expect_identical(auto$neighbors, 6L)
  for (same in list("auto", 6)) {
    expect_identical(stored(neighbors = same)$topics$cluster, auto$topics$cluster)
  }
  expect_equal(tidy(auto$topics)$size, c(40, 40, 40))
  expect_equal(length(unique(paste(auto$topics$cluster, rep(1:3, each = 40)))), 3)
  # Silhouettes are those after the step.
  expect_gt(glance(auto$topics)$mean_silhouette, 0.9)
  expect_lt(glance(raw$topics)$mean_silhouette, 0.6)
})

test_that("vectors without groups are in no cluster, with a warning", {
  skip_if_no_core()
  set.seed(1)
  noise <- matrix(rnorm(200 * 16), 200)
  expect_warning(
    topics <- cluster_images(noise, progress = FALSE), "show no groups.*neighbors = NULL"
  )
  expect_equal(unique(topics$cluster), -1)
  expect_equal(nrow(tidy(topics)), 0)
  expect_equal(glance(topics)$n_clusters, 0)
  expect_gt(nrow(tidy(cluster_images(noise, neighbors = NULL, progress = FALSE))), 0)
})

test_that("a setting of another method is refused, and one that is left out is the method's", {
  skip_if_no_core()
  set.seed(1)
  vectors <- matrix(rnorm(400), 100)
  expect_error(
    cluster_images(vectors, "kmeans", k = 3, progress = FALSE), "\"kmeans\" has no",
    class = "imagestrata_error"
  )
  expect_error(
    cluster_images(vectors, "iterative", min_samples = 3, progress = FALSE), "has no",
    class = "imagestrata_error"
  )
  found <- cluster_images(vectors, "kmeans", n_clusters = 4, progress = FALSE)
  settings <- from_json(attr(found, "settings"))
  expect_equal(settings$n_init, 10)
  expect_equal(settings$silhouette, "auto")
})

test_that("every setting completes by its name, and has a line in the help", {
  skip_if_no_core()
  python <- python_signatures()
  settings <- python$argument[python$verb == "cluster_images"]
  expect_true(all(settings %in% names(formals(cluster_images))))
  page <- test_path("..", "..", "R", "cluster-images.R")
  skip_if_not(file.exists(page), "not in the repository")
  described <- grep("^#' @param ", readLines(page), value = TRUE)
  described <- unlist(strsplit(sub("^#' @param ([^ ]+) .*", "\\1", described), ","))
  own <- setdiff(settings, c("out", "overwrite", "progress", "engine"))
  expect_equal(setdiff(own, described), character())
})

test_that("images cannot be placed where their vectors would mean something else", {
  own <- toy_clustering()
  attr(own, "settings") <- "{\"encoder\": {\"width\": 2}}"
  learnt <- toy_clustering()
  attr(learnt, "settings") <- "{\"encoder\": {\"name\": \"bovw\", \"learnt_from\": \"abc\"}}"
  expect_snapshot(error = TRUE, {
    predict(own, "photos")
    predict(learnt, "photos")
  })
})

test_that("new images go to the clusters of their likes", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
  placed <- predict(topics, folder, progress = FALSE)
  expect_named(
    placed, c("image_id", "path", "file", "cluster", "distance", "second_cluster", "margin")
  )
  expect_type(placed$second_cluster, "integer")
  expect_true(all(placed$second_cluster != placed$cluster))
  expect_true(all(augment(topics)$second_cluster %in% tidy(topics)$cluster))
  inside <- topics$cluster > 0
  expect_true(all(abs(topics$margin[inside]) <= 1) && all(is.na(topics$margin[!inside])))
  both <- dplyr::inner_join(placed, augment(topics), by = "image_id")
  both <- dplyr::filter(both, cluster.y > 0)
  expect_gt(mean(both$cluster.x == both$cluster.y), 0.5)
  expect_equal(
    predict(topics, embed_images(folder, encoder = "hog", progress = FALSE))$cluster,
    placed$cluster
  )
})

golden <- function(name) {
  path <- test_path("..", "fixtures", paste0("golden-", name, ".csv"))
  skip_if_not(file.exists(path), "not in the repository")
  classes <- if (name != "vectors") c(image_id = "character") else NA
  tibble::as_tibble(utils::read.csv(path, colClasses = classes))
}

test_that("R gives the golden tables, as Python does", {
  skip_if_no_core()
  vectors <- unname(as.matrix(golden("vectors")))
  topics <- cluster_images(vectors, k = 6, seed = 3, exact = TRUE, progress = FALSE)
  clusters <- golden("clusters")
  expect_equal(augment(topics)[names(clusters)], clusters)
  drawn <- sample_images(topics, seed = 3)
  sample <- golden("sample")
  expect_equal(tibble::as_tibble(drawn)[names(sample)], sample)
})

test_that("R and Python sort the same images into the same topics, with the same weights", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  topics <- cluster_images(folder, encoder = "hog", seed = 2, progress = FALSE)
  drawn <- sample_images(topics, seed = 2)
  run <- withr::local_tempdir()
  reticulate::py_run_string(sprintf("
from imagestrata import cluster_images, sample_images
topics = cluster_images(%s, encoder='hog', seed=2, progress=False)
topics.images.to_csv(%s, index=False)
sample_images(topics, seed=2).to_csv(%s, index=False)
", shQuote(folder), shQuote(file.path(run, "images.csv")), shQuote(file.path(run, "sample.csv"))))
  classes <- c(image_id = "character")
  python <- utils::read.csv(file.path(run, "images.csv"), colClasses = classes)
  expect_identical(topics$image_id, python$image_id)
  expect_identical(topics$cluster, python$cluster)
  python <- utils::read.csv(file.path(run, "sample.csv"), colClasses = classes)
  expect_identical(drawn$image_id, python$image_id)
  expect_equal(drawn$weight_corpus, python$weight_corpus)
  expect_equal(drawn$weight_cluster, python$weight_cluster)
})

test_that("k_max decides how far the number of clusters is searched", {
  skip_if_no_core()
  set.seed(1)
  vectors <- matrix(rnorm(90 * 4), 90)
  largest <- function(...) {
    topics <- suppressWarnings(cluster_images(
      vectors,
      k_criterion = "explained_variance", similarity_threshold = 0.99, patience = 1,
      progress = FALSE, ...
    ))
    tidy(topics, "trace")$k
  }
  expect_equal(largest(), 20)
  expect_equal(largest(k_max = 85), 85)
  expect_equal(largest(k_max = "sample"), 90)
  expect_error(largest(k_max = 1001), "`k_max` (1001) is larger than `sample_size`",
    fixed = TRUE, class = "imagestrata_error"
  )
  expect_error(
    cluster_images(vectors, k = 46, progress = FALSE), "at most half the number of images",
    class = "imagestrata_error"
  )
})

test_that("new images join a finished clustering, which says so", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  line <- cbind(c(-1, 0, 1, 99, 100, 101, 1.4, 50), 0)
  rownames(line) <- letters[1:8]
  settings <- list(
    k = 2, release_share = 1, stop_size = 3, neighbors = NULL, out = run, progress = FALSE
  )
  before <- do.call(cluster_images, c(list(line[1:6, ]), settings))
  expect_false(any(before$added))
  expect_warning(
    grown <- do.call(cluster_images, c(list(line[c(8, 1:7), ]), settings)),
    "1 of 2 new images are far from all clusters"
  )
  expect_equal(grown$image_id, c("h", letters[1:7]))
  expect_equal(grown$cluster, c(-1, 1, 1, 1, 2, 2, 2, 1))
  expect_equal(grown$added, grown$image_id %in% c("g", "h"))
  expect_equal(grown$wave, ifelse(grown$added, 2, 1))
  expect_equal(tidy(grown)$n_added, c(1, 0))
  expect_equal(glance(grown)$n_added, 2)
  expect_output(print(grown), "# Joined later: *2 images, 1 of them residual")
  expect_output(print(summary(grown)), "2 images joined later, 1 of them residual.")
  expect_identical(tidy(read_clustering(run)), tidy(grown))
})

test_that("clusters that are found anew keep the numbers of those they overlap most", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  place <- rep(c(0, 50, 100, 150), c(8, 6, 4, 9))
  vectors <- cbind(place + seq_along(place) / 100, 0)
  rownames(vectors) <- sprintf("i%02d", seq_along(place))
  cluster <- function(rows, n, ...) {
    cluster_images(
      vectors[rows, ], "kmeans",
      n_clusters = n, out = run, progress = FALSE, ...
    )
  }
  before <- cluster(1:18, 3)
  expect_equal(before$cluster, rep(1:3, c(8, 6, 4)))
  expect_null(attr(before, "tables")[["renumbered"]])
  cluster(1:27, 3)
  anew <- cluster(1:27, 4, recluster = TRUE)
  expect_equal(anew$cluster, rep(1:4, c(8, 6, 4, 9)))
  expect_false(any(anew$added))
  overlaps <- tidy(anew, "renumbered")
  expect_equal(overlaps$carried, c(TRUE, TRUE, TRUE, FALSE))
  expect_equal(overlaps$cluster_before, c(1:3, NA))
  expect_output(print(anew), "# Carried over: *3 numbers of the clusters before")
  expect_identical(tidy(read_clustering(run), "renumbered"), overlaps)
  expect_equal(nrow(predict(anew, vectors)), 27)
  expect_error(
    cluster_images(vectors, "kmeans", n_clusters = 2, recluster = TRUE, progress = FALSE),
    "recluster = TRUE needs `out`",
    class = "imagestrata_error"
  )
})
