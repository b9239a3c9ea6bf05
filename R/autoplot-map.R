# The map of a clustering: the twin of the core's plot_map().

plot_points <- function(object, points, keywords, texts, by, call = rlang::caller_env()) {
  places <- on_a_square(check_points(points, object, call))
  images <- tibble::tibble(cluster = object$cluster, x = places[, 1], y = places[, 2])
  clusters <- tidy(object)$cluster
  if (by == "theme") {
    themes <- themes_of(object, call)
    images$cluster <- dplyr::coalesce(object$theme, -1L)
    clusters <- themes$theme
    texts <- rlang::set_names(themes$theme_name, themes$theme)
  }
  inside <- images[images$cluster %in% clusters, ]
  middles <- function(values) {
    unname(vapply(split(values, factor(inside$cluster, clusters)), stats::median, 0))
  }
  centres <- cbind(middles(inside$x), middles(inside$y))
  palette <- map_colours[spread_colours(centres, length(map_colours))]
  images$colour <- palette[match(images$cluster, clusters)]
  images$colour[is.na(images$colour)] <- colours[["pale"]]
  # The residual first, beneath the clusters; of these the smallest last, on top.
  images <- images[order(images$cluster > 0, images$cluster), ]
  words <- first_terms(keywords, clusters, call)
  shown <- map_labels(centres, clusters, texts, words)
  size <- label_size(length(clusters))
  labels <- tibble::tibble(
    x = inside_map(centres[, 1], shown$labels, size), y = centres[, 2], label = shown$labels
  )
  named <- tibble::tibble(
    x = centres[, 1], y = centres[, 2], colour = palette, entry = shown$entries
  )
  named <- named[!is.na(named$entry), ]
  ggplot2::ggplot(images, ggplot2::aes(.data$x, .data$y)) +
    ggplot2::geom_point(
      colour = images$colour, shape = 16, alpha = 0.75,
      size = min(2, max(0.6, 70 / sqrt(nrow(images))))
    ) +
    ggplot2::geom_label(
      ggplot2::aes(label = .data$label),
      data = labels[!is.na(labels$label), ],
      # A little above, where it does not hide a small group.
      nudge_y = 0.024,
      size = 2.9 * size, fill = "#ffffffcc", label.size = 0,
      label.padding = ggplot2::unit(0.1, "lines")
    ) +
    draw_key(named) +
    ggplot2::coord_equal() +
    ggplot2::labs(x = NULL, y = NULL, caption = map_note(object, points, by)) +
    theme_strata() +
    ggplot2::theme(
      axis.text = ggplot2::element_blank(), panel.grid = ggplot2::element_blank(),
      legend.position = if (nrow(named) > 0) "right" else "bottom",
      legend.justification = "top",
      plot.caption.position = if (nrow(named) > 0) "plot" else "panel",
      plot.caption = ggplot2::element_text(hjust = if (nrow(named) > 0) 0 else 1),
      legend.text = ggplot2::element_text(size = ggplot2::rel(0.75)),
      legend.key.size = ggplot2::unit(0.55, "lines")
    )
}

# Names beside the map, in columns of at most 42, as in the core.
draw_key <- function(named, most = 42) {
  if (nrow(named) == 0) {
    return(NULL)
  }
  entries <- factor(named$entry, named$entry)
  list(
    # The points of the key are invisible on the map.
    ggplot2::geom_point(
      ggplot2::aes(colour = entries),
      data = named, size = 1.5, shape = NA, na.rm = TRUE
    ),
    ggplot2::scale_colour_manual(
      values = named$colour, name = NULL,
      guide = ggplot2::guide_legend(
        ncol = ceiling(nrow(named) / most), override.aes = list(shape = 16)
      )
    )
  )
}

# Labels on the map, and entries of the key (NA for none). If all names fit, they are the labels.
map_labels <- function(centres, clusters, texts, words, longest = 44) {
  none <- rep(NA_character_, length(clusters))
  if (length(texts) == 0) {
    return(list(labels = fitting_labels(centres, clusters, words), entries = none))
  }
  number <- as.character(clusters)
  text <- unname(texts[number])
  words[!is.na(text)] <- NA
  names <- dplyr::coalesce(text, number)
  labels <- fitting_labels(centres, names, words)
  if (all(nchar(names) <= longest) && !anyNA(labels)) {
    return(list(labels = labels, entries = none))
  }
  entries <- ifelse(names == number, NA, shorten(paste0(number, "  ", text), longest))
  list(labels = fitting_labels(centres, clusters, words), entries = entries)
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

# The colours of the core's map.
map_colours <- c(
  "#3b7dd8", "#e0822b", "#3a9d5d", "#c8504f", "#8a63c9", "#1a9bab", "#d164a4", "#9a7b3f"
)

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

# For each place in turn an unused colour, or the colour whose nearest place is farthest away; among
# equals the first.
spread_colours <- function(places, n) {
  chosen <- integer()
  for (row in seq_len(nrow(places))) {
    away <- rep(Inf, n)
    for (other in seq_along(chosen)) {
      distance <- sqrt(sum((places[row, ] - places[other, ])^2))
      away[chosen[other]] <- min(away[chosen[other]], distance)
    }
    chosen[row] <- which.max(away)
  }
  chosen
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

map_note <- function(object, points, by) {
  line <- glance(object)
  method <- unique(points[["method"]])
  name <- if (length(method) == 1) {
    switch(method, umap = "UMAP: ", pca = "Principal components 1 and 2: ", paste0(method, ": "))
  }
  grey <- if (by == "theme") is.na(object$theme) else object$cluster < 0
  paste0(
    name, count_of(line$n_images, "image"), ", ", count_of(line$n_clusters, "cluster"),
    if (by == "theme") paste(" in", count_of(nrow(tidy(object, "themes")), "theme")),
    if (any(grey)) paste("; grey: in no", by),
    if (n_added(object) > 0) paste0("; ", joined_later(object))
  )
}
