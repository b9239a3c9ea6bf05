#' Plot differences between groups for each topic
#'
#' Draws a row for each topic: the difference between the shares of two groups with its interval.
#' Arrows above the panel name the group that shows a topic more often, and points have its colour.
#' They are open if the interval includes zero, and pale if it does not but the adjusted p value is
#' not below `alpha`. If the table has a column of dates,
#' each topic is a panel with a line and a band for each contrast.
#'
#' @param gaps The result of [topic_gaps()], or some of its rows. Contrasts, and further columns of
#'   its `by`, get panels of their own.
#' @param topics Numbers or names of the topics to draw, in this order; names of the vector, as in
#'   `c(protesters = 5)`, are shown. By default (`NULL`) the `n` topics with the largest differences
#'   in any panel, from the largest one in favour of the first group to that of the second.
#' @param alpha Level of significance.
#' @inheritParams plot_prevalence
#' @inheritParams scan_images
#'
#' @inheritSection plot_prevalence Sizes
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' posts <- dplyr::filter(simulated_posts, party != "Independent")
#' plot_topic_gaps(topic_gaps(posts, by = party), n = 8)
plot_topic_gaps <- function(gaps,
                            topics = NULL,
                            n = 12,
                            thumbnails = NULL,
                            colours = NULL,
                            labels = NULL,
                            alpha = 0.05,
                            scales = "fixed",
                            n_columns = NULL,
                            ...) {
  check_dots(...)
  n <- check_number_of_topics(topics, n, missing(n))
  check_share(alpha, "alpha")
  table <- topic_table(gaps, "gaps", "topic_gaps", "contrast")
  overtime <- length(table$time) > 0
  scales <- check_panels(overtime, "by = c(party, month)", scales, missing(scales), n_columns)
  check_unused(!overtime, "by = party", alpha = if (!missing(alpha)) alpha)
  table$data$contrast <- factor(table$data$contrast, unique(table$data$contrast))
  topics <- topics_to_draw(table, topics, labels, thumbnails, \(data) widest_topics(data, n))
  table$data <- table$data[table$data$cluster %in% topics$cluster, ]
  pairs <- pairs_of_groups(levels(table$data$contrast))
  palette <- check_colours(colours, unique(unlist(pairs)))
  if (overtime) {
    return(plot_gaps_of_periods(table, topics, pairs, scales, n_columns))
  }
  plot_gaps_by_topic(table, topics, pairs, palette, alpha)
}

plot_gaps_by_topic <- function(table, topics, pairs, palette, alpha) {
  data <- table$data[!is.na(table$data$estimate), ]
  p <- data[["p.adjusted"]] %||% data[["p.value"]]
  excludes <- !is.na(data$conf.low) & !is.na(data$conf.high) & data$conf.low * data$conf.high > 0
  kept <- excludes & (if (is.null(p)) TRUE else !is.na(p) & p < alpha)
  notes <- c(
    if (!all(excludes)) "Open points: the interval includes zero",
    if (any(excludes & !kept)) pale_points(data, alpha)
  )
  draw_contrasts(
    table, data, topics, pairs, palette, excludes,
    title = difference_title(table), notes = notes, pale = excludes & !kept,
    equal = "no difference", alt = alt_gaps,
    scale = \(n) ggplot2::scale_x_continuous(labels = percentage_points, n.breaks = n)
  )
}

