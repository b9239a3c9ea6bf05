#' Plot a model of ratings
#'
#' Draws the coefficients of [rating_model()], or what [rating_effects()] returns: mean ratings at
#' values of a covariate, differences between them, slopes, or lines over a number.
#'
#' @param model The result of [rating_model()].
#' @param variable A covariate of the model whose effects are drawn; by default (`NULL`) the
#'   coefficients of the model.
#' @param method,by,values,n_points As in [rating_effects()].
#' @param terms Terms to draw, in this order; by default (`NULL`) all but the intercept.
#' @param items Names of items and dimensions, by default (`NULL`) all.
#' @param colours For lines and means: colours of the groups, as in [plot_rating_means()].
#' @param labels Texts for terms, as in `c(groupRepublican = "Republican")`.
#' @param n_columns The number of panels side by side.
#' @param conf_level Confidence level of the intervals, by default (`NULL`) that of the model.
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' ratings <- dplyr::left_join(
#'   simulated_ratings, simulated_respondents,
#'   by = c("respondent_id", "group")
#' )
#' model <- rating_model(ratings, c(proud, angry, anxiety) ~ group * ideology + age)
#' plot_rating_model(model)
#' plot_rating_model(model, "ideology", by = "group")
#' plot_rating_model(model, "group", method = "difference", by = list(ideology = c(2, 6)))
plot_rating_model <- function(model,
                              variable = NULL,
                              method = NULL,
                              by = NULL,
                              values = NULL,
                              terms = NULL,
                              items = NULL,
                              colours = NULL,
                              labels = NULL,
                              n_columns = NULL,
                              n_points = 50,
                              conf_level = NULL,
                              ...) {
  check_dots(...)
  check_class(model, "imagestrata_rating_model", "model", "rating_model")
  conf_level <- check_share(conf_level %||% model$conf_level, "conf_level")
  n_columns <- if (!is.null(n_columns)) check_count(n_columns, "n_columns")
  if (is.null(variable)) {
    check_unused(FALSE, "variable", method = method, by = by, values = values, colours = colours)
    rows <- tidy(model, conf.level = conf_level)
    kept <- rows$item %in% model$measures$item[pick_measures(model, items)]
    terms <- terms %||% setdiff(unique(rows$term), "(Intercept)")
    check_terms(terms, "terms", rows$term)
    if (!is.null(labels)) check_terms(names(labels), "labels", rows$term)
    rows <- rows[kept & rows$term %in% terms & !is.na(rows$estimate), ]
    texts <- vapply(terms, term_text, "", all.vars(rlang::f_rhs(model$formula)))
    rows$panel <- factor(rows$term, terms, relabel(texts, terms, labels))
    return(draw_coefficients(rows, model, conf_level, n_columns))
  }
  check_unused(FALSE, "variable = NULL", terms = terms, labels = labels)
  effects <- rating_effects(
    model, variable, method = method, by = by, values = values, n_points = n_points,
    items = items, conf_level = conf_level
  )
  moderator <- if (is.list(by)) names(by) else by
  method <- method %||% if (is_continuous(model, variable)) "continuous" else "mean"
  if (method %in% c("difference", "slope")) {
    panel <- effects$contrast
    if (method == "slope") panel <- paste(variable, panel)
    if (!is.null(moderator)) panel <- paste0(panel, "\n", moderator, ": ", effects[[moderator]])
    effects$panel <- factor(panel, unique(panel))
    title <- if (method == "slope") "Change of the mean rating" else "Difference in mean ratings"
    return(draw_coefficients(effects, model, conf_level, n_columns, title, "fixed"))
  }
  if (method == "continuous") {
    draw_rating_lines(effects, model, variable, moderator, conf_level, colours, n_columns)
  } else {
    draw_rating_points(effects, model, variable, moderator, conf_level, colours, n_columns)
  }
}

# A row for each item and dimension, a panel for each term.
draw_coefficients <- function(rows, model, conf_level, n_columns, title = "Coefficient",
                              scales = "free_x") {
  if (nrow(rows) == 0 || all(is.na(rows$std.error))) {
    abort_imagestrata(
      "The model has no estimates with intervals to draw.",
      hint = "The column {.field reason} of {.code tidy(model)} says why.",
      call = rlang::caller_env()
    )
  }
  measures <- rows_of_measures(rows)
  rows$y <- measures$y[match_measures(rows, measures)]
  level <- paste0(100 * conf_level, "% interval ", c("excludes zero", "includes zero"))
  beyond <- !is.na(rows$conf.low) & (rows$conf.low > 0 | rows$conf.high < 0)
  n_columns <- panels_abreast(n_columns, nlevels(rows$panel))
  rows$sure <- factor(level[2 - beyond], level)
  plot <- ggplot2::ggplot(rows, ggplot2::aes(.data$estimate, .data$y)) +
    shade_dimensions(measures) +
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = group_colours[1], linewidth = 0.7, na.rm = TRUE
    ) +
    ggplot2::geom_point(
      ggplot2::aes(fill = .data$sure),
      shape = 21, size = 2.2, stroke = 0.8, colour = group_colours[1], na.rm = TRUE
    ) +
    ggplot2::scale_fill_manual(
      values = rlang::set_names(c(group_colours[1], "white"), level), drop = FALSE, name = NULL,
      guide = ggplot2::guide_legend(ncol = 1)
    ) +
    ggplot2::facet_wrap(
      ggplot2::vars(.data$panel),
      scales = scales, ncol = n_columns,
      labeller = ggplot2::as_labeller(\(texts) wrap_abreast(texts, n_columns))
    ) +
    ggplot2::scale_x_continuous(
      breaks = breaks_around_zero(if (n_columns > 2) 3 else 4),
      guide = ggplot2::guide_axis(check.overlap = TRUE)
    ) +
    ggplot2::labs(
      x = title, y = NULL,
      caption = caption_of_model(model, conf_level, also = c(
        shading_in_words(measures), own_axes(scales, rows$panel)
      )),
      alt = alt_text(
        paste0(
          "Points with intervals, ", tolower(title), ": ", count_of(nrow(measures), "row"),
          " (items and dimensions) in ", count_of(nlevels(rows$panel), "panel"), ": ",
          list_of(gsub("\n", ", ", levels(rows$panel)))
        ),
        alt_beyond(
          rows$conf.low, rows$conf.high,
          paste0(rows$item, " (", gsub("\n", ", ", rows$panel), ")")
        )
      )
    )
  # Labels at the ends of two axes must not meet.
  dress_rows(plot, measures) + ggplot2::theme(
    panel.spacing.x = ggplot2::unit(1.5, "lines"),
    legend.key.height = ggplot2::unit(0.75, "lines")
  )
}

