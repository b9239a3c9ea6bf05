#' Plot of the reliability of ratings
#'
#' Draws a row for each item and dimension: the reliability of a single rating, ICC(1), with its
#' interval; that of the mean of an image's ratings; Krippendorff's alpha; and for dimensions
#' Cronbach's alpha. Groups get panels.
#'
#' @param object The result of [rating_reliability()], or some of its rows.
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' autoplot(rating_reliability(simulated_ratings))
autoplot.imagestrata_reliability <- function(object, ...) {
  check_dots(...)
  table <- tibble::as_tibble(object)
  if (all(is.na(table$icc))) {
    abort_imagestrata("{.arg object} has no estimates to draw.")
  }
  name <- paste0(table$item, ifelse(table$level == "dimension", " (dimension)", ""))
  rows <- rows_of_measures(table)
  table$y <- rows$y[match_measures(table, rows)]
  points <- dplyr::bind_rows(lapply(names(reliability_measures), \(column) {
    dplyr::mutate(table, value = .data[[column]], measure = reliability_measures[[column]])
  }))
  points <- points[!is.na(points$value), ]
  points$measure <- factor(points$measure, reliability_measures)
  points$place <- points$y + 0.18 * (2.5 - as.integer(points$measure))
  level <- attr(object, "conf_level") %||% 0.95
  plot <- ggplot2::ggplot(points, ggplot2::aes(.data$value, .data$place)) +
    shade_dimensions(rows) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      data = points[points$measure == reliability_measures[["icc"]], ],
      colour = group_colours[1], linewidth = 0.6, na.rm = TRUE
    ) +
    ggplot2::geom_point(
      ggplot2::aes(colour = .data$measure, shape = .data$measure), size = 1.9, stroke = 0.7
    ) +
    ggplot2::scale_colour_manual(values = group_colours[c(1, 2, 7, 4)], drop = FALSE) +
    ggplot2::scale_shape_manual(values = c(16, 1, 18, 2), drop = FALSE) +
    ggplot2::scale_x_continuous(
      limits = c(min(0, points$value, points$conf.low, na.rm = TRUE), 1),
      breaks = reliability_breaks, labels = \(breaks) sub("^(-?)0[.]", "\\1.", breaks)
    ) +
    ggplot2::guides(
      colour = ggplot2::guide_legend(nrow = 2, byrow = TRUE),
      shape = ggplot2::guide_legend(nrow = 2, byrow = TRUE)
    ) +
    ggplot2::labs(
      x = "Reliability", y = NULL, colour = NULL, shape = NULL,
      caption = caption_text(
        paste0("Single rating: ICC(1), with ", 100 * level, "% intervals"),
        paste("Mean rating: ICC of the mean of an image's", raters_in_words(table)),
        shading_in_words(rows)
      ),
      alt = alt_text(
        paste(
          "Points for the reliability of", count_of(nrow(rows), "item and dimension",
            plural = "items and dimensions"
          )
        ),
        alt_extremes(
          "reliability of a single rating", table$icc,
          do.call(paste, c(list(name), lapply(table[attr(object, "by")], as.character), sep = ", "))
        )
      )
    )
  dress_rows(plot, rows) + panels_of(table, attr(object, "by")) +
    ggplot2::theme(legend.key.height = ggplot2::unit(0.9, "lines"))
}

# Where means of ratings agree less than chance, reliability is far below zero.
reliability_breaks <- function(limits) {
  if (limits[1] > -0.3) c(0, 0.25, 0.5, 0.75, 1) else pretty(limits, 3)
}

reliability_measures <- c(
  icc = "Single rating", icc_average = "Mean rating",
  alpha = "Krippendorff's alpha", cronbach = "Cronbach's alpha"
)

# "5.3 ratings" or "2.6 to 5.3 ratings".
raters_in_words <- function(table) {
  ends <- unique(sprintf("%.1f", range(table$raters_per_image)))
  paste(paste(ends, collapse = " to "), "ratings")
}
