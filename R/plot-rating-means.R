#' Plot mean ratings of items and dimensions by group
#'
#' Draws the paper's Figure 10: a row for each item, shaded rows for dimensions, and a point for
#' every group. A thin line is the interval of the mean. A thick line is for comparison: two groups
#' of a row differ significantly if and only if their thick lines do not overlap.
#'
#' @param means The result of [rating_means()], or some of its rows. Colour and shape show the first
#'   column of its `by`; further columns give panels.
#' @param colours One colour per group: by name, as in `c(Republican = "red", Democrat = "blue")` or
#'   [party_colours()], or without names in the order of the groups (factor levels, else
#'   alphabetical). By default Democrats are blue, Republicans red and Independents grey; ordered
#'   factors, numbers and dates have a sequential palette. Colour-blind readers can distinguish the
#'   default colours, also in greyscale.
#' @param labels If `by` names `cluster`: texts for clusters by their numbers, as `c("5" =
#'   "protesters")`, or a table with the columns `cluster` and `cluster_name`. By default the names
#'   in the column `cluster_name`. Beside names, clusters without one are called "Cluster 7".
#' @param scale Lowest and highest possible rating. By default (`NULL`) those that [read_ratings()]
#'   was told, else the lowest and the highest rating that was given.
#' @param zoom Draw only the part of the scale that the intervals need? A bar below the axis then
#'   shows which part of the scale it is. With `FALSE`, or if they need most of it, the axis is the
#'   whole scale.
#' @inheritParams scan_images
#'
#' @details **Comparison.** Intervals of two means may overlap although the means differ
#' significantly. The widths of thick lines are therefore chosen such that those of two groups add
#' up to the half width of the interval of their difference, at the level of the means
#' (`conf_level`). It accounts for respondents and images that the groups share, as [rating_gaps()]
#' does. For two and three groups this is exact; for more it is a least squares solution, and the
#' caption counts the pairs that it misjudges. If the table was saved as text, groups are treated as
#' independent, and the caption says so. There is no adjustment for the number of comparisons.
#' [rating_gaps()] adjusts, and compares groups only on clusters that both rated.
#'
#' @references Goldstein, H. and Healy, M. J. R. (1995). The graphical presentation of a collection
#'   of means. *Journal of the Royal Statistical Society A*, 158(1), 175-177.
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words; [figure_size()] gives sizes for journals.
#' @family plots
#' @export
#' @examples
#' means <- rating_means(simulated_ratings)
#' plot_rating_means(means, scale = c(0, 10))
#' plot_rating_means(means, zoom = FALSE)
#'
#' simulated_ratings |>
#'   dplyr::filter(cluster %in% c(5, 8)) |>
#'   rating_means(by = c(group, cluster)) |>
#'   plot_rating_means()
plot_rating_means <- function(means, colours = NULL, labels = NULL, scale = NULL, zoom = TRUE,
                              ...) {
  check_dots(...)
  check_estimates(means, "means", "rating_means", "estimate")
  check_flag(zoom, "zoom")
  scale <- scale_to_draw(scale, means)
  means <- corrected_rows(means)
  by <- by_of(means)
  rows <- rows_of_measures(means)
  level <- confidence_of(means)
  compared <- add_comparisons(plain_tibble(means), by, level, known_comparisons(means))
  zoom <- zoom && is_part(means, scale$ends)
  captions <- captions_of_means(means, rows, level, compared, scale, zoom)
  means <- show_clusters(compared$means %||% plain_tibble(means), labels)
  means$side <- if (length(by) > 0) as_groups(means[[by[1]]]) else factor("all")
  groups <- levels(means$side)
  ordered <- length(by) > 0 && are_ordered(means[[by[1]]], by[1])
  colours <- check_colours(colours, groups, ordered)
  # Groups are side by side within a row, the first on top.
  step <- min(0.28, 0.68 / max(length(groups) - 1, 1))
  means$y <- rows$y[match_measures(means, rows)] +
    step * ((length(groups) + 1) / 2 - as.integer(means$side))
  means <- cut_at_ends(means, scale$ends)
  plot <- ggplot2::ggplot(
    means, ggplot2::aes(.data$estimate, .data$y, colour = .data$side, shape = .data$side)
  ) +
    shade_dimensions(rows) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$low, xmax = .data$high), linewidth = 0.4, na.rm = TRUE
    ) +
    (if (!is.null(compared)) {
      ggplot2::geom_linerange(
        ggplot2::aes(xmin = .data$compare.low, xmax = .data$compare.high),
        linewidth = 1.3, na.rm = TRUE
      )
    }) +
    ggplot2::geom_point(size = 1.9, na.rm = TRUE) +
    ggplot2::scale_colour_manual(values = colours, labels = legend_names) +
    ggplot2::scale_shape_manual(values = shapes_of(groups), labels = legend_names) +
    legend_of_sides(groups) +
    scale_x_ratings(scale$ends, zoom, columns_of_panels(means, by[-1])) +
    ggplot2::labs(
      x = "Mean rating", y = NULL, colour = NULL, shape = NULL, caption = captions,
      alt = alt_of_means(means, by, rows, compared)
    )
  facet <- panels_of(means, by[-1]) %||% ggplot2::facet_null()
  dress_rows(plot, rows) + (if (zoom) show_scale(facet, scale$ends) else facet)
}

