#' Plot the prevalence of topics by group and over time
#'
#' Draws the table of [topic_prevalence()]. If it has a column of dates, each topic is a panel with
#' a line and a band for every group. Otherwise each topic is a row with a point and an interval for
#' every group.
#'
#' A line is interrupted in periods without any post of its group, and a cross marks them: their
#' prevalence is unknown. In a period with posts of which none shows the topic, the point is open
#' and the band ends at the upper bound. Without dates, an arrow leads from the upper bound to zero.
#'
#' The interval of a group of few authors can be so wide that the shares of all others would be
#' crowded at zero. If it is more than 2.5 times as high as the highest share, the axis ends before
#' it, and the caption says so; `+ ggplot2::coord_cartesian()` shows all of it.
#'
#' @section Sizes:
#' Two columns of a journal are 7 inches (178 mm) wide, one column is 3.5 inches (89 mm). Panels
#' need about 1.4 inches of height a row of panels, in one column with `n_columns = 2`; rows of
#' topics about 0.35 inches a topic. Store a figure with, for instance,
#' `ggplot2::ggsave("topics.pdf", plot, width = 7, height = 5)`, and with `device = cairo_pdf` if
#' names are not in Latin letters. For one column add
#' `ggplot2::theme(text = ggplot2::element_text(size = 9))`.
#'
#' @param prevalence The result of [topic_prevalence()], or some of its rows. Colour, type of line
#'   and shape show the first column of its `by` that is not a date; further columns give panels.
#' @param topics Numbers or names of the topics to draw, in this order; names of the vector, as in
#'   `c(protesters = 5)`, are shown. By default (`NULL`) the first `n` topics in `order`, without
#'   the residual (-1).
#' @param n Number of topics if `topics` does not name them.
#' @param order `"size"`: the topic that most posts show first. `"difference"`: the topics in
#'   which the groups differ most are drawn; those of two groups stand from the largest
#'   difference in favour of the first group to that of the second one.
#' @param thumbnails A picture for each topic: the clustering, from [cluster_images()], of which the
#'   most typical image of each cluster is drawn (the first of [find_images()] that is PNG or JPEG);
#'   a table with the columns `cluster` and `path`; or paths with the clusters' numbers as names.
#'   JPEG files need the package jpeg.
#' @param colours One colour per group: by name, as in `c(Labour = "red", Conservative = "blue")`,
#'   or without names in the order of the groups (factor levels, else alphabetical). By default
#'   Democrats are blue and Republicans red; other groups get colours that colour-blind readers can
#'   distinguish.
#' @param labels Texts for clusters by their numbers, as `c("5" = "protesters")`, or a table with
#'   the columns `cluster` and `cluster_name`. By default the names in the column `cluster_name`.
#'   Beside names, clusters without one are called "Cluster 7".
#' @param scales For panels over time: `"fixed"` gives all topics the same axis, `"free_y"` each its
#'   own, which shows the course of rare topics. All begin at zero.
#' @param n_columns For panels over time: the number of panels side by side.
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' posts <- dplyr::filter(simulated_posts, party != "Independent")
#' plot_prevalence(topic_prevalence(posts, by = party), n = 8, order = "difference")
#'
#' months <- topic_prevalence(posts, by = c(party, month))
#' plot_prevalence(months, topics = c("a wave" = 1, 2, 4, 12))
plot_prevalence <- function(prevalence,
                            topics = NULL,
                            n = 12,
                            order = "size",
                            thumbnails = NULL,
                            colours = NULL,
                            labels = NULL,
                            scales = "fixed",
                            n_columns = NULL,
                            ...) {
  check_dots(...)
  check_choice(order, "order", c("size", "difference"), rlang::current_env())
  n <- check_number_of_topics(topics, n, missing(n))
  check_unused(is.null(topics), "topics = NULL", order = if (!missing(order)) order)
  table <- topic_table(prevalence, "prevalence", "topic_prevalence")
  scales <- check_panels(length(table$time) > 0, "by = month", scales, missing(scales), n_columns)
  table$data$side <- sides_of(table)
  call <- rlang::current_env()
  topics <- topics_to_draw(table, topics, labels, thumbnails, \(data) {
    if (order == "size") largest_topics(data, n) else differing_topics(data, n, call)
  })
  palette <- check_colours(colours, levels(table$data$side))
  table$data <- table$data[table$data$cluster %in% topics$cluster, ]
  plot <- if (length(table$time) > 0) {
    plot_periods(table, topics, scales, n_columns)
  } else {
    plot_by_group(table, topics)
  }
  colour_sides(plot, levels(table$data$side), palette)
}

check_number_of_topics <- function(topics, n, default, call = rlang::caller_env()) {
  check_unused(is.null(topics), "topics = NULL", n = if (!default) n, .call = call)
  check_count(n, "n", call)
}

check_panels <- function(used, needed, scales, default, n_columns, call = rlang::caller_env()) {
  check_choice(scales, "scales", c("fixed", "free_y"), call)
  check_unused(
    used, needed, scales = if (!default) scales, n_columns = n_columns, .call = call
  )
  if (!is.null(n_columns)) check_count(n_columns, "n_columns", call)
  scales
}

sides_of <- function(table) {
  if (length(table$by) > 0) as_sides(table$data[[table$by[1]]]) else factor("all")
}

# ---- Over time ----------------------------------------------------------------------------

