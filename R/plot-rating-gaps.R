#' Plot gaps between groups for each item
#'
#' Draws a row for each item and dimension: the gap with its interval. Points are filled if the
#' adjusted p value is below `alpha`.
#'
#' @param gaps The result of [rating_gaps()], or some of its rows. Contrasts, and further columns
#'   of its `by`, get panels of their own.
#' @param alpha Level of significance.
#' @inheritParams plot_rating_means
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examples
#' plot_rating_gaps(rating_gaps(simulated_ratings))
plot_rating_gaps <- function(gaps, alpha = 0.05, labels = NULL, ...) {
  check_dots(...)
  check_estimates(gaps, "gaps", "rating_gaps", c("contrast", "estimate", "p.adjusted"))
  gaps <- corrected_rows(gaps)
  check_share(alpha, "alpha")
  rows <- rows_of_measures(gaps)
  caption <- caption_of(gaps)
  several <- \(name) if (length(unique(gaps[[name]])) > 1) name
  panels <- c(several("contrast"), several("change"), by_of(gaps))
  of_clusters <- identical(attr(gaps, "by")[1], "cluster")
  gaps <- plain_tibble(gaps)
  if (of_clusters) {
    gaps$contrast <- name_contrasts(gaps$contrast, labels)
  } else {
    gaps <- show_clusters(gaps, labels)
  }
  # Panels in the order of the table, not of the alphabet.
  gaps$contrast <- factor(gaps$contrast, unique(gaps$contrast))
  gaps$y <- rows$y[match_measures(gaps, rows)]
  plot <- ggplot2::ggplot(gaps, ggplot2::aes(.data$estimate, .data$y)) +
    shade_dimensions(rows) +
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    draw_gaps(gaps, alpha) +
    ggplot2::labs(x = gap_title(gaps), y = NULL, caption = caption) +
    panels_of(gaps, panels)
  dress_rows(plot, rows)
}

# "5 - 8" with the texts of the clusters.
name_contrasts <- function(contrasts, labels, call = rlang::caller_env()) {
  pairs <- strsplit(as.character(contrasts), " - ", fixed = TRUE)
  texts <- check_labels(labels, unique(unlist(pairs)), call)
  vapply(pairs, \(pair) paste(label_clusters(pair, texts, 30), collapse = " - "), "")
}

gap_title <- function(gaps) {
  if (one_of_a_kind(gaps$contrast)) paste0("Gap: ", gaps$contrast[1]) else "Gap in mean ratings"
}

draw_gaps <- function(gaps, alpha) {
  level <- c(paste("p <", format(alpha)), "not significant")
  sure <- factor(level[2 - (!is.na(gaps$p.adjusted) & gaps$p.adjusted < alpha)], level)
  list(
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = group_colours[1], linewidth = 0.7, na.rm = TRUE
    ),
    ggplot2::geom_point(
      ggplot2::aes(fill = sure),
      shape = 21, size = 2.2, stroke = 0.8, colour = group_colours[1], na.rm = TRUE
    ),
    ggplot2::scale_fill_manual(
      values = rlang::set_names(c(group_colours[1], "white"), level), drop = FALSE, name = NULL
    )
  )
}
