#' Plot the mean ratings of every cluster as a heat map
#'
#' Draws the paper's Figure 9: a column for each cluster, the largest first, and a row for each
#' item; darker cells have higher mean ratings. Lines mark the clusters that hold 50, 75 and 90
#' percent of all images. A simple random sample contains few images of the clusters to their right.
#' Cells that rest on few ratings fade into grey, and bars at the bottom show the number of ratings.
#'
#' @param means The result of `rating_means(ratings, by = cluster)`.
#' @param clusters All clusters, rated or not: the result of [cluster_images()], or a table with the
#'   columns `cluster` and `size`, such as its [tidy()][tidiers]. The lines use the shares of all
#'   images in the column `share`; without that column, shares of the sum of sizes. A column
#'   `cluster_name` replaces the numbers on the axis. The residual (-1) is last. By default the
#'   rated clusters are drawn, in the order of their numbers, without lines.
#' @param mark Numbers of clusters to mark with a dot and their number or name.
#' @param thumbnails A picture for each marked cluster: a table with the columns `cluster` and
#'   `path`, as [find_images()] returns it (the first picture of each cluster is used); paths with
#'   the clusters' numbers as names; or the clustering, of which the most typical image of each
#'   cluster in `mark` is drawn (without `mark`, of the first six). Pictures are PNG, or JPEG if the
#'   package jpeg is installed. Clusters with thumbnails are marked.
#' @param level Content of the rows: `"item"` or `"dimension"`.
#' @param labels Texts for clusters by their numbers, as `c("5" = "protesters")`, or a table with
#'   the columns `cluster` and `cluster_name`. By default the names in the column `cluster_name` of
#'   `clusters` or `means`. Beside names, clusters without one are called "Cluster 7".
#' @param fade Number of ratings from which cells are drawn in full colour; with fewer ratings they
#'   fade. `0` draws all cells in full colour, without bars. It has no effect if all cells have the
#'   same number of ratings.
#' @inheritParams plot_rating_means
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words; [figure_size()] gives sizes for journals.
#' @family plots
#' @export
#' @examples
#' means <- rating_means(simulated_ratings, by = cluster)
#' plot_rating_heatmap(means, simulated_clusters, mark = c(5, 17, 182, 272))
plot_rating_heatmap <- function(means,
                                clusters = NULL,
                                mark = NULL,
                                thumbnails = NULL,
                                level = "item",
                                labels = NULL,
                                fade = 10,
                                scale = NULL,
                                ...) {
  check_dots(...)
  check_estimates(means, "means", "rating_means", c("cluster", "estimate"))
  means <- corrected_rows(means)
  check_choice(level, "level", c("item", "dimension"), rlang::current_env())
  fade <- check_number(fade, "fade", minimum = 0)
  scale <- scale_to_draw(scale, means)
  means <- plain_tibble(means)[means$level == level, ]
  hint <- "Use {.code rating_means(by = cluster)}, or filter one group."
  check_cells(means, "means", level, hint)
  columns <- columns_of(means, clusters, labels)
  thumbnails <- check_thumbnails(thumbnails, mark %||% utils::head(columns$cluster, 6))
  marked <- check_marks(union(mark, thumbnails$cluster), columns)
  rows <- heatmap_rows(means)
  means$x <- columns$x[match(means$cluster, columns$cluster)]
  means$y <- rows$y[match(means$item, rows$item)]
  counted <- ratings_behind(means, fade)
  means$weighed <- counted$cell
  top <- max(rows$y) + 0.5
  ggplot2::ggplot(means, ggplot2::aes(.data$x, .data$y)) +
    draw_cells(counted) +
    draw_marks(marked, thumbnails, columns, top) +
    draw_reached(columns, top) +
    draw_counts(counted) +
    ggplot2::scale_fill_viridis_c(
      option = "mako", direction = -1,
      guide = ggplot2::guide_colourbar(
        barheight = ggplot2::unit(0.3, "lines"), barwidth = ggplot2::unit(7, "lines"),
        # Beside the bar, a title with the ends of the scale is too wide for one column.
        title.position = "top", title.hjust = 0.5, order = 1
      )
    ) +
    scale_x_clusters(
      columns,
      limits = c(0.5, max(columns$x) + 0.5), expand = ggplot2::expansion(add = 0.5)
    ) +
    ggplot2::scale_y_continuous(
      breaks = c(rows$y, if (counted$shown) -0.4),
      labels = c(wrap_titles(rows$item, 26, 60), if (counted$shown) "ratings"),
      expand = ggplot2::expansion(add = c(0.1, 0.2)), sec.axis = dimension_axis(rows, level)
    ) +
    ggplot2::coord_cartesian(clip = "off") +
    ggplot2::labs(
      x = if (is.null(clusters)) "Cluster" else "Cluster, the largest first", y = NULL,
      fill = paste0("Mean rating", ends_in_words(scale)),
      caption = captions_of_heatmap(columns, counted, marked),
      alt = alt_of_heatmap(means, columns, rows, counted)
    ) +
    theme_estimates() +
    ggplot2::theme(
      panel.grid.major.x = ggplot2::element_blank(),
      panel.grid.major.y = ggplot2::element_blank(),
      axis.text.y.right = ggplot2::element_text(size = ggplot2::rel(0.85), hjust = 0),
      legend.box = "vertical", legend.spacing.y = ggplot2::unit(3, "pt"),
      legend.key.height = ggplot2::unit(0.6, "lines"), legend.key.width = ggplot2::unit(1, "lines")
    )
}