plot_periods <- function(table, topics, scales, n_columns) {
  data <- table$data
  data$x <- data[[table$time]]
  data <- fill_periods(data, table$by)
  data$panel <- panels_of_topics(data, topics, table$by[-1])
  zero <- data[data$estimate %in% 0, ]
  none <- data[is.na(data$estimate), ]
  many <- length(unique(data$x)) > 60
  room <- if (scales == "fixed") room_for_shares(data)
  draw_lines(data, topics, scales, n_columns) +
    draw_marks_of_periods(zero, shape = 21, fill = "white", size = if (many) 0.5 else 1.1) +
    draw_marks_of_periods(none, ggplot2::aes(y = 0), shape = 4, size = if (many) 0.5 else 0.9) +
    ggplot2::scale_y_continuous(
      labels = percents, n.breaks = 4, limits = c(0, NA),
      expand = ggplot2::expansion(mult = c(0.03, 0.05))
    ) +
    (if (!is.null(room$top)) ggplot2::coord_cartesian(ylim = c(0, room$top))) +
    ggplot2::labs(
      y = paste("Share of", table$units),
      caption = caption_of_topics(
        table, "Bands: ",
        if (nrow(zero) > 0) paste("Open points: no", table$unit, "shows the topic"),
        if (nrow(none) > 0) paste("Crosses and gaps: no", table$unit, "at all"),
        own_axes(scales, data$panel), cut_in_words(room)
      ),
      alt = paste0(
        "Lines with bands for the share of ", table$units, " that show ", topics_in_words(topics),
        sides_in_words(data, table$by), range_in_words(data, table$time), ". ",
        if (nlevels(data$panel) > 1) "Each topic has a panel. ", highest_in_words(data, topics)
      )
    )
}

draw_marks_of_periods <- function(data, ...) {
  if (nrow(data) > 0) {
    ggplot2::geom_point(..., data = data, stroke = 0.4, show.legend = FALSE)
  }
}

# ---- By group -----------------------------------------------------------------------------

plot_by_group <- function(table, topics, share = "Share of", crosses = NULL) {
  data <- table$data
  topics <- rows_of_topics(topics)
  n_sides <- nlevels(data$side)
  # Groups are side by side within a row, the first on top.
  data$y <- topics$y[match(data$cluster, topics$cluster)] +
    0.5 * ((n_sides + 1) / 2 - as.integer(data$side)) / n_sides
  bounded <- data[data$estimate %in% 0 & !is.na(data$conf.high), ]
  some <- data[!is.na(data$estimate) & (data$estimate > 0 | is.na(data$conf.high)), ]
  none <- data[is.na(data$estimate), ]
  room <- room_for_shares(data)
  plot <- ggplot2::ggplot(
    some, ggplot2::aes(.data$estimate, .data$y, colour = .data$side, shape = .data$side)
  ) +
    stripe_topics(topics) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high), linewidth = 0.6, na.rm = TRUE
    ) +
    ggplot2::geom_point(size = 1.9) +
    draw_bounds(bounded) +
    (if (nrow(none) > 0) {
      ggplot2::geom_point(
        ggplot2::aes(x = 0, shape = NULL), data = none, shape = 4, size = 1.2, stroke = 0.5
      )
    }) +
    ggplot2::scale_shape_manual(
      values = shapes_of(levels(data$side)), labels = legend_names, drop = FALSE
    ) +
    ggplot2::scale_x_continuous(
      labels = percents, limits = c(0, NA), n.breaks = 4,
      expand = ggplot2::expansion(mult = c(0.03, 0.05))
    ) +
    (if (!is.null(room$top)) ggplot2::coord_cartesian(xlim = c(0, room$top))) +
    ggplot2::labs(
      x = paste(share, table$units), y = NULL, colour = NULL, fill = NULL, shape = NULL,
      caption = caption_of_topics(
        table, "Lines: ",
        if (nrow(bounded) > 0) {
          paste0("Arrows lead from the upper bound to zero: no ", table$unit, " shows the topic")
        },
        if (nrow(none) > 0) crosses %||% paste("Crosses: no", table$unit, "at all"),
        cut_in_words(room)
      ),
      alt = paste0(
        "Points with intervals for the ", tolower(share), " ", table$units, " that show ",
        topics_in_words(topics), sides_in_words(data, table$by), ". Each topic has a row. ",
        highest_in_words(data, topics)
      )
    )
  dress_topics(plot, topics, panels_across(data, table$by[-1]))
}

# From the upper bound of an empty cell to zero.
draw_bounds <- function(data) {
  if (nrow(data) > 0) {
    list(
      ggplot2::geom_segment(
        ggplot2::aes(x = .data$conf.high, xend = 0, yend = .data$y),
        data = data, linewidth = 0.4, show.legend = FALSE,
        arrow = grid::arrow(angle = 25, length = grid::unit(4, "pt"))
      ),
      ggplot2::geom_point(
        ggplot2::aes(x = .data$conf.high),
        data = data, shape = "|", size = 1.8, show.legend = FALSE
      )
    )
  }
}

#' @importFrom ggplot2 autoplot
#' @export
autoplot.imagestrata_prevalence <- function(object, ...) {
  switch(attr(object, "kind"),
    prevalence = plot_prevalence(object, ...),
    gaps = plot_topic_gaps(object, ...),
    odds = plot_topic_odds(object, ...)
  )
}
