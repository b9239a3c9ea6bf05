# Small pictures for plots, read without Python.

# A table with `cluster` and `path`, one row per cluster. A clustering gives the typical images of
# the clusters in `shown`, or of themes (`level`).
check_thumbnails <- function(thumbnails, shown = NULL, level = "cluster",
                             call = rlang::caller_env()) {
  if (is.null(thumbnails)) {
    return(tibble::tibble(cluster = numeric(), path = character()))
  }
  if (inherits(thumbnails, "imagestrata_clustering")) {
    return(typical_pictures(thumbnails, shown, level, call))
  }
  if (is.character(thumbnails) && rlang::is_named(thumbnails)) {
    thumbnails <- tibble::tibble(cluster = names(thumbnails), path = unname(thumbnails))
  }
  if (!is.data.frame(thumbnails) || !all(c("cluster", "path") %in% names(thumbnails)) ||
    anyNA(thumbnails$cluster)) {
    abort_imagestrata(
      "{.arg thumbnails} must be a clustering, a table with the columns {.field cluster} and {.field
       path}, or paths whose names are clusters, not {seen(thumbnails)}.",
      hint = "{.code find_images(topics, n = 1)} is such a table.",
      call = call
    )
  }
  thumbnails <- thumbnails[!duplicated(thumbnails$cluster), ]
  check_exist(thumbnails$path, "thumbnails", call = call)
  tibble::tibble(cluster = thumbnails$cluster, path = thumbnails$path)
}

# Of each cluster or theme the most typical image, in the order of find_images(), that R can read.
typical_pictures <- function(clustering, shown, level, call) {
  images <- augment(clustering)
  if (!level %in% names(images)) {
    abort_imagestrata(
      "{.arg thumbnails} has no themes.",
      hint = "Give the clustering that {.fn group_clusters} returned.", call = call
    )
  }
  images$cluster <- ifelse(is_residual(images$cluster), -1, images[[level]])
  known <- images$cluster %in% (shown %||% unique(images$cluster))
  images <- images[known, c("cluster", "path", "silhouette")]
  images <- images[order(-images$silhouette), ]
  check_exist(images$path[seq_len(min(1, nrow(images)))], "thumbnails", call = call)
  found <- lapply(split(images$path, images$cluster), \(paths) {
    kinds <- vapply(utils::head(paths, 50), kind_of_picture, "")
    paths[!is.na(kinds)][1]
  })
  none <- names(found)[vapply(found, is.na, NA)]
  if (length(none) > 0) {
    warn_imagestrata(
      "{length(none)} {level}{?s} {?has/have} no typical image that is a PNG or JPEG file, and no
       picture here: {.val {none}}.",
      hint = "Name files in {.arg thumbnails}, as in {.code c(\"5\" = \"flags.png\")}."
    )
  }
  found <- found[setdiff(names(found), none)]
  tibble::tibble(cluster = as.numeric(names(found)), path = as.character(unlist(found)))
}

# "png" or "jpeg" by the first bytes of a file, else missing.
kind_of_picture <- function(path) {
  if (!file.exists(on_disk(path))) {
    return(NA_character_)
  }
  start <- readBin(on_disk(path), "raw", 4)
  if (identical(start, as.raw(c(0x89, 0x50, 0x4e, 0x47)))) {
    "png"
  } else if (identical(start[1:2], as.raw(c(0xff, 0xd8)))) {
    "jpeg"
  } else {
    NA_character_
  }
}

# The central square of a picture, scaled to its place.
square_grob <- function(path,
                        ...,
                        width = ggplot2::unit(0.94, "snpc"),
                        height = ggplot2::unit(0.94, "snpc")) {
  grid::rasterGrob(shrink_square(read_picture(path)), ..., width = width, height = height)
}

