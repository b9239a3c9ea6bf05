#' Plot a model of shares
#'
#' Draws rate ratios with their intervals, one panel per outcome (Figure 5.1 of *Images as Data*).
#'
#' @param object The result of [share_model()].
#' @param type `"coefficients"`, or `"corrected"`: estimates with and without correction for
#'   measurement error, for the predictors that have a reliability.
#' @param terms The terms to show, in this order; by default (`NULL`) all but the intercept.
#' @param per `"unit"`: one point more of each term multiplies the expected count by the ratio.
#'   `"sd"`: one standard deviation more, which makes terms of different units comparable.
#' @param labels Texts for terms: `c(hopeful = "Evoked hope")`.
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examples
#' # See the vignette "Do evoked emotions predict sharing?" and ?share_model.
#' images <- data.frame(image_id = paste0("i", 1:50), hopeful = rep(1:5, 10))
#' posts <- data.frame(
#'   post_id = 1:200, image_id = images$image_id, author = paste0("a", rep(1:20, each = 10)),
#'   retweets = rep(c(0, 3, 1, 2, 6, 0, 9), length.out = 200)
#' )
#' fit <- share_model(posts, retweets ~ hopeful, ratings = images)
#' autoplot(fit)
autoplot.imagestrata_share_model <- function(object,
                                             type = "coefficients",
                                             terms = NULL,
                                             per = "unit",
                                             labels = NULL,
                                             ...) {
  check_dots(...)
  check_choice(type, "type", c("coefficients", "corrected"), rlang::current_env())
  check_choice(per, "per", c("unit", "sd"), rlang::current_env())
  rows <- tidy(object, type)
  if (is.null(terms)) {
    terms <- setdiff(unique(rows$term), "(Intercept)")
    if (type == "corrected") terms <- intersect(terms, corrected_terms(object))
  }
  check_terms(terms, "terms", rows$term)
  if (!is.null(labels)) check_terms(names(labels), "labels", rows$term)
  # Rows of the tibble may have been filtered.
  rows <- rows[rows$term %in% terms & rows$outcome %in% object$outcome, ]
  factor <- if (per == "sd") spread_of_terms(object, rows) else rep(1, nrow(rows))
  bounds <- c("estimate", "conf.low", "conf.high")
  rows[bounds] <- exp(rows[bounds] * factor)
  rows$outcome <- factor(rows$outcome, unique(rows$outcome))
  rows$y <- length(terms) + 1 - match(rows$term, terms)
  more <- c(unit = "one unit more", sd = "one standard deviation more")[[per]]
  ggplot2::ggplot(rows, ggplot2::aes(.data$estimate, .data$y)) +
    ggplot2::geom_vline(xintercept = 1, colour = colours[["soft"]], linewidth = 0.4) +
    (if (type == "corrected") draw_corrected(rows) else draw_ratios()) +
    ggplot2::scale_x_log10(breaks = ratio_breaks, labels = \(x) format(x, drop0trailing = TRUE)) +
    ggplot2::scale_y_continuous(
      breaks = rev(seq_along(terms)),
      labels = wrap_titles(ifelse(terms %in% names(labels), labels[terms], terms), 26, 60),
      expand = ggplot2::expansion(add = 0.5), minor_breaks = NULL
    ) +
    ggplot2::facet_wrap(ggplot2::vars(.data$outcome), nrow = 1) +
    ggplot2::labs(
      x = paste0("Rate ratio (", more, ")"), y = NULL,
      caption = caption_of_shares(object, rows, type),
      alt = ratios_in_words(rows, terms, labels)
    ) +
    theme_estimates()
}

# The terms that hold a rating with a reliability.
corrected_terms <- function(object) {
  unique(unlist(lapply(attr(object, "models"), function(model) {
    labels <- attr(stats::terms(model), "term.labels")
    rated <- vapply(labels, \(label) {
      any(all.vars(str2lang(label)) %in% attr(object, "rated"))
    }, NA)
    x <- stats::model.matrix(model)
    colnames(x)[attr(x, "assign") %in% which(rated)]
  })))
}

