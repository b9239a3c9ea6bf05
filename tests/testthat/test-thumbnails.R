test_that("pictures become squares of three colours", {
  pictures <- toy_pictures()
  wide <- read_picture(pictures[1])
  expect_equal(dim(wide), c(10, 20, 3))
  expect_equal(dim(shrink_square(wide)), c(10, 10, 3))
  grey <- read_picture(pictures[2])
  expect_equal(dim(grey), c(20, 10, 3))
  expect_equal(range(grey), c(0.5, 0.5), tolerance = 0.01)
  # Half transparent over white.
  expect_equal(read_picture(pictures[3])[1, 1, ], c(0.6, 0.6, 0.9), tolerance = 0.01)
})

test_that("shrinking averages, and keeps the middle", {
  picture <- array(0, c(4, 8, 3))
  picture[, 3:4, ] <- 1
  small <- shrink_square(picture, side = 2)
  expect_equal(small[, , 1], matrix(c(1, 1, 0, 0), 2))
  noise <- array(runif(192 * 192 * 3), c(192, 192, 3))
  expect_equal(mean(shrink_square(noise)), mean(noise))
  expect_lt(sd(shrink_square(noise)), 0.6 * sd(noise))
})

test_that("JPEG files are read, others refused", {
  skip_if_not_installed("jpeg")
  image <- read_picture(imagestrata_example("images/0001.jpg"))
  expect_equal(dim(image)[3], 3)
  file <- withr::local_tempfile(fileext = ".png")
  writeLines("no picture at all", file)
  expect_error(read_picture(file), "neither PNG nor JPEG", class = "imagestrata_error")
  writeBin(as.raw(c(0x89, 0x50, 0x4e, 0x47, 1, 2, 3)), file)
  expect_error(read_picture(file), "cannot be read", class = "imagestrata_error")
})

test_that("thumbnails are a table or paths with names", {
  pictures <- toy_pictures()
  table <- tibble::tibble(cluster = c(2, 2, 1), path = pictures)
  expect_equal(check_thumbnails(table)$path, pictures[c(1, 3)])
  expect_equal(check_thumbnails(c(`7` = pictures[1]))$cluster, "7")
  expect_equal(check_thumbnails(c(flags = pictures[1]))$cluster, "flags")
  expect_error(check_thumbnails(pictures[1]), class = "imagestrata_error")
})

# A JPEG file that says how it is turned, in either order of bytes.
turned_picture <- function(picture, orientation, big = TRUE, env = parent.frame()) {
  bytes <- \(x, n) {
    parts <- as.raw(x %/% 256^((n - 1):0) %% 256)
    if (big) parts else rev(parts)
  }
  tiff <- c(
    charToRaw(if (big) "MM" else "II"), bytes(42, 2), bytes(8, 4), bytes(2, 2),
    bytes(0x10f, 2), bytes(2, 2), bytes(1, 4), bytes(0, 4),
    bytes(0x112, 2), bytes(3, 2), bytes(1, 4), bytes(orientation, 2), bytes(0, 2), bytes(0, 4)
  )
  exif <- c(charToRaw("Exif"), as.raw(c(0, 0)), tiff)
  file <- withr::local_tempfile(fileext = ".jpg", .local_envir = env)
  jpeg <- jpeg::writeJPEG(picture, raw(), quality = 1)
  segment <- c(as.raw(c(0xff, 0xe1, 0, length(exif) + 2)), exif)
  writeBin(c(jpeg[1:2], segment, jpeg[-(1:2)]), file)
  file
}

test_that("photographs stand upright", {
  skip_if_not_installed("jpeg")
  picture <- array(0, c(16, 32, 3))
  picture[1:8, 1:16, ] <- 1
  # Where the white quarter is, by the definition of EXIF.
  upper <- c(TRUE, TRUE, FALSE, FALSE, TRUE, TRUE, FALSE, FALSE)
  left <- c(TRUE, FALSE, FALSE, TRUE, TRUE, FALSE, FALSE, TRUE)
  for (i in 1:8) {
    read <- read_picture(turned_picture(picture, i, big = i %% 2 == 0))
    expect_equal(dim(read), if (i < 5) c(16, 32, 3) else c(32, 16, 3))
    row <- if (upper[i]) 3 else nrow(read) - 2
    column <- if (left[i]) 3 else ncol(read) - 2
    expect_gt(read[row, column, 1], 0.9)
    expect_lt(mean(read), 0.3)
  }
  expect_equal(orientation_of(imagestrata_example("images/0001.jpg")), 1)
  file <- withr::local_tempfile()
  writeBin(as.raw(c(0xff, 0xd8, 0xff, 0xe1, 0, 20, utf8ToInt("Exif"), 0, 0, 77)), file)
  expect_equal(orientation_of(file), 1)
})
