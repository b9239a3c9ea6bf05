plain <- c("tbl_df", "tbl", "data.frame")

test_that("objects print a line for people first", {
  expect_snapshot({
    toy_images()
    toy_embeddings()
    toy_clustering()
    toy_sample()
  })
})

test_that("summaries are sentences and small tables", {
  expect_snapshot({
    summary(toy_images())
    summary(toy_embeddings())
    summary(toy_clustering())
    summary(toy_sample())
  })
})

test_that("tidy, glance and augment give plain tibbles of the contract", {
  topics <- toy_clustering()
  expect_named(tidy(topics), c("cluster", "size", "share", "silhouette", "iteration"))
  expect_named(
    tidy(topics, "trace"),
    c("iteration", "n_remaining", "k", "n_cohesive", "mean_size", "seconds")
  )
  expect_named(glance(topics), c(
    "n_images", "n_clusters", "n_residual", "n_iterations", "mean_silhouette", "method",
    "encoder", "seed"
  ))
  expect_named(
    augment(topics),
    c("image_id", "path", "cluster", "iteration", "silhouette", "distance", "n_copies")
  )
  for (table in list(tidy(topics), glance(topics), augment(topics), tibble::as_tibble(topics))) {
    expect_equal(class(table), plain)
  }
  expect_equal(tidy(toy_images())$n, c(2, 1, 1))
  expect_equal(glance(toy_images()), tibble::tibble(
    n_files = 4L, n_images = 2L, n_duplicates = 1L, n_rejected = 1L, n_gone = 0L
  ))
  expect_equal(glance(toy_embeddings())$encoder, "hog")
  expect_equal(tidy(toy_embeddings())$reason, "it changed since the scan")
})

test_that("augment() joins clusters to data of one's own", {
  skip_if_no_core()
  posts <- data.frame(image_id = c("c", "zz", "c"), likes = 1:3)
  expect_warning(joined <- augment(toy_clustering(), posts), "1 of 3 rows .*zz")
  expect_equal(joined$cluster, c(2, NA, 2))
  expect_equal(joined$likes, 1:3)
  expect_warning(
    by_path <- augment(toy_clustering(), data.frame(path = "p\\e.jpg", cluster = "mine")),
    "cluster_given"
  )
  expect_equal(by_path$cluster_given, "mine")
  expect_equal(by_path$silhouette, -0.1)
  expect_error(
    augment(toy_clustering(), data.frame(file = "gone.jpg")), "gone.jpg",
    class = "imagestrata_error"
  )
})

test_that("every file of a scan has a cluster, copies included", {
  skip_if_no_core()
  scan <- toy_clustering()[c("image_id", "path")]
  files <- tibble::tibble(
    image_id = c(scan$image_id, "copy", "bad"), path = c(scan$path, "/p/copy.jpg", "/p/bad.jpg"),
    status = c(rep("ok", nrow(scan)), "duplicate", "rejected"),
    duplicate_of = c(rep(NA, nrow(scan)), "c", NA)
  )
  joined <- expect_no_warning(augment(toy_clustering(), files))
  expect_equal(joined$cluster, c(toy_clustering()$cluster, 2, NA))
})

# One message, and a table that remembers nothing.
expect_plain <- function(code, why) {
  said <- character()
  new <- withCallingHandlers(code, imagestrata_plain = function(message) {
    said <<- c(said, conditionMessage(message))
    rlang::cnd_muffle(message)
  })
  expect_length(said, 1)
  expect_match(said, why, fixed = TRUE)
  expect_setequal(names(attributes(new)), c("class", "row.names", "names"))
  expect_equal(class(new), plain)
  invisible(new)
}

expect_kept <- function(code, old) {
  expect_no_message(new <- code)
  expect_equal(class(new), class(old))
  expect_equal(tbl_sum(new), tbl_sum(old))
}