# A row for each topic, with arrows to the side of each group.
draw_contrasts <- function(table, data, topics, pairs, palette, sure, title, notes, equal, alt,
                           scale, pale = FALSE) {
  topics <- rows_of_topics(topics)
  data$y <- topics$y[match(data$cluster, topics$cluster)]
  ahead <- matrix(unlist(pairs), 2)[
    cbind(ifelse(data$estimate >= 0, 1, 2), as.integer(data$contrast))
  ]
  data$colour <- unname(palette[ahead])
  full <- ifelse(rep_len(pale, nrow(data)), pale_colour(data$colour), data$colour)
  data$fill <- ifelse(sure, full, "white")
  panels <- c(if (length(pairs) > 1) "contrast", table$by)
  own <- differs_widely(data, panels)
  plot <- ggplot2::ggplot(data, ggplot2::aes(.data$estimate, .data$y, colour = .data$colour)) +
    stripe_topics(topics) +
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high), linewidth = 0.6, na.rm = TRUE
    ) +
    ggplot2::geom_point(ggplot2::aes(fill = .data$fill), shape = 21, size = 2, stroke = 0.7) +
    ggplot2::scale_colour_identity() +
    ggplot2::scale_fill_identity() +
    scale(if (own) 4 else if (length(pairs) > 1) 3 else 5) +
    ggplot2::labs(
      x = title, y = NULL,
      caption = caption_of_topics(
        table, "Lines: ", notes, paste("Vertical line:", equal),
        if (own) own_axes("free_x", do.call(paste, data[panels]))
      ),
      alt = alt(table, data, topics, ahead)
    )
  facet <- panels_across(data, panels, if (own) "free_x" else "fixed")
  dress_topics(plot, topics, point_directions(facet, pairs, palette))
}

# Whether intervals of some panel would leave no room for those of another one.
differs_widely <- function(data, panels) {
  if (length(panels) == 0) {
    return(FALSE)
  }
  reach <- pmax(abs(data$conf.low), abs(data$conf.high), abs(data$estimate), na.rm = TRUE)
  widest <- tapply(reach, do.call(paste, data[panels]), max)
  max(widest) > 2.5 * min(widest)
}

difference_title <- function(table) {
  paste0("Difference in the share of ", table$units, "\n(percentage points)")
}

pale_points <- function(data, alpha) {
  adjust <- c(unique(data[["adjust"]]), if (is.null(data[["p.adjusted"]])) "none")
  how <- c(
    holm = " (adjusted by Holm)", BH = " (adjusted by Benjamini and Hochberg)",
    none = " (not adjusted)"
  )
  how <- if (length(adjust) == 1 && adjust %in% names(how)) how[[adjust]]
  paste0("Pale points: p", how, " is not below ", format(alpha))
}

# A third of the colour, on white.
pale_colour <- function(colour) {
  rgb <- 0.35 * grDevices::col2rgb(colour) + 0.65 * 255
  grDevices::rgb(rgb[1, ], rgb[2, ], rgb[3, ], maxColorValue = 255)
}

alt_gaps <- function(table, data, topics, ahead) {
  widest <- which.max(abs(data$estimate))
  paste0(
    "Points with intervals for the difference in the share of ", table$units, " that show ",
    topics_in_words(topics), ": ", paste(levels(data$contrast), collapse = ", "),
    ". Each topic has a row. The largest difference is ",
    format(round(100 * abs(data$estimate[widest]), 1)), " percentage points (",
    topics$label[match(data$cluster[widest], topics$cluster)], ", more by ", ahead[widest], ")."
  )
}

