#' Plots of a clustering
#'
#' @param object A clustering, from [cluster_images()].
#' @param type `"trace"`: the course of the iterations (the paper's Figure 6): the images that
#'   remain, the clusters that are fitted and how many of them are cohesive, and the mean size of
#'   the cohesive clusters. `"sizes"`: the number of images in each cluster, and how many clusters
#'   hold 50, 75 and 90 percent of the images. `"silhouettes"`: the mean silhouette of each cluster,
#'   and the range of its middle 80 percent. `"map"`: the images as points on a plane. The number of
#'   a cluster is above the median of its images, unless it would overlap that of a larger cluster.
#'   The seven largest clusters have a colour each, in a key; smaller ones are grey, and the
#'   residual is pale. `"searches"`: the search for the number of clusters in each iteration, the
#'   goodness of fit of each number that was tried; orange diamonds were kept. Up to 36 iterations
#'   have a panel each; the lines of more share one panel, the later the darker.
#' @param points For `"map"`: the result of [map_images()].
#' @param keywords For `"map"`: the result of [cluster_keywords()]. The first term of each cluster
#'   is beside its number if there is room.
#' @param labels For `"sizes"`, `"silhouettes"` and `"map"`: see [plot_montage()]. On the map, names
#'   take the place of numbers if all of them fit; the key has the names of the largest.
#' @param by For `"map"`: colour and label clusters, or the themes of [group_clusters()].
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examples
#' topics <- demo_topics()
#' autoplot(topics)
#' autoplot(topics, "sizes")
#' autoplot(topics, "silhouettes")
autoplot.imagestrata_clustering <- function(
    object,
    type = c("trace", "sizes", "silhouettes", "map", "searches"),
    points = NULL,
    keywords = NULL,
    labels = NULL,
    by = c("cluster", "theme"),
    ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  by <- rlang::arg_match(by)
  check_unused(type == "map", 'type = "map"', by = if (by == "theme") by)
  check_unused(by == "cluster", 'by = "cluster"', keywords = keywords, labels = labels)
  check_unused(type == "map", 'type = "map"', points = points, keywords = keywords)
  check_unused(!type %in% c("trace", "searches"), 'type = "sizes"', labels = labels)
  texts <- texts_of_clusters(labels, tidy(object))
  if (type == "map") {
    return(plot_points(object, points, keywords, texts, by))
  }
  if (type == "searches") {
    return(plot_searches(object))
  }
  if (nrow(tidy(object, if (type == "trace") "trace" else "clusters")) == 0) {
    abort_imagestrata(
      "This clustering has no {if (type == 'trace') 'iterations' else 'clusters'} to draw.",
      hint = if (type == "trace") "A single k-means has no iterations: use {.code \"sizes\"}."
    )
  }
  switch(type,
    trace = plot_trace(object),
    sizes = plot_sizes(object, texts),
    silhouettes = plot_silhouettes(object, texts)
  )
}

