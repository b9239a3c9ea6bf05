test_that("posts are read with whole ids and times in UTC", {
  skip_if_no_core()
  file <- withr::local_tempfile(fileext = ".csv", lines = c(
    "id,author,timestamp,body,image_url,likes",
    "1234567890123456789,007,2024-05-01 18:30:00,Vote!,\"a.jpg,b.jpg\",3",
    "1234567890123456788,anna,,Hi,,"
  ))
  posts <- read_posts(file, time_zone = "Europe/Berlin")
  expect_equal(posts$post_id, c("1234567890123456789", "1234567890123456788"))
  expect_equal(posts$author, c("007", "anna"))
  expect_equal(posts$time, as.POSIXct(c("2024-05-01 16:30:00", NA), tz = "UTC"))
  expect_equal(posts$media, list(c("a.jpg", "b.jpg"), character()))
  expect_equal(posts$likes, c(3, NA))
  expect_equal(attr(posts, "columns")$text, "body")
  expect_equal(attr(posts, "time_zone"), "Europe/Berlin")
})

test_that("columns are named, and 4CAT says whose post a file is", {
  skip_if_no_core()
  file <- withr::local_tempfile(fileext = ".ndjson", lines = c(
    "{\"id\": 9007199254740993, \"user\": {\"name\": \"anna\"}, \"x\": [\"u.jpg\"]}",
    "{\"id\": 2, \"user\": {\"name\": \"bert\"}}"
  ))
  posts <- read_posts(file, columns = c(author = "user.name", media = "x"))
  expect_equal(posts$post_id, c("9007199254740993", "2"))
  expect_equal(posts$author, c("anna", "bert"))
  expect_equal(posts$media, list("u.jpg", character()))
  folder <- withr::local_tempdir()
  writeLines(
    "{\"https://x/p.jpg\": {\"filename\": \"p.jpg\", \"success\": true, \"post_ids\": [2]},
      \"https://x/q.jpg\": {\"filename\": null, \"success\": false, \"post_ids\": [2]}}",
    file.path(folder, ".metadata.json")
  )
  posts <- read_posts(file, images = folder)
  expect_equal(lengths(posts$media), c(0, 1))
  expect_equal(basename(posts$media[[2]]), "p.jpg")
  expect_equal(posts$media_failed, list(character(), "https://x/q.jpg"))
})

test_that("bad files of posts are refused in words", {
  skip_if_no_core()
  file <- withr::local_tempfile(fileext = ".csv", lines = c("key,x", "1,2"))
  expect_error(read_posts(file), "no column of ids", class = "imagestrata_error")
  expect_error(read_posts(file, columns = "key"), "named list", class = "imagestrata_error")
  expect_error(
    read_posts(file, c(post_id = "id")), "no column .id",
    class = "imagestrata_error"
  )
  expect_error(read_posts("nowhere.csv"), "nowhere.csv", class = "imagestrata_error")
})
