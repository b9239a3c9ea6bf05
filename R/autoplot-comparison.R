#' Plots of a comparison
#'
#' Shows which clusters of another clustering hold the images of each cluster.
#'
#' @param object The result of [compare_clusterings()].
#' @param type `"flow"`: a column for each clustering, a bar for each cluster with a height in
#'   proportion to its images, and ribbons for the images that two clusters share. A cluster has the
#'   colour of the cluster to its left with which it shares most images; the residual is pale.
#'   `"heatmap"`: two clusterings, with clusters of the first as rows and of the second as columns.
#'   A cell shows the percentage of the row's images in it.
#' @param clusterings Names of the clusterings to draw, in this order; two for a heat map. By
#'   default all of them, or the first two.
#' @param n_clusters Number of clusters that are drawn for each clustering, the largest first.
#'   Smaller ones are drawn as one (`"others"`).
#' @param labels Texts for clusters, for each clustering by its name: `list(fine = c("5" =
#'   "protesters"))`, or a table with the columns `cluster` and `cluster_name` in place of the
#'   vector. By default the names that [edit_clusters()] gave.
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' coarse <- data.frame(image_id = topics$image_id, cluster = (topics$cluster + 1) %/% 2)
#' found <- compare_clusterings(fine = topics, coarse = coarse)
#' autoplot(found)
#' autoplot(found, "heatmap")
autoplot.imagestrata_comparison <- function(object,
                                            type = c("flow", "heatmap"),
                                            clusterings = NULL,
                                            n_clusters = 15,
                                            labels = NULL,
                                            ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  n_clusters <- check_count(n_clusters, "n_clusters")
  known <- glance(object)$clustering
  if (is.null(clusterings)) {
    clusterings <- if (type == "heatmap") known[1:2] else known
  }
  wrong <- !all(clusterings %in% known) || anyDuplicated(clusterings) > 0 ||
    length(clusterings) < 2 || (type == "heatmap" && length(clusterings) > 2)
  if (wrong) {
    wanted <- if (type == "heatmap") "two different" else "at least two different"
    abort_imagestrata(
      "{.arg clusterings} must be the names of {wanted} clusterings of {.val {known}};
       got {.val {clusterings}}."
    )
  }
  flows <- tidy(object, "flows")
  texts <- texts_of_flows(flows, known, labels)
  if (type == "flow") {
    plot_flows(flows, clusterings, n_clusters, texts)
  } else {
    plot_shares(flows, clusterings, n_clusters, texts)
  }
}

