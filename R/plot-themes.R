#' Plot the tree over clusters
#'
#' Draws the tree from which themes were cut, with typical images of each cluster, in the colours of
#' the themes. Two branches meet at the mean distance between their clusters; the dashed line is
#' where the tree was cut. The seven largest themes have a colour each, smaller ones are grey.
#'
#' @section Sizes:
#' A figure of seven inches needs about 0.35 inches of height for each cluster, and 0.2 for each
#' theme; in one column of a journal, half of it.
#'
#' @param clustering A clustering with themes, from [group_clusters()].
#' @param n_images Number of images per cluster, the most typical first; 0 for none.
#' @inheritParams plot_montage
#'
#' @returns A ggplot, to which you can add your own `theme()` and `labs()`. The names of clusters
#'   are labels of the y axis. `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_themes(group_clusters(demo_topics(), n = 3))
plot_themes <- function(clustering, out = NULL, n_images = 4, labels = NULL, ...) {
  check_dots(...)
  arguments <- check_arguments(labels = send_cluster_labels(labels, clustering))
  draw_tree(ask_for_pictures("plot_themes", "rows_of_themes", arguments, 2 * n_images + 8))
}

# The tree is as wide as `width` rows are high, and ends where the pictures begin.
draw_tree <- function(sent, width = 7) {
  rows <- sent$rows
  first <- !duplicated(rows$theme)
  # A theme has a heading, which takes 0.7 of a row.
  rows$y <- -(seq_len(nrow(rows)) + 0.7 * cumsum(first))
  lines <- sent$lines
  highest <- max(lines$xend, 0)
  across <- \(height) -width * height / (if (highest > 0) highest else 1)
  # Python counts the rows from 1; places of branches lie between those of their rows.
  down <- \(place) stats::approx(seq_len(nrow(rows)), rows$y, place)$y
  colour <- \(theme) {
    found <- group_colours[ifelse(theme > 0, theme, NA)]
    ifelse(theme == 0, colours[["soft"]], dplyr::coalesce(found, map_greys[["smaller"]]))
  }
  images <- sent$images
  images$x <- images$column
  images$y <- rows$y[images$row]
  last <- max(images$column, 0) + 0.5
  breaks <- pretty(c(0, highest), 3)
  breaks <- breaks[breaks <= highest]
  ggplot2::ggplot(images, ggplot2::aes(.data$x, .data$y)) +
    (if (nrow(lines) > 0) {
      ggplot2::geom_segment(
        ggplot2::aes(
          x = across(.data$x), xend = across(.data$xend), y = down(.data$y), yend = down(.data$yend)
        ),
        data = lines, colour = colour(lines$theme), linewidth = 0.5, lineend = "square"
      )
    }) +
    (if (!is.null(sent$cut)) {
      ggplot2::geom_vline(
        xintercept = across(sent$cut), colour = colours[["soft"]], linetype = "dashed",
        linewidth = 0.4
      )
    }) +
    geom_pictures(images) +
    ggplot2::geom_text(
      ggplot2::aes(x = 0.53, y = .data$y + 0.56, label = shorten(.data$theme_name, 50)),
      data = rows[first, ], hjust = 0, vjust = 0, size = 2.5, fontface = "bold"
    ) +
    ggplot2::scale_x_continuous(
      breaks = across(breaks), labels = breaks, limits = c(-width, last),
      expand = ggplot2::expansion(add = 0.15)
    ) +
    ggplot2::scale_y_continuous(
      breaks = rows$y, position = "right", limits = range(rows$y) + c(-0.5, 1.2), expand = c(0, 0),
      labels = paste0(shorten(rows$label, 30), " (", with_marks(rows$size), ")")
    ) +
    ggplot2::coord_equal(clip = "off") +
    ggplot2::labs(
      x = "Mean distance between clusters", y = NULL,
      caption = caption_text(
        "Two branches meet at the mean distance between their clusters",
        if (!is.null(sent$cut)) "Dashed line: where the tree was cut into themes",
        if (max(rows$theme) > length(group_colours)) {
          paste("The", length(group_colours), "largest themes have a colour, smaller ones are grey")
        },
        if (nrow(images) > 0) "Images: those with the highest silhouettes, cropped to squares",
        "In parentheses: images"
      ),
      alt = alt_text(
        paste0(
          "A tree over ", count_of(nrow(rows), "cluster"), ", cut into ",
          count_of(sum(first), "theme"), ", with images of each cluster"
        ),
        paste0(
          rows$theme_name[first], ": ",
          vapply(split(rows$label, factor(rows$theme, rows$theme[first])), list_of, "", most = 5)
        )
      )
    ) +
    theme_pictures() +
    ggplot2::theme(
      axis.text.y.right = ggplot2::element_text(hjust = 0),
      axis.title.x = ggplot2::element_text(hjust = 0, size = ggplot2::rel(0.8)),
      axis.text.x = ggplot2::element_text(size = ggplot2::rel(0.75))
    )
}
