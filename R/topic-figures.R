# Shared by the figures of topics in posts: their tables, the topics in order, lines, rows, words.

# ---- Tables -------------------------------------------------------------------------------

# All columns but those of `by`.
topic_columns <- c(prevalence_columns, "reason", "conf_level")

# A table of topics as the figures need it: `data`, in which `cluster` and `cluster_name` are
# those of the topics, also if they are themes; `by`, its columns of groups; `time`, the one with
# dates; and what is drawn: `level`, the `unit` and its plural, and the level of intervals.
topic_table <- function(x, name, made_by, needs = NULL, call = rlang::caller_env()) {
  check_topic_table(x, name, made_by, needs, call)
  level <- if ("cluster" %in% names(x)) "cluster" else "theme"
  by <- attr(x, "by")
  by <- if (is.null(by)) setdiff(names(x), topic_columns) else intersect(by, names(x))
  data <- plain_tibble(x)
  if (level == "theme") {
    data$cluster <- data[["theme"]]
    data$cluster_name <- data[["theme_name"]]
  }
  data[by] <- lapply(data[by], dates_of)
  time <- by[vapply(data[by], inherits, NA, "Date")]
  if (length(time) > 1) {
    abort_imagestrata(
      "{.arg {name}} has more than one column of dates: {.field {time}}.", call = call
    )
  }
  key <- data[c("cluster", intersect("contrast", names(data)), by)]
  twice <- which(vctrs::vec_duplicate_detect(key))
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg {name}} has several rows for topic {.val {data$cluster[twice[1]]}} with equal values of
       its other columns.",
      hint = "Filter it to one row for each.",
      call = call
    )
  }
  unit <- c(as.character(data[["unit"]]), "post")[1]
  list(
    data = data, by = setdiff(by, time), time = time, level = level, unit = unit,
    units = paste0(unit, "s"),
    conf_level = attr(x, "tables")$summary$conf_level %||% data[["conf_level"]][1]
  )
}

check_topic_table <- function(x, name, made_by, needs, call) {
  needs <- c(if (!"theme" %in% names(x)) "cluster", needs, "estimate", "conf.low", "conf.high")
  lacks <- if (is.data.frame(x)) setdiff(needs, names(x))
  drawn_by <- if (is.data.frame(x)) differences_drawn_by(setdiff(names(x), needs))
  if (!is.data.frame(x) || length(lacks) > 0 || !is.null(drawn_by)) {
    abort_imagestrata(
      "{.arg {name}} must be the result of {.fn {made_by}}, not {seen_product(x)}.",
      hint = if (length(lacks) > 0) {
        "It lacks {.field {lacks}}."
      } else if (!is.null(drawn_by)) {
        "It has differences between groups: {.fn {drawn_by}} draws them."
      },
      call = call
    )
  }
  check_rows_of_topics(x, name, call)
}

check_rows_of_topics <- function(x, name, call) {
  if (nrow(x) == 0 || all(is.na(x$estimate))) {
    abort_imagestrata("{.arg {name}} has no estimates to draw.", call = call)
  }
  units <- unique(x[["unit"]])
  if (length(units) > 1) {
    abort_imagestrata(
      "{.arg {name}} has shares of several units: {.val {units}}.",
      hint = "Filter {.field unit} to one of them.",
      call = call
    )
  }
}

# The plot of a table of differences between groups, which its columns show.
differences_drawn_by <- function(columns) {
  if ("share_other" %in% columns) {
    "plot_topic_odds"
  } else if ("contrast" %in% columns) {
    "plot_topic_gaps"
  }
}

# Dates that a file turned into text.
dates_of <- function(x) {
  if (inherits(x, "POSIXct")) {
    return(as.Date(x))
  }
  text <- is.character(x) && all(grepl("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", x))
  if (text) as.Date(x) else x
}

# Groups as a factor, with a level for missing values.
as_sides <- function(x) {
  sides <- as_groups(x)
  if (anyNA(sides)) {
    shown <- c(levels(sides), "(missing)")
    sides <- factor(dplyr::coalesce(as.character(sides), "(missing)"), shown)
  }
  sides
}

# ---- Topics -------------------------------------------------------------------------------

