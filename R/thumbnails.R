# Small pictures for plots, read without Python.

# A table with `cluster` and `path`, one row per cluster.
check_thumbnails <- function(thumbnails, call = rlang::caller_env()) {
  if (is.null(thumbnails)) {
    return(tibble::tibble(cluster = numeric(), path = character()))
  }
  if (is.character(thumbnails) && rlang::is_named(thumbnails)) {
    thumbnails <- tibble::tibble(cluster = names(thumbnails), path = unname(thumbnails))
  }
  if (!is.data.frame(thumbnails) || !all(c("cluster", "path") %in% names(thumbnails)) ||
    anyNA(thumbnails$cluster)) {
    abort_imagestrata(
      "{.arg thumbnails} must be a table with the columns {.field cluster} and {.field path}, or
       paths whose names are clusters, not {seen(thumbnails)}.",
      hint = "{.code find_images(topics, n = 1)} is such a table.",
      call = call
    )
  }
  thumbnails <- thumbnails[!duplicated(thumbnails$cluster), ]
  check_exist(thumbnails$path, "thumbnails", call = call)
  tibble::tibble(cluster = thumbnails$cluster, path = thumbnails$path)
}

# The central square of a picture, scaled to its place.
square_grob <- function(path,
                        ...,
                        width = ggplot2::unit(0.94, "snpc"),
                        height = ggplot2::unit(0.94, "snpc")) {
  grid::rasterGrob(shrink_square(read_picture(path)), ..., width = width, height = height)
}

read_picture <- function(path, call = rlang::caller_env()) {
  kind <- readBin(on_disk(path), "raw", 4)
  picture <- rlang::try_fetch(
    if (identical(kind, as.raw(c(0x89, 0x50, 0x4e, 0x47)))) {
      png::readPNG(on_disk(path))
    } else if (identical(kind[1:2], as.raw(c(0xff, 0xd8)))) {
      rlang::check_installed("jpeg", "to draw JPEG files.")
      jpeg::readJPEG(on_disk(path))
    },
    error = function(error) {
      abort_imagestrata("{.file {path}} cannot be read: {conditionMessage(error)}", call = call)
    }
  )
  if (is.null(picture)) {
    abort_imagestrata(
      "{.file {path}} is neither PNG nor JPEG.",
      hint = "Store the thumbnail in one of these formats.",
      call = call
    )
  }
  # Greyscale pictures get three channels, and transparent parts become white.
  if (length(dim(picture)) == 2) {
    picture <- array(picture, c(dim(picture), 1))
  }
  depth <- dim(picture)[3]
  alpha <- if (depth %in% c(2, 4)) as.vector(picture[, , depth]) else 1
  colour <- picture[, , if (depth > 2) 1:3 else c(1, 1, 1), drop = FALSE]
  array(colour * alpha + 1 - alpha, dim(colour))
}

# The central square, averaged down to about `side` pixels.
shrink_square <- function(picture, side = 96) {
  size <- min(dim(picture)[1:2])
  from <- (dim(picture)[1:2] - size) %/% 2
  step <- max(size %/% side, 1)
  n <- size %/% step
  total <- array(0, c(n, n, 3))
  for (i in seq_len(step)) {
    for (j in seq_len(step)) {
      rows <- from[1] + i + step * (seq_len(n) - 1)
      columns <- from[2] + j + step * (seq_len(n) - 1)
      total <- total + picture[rows, columns, , drop = FALSE]
    }
  }
  total / step^2
}
