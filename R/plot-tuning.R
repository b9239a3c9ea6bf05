# Plots of the settings of a tuning, and of differences between its clusterings.

# Boxes are drawn of at least this many candidates.
fewest_in_box <- 4
# The largest number of differences that are drawn.
most_differences <- 25

# Rows of the deciding measure that have an estimate.
of_measure <- function(object) {
  results <- tidy(object, "results")
  rows <- results[results$measure == glance(object)$measure, ]
  rows[!is.na(rows$estimate), ]
}

# The settings that vary among candidates (without baselines): their values as a factor, missing
# for candidates of a grid that does not have the setting.
varying_settings <- function(own) {
  between <- seq(match("baseline", names(own)) + 1, match("n_clusters", names(own)))
  between <- names(own)[utils::head(between, -1)]
  found <- lapply(rlang::set_names(c("encoder", "method", between)), \(name) {
    values <- own[[name]]
    known <- if (name == "encoder") unique(values) else sort(unique(values))
    levels <- setting_text(c(if (anyNA(values)) NA, known))
    given <- name %in% c("encoder", "method", "reduction") | has_setting(own, name)
    droplevels(factor(ifelse(given, setting_text(values), NA), unique(levels)))
  })
  found[vapply(found, \(values) nlevels(values) > 1, TRUE)]
}

has_setting <- function(rows, name) grepl(paste0("\"", name, "\":"), rows$settings, fixed = TRUE)

setting_text <- function(values) {
  text <- if (is.numeric(values)) format_number(values) else as.character(values)
  ifelse(is.na(values), "none", text)
}

format_number <- function(x) vapply(x, \(one) format(one, digits = 6, trim = TRUE), "")

plot_tuned_settings <- function(object, by, call = rlang::caller_env()) {
  rows <- of_measure(object)
  own <- rows[!rows$baseline, ]
  settings <- varying_settings(own)
  unknown <- setdiff(by, names(settings))
  if (length(unknown) > 0 || length(settings) == 0) {
    abort_imagestrata(
      if (length(unknown) > 0) {
        "{.val {unknown[[1]]}} does not vary among the candidates of this tuning."
      } else {
        "No setting varies among the candidates of this tuning."
      },
      hint = if (length(settings) > 0) "Those that vary are {.val {names(settings)}}.",
      call = call
    )
  }
  encoders <- unique(own$encoder)
  boxes <- place_boxes(own, settings[by %||% names(settings)])
  points <- dplyr::bind_rows(lapply(seq_len(nrow(boxes)), \(i) {
    those <- own[boxes$rows[[i]], ]
    shift <- (seq_len(nrow(those)) - 1) * 0.618
    shift <- if (nrow(those) > 1) shift %% 1 - 0.5 else 0
    best <- those$candidate == glance(object)$candidate
    tibble::tibble(
      setting = boxes$setting[i], x = those$estimate, best = best,
      y = boxes$y[i] + ifelse(best, 0, 0.45 * shift),
      encoder = factor(those$encoder, encoders),
      kind = ifelse(those$may_be_best, those$encoder, "other")
    )
  }))
  estimates <- lapply(boxes$rows, \(rows) own$estimate[rows])
  boxes[c("low", "middle", "high")] <- as.data.frame(t(vapply(estimates, \(x) {
    stats::quantile(x, c(0.25, 0.5, 0.75), names = FALSE)
  }, numeric(3))))
  small <- lengths(boxes$rows) < fewest_in_box
  ticks <- stats::aggregate(y ~ value + setting, boxes, mean)
  # The name of a setting stands above its values, where it takes no width.
  heads <- stats::aggregate(y ~ setting, boxes, \(y) max(y) + 1)
  baseline <- rows$estimate[rows$baseline]
  palette <- rlang::set_names(distinct_colours(length(encoders), encoder_colours), encoders)
  shapes <- rlang::set_names(rep_len(21:25, length(encoders)), encoders)
  measure <- measure_names[[glance(object)$measure]]
  ggplot2::ggplot(points, ggplot2::aes(.data$x, .data$y)) +
    (if (length(baseline) > 0) {
      ggplot2::geom_vline(
        xintercept = max(baseline), colour = colours[["soft"]], linetype = "dashed"
      )
    }) +
    ggplot2::geom_rect(
      ggplot2::aes(
        xmin = .data$low, xmax = .data$high, ymin = .data$y - 0.35, ymax = .data$y + 0.35
      ),
      boxes[!small, ], inherit.aes = FALSE, fill = "#f1f2f4", colour = colours[["soft"]],
      linewidth = 0.3
    ) +
    ggplot2::geom_segment(
      ggplot2::aes(.data$middle, .data$y - 0.35, xend = .data$middle, yend = .data$y + 0.35),
      boxes[!small, ], inherit.aes = FALSE, colour = colours[["ink"]], linewidth = 0.8
    ) +
    ggplot2::geom_point(
      ggplot2::aes(colour = .data$encoder, shape = .data$encoder, fill = .data$kind),
      points[!points$best, ], size = 1.3
    ) +
    ggplot2::geom_point(
      ggplot2::aes(shape = .data$encoder, fill = .data$kind),
      points[points$best, ], size = 3.2, stroke = 0.8, colour = colours[["ink"]]
    ) +
    ggplot2::geom_blank(ggplot2::aes(y = .data$y), heads, inherit.aes = FALSE) +
    ggplot2::facet_grid(ggplot2::vars(.data$setting), scales = "free_y", space = "free_y") +
    ggplot2::scale_x_continuous(expand = ggplot2::expansion(mult = 0.07)) +
    ggplot2::scale_y_continuous(
      breaks = c(heads$y, ticks$y),
      labels = as.expression(c(
        lapply(as.character(heads$setting), \(name) bquote(bold(.(name)))),
        shorten(ticks$value, 20)
      )),
      expand = ggplot2::expansion(add = 0.6)
    ) +
    ggplot2::scale_colour_manual(values = palette, drop = FALSE) +
    ggplot2::scale_shape_manual(values = shapes, drop = FALSE) +
    ggplot2::scale_fill_manual(values = c(palette, other = "white"), guide = "none") +
    (if (length(encoders) > 1) {
      encoder_guides(palette, width = 25)
    } else {
      ggplot2::guides(colour = "none", shape = "none")
    }) +
    ggplot2::labs(
      x = measure, y = NULL, colour = NULL, shape = NULL,
      caption = caption_text(
        "Points: the candidates, filled if they may be the best (95% confidence)",
        "Large point: the best candidate",
        paste0(
          "Boxes: quartiles and median over all other settings",
          if (any(small)) paste0(", of at least ", fewest_in_box, " candidates")
        ),
        if (length(baseline) > 0) "Dashed line: the best baseline"
      ),
      alt = settings_in_words(boxes, measure, own, baseline)
    ) +
    theme_strata() +
    ggplot2::theme(
      panel.grid.major.y = ggplot2::element_blank(),
      panel.grid.major.x = ggplot2::element_line(colour = "#e4e5e8", linewidth = 0.3),
      strip.text = ggplot2::element_blank()
    )
}

