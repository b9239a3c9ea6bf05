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

test_that("linked posts get the edited clusters", {
  skip_if_no_core()
  points <- matrix(c(0, 0.1, 9, 9.1, 30, 30.1), dimnames = list(letters[1:6], NULL))
  topics <- cluster_images(points, method = "kmeans", n_clusters = 3, progress = FALSE)
  posts <- tibble::tibble(
    post_id = c("1", "2", "3", "4"), party = factor(c("A", "B", "A", "B")),
    file = c("a", "c", NA, "no.jpg")
  )
  expect_warning(before <- link_posts(topics, posts), "no image, 1 row")
  merged <- edit_clusters(topics, points, merge = list(c(1, 2)), names = c("1" = "Both"))
  expect_no_warning(after <- link_posts(merged, before)) # what was told is not told again
  now <- merged$cluster[match(before$image_id, merged$image_id)]
  expect_equal(after$cluster, now)
  expect_equal(after$cluster_name, merged$cluster_name[match(before$image_id, merged$image_id)])
  same <- setdiff(names(before), c("cluster", "cluster_name"))
  columns <- function(x) lapply(x, identity)
  expect_identical(columns(after)[same], columns(before)[same])
  expect_named(after, names(before))
  suppressWarnings({
    expect_identical(columns(link_posts(topics, before)), columns(before))
    expect_identical(columns(link_posts(topics, before, by = "file")), columns(before))
    # dplyr may drop the class, and rows may go.
    plain <- dplyr::filter(tibble::as_tibble(before), party == "B")
    expect_equal(link_posts(merged, plain)$cluster, now[c(2, 4)])
  })
})

test_that("posts are the unit of weights", {
  skip_if_no_core()
  topics <- demo_topics()
  posts <- data.frame(post_id = c(1, 2, 2, 3), image_id = topics$image_id[c(1, 1, 1, 2)])
  linked <- link_posts(topics, posts)
  drawn <- sample_images(topics, n_per_cluster = 1, shares = linked)
  topics$n_posts <- c(2, 1, rep(0, nrow(topics) - 2))
  expect_equal(drawn, sample_images(topics, n_per_cluster = 1, shares = "n_posts"))
  expect_equal(drawn$weight_share, drawn$weight_corpus * drawn$n_posts)
  wrong <- function(shares) rlang::catch_cnd(sample_images(topics, shares = shares))
  expect_s3_class(wrong(drawn), "wrong_step")
  expect_match(wrong(drawn)$message, "shares.* must be the result of .*link_posts.*not a sample")
  read <- tibble::tibble(post_id = 1, author = "a", time = NA, text = "x", media = list("y"))
  expect_match(wrong(read)$message, "not posts, which .*read_posts")
  expect_match(wrong(read)$hint, "Call link_posts()", fixed = TRUE)
  expect_match(wrong(5)$message, "link_posts")
  expect_match(rlang::catch_cnd(link_posts(topics, drawn))$message, "not a sample")
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
