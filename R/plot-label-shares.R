#' Plot shares of labels by machine, by sample and corrected
#'
#' Draws the three estimates of [label_shares()] side by side: what the predictions alone say, what
#' the labelled sample alone says, and the estimate that corrects the one by the other. If the table
#' has a column of dates, each code is a panel with lines over time. Otherwise each code is a row,
#' and with groups each group is a row and each code a panel.
#'
#' The interval of the predictions alone says nothing about their errors. It is short however wrong
#' they are, so the figure never shows it without the other two.
#'
#' @section Sizes:
#' Two columns of a journal are 7 inches (178 mm) wide, one column is 3.5 inches (89 mm). A row
#' needs about 0.45 inches of height. For one column add
#' `ggplot2::theme(text = ggplot2::element_text(size = 9))`, and put panels below each other with
#' `n_columns = 1`.
#'
#' @param shares The result of [label_shares()], or some of its rows.
#' @param codes Names of the codes to draw, in this order. By default (`NULL`) all. Shares and means
#'   of scales have different axes and need a figure each.
#' @param truth Known shares to mark by a line, from a simulation or a count: a table with the
#'   columns `code` and `truth`, `label` for answers, and the columns of `by`.
#' @param labels Texts for codes and answers by their names, as `c(protest = "A protest",
#'   "setting: indoors" = "Indoors")`.
#' @param n_columns The number of panels side by side.
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' shares <- tibble::tibble(
#'   code = "protest", label = "1", party = rep(c("Democrat", "Republican"), each = 3),
#'   method = rep(c("machine", "sample", "corrected"), 2),
#'   estimate = c(0.123, 0.166, 0.132, 0.093, 0.090, 0.074),
#'   conf.low = c(0.118, 0.119, 0.110, 0.087, 0.038, 0.047),
#'   conf.high = c(0.128, 0.213, 0.153, 0.099, 0.142, 0.101)
#' )
#' plot_label_shares(shares)
plot_label_shares <- function(shares,
                              codes = NULL,
                              truth = NULL,
                              labels = NULL,
                              n_columns = NULL,
                              ...) {
  check_dots(...)
  if (!is.null(n_columns)) check_count(n_columns, "n_columns")
  table <- table_of_label_shares(shares)
  table <- codes_to_draw(table, codes, labels)
  table <- add_truth(table, truth)
  if (length(table$time) > 0) {
    plot_label_periods(table, n_columns)
  } else {
    plot_label_rows(table, n_columns)
  }
}

# All columns but those of `by`.
label_share_columns <- c(
  "code", "label", "method", "estimate", "std.error", "conf.low", "conf.high", "n_labelled",
  "n_predicted", "df", "lambda", "term", "weight", "conf_level", "cluster_name", "theme_name"
)

share_methods <- c(machine = "machine only", sample = "sample only", corrected = "corrected")
method_shapes <- c(`machine only` = 0, `sample only` = 17, corrected = 16)
method_lines <- c(`machine only` = "22", `sample only` = "blank", corrected = "solid")

# ---- Tables -------------------------------------------------------------------------------

table_of_label_shares <- function(x, call = rlang::caller_env()) {
  needs <- c("code", "method", "estimate", "conf.low", "conf.high")
  lacks <- if (is.data.frame(x)) setdiff(needs, names(x))
  if (!is.data.frame(x) || length(lacks) > 0) {
    abort_imagestrata(
      "{.arg shares} must be the result of {.fn label_shares}, not {seen_product(x)}.",
      hint = if (length(lacks) > 0) "It lacks {.field {lacks}}.",
      call = call
    )
  }
  if (nrow(x) == 0 || all(is.na(x$estimate))) {
    abort_imagestrata("{.arg shares} has no estimates to draw.", call = call)
  }
  unknown <- setdiff(x$method, names(share_methods))
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.field method} must be one of {.or {.val {names(share_methods)}}}, not {.val
       {unknown[[1]]}}.",
      call = call
    )
  }
  by <- attr(x, "by")
  by <- if (is.null(by)) setdiff(names(x), label_share_columns) else intersect(by, names(x))
  data <- plain_tibble(x)
  data$label <- as.character(data[["label"]] %||% NA)
  data[by] <- lapply(data[by], dates_of)
  time <- by[vapply(data[by], inherits, NA, "Date")]
  if (length(time) > 1) {
    abort_imagestrata(
      "{.arg shares} has more than one column of dates: {.field {time}}.", call = call
    )
  }
  twice <- which(vctrs::vec_duplicate_detect(data[c("code", "label", "method", by)]))
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg shares} has several rows for the code {.val {data$code[twice[1]]}} and the method
       {.val {data$method[twice[1]]}} with equal values of its other columns.",
      hint = "Filter it to one row for each.",
      call = call
    )
  }
  data$way <- factor(share_methods[as.character(data$method)], share_methods)
  list(
    data = data, by = setdiff(by, time), time = time,
    names = names_of_clusters(data),
    weight = c(attr(x, "tables")$summary$weight, as.character(data[["weight"]]), "image")[1],
    conf_level = attr(x, "tables")$summary$conf_level %||% data[["conf_level"]][1]
  )
}

