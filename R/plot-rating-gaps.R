#' Plot gaps between groups for each item
#'
#' Draws a row for each item and dimension: the gap with its interval, as [rating_gaps()] computed
#' them. Arrows above the panel name the group with the higher mean, and points have its colour. A
#' point is filled if and only if the interval that is drawn excludes zero: dark if this still holds
#' after the adjustment for the number of comparisons, pale if not.
#'
#' @param gaps The result of [rating_gaps()], or some of its rows. Contrasts, and further columns
#'   of its `by`, get panels of their own, in the order of the groups. The level of its intervals
#'   (`conf_level`) is the level of significance.
#' @inheritParams plot_rating_means
#' @inheritParams scan_images
#'
#' @details If the interval of a gap would exceed the largest gap that the scale allows, an arrow
#' shows that it goes on.
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words; [figure_size()] gives sizes for journals.
#' @family plots
#' @export
#' @examples
#' plot_rating_gaps(rating_gaps(simulated_ratings))
plot_rating_gaps <- function(gaps, colours = NULL, labels = NULL, scale = NULL, ...) {
  check_dots(...)
  check_estimates(gaps, "gaps", "rating_gaps", c("contrast", "estimate", "conf.low", "conf.high"))
  scale <- scale_to_draw(scale, gaps)
  gaps <- corrected_rows(gaps)
  rows <- rows_of_measures(gaps)
  level <- confidence_of(gaps)
  more <- by_of(gaps)
  of_clusters <- identical(attr(gaps, "by")[1], "cluster")
  gaps <- plain_tibble(gaps)
  kind <- kind_of_gaps(gaps)
  gaps$contrast <- order_contrasts(gaps$contrast)
  pairs <- sides_of_contrasts(levels(gaps$contrast))
  palette <- check_colours(if (kind != "trend") colours, unique(unlist(pairs)))
  gaps <- judge_gaps(gaps, pairs, palette, level)
  if (of_clusters) {
    named <- name_sides(gaps, pairs, palette, labels)
    gaps <- named$gaps
    pairs <- named$pairs
    palette <- named$palette
  } else {
    gaps <- show_clusters(gaps, labels)
  }
  gaps$change <- if (kind == "change") factor(gaps$change, unique(gaps$change))
  panels <- c(
    if (length(pairs) > 1) "contrast", if (nlevels(gaps[["change"]]) > 1) "change", more
  )
  widest <- if (kind == "gap") widest_gap(scale)
  gaps$y <- rows$y[match_measures(gaps, rows)]
  plot <- ggplot2::ggplot(gaps, ggplot2::aes(.data$estimate, .data$y)) +
    shade_dimensions(rows) +
    draw_gaps(gaps, widest, if (length(panels) == 0) 1 else nrow(unique(gaps[panels]))) +
    ggplot2::labs(
      x = title_of_gaps(gaps, kind), y = NULL,
      caption = captions_of_gaps(gaps, level, widest, shading_in_words(rows)),
      alt = alt_of_gaps(gaps, pairs, as.character(gaps$item), panels, count_of(nrow(rows), "row"))
    )
  facet <- panels_across(gaps, panels)
  dress_rows(plot, rows) +
    point_directions(facet, pairs, palette, word_of_gaps(gaps, kind)) +
    theme_gaps()
}

# Differences of means, differences of differences (`change`), or slopes of means.
kind_of_gaps <- function(gaps) {
  if (!is.null(gaps[["change"]])) {
    return("change")
  }
  if (all(startsWith(as.character(gaps$contrast), "trend of "))) "trend" else "gap"
}

# "Democrat higher", "Democrat gains", "rising".
word_of_gaps <- function(gaps, kind) {
  trend <- any(startsWith(as.character(gaps$contrast), "trend of "))
  if (trend) "" else if (kind == "change") "gains" else "higher"
}

title_of_gaps <- function(gaps, kind) {
  switch(kind,
    gap = "Gap in mean ratings",
    change = if (length(unique(gaps$change)) > 1) {
      "Change of the gap in mean ratings"
    } else {
      paste0("Change of the gap in mean ratings: ", gaps$change[1])
    },
    trend = paste0(sentence(as.character(gaps$contrast[1])), ": mean rating per step")
  )
}

