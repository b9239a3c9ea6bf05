#' Plot gaps between groups for each cluster
#'
#' Draws a row for each cluster, with a picture of it on the axis, and a panel for each dimension or
#' item, so that you see about which images the groups differ.
#'
#' @param gaps The result of `rating_gaps(ratings, by = c(group, cluster))` for two groups.
#' @param clusters The clusters to draw, from the top down; names of the vector, as in `c(protesters
#'   = 5)`, are shown on the axis. By default the `n` clusters with the widest gaps in any panel.
#' @param n Number of clusters to draw if `clusters` does not name them; by default 10.
#' @param level Content of the panels: `"dimension"` or `"item"`. Filter `gaps` to draw only some of
#'   them.
#' @param labels Texts for clusters by their numbers, as `c("5" = "protesters")`, or a table with
#'   the columns `cluster` and `cluster_name`. By default the names in the column `cluster_name` of
#'   `gaps`. Beside names, clusters without one are called "Cluster 7".
#' @inheritParams plot_rating_heatmap
#' @inheritParams plot_rating_gaps
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examples
#' gaps <- simulated_ratings |>
#'   dplyr::filter(cluster <= 20) |>
#'   rating_gaps(by = c(group, cluster), adjust = "BH")
#' plot_cluster_gaps(gaps, n = 6)
plot_cluster_gaps <- function(gaps,
                              clusters = NULL,
                              thumbnails = NULL,
                              n = 10,
                              level = "dimension",
                              labels = NULL,
                              alpha = 0.05,
                              ...) {
  check_dots(...)
  check_estimates(gaps, "gaps", "rating_gaps", c("cluster", "contrast", "estimate", "p.adjusted"))
  gaps <- corrected_rows(gaps)
  check_choice(level, "level", c("item", "dimension"), rlang::current_env())
  check_unused(is.null(clusters), "clusters = NULL", n = if (!missing(n)) n)
  n <- check_count(n, "n")
  check_share(alpha, "alpha")
  texts <- texts_of_clusters(labels %||% labels_in(clusters), gaps)
  caption <- caption_of(gaps)
  gaps <- plain_tibble(gaps)[gaps$level == level & !is.na(gaps$estimate), ]
  check_cells(gaps, "gaps", level, "Filter it to one contrast.")
  clusters <- unique(clusters) %||% widest_gaps(gaps, n)
  unknown <- setdiff(clusters, gaps$cluster)
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg gaps} has no gap for {cli::qty(length(unknown))}cluster{?s} {.val {unknown}}."
    )
  }
  gaps <- gaps[gaps$cluster %in% clusters, ]
  gaps$panel <- factor(gaps$item, unique(gaps$item))
  gaps$y <- length(clusters) + 1 - match(gaps$cluster, clusters)
  names <- label_clusters(clusters, texts, 40)
  thumbnails <- check_thumbnails(thumbnails, clusters)
  paths <- thumbnails$path[match(clusters, thumbnails$cluster)]
  y <- rev(seq_along(clusters))
  facet <- ggplot2::facet_wrap(ggplot2::vars(.data$panel), nrow = 1)
  ggplot2::ggplot(gaps, ggplot2::aes(.data$estimate, .data$y)) +
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    draw_gaps(gaps, alpha) +
    pictures_on_axis(facet, y[!is.na(paths)], paths[!is.na(paths)]) +
    ggplot2::scale_y_continuous(
      breaks = y, labels = names,
      limits = c(0.5, length(clusters) + 0.5), expand = ggplot2::expansion()
    ) +
    ggplot2::coord_cartesian(clip = "off") +
    ggplot2::labs(x = gap_title(gaps), y = if (length(texts) == 0) "Cluster", caption = caption) +
    theme_estimates() +
    ggplot2::theme(
      panel.spacing.x = ggplot2::unit(0.9, "lines"),
      strip.text = ggplot2::element_text(size = ggplot2::rel(0.75)),
      axis.text.y = ggplot2::element_text(margin = ggplot2::margin(r = 2))
    )
}

widest_gaps <- function(gaps, n) {
  ranked <- gaps$cluster[order(-abs(gaps$estimate))]
  utils::head(unique(as.character(ranked)), n)
}

# `clusters = c(protest = 5)` names that cluster.
labels_in <- function(clusters) {
  named <- clusters[nzchar(names(clusters) %||% character())]
  if (length(named) > 0) rlang::set_names(names(named), named)
}