read_picture <- function(path, call = rlang::caller_env()) {
  kind <- kind_of_picture(path)
  picture <- rlang::try_fetch(
    if (kind %in% "png") {
      png::readPNG(on_disk(path))
    } else if (kind %in% "jpeg") {
      rlang::check_installed("jpeg", "to draw JPEG files.")
      upright(jpeg::readJPEG(on_disk(path)), orientation_of(path))
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

# Cameras store how a JPEG file is turned, a number from 1 to 8, in its first segments.
orientation_of <- function(path) {
  rlang::try_fetch(read_orientation(path), error = \(error) 1)
}

read_orientation <- function(path) {
  bytes <- as.integer(readBin(on_disk(path), "raw", 2^17))
  number <- \(from, n, big = TRUE) {
    part <- bytes[from + seq_len(n) - 1]
    sum((if (big) part else rev(part)) * 256^((n - 1):0))
  }
  at <- 3
  while (isTRUE(bytes[at] == 0xff && bytes[at + 1] != 0xda)) {
    start <- at + 10
    exif <- bytes[at + 1] == 0xe1 && identical(bytes[at + 4:7], utf8ToInt("Exif"))
    if (exif) {
      big <- isTRUE(bytes[start] == utf8ToInt("M"))
      first <- start + number(start + 4, 4, big)
      entries <- first + 2 + 12 * (seq_len(number(first, 2, big)) - 1)
      tags <- vapply(entries, \(entry) number(entry, 2, big), 0)
      found <- entries[tags %in% 0x112]
      return(if (length(found) > 0) number(found[1] + 8, 2, big) else 1)
    }
    at <- at + 2 + number(at + 2, 2)
  }
  1
}

upright <- function(picture, orientation) {
  if (!orientation %in% 2:8) {
    return(picture)
  }
  layers <- if (length(dim(picture)) == 2) 1 else dim(picture)[3]
  picture <- array(picture, c(dim(picture)[1:2], layers))
  rows <- seq_len(nrow(picture))
  columns <- seq_len(ncol(picture))
  if (orientation %in% c(3, 4, 6, 7)) rows <- rev(rows)
  if (orientation %in% c(2, 3, 7, 8)) columns <- rev(columns)
  picture <- picture[rows, columns, , drop = FALSE]
  if (orientation >= 5) aperm(picture, c(2, 1, 3)) else picture
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

# ---- Pictures beside panels and titles ----------------------------------------------------

# A facet that adds to the table of its panels by `add(table, layout, ranges)`: pictures keep their
# room under any theme.
extend_facet <- function(facet, add) {
  ggplot2::ggproto(NULL, facet, draw_panels = function(self, panels, layout, x_scales, y_scales,
                                                       ranges, ...) {
    drawn <- ggplot2::ggproto_parent(facet, self)$draw_panels(
      panels, layout, x_scales, y_scales, ranges, ...
    )
    if ("theme" %in% names(formals(add))) {
      add(drawn, layout, ranges, theme = theme_among(...))
    } else {
      add(drawn, layout, ranges)
    }
  })
}

# The row and column of a table of panels in which one of them is. Not by its name: in ggplot2 3.4,
# names of panels in several rows are not those of their places.
cell_of_panel <- function(table, row, column) {
  panels <- table$layout[grepl("^panel", table$layout$name), ]
  list(row = sort(unique(panels$t))[row], column = sort(unique(panels$l))[column])
}

# The further arguments of draw_panels() are coord, data, theme and params.
theme_among <- function(...) {
  given <- list(...)
  given[["theme"]] %||% Filter(\(x) inherits(x, "theme"), given)[[1]]
}

# Pictures at places of the y axis, left of its labels.
pictures_on_axis <- function(facet, y, paths, side = 26) {
  if (length(paths) == 0) {
    return(facet)
  }
  pictures <- lapply(paths, \(path) shrink_square(read_picture(path)))
  extend_facet(facet, function(table, layout, ranges) {
    range <- ranges[[1]]$y.range
    place <- (y - range[1]) / diff(range)
    row <- grid::unit(0.94 * min(diff(sort(c(y, y[1] + 1)))[1], 1) / diff(range), "npc")
    # A file of a picture is drawn as high as its row, up to `side` points.
    height <- min(grid::unit(side, "pt"), row)
    grobs <- Map(
      \(picture, at) grid::rasterGrob(picture, x = 0, y = at, height = height, just = "left"),
      pictures, place
    )
    grob <- grid::gTree(children = do.call(grid::gList, unname(grobs)), name = "pictures")
    first <- min(table$layout$l[grepl("^(axis-l|panel)", table$layout$name)])
    rows <- unique(table$layout$t[grepl("^panel", table$layout$name)])
    wide <- gtable::gtable_add_cols(table, grid::unit(side + 8, "pt"), first - 1)
    gtable::gtable_add_grob(
      wide, rep(list(grob), length(rows)), rows, first, clip = "off", z = 1,
      name = paste0("pictures-", seq_along(rows))
    )
  })
}

# Pictures left of the titles of panels; the names of `paths` are values of the facets' `column`.
pictures_in_strips <- function(facet, column, paths, side = 26) {
  if (length(paths) == 0) {
    return(facet)
  }
  pictures <- lapply(paths, \(path) shrink_square(read_picture(path)))
  extend_facet(facet, function(table, layout, ranges) {
    for (i in seq_len(nrow(layout))) {
      picture <- pictures[[as.character(layout[[column]][i])]]
      at <- which(table$layout$name == paste("strip-t", layout$COL[i], layout$ROW[i], sep = "-"))
      if (!is.null(picture) && length(at) == 1) {
        table$grobs[[at]] <- strip_with_picture(table$grobs[[at]], picture, side)
        row <- table$layout$t[at]
        table$heights[row] <- max(table$heights[row], grid::unit(side + 4, "pt"))
      }
    }
    table
  })
}

# The background of a strip fills its new height; its title gets the room beside the picture.
strip_with_picture <- function(strip, picture, side) {
  background <- grid::nullGrob()
  if (inherits(strip, "gtable") && length(strip$grobs) == 1) {
    parts <- strip$grobs[[1]]$children
    if (length(parts) == 2) {
      background <- parts[[1]]
      strip$grobs[[1]]$children[[1]] <- grid::nullGrob(name = background$name)
    }
  }
  beside <- grid::unit(side + 2, "pt")
  title <- grid::gTree(
    children = grid::gList(strip),
    vp = grid::viewport(
      x = beside, width = grid::unit(1, "npc") - beside, just = "left", clip = "off"
    )
  )
  # A one-point margin below the picture.
  picture <- grid::rasterGrob(
    picture, x = grid::unit(1, "pt"), just = "left", height = grid::unit(side, "pt"),
    name = "picture"
  )
  grid::gTree(children = grid::gList(background, title, picture), name = "strip")
}
