# Shared by all figures: colours, themes, clusters on an axis, and cells with numbers.

# The colours of the core's figures.
colours <- c(
  main = "#5b7896", pale = "#cfd4da", range = "#b3bdc8", bright = "#e08a00", soft = "#62676e",
  ink = "#1d1f22"
)

# Readers with any kind of colour vision can distinguish these, and all differ in lightness, so that
# figures are readable in grey.
group_colours <- c("#01429a", "#dd560e", "#17c7a5", "#b0307f", "#efc20b", "#4f9fd8", "#282828")

# For groups beside parties.
other_colours <- c("#efc20b", "#00846a", "#282828", "#8a2a86", "#62676e")

# A colour in which text is readable on white: darker, until the contrast is 4.5 (WCAG 2.1, AA).
text_colour <- function(colour) {
  rgb <- grDevices::col2rgb(colour)[, 1] / 255
  while (1.05 / (relative_luminance(rgb) + 0.05) < 4.5) rgb <- 0.95 * rgb
  grDevices::rgb(rgb[1], rgb[2], rgb[3])
}

relative_luminance <- function(rgb) {
  linear <- ifelse(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055)^2.4)
  sum(c(0.2126, 0.7152, 0.0722) * linear)
}

split_colours <- c(
  Training = "#5b7896", Validation = "#e08a00", Test = "#2b2f36", "Out of fold" = "#2b2f36"
)

# Estimates from labels: in grey, the corrected one is the darkest.
method_colours <- c(
  `machine only` = "#e08a00", `sample only` = "#5b7896", corrected = "#1d1f22"
)

split_shapes <- c(Training = 16, Validation = 17, Test = 15, `Out of fold` = 15)

encoder_colours <- c(
  "#5b7896", "#e08a00", "#1d1f22", "#7a9a54", "#a0527a", "#4f9aa8", "#a3a7ad", "#8a6a2f"
)

# A colour for each of `n` groups, never the same one twice.
distinct_colours <- function(n, palette = group_colours) {
  if (n <= length(palette)) palette[seq_len(n)] else grDevices::hcl.colors(n, "viridis")
}

theme_strata <- function() {
  ggplot2::theme_minimal() +
    ggplot2::theme(
      plot.background = ggplot2::element_rect(fill = "white", colour = NA),
      panel.grid.minor = ggplot2::element_blank(),
      panel.grid.major.x = ggplot2::element_blank(),
      # At one column of a journal, names of panels are wider than the panels.
      strip.text = ggplot2::element_text(hjust = 0, face = "bold"),
      strip.clip = "off",
      axis.title = ggplot2::element_text(size = ggplot2::rel(0.85)),
      legend.title = ggplot2::element_text(size = ggplot2::rel(0.8)),
      legend.text = ggplot2::element_text(size = ggplot2::rel(0.8)),
      legend.position = "bottom",
      legend.margin = ggplot2::margin(),
      plot.title.position = "plot",
      plot.caption.position = "plot",
      plot.caption = ggplot2::element_text(
        size = ggplot2::rel(0.7), hjust = 0, colour = colours[["soft"]]
      )
    )
}

# Titles of panels that stand side by side: they begin where the panels do.
small_titles <- function() {
  ggplot2::element_text(
    size = ggplot2::rel(0.7), hjust = 0, lineheight = 0.95, margin = ggplot2::margin(2, 2, 2, 0)
  )
}

# Readable in one column of a journal (85 mm).
theme_estimates <- function() {
  theme_strata() +
    ggplot2::theme(
      panel.grid.major.x = ggplot2::element_line(colour = "grey88", linewidth = 0.3)
    )
}

# Cells of `row` and `column`, the darker the higher their `share`, with a `label` in each.
plot_cells <- function(cells, labelled = cells, size = 3.2) {
  ggplot2::ggplot(cells, ggplot2::aes(.data$column, .data$row, fill = .data$share)) +
    ggplot2::geom_tile(colour = "white", linewidth = 1) +
    ggplot2::geom_text(
      ggplot2::aes(label = .data$label, colour = .data$share > 0.5),
      data = labelled, size = size, show.legend = FALSE
    ) +
    ggplot2::coord_equal() +
    ggplot2::scale_fill_gradient(
      low = "#f1f3f5", high = "#2f4a66", limits = c(0, 1), guide = "none"
    ) +
    ggplot2::scale_colour_manual(values = c(`FALSE` = "black", `TRUE` = "white")) +
    theme_strata() +
    ggplot2::theme(panel.grid = ggplot2::element_blank())
}