known_comparisons <- function(means) {
  known <- attr(means, "comparisons")
  if (!is.null(known)) {
    known$pair <- paste(known$a, known$b)
  }
  known
}

# `ends`, and whether they are those of the scale (or only the ratings that were given).
scale_to_draw <- function(scale, estimates, call = rlang::caller_env()) {
  if (is.null(scale)) {
    return(attr(estimates, "scale"))
  }
  list(ends = check_scale(scale, call, "For example {.code c(0, 10)}."), known = TRUE)
}

# Means cannot be beyond the ends of the scale, so intervals end there.
cut_at_ends <- function(means, ends) {
  inside <- \(x) if (is.null(ends)) x else pmin(pmax(x, ends[1]), ends[2])
  means$low <- inside(means$conf.low)
  means$high <- inside(means$conf.high)
  for (name in intersect(c("compare.low", "compare.high"), names(means))) {
    means[[name]] <- inside(means[[name]])
  }
  means
}

# Whether intervals need much less than the whole scale.
is_part <- function(means, ends) {
  if (is.null(ends)) {
    return(TRUE)
  }
  drawn <- cut_at_ends(plain_tibble(means), ends)
  needed <- range(drawn[c("low", "high", "estimate")], na.rm = TRUE)
  diff(needed) < 0.75 * diff(ends)
}

# The whole scale with both its ends, or the part that is needed.
scale_x_ratings <- function(ends, zoom, n_columns = 1) {
  # Labels of panels side by side must not meet.
  n <- c(5, 3, 2)[min(n_columns, 3)]
  if (is.null(ends) || zoom) {
    return(ggplot2::scale_x_continuous(breaks = \(limits) pretty(limits, n)))
  }
  ggplot2::scale_x_continuous(
    breaks = breaks_with_ends(ends, n), limits = ends, oob = \(x, ...) x,
    expand = ggplot2::expansion(mult = 0.02)
  )
}

# Round values between the ends of a scale, and both ends.
breaks_with_ends <- function(ends, n = 5) {
  breaks <- pretty(ends, n)
  if (all(ends == round(ends)) && diff(ends) <= 12) {
    # On 1 to 7, steps of 2 or 3 that meet both ends: 1, 3, 5, 7.
    steps <- which(diff(ends) %% seq_len(diff(ends)) == 0)
    steps <- steps[diff(ends) / steps <= n + 1]
    if (diff(ends) / steps[1] >= 2) {
      return(seq(ends[1], ends[2], by = steps[1]))
    }
  }
  near <- 0.5 * min(diff(breaks))
  inside <- breaks[breaks > ends[1] + near & breaks < ends[2] - near]
  c(ends[1], inside, ends[2])
}

# Below the axis, a bar from one end of the scale to the other: the part of it that the axis shows
# is thick.
show_scale <- function(facet, ends) {
  if (is.null(ends)) {
    return(facet)
  }
  extend_facet(facet, function(table, layout, ranges, theme) {
    text <- ggplot2::calc_element("axis.text.x", theme)
    table <- gtable::gtable_add_rows(table, grid::unit(1.4 * text$size, "pt"), -1)
    last <- which(layout$ROW == max(layout$ROW))
    for (i in last) {
      cell <- cell_of_panel(table, layout$ROW[i], layout$COL[i])
      bar <- scale_bar(ends, ranges[[i]]$x.range, text)
      table <- gtable::gtable_add_grob(
        table, bar, nrow(table), cell$column, clip = "off", name = paste0("scale-", i)
      )
    }
    table
  })
}