# The rows of these codes, with the texts of codes and answers as the factor `shown`.
codes_to_draw <- function(table, codes, labels, call = rlang::caller_env()) {
  data <- table$data
  known <- unique(as.character(data$code))
  check_texts(codes, "codes", call)
  check_texts(labels, "labels", call)
  absent <- setdiff(codes, known)
  if (length(absent) > 0) {
    abort_imagestrata(
      "{length(absent)} code{?s} {?is/are} not in the table: {.val {absent}}.",
      hint = "Its codes are {.val {known}}.",
      call = call
    )
  }
  codes <- unique(codes %||% known)
  data <- data[data$code %in% codes, ]
  # Of binary codes, the share of "no" is the rest.
  binary <- vapply(split(data$label, data$code), \(label) all(label %in% c("0", "1")), NA)
  data <- data[!(binary[as.character(data$code)] & data$label %in% "0"), ]
  binary <- binary[as.character(data$code)]
  of_scale <- is.na(data$label)
  if (any(of_scale) && !all(of_scale)) {
    scales <- unique(data$code[of_scale])
    abort_imagestrata(
      "Shares and means need a figure each: {.val {scales}} {?has a mean/have means}.",
      hint = "Choose with {.arg codes}.",
      call = call
    )
  }
  key <- ifelse(of_scale | binary, data$code, paste0(data$code, ": ", data$label))
  keys <- unique(key[order(match(data$code, codes))])
  unused <- setdiff(names(labels), c(keys, known))
  if (length(unused) > 0) {
    abort_imagestrata(
      "{.arg labels} names {.val {unused}}, but the figure shows {.val {keys}}.", call = call
    )
  }
  data$key <- key
  texts <- rlang::set_names(keys)
  texts[intersect(names(labels), keys)] <- labels[intersect(names(labels), keys)]
  data$shown <- factor(unname(texts[key]), unname(texts))
  table$data <- data
  table$means <- all(of_scale)
  table
}

add_truth <- function(table, truth, call = rlang::caller_env()) {
  if (is.null(truth)) {
    return(table)
  }
  by <- c(table$by, table$time)
  check_data_frame(truth, "truth", call, needs = c("code", "truth", by))
  truth <- plain_tibble(tibble::as_tibble(truth))
  truth[by] <- lapply(truth[by], dates_of)
  data <- table$data
  if (is.null(truth[["label"]])) truth$label <- rep(NA_character_, nrow(truth))
  # Without an answer, the truth of a binary code is that of "1".
  several <- data$key != data$code
  label <- ifelse(several, data$label, NA)
  truth <- truth[!(truth$label %in% "0" & truth$code %in% data$code[!several]), ]
  truth$label <- ifelse(truth$code %in% data$code[several], as.character(truth$label), NA)
  as_key <- \(table) do.call(paste, c(lapply(table, as.character), sep = "\r"))
  place <- match(
    as_key(c(list(data$code, label), data[by])), as_key(c(list(truth$code, truth$label), truth[by]))
  )
  if (all(is.na(place))) {
    abort_imagestrata(
      "{.arg truth} has no row for the codes and groups of the figure.",
      hint = "Its values of {.field {c('code', by)}} must be those of the table.",
      call = call
    )
  }
  table$data$truth <- truth$truth[place]
  table
}

# ---- Rows ---------------------------------------------------------------------------------

