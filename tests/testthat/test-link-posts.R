a_scan <- function() {
  data.frame(
    image_id = c(letters[1:6], "aa", "bad"),
    path = c(paste0("/p/", letters[1:6], ".jpg"), "/q/Copy.jpg", "/q/bad.jpg"),
    status = c(rep("ok", 6), "duplicate", "rejected"),
    reason = c(rep(NA, 6), "same pixels", "too small"),
    duplicate_of = c(rep(NA, 6), "a", NA)
  )
}

test_that("every post's image finds the kept one", {
  skip_if_no_core()
  posts <- tibble::tibble(
    post_id = c("1", "2", "3"),
    party = factor(c("A", "B", "A")),
    time = as.POSIXct("2024-05-01", tz = "UTC") + 0:2,
    media = list(c("a.jpg", "copy.jpg"), "https://x.org/bad.jpg?size=1", character())
  )
  expect_warning(
    linked <- link_posts(toy_clustering(), posts, images = a_scan()),
    "2 of 4 rows \\(2 posts\\) have no image"
  )
  expect_s3_class(linked, "imagestrata_posts")
  expect_named(linked, c(
    "post_id", "image_id", "cluster", "cluster_name", "n_posts", "unmatched", "party", "time",
    "media"
  ))
  expect_equal(linked$post_id, c("1", "1", "2", "3"))
  expect_equal(linked$image_id, c("a", "a", NA, NA))
  expect_equal(linked$cluster, c(1, 1, NA, NA))
  expect_equal(linked$n_posts, c(1, 1, NA, NA))
  expect_equal(linked$unmatched, c(NA, NA, "rejected: too small", "no image"))
  expect_equal(linked$party, posts$party[c(1, 1, 2, 3)])
  expect_equal(linked$time, posts$time[c(1, 1, 2, 3)])
  expect_equal(linked$media, c("a.jpg", "copy.jpg", "https://x.org/bad.jpg?size=1", NA))
  lost <- tidy(linked, "unmatched")
  expect_equal(lost$reason, c("no image", "rejected: too small"))
  expect_equal(lost$n, c(1, 1))
  expect_equal(lost$examples[2], "https://x.org/bad.jpg?size=1")
})

test_that("texts hold several names, and ids keep their digits", {
  skip_if_no_core()
  posts <- data.frame(post_id = c(1e15 + 1, 2), image_id = c("a, b", "aa"), cluster = 9)
  expect_warning(linked <- link_posts(toy_clustering(), posts, images = a_scan()), "cluster_given")
  expect_equal(linked$post_id, c("1000000000000001", "1000000000000001", "2"))
  expect_equal(linked$image_id, c("a", "b", "a"))
  expect_equal(linked$image_id_given, c("a", "b", "aa"))
  expect_equal(linked$n_posts, c(2, 1, 2))
})

test_that("posts are the unit of weights", {
  skip_if_no_core()
  topics <- demo_topics()
  posts <- data.frame(post_id = 1:3, image_id = topics$image_id[c(1, 1, 2)])
  linked <- link_posts(topics, posts)
  shown <- dplyr::distinct(linked, image_id, n_posts)
  topics$n_posts <- dplyr::coalesce(shown$n_posts[match(topics$image_id, shown$image_id)], 0L)
  expect_equal(topics$n_posts[1:3], c(2, 1, 0))
  drawn <- sample_images(topics, n_per_cluster = 1, shares = "n_posts")
  expect_equal(drawn$weight_share, drawn$weight_corpus * drawn$n_posts)
})

test_that("bad input is refused in words", {
  skip_if_no_core()
  topics <- toy_clustering()
  posts <- data.frame(post_id = 1:2, photo = "a")
  refused <- function(text, ...) {
    expect_error(link_posts(...), text, class = "imagestrata_error")
  }
  refused("none of the columns", topics, posts)
  refused("not .foto.", topics, posts, by = "foto")
  refused("post_id", topics, data.frame(id = 1))
  refused("no rows", topics, posts[0, ])
  refused("cluster_images", posts, posts)
  refused("No row of .posts.*not in the scan", topics, data.frame(post_id = 1, file = "zz.jpg"))
  refused("1 of 2 rows .* no .post_id", topics, data.frame(post_id = c(1, NA), file = "a.jpg"))
  refused("does not exist|no file|no folder", topics, data.frame(post_id = 1, file = "a.jpg"),
    images = "nowhere"
  )
})
