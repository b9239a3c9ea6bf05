own_vectors <- function() {
  centres <- rep(c(0, 9, 20), c(3, 6, 5))
  matrix <- cbind(centres + 1:14 / 20, centres - (1:14 %% 3) / 20)
  rownames(matrix) <- paste0("i", 1:14)
  matrix
}
own_names <- rep(c("cat", "dog", NA), c(3, 6, 5))

test_that("labels become clusters, numbered by size", {
  skip_if_no_core()
  topics <- as_clustering(own_vectors(), own_names)
  expect_s3_class(topics, "imagestrata_clustering")
  expect_equal(topics$image_id, paste0("i", 1:14))
  expect_equal(topics$cluster, rep(c(2, 1, -1), c(3, 6, 5)))
  expect_equal(topics$cluster_name, own_names)
  expect_equal(tidy(topics)$cluster_name, c("dog", "cat"))
  expect_equal(tidy(topics)$size, c(6, 3))
  expect_equal(is.na(topics$silhouette), is.na(own_names))
  line <- glance(topics)
  expect_equal(line$method, "labels")
  expect_true(is.na(line$seed))
  expect_no_match(cli::ansi_strip(format(topics)), "seed")
})

test_that("labels come as vectors, factors, numbers, by name and in tables", {
  skip_if_no_core()
  vectors <- own_vectors()
  wanted <- rep(c(2, 1, -1), c(3, 6, 5))
  ids <- rownames(vectors)
  kinds <- list(
    factor(own_names),
    ifelse(is.na(own_names), -1, match(own_names, c("cat", "dog"))),
    rep(c(7L, 3L, NA), c(3, 6, 5)),
    rev(stats::setNames(own_names, ids)),
    data.frame(image_id = rev(ids), label = rev(own_names)),
    tibble::tibble(image_id = ids, cluster = factor(own_names))
  )
  for (labels in kinds) {
    expect_equal(as_clustering(vectors, labels)$cluster, wanted)
  }
  frame <- as.data.frame(vectors)
  expect_equal(as_clustering(frame, own_names)$image_id, ids)
  named <- tibble::rownames_to_column(frame, "image_id")
  expect_equal(as_clustering(named, own_names)$image_id, ids)
  # A result is never taken for vectors, though its columns are numbers.
  expect_error(
    as_clustering(toy_sample(), 1), "the result of `?embed_images.*, not a sample",
    class = "imagestrata_error"
  )
})

test_that("labels that do not fit are refused", {
  skip_if_no_core()
  refused <- function(labels, message) {
    expect_error(as_clustering(own_vectors(), labels), message, class = "imagestrata_error")
  }
  refused(own_names[1:5], "5 labels for 14 images")
  refused(rep(0.5, 14), "whole")
  refused(list("cat"), "one value per image")
  refused(data.frame(image_id = "i1", code = "x"), "'label'|\"label\"")
  mixed <- data.frame(x = 1, y = "a")
  expect_error(as_clustering(mixed, 1), "not numeric", class = "imagestrata_error")
  expect_warning(
    as_clustering(own_vectors(), data.frame(image_id = "i1", label = "x")), "no label for 13 of 14"
  )
})

test_that("every verb takes them", {
  skip_if_no_core()
  vectors <- own_vectors()
  topics <- as_clustering(vectors, own_names)
  quiet <- function(verb, ...) suppressMessages(verb(topics, ..., progress = FALSE))
  texts <- tibble::tibble(image_id = rownames(vectors), description = own_names)
  expect_setequal(sample_images(topics, 2)$cluster, c(1, 2, -1))
  expect_equal(nrow(find_images(topics, 1, n = 2)), 2)
  expect_equal(unique(cluster_keywords(topics, texts)$term), c("dog", "cat"))
  expect_equal(nrow(score_clustering(topics, embeddings = vectors)), 4)
  expect_equal(predict(topics, vectors)$cluster[1:9], rep(c(2, 1), c(3, 6)))
  expect_equal(augment(topics, texts)$cluster, topics$cluster)
  compared <- compare_clusterings(a = topics, b = topics)
  expect_equal(compared$adjusted_rand, 1)
  page <- quiet(image_gallery, out = withr::local_tempdir())
  expect_true(file.exists(page))
  expect_s3_class(summary(topics), "imagestrata_summary")
  expect_s3_class(autoplot(topics), "ggplot")
  expect_error(quiet(cluster_stability, vectors), "no method to fit them again")
  run <- withr::local_tempdir()
  as_clustering(vectors, own_names, out = run)
  expect_equal(read_clustering(run)$cluster, topics$cluster)
})

test_that("0 is a cluster, and a warning says so where it may be the residual", {
  told <- function(labels) {
    tryCatch(
      {
        warn_about_zero(labels, "labels")
        ""
      },
      imagestrata_warning = conditionMessage
    )
  }
  table <- function(...) tibble::tibble(image_id = letters[1:3], ...)
  expect_match(told(table(cluster = c(0, 1, NA))), "0 in `labels` is a cluster.*1 image.*dbscan")
  expect_match(told(table(label = factor(c(0, 0, 1)))), "2 images")
  expect_equal(told(table(cluster = c(0, 1, -1))), "")
  expect_equal(told(table(cluster = c(1, 2, NA))), "")
  expect_equal(told(table(label = c("0", "1", "2"))), "")
  expect_equal(told(table(other = 0)), "")
  local_core()
  # True classes are often 0 and 1.
  expect_no_warning(send_clusters(c(0, 1), "truth"))
  expect_warning(send_clusters(c(0, 1), "first"), "0 in `first`", class = "imagestrata_warning")
})

test_that("both languages take 0 as a cluster", {
  skip_if_no_core()
  labels <- rep(c(0, 1, NA), c(3, 6, 5))
  expect_warning(
    topics <- as_clustering(own_vectors(), labels),
    "is a cluster like the others"
  )
  expect_equal(topics$cluster, rep(c(2, 1, -1), c(3, 6, 5)))
  expect_equal(tidy(topics)$cluster_name, c("1", "0"))
})