test_that("whatever changes a clustering makes it a plain tibble, and says so once", {
  topics <- toy_clustering()
  changed <- "no longer a clustering: `cluster` has changed"
  moved <- expect_plain(dplyr::mutate(topics, cluster = 1), changed)
  expect_equal(moved$cluster, rep(1, 6))
  expect_plain(dplyr::mutate(topics, cluster = rev(cluster)), changed)
  expect_plain(dplyr::mutate(topics, cluster = factor(cluster)), changed)
  expect_plain(dplyr::mutate(topics, dplyr::across(c(cluster, distance), rev)), "have changed")
  expect_plain(local({
    topics$cluster <- 9
    topics$cluster[2] <- 8
    topics
  }), changed)
  expect_plain(local({
    topics$cluster[2] <- 2
    topics
  }), changed)
  expect_plain(local({
    topics[["cluster"]] <- 9
    topics
  }), changed)
  expect_plain(local({
    topics[topics$cluster == 2, "cluster"] <- 1
    topics
  }), changed)
  expect_plain(within(topics, cluster <- 1), changed)
  updated <- suppressMessages(
    dplyr::rows_update(topics, dplyr::tibble(image_id = "a", cluster = 7), by = "image_id")
  )
  expect_equal(class(updated), plain)
  for (gone in list(
    quote(dplyr::rename(topics, topic = cluster)), quote(dplyr::select(topics, -cluster)),
    quote(topics[setdiff(names(topics), "cluster")]), quote(topics[-3]),
    quote(`names<-`(topics, sub("cluster", "topic", names(topics)))),
    quote(`$<-`(topics, "cluster", NULL)), quote(within(topics, rm(cluster)))
  )) {
    expect_plain(eval(gone), "the column `cluster` is gone")
  }
  for (fewer in list(
    quote(dplyr::filter(topics, cluster > 0)), quote(subset(topics, cluster > 0)),
    quote(dplyr::slice(topics, 1:4)), quote(topics[1:4, ]), quote(utils::head(topics, 4)),
    quote(dplyr::semi_join(topics, data.frame(image_id = letters[1:4]), by = "image_id"))
  )) {
    expect_plain(eval(fewer), "it holds")
  }
  other <- "its rows are no longer those"
  expect_plain(dplyr::bind_rows(topics, topics), other)
  expect_plain(rbind(topics, topics), other)
  parties <- data.frame(image_id = c("a", "a"), party = 1:2)
  expect_plain(dplyr::left_join(topics, parties, by = "image_id"), other)
})

test_that("a clustering whose images stay as they are stays one, whatever is beside them", {
  topics <- toy_clustering()
  expect_kept(dplyr::mutate(topics, month = 1), topics)
  expect_kept(dplyr::mutate(topics, path = paste0("/moved", path)), topics)
  expect_kept(dplyr::arrange(topics, silhouette), topics)
  expect_kept(topics[6:1, ], topics)
  expect_kept(unique(topics), topics)
  expect_kept(dplyr::relocate(topics, cluster), topics)
  expect_kept(dplyr::left_join(topics, data.frame(path = "x", y = 1), by = "path"), topics)
  expect_kept(dplyr::bind_cols(topics, month = 1), topics)
  expect_kept(local({
    topics$month <- 1
    topics[["month"]] <- NULL
    topics
  }), topics)
  expect_no_message({
    expect_equal(dplyr::count(topics, cluster)$n, c(1, 3, 2))
    expect_equal(topics[["cluster"]], topics$cluster)
    split(topics, topics$cluster)
    vctrs::vec_slice(topics, 1:3)
  })
  expect_equal(class(vctrs::vec_slice(topics, 1:3)), plain)
})

test_that("what goes past all of this reaches Python under no clustering's name", {
  topics <- toy_clustering()
  topics <- tibble::add_row(topics, image_id = "z", cluster = 1)
  expect_error(send_clustering(topics), "have changed since", class = "imagestrata_error")
})

test_that("every other table, too, is plain once it contradicts what it says", {
  drawn <- new_sample(simulated_sample)
  expect_plain(dplyr::mutate(drawn, cluster = 1), "no longer a sample: `cluster` has changed")
  expect_plain(dplyr::mutate(drawn, weight_corpus = 2), "`weight_corpus` has changed")
  expect_plain(drawn[-1, ], "no longer a sample: it holds 1,086 of 1,087 rows")
  some <- dplyr::filter(drawn, cluster < 9)
  expect_s3_class(some, "imagestrata_sample")
  expect_match(tbl_sum(some), "from 8 strata")

  ratings <- new_ratings(simulated_ratings, problems = dplyr::tibble())
  expect_s3_class(dplyr::filter(ratings, cluster < 9), "imagestrata_ratings")
  expect_s3_class(dplyr::mutate(ratings, rating = 10 - rating), "imagestrata_ratings")
  expect_s3_class(dplyr::mutate(ratings, group = rev(group)), "imagestrata_ratings")
  expect_plain(dplyr::mutate(ratings, cluster = 1), "no longer ratings: `cluster` has changed")
  expect_plain(dplyr::rename(ratings, answer = rating), "the column `rating` is gone")

  means <- rating_means(ratings)
  expect_s3_class(dplyr::filter(means, level == "item"), "imagestrata_estimates")
  expect_s3_class(dplyr::mutate(means, item = toupper(item)), "imagestrata_estimates")
  expect_plain(dplyr::mutate(means, estimate = 1), "no longer means: `estimate` has changed")

  images <- toy_images()
  expect_s3_class(dplyr::filter(images, status == "ok"), "imagestrata_images")
  expect_plain(dplyr::bind_rows(images, images), "no longer a scan")
})

