#' Plot a model of topics
#'
#' Draws what [topic_effects()] returns, as `plot.estimateEffect()` of stm does: predicted
#' prevalences with intervals at values of a covariate, differences between them, or their course
#' over a number or dates.
#'
#' Predicted prevalences are means over all posts of the model, with their other covariates as they
#' are.
#'
#' @param model The result of [topic_model()].
#' @param variable A covariate of the model; by default (`NULL`) the first.
#' @param method `"pointestimate"`: each topic is a row with a point and an interval for each of the
#'   `values`. `"difference"`: each topic is a row with the difference between the first and each
#'   further value, see [plot_topic_gaps()]; points are open if p (not adjusted) is not below one
#'   minus the level of the intervals. `"continuous"`: each topic is a panel with a line and a band.
#'   By default (`NULL`) `"continuous"` for numbers and dates, else `"pointestimate"`.
#' @param by Another covariate, a moderator: its values are lines of different colours, or panels.
#' @param topics Numbers or names of the topics to draw, in this order. By default (`NULL`) the `n`
#'   that most posts show, or with `"difference"` those with the largest differences, without the
#'   residual (-1) and topics that are not modelled.
#' @param scales For `"continuous"`: `"fixed"` gives all topics the same axis, `"free_y"` each its
#'   own.
#' @param n_columns For `"continuous"`: the number of panels side by side.
#' @param conf_level Confidence level of the intervals, by default (`NULL`) that of the model.
#' @inheritParams topic_effects
#' @inheritParams plot_prevalence
#' @inheritParams scan_images
#'
#' @inheritSection plot_prevalence Sizes
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' set.seed(1)
#' linked <- data.frame(
#'   post_id = as.character(1:600), image_id = as.character(1:600),
#'   cluster = sample(c(1:3, -1), 600, TRUE),
#'   author = rep(sprintf("author%02d", 1:30), each = 20),
#'   party = rep(c("Democrat", "Republican"), each = 300),
#'   time = as.Date("2020-01-01") + sample(0:364, 600, TRUE)
#' )
#' model <- topic_model(linked, ~ party * s(month, df = 3))
#' plot_topic_model(model, "party")
#' plot_topic_model(model, "party", method = "difference")
#' plot_topic_model(model, "month", by = "party")
plot_topic_model <- function(model,
                             variable = NULL,
                             method = NULL,
                             by = NULL,
                             values = NULL,
                             topics = NULL,
                             n = 12,
                             thumbnails = NULL,
                             colours = NULL,
                             labels = NULL,
                             scales = "fixed",
                             n_columns = NULL,
                             n_points = 50,
                             conf_level = NULL,
                             ...) {
  check_dots(...)
  check_class(model, "imagestrata_topic_model", "model", "topic_model")
  n <- check_number_of_topics(topics, n, missing(n))
  variable <- variable %||% first_variable(model)
  conf_level <- conf_level %||% model$conf_level
  shown <- unname(topics) %||% if (!identical(method, "difference")) common_topics(model, n)
  effects <- topic_effects(
    model, variable, method = method, by = by, values = values, n_points = n_points,
    topics = shown, conf_level = conf_level
  )
  method <- method %||% if (is_continuous(model, variable)) "continuous" else "pointestimate"
  scales <- check_panels(
    method == "continuous", 'method = "continuous"', scales, missing(scales), n_columns
  )
  table <- table_of_effects(effects, model, variable, method, by, conf_level)
  topics <- topics_to_draw(table, topics, labels, thumbnails, \(data) {
    if (method == "difference") {
      widest_topics(data[!is.na(data$estimate), ], n)
    } else {
      utils::head(intersect(shown, data$cluster), n)
    }
  })
  table$data <- table$data[table$data$cluster %in% topics$cluster, ]
  if (method == "difference") {
    pairs <- pairs_of_groups(levels(table$data$contrast))
    palette <- check_colours(colours, unique(unlist(pairs)))
    return(plot_gaps_by_topic(table, topics, pairs, palette, 1 - table$conf_level))
  }
  table$data$side <- sides_of(table)
  palette <- check_colours(colours, levels(table$data$side))
  plot <- if (method == "continuous") {
    plot_curves(table, topics, variable, scales, n_columns)
  } else {
    plot_by_group(table, topics, "Predicted share of", "Crosses: not estimated")
  }
  colour_sides(plot, levels(table$data$side), palette)
}

first_variable <- function(model, call = rlang::caller_env()) {
  if (length(model$data) == 0) {
    abort_imagestrata(
      "The model has no covariates to draw.",
      hint = "{.fn plot_prevalence} draws shares without a model.", call = call
    )
  }
  names(model$data)[1]
}

# The topics that most posts show, of those that are modelled.
common_topics <- function(model, n, call = rlang::caller_env()) {
  topics <- tidy(model, "topics")
  topics <- topics[!is_residual(topics[[1]]) & !vapply(model$fits, is.null, NA), ]
  if (nrow(topics) == 0) {
    abort_imagestrata(
      "The model has no topics but the residual and those that are not modelled.",
      hint = "{.code tidy(model, \"topics\")} says why.", call = call
    )
  }
  utils::head(topics[[1]][order(-topics$n_posts)], n)
}

# As topic_table() returns tables.
table_of_effects <- function(effects, model, variable, method, by, conf_level,
                             call = rlang::caller_env()) {
  if (all(is.na(effects$estimate))) {
    abort_imagestrata(
      "The model has no estimates of these topics.",
      hint = "The column {.field reason} of {.fn topic_effects} says why.", call = call
    )
  }
  if (model$level == "theme") {
    effects$cluster <- effects$theme
    effects$cluster_name <- effects$theme_name
  }
  if (method == "difference") {
    effects$contrast <- factor(effects$contrast, unique(effects$contrast))
  }
  list(
    data = effects, by = c(if (method == "pointestimate") variable, by), level = model$level,
    unit = "post", units = "posts", conf_level = conf_level
  )
}

plot_curves <- function(table, topics, variable, scales, n_columns) {
  data <- table$data
  data$x <- data[[variable]]
  data$panel <- panels_of_topics(data, topics, character())
  draw_lines(data, topics, scales, n_columns) +
    ggplot2::scale_y_continuous(
      labels = percents, n.breaks = 4, limits = c(0, NA),
      expand = ggplot2::expansion(mult = c(0.03, 0.05))
    ) +
    ggplot2::labs(
      x = if (is.numeric(data$x)) variable, y = paste("Predicted share of", table$units),
      caption = caption_of_topics(table, "Bands: ", own_axes(scales, data$panel)),
      alt = paste0(
        "Lines with bands for the predicted share of ", table$units, " that show ",
        topics_in_words(topics), sides_in_words(data, table$by), range_in_words(data, variable),
        ". ", if (nlevels(data$panel) > 1) "Each topic has a panel. ",
        highest_in_words(data, topics)
      )
    )
}

#' @export
autoplot.imagestrata_topic_model <- function(object, ...) {
  plot_topic_model(object, ...)
}