# The texts of the clusters of each clustering.
texts_of_flows <- function(flows, clusterings, labels, call = rlang::caller_env()) {
  wrong <- !is.null(labels) && (!rlang::is_named(labels) || is.data.frame(labels) ||
    !is.list(labels) || !all(names(labels) %in% clusterings))
  if (wrong) {
    abort_imagestrata(
      "{.arg labels} must be a list with the names of clusterings, {.val {clusterings}}.",
      hint = "The same number is another cluster in each of them: {.code labels =
              list({clusterings[1]} = c(\"5\" = \"protesters\"))}.",
      call = call
    )
  }
  sides <- lapply(c("a", "b"), \(side) {
    tibble::tibble(
      clustering = flows[[side]], cluster = flows[[paste0("cluster_", side)]],
      cluster_name = flows[[paste0("cluster_name_", side)]] %||% NA_character_
    )
  })
  sides <- dplyr::bind_rows(sides)
  lapply(rlang::set_names(clusterings), \(name) {
    texts_of_clusters(labels[[name]], sides[sides$clustering == name, ], call = call)
  })
}

# Names of rows or columns, among which "others" and "residual" may be.
label_flows <- function(names, texts) {
  texts <- texts %||% character()
  names[names == "residual" & "-1" %in% names(texts)] <- "-1"
  make.unique(label_clusters(names, texts, 30), " ")
}

# Images by cluster of `a` (rows, by size) and of `b` (columns, in the order of the rows from
# which most of their images come); "others" and "residual" are last.
count_flows <- function(flows, a, b, n_clusters) {
  chosen <- flows[flows$a == a & flows$b == b, ]
  if (nrow(chosen) == 0) {
    chosen <- flows[flows$a == b & flows$b == a, ]
    names(chosen)[match(c("cluster_a", "cluster_b"), names(chosen))] <- c("cluster_b", "cluster_a")
  }
  counts <- stats::xtabs(
    chosen$n ~ shown_clusters(chosen$cluster_a, chosen$n, n_clusters) +
      shown_clusters(chosen$cluster_b, chosen$n, n_clusters)
  )
  counts <- matrix(counts, nrow(counts), dimnames = unname(dimnames(counts)))
  home <- apply(counts, 2, which.max)
  last <- match(colnames(counts), c("others", "residual"), nomatch = 0)
  counts[, order(last, home, -apply(counts, 2, max)), drop = FALSE]
}

shown_clusters <- function(clusters, n, n_clusters) {
  text <- as.character(clusters)
  residual <- text == "-1"
  names <- unique(text[!residual])
  sizes <- vapply(names, \(name) sum(n[text == name]), 0)
  # Ties by name: a clustering has the same order whatever it is compared with.
  names <- names[order(-sizes, nchar(names), names)]
  # A single small cluster takes no more room than "others".
  large <- if (length(names) > n_clusters + 1) utils::head(names, n_clusters) else names
  text[!text %in% large] <- "others"
  text[residual] <- "residual"
  factor(text, intersect(c(large, "others", "residual"), text))
}

plot_shares <- function(flows, clusterings, n_clusters, texts = list()) {
  counts <- count_flows(flows, clusterings[1], clusterings[2], n_clusters)
  dimnames(counts) <- Map(\(names, one) label_flows(names, texts[[one]]),
                          dimnames(counts), clusterings)
  sizes <- rowSums(counts)
  rows <- paste0(rownames(counts), "  (", format(sizes, big.mark = ",", trim = TRUE), ")")
  cells <- tibble::tibble(
    row = factor(rep(rows, ncol(counts)), rev(rows)),
    column = factor(rep(colnames(counts), each = nrow(counts)), colnames(counts)),
    share = as.vector(counts / sizes), label = round(100 * .data$share)
  )
  plot_cells(cells, cells[cells$share >= 0.005, ], size = 2.8) +
    ggplot2::scale_x_discrete(position = "top", drop = FALSE, expand = c(0, 0)) +
    ggplot2::scale_y_discrete(drop = FALSE, expand = c(0, 0)) +
    ggplot2::labs(
      x = paste("Cluster of", clusterings[2]), y = paste("Cluster of", clusterings[1], "(images)"),
      caption = caption_text(
        "Numbers and shade: percent of the images of a row. Cells without a number: below 0.5%",
        width = 45 # the matrix is narrow
      ),
      alt = shares_in_words(cells, clusterings)
    ) +
    ggplot2::theme(
      panel.border = ggplot2::element_rect(fill = NA, colour = colours[["soft"]]),
      axis.text = ggplot2::element_text(colour = colours[["ink"]]),
      axis.text.x.top = if (any(nchar(colnames(counts)) > 3)) {
        ggplot2::element_text(angle = 90, hjust = 0, vjust = 0.5)
      }
    )
}

shares_in_words <- function(cells, clusterings) {
  cells <- cells[order(cells$row, -cells$share), ]
  home <- cells[!duplicated(cells$row), ]
  home <- utils::head(home[rev(seq_len(nrow(home))), ], 5)
  paste0(
    "A matrix of clusters of ", clusterings[1], " (", nlevels(cells$row), " rows) and of ",
    clusterings[2], " (", nlevels(cells$column), " columns) with the percentages of a row's images",
    ". Largest shares: ",
    paste0(
      sub("  .*", "", home$row), " in ", home$column, " ", home$label, "%", collapse = "; "
    ),
    if (nlevels(cells$row) > 5) "; and more", "."
  )
}

# Width of a bar, as a share of the distance between two columns; space between two bars, and
# the lowest bar that gets a name, as shares of the height.
flow_bar <- 0.1
flow_gap <- 0.006
flow_lowest <- 0.016

plot_flows <- function(flows, clusterings, n_clusters, texts = list()) {
  steps <- seq_len(length(clusterings) - 1)
  tables <- lapply(steps, \(i) {
    count_flows(flows, clusterings[i], clusterings[i + 1], n_clusters)
  })
  order <- rownames(tables[[1]])
  fills <- plain_fills(flow_colours[seq_along(order)], order)
  bars <- ribbons <- list()
  for (i in steps) {
    # The order of the next clustering follows from its flows from this one.
    counts <- tables[[i]][order, , drop = FALSE]
    bars[[i]] <- flow_bars(i, rowSums(counts), fills)
    ribbons[[i]] <- flow_ribbons(i, counts, fills)
    order <- colnames(counts)
    fills <- plain_fills(hand_on(fills, counts), order)
  }
  last <- length(clusterings)
  bars[[last]] <- flow_bars(last, colSums(counts), fills)
  bars <- Map(\(bar, one) {
    bar$name <- label_flows(bar$name, texts[[one]])
    bar
  }, bars, clusterings)
  draw_flows(dplyr::bind_rows(bars), dplyr::bind_rows(ribbons), clusterings)
}

draw_flows <- function(bars, ribbons, clusterings) {
  last <- length(clusterings)
  named <- bars[bars$bottom - bars$top >= flow_lowest, ]
  inside <- named$x > 1 & named$x < last & nchar(named$name) <= 3
  before <- named$x == 1
  named$at <- named$x + ifelse(inside, 0, ifelse(before, -0.6, 0.6) * flow_bar)
  named$align <- ifelse(inside, 0.5, ifelse(before, 1, 0))
  named$ink <- ifelse(inside & named$fill != colours[["pale"]], "white", colours[["ink"]])
  named$name <- wrap_titles(named$name, 14, 30)
  # Room for names beside the outer columns: more than two columns of a journal need.
  lines <- unlist(strsplit(named$name[named$x %in% c(1, last)], "\n"))
  room <- 0.06 + 0.056 * max(nchar(lines)) * (last - 1) / 2
  ggplot2::ggplot() +
    ggplot2::geom_polygon(
      ggplot2::aes(.data$x, .data$y, group = .data$ribbon, fill = .data$fill),
      data = ribbons, alpha = 0.45
    ) +
    ggplot2::geom_rect(
      ggplot2::aes(
        xmin = .data$x - flow_bar / 2, xmax = .data$x + flow_bar / 2,
        ymin = .data$top, ymax = .data$bottom, fill = .data$fill
      ),
      data = bars
    ) +
    ggplot2::geom_text(
      ggplot2::aes(
        .data$at, (.data$top + .data$bottom) / 2, label = .data$name, hjust = .data$align,
        colour = .data$ink
      ),
      data = named, size = 2.8, lineheight = 0.85
    ) +
    ggplot2::scale_fill_identity() +
    ggplot2::scale_colour_identity() +
    ggplot2::scale_x_continuous(
      breaks = seq_along(clusterings), labels = clusterings, position = "top",
      expand = ggplot2::expansion(add = flow_bar / 2 + room)
    ) +
    ggplot2::scale_y_reverse(expand = c(0, 0)) +
    ggplot2::labs(
      x = NULL, y = NULL,
      caption = caption_text(
        "Bars: clusters, as high as their images. Bands: the images that two clusters share",
        paste("Colours come from", clusterings[1]),
        if (any(bars$fill == flow_grey)) {
          "Dark grey: smaller clusters, and those that come mostly from them"
        },
        if (any(bars$fill == colours[["pale"]])) "Pale grey: images in no cluster"
      ),
      alt = flows_in_words(bars, clusterings)
    ) +
    theme_strata() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(),
      axis.text.y = ggplot2::element_blank(),
      axis.text.x.top = ggplot2::element_text(size = ggplot2::rel(1.15), colour = colours[["ink"]])
    )
}

flows_in_words <- function(bars, clusterings) {
  said <- vapply(seq_along(clusterings), \(i) {
    shown <- utils::head(bars$name[bars$x == i], 3)
    paste0(clusterings[i], " (", sum(bars$x == i), " bars: ", toString(shown), ", ...)")
  }, "")
  paste0(
    "Columns of bars for the clusters of ", paste(said, collapse = ", "),
    ", with bands between them for the images that two clusters share."
  )
}

# Clusters beyond the colours, "residual" and "others" are grey: no colour stands for two clusters.
plain_fills <- function(fills, names) {
  fills[is.na(fills) | names == "others"] <- flow_grey
  fills[names == "residual"] <- colours[["pale"]]
  fills
}

flow_grey <- "#a3a7ad"

# For each column the colour of the row with the largest flow into it; an unused colour if that row
# is not a cluster.
hand_on <- function(fills, counts) {
  home <- unname(apply(counts, 2, which.max))
  none <- rownames(counts)[home] %in% c("others", "residual")
  handed <- fills[home]
  handed[none] <- setdiff(flow_colours, fills)[seq_len(sum(none))]
  handed
}

# Neighbours differ in lightness and in colour.
flow_colours <- c(
  "#5b7896", "#e08a00", "#7a9a54", "#a0527a", "#4f9aa8", "#c9a94b", "#3d4a5c", "#b9745c"
)

# Upper edges of bars that share a height of one, and the height of one image.
flow_edges <- function(sizes) {
  unit <- (1 - flow_gap * (length(sizes) - 1)) / sum(sizes)
  top <- cumsum(c(0, utils::head(sizes, -1) * unit + flow_gap))
  list(top = unname(top), unit = unit)
}

flow_bars <- function(place, sizes, fills) {
  edges <- flow_edges(sizes)
  tibble::tibble(
    x = place, name = names(sizes), top = edges$top,
    bottom = edges$top + unname(sizes) * edges$unit, fill = fills
  )
}

flow_ribbons <- function(place, counts, fills) {
  left <- flow_edges(rowSums(counts))
  right <- flow_edges(colSums(counts))
  # apply() drops a dimension where there is one row or one column.
  before <- matrix(apply(counts, 1, cumsum), nrow(counts), byrow = TRUE) - counts
  above <- matrix(apply(counts, 2, cumsum), nrow(counts)) - counts
  cells <- which(counts > 0, arr.ind = TRUE)
  from <- left$top[cells[, 1]] + left$unit * before[cells]
  to <- right$top[cells[, 2]] + right$unit * above[cells]
  n <- counts[cells]
  # The outline of a ribbon: along its top from left to right, and back along its bottom.
  along <- seq(0, 1, length.out = 40)
  step <- along^2 * (3 - 2 * along)
  across <- place + flow_bar / 2 + along * (1 - flow_bar)
  ribbons <- lapply(seq_along(n), \(i) {
    top <- from[i] + (to[i] - from[i]) * step
    high <- n[i] * (left$unit + (right$unit - left$unit) * step)
    tibble::tibble(
      x = c(across, rev(across)), y = c(top, rev(top + high)),
      ribbon = paste(place, i), fill = fills[cells[i, 1]]
    )
  })
  dplyr::bind_rows(ribbons)
}