test_that("a result of several tables is one only as it came", {
  scores <- dplyr::tibble(measure = c("f1", "recall"), estimate = c(0.5, 0.75))
  found <- tibble::new_tibble(
    scores,
    nrow = 2, tables = list(scores = scores),
    class = c("imagestrata_tags", "imagestrata_result")
  )
  expect_plain(found[1, ], "no longer a comparison of tags: it holds 1 of 2 rows")
  expect_plain(dplyr::mutate(found, estimate = 1), "`estimate` has changed")
  expect_plain(dplyr::rename(found, value = estimate), "the column `estimate` is gone")
  expect_s3_class(found[2:1, ], "imagestrata_tags")
  expect_s3_class(dplyr::mutate(found, note = "x"), "imagestrata_tags")
})

test_that("embeddings find their vectors by id, whatever became of the rows", {
  embeddings <- toy_embeddings()
  all <- as.matrix(embeddings)
  expect_equal(rownames(all), c("a", "b", "c"))
  some <- dplyr::arrange(dplyr::filter(embeddings, image_id != "b"), dplyr::desc(image_id))
  expect_s3_class(some, "imagestrata_embeddings")
  expect_equal(as.matrix(some), all[c("c", "a"), ])
  expect_message(some$image_id[1] <- "unknown", "`image_id` has changed")
  expect_false(inherits(some, "imagestrata_embeddings"))
  expect_false(inherits(dplyr::select(embeddings, path), "imagestrata_embeddings"))
})

test_that("objects survive saveRDS() whole", {
  path <- withr::local_tempfile()
  for (object in list(toy_images(), toy_embeddings(), toy_clustering(), toy_sample())) {
    saveRDS(object, path)
    expect_identical(readRDS(path), object)
  }
})

test_that("counts are words of people", {
  expect_equal(count_of(1, "image"), "1 image")
  expect_equal(count_of(18096, "image"), "18,096 images")
})

test_that("a summary says when it shows some of the clusters", {
  topics <- toy_clustering()
  expect_output(print(summary(topics)), "\nClusters:", fixed = TRUE)
  rows <- attr(topics, "tables")$clusters[rep(1, 16), ]
  rows$cluster <- 1:16
  attr(topics, "tables")$clusters <- rows
  expect_output(print(summary(topics)), "The largest 10 of 16 clusters:", fixed = TRUE)
})

test_that("64-bit integers are read as numbers", {
  value <- c(0, 1, -1, 2^31, -2^31, 2^32 - 1, -2^40, NA)
  # The same eight bytes as the package bit64 writes.
  low <- c(0, 1, 0xFFFFFFFF, 2^31, 2^31, 0xFFFFFFFF, 0, 0)
  high <- c(0, 0, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0, 2^32 - 2^8, 2^31)
  bytes <- \(x) vapply(0:3, \(i) x %/% 256^i %% 256, numeric(length(x)))
  bits <- as.raw(t(cbind(bytes(low), bytes(high))))
  wide <- structure(readBin(bits, "double", length(value), endian = "little"), class = "integer64")
  expect_identical(wide_numbers(wide), value)
  table <- plain_columns(tibble::tibble(x = wide, y = value))
  expect_identical(table$x, table$y)
  # A covariate is not taken for very small numbers, and the residual is not missing.
  followers <- structure(readBin(
    as.raw(t(cbind(bytes(1:40), bytes(rep(0, 40))))), "double", 40, endian = "little"
  ), class = "integer64")
  posts <- tibble::tibble(
    post_id = as.character(1:40), image_id = post_id, author = rep(letters[1:20], 2),
    cluster = rep(c(1, 1, 2, -1), 10), followers = as.numeric(1:40)
  )
  expected <- tidy(quietly(topic_model(posts, ~followers)))$estimate
  expect_type(expected, "double")
  posts$followers <- followers
  expect_equal(tidy(quietly(topic_model(posts, ~followers)))$estimate, expected)
})
