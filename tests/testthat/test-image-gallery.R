test_that("the page is written, its path returned invisibly and told", {
  skip_if_no_core()
  make <- function() {
    image_gallery(demo_topics(), withr::local_tempdir(.local_envir = parent.frame()),
      sample = demo_sample(), progress = FALSE
    )
  }
  expect_message(page <- withVisible(make()), "index.html")
  expect_false(page$visible)
  expect_true(file.exists(page$value))
  expect_equal(basename(dirname(page$value)), "gallery")
})

test_that("a sample of another clustering is refused", {
  skip_if_no_core()
  expect_error(
    image_gallery(demo_topics(), withr::local_tempdir(), sample = toy_sample(), progress = FALSE),
    "not in the clustering",
    class = "imagestrata_error"
  )
})

test_that("the page opens in the viewer, or the browser, only where it is asked for", {
  local_core(image_gallery = \(out, ...) file.path(out, "gallery", "index.html"))
  opened <- character()
  withr::local_options(
    viewer = \(page) opened <<- c(opened, paste("viewer", page)),
    browser = \(page) opened <<- c(opened, paste("browser", page))
  )
  gallery <- function(out, ...) {
    suppressMessages(image_gallery(toy_clustering(), out, progress = FALSE, ...))
  }
  inside <- absolute_path(file.path(tempdir(), "run"))
  gallery(inside)
  gallery(inside, view = FALSE)
  expect_equal(opened, character())
  gallery(inside, view = TRUE)
  gallery("/elsewhere/run", view = TRUE)
  # Not below the folder, though its name begins alike.
  gallery(paste0(absolute_path(tempdir()), "-other"), view = TRUE)
  options(viewer = NULL)
  gallery(inside, view = TRUE)
  expect_equal(sub(" .*", "", opened), c("viewer", "browser", "browser", "browser"))
  expect_match(opened[[1]], file.path(inside, "gallery", "index.html"), fixed = TRUE)
  expect_match(opened[[2]], "file:///", fixed = TRUE)
  expect_error(gallery(inside, view = "yes"), "`view` must be", class = "imagestrata_error")
})

test_that("a page prints as a link", {
  page <- structure("/run/gallery/index.html", class = "imagestrata_page")
  expect_output(print(page), "^/run/gallery/index.html$")
  withr::local_options(cli.hyperlink = TRUE)
  expect_output(print(page), "\033]8;;file:///run/gallery/index.html", fixed = TRUE)
})

test_that("posts are on the page, without accounts unless they are asked for", {
  skip_if_no_core()
  topics <- demo_topics()
  posts <- tibble::tibble(
    post_id = c("1", "2", "3"), author = c("an account", "b", "b"),
    party = factor(c("red", "blue", "blue")),
    time = as.POSIXct(c("2024-01-05 23:30:00", NA, "2024-03-01 00:00:00"), tz = "America/New_York"),
    image_id = topics$image_id[c(1, 1, 2)]
  )
  linked <- link_posts(topics, posts)
  write <- function(posts, ...) {
    page <- suppressMessages(image_gallery(
      topics, withr::local_tempdir(.local_envir = parent.frame()),
      posts = posts, progress = FALSE, ...
    ))
    text <- readLines(page, warn = FALSE, encoding = "UTF-8")
    json <- sub(".*id=\"data\">(.*?)</script>.*", "\\1", paste(text, collapse = " "), perl = TRUE)
    jsonlite::fromJSON(json)$posts
  }
  data <- write(linked, by = "party")
  expect_equal(data$n, 3)
  expect_equal(data$first, as.integer(as.Date("2024-01-06"))) # in UTC
  expect_equal(data$groups$values, c("blue", "red"))
  expect_null(data$authors)
  expect_equal(write(linked, author = "author")$authors$values, c("b", "an account"))
  expect_false(write(linked[c("post_id", "image_id")], time = NULL)$timed)
  expect_error(write(posts[-5]), "must be the result of .*link_posts", class = "imagestrata_error")
  expect_error(write(linked, by = "x"), "no column", class = "imagestrata_error")
})

test_that("a page has an address that browsers take on every system", {
  expect_equal(
    file_address("/home/ana/my run/#1 \u00fc%.html"),
    "file:///home/ana/my%20run/%231%20%C3%BC%25.html"
  )
  expect_equal(file_address("C:/Users/Ana/index.html"), "file:///C:/Users/Ana/index.html")
  expect_equal(file_address("//server/share/a.html"), "file://server/share/a.html")
})