# A row per box, from the top: setting, value, encoder, y, and the rows of its candidates.
place_boxes <- function(own, settings) {
  several <- length(unique(own$encoder)) > 1
  boxes <- list()
  y <- 0
  for (name in names(settings)) {
    for (value in levels(settings[[name]])) {
      those <- which(settings[[name]] == value)
      for (encoder in unique(own$encoder[those])) {
        boxes[[length(boxes) + 1]] <- tibble::tibble(
          setting = name, value = value, encoder = encoder, y = y,
          rows = list(those[own$encoder[those] == encoder])
        )
        y <- y - 1
      }
      # Boxes of one value are closer together than those of two.
      y <- y - if (several && name != "encoder") 0.5 else 0
    }
    y <- y - 10 # panels have different places, each with its own labels
  }
  boxes <- dplyr::bind_rows(boxes)
  boxes$setting <- factor(boxes$setting, names(settings))
  boxes
}

settings_in_words <- function(boxes, measure, own, baseline) {
  said <- lapply(split(boxes, boxes$setting, drop = TRUE), \(part) {
    best <- part[which.max(part$middle), ]
    encoder <- if (best$setting != "encoder" && length(unique(own$encoder)) > 1) {
      paste0(" with ", best$encoder)
    }
    paste0(best$setting, " ", best$value, encoder, sprintf(" (%.2f)", best$middle))
  })
  paste0(
    "Points and boxes for ", tolower(measure), " of ", count_of(nrow(own), "candidate"),
    " by the values of ", count_of(length(said), "setting"), ". Highest medians: ",
    paste(unlist(said), collapse = ", "), ". The best candidate has ",
    sprintf("%.2f", max(own$estimate)),
    if (length(baseline) > 0) sprintf(", the best baseline %.2f", max(baseline)), "."
  )
}

