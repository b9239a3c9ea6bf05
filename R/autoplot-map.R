# The map of a clustering: the twin of the core's plot_map().

plot_points <- function(object, points, keywords, call = rlang::caller_env()) {
  places <- on_a_square(check_points(points, object, call))
  images <- tibble::tibble(cluster = object$cluster, x = places[, 1], y = places[, 2])
  clusters <- tidy(object)$cluster
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
  labels <- tibble::tibble(
    x = centres[, 1], y = centres[, 2],
    label = fitting_labels(centres, clusters, first_terms(keywords, clusters, call))
  )
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
      size = 2.9, fill = "#ffffffcc", label.size = 0, label.padding = ggplot2::unit(0.1, "lines")
    ) +
    ggplot2::coord_equal() +
    ggplot2::labs(x = NULL, y = NULL, caption = map_note(object, points)) +
    theme_strata() +
    ggplot2::theme(axis.text = ggplot2::element_blank(), panel.grid = ggplot2::element_blank())
}

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
  letter <- 0.0125
  line <- 0.032
  texts <- rep(NA_character_, nrow(centres))
  fits <- function(row, text) {
    others <- setdiff(which(!is.na(texts)), row)
    width <- letter * (nchar(texts[others]) + nchar(text) + 2) / 2
    !any(
      abs(centres[others, 1] - centres[row, 1]) < width &
        abs(centres[others, 2] - centres[row, 2]) < line
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

map_note <- function(object, points) {
  line <- glance(object)
  method <- unique(points[["method"]])
  name <- if (length(method) == 1) {
    switch(method, umap = "UMAP: ", pca = "Principal components 1 and 2: ", paste0(method, ": "))
  }
  residual <- if (line$n_residual > 0) "; grey: in no cluster"
  paste0(
    name, count_of(line$n_images, "image"), ", ", count_of(line$n_clusters, "cluster"), residual,
    if (n_added(object) > 0) paste0("; ", joined_later(object))
  )
}