plot_label_rows <- function(table, n_columns, call = rlang::caller_env()) {
  data <- table$data
  grouped <- length(table$by) > 0
  data$row <- if (grouped) rows_of_groups(table) else data$shown
  rows <- levels(data$row)
  panels <- if (grouped) nlevels(data$shown) else 1
  if (length(rows) > 40 || panels > 12) {
    abort_imagestrata(
      "{length(rows)} rows in {panels} panel{?s} are too many for one figure.",
      hint = "Choose {.arg codes}, or filter the groups.",
      call = call
    )
  }
  place <- length(rows) + 1 - as.integer(data$row)
  # The three estimates are side by side within a row, in their order.
  data$y <- place + 0.26 * (2 - as.integer(data$way))
  data$place <- place
  abreast <- panels_abreast(n_columns, panels)
  lowest <- if (table$means) min(data$conf.low, data$estimate, na.rm = TRUE) else 0
  direct <- if (abreast == 1) row_to_label(data, lowest)
  plot <- ggplot2::ggplot(
    data[!is.na(data$estimate), ],
    ggplot2::aes(.data$estimate, .data$y, colour = .data$way, shape = .data$way)
  ) +
    stripe_topics(tibble::tibble(y = rev(seq_along(rows)))) +
    draw_truth(data) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high), linewidth = 0.6, na.rm = TRUE
    ) +
    ggplot2::geom_point(size = 1.9, stroke = 0.7) +
    name_methods(direct) +
    (if (panels > 1) {
      ggplot2::facet_wrap(
        ggplot2::vars(.data$shown), ncol = abreast,
        labeller = ggplot2::as_labeller(\(text) wrap_titles(text, 30, 60))
      )
    }) +
    ggplot2::scale_x_continuous(
      labels = if (table$means) ggplot2::waiver() else percents, n.breaks = 4,
      limits = c(if (table$means) NA else 0, NA),
      expand = ggplot2::expansion(mult = c(0.03, 0.05))
    ) +
    ggplot2::scale_y_continuous(
      breaks = rev(seq_along(rows)), labels = wrap_titles(rows, 26, 60),
      limits = c(0.5, length(rows) + 0.5), expand = ggplot2::expansion()
    ) +
    ggplot2::labs(
      x = title_of_labels(table, if (panels == 1 && grouped) data$shown[1]), y = NULL,
      caption = caption_of_methods(table, data), alt = rows_in_words(table, data)
    ) +
    theme_topics() +
    ggplot2::theme(panel.grid.major.y = ggplot2::element_blank())
  dress_methods(plot, levels(droplevels(data$way)), is.null(direct))
}

# The groups of each row of the table, as a factor.
rows_of_groups <- function(table) {
  data <- table$data
  parts <- lapply(rlang::set_names(table$by), function(column) {
    values <- as_sides(data[[column]])
    if (column %in% c("cluster", "theme")) {
      shown <- label_clusters(levels(values), table$names)
      bare <- grepl("^[0-9]+$", shown)
      shown[bare] <- paste(sentence(column), shown[bare])
      levels(values) <- make.unique(shown, " ")
    }
    values
  })
  if (length(parts) == 1) {
    return(droplevels(parts[[1]]))
  }
  texts <- do.call(paste, c(lapply(parts, as.character), sep = ", "))
  factor(texts, unique(texts[do.call(order, unname(lapply(parts, as.integer)))]))
}

# The row whose estimates are named in the figure: the first one, if there is room on its right,
# else the one that ends first. `end` is where the axis must end.
row_to_label <- function(data, lowest) {
  whole <- tapply(!is.na(data$estimate), data$place, sum) == max(tapply(data$y, data$place, length))
  ends <- tapply(pmax(data$conf.high, data$estimate, na.rm = TRUE), data$place, max, na.rm = TRUE)
  ends <- ends[whole]
  if (length(ends) == 0) {
    return(NULL)
  }
  highest <- max(data$conf.high, data$estimate, data[["truth"]], na.rm = TRUE)
  room <- \(end) (end - lowest) / 0.64 + lowest
  first <- ends[[as.character(max(as.numeric(names(ends))))]]
  chosen <- if (room(first) <= 1.15 * highest) max(as.numeric(names(ends))) else
    as.numeric(names(ends)[which.min(ends)])
  shown <- data[data$place == chosen, ]
  shown$at <- pmax(shown$conf.high, shown$estimate, na.rm = TRUE)
  list(rows = shown, end = max(highest, room(max(shown$at))))
}