plot_tuned_differences <- function(object) {
  line <- glance(object)
  rows <- of_measure(object)
  settings <- names(varying_settings(rows[!rows$baseline, ]))
  labels <- label_candidates(rows, settings)
  number <- rows$same_as[rows$candidate == line$candidate]
  pairs <- tidy(object, "differences")
  pairs <- pairs[pairs$measure == line$measure & !is.na(pairs$estimate), ]
  first <- pairs[pairs$candidate_a == number, ]
  second <- pairs[pairs$candidate_b == number, ]
  against <- tibble::tibble(
    candidate = c(first$candidate_b, second$candidate_a),
    estimate = c(-first$estimate, second$estimate),
    conf.low = c(-first$conf.high, second$conf.low),
    conf.high = c(-first$conf.low, second$conf.high)
  )
  place <- match(against$candidate, rows$candidate)
  against$label <- labels$text[place]
  against$kind <- ifelse(
    rows$baseline[place], "baseline", ifelse(rows$may_be_best[place], "may", "worse")
  )
  against <- against[order(-against$estimate), ]
  shown <- utils::head(against, most_differences)
  shown$row <- -seq_len(nrow(shown))
  fills <- c(may = colours[["main"]], worse = colours[["pale"]], baseline = "white")
  measure <- measure_names[[line$measure]]
  best <- labels$text[rows$candidate == line$candidate]
  ggplot2::ggplot(shown, ggplot2::aes(.data$estimate, .data$row)) +
    ggplot2::geom_vline(xintercept = 0, colour = colours[["soft"]], linewidth = 0.4) +
    ggplot2::geom_segment(
      ggplot2::aes(.data$conf.low, xend = .data$conf.high, yend = .data$row),
      colour = colours[["main"]], linewidth = 0.5
    ) +
    ggplot2::geom_point(
      ggplot2::aes(fill = .data$kind, shape = .data$kind), colour = colours[["main"]], size = 2
    ) +
    ggplot2::scale_fill_manual(values = fills, guide = "none") +
    ggplot2::scale_shape_manual(values = c(may = 21, worse = 21, baseline = 22), guide = "none") +
    ggplot2::scale_y_continuous(
      breaks = shown$row, labels = shown$label, expand = ggplot2::expansion(add = 0.6)
    ) +
    ggplot2::labs(
      x = paste(measure, "less that of the best candidate"), y = NULL, subtitle = labels$header,
      caption = caption_text(
        paste("The best candidate:", best),
        "Lines: 95% intervals of each difference, on the same pairs",
        "Dark points: candidates that may be the best (95% confidence)",
        if (any(shown$kind == "baseline")) "White squares: baselines",
        if (nrow(against) > nrow(shown)) {
          paste("The", nrow(shown), "of", nrow(against), "with the highest estimates")
        }
      ),
      alt = differences_in_words(shown, measure, best, line$n_may_be_best)
    ) +
    theme_strata() +
    ggplot2::theme(
      panel.grid.major.y = ggplot2::element_blank(),
      panel.grid.major.x = ggplot2::element_line(colour = "#e4e5e8", linewidth = 0.3),
      plot.subtitle = ggplot2::element_text(size = ggplot2::rel(0.8))
    )
}

# What tells clusterings apart: the settings that vary, and the number of clusters that is asked
# for.
label_candidates <- function(rows, settings) {
  names <- if (length(settings) > 0) settings else "method"
  numbered <- has_setting(rows, "n_clusters")
  if (!"method" %in% names && any(numbered)) {
    names <- append(names, "method", after = as.integer("encoder" %in% names))
  }
  parts <- lapply(names, \(name) {
    text <- setting_text(rows[[name]])
    if (!name %in% c("encoder", "method", "reduction")) {
      text <- ifelse(has_setting(rows, name), text, "-")
    }
    if (name == "method") {
      text <- ifelse(numbered, paste0(text, " (", rows$n_clusters, " clusters)"), text)
    }
    text
  })
  list(header = paste(names, collapse = " | "), text = do.call(paste, c(parts, sep = " | ")))
}

differences_in_words <- function(shown, measure, best, n_may_be_best) {
  paste0(
    "Points with intervals for the difference in ", tolower(measure), " of ",
    count_of(nrow(shown), "clustering"), " from the best candidate, ", best, ". ",
    sum(shown$conf.high < 0), " have an interval below 0; ",
    count_of(n_may_be_best, "candidate"), " may be the best."
  )
}