# The topics to draw, in order: `cluster`, `label`, and the `path` of a picture. `given` are
# numbers or names of topics; without it, `rank` returns numbers.
topics_to_draw <- function(table, given, labels, thumbnails, rank, call = rlang::caller_env()) {
  data <- table$data
  texts <- texts_of_clusters(labels %||% labels_in(given), data, call = call)
  cluster <- unname(given)
  if (is.null(given)) {
    topics <- data[!is_residual(data$cluster), ]
    if (nrow(topics) == 0) {
      abort_imagestrata(
        "There are no topics but the residual.",
        hint = "Name it to draw it: {.code topics = -1}.", call = call
      )
    }
    cluster <- rank(topics)
  } else if (is.character(cluster) && is.numeric(data$cluster)) {
    named <- match(cluster, texts)
    cluster[!is.na(named)] <- names(texts)[stats::na.omit(named)]
  }
  place <- match(as.character(unique(cluster)), as.character(data$cluster))
  if (anyNA(place)) {
    unknown <- unique(cluster)[is.na(place)]
    abort_imagestrata(
      "{length(unknown)} topic{?s} {?is/are} not in the table: {.val {unknown}}.",
      hint = "Its topics are {.val {sort(unique(data$cluster))}}.",
      call = call
    )
  }
  cluster <- data$cluster[place]
  label <- label_clusters(cluster, texts, 60)
  # Rows and panels need more than a number.
  alone <- grepl("^(Cluster )?[0-9]+$", label) & !as.character(cluster) %in% names(texts)
  label[alone] <- paste(sentence(table$level), cluster[alone])
  same <- label %in% label[duplicated(label)]
  label[same] <- paste0(label[same], " (", cluster[same], ")")
  pictures <- check_thumbnails(thumbnails, cluster, table$level, call)
  tibble::tibble(
    cluster = cluster, label = label,
    path = pictures$path[match(cluster, pictures$cluster)]
  )
}

# The `n` largest topics: by the units that show them, else by the mean of their shares.
largest_topics <- function(data, n) {
  size <- data[["n_shown"]]
  if (is.null(size)) {
    known <- data[!is.na(data$estimate), ]
    size <- tapply(known$estimate, known$cluster, mean)
  } else {
    size <- tapply(size, data$cluster, sum, na.rm = TRUE)
  }
  cluster <- unique(data$cluster)
  cluster <- cluster[order(-size[as.character(cluster)], cluster)]
  utils::head(cluster, n)
}

# The `n` topics in which groups differ most; those of two groups from the one side to the other.
differing_topics <- function(data, n, call) {
  if (nlevels(data$side) < 2) {
    abort_imagestrata(
      '{.code order = "difference"} needs at least two groups.',
      hint = "Compute the prevalence by group, or use {.code order = \"size\"}.", call = call
    )
  }
  cluster <- sort(unique(data$cluster))
  known <- data[!is.na(data$estimate), ]
  means <- tapply(known$estimate, list(factor(known$cluster, cluster), known$side), mean)
  if (ncol(means) == 2) {
    gap <- means[, 1] - means[, 2]
  } else {
    gap <- apply(means, 1, \(x) if (all(is.na(x))) NA else diff(range(x, na.rm = TRUE)))
  }
  chosen <- utils::head(order(-abs(gap)), n)
  cluster[chosen[order(-gap[chosen])]]
}

# The `n` topics with the largest differences in any row, from the one side to the other.
widest_topics <- function(data, n) {
  widest <- data[order(-abs(data$estimate)), ]
  widest <- utils::head(widest[!duplicated(widest$cluster), ], n)
  widest$cluster[order(-widest$estimate)]
}

# ---- Lines over dates or numbers, a panel for each topic -----------------------------------

