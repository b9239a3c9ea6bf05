# The map of a clustering: the twin of the core's plot_map().

plot_points <- function(object, points, keywords, texts, by, call = rlang::caller_env()) {
  places <- on_a_square(check_points(points, object, call))
  images <- tibble::tibble(group = object$cluster, x = places[, 1], y = places[, 2])
  groups <- tidy(object)$cluster
  if (by == "theme") {
    themes <- themes_of(object, call)
    images$group <- dplyr::coalesce(object$theme, -1L)
    groups <- themes$theme
    texts <- rlang::set_names(themes$theme_name, themes$theme)
  }
  key <- map_key(images$group, groups, texts, by)
  images$colour <- factor(key$entry_of[match(images$group, groups)], key$entries)
  images$colour[is.na(images$colour)] <- key$none
  # What has no colour is first, beneath; of the rest the smallest is last, on top.
  images <- images[order(!images$colour %in% key$grey, images$group > 0, images$group), ]
  inside <- images[images$group %in% groups, ]
  middles <- \(x) unname(vapply(split(x, factor(inside$group, groups)), stats::median, 0))
  centres <- cbind(middles(inside$x), middles(inside$y))
  shown <- map_labels(centres, groups, texts, first_terms(keywords, groups, call))
  size <- label_size(length(groups))
  labels <- tibble::tibble(
    x = inside_map(centres[, 1], shown, size), y = centres[, 2], label = shown
  )
  labels <- labels[!is.na(shown), ]
  ggplot2::ggplot(images, ggplot2::aes(.data$x, .data$y)) +
    ggplot2::geom_point(
      ggplot2::aes(colour = .data$colour),
      shape = 16, alpha = 0.75, size = min(2, max(0.6, 70 / sqrt(nrow(images))))
    ) +
    ggplot2::geom_label(
      ggplot2::aes(label = .data$label),
      data = labels,
      # A little above, where it does not hide a small group.
      nudge_y = 0.024,
      size = 2.9 * size, fill = "#ffffffcc", label.size = 0,
      label.padding = ggplot2::unit(0.1, "lines")
    ) +
    ggplot2::scale_colour_manual(
      values = key$colours, limits = key$entries, name = sentence(by),
      guide = ggplot2::guide_legend(
        ncol = columns_of_key(key$entries), title.position = "top",
        override.aes = list(size = 2, alpha = 1)
      )
    ) +
    # Names reach beyond the map where a figure is small.
    ggplot2::coord_equal(clip = "off") +
    ggplot2::labs(
      x = NULL, y = NULL,
      caption = map_note(object, points, by, key, nrow(labels) < length(groups)),
      alt = paste0(
        "A map of ", count_of(nrow(images), "image"), " on which similar images are close, in the ",
        "colours of ", if (length(key$coloured) < length(groups)) "the largest of ",
        count_of(length(groups), by), ": ", toString(key$coloured), "."
      )
    ) +
    theme_strata() +
    ggplot2::theme(
      axis.text = ggplot2::element_blank(), panel.grid = ggplot2::element_blank(),
      # The map is square: texts that are wider than it extend to both sides.
      plot.caption = ggplot2::element_text(hjust = 0.5),
      legend.title = ggplot2::element_text(size = ggplot2::rel(0.75)),
      legend.text = ggplot2::element_text(size = ggplot2::rel(0.7)),
      legend.key.size = ggplot2::unit(0.6, "lines")
    )
}

# Columns of a key that fits one column of a journal.
columns_of_key <- function(entries) max(1, min(3, 54 %/% (max(nchar(entries)) + 5)))

# The largest groups have a colour each, the others are grey. `entry_of` is the text of each group
# in the key, `none` that of images in no group.
map_key <- function(group, groups, texts, by) {
  size <- tabulate(match(group, groups), length(groups))
  largest <- utils::head(order(-size), length(group_colours))
  number <- as.character(groups)
  text <- unname(texts[number])
  own <- ifelse(is.na(text) | text == number, number, paste0(number, "  ", text))
  coloured <- shorten(own[sort(largest)], 44)
  n_smaller <- length(groups) - length(largest)
  smaller <- if (n_smaller > 0) count_of(n_smaller, paste("smaller", by))
  none <- if (!all(group %in% groups)) paste("in no", by)
  entry_of <- rep(smaller %||% NA_character_, length(groups))
  entry_of[sort(largest)] <- coloured
  entries <- c(coloured, smaller, none)
  list(
    entries = entries, entry_of = entry_of, coloured = coloured, smaller = smaller, none = none,
    grey = c(smaller, none),
    colours = rlang::set_names(
      c(
        group_colours[seq_along(coloured)],
        if (!is.null(smaller)) map_greys[["smaller"]], if (!is.null(none)) map_greys[["none"]]
      ),
      entries
    )
  )
}