plot_trace <- function(object) {
  trace <- tidy(object, "trace")
  panels <- c("Images remaining", "Clusters", "Mean size of the cohesive clusters")
  bars <- dplyr::bind_rows(
    bars_of(trace, "n_remaining", panels[1], "all"),
    bars_of(trace, "k", panels[2], "fitted"),
    bars_of(trace, "n_cohesive", panels[2], "cohesive"),
    bars_of(trace, "mean_size", panels[3], "all")
  )
  bars$panel <- factor(bars$panel, panels)
  bars$what <- factor(bars$what, c("all", "fitted", "cohesive"))
  ggplot2::ggplot(bars, ggplot2::aes(.data$iteration, .data$value, fill = .data$what)) +
    ggplot2::geom_col(position = "identity", width = 0.8, na.rm = TRUE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::scale_y_continuous(
      breaks = \(limits) c(0, whole_breaks(limits, 3)), labels = with_marks, limits = c(0, NA)
    ) +
    ggplot2::scale_fill_manual(
      values = rlang::set_names(colours[c("main", "pale", "bright")], levels(bars$what)),
      breaks = c("fitted", "cohesive")
    ) +
    ggplot2::labs(
      x = "Iteration", y = NULL, fill = "Clusters",
      caption = caption_text(
        "Cohesive clusters leave with their images, and the other images are clustered again",
        "An iteration without a cohesive cluster has no mean size"[anyNA(trace$mean_size)]
      ),
      alt = paste0(
        "Bars for ", count_of(nrow(trace), "iteration"), ". The images that remain fall from ",
        with_marks(trace$n_remaining[1]), " to ", with_marks(utils::tail(trace$n_remaining, 1)),
        ". In all, ", with_marks(sum(trace$n_cohesive)), " of ", with_marks(sum(trace$k)),
        " fitted clusters are cohesive."
      )
    ) +
    theme_strata()
}

with_marks <- function(x) {
  ifelse(is.na(x), NA, format(x, big.mark = ",", scientific = FALSE, trim = TRUE))
}

# Up to 36 iterations have a panel each. Of more, the lines share one panel, the later the darker.
plot_searches <- function(object, call = rlang::caller_env()) {
  searches <- attr(object, "tables")[["searches"]]
  if (NROW(searches) == 0) {
    abort_imagestrata(
      "This clustering has no search for the number of clusters.",
      hint = "Only {.code method = \"iterative\"} without {.arg k} searches; results of older
              versions do not hold it.",
      call = call
    )
  }
  iterations <- unique(searches$iteration)
  few <- length(iterations) <= 36
  # Small panels have room for a number only.
  small <- length(iterations) > 9
  title <- if (small) as.character else \(number) paste("Iteration", number)
  searches$panel <- factor(title(searches$iteration), title(iterations))
  lines <- searches[stats::ave(searches$k, searches$iteration, FUN = length) > 1, ]
  plot <- ggplot2::ggplot(searches, ggplot2::aes(.data$k, .data$fit))
  if (few) {
    plot <- plot +
      ggplot2::geom_line(data = lines, colour = colours[["main"]]) +
      ggplot2::facet_wrap(ggplot2::vars(.data$panel))
  } else {
    plot <- plot +
      ggplot2::geom_line(
        ggplot2::aes(group = .data$panel, colour = .data$iteration),
        data = lines, linewidth = 0.3
      ) +
      ggplot2::scale_colour_gradient(
        low = "#b9c4cf", high = colours[["ink"]], breaks = whole_breaks
      )
  }
  tried <- sort(unique(searches$k))
  plot +
    ggplot2::geom_point(colour = colours[["main"]], size = 0.6) +
    ggplot2::geom_point(
      data = searches[searches$kept, ], shape = 18, colour = colours[["bright"]], size = 2.6
    ) +
    ggplot2::scale_x_continuous(
      breaks = if (length(tried) <= 2 || (length(tried) <= 4 && !small)) {
        tried
      } else {
        \(limits) few_breaks(whole_breaks(limits, if (few) 3 else 8), limits, few && small)
      }
    ) +
    ggplot2::scale_y_continuous(n.breaks = 4, expand = ggplot2::expansion(mult = 0.1)) +
    ggplot2::labs(
      x = "Number of clusters", y = search_criterion(searches$criterion[1]), colour = "Iteration",
      caption = caption_text(
        if (few && small) "Panels: iterations",
        "Points: the numbers of clusters that were tried",
        "Orange diamonds: the numbers that were kept"
      ),
      alt = searches_in_words(searches)
    ) +
    theme_strata()
}

searches_in_words <- function(searches) {
  kept <- range(searches$k[searches$kept])
  paste0(
    "Lines with points for the goodness of fit of ", paste(range(searches$k), collapse = " to "),
    " clusters in ", count_of(length(unique(searches$iteration)), "iteration"),
    ". The numbers that were kept lie between ", kept[1], " and ", kept[2], "."
  )
}

# Of a panel that has room for two numbers, the first and the last.
few_breaks <- function(breaks, limits, two) {
  breaks <- breaks[breaks >= limits[1] & breaks <= limits[2]]
  if (two && length(breaks) > 2) breaks[c(1, length(breaks))] else breaks
}

search_criterion <- function(criterion) {
  text <- c(
    cohesion = "Mean silhouette of\nthe more cohesive half", silhouette = "Mean silhouette",
    inertia = "Inertia, negated",
    calinski_harabasz = "Calinski-Harabasz index", davies_bouldin = "Davies-Bouldin index, negated"
  )
  if (criterion %in% c("", NA)) {
    "Goodness of fit"
  } else if (criterion %in% names(text)) {
    text[[criterion]]
  } else {
    # Other criteria have a name that says what they are.
    words <- gsub("_", " ", criterion)
    paste0(toupper(substr(words, 1, 1)), substr(words, 2, nchar(words)))
  }
}

bars_of <- function(trace, column, panel, what) {
  tibble::tibble(
    iteration = trace$iteration, value = as.double(trace[[column]]), panel = panel, what = what
  )
}

plot_sizes <- function(object, texts) {
  clusters <- largest_first(tidy(object))
  places <- place_clusters(clusters, texts)
  reached <- clusters_to_reach(clusters$share, c(0.5, 0.75, 0.9))
  reached$x <- places$x[reached$place] + 0.5
  # A text beside the last bars is left of its line, where there is room.
  reached$side <- ifelse(reached$place > 0.8 * nrow(places), 1.15, -0.15)
  ggplot2::ggplot(dplyr::bind_cols(places["x"], clusters), ggplot2::aes(.data$x, .data$size)) +
    ggplot2::geom_col(fill = colours[["main"]], width = 0.8) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$x),
      data = reached, colour = colours[["bright"]], linetype = "dashed"
    ) +
    ggplot2::geom_text(
      ggplot2::aes(x = .data$x, label = .data$label, hjust = .data$side),
      data = reached, y = Inf, vjust = 1.5, size = 3, colour = colours[["soft"]]
    ) +
    ggplot2::scale_y_continuous(labels = with_marks) +
    scale_x_clusters(places, expand = ggplot2::expansion(mult = c(0.02, 0.08))) +
    ggplot2::labs(
      x = "Cluster, the largest first", y = "Images",
      caption = caption_text(
        if (nrow(reached) > 0) {
          "Dashed lines: the clusters to their left hold this share of all images"
        },
        residual_note(object)
      ),
      alt = paste0(
        "Bars for the number of images in ", count_of(nrow(clusters), "cluster"), ", from ",
        with_marks(max(clusters$size)), " to ", with_marks(min(clusters$size)), ". ",
        if (nrow(reached) > 0) {
          paste0(
            "Shares of all images: ",
            paste0(reached$label, " in the first ", reached$place, collapse = "; "), ". "
          )
        },
        sentence(residual_note(object)), "."
      )
    ) +
    theme_strata()
}

