test_that("the run folder crosses as a path, and a text comes back", {
  calls <- local_core(methods_paragraph = \(run) "Of 2 files, 2 (100.0%)")
  run <- withr::local_tempdir()
  expect_equal(methods_paragraph(run), "Of 2 files, 2 (100.0%)")
  expect_equal(calls$methods_paragraph$run, normalizePath(run))
  expect_error(methods_paragraph(file.path(run, "x")), class = "imagestrata_error")
  expect_error(methods_paragraph(), "nothing to describe", class = "imagestrata_error")
  expect_error(methods_paragraph(run, year = 2026), class = "imagestrata_error")
})

test_that("it tells a run with its own numbers", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  clustering <- cluster_images(folder, encoder = "hog", out = run, progress = FALSE)
  drawn <- sample_images(clustering, 2, out = run)
  text <- methods_paragraph(run)
  expect_length(text, 1)
  line <- glance(clustering)
  files <- nrow(scan_images(folder, out = run, progress = FALSE))
  expect_match(text, sprintf("Of %d files", files), fixed = TRUE)
  expect_match(
    text,
    sprintf("%d images into %d clusters (", line$n_images, line$n_clusters),
    fixed = TRUE
  )
  expect_match(text, sprintf("%d images", nrow(drawn)), fixed = TRUE)
  expect_match(text, "\n\nReference: ", fixed = TRUE)
  expect_match(text, "imagestrata: Visual topics", fixed = TRUE)
})

# Ten authors with twelve posts each, one of them without an image. The test of Python,
# test_methods_posts.py, has the same table, and fixtures/methods-posts.txt what both languages say
# of its analyses.
shown_by <- function() {
  i <- 0:119
  posts <- data.frame(
    post_id = i + 1, image_id = sprintf("i%02d", (i * i) %% 37), cluster = c(1, 2, -1)[i %% 3 + 1],
    cluster_name = NA, n_posts = NA, unmatched = NA_character_,
    author = sprintf("account_%02d", i %/% 12), party = ifelse(i < 60, "D", "R"),
    time = as.POSIXct("2018-01-01", tz = "UTC") + 86400 * (i %% 60), retweets = (i * 7) %% 11,
    followers = 10 + i
  )
  posts[7, c("image_id", "cluster", "unmatched")] <- list(NA, NA, "no image")
  posts
}

told_golden <- function() {
  lines <- readLines(test_path("..", "fixtures", "methods-posts.txt"), encoding = "UTF-8")
  rlang::set_names(sub("^[a-z_]+: ", "", lines), sub(":.*", "", lines))
}

test_that("both languages say the same of analyses of posts, with their numbers", {
  skip_if_not_installed("MASS")
  local_core()
  posts <- shown_by()
  ratings <- data.frame(image_id = sprintf("i%02d", 0:36), hopeful = (0:36 * 5) %% 13)
  counts <- function(...) share_model(posts, retweets ~ hopeful, ratings = ratings, ...)
  results <- suppressWarnings(suppressMessages(list(
    linked = posts,
    posts = topic_prevalence(posts, by = party),
    authors = topic_prevalence(
      posts,
      by = c(party, month), unit = "author", denominator = "all", conf_level = 0.9
    ),
    images = topic_prevalence(posts, unit = "image"),
    gaps = topic_gaps(posts, by = party),
    months = topic_gaps(posts, by = c(month, party), adjust = "BH"),
    weeks = topic_gaps(posts, by = week, unit = "image", adjust = "none"),
    odds = topic_odds(posts, by = c(party, month), unit = "author"),
    model = topic_model(posts, ~ party + s(month, df = 2)),
    sandwich = topic_model(posts, c(1, 2) ~ party, variance = "sandwich"),
    shares = counts(),
    corrected = counts(reliability = c(hopeful = 0.7), family = "poisson", cluster = "author"),
    shown = counts(unit = "image", variance = "sandwich"),
    rates = counts(family = "poisson", cluster = "image", exposure = "followers")
  )))
  told <- vapply(results, \(one) methods_paragraph(results = one), "")
  parts <- strsplit(told, " Posts were analysed with ", fixed = TRUE)
  expect_equal(vapply(parts, `[[`, "", 1), told_golden())
  ending <- paste0(
    "R ", getRversion(), ".\n\nReference: The imagestrata authors. imagestrata: Visual topics, ",
    "weighted samples and honest comparisons for large piles of images. Version ",
    utils::packageVersion("imagestrata"), " [computer software]."
  )
  expect_equal(unique(vapply(parts, `[[`, "", 2)), ending)
  expect_equal(
    methods_paragraph(results = unname(results[c("gaps", "linked", "gaps")])),
    paste(
      told_golden()[["gaps"]], told_golden()[["linked"]], "Posts were analysed with", ending
    )
  )
})

test_that("posts without times have no period", {
  posts <- shown_by()
  for (time in list(as.POSIXct(NA), "Monday")) {
    posts$time <- time
    posts$author <- NA
    expect_match(methods_paragraph(results = posts), "Of 120 posts by 0 authors, 119", fixed = TRUE)
  }
})

test_that("what is no analysis of posts is refused", {
  expect_error(
    methods_paragraph(results = list(shown_by(), 1)), "topic_model.* not 1",
    class = "imagestrata_error"
  )
  expect_error(
    methods_paragraph(results = data.frame(x = 1)), "plain data frame",
    class = "imagestrata_error"
  )
})

test_that("analyses of posts stand between the run and the reference", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  cluster_images(imagestrata_example("images"), encoder = "hog", out = run, progress = FALSE)
  parts <- strsplit(methods_paragraph(run, shown_by()), "\n\n", fixed = TRUE)[[1]]
  expect_match(parts, "^(Of [0-9]+ files|We linked posts|Reference: )")
  expect_length(parts, 3)
  expect_equal(parts[-2], strsplit(methods_paragraph(run), "\n\n", fixed = TRUE)[[1]])
})