# The group that is ahead above zero, and the one below. A trend rises or falls.
sides_of_contrasts <- function(contrasts) {
  pairs <- pairs_of_groups(contrasts)
  pairs[startsWith(contrasts, "trend of ")] <- list(c("rising", "falling"))
  pairs
}

# Contrasts in the order of their groups. Of the groups A, B and C, A is the first in two contrasts
# and B in one.
order_contrasts <- function(contrasts) {
  found <- unique(as.character(contrasts))
  pairs <- pairs_of_groups(found)
  first <- vapply(pairs, \(pair) pair[1], "")
  second <- vapply(pairs, \(pair) pair[2], "")
  times <- \(group, where) vapply(group, \(one) sum(where == one), 1L)
  place <- \(group) times(group, second) - times(group, first)
  factor(as.character(contrasts), found[order(place(first), place(second))])
}

# Clusters that are compared, with their texts: colours were found by their numbers.
name_sides <- function(gaps, pairs, palette, labels, call = rlang::caller_env()) {
  sides <- unique(unlist(pairs))
  texts <- check_labels(labels, sides, call)
  shown <- rlang::set_names(label_clusters(sides, texts, 30), sides)
  pairs <- lapply(pairs, \(pair) unname(shown[pair]))
  levels(gaps$contrast) <- vapply(pairs, paste, "", collapse = " - ")
  gaps$ahead <- unname(shown[gaps$ahead])
  list(
    gaps = gaps, pairs = rlang::set_names(pairs, levels(gaps$contrast)),
    palette = rlang::set_names(palette[sides], shown)
  )
}

# The largest possible gap on a scale; of ratings that were given it is not known.
widest_gap <- function(scale) {
  if (!is.null(scale) && scale$known) diff(scale$ends)
}

# Adds the group that is ahead, its colour, and whether the interval excludes zero.
judge_gaps <- function(gaps, pairs, palette, level) {
  contrast <- factor(as.character(gaps$contrast), names(pairs))
  sides <- matrix(unlist(pairs), 2)
  gaps$ahead <- sides[cbind(ifelse(gaps$estimate >= 0, 1, 2), as.integer(contrast))]
  gaps$colour <- unname(palette[gaps$ahead])
  excludes <- !is.na(gaps$conf.low) & !is.na(gaps$conf.high) & gaps$conf.low * gaps$conf.high > 0
  p <- gaps[["p.adjusted"]]
  adjusted <- any(gaps[["adjust"]] %in% c("holm", "BH")) && !is.null(p) && !is.null(level)
  kept <- if (adjusted) excludes & !is.na(p) & p < 1 - level else excludes
  gaps$certainty <- factor(
    ifelse(kept, "kept", ifelse(excludes, "lost", "none")),
    c("kept", if (adjusted) "lost", "none")
  )
  gaps
}

# Points with intervals. Intervals end at the `widest` gap, with an arrow if they go on.
draw_gaps <- function(gaps, widest = NULL, n_panels = 1) {
  names <- certainty_in_words(gaps)
  widest <- widest %||% Inf
  gaps$low <- pmax(gaps$conf.low, -widest)
  gaps$high <- pmin(gaps$conf.high, widest)
  list(
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4),
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$low, xmax = .data$high, colour = .data$colour),
      data = gaps, linewidth = 0.6, na.rm = TRUE
    ),
    draw_beyond(gaps),
    # Beneath pale points there is no line.
    ggplot2::geom_point(
      ggplot2::aes(colour = .data$colour),
      data = gaps, shape = 21, fill = "white", size = 2.1, stroke = 0.7, na.rm = TRUE,
      show.legend = TRUE
    ),
    ggplot2::geom_point(
      ggplot2::aes(colour = .data$colour, alpha = .data$certainty),
      data = gaps, shape = 16, size = 2.1, na.rm = TRUE
    ),
    ggplot2::scale_colour_identity(),
    ggplot2::scale_x_continuous(breaks = breaks_of_gaps(n_panels)),
    ggplot2::expand_limits(x = 0),
    ggplot2::scale_alpha_manual(
      values = c(kept = 1, lost = 0.35, none = 0), labels = names, drop = FALSE, name = NULL,
      guide = ggplot2::guide_legend(ncol = 1, override.aes = list(colour = colours[["ink"]]))
    )
  )
}