# The number of places after which a share of all images is reached, if it is reached.
clusters_to_reach <- function(share, goals) {
  # Rounding errors make sums of shares such as .1 a little too small.
  first <- vapply(goals, \(goal) which(cumsum(share) >= goal - 1e-9)[1], 1L)
  reached <- tibble::tibble(place = first, label = paste0(100 * goals, "%"))
  reached <- reached[!is.na(first), ]
  dplyr::summarise(
    dplyr::group_by(reached, .data$place),
    label = paste(.data$label, collapse = ", ")
  )
}

plot_silhouettes <- function(object, texts) {
  images <- dplyr::filter(plain_tibble(object), .data$cluster > 0)
  spread <- dplyr::summarise(
    dplyr::group_by(images, .data$cluster),
    low = stats::quantile(.data$silhouette, 0.1, names = FALSE, na.rm = TRUE),
    high = stats::quantile(.data$silhouette, 0.9, names = FALSE, na.rm = TRUE)
  )
  clusters <- dplyr::left_join(largest_first(tidy(object)), spread, by = "cluster")
  plot_clusters(
    clusters, "silhouette", "low", "high",
    ggplot2::geom_hline(yintercept = 0, colour = colours[["soft"]]), "Silhouette", texts
  ) +
    ggplot2::labs(
      caption = caption_text(
        "Points: the mean silhouette of a cluster",
        "Bars: the range of the middle 80% of its images",
        "Below the line at 0, images are closer to another cluster than to their own"
      ),
      alt = paste0(
        "Points with bars for the silhouettes of ", count_of(nrow(clusters), "cluster"),
        ". Means range from ", sprintf("%.2f", min(clusters$silhouette, na.rm = TRUE)), " to ",
        sprintf("%.2f", max(clusters$silhouette, na.rm = TRUE)), "."
      )
    )
}

residual_note <- function(object) {
  line <- glance(object)
  paste0(
    count_of(line$n_residual, "image"), " of ", format(line$n_images, big.mark = ","),
    " in no cluster"
  )
}
