#' Plots of scores of predicted labels
#'
#' @param object The result of [score_labels()], or some of its rows.
#' @param type `"scores"`: the scores of each subgroup with their intervals. `"calibration"`: for
#'   images with similar probabilities, the share that people give the label, against the mean
#'   probability. Points above the diagonal belong to images that have the label more often than
#'   predicted.
#' @param measures For `"scores"`: the measures to draw.
#' @inheritParams scan_images
#'
#' @returns A ggplot. `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' set.seed(1)
#' truth <- rbinom(300, 1, 0.4)
#' ids <- paste0("i", 1:300)
#' labels <- data.frame(image_id = ids, code = "protest", label = truth)
#' predictions <- data.frame(
#'   image_id = ids, label = "protest", split = NA,
#'   probability = plogis(3 * truth - 1.5 + rnorm(300))
#' )
#' images <- data.frame(image_id = ids, place = c("indoors", "outdoors"))
#' scores <- score_labels(labels, predictions, by = place, images = images, bins = 5)
#' autoplot(scores)
#' autoplot(scores, "calibration")
autoplot.imagestrata_label_scores <- function(object,
                                              type = c("scores", "calibration"),
                                              measures = c("accuracy", "precision", "recall", "f1"),
                                              ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  check_unused(type == "scores", 'type = "scores"', measures = if (!missing(measures)) measures)
  if (type == "calibration") {
    return(draw_label_calibration(object))
  }
  for (measure in measures) {
    check_choice(measure, "measures", names(names_of_measures), rlang::current_env())
  }
  draw_label_scores(object, measures)
}

names_of_measures <- c(
  accuracy = "Accuracy", precision = "Precision", recall = "Recall", specificity = "Specificity",
  f1 = "F1", bias = "Bias", brier = "Brier score", calibration_error = "Calibration error"
)

# The subgroup as text, for axes and legends, in the order of the table.
subgroup_of <- function(table, by, all = "All images") {
  if (length(by) == 0) {
    return(factor(rep(all, nrow(table))))
  }
  text <- do.call(paste, c(lapply(table[by], as.character), sep = ", "))
  factor(text, unique(text))
}

# "protest", or "scene: street" for a code with several answers.
answer_of <- function(table) {
  text <- ifelse(table$label == "1", table$code, paste0(table$code, ": ", table$label))
  factor(shorten(text, 40), unique(shorten(text, 40)))
}

draw_label_scores <- function(object, measures) {
  by <- attr(object, "by")
  table <- plain_tibble(object)
  table <- table[table$measure %in% measures & !is.na(table$estimate), ]
  if (nrow(table) == 0) {
    abort_imagestrata("There are no scores of {.val {measures}} to draw.", call = NULL)
  }
  # Of all answers together there is only the accuracy.
  if (length(unique(table$label)) > 1) table <- table[table$label != "(all)", ]
  table$answer <- answer_of(table)
  grouped <- length(by) > 0
  several <- nlevels(table$answer) > 1
  table$row <- if (grouped) subgroup_of(table, by) else table$answer
  table$row <- factor(table$row, rev(levels(table$row)))
  table$name <- factor(names_of_measures[table$measure], names_of_measures[measures])
  shares <- !any(measures == "bias")
  ggplot2::ggplot(table, ggplot2::aes(.data$estimate, .data$row)) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = colours[["main"]], linewidth = 0.7, na.rm = TRUE
    ) +
    ggplot2::geom_point(colour = colours[["main"]], size = 1.8) +
    ggplot2::facet_grid(
      if (grouped && several) ggplot2::vars(.data$answer), ggplot2::vars(.data$name)
    ) +
    ggplot2::scale_y_discrete(labels = \(names) wrap_titles(names, 26, 60)) +
    (if (shares) {
      ggplot2::scale_x_continuous(
        limits = c(0, 1), breaks = c(0, 0.5, 1), labels = c("0", "0.5", "1")
      )
    }) +
    ggplot2::labs(
      x = NULL, y = if (grouped) paste(sentence(by), collapse = ", "),
      caption = caption_text(
        if (grouped && !several) paste0("Label: ", levels(table$answer)),
        paste0("Lines: ", 100 * glance(object)$conf_level, "% intervals"),
        count_of(glance(object)$n_labelled, "labelled image")
      ),
      alt = paste0(
        "Points with intervals for ", toString(tolower(levels(table$name))), " of ",
        toString(levels(table$answer)), if (grouped) paste0(", by ", toString(by)), "."
      )
    ) +
    theme_estimates() +
    ggplot2::theme(
      strip.text.y = ggplot2::element_text(angle = 0), panel.spacing.x = grid::unit(1, "lines")
    )
}

draw_label_calibration <- function(object) {
  by <- attr(object, "by")
  table <- tidy(object, "calibration")
  if (nrow(table) == 0) {
    abort_imagestrata(
      "Calibration needs probabilities, but the predictions are decisions only.",
      call = NULL
    )
  }
  kept <- vctrs::vec_in(table[c("code", "label", by)], plain_tibble(object)[c("code", "label", by)])
  table <- table[kept, ]
  table$answer <- answer_of(table)
  table$group <- subgroup_of(table, by)
  n <- nlevels(table$group)
  # Subgroups side by side, so that their intervals do not hide each other.
  together <- n <= 3
  palette <- if (n > 1 && together) group_colours[seq_len(n)] else rep(colours[["main"]], n)
  panels <- c(if (nlevels(table$answer) > 1) "answer", if (!together) "group")
  wide <- 0.02 * (as.integer(table$group) - (n + 1) / 2)
  table$x <- table$mean_probability + if (together) wide else 0
  plot <- ggplot2::ggplot(
    table, ggplot2::aes(.data$x, .data$estimate, colour = .data$group, shape = .data$group)
  ) +
    ggplot2::geom_abline(colour = colours[["soft"]], linetype = "dashed", linewidth = 0.35) +
    ggplot2::geom_line(linewidth = 0.35, alpha = 0.6) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high), linewidth = 0.5, na.rm = TRUE
    ) +
    ggplot2::geom_point(size = 1.9) +
    ggplot2::scale_colour_manual(values = palette, labels = legend_names) +
    ggplot2::scale_shape_manual(
      values = if (together) c(16, 17, 15)[seq_len(n)] else rep(16, n), labels = legend_names
    ) +
    legend_of_sides(levels(table$group)) +
    ggplot2::coord_fixed(xlim = c(0, 1), ylim = c(0, 1)) +
    ggplot2::scale_x_continuous(breaks = c(0, 0.5, 1), labels = c("0", "0.5", "1")) +
    ggplot2::scale_y_continuous(breaks = c(0, 0.5, 1), labels = c("0", "0.5", "1")) +
    ggplot2::labs(
      x = "Mean predicted probability", y = "Share with the label", colour = NULL, shape = NULL,
      caption = caption_text(
        if (nlevels(table$answer) == 1) paste0("Label: ", levels(table$answer)),
        "Points: images with similar probabilities, joined by a thin line",
        paste0("Vertical lines: ", 100 * glance(object)$conf_level, "% intervals"),
        "Dashed line: perfect calibration"
      ),
      alt = paste0(
        "Points with intervals for the share of images with the label against the mean predicted ",
        "probability",
        if (n > 1) paste0(", by ", toString(by), ": ", toString(levels(table$group))),
        ". A diagonal marks perfect calibration."
      )
    ) +
    theme_estimates()
  if (n == 1 || !together) plot <- plot + ggplot2::guides(colour = "none", shape = "none")
  if (length(panels) > 0) plot <- plot + ggplot2::facet_wrap(panels)
  plot
}