check_terms <- function(x, name, known, call = rlang::caller_env()) {
  unknown <- setdiff(x, known)
  if (!is.character(x) || length(x) == 0 || length(unknown) > 0) {
    abort_imagestrata(
      "{.arg {name}} must name terms of the model, not {.val {c(unknown, x)[1]}}.",
      hint = "The terms are {.val {unique(known)}}.",
      call = call
    )
  }
}

spread_of_terms <- function(object, rows) {
  spread <- lapply(attr(object, "models"), \(model) {
    apply(design_of(model, model$data)$x, 2, stats::sd)
  })
  mapply(\(outcome, term) spread[[outcome]][[term]], rows$outcome, rows$term)
}

# Round ratios: equidistant ones near 1, otherwise 1, 2, 5, 10 and so on.
ratio_breaks <- function(limits) {
  wide <- log10(limits[2] / limits[1])
  breaks <- pretty(limits, 4)
  if (wide >= 0.7) {
    breaks <- as.vector(outer(c(1, if (wide < 2.2) c(2, 5)), 10^(-8:8)))
  }
  sort(breaks[breaks > 0 & breaks >= limits[1] & breaks <= limits[2]])
}

draw_ratios <- function() {
  list(
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = group_colours[1], linewidth = 0.7, na.rm = TRUE
    ),
    ggplot2::geom_point(colour = group_colours[1], size = 2.2, na.rm = TRUE)
  )
}

# The uncorrected estimate on top of the corrected ones.
draw_corrected <- function(rows) {
  texts <- c(
    none = "not corrected", high = "upper end", estimate = "estimate", low = "lower end"
  )
  texts <- texts[names(texts) %in% rows$reliability]
  place <- match(rows$reliability, names(texts))
  rows$y <- rows$y - 0.17 * (place - (length(texts) + 1) / 2)
  rows$side <- factor(texts[rows$reliability], texts)
  shades <- c(none = colours[["soft"]], high = "#7fb2d6", estimate = "#0072b2", low = "#003b5c")
  list(
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high, colour = .data$side),
      rows,
      linewidth = 0.7, na.rm = TRUE
    ),
    ggplot2::geom_point(
      ggplot2::aes(y = .data$y, colour = .data$side, shape = .data$side), rows,
      size = 2, na.rm = TRUE
    ),
    ggplot2::scale_colour_manual(
      values = unname(shades[names(texts)]), name = "Reliability", guide = legend_rows(texts)
    ),
    ggplot2::scale_shape_manual(
      values = c(none = 1, high = 17, estimate = 16, low = 15)[names(texts)] |> unname(),
      name = "Reliability", guide = legend_rows(texts)
    )
  )
}

legend_rows <- function(texts) ggplot2::guide_legend(nrow = if (length(texts) > 2) 2 else 1)

caption_of_shares <- function(object, rows, type) {
  line <- glance(object)
  line <- line[line$outcome %in% object$outcome, ]
  by <- c(
    author = "authors", image = "images", both = "authors and images", topic = "topics"
  )[[line$cluster[1]]]
  caption_text(
    paste0(
      paste(unique(line$family), collapse = " and "), " model of ",
      count_of(line$nobs[1], line$unit[1])
    ),
    paste0("Horizontal lines: ", 100 * line$conf_level[1], "% intervals that account for ", by),
    "Vertical line: no difference",
    if (type == "corrected") {
      paste0(
        "Corrected with the estimate of the rating's reliability",
        if (any(rows$reliability %in% c("low", "high"))) " and the ends of its interval"
      )
    }
  )
}

ratios_in_words <- function(rows, terms, labels) {
  told <- rows
  if (!is.null(rows[["reliability"]])) told <- rows[rows$reliability %in% c("none", "estimate"), ]
  name <- ifelse(told$term %in% names(labels), labels[told$term], told$term)
  how <- if (!is.null(rows[["reliability"]])) {
    ifelse(told$reliability == "none", " (not corrected)", " (corrected)")
  }
  said <- paste0(
    told$outcome, ", ", name, how, ": ", sprintf("%.2f", told$estimate), " (",
    sprintf("%.2f", told$conf.low), " to ", sprintf("%.2f", told$conf.high), ")"
  )
  paste0(
    "Points with intervals for rate ratios of ", count_of(length(terms), "term"), ". ",
    paste(utils::head(said, 8), collapse = "; "), if (length(said) > 8) "; and more", "."
  )
}