# A row for each item and dimension, in which the values of the covariate are side by side.
draw_rating_points <- function(effects, model, variable, by, conf_level, palette, n_columns) {
  measures <- rows_of_measures(effects)
  effects$side <- as_groups(effects[[variable]])
  sides <- levels(effects$side)
  palette <- check_colours(palette, sides)
  effects$y <- measures$y[match_measures(effects, measures)] +
    0.44 * ((length(sides) + 1) / 2 - as.integer(effects$side)) / length(sides)
  plot <- ggplot2::ggplot(
    effects, ggplot2::aes(.data$estimate, .data$y, colour = .data$side, shape = .data$side)
  ) +
    shade_dimensions(measures) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      linewidth = 0.7, na.rm = TRUE
    ) +
    ggplot2::geom_point(size = 2, na.rm = TRUE) +
    ggplot2::scale_colour_manual(values = palette, labels = legend_names) +
    ggplot2::scale_shape_manual(
      values = rep_len(c(16, 17, 15, 18), length(sides)), labels = legend_names
    ) +
    ggplot2::labs(
      x = "Predicted mean rating", y = NULL, colour = NULL, shape = NULL,
      caption = caption_of_model(model, conf_level, also = shading_in_words(measures)),
      alt = alt_text(
        paste0(
          "Points with intervals: predicted mean ratings by ", variable, " (", list_of(sides), ")",
          if (!is.null(by)) paste0(", in panels by ", by)
        ),
        alt_extremes("mean rating", effects$estimate, paste(effects$item, effects$side, sep = ", "))
      )
    )
  if (!is.null(by)) {
    n_columns <- panels_abreast(n_columns, length(unique(effects[[by]])))
    plot <- plot + ggplot2::facet_wrap(
      ggplot2::vars(.data[[by]]),
      labeller = ggplot2::as_labeller(\(x) wrap_abreast(paste0(by, ": ", x), n_columns)),
      ncol = n_columns
    )
  }
  dress_rows(plot, measures)
}

# A panel for each item and dimension, a line for each value of the moderator.
draw_rating_lines <- function(effects, model, variable, by, conf_level, palette, n_columns) {
  measures <- rows_of_measures(effects)
  place <- match_measures(effects, measures)
  effects$x <- effects[[variable]]
  effects$cluster <- place
  titles <- make.unique(wrap_titles(row_labels(measures), 22, 60), " ")
  effects$panel <- factor(titles[place], titles)
  effects$side <- if (is.null(by)) factor("all") else as_groups(effects[[by]])
  sides <- levels(effects$side)
  palette <- check_colours(palette, sides)
  topics <- tibble::tibble(cluster = unique(place), label = levels(effects$panel), path = NA)
  plot <- draw_lines(effects, topics, "fixed", n_columns) +
    ggplot2::labs(
      x = if (is.numeric(effects$x)) variable, y = "Predicted mean rating",
      caption = caption_of_model(model, conf_level, "Bands: "),
      alt = alt_text(
        paste0(
          "Lines with bands: the predicted mean rating over ", variable,
          if (!is.null(by)) paste0(" by ", by, " (", list_of(sides), ")"), ", a panel for each of ",
          list_of(measures$item)
        ),
        alt_extremes("mean rating", effects$estimate, paste(effects$item, effects$side, sep = ", "))
      )
    )
  if (is.numeric(effects$x) && all(effects$x == round(effects$x))) {
    whole <- \(limits) {
      breaks <- pretty(limits, 4)
      breaks[breaks == round(breaks)]
    }
    # It replaces the scale of draw_lines().
    plot <- suppressMessages(plot + ggplot2::scale_x_continuous(
      breaks = whole, expand = ggplot2::expansion(mult = 0.03)
    ))
  }
  colour_sides(plot, sides, palette)
}

caption_of_model <- function(model, conf_level, before = "Lines: ", also = NULL) {
  errors <- if (model$method == "mixed") {
    paste0("; mixed model about ", model$target)
  } else {
    people <- model$respondent_weight
    paste0(
      clustered_by[[model$variance]], "; ", what_counts[[model$weight]],
      if (!is.null(people)) paste("; respondents are weighted by", people)
    )
  }
  caption_text(
    paste0(before, 100 * conf_level, "% intervals", errors), rating_model_basis(glance(model)), also
  )
}

#' @export
autoplot.imagestrata_rating_model <- function(object, ...) {
  plot_rating_model(object, ...)
}