# A line with a band for each `side`, interrupted where estimates are missing; an estimate between
# two missing ones is a point with its interval. The columns of `data` are `x`, `side`, `panel`,
# `cluster`, and the estimates.
draw_lines <- function(data, topics, scales, n_columns) {
  run <- interaction(data$panel, data$side, drop = TRUE)
  data <- data[order(run, data$x), ]
  run <- sort(run)
  known <- !is.na(data$estimate)
  before <- stats::ave(known, run, FUN = \(x) c(FALSE, utils::head(x, -1)))
  after <- stats::ave(known, run, FUN = \(x) c(x[-1], FALSE))
  alone <- data[known & !before & !after, ]
  facet <- ggplot2::facet_wrap(
    ggplot2::vars(.data$panel),
    scales = scales, ncol = panels_abreast(n_columns, nlevels(data$panel))
  )
  first <- data[!duplicated(data$panel), ]
  paths <- rlang::set_names(topics$path[match(first$cluster, topics$cluster)], first$panel)
  ggplot2::ggplot(data, ggplot2::aes(.data$x, .data$estimate, colour = .data$side)) +
    ggplot2::geom_ribbon(
      ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high, fill = .data$side),
      alpha = 0.2, colour = NA
    ) +
    ggplot2::geom_line(ggplot2::aes(linetype = .data$side), linewidth = 0.6, na.rm = TRUE) +
    (if (nrow(alone) > 0) {
      ggplot2::geom_pointrange(
        ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high),
        data = alone, size = 0.1, linewidth = 0.4, show.legend = FALSE
      )
    }) +
    pictures_in_strips(facet, "panel", paths[!is.na(paths)]) +
    ggplot2::scale_linetype_manual(
      values = line_types(levels(data$side)), labels = legend_names
    ) +
    scale_of_dates(data$x) +
    ggplot2::labs(x = NULL, colour = NULL, fill = NULL, linetype = NULL) +
    theme_topics() +
    ggplot2::theme(panel.spacing.x = ggplot2::unit(0.9, "lines"))
}

panels_abreast <- function(n_columns, n_panels) {
  if (!is.null(n_columns)) {
    return(as.integer(n_columns))
  }
  if (n_panels <= 3) n_panels else as.integer(min(ceiling(sqrt(n_panels)), 4))
}

# The panel of each row: its topic, with the values of further columns.
panels_of_topics <- function(data, topics, more, call = rlang::caller_env(2)) {
  keys <- unique(data[c("cluster", more)])
  keys <- keys[do.call(order, c(list(match(keys$cluster, topics$cluster)), keys[more])), ]
  if (nrow(keys) > 60) {
    abort_imagestrata(
      "{nrow(keys)} panels are too many for one figure.",
      hint = if (length(more) > 0) "Draw fewer topics, or filter {.field {more}}." else
        "Draw fewer topics.",
      call = call
    )
  }
  # A panel is about an inch and a half wide, of which a picture takes a third.
  width <- if (!all(is.na(topics$path))) 15 else if (nrow(keys) > 2) 17 else 22
  titles <- wrap_titles(topics$label[match(keys$cluster, topics$cluster)], width, 40)
  for (column in more) {
    titles <- paste0(titles, "\n", column, ": ", keys[[column]])
  }
  titles <- make.unique(titles, " ")
  one <- \(data) do.call(paste, c(lapply(data[c("cluster", more)], as.character), sep = "\r"))
  factor(titles[match(one(data), one(keys))], titles)
}

# Titles of panels that stand side by side in one column of a journal.
wrap_abreast <- function(texts, n_columns) {
  width <- max(33 %/% n_columns, 10)
  lines <- strsplit(as.character(texts), "\n", fixed = TRUE)
  vapply(lines, \(one) paste(wrap_titles(one, width, 80), collapse = "\n"), "")
}

wrap_titles <- function(texts, width, most) {
  vapply(strwrap(shorten(texts, most), width + 1, simplify = FALSE), paste, "", collapse = "\n")
}

scale_of_dates <- function(x) {
  expand <- ggplot2::expansion(mult = 0.03)
  # A label at the end of a panel would meet that at the beginning of the next one.
  breaks <- function(limits, n = 3) {
    if (limits[1] == limits[2]) {
      return(limits[1])
    }
    breaks <- pretty(limits, n)
    inside <- breaks >= limits[1] & breaks <= limits[1] + 0.95 * (limits[2] - limits[1])
    if (sum(inside) < 2 && n < 12) Recall(limits, 2 * n) else breaks[inside]
  }
  if (inherits(x, "Date")) {
    ggplot2::scale_x_date(breaks = breaks, labels = short_dates, expand = expand)
  } else if (inherits(x, "POSIXct")) {
    ggplot2::scale_x_datetime(breaks = breaks, labels = short_dates, expand = expand)
  } else {
    ggplot2::scale_x_continuous(
      n.breaks = 4, expand = expand,
      labels = \(x) ifelse(is.na(x), NA, format(x, big.mark = ",", scientific = FALSE, trim = TRUE))
    )
  }
}