# A line for each contrast, a panel for each topic.
plot_gaps_of_periods <- function(table, topics, pairs, scales, n_columns) {
  data <- table$data
  data$x <- data[[table$time]]
  data$side <- data$contrast
  data <- fill_periods(data, table$by)
  data$panel <- panels_of_topics(data, topics, table$by)
  meant <- vapply(pairs, \(pair) paste0(pair[1], " more than ", pair[2]), "")
  plot <- draw_lines(data, topics, scales, n_columns) +
    ggplot2::geom_hline(yintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    ggplot2::scale_y_continuous(labels = percentage_points, n.breaks = 4) +
    ggplot2::labs(
      y = difference_title(table),
      caption = caption_of_topics(
        table, "Bands: ", paste("Above zero:", paste(meant, collapse = "; ")),
        if (anyNA(data$estimate)) paste("Gaps: a group has no", table$unit),
        own_axes(scales, data$panel)
      ),
      alt = paste0(
        "Lines with bands for differences in the share of ", table$units, " that show ",
        topics_in_words(topics), ": ", paste(levels(data$contrast), collapse = ", "),
        range_in_words(data, table$time), "."
      )
    )
  colour_sides(plot, levels(data$side), group_colours)
}

# "A - B" as c("A", "B").
pairs_of_groups <- function(contrasts) {
  pairs <- lapply(strsplit(contrasts, " - ", fixed = TRUE), \(pair) {
    half <- length(pair) / 2
    if (half == round(half) && half > 0) {
      c(paste(utils::head(pair, half), collapse = " - "),
        paste(utils::tail(pair, half), collapse = " - "))
    } else {
      c(paste(pair, collapse = " - "), "")
    }
  })
  rlang::set_names(pairs, contrasts)
}

# Above each panel, an arrow to either side with the name of the group that is ahead: "Democrat
# more".
point_directions <- function(facet, pairs, palette, ahead = "more") {
  extend_facet(facet, function(table, layout, ranges, theme) {
    size <- 0.9 * ggplot2::calc_element("axis.text.x", theme)$size
    panels <- grep("^panel", table$layout$name)
    tops <- sort(unique(table$layout$t[panels]), decreasing = TRUE)
    # In narrow panels, the second arrow is below the first.
    lines <- if (max(layout$COL) > 1) 2.7 else 1.5
    for (top in tops) {
      table <- gtable::gtable_add_rows(table, grid::unit(lines * size, "pt"), top - 1)
    }
    for (i in seq_len(nrow(layout))) {
      cell <- cell_of_panel(table, layout$ROW[i], layout$COL[i])
      contrast <- if (is.null(layout$contrast)) 1 else as.character(layout$contrast[i])
      pair <- pairs[[contrast]]
      grob <- grid::gTree(
        pair = pair, ahead = ahead, colours = unname(palette[pair]), size = size,
        name = "directions", cl = "imagestrata_directions"
      )
      table <- gtable::gtable_add_grob(
        table, grob, cell$row - 1, cell$column,
        clip = "off", name = paste0("directions-", i)
      )
    }
    table
  })
}

# Two arrows with texts: side by side, or one below the other, or with names alone, or smaller,
# whatever fits first. Names that would be too small to read are shortened.
#' @importFrom grid makeContent
#' @export
makeContent.imagestrata_directions <- function(x) { # nolint: object_name_linter.
  points <- \(unit, convert) convert(unit, "pt", valueOnly = TRUE)
  whole <- points(grid::unit(1, "npc"), grid::convertWidth)
  smallest <- 0.7
  two_lines <- points(grid::unit(1, "npc"), grid::convertHeight) > 2.2 * x$size
  widths <- \(texts) {
    grobs <- lapply(texts, grid::textGrob, gp = grid::gpar(fontsize = x$size))
    vapply(grobs, \(one) points(grid::grobWidth(one), grid::convertWidth), 0)
  }
  full <- trimws(paste(x$pair, x$ahead))
  beside <- whole - 40
  below <- whole - 16
  stacked <- two_lines && sum(widths(full)) > beside &&
    (max(widths(full)) <= below || sum(widths(x$pair)) > beside)
  long <- if (stacked) max(widths(full)) <= below else sum(widths(full)) <= beside
  texts <- if (long) full else x$pair
  room <- max(if (stacked) below else beside, 20)
  most <- if (stacked) room else room / 2
  texts <- shorten(texts, pmax(floor(nchar(texts) * most / pmax(smallest * widths(texts), 1)), 4))
  needed <- if (stacked) max(widths(texts)) else sum(widths(texts))
  size <- x$size * min(1, room / needed)
  y <- if (stacked) c(0.25, 0.72) else if (two_lines) c(0.28, 0.28) else c(0.5, 0.5)
  side <- \(text, colour, edge, step, y) {
    at <- \(distance) grid::unit(edge, "npc") + grid::unit(step * distance, "pt")
    readable <- grid::gpar(fontsize = size, col = text_colour(colour))
    list(
      grid::textGrob(text, at(13), y, hjust = edge, gp = readable),
      grid::segmentsGrob(
        at(10), y, at(1), y,
        gp = grid::gpar(col = colour), arrow = grid::arrow(length = grid::unit(3, "pt"))
      )
    )
  }
  grobs <- c(
    side(texts[2], x$colours[2], 0, 1, y[2]), side(texts[1], x$colours[1], 1, -1, y[1])
  )
  grid::setChildren(x, do.call(grid::gList, grobs))
}