scale_bar <- function(ends, shown, text) {
  part <- pmin(pmax((shown - ends[1]) / diff(ends), 0), 1)
  size <- 0.9 * text$size
  labels <- vapply(ends, as_words, "")
  grobs <- lapply(labels, grid::textGrob, gp = grid::gpar(fontsize = size))
  left <- grid::grobWidth(grobs[[1]]) + grid::unit(3, "pt")
  room <- grid::unit(1, "npc") - left - grid::grobWidth(grobs[[2]]) - grid::unit(3, "pt")
  line <- \(from, to, width) {
    grid::segmentsGrob(
      left + from * room, 0.4, left + to * room, 0.4,
      gp = grid::gpar(col = text$colour, lwd = width, lineend = "butt")
    )
  }
  label <- \(i) {
    grid::textGrob(
      labels[i], c(0, 1)[i], 0.4, hjust = c(0, 1)[i],
      gp = grid::gpar(fontsize = size, col = text$colour, fontfamily = text$family)
    )
  }
  grid::gTree(
    part = part, name = "scale",
    children = grid::gList(line(0, 1, 0.8), line(part[1], part[2], 3.5), label(1), label(2))
  )
}

captions_of_means <- function(means, rows, level, compared, scale, zoom) {
  rate <- if (!is.null(level)) paste0(100 * level, "% ")
  p <- if (!is.null(level)) paste0("p < ", format(1 - level, digits = 3))
  caption_text(
    weight_in_words(means),
    if (is.null(compared)) {
      paste0("Lines: ", rate, "intervals")
    } else {
      c(
        paste0(
          "thin lines: ", rate, "intervals of the means. Thick lines are for comparison: groups ",
          "of a row differ (", p, ", not adjusted) where they do not overlap",
          if (compared$wrong > 0) {
            paste0(", except in ", compared$wrong, " of ", count_of(compared$pairs, "pair"))
          }
        ),
        if (!compared$exact) "for this, groups are treated as independent"
      )
    },
    shading_in_words(rows),
    scale_in_words(scale, zoom),
    basis_in_words(means)
  )
}

# "Each row rests on 2,641 to 2,697 ratings by 360 respondents."
basis_in_words <- function(estimates, each = "each point rests on") {
  counts <- c(
    range_of_counts(estimates[["n_ratings"]], "rating"),
    range_of_counts(estimates[["n_respondents"]], "respondent")
  )
  if (length(counts) > 0) paste(each, paste(counts, collapse = " by "))
}

# What the estimates are, where all rows agree. Within a cluster, clusters have no weight.
weight_in_words <- function(estimates) {
  one <- \(name) {
    values <- unique(estimates[[name]])
    if (length(values) == 1 && !is.na(values)) as.character(values) else ""
  }
  weight <- if ("cluster" %in% names(estimates)) "" else one("weight")
  c(
    if (weight %in% names(what_counts)) what_counts[[weight]],
    if (nzchar(one("respondent_weight"))) {
      paste("respondents are weighted by", one("respondent_weight"))
    },
    if ("corrected" %in% estimates[["method"]]) {
      "the sample is corrected by predictions of all images"
    }
  )
}

scale_in_words <- function(scale, zoom) {
  if (is.null(scale)) {
    return(NULL)
  }
  bar <- if (zoom) "the bar below the axis shows which part of the scale is drawn"
  c(bar, if (!scale$known) "the ends of the scale are the lowest and highest rating given")
}

alt_of_means <- function(means, by, rows, compared) {
  names <- as.character(means$item)
  if (length(by) > 0) {
    names <- paste0(names, ", ", do.call(paste, c(
      list(as.character(means$side)), lapply(means[by[-1]], as.character), sep = ", "
    )))
  }
  apart <- apart_in_words(means, by)
  alt_text(
    paste0(
      "Points with intervals for mean ratings, ", count_of(nrow(means), "point"), " in ",
      count_of(nrow(rows), "row"), " (", list_of(rows$item), ")",
      if (length(by) > 0) paste0(" by ", by[1], ": ", list_of(levels(means$side), 12))
    ),
    if (length(by) > 1) paste("Panels:", paste(by[-1], collapse = " and ")),
    alt_extremes("mean rating", means$estimate, names),
    if (!is.null(compared)) apart
  )
}