# "Jan 2020" at the first break and where the year changes, else "Apr"; years alone for Januaries.
# In English, whatever the locale.
short_dates <- function(dates) {
  parts <- as.POSIXlt(dates)
  shown <- which(!is.na(dates))
  year <- as.character(parts$year + 1900)
  if (all(parts$mon[shown] == 0 & parts$mday[shown] == 1)) {
    return(replace(year, is.na(dates), NA))
  }
  text <- month.abb[parts$mon + 1]
  if (any(parts$mday[shown] != 1)) {
    text <- paste(parts$mday, text)
  }
  new <- shown[!duplicated(year[shown])]
  text[new] <- paste0(text[new], "\n", year[new])
  replace(text, is.na(dates), NA)
}

# Rows for the periods that a group lacks, if all periods are multiples of the shortest one.
fill_periods <- function(data, by) {
  times <- all_periods(sort(unique(data$x)))
  groups <- unique(data[c("cluster", "side", by)])
  all <- groups[rep(seq_len(nrow(groups)), each = length(times)), ]
  all$x <- rep(times, nrow(groups))
  dplyr::left_join(all, data, by = c("cluster", "side", by, "x"))
}

all_periods <- function(times) {
  if (length(times) < 3) {
    return(times)
  }
  parts <- as.POSIXlt(times)
  monthly <- all(parts$mday == parts$mday[1])
  place <- if (monthly) 12 * parts$year + parts$mon else as.numeric(times)
  step <- min(diff(place))
  if (any((place - place[1]) %% step != 0)) {
    return(times)
  }
  seq(times[1], times[length(times)], by = if (monthly) paste(step, "months") else step)
}

# ---- Topics as rows -----------------------------------------------------------------------

# The place of each topic, the first on top.
rows_of_topics <- function(topics) {
  topics$y <- rev(seq_len(nrow(topics)))
  topics
}

# Every second topic is shaded.
stripe_topics <- function(topics) {
  even <- topics$y[seq_along(topics$y) %% 2 == 0]
  if (length(even) > 0) {
    ggplot2::annotate(
      "rect", xmin = -Inf, xmax = Inf, ymin = even - 0.5, ymax = even + 0.5, fill = "grey96"
    )
  }
}

# Pictures are left of the names.
dress_topics <- function(plot, topics, facet) {
  shown <- !is.na(topics$path)
  many <- nrow(topics) > 25
  plot +
    pictures_on_axis(facet, topics$y[shown], topics$path[shown], if (many) 14 else 26) +
    ggplot2::scale_y_continuous(
      breaks = topics$y, labels = wrap_titles(topics$label, if (many) 40 else 26, 40),
      limits = c(0.5, nrow(topics) + 0.5), expand = ggplot2::expansion()
    ) +
    theme_topics() +
    ggplot2::theme(
      panel.grid.major.y = ggplot2::element_blank(), panel.spacing.x = ggplot2::unit(1.2, "lines"),
      # A legend wider than the panel extends to the left, below the names.
      legend.justification = "right"
    )
}

# Panels side by side, one for each value of further columns. Contrasts and changes need no
# "contrast:".
panels_across <- function(data, more, scales = "fixed", call = rlang::caller_env(2)) {
  facet <- panels_of(data, more, call = call)
  if (is.null(facet)) {
    return(ggplot2::facet_null())
  }
  facet$params$free$x <- scales == "free_x"
  facet$params$labeller <- label_abreast(function(labels) {
    texts <- name_panels(labels)
    place <- which(names(labels) %in% c("contrast", "change"))
    texts[place] <- lapply(labels[place], \(one) break_at_minus(as.character(one)))
    texts
  }, columns_of_panels(data, more))
  facet
}

# "Democrat -" above "Republican": the sign is beside the shorter name, and never alone in a line.
break_at_minus <- function(contrasts) {
  vapply(contrasts, function(contrast) {
    sides <- strsplit(contrast, " - ", fixed = TRUE)[[1]]
    if (length(sides) == 2 && nchar(sides[1]) > nchar(sides[2])) {
      paste0(sides[1], "\n-\u00a0", sides[2])
    } else {
      gsub(" - ", "\u00a0-\n", contrast, fixed = TRUE)
    }
  }, "", USE.NAMES = FALSE)
}

# ---- Colours, scales, words ---------------------------------------------------------------