# The ratings behind each cell, of which more than `fade` make no difference, and behind each
# cluster: the median of its cells.
ratings_behind <- function(means, fade) {
  n <- means[["n_ratings"]]
  if (is.null(n)) {
    return(list(shown = FALSE))
  }
  clusters <- tapply(n, factor(means$x), stats::median)
  list(
    shown = length(unique(n)) > 1 && fade > 0, fades = any(n < fade), all = n,
    full = min(fade, max(n)),
    cell = pmin(n, fade), x = as.numeric(names(clusters)), n = as.vector(clusters)
  )
}

# Cells on a grey ground, into which those with few ratings fade: white would pass for low ratings.
draw_cells <- function(counted) {
  if (!counted$shown) {
    return(ggplot2::geom_tile(ggplot2::aes(fill = .data$estimate), width = 1, height = 1))
  }
  low <- min(counted$cell)
  breaks <- unique(round(c(low, (low + counted$full) / 2, counted$full)))
  more <- max(counted$all) > counted$full & breaks == counted$full
  list(
    ggplot2::geom_tile(width = 1, height = 1, fill = "grey80"),
    ggplot2::geom_tile(
      ggplot2::aes(fill = .data$estimate, alpha = .data$weighed), width = 1, height = 1
    ),
    ggplot2::scale_alpha_continuous(
      range = c(0.25, 1), limits = c(min(low, 1), counted$full),
      breaks = breaks, labels = paste0(breaks, ifelse(more, " or more", "")),
      guide = if (counted$fades) {
        ggplot2::guide_legend(
          title = "Ratings", order = 2, override.aes = list(fill = "#2b5d8a")
        )
      } else {
        "none"
      }
    )
  )
}

# Bars beneath the cells, as high as a row for the cluster with most ratings.
draw_counts <- function(counted) {
  if (!counted$shown) {
    return(NULL)
  }
  bars <- tibble::tibble(x = counted$x, top = -0.8 + 0.9 * counted$n / max(counted$n))
  ggplot2::geom_rect(
    ggplot2::aes(xmin = .data$x - 0.5, xmax = .data$x + 0.5, ymin = -0.8, ymax = .data$top),
    data = bars, fill = colours[["soft"]], inherit.aes = FALSE
  )
}

# " (scale 0 to 10)", if the scale is known.
ends_in_words <- function(scale) {
  if (!is.null(scale) && scale$known) {
    paste0(" (scale ", as_words(scale$ends[1]), " to ", as_words(scale$ends[2]), ")")
  }
}

captions_of_heatmap <- function(columns, counted, marked) {
  reached <- shares_reached(columns)
  names <- marked$label[order(marked$x)]
  caption_text(
    if (nrow(reached) > 0) {
      paste("Lines: the clusters to the left hold", list_of(reached$label), "of all images")
    },
    if (any(is_residual(columns$cluster)) && nrow(columns) > 1) {
      "images without a cluster (residual) are apart"
    },
    if (counted$shown) {
      paste0(
        "bars: ratings of each cluster, at most ", format(max(counted$n), big.mark = ","),
        if (counted$fades) "; cells that rest on few ratings fade into grey"
      )
    } else if (length(unique(counted$all)) == 1) {
      paste("each cell rests on", count_of(counted$all[1], "rating"))
    },
    if (nrow(marked) > 0) paste("dots: clusters", list_of(sub("^Cluster ", "", names), 12))
  )
}

