test_that("metadata are counted and compared with the corpus", {
  skip_if_no_core()
  topics <- toy_clustering()
  posts <- data.frame(
    image_id = letters[1:6],
    account = factor(c("city", "city", "party", "party", "city", "party"))
  )
  counted <- cluster_metadata(topics, posts, column = "account")
  expect_equal(counted$cluster, c(1, 1, 2, -1))
  expect_equal(counted$size, c(3, 3, 2, 1))
  expect_equal(counted$value, c("city", "party", "party", "city"))
  expect_equal(counted$n_images, c(2, 1, 2, 1))
  expect_equal(counted$share, c(2 / 3, 1 / 3, 1, 1))
  expect_equal(counted$share_corpus, rep(1 / 2, 4))
  expect_equal(counted$lift, counted$share * 2)
  expect_true(all(counted$lift.low < counted$lift & counted$lift <= counted$lift.high))
  expect_error(
    cluster_metadata(topics, posts, column = "account", min_images = 4), "at least 4 images",
    class = "imagestrata_error"
  )
})

test_that("every element of a list column is a value, also in columns of the clustering", {
  skip_if_no_core()
  topics <- toy_clustering()
  tags <- list(c("#a", "#b"), "#a", character(), c("#b", "#b"), NULL, c("#a", NA))
  written <- vapply(tags, \(one) paste(stats::na.omit(one), collapse = " "), "")
  expected <- cluster_metadata(
    topics, data.frame(image_id = topics$image_id, tags = written),
    column = "tags", separator = " "
  )
  posts <- tibble::tibble(image_id = topics$image_id, tags = tags)
  expect_equal(cluster_metadata(topics, posts, column = "tags"), expected)
  expect_equal(cluster_metadata(dplyr::mutate(topics, tags = tags), column = "tags"), expected)
  expect_equal(sort(unique(expected$value)), c("#a", "#b"))
})

test_that("cells may be lists, and columns lie in the clustering", {
  skip_if_no_core()
  topics <- dplyr::mutate(toy_clustering(), tags = c("#a #b", "#a", "#b", "#a", "#a", NA))
  counted <- cluster_metadata(topics, column = "tags", separator = " ", order = "lift", n = 1)
  expect_equal(counted$cluster, c(1, 2, -1))
  expect_equal(counted$value, c("#a", "#b", "#a"))
  expect_equal(counted$n, c(3, 1, 1))
})

test_that("a column that is missing is told", {
  skip_if_no_core()
  expect_error(cluster_metadata(toy_clustering(), column = "party"), "no column .party.",
    class = "imagestrata_error"
  )
  expect_error(cluster_metadata(toy_images(), column = "party"), "cluster_images",
    class = "imagestrata_error"
  )
})

test_that("posts and authors are counted, with copies and the residual", {
  skip_if_no_core()
  topics <- toy_clustering()
  posts <- tibble::tibble(
    post_id = c("1", "2", "3", "4"),
    author = factor(c("ann", "ann", "ben", "ben")),
    tags = list(c("#u", "#v"), "#u", "#v", "#w"),
    time = as.POSIXct(c("2024-01-01 23:30", "2024-01-08", "2024-02-29", "2024-03-01"), tz = "UTC"),
    media = list(c("a", "b", "c"), "twin.jpg", "e", "nowhere.jpg")
  )
  scan <- tibble::tibble(
    image_id = c(letters[1:6], "t"), path = c(topics$path, "/q/twin.jpg"),
    status = rep(c("ok", "duplicate"), c(6, 1)), reason = NA_character_,
    duplicate_of = c(rep(NA, 6), "a")
  )
  linked <- suppressWarnings(link_posts(topics, posts, images = scan))
  expect_warning(
    counted <- cluster_metadata(topics, linked, column = "tags", unit = "post"),
    "1 of 4 posts"
  )
  expect_equal(counted$cluster, c(1, 1, 2, 2, -1))
  expect_equal(counted$value, c("#u", "#v", "#u", "#v", "#v"))
  expect_equal(counted$n_posts, c(2, 1, 1, 1, 1))
  expect_equal(counted$n_images, c(2, 2, 1, 1, 1))
  expect_equal(counted$n, c(2, 2, 1, 1, 1))
  expect_equal(counted$share_corpus, c(2, 2, 2, 2, 2) / 3)
  linked <- dplyr::filter(linked, is.na(unmatched)) # drops the class
  months <- cluster_metadata(topics, linked, column = "time", unit = "post", period = "month")
  expect_equal(months$value, c("2024-01", "2024-01", "2024-02"))
  expect_equal(months$n_posts, c(2, 1, 1))
  days <- cluster_metadata(topics, linked, column = "time")
  expect_equal(sort(unique(days$value)), c("2024-01-01", "2024-01-08", "2024-02-29"))
  authors <- cluster_metadata(topics, linked, column = "tags", unit = "author")
  expect_equal(authors$n_authors, c(1, 1, 1, 1, 1))
  words <- cluster_keywords(
    topics, linked,
    column = "tags", unit = "post", min_images = 1, residual = "together", separator = " "
  )
  expect_equal(words$cluster, c(-1, 1, 1, 2, 2))
  expect_equal(words$n_posts, c(1, 2, 1, 1, 1))

  # A table with names of files finds copies, too; so does augment() through the run folder.
  files <- data.frame(file = c("twin.jpg", "a.jpg"), party = c("x", "y"))
  found <- cluster_metadata(topics, files, column = "party", images = scan)
  expect_equal(found$cluster, c(1, 1))
  expect_error(
    cluster_metadata(topics, files, column = "party", unit = "post"), "post_id.*file, party",
    class = "imagestrata_error"
  )
})