line_types <- function(sides) {
  rlang::set_names(rep_len(c("solid", "22", "12", "6212", "72", "4313"), length(sides)), sides)
}

shapes_of <- function(sides) {
  rlang::set_names(rep_len(c(16, 17, 15, 18, 3, 8, 4), length(sides)), sides)
}

# One legend, in as many rows as one column of a journal needs.
legend_of_sides <- function(sides) {
  legend <- if (length(sides) == 1) {
    "none"
  } else {
    ggplot2::guide_legend(
      nrow = min(length(sides), ceiling(sum(pmin(nchar(sides), 44) + 6) / 50)), byrow = TRUE
    )
  }
  ggplot2::guides(colour = legend, fill = legend, shape = legend, linetype = legend)
}

# Names of groups as one column of a journal has room for them. All scales of a legend need them.
legend_names <- function(sides) wrap_titles(as.character(sides), 44, 88)

colour_sides <- function(plot, sides, palette) {
  plot +
    ggplot2::scale_colour_manual(
      values = palette, aesthetics = c("colour", "fill"), labels = legend_names
    ) +
    legend_of_sides(sides)
}

percents <- function(x) {
  ifelse(is.na(x), NA, paste0(format(100 * x, trim = TRUE, drop0trailing = TRUE), "%"))
}

# Intervals of a group with few authors can be so wide that nothing else is seen. Those of groups
# that exceed all shares by far do not extend the axis: `top` is its end, `cut` names the groups.
room_for_shares <- function(data) {
  highest <- tapply(data$conf.high, data$side, max, na.rm = TRUE)
  share <- max(data$estimate, na.rm = TRUE)
  wide <- !is.na(highest) & highest > 2.5 * share
  if (share == 0 || !any(wide) || all(wide[!is.na(highest)])) {
    return(list(top = NULL, cut = NULL))
  }
  list(top = 1.05 * max(share, highest[!wide], na.rm = TRUE), cut = names(highest)[wide])
}

cut_in_words <- function(room) {
  if (length(room$cut) > 0) {
    paste("Intervals of", list_of(room$cut), "extend beyond the panels")
  }
}

percentage_points <- function(x) {
  ifelse(is.na(x), NA, format(100 * x, trim = TRUE, drop0trailing = TRUE))
}

theme_topics <- function() {
  theme_estimates() +
    ggplot2::theme(
      strip.text = small_titles(),
      axis.text.y = ggplot2::element_text(lineheight = 0.9),
      legend.key.width = ggplot2::unit(1.6, "lines"),
      legend.text = ggplot2::element_text(size = ggplot2::rel(0.75)),
      legend.spacing.x = ggplot2::unit(0.25, "lines")
    )
}

# "Lines: 95% intervals, clustered on authors; unit: posts.", and further sentences.
caption_of_topics <- function(table, what, ...) {
  level <- if (!is.null(table$conf_level)) paste0(100 * table$conf_level, "% ")
  first <- paste0(what, level, "intervals, clustered on authors; unit: ", table$units)
  counts <- c(
    range_of_counts(table$data[["n_posts"]], "post"),
    range_of_counts(table$data[["n_authors"]], "author")
  )
  caption_text(
    first, ...,
    if (length(counts) > 0) paste("Each point rests on", paste(counts, collapse = " by "))
  )
}

topics_in_words <- function(topics) {
  label <- utils::head(topics$label, 20)
  more <- nrow(topics) - length(label)
  paste0(
    count_of(nrow(topics), "topic"), " (", paste(label, collapse = "; "),
    if (more > 0) paste0("; and ", more, " more"), ")"
  )
}

sides_in_words <- function(data, by) {
  if (length(by) > 0) {
    paste0(" by ", by[1], " (", paste(levels(data$side), collapse = ", "), ")")
  }
}

range_in_words <- function(data, name) {
  ends <- format(range(data$x), trim = TRUE)
  paste0(", over ", name, " from ", ends[1], " to ", ends[2])
}

highest_in_words <- function(data, topics) {
  highest <- data[which.max(data$estimate), ]
  side <- if (nlevels(data$side) > 1) paste0(", ", highest$side)
  paste0(
    "The highest share is ", percent(highest$estimate), " (",
    topics$label[match(highest$cluster, topics$cluster)], side, ")."
  )
}