alt_of_heatmap <- function(means, columns, rows, counted) {
  where <- columns$label[match(means$cluster, columns$cluster)]
  reached <- shares_reached(columns)
  alt_text(
    paste0(
      "Heat map of mean ratings: a column for each of ", count_of(nrow(columns), "cluster"),
      " and a row for each of ", list_of(rows$item, 12), "; ", count_of(nrow(means), "cell"),
      ", the darker the higher"
    ),
    alt_extremes(
      "mean rating", means$estimate, paste(means$item, cluster_in_words(where), sep = ", ")
    ),
    if (nrow(reached) > 0) {
      paste0(
        "The first ", list_of(reached$place), " clusters hold ", list_of(reached$label),
        " of all images"
      )
    },
    if (counted$shown) {
      paste("Cells rest on", min(counted$all), "to", count_of(max(counted$all), "rating"))
    }
  )
}

# One estimate for each cluster and item, of the argument `name`.
check_cells <- function(estimates, name, level, hint, call = rlang::caller_env()) {
  if (nrow(estimates) == 0) {
    abort_imagestrata("{.arg {name}} has no rows of level {.val {level}}.", call = call)
  }
  if (anyDuplicated(estimates[c("cluster", "item")])) {
    abort_imagestrata(
      "{.arg {name}} has several {name} for one cluster and item.",
      hint = hint, call = call
    )
  }
}

# The place of each cluster: by size, the residual last; with its share of all images.
columns_of <- function(means, clusters, labels = NULL, call = rlang::caller_env()) {
  if (is.null(clusters)) {
    cluster <- sort(unique(means$cluster))
    columns <- tibble::tibble(cluster = cluster, size = NA_real_, share = NA_real_)
    columns <- columns[order(is_residual(cluster)), ]
  } else {
    columns <- check_sizes(clusters, means, call)
    columns <- largest_first(columns)
  }
  named <- if (any(!is.na(columns[["cluster_name"]]))) columns else means
  texts <- c(check_labels(labels, columns$cluster, call), names_of_clusters(named))
  dplyr::bind_cols(place_clusters(columns, texts[!duplicated(names(texts))]), columns["share"])
}

check_sizes <- function(clusters, means, call) {
  if (inherits(clusters, "imagestrata_clustering")) {
    clusters <- tidy(clusters)
  }
  check_data_frame(
    clusters, "clusters", call, "cluster_images",
    needs = c("cluster", "size"), hint = "{.code tidy()} of a clustering returns them."
  )
  columns <- plain_tibble(clusters)
  wrong <- !is.numeric(columns$size) || anyNA(columns$size) || any(columns$size < 0)
  if (wrong || anyDuplicated(columns$cluster)) {
    abort_imagestrata(
      "{.arg clusters} must have one row per cluster and its number of images in {.field size}.",
      call = call
    )
  }
  unknown <- setdiff(means$cluster[!is_residual(means$cluster)], columns$cluster)
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{length(unknown)} rated cluster{?s} {?is/are} not in {.arg clusters}: {.val {unknown}}.",
      hint = "Give the clusters of the clustering that the sample was drawn from.",
      call = call
    )
  }
  with_shares(columns, means)
}

# Shares of all images. tidy() has no row for the residual, whose share is the remainder.
with_shares <- function(columns, means) {
  if (is.null(columns[["share"]])) {
    columns$share <- columns$size / sum(columns$size)
  }
  residual <- means$cluster[is_residual(means$cluster)]
  if (length(residual) == 0 || any(is_residual(columns$cluster))) {
    return(columns)
  }
  dplyr::bind_rows(columns, tibble::tibble(
    cluster = residual[1], size = 0, share = max(0, 1 - sum(columns$share))
  ))
}

check_marks <- function(mark, columns, call = rlang::caller_env()) {
  unknown <- setdiff(mark, columns$cluster)
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg mark} names {cli::qty(length(unknown))}{?a cluster/clusters} without ratings:
       {.val {unknown}}.",
      call = call
    )
  }
  columns[match(mark, columns$cluster), ]
}

# Rows from the top down, dimensions a little apart.
heatmap_rows <- function(means) {
  rows <- dplyr::distinct(means, .data$item, .data$dimension)
  block <- match(rows$dimension, unique(rows$dimension))
  rows$y <- -(seq_len(nrow(rows)) + 0.4 * (block - 1))
  rows$y <- rows$y - min(rows$y) + 1
  rows
}

