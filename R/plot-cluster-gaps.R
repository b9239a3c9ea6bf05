#' Plot gaps between groups for each cluster
#'
#' Draws a row for each cluster, with a picture of it on the axis, and a panel for each dimension or
#' item, so that you see about which images the groups differ. Points, lines and arrows are those of
#' [plot_rating_gaps()].
#'
#' @param gaps The result of `rating_gaps(ratings, by = c(group, cluster))` for two groups.
#' @param clusters The clusters to draw, from the top down; names of the vector, as in `c(protesters
#'   = 5)`, are shown on the axis. By default the `n` clusters with the largest gaps in any panel
#'   after shrinkage, see the details.
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
#' @details **Which clusters.** Among many clusters, the largest estimates are mostly those with the
#' fewest ratings. Clusters are therefore ranked by gaps that are shrunk towards the mean gap of
#' their panel, the more so the fewer ratings they rest on: empirical Bayes, with the variance
#' between clusters by the method of moments (DerSimonian and Laird 1986). The sampling variance is
#' taken to be inversely proportional to the number of ratings, because the standard error of a
#' single cluster is itself imprecise. If clusters do not differ by more than chance, the gap in
#' units of this standard error decides. What is drawn are the estimates and intervals of `gaps`;
#' those of `rating_gaps(shrink = TRUE)` are shrunk already and ranked as they are.
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words; [figure_size()] gives sizes for journals.
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
                              colours = NULL,
                              scale = NULL,
                              ...) {
  check_dots(...)
  check_estimates(
    gaps, "gaps", "rating_gaps", c("cluster", "contrast", "estimate", "conf.low", "conf.high")
  )
  gaps <- corrected_rows(gaps)
  check_choice(level, "level", c("item", "dimension"), rlang::current_env())
  check_unused(is.null(clusters), "clusters = NULL", n = if (!missing(n)) n)
  n <- check_count(n, "n")
  scale <- scale_to_draw(scale, gaps)
  texts <- texts_of_clusters(labels %||% labels_in(clusters), gaps)
  conf_level <- confidence_of(gaps)
  gaps <- plain_tibble(gaps)[gaps$level == level & !is.na(gaps$estimate), ]
  check_cells(gaps, "gaps", level, "Filter it to one contrast.")
  chosen <- is.null(clusters)
  n_all <- length(unique(gaps$cluster))
  clusters <- unique(clusters) %||% largest_gaps(gaps, n)
  unknown <- setdiff(clusters, gaps$cluster)
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg gaps} has no gap for {cli::qty(length(unknown))}cluster{?s} {.val {unknown}}."
    )
  }
  gaps <- gaps[gaps$cluster %in% clusters, ]
  gaps$panel <- factor(gaps$item, unique(gaps$item))
  gaps$y <- length(clusters) + 1 - match(gaps$cluster, clusters)
  kind <- kind_of_gaps(gaps)
  gaps$contrast <- order_contrasts(gaps$contrast)
  pairs <- sides_of_contrasts(levels(gaps$contrast))
  palette <- check_colours(colours, unique(unlist(pairs)))
  gaps <- judge_gaps(gaps, pairs, palette, conf_level)
  names <- label_clusters(clusters, texts, 40)
  gaps$shown <- names[match(gaps$cluster, clusters)]
  thumbnails <- check_thumbnails(thumbnails, clusters)
  paths <- thumbnails$path[match(clusters, thumbnails$cluster)]
  y <- rev(seq_along(clusters))
  facet <- ggplot2::facet_wrap(ggplot2::vars(.data$panel), nrow = 1)
  pictured <- !is.na(paths)
  facet <- pictures_on_axis(facet, y[pictured], paths[pictured])
  ggplot2::ggplot(gaps, ggplot2::aes(.data$estimate, .data$y)) +
    draw_gaps(gaps, widest_gap(scale), nlevels(gaps$panel) + any(pictured)) +
    point_directions(facet, pairs, palette, word_of_gaps(gaps, kind)) +
    ggplot2::scale_y_continuous(
      breaks = y, labels = wrap_titles(names, if (any(pictured)) 14 else 16, 40),
      limits = c(0.5, length(clusters) + 0.5), expand = ggplot2::expansion()
    ) +
    ggplot2::labs(
      x = title_of_gaps(gaps, kind), y = if (length(texts) == 0) "Cluster",
      caption = captions_of_gaps(
        gaps, conf_level, widest_gap(scale),
        if (chosen && n_all > length(clusters)) choice_in_words(length(clusters), n_all)
      ),
      alt = alt_of_cluster_gaps(gaps, pairs, names)
    ) +
    theme_estimates() +
    theme_gaps() +
    ggplot2::theme(
      legend.justification = "right",
      axis.text.y = ggplot2::element_text(margin = ggplot2::margin(r = 2), lineheight = 0.9)
    )
}

choice_in_words <- function(n, n_all) {
  paste(
    "of", count_of(n_all, "cluster"), "the", n, "with the largest gaps after shrinkage for few",
    "ratings"
  )
}

alt_of_cluster_gaps <- function(gaps, pairs, names) {
  alt_text(
    alt_of_gaps(
      gaps, pairs, paste(cluster_in_words(gaps$shown), gaps$panel, sep = ", "), character(),
      paste(count_of(length(names), "row"), "of clusters, from the top", list_of(names, 12))
    ),
    paste("A panel for each of", list_of(levels(gaps$panel), 12))
  )
}

# The `n` clusters with the largest gaps in any panel, after shrinkage.
largest_gaps <- function(gaps, n) {
  gaps <- dplyr::bind_rows(lapply(split(gaps, factor(gaps$item, unique(gaps$item))), shrink_gaps))
  ranked <- gaps$cluster[order(-abs(gaps$shrunk), -abs(gaps$ratio))]
  utils::head(unique(as.character(ranked)), n)
}

# Adds `shrunk`, and `ratio`, the gap by its standard error, to the gaps of one measure.
shrink_gaps <- function(gaps) {
  n <- pmax(gaps[["n_ratings"]] %||% rep(1, nrow(gaps)), 1)
  error <- gaps$std.error
  usable <- is.finite(error) & error > 0
  if (all(gaps[["variance"]] %in% "mixed model") || !any(usable) || nrow(gaps) < 3) {
    gaps$shrunk <- gaps$estimate
    gaps$ratio <- ifelse(usable, gaps$estimate / error, 0)
    return(gaps)
  }
  # Of a single rating, by all clusters together; means of `n` ratings have a part of it.
  variance <- mean((error^2 * n)[usable]) / n
  w <- 1 / variance
  mean <- sum(w * gaps$estimate) / sum(w)
  q <- sum(w * (gaps$estimate - mean)^2)
  between <- max((q - (nrow(gaps) - 1)) / (sum(w) - sum(w^2) / sum(w)), 0)
  centre <- stats::weighted.mean(gaps$estimate, 1 / (variance + between))
  gaps$shrunk <- centre + (gaps$estimate - centre) * between / (between + variance)
  gaps$ratio <- gaps$estimate / sqrt(variance)
  gaps
}

# `clusters = c(protest = 5)` names that cluster.
labels_in <- function(clusters) {
  named <- clusters[nzchar(names(clusters) %||% character())]
  if (length(named) > 0) rlang::set_names(names(named), named)
}