# As many values as have room below one of `n` panels in one column of a journal.
breaks_of_gaps <- function(n) {
  if (n != 3) {
    return(breaks_around_zero(if (n < 3) 6 else 3))
  }
  function(limits) {
    breaks <- breaks_around_zero(5)(limits)
    if (sum(nchar(as.character(breaks))) <= 6) breaks else breaks_around_zero(3)(limits)
  }
}

theme_gaps <- function() {
  ggplot2::theme(
    panel.spacing.x = ggplot2::unit(1, "lines"), strip.clip = "off", strip.text = small_titles(),
    # Half of the last label of an axis.
    plot.margin = ggplot2::margin(5.5, 10, 5.5, 5.5),
    legend.key.height = ggplot2::unit(0.75, "lines"), legend.spacing.y = ggplot2::unit(0, "pt")
  )
}

# An arrow at the end of intervals that go on.
draw_beyond <- function(gaps) {
  ends <- dplyr::bind_rows(
    dplyr::mutate(gaps[which(gaps$conf.low < gaps$low), ], end = .data$low),
    dplyr::mutate(gaps[which(gaps$conf.high > gaps$high), ], end = .data$high)
  )
  if (nrow(ends) == 0) {
    return(NULL)
  }
  ggplot2::geom_segment(
    ggplot2::aes(
      x = .data$estimate, xend = .data$end, y = .data$y, yend = .data$y, colour = .data$colour
    ),
    data = ends, linewidth = 0.6, arrow = grid::arrow(length = grid::unit(4, "pt"))
  )
}

certainty_in_words <- function(gaps) {
  adjust <- unique(gaps[["adjust"]])
  how <- c(holm = "Holm", BH = "BH")
  how <- if (length(adjust) == 1 && adjust %in% names(how)) how[[adjust]]
  adjusted <- "lost" %in% levels(gaps$certainty)
  c(
    kept = if (adjusted) {
      paste0("excludes 0, also adjusted", if (!is.null(how)) paste0(" (", how, ")"))
    } else {
      "interval excludes 0"
    },
    lost = "excludes 0, but not if adjusted", none = "includes 0"
  )[levels(gaps$certainty)]
}

captions_of_gaps <- function(gaps, level, widest = NULL, ...) {
  rate <- if (!is.null(level)) paste0(100 * level, "% ")
  beyond <- !is.null(widest) && any(abs(c(gaps$conf.low, gaps$conf.high)) > widest, na.rm = TRUE)
  caption_text(
    weight_in_words(gaps),
    paste0("Lines: ", rate, "intervals, not adjusted; vertical line: no gap"),
    if (beyond) {
      paste0("Arrows: intervals beyond the largest gap that the scale allows (", widest, ")")
    },
    ...,
    basis_in_words(gaps)
  )
}

alt_of_gaps <- function(gaps, pairs, names, more, rows) {
  further <- if (length(more) > 0) {
    paste0(", ", do.call(paste, c(lapply(gaps[more], as.character), sep = ", ")))
  } else {
    ""
  }
  names <- paste0(names, further)
  widest <- which.max(abs(gaps$estimate))
  alt_text(
    paste0(
      "Points with intervals for gaps in mean ratings (", paste(names(pairs), collapse = "; "),
      "), ", count_of(nrow(gaps), "gap"), " in ", rows
    ),
    if (length(more) > 0) paste("Panels:", paste(more, collapse = " and ")),
    if (length(widest) > 0) {
      paste0(
        "The largest gap is ", two_digits(abs(gaps$estimate[widest])), " (", names[widest],
        "), in the direction of ", gaps$ahead[widest]
      )
    },
    alt_beyond(gaps$conf.low, gaps$conf.high, names),
    if ("lost" %in% levels(gaps$certainty)) {
      paste("After adjustment,", sum(gaps$certainty == "kept"), "of them remain significant")
    }
  )
}