# Labels on the map, NA for those without room: names if all of them fit, otherwise numbers.
map_labels <- function(centres, clusters, texts, words, longest = 44) {
  number <- as.character(clusters)
  text <- unname(texts[number])
  words[!is.na(text)] <- NA
  if (!all(is.na(text))) {
    names <- dplyr::coalesce(text, number)
    labels <- fitting_labels(centres, names, words)
    if (all(nchar(names) <= longest) && !anyNA(labels)) {
      return(labels)
    }
  }
  fitting_labels(centres, number, words)
}

# Labels of many clusters are smaller.
label_size <- function(n) min(1, max(0.6, sqrt(40 / max(n, 1))))

# The place of a label, moved sideways so that all of it is on the map.
inside_map <- function(x, text, size) {
  half <- pmin(map_letter * size * nchar(text) / 2, 0.5)
  pmin(pmax(x, half - 0.02), 1.02 - half)
}

# Width of a letter and height of a line, as shares of the side.
map_letter <- 0.0125
map_line <- 0.032

# Groups without a colour of their own, and images in no group.
map_greys <- c(smaller = "#b0b5bb", none = "#dcdfe3")

# Positions of the images, in the order of the clustering.
check_points <- function(points, object, call) {
  if (is.null(points)) {
    abort_imagestrata(
      "The map needs {.arg points}, the positions of the images.",
      hint = "Make them with {.code map_images(embeddings)}.",
      call = call
    )
  }
  check_data_frame(
    points, "points", call,
    needs = c("image_id", "x", "y"), hint = "Make it with {.fn map_images}."
  )
  rows <- match(object$image_id, points$image_id)
  places <- cbind(points$x, points$y)[rows, , drop = FALSE]
  lost <- object$image_id[!is.finite(rowSums(places))]
  if (length(lost) > 0) {
    abort_imagestrata(
      "{length(lost)} of {nrow(object)} image{?s} of the clustering {?is/are} not on the map, for
       example {.val {lost[[1]]}}.",
      hint = "Map the embeddings that were clustered.",
      call = call
    )
  }
  places
}

# Positions shifted and scaled, equally in both directions, to fill a square of side 1.
on_a_square <- function(places) {
  low <- apply(places, 2, min)
  high <- apply(places, 2, max)
  side <- max(high - low)
  sweep(places, 2, (low + high) / 2) / (if (side > 0) side else 1) + 0.5
}

# A name that overlaps an earlier one is left out (NA); a word is added to its name if there is
# room.
fitting_labels <- function(centres, names, words) {
  size <- label_size(length(names))
  texts <- rep(NA_character_, nrow(centres))
  fits <- function(row, text) {
    others <- setdiff(which(!is.na(texts)), row)
    width <- map_letter * size * (nchar(texts[others]) + nchar(text) + 2) / 2
    places <- inside_map(centres[others, 1], texts[others], size)
    !any(
      abs(places - inside_map(centres[row, 1], text, size)) < width &
        abs(centres[others, 2] - centres[row, 2]) < map_line * size
    )
  }
  for (row in seq_along(texts)) {
    if (fits(row, names[row])) {
      texts[row] <- names[row]
    }
  }
  for (row in which(!is.na(texts) & !is.na(words))) {
    text <- paste(names[row], words[row])
    if (fits(row, text)) {
      texts[row] <- text
    }
  }
  texts
}

# The first term of each cluster, NA without one.
first_terms <- function(keywords, clusters, call) {
  if (is.null(keywords)) {
    return(rep(NA_character_, length(clusters)))
  }
  check_data_frame(
    keywords, "keywords", call,
    needs = c("cluster", "rank", "term"), hint = "Make it with {.fn cluster_keywords}."
  )
  keywords <- keywords[order(keywords$rank), ]
  keywords$term[match(clusters, keywords$cluster)]
}

themes_of <- function(object, call) {
  attr(object, "tables")[["themes"]] %||% abort_imagestrata(
    "The clusters were not grouped into themes.",
    hint = "Use {.fn group_clusters} first.",
    call = call
  )
}

map_note <- function(object, points, by, key, crowded) {
  line <- glance(object)
  method <- unique(points[["method"]])
  name <- if (length(method) == 1) {
    switch(method, umap = "UMAP", pca = "Principal components 1 and 2", method)
  }
  counts <- paste0(
    count_of(line$n_images, "image"), ", ", count_of(line$n_clusters, "cluster"),
    if (by == "theme") paste(" in", count_of(nrow(tidy(object, "themes")), "theme")),
    if (n_added(object) > 0) paste0("; ", joined_later(object))
  )
  caption_text(
    paste(c(name, counts), collapse = ": "),
    if (!is.null(key$smaller)) {
      paste0(
        "The ", length(key$coloured), " largest ", by, "s have a colour, smaller ones are grey"
      )
    },
    paste0(
      "Labels: above the median of a ", by, "'s images", if (crowded) ", where there is room"
    )
  )
}