# A point for each cluster with its range from `low` to `high`, and lines beneath. Ranges of many
# clusters are thin, so that they stay apart in one column of a journal.
plot_clusters <- function(clusters, value, low, high, lines, title, texts = character()) {
  places <- place_clusters(dplyr::distinct(clusters["cluster"]), texts)
  clusters$x <- places$x[match(clusters$cluster, places$cluster)]
  ggplot2::ggplot(clusters, ggplot2::aes(.data$x, .data[[value]])) +
    lines +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data[[low]], ymax = .data[[high]]),
      colour = colours[["range"]], linewidth = max(0.4, min(1.5, 60 / nrow(places))), na.rm = TRUE
    ) +
    ggplot2::geom_point(ggplot2::aes(size = .data$size), colour = colours[["main"]], na.rm = TRUE) +
    scale_x_clusters(places) +
    ggplot2::scale_size_area(max_size = 4, breaks = size_breaks) +
    ggplot2::labs(x = "Cluster, the largest first", y = title, size = "Images") +
    theme_strata()
}

# Three sizes for a legend that fits one column.
size_breaks <- function(limits) {
  breaks <- pretty(c(0, limits[2]), 3)
  breaks <- breaks[breaks >= max(limits[1], 1) & breaks <= limits[2]]
  if (length(breaks) == 0) limits[2] else utils::tail(breaks, 3)
}

# ---- Clusters on an axis ------------------------------------------------------------------

# Positions and labels of clusters that are shown side by side, in the order of the rows of a table.
# Labels are their names if the table has any, or other `texts`, else their numbers. The residual is
# last, with a gap before it that is visible among many clusters, too.
place_clusters <- function(table, texts = names_of_clusters(table)) {
  cluster <- table$cluster
  residual <- is_residual(cluster)
  gap <- 1 + max(0.5, 0.02 * sum(!residual))
  x <- cumsum(!residual) + ifelse(residual & !all(residual), gap, 0)
  tibble::tibble(cluster = cluster, label = label_clusters(cluster, texts, 30), x = x)
}

# Edited clusters are not in the order of their sizes.
largest_first <- function(clusters) {
  clusters[order(is_residual(clusters$cluster), -clusters$size, clusters$cluster), ]
}

is_residual <- function(cluster) as.character(cluster) %in% "-1"

# With many clusters, those at round positions are labelled.
scale_x_clusters <- function(places, most = 25, ...) {
  n <- nrow(places)
  shown <- if (n <= most) seq_len(n) else unique(c(1, whole_breaks(c(1, n))))
  shown <- places[shown[shown <= n], ]
  residual <- places[is_residual(places$cluster), ]
  if (nrow(residual) > 0 && n > most) {
    near <- shown$x > residual$x[1] - 0.06 * n
    shown <- dplyr::bind_rows(shown[!near, ], residual)
  }
  # Between clusters without a label, the numbers of others are clear: the axis says "Cluster".
  if (n > most) shown$label <- sub("^Cluster (?=[0-9]+$)", "", shown$label, perl = TRUE)
  # Long names do not fit side by side.
  long <- max(nchar(shown$label[!is_residual(shown$cluster)]), 0) > 3 && n > 4
  ggplot2::scale_x_continuous(
    breaks = shown$x, labels = shown$label,
    guide = ggplot2::guide_axis(angle = if (long) 90, check.overlap = TRUE), ...
  )
}

# Zero and round values on both sides, at most `n` of them.
breaks_around_zero <- function(n) {
  function(limits) {
    for (wanted in n:1) {
      step <- diff(pretty(c(0, diff(limits)), wanted))[1]
      breaks <- step * seq(ceiling(limits[1] / step), floor(limits[2] / step))
      if (length(breaks) <= n) break
    }
    breaks
  }
}

whole_breaks <- function(limits, n = 8) {
  breaks <- pretty(limits, n)
  breaks[breaks == round(breaks) & breaks > 0]
}