name_methods <- function(direct) {
  if (!is.null(direct)) {
    list(
      ggplot2::geom_text(
        ggplot2::aes(x = .data$at, label = .data$way),
        data = direct$rows, hjust = 0, nudge_x = 0.02 * direct$end, size = 2.7, show.legend = FALSE
      ),
      ggplot2::geom_blank(
        ggplot2::aes(x = direct$end, y = 1), data = direct$rows[1, ], inherit.aes = FALSE
      )
    )
  }
}

draw_truth <- function(data) {
  known <- data[!is.na(data[["truth"]] %||% rep(NA, nrow(data))), ]
  if (nrow(known) > 0) {
    known <- dplyr::distinct(known, .data$shown, .data$row, .data$place, .data$truth)
    ggplot2::geom_segment(
      ggplot2::aes(
        x = .data$truth, xend = .data$truth, y = .data$place - 0.42, yend = .data$place + 0.42
      ),
      data = known, inherit.aes = FALSE, colour = colours[["soft"]], linewidth = 0.5
    )
  }
}

# ---- Over time ----------------------------------------------------------------------------

plot_label_periods <- function(table, n_columns, call = rlang::caller_env()) {
  data <- table$data
  data$x <- data[[table$time]]
  groups <- if (length(table$by) > 0) rows_of_groups(table) else factor(rep("", nrow(data)))
  panels <- expand.grid(group = levels(groups), shown = levels(data$shown))
  alone <- nlevels(data$shown) == 1 && nlevels(groups) > 1
  title <- function(shown, group) {
    if (alone) group else trimws(paste0(wrap_titles(shown, 30, 60), "\n", group))
  }
  data$panel <- factor(
    title(as.character(data$shown), as.character(groups)),
    unique(title(as.character(panels$shown), as.character(panels$group)))
  )
  data$panel <- droplevels(data$panel)
  if (nlevels(data$panel) > 24) {
    abort_imagestrata(
      "{nlevels(data$panel)} panels are too many for one figure.",
      hint = "Choose {.arg codes}, or filter the groups.",
      call = call
    )
  }
  step <- if (length(unique(data$x)) > 1) min(diff(sort(unique(as.numeric(data$x))))) else 1
  sampled <- data[data$method == "sample" & !is.na(data$estimate), ]
  lines <- data[data$method != "sample", ]
  banded <- lines[!is.na(lines$estimate), ]
  plot <- ggplot2::ggplot(
    lines, ggplot2::aes(.data$x, .data$estimate, colour = .data$way, shape = .data$way)
  ) +
    ggplot2::geom_ribbon(
      ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high, fill = .data$way),
      data = banded, alpha = 0.18, colour = NA, show.legend = FALSE
    ) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high),
      data = sampled, linewidth = 0.4, na.rm = TRUE, show.legend = FALSE
    ) +
    draw_true_line(data) +
    ggplot2::geom_line(
      ggplot2::aes(linetype = .data$way), linewidth = 0.6, na.rm = TRUE
    ) +
    ggplot2::geom_point(data = data[!is.na(data$estimate), ], size = 1.3, stroke = 0.5) +
    ggplot2::facet_wrap(
      ggplot2::vars(.data$panel), ncol = panels_abreast(n_columns, nlevels(data$panel))
    ) +
    scale_of_dates(data$x) +
    ggplot2::scale_y_continuous(
      labels = if (table$means) ggplot2::waiver() else percents, n.breaks = 4,
      expand = ggplot2::expansion(mult = c(0.03, 0.05))
    ) +
    (if (!table$means) ggplot2::expand_limits(y = 0)) +
    ggplot2::labs(
      x = NULL, y = title_of_labels(table, if (alone) data$shown[1]),
      caption = caption_of_methods(table, data), alt = periods_in_words(table, data)
    ) +
    theme_topics() +
    ggplot2::theme(panel.spacing.x = ggplot2::unit(0.9, "lines"))
  dress_methods(plot, levels(droplevels(data$way)), TRUE)
}

draw_true_line <- function(data) {
  known <- data[!is.na(data[["truth"]] %||% rep(NA, nrow(data))), ]
  if (nrow(known) > 0) {
    known <- dplyr::distinct(known, .data$panel, .data$x, .data$truth)
    ggplot2::geom_step(
      ggplot2::aes(.data$x, .data$truth), data = known, inherit.aes = FALSE,
      colour = colours[["soft"]], linewidth = 0.5, direction = "mid"
    )
  }
}