# "Groups differ significantly in 9 of 13 rows: hopeful, proud, ...".
apart_in_words <- function(means, by) {
  if (!"compare.low" %in% names(means)) {
    return(NULL)
  }
  place <- key_cells(means, means[by[-1]])
  rows <- split(seq_len(nrow(means)), factor(place, unique(place)))
  differ <- vapply(rows, \(i) {
    max(c(means$compare.low[i], -Inf), na.rm = TRUE) >
      min(c(means$compare.high[i], Inf), na.rm = TRUE)
  }, NA)
  first <- vapply(rows, \(i) i[1], 1L)
  names <- do.call(paste, c(
    list(as.character(means$item[first])), lapply(means[first, by[-1]], as.character), sep = ", "
  ))
  paste0(
    if (nlevels(means$side) > 2) "Some thick lines" else "Thick lines", " do not overlap in ",
    sum(differ), " of ", count_of(length(rows), "row"),
    if (any(differ)) ": ", list_of(names[differ])
  )
}

# A colour for each group: by its name or that of its party, or by position if the colours have no
# names.
check_colours <- function(colours, groups, ordered = FALSE, call = rlang::caller_env()) {
  colours <- colours %||% default_colours(groups, ordered)
  wrong <- if (is.character(colours)) colours[!are_colours(colours)]
  if (!is.character(colours) || length(wrong) > 0) {
    abort_imagestrata(
      "{.arg colours} must be colours, such as {.val red} or {.val #0072b2}, not {seen(if
       (length(wrong) > 0) wrong[[1]] else colours)}.",
      call = call
    )
  }
  given <- names(colours)
  if (is.null(given)) {
    if (length(groups) > length(colours)) {
      abort_imagestrata(
        "{length(groups)} groups need {length(groups)} colours, not {length(colours)}.",
        hint = "Give one colour for each of {.val {groups}}, in this order.",
        call = call
      )
    }
    return(rlang::set_names(colours[seq_along(groups)], groups))
  }
  place <- match_parties(groups, given)
  lacking <- groups[is.na(place)]
  if (length(lacking) > 0 || anyDuplicated(given)) {
    twice <- unique(given[duplicated(given)])
    abort_imagestrata(
      if (length(lacking) > 0) {
        "{.arg colours} has no colour for {.val {lacking}}; it names {.val {given}}."
      } else {
        "{.arg colours} names {.val {twice}} more than once."
      },
      hint = "Name every group once: {.val {groups}}. Without names, the colours go to the groups in
              this order.",
      call = call
    )
  }
  rlang::set_names(colours[place], groups)
}

are_colours <- function(x) {
  vapply(x, \(one) !is.na(one) && !inherits(try(grDevices::col2rgb(one), TRUE), "try-error"), NA)
}

# factor() of dates would be missing.
as_groups <- function(x) {
  values <- sort(unique(x))
  if (is.factor(x)) droplevels(x) else factor(match(x, values), seq_along(values), values)
}

# ---- Shared by the plots of ratings -------------------------------------------------------

check_estimates <- function(x, name, made_by, needed, call = rlang::caller_env()) {
  needed <- c("level", "item", "dimension", needed)
  lacks <- if (is.data.frame(x)) setdiff(needed, names(x))
  if (identical(lacks, "cluster")) {
    by <- if (made_by == "rating_gaps") "c(group, cluster)" else "cluster"
    abort_imagestrata(
      "{.arg {name}} must be {sub('rating_', '', made_by)} of clusters, but has no column {.field
       cluster}.",
      hint = "Compute them with {.code {made_by}(ratings, by = {by})}.",
      call = call
    )
  }
  if (!is.data.frame(x) || length(lacks) > 0) {
    abort_imagestrata(
      "{.arg {name}} must be the result of {.fn {made_by}}, not {seen_product(x)}.",
      hint = if (length(lacks) > 0) "It lacks {.field {lacks}}.",
      call = call
    )
  }
  if (name == "means" && "contrast" %in% names(x)) {
    draws <- if ("cluster" %in% needed) "plot_cluster_gaps" else "plot_rating_gaps"
    abort_imagestrata(
      "{.arg {name}} must be the result of {.fn {made_by}}, not {seen_product(x)}.",
      hint = "It has differences between groups: {.fn {draws}} draws them.",
      call = call
    )
  }
  if (nrow(x) == 0) {
    abort_imagestrata("{.arg {name}} has no rows to draw.", call = call)
  }
}

