#' Plot mean ratings of items and dimensions by group
#'
#' Draws the paper's Figure 10: a row for each item, shaded rows for dimensions, and a point with
#' its interval for every group.
#'
#' @param means The result of [rating_means()], or some of its rows. Colour and shape show the first
#'   column of its `by`; further columns give panels.
#' @param colours One colour per group: by name, as in `c(Republican = "red", Democrat = "blue")`,
#'   or without names in the order of the groups (factor levels, else alphabetical). By default
#'   Democrats are blue and Republicans red. Colour-blind readers can distinguish the default
#'   colours, also in greyscale.
#' @param labels If `by` names `cluster`: texts for clusters by their numbers, as `c("5" =
#'   "protesters")`, or a table with the columns `cluster` and `cluster_name`. By default the names
#'   in the column `cluster_name`. Beside names, clusters without one are called "Cluster 7".
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#' @family plots
#' @export
#' @examples
#' plot_rating_means(rating_means(simulated_ratings))
#'
#' simulated_ratings |>
#'   dplyr::filter(cluster %in% c(5, 8)) |>
#'   rating_means(by = c(group, cluster)) |>
#'   plot_rating_means()
plot_rating_means <- function(means, colours = NULL, labels = NULL, ...) {
  check_dots(...)
  check_estimates(means, "means", "rating_means", "estimate")
  means <- corrected_rows(means)
  by <- by_of(means)
  rows <- rows_of_measures(means)
  caption <- caption_of(means)
  means <- show_clusters(plain_tibble(means), labels)
  means$side <- if (length(by) > 0) as_groups(means[[by[1]]]) else factor("all")
  groups <- levels(means$side)
  colours <- check_colours(colours, groups)
  # Groups are side by side within a row, the first on top.
  means$y <- rows$y[match_measures(means, rows)] +
    0.44 * ((length(groups) + 1) / 2 - as.integer(means$side)) / length(groups)
  plot <- ggplot2::ggplot(
    means, ggplot2::aes(.data$estimate, .data$y, colour = .data$side, shape = .data$side)
  ) +
    shade_dimensions(rows) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      linewidth = 0.7, na.rm = TRUE
    ) +
    ggplot2::geom_point(size = 2, na.rm = TRUE) +
    ggplot2::scale_colour_manual(values = colours) +
    ggplot2::scale_shape_manual(values = rep_len(c(16, 17, 15, 18), length(groups))) +
    ggplot2::labs(x = "Mean rating", y = NULL, colour = NULL, shape = NULL, caption = caption) +
    panels_of(means, by[-1])
  if (length(groups) == 1) {
    plot <- plot + ggplot2::guides(colour = "none", shape = "none")
  }
  dress_rows(plot, rows)
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
  if (nrow(shaded) > 0) {
    ggplot2::annotate(
      "rect",
      xmin = -Inf, xmax = Inf, ymin = shaded$y - 0.5, ymax = shaded$y + 0.5, fill = "grey90"
    )
  }
}

dress_rows <- function(plot, rows) {
  plot +
    ggplot2::scale_y_continuous(
      breaks = rows$y, labels = row_labels(rows), limits = c(0.5, nrow(rows) + 0.5),
      expand = ggplot2::expansion()
    ) +
    theme_estimates() +
    ggplot2::theme(panel.grid.major.y = ggplot2::element_blank())
}

# Names of dimensions stand out, as in the paper's figure.
row_labels <- function(rows) {
  ifelse(rows$level == "dimension", toupper(rows$item), rows$item)
}

# The meaning of the points, where all rows share it.
caption_of <- function(estimates) {
  adjust <- unique(estimates[["adjust"]])
  names <- c(holm = "Holm", BH = "Benjamini and Hochberg")
  level <- attr(estimates, "tables")$summary$conf_level
  intervals <- c(
    if (!is.null(level)) paste0(100 * level, "% intervals"),
    if (one_of_a_kind(estimates[["weight"]])) what_counts[[estimates$weight[1]]]
  )
  lines <- c(
    if (length(intervals) > 0) paste(intervals, collapse = "; "),
    if (length(adjust) == 1 && adjust != "none") paste("p values adjusted by", names[[adjust]])
  )
  if (length(lines) > 0) paste0(sentence(paste(lines, collapse = ";\n")), ".")
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
  ggplot2::facet_wrap(ggplot2::vars(!!!rlang::syms(by)), labeller = name_panels)
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