# ---- Colours and words --------------------------------------------------------------------

dress_methods <- function(plot, ways, legend) {
  guide <- if (legend && length(ways) > 1) ggplot2::guide_legend(title = NULL) else "none"
  plot +
    ggplot2::scale_colour_manual(
      values = method_colours, breaks = ways, aesthetics = c("colour", "fill")
    ) +
    ggplot2::scale_shape_manual(values = method_shapes, breaks = ways) +
    ggplot2::scale_linetype_manual(values = method_lines, limits = ways) +
    ggplot2::guides(colour = guide, shape = guide, linetype = guide, fill = "none")
}

title_of_labels <- function(table, shown) {
  among <- c(image = "images", post = "images posted", share = "images, with copies")
  what <- paste0(if (table$means) "Mean" else "Share", " of ", among[[table$weight]])
  if (is.null(shown)) what else paste0(what, ": ", shown)
}

# "Lines: 95% intervals; 1,087 images labelled, 18,096 predicted."
caption_of_methods <- function(table, data) {
  level <- if (!is.null(table$conf_level)) paste0(100 * table$conf_level, "% ")
  n <- lapply(data[intersect(c("n_labelled", "n_predicted"), names(data))], \(x) {
    x <- range(x, na.rm = TRUE)
    paste(unique(format(x, big.mark = ",", trim = TRUE)), collapse = " to ")
  })
  counts <- if (length(n) == 2) {
    paste0(n[[1]], " images labelled, ", n[[2]], " predicted")
  }
  gaps <- anyNA(data$estimate)
  marks <- if (length(table$time) > 0) "Bands and vertical lines: " else "Lines: "
  lines <- c(
    paste(c(paste0(marks, level, "intervals"), counts), collapse = "; "),
    "The interval of the machine says nothing about its errors",
    if (!is.null(data[["truth"]])) "Grey lines: the truth",
    if (gaps) "No mark: too few labels for an estimate"
  )
  caption_text(lines)
}

rows_in_words <- function(table, data) {
  rows <- unique(data[order(-data$place), c("row", "shown")])
  told <- utils::head(rows, 8)
  said <- vapply(seq_len(nrow(told)), function(i) {
    of <- data[data$row == told$row[i] & data$shown == told$shown[i] & !is.na(data$estimate), ]
    of <- of[order(of$way), ]
    name <- unique(c(as.character(told$shown[i]), as.character(told$row[i])))
    paste0(
      paste(name, collapse = ", "), ": ",
      paste(of$way, number_in_words(table, of$estimate), collapse = ", ")
    )
  }, "")
  paste0(
    "Points with intervals for the ", tolower(title_of_labels(table, NULL)), " by ",
    methods_in_words(data), ", ",
    if (length(table$by) > 0) "a row for each group. " else "a row for each code. ",
    paste(said, collapse = "; "), if (nrow(rows) > 8) "; and more", "."
  )
}

periods_in_words <- function(table, data) {
  paste0(
    "Lines with bands, and points with intervals, for the ",
    tolower(title_of_labels(table, NULL)), " by ", methods_in_words(data),
    range_in_words(data, table$time), ". ",
    if (nlevels(data$panel) > 1) {
      paste0("Panels: ", paste(sub("\n", ", ", levels(data$panel)), collapse = "; "), ". ")
    },
    highest_corrected(table, data)
  )
}

highest_corrected <- function(table, data) {
  data <- data[data$method == "corrected" & !is.na(data$estimate), ]
  if (nrow(data) > 0) {
    one <- data[which.max(data$estimate), ]
    paste0(
      "The highest corrected estimate is ", number_in_words(table, one$estimate), " (",
      sub("\n", ", ", one$panel), ", ", format(one$x), ")."
    )
  }
}

methods_in_words <- function(data) {
  ways <- levels(droplevels(data$way))
  if (length(ways) == 1) return(ways)
  paste(paste(ways[-length(ways)], collapse = ", "), "and", ways[length(ways)])
}

number_in_words <- function(table, x) if (table$means) sprintf("%.2f", x) else percent(x)

#' @export
autoplot.imagestrata_label_shares <- function(object, ...) plot_label_shares(object, ...)