# Columns that were added later are not groups.
by_of <- function(estimates) {
  names <- setdiff(names(estimates), estimate_columns)
  if ("cluster" %in% names) names <- setdiff(names, "cluster_name")
  by <- attr(estimates, "by")
  if (is.null(by)) names else intersect(by, names)
}

# A row per measure, from the top down: dimensions before their items, in their order.
rows_of_measures <- function(estimates) {
  rows <- dplyr::distinct(plain_tibble(estimates), .data$level, .data$item, .data$dimension)
  rows$y <- rev(seq_len(nrow(rows)))
  rows
}

match_measures <- function(estimates, rows) {
  match(paste(estimates$level, estimates$item), paste(rows$level, rows$item))
}

shade_dimensions <- function(rows) {
  shaded <- rows[rows$level == "dimension", ]
  if (nrow(shaded) > 0 && nrow(shaded) < nrow(rows)) {
    ggplot2::annotate(
      "rect",
      xmin = -Inf, xmax = Inf, ymin = shaded$y - 0.5, ymax = shaded$y + 0.5, fill = "grey90"
    )
  }
}

shading_in_words <- function(rows) {
  if (length(unique(rows$level)) > 1) "Shaded rows: dimensions"
}

dress_rows <- function(plot, rows) {
  plot +
    ggplot2::scale_y_continuous(
      breaks = rows$y, labels = wrap_titles(row_labels(rows), 26, 60),
      limits = c(0.5, nrow(rows) + 0.5), expand = ggplot2::expansion()
    ) +
    theme_estimates() +
    ggplot2::theme(
      panel.grid.major.y = ggplot2::element_blank(), strip.clip = "off",
      strip.text = small_titles(), panel.spacing.x = ggplot2::unit(1, "lines"),
      # A legend wider than the panel extends to the left, below the names.
      legend.justification = "right"
    )
}

# Names of dimensions stand out, as in the paper's figure.
row_labels <- function(rows) {
  ifelse(rows$level == "dimension", toupper(rows$item), rows$item)
}

# Clusters as factors with their texts, if they have any.
show_clusters <- function(estimates, labels, call = rlang::caller_env()) {
  check_unused("cluster" %in% names(estimates), "by = cluster", labels = labels, .call = call)
  texts <- texts_of_clusters(labels, estimates, call = call)
  if (length(texts) > 0) {
    clusters <- sort(unique(estimates$cluster))
    shown <- make.unique(label_clusters(clusters, texts, 40), " ")
    estimates$cluster <- factor(shown[match(estimates$cluster, clusters)], shown)
  }
  estimates
}

one_of_a_kind <- function(x) length(unique(x)) == 1

panels_of <- function(estimates, by, most = 12, call = rlang::caller_env()) {
  if (length(by) == 0) {
    return(NULL)
  }
  n <- nrow(unique(estimates[by]))
  if (n > most) {
    abort_imagestrata(
      "{n} panels, one for each {.field {by}}, are too many for one figure.",
      hint = "Filter to {most} at most.",
      call = call
    )
  }
  ggplot2::facet_wrap(
    ggplot2::vars(!!!rlang::syms(by)),
    labeller = label_abreast(name_panels, columns_of_panels(estimates, by))
  )
}

# How many panels facet_wrap() draws side by side.
columns_of_panels <- function(estimates, by) {
  if (length(by) == 0) 1 else ggplot2::wrap_dims(nrow(unique(estimates[by])))[2]
}

# Titles in lines that are as wide as panels of which `n_columns` stand in one column of a journal.
label_abreast <- function(labeller, n_columns) {
  structure(
    \(labels) lapply(labeller(labels), wrap_abreast, n_columns = n_columns),
    class = c("function", "labeller")
  )
}

# "month: May", but a cluster with a name needs no "cluster:".
name_panels <- structure(function(labels) {
  texts <- ggplot2::label_both(labels)
  place <- match("cluster", names(labels))
  if (is.factor(labels[["cluster"]])) {
    lines <- strwrap(as.character(labels$cluster), 28, simplify = FALSE)
    texts[[place]] <- vapply(lines, paste, "", collapse = "\n")
  }
  texts
}, class = c("function", "labeller"))