dimension_axis <- function(rows, level) {
  rows <- rows[!is.na(rows$dimension), ]
  if (level == "dimension" || nrow(rows) == 0) {
    return(ggplot2::waiver())
  }
  centre <- tapply(rows$y, factor(rows$dimension, unique(rows$dimension)), mean)
  ggplot2::dup_axis(breaks = as.vector(centre), labels = names(centre), name = NULL)
}

# `place` and `label` of the shares that the clusters reach, without the residual; none if their
# sizes are not known.
shares_reached <- function(columns) {
  if (anyNA(columns$share)) {
    return(tibble::tibble(place = integer(), label = character()))
  }
  clusters_to_reach(columns$share[!is_residual(columns$cluster)], c(0.5, 0.75, 0.9))
}

# The red of the paper's figure; dark enough for print in grey.
line_colour <- "#b3201c"

# Lines after the clusters that together hold 50, 75 and 90 percent of all images.
draw_reached <- function(columns, top) {
  reached <- shares_reached(columns)
  if (nrow(reached) == 0) {
    return(NULL)
  }
  reached$x <- columns$x[reached$place] + 0.5
  # Few clusters hold half of all images: the label of the first line is to its left.
  reached$side <- ifelse(seq_len(nrow(reached)) == 1, 1.1, -0.1)
  list(
    # White beside the line sets it off from dark cells, in grey, too.
    lapply(c(0.9, 0.4), \(width) {
      ggplot2::geom_segment(
        ggplot2::aes(x = .data$x, xend = .data$x, y = 0.4, yend = top + 0.8),
        data = reached, colour = if (width > 0.5) "white" else line_colour, linewidth = width
      )
    }),
    ggplot2::geom_label(
      ggplot2::aes(x = .data$x, y = top + 0.6, label = .data$label, hjust = .data$side),
      data = reached, size = 2.3, colour = line_colour, fontface = "bold",
      label.size = 0, label.padding = ggplot2::unit(0.05, "lines")
    )
  )
}

# Dots above columns with their numbers or names; pictures are in a row above, each connected to its
# column.
draw_marks <- function(marked, thumbnails, columns, top) {
  if (nrow(marked) == 0) {
    return(NULL)
  }
  dots <- top + 1.6
  marked <- marked[order(marked$x), ]
  pictured <- marked$cluster %in% thumbnails$cluster
  width <- max(columns$x)
  shown <- marked[pictured, ]
  n <- nrow(shown)
  shown$slot <- width * (seq_len(n) - 0.5) / n
  named <- marked[!pictured, ]
  # A character takes about a thirtieth of the cells in one column of a journal.
  named$slot <- spread_apart(named$x, width * (nchar(named$label) + 1) / 30, c(0.5, width + 0.5))
  list(
    ggplot2::geom_segment(
      ggplot2::aes(x = .data$slot, xend = .data$x, y = dots + 0.9, yend = dots),
      data = dplyr::bind_rows(shown, named), colour = colours[["soft"]], linewidth = 0.3
    ),
    ggplot2::geom_segment(
      ggplot2::aes(x = .data$x, xend = .data$x, y = top + 0.1, yend = dots),
      data = marked, colour = colours[["soft"]], linewidth = 0.3
    ),
    ggplot2::geom_point(ggplot2::aes(y = dots), data = marked, colour = "black", size = 1.4),
    lapply(seq_len(n), function(i) {
      path <- thumbnails$path[match(shown$cluster[i], thumbnails$cluster)]
      half <- width / n / 2
      ggplot2::annotation_custom(
        square_grob(path),
        xmin = shown$slot[i] - half, xmax = shown$slot[i] + half, ymin = dots + 1, ymax = dots + 5
      )
    }),
    ggplot2::geom_text(
      ggplot2::aes(x = .data$slot, y = .data$y, label = .data$label),
      data = dplyr::bind_rows(
        tibble::tibble(shown, y = dots + 5.5), tibble::tibble(named, y = dots + 1.5)
      ),
      size = 2.6
    )
  )
}

# Places near `x`, in increasing order, for texts of the given widths, that do not overlap.
spread_apart <- function(x, width, limits) {
  n <- length(x)
  if (n < 2) {
    return(x)
  }
  offset <- c(0, cumsum((width[-n] + width[-1]) / 2))
  # Least squares under the order of places: isotonic regression of what the widths leave.
  place <- stats::isoreg(x - offset)$yf
  place <- pmin(place, limits[2] - width[n] / 2 - offset[n])
  pmax(place, limits[1] + width[1] / 2) + offset
}
