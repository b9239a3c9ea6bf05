#' Plots of tuning
#'
#' @param object The result of [tune_clusters()].
#' @param type What is drawn, by the measure that decides. `"precision_recall"`: precision against
#'   recall of every candidate, with a circle around the best (the paper's Figure 5). `"clusters"`:
#'   the measure against the number of clusters, with hollow points for the baselines (the paper's
#'   Figure 7). Lines are 95% intervals. `"settings"`: the measure by the values of each setting
#'   that varies, over all other settings, with a point per candidate and a box between their
#'   quartiles; with several encoders, a box each. `"differences"`: the difference of each
#'   candidate, and of the best baselines, from the best candidate, on the same pairs, with 95%
#'   intervals.
#' @param by For `type = "settings"`, the settings to draw, such as `c("encoder", "reduction",
#'   "min_cluster_size")`. By default all that vary.
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 60, k = 8)
#' pairs$judgement <- as.integer(pairs$stratum == "within")
#' tuned <- tune_clusters(embeddings, pairs, list(k = c(4, 6, 10)), progress = FALSE)
#' autoplot(tuned)
#' autoplot(tuned, "clusters")
#' autoplot(tuned, "settings")
#' autoplot(tuned, "differences")
autoplot.imagestrata_tuning <- function(object,
                                        type = c(
                                          "precision_recall", "clusters", "settings", "differences"
                                        ),
                                        by = NULL,
                                        ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  if (!is.null(by) && type != "settings") {
    abort_imagestrata("{.arg by} is only for {.code type = \"settings\"}.")
  }
  switch(type,
    settings = plot_tuned_settings(object, by),
    differences = plot_tuned_differences(object),
    plot_candidates(object, type)
  )
}

plot_candidates <- function(object, type) {
  line <- glance(object)
  results <- tidy(object, "results")
  results$encoder <- factor(results$encoder, unique(results$encoder))
  if (type == "clusters") {
    shown <- results[results$measure == line$measure, ]
    shown$x <- shown$n_clusters
    title <- c("Clusters", measure_names[[line$measure]])
  } else {
    shown <- results[results$measure == "precision" & !results$baseline, ]
    recall <- results[results$measure == "recall", ]
    recall <- recall[match(shown$candidate, recall$candidate), ]
    shown$x <- recall$estimate
    shown$x_low <- recall$conf.low
    shown$x_high <- recall$conf.high
    title <- c("Recall", "Precision")
  }
  draw_tuning(shown, line$candidate) +
    ggplot2::labs(
      x = title[1], y = title[2], colour = "Encoder", shape = "Encoder",
      caption = caption_text(
        "Points: the candidates. Lines: 95% intervals. Circle: the best candidate",
        if (any(shown$baseline)) "Hollow points: baselines"
      ),
      alt = tuning_in_words(shown, title, line$candidate)
    )
}

tuning_in_words <- function(shown, title, best) {
  at <- shown[shown$candidate == best, ]
  paste0(
    "Points with intervals for ", tolower(title[2]), " against ",
    if (title[1] == "Clusters") "the number of clusters" else tolower(title[1]), " of ",
    count_of(nrow(shown), "candidate"), ", by encoder: ", toString(levels(shown$encoder)), ". ",
    if (nrow(at) == 1) {
      paste0(
        "The best, with ", at$encoder, " and ", count_of(at$n_clusters, "cluster"), ", has ",
        sprintf("%.2f", at$estimate), "."
      )
    }
  )
}

draw_tuning <- function(shown, best) {
  encoders <- levels(shown$encoder)
  palette <- rlang::set_names(distinct_colours(length(encoders), encoder_colours), encoders)
  shapes <- rlang::set_names(rep_len(21:25, length(encoders)), encoders)
  # Baselines are filled with white.
  shown$kind <- ifelse(shown$baseline, "baseline", as.character(shown$encoder))
  plot <- ggplot2::ggplot(
    shown, ggplot2::aes(.data$x, .data$estimate, colour = .data$encoder, shape = .data$encoder)
  ) +
    ggplot2::geom_linerange(
      ggplot2::aes(ymin = .data$conf.low, ymax = .data$conf.high), alpha = 0.35, na.rm = TRUE
    )
  if ("x_low" %in% names(shown)) {
    plot <- plot + ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$x_low, xmax = .data$x_high), alpha = 0.35, na.rm = TRUE
    )
  }
  plot +
    ggplot2::geom_point(ggplot2::aes(fill = .data$kind), size = 2.2, na.rm = TRUE) +
    ggplot2::geom_point(
      data = shown[shown$candidate == best, ], shape = 1, size = 6, colour = colours[["ink"]]
    ) +
    ggplot2::scale_colour_manual(values = palette) +
    ggplot2::scale_shape_manual(values = shapes) +
    ggplot2::scale_fill_manual(values = c(palette, baseline = "white"), guide = "none") +
    encoder_guides(palette[levels(droplevels(shown$encoder))]) +
    theme_strata()
}

# The key shows filled points, in rows that fit one column.
encoder_guides <- function(palette, width = 40) {
  rows <- ceiling(sum(nchar(names(palette)) + 5) / width)
  ggplot2::guides(
    colour = ggplot2::guide_legend(
      nrow = rows, byrow = TRUE, override.aes = list(fill = unname(palette))
    ),
    shape = ggplot2::guide_legend(nrow = rows, byrow = TRUE)
  )
}

measure_names <- c(
  precision = "Precision", recall = "Recall", f1 = "F1",
  mean_pr = "Mean of precision and recall", quality = "Quality"
)

#' Plot of stability
#'
#' Shows the Jaccard coefficient of each cluster over the refits: the mean, and the 5% quantile.
#' Dashed lines mark Hennig's (2007) limits for stable (.75) and dissolved (.5) clusters.
#'
#' @param object The result of [cluster_stability()].
#' @inheritParams plot_montage
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, progress = FALSE)
#' autoplot(cluster_stability(topics, embeddings, n_refits = 3, progress = FALSE))
autoplot.imagestrata_stability <- function(object, labels = NULL, ...) {
  check_dots(...)
  clusters <- largest_first(tidy(object, "clusters"))
  texts <- texts_of_clusters(labels, clusters)
  clusters$kind <- c(seed = "Other seeds", subsample = "Subsamples")[clusters$kind]
  bounds <- c(0.5, 0.75)
  lines <- ggplot2::geom_hline(yintercept = bounds, colour = colours[["soft"]], linetype = "dashed")
  plot_clusters(
    clusters, "jaccard", "jaccard_low", "jaccard", lines, "Jaccard coefficient", texts
  ) +
    ggplot2::facet_wrap(ggplot2::vars(.data$kind), ncol = 1) +
    ggplot2::coord_cartesian(ylim = c(0, 1)) +
    ggplot2::labs(
      caption = caption_text(
        "Points: the mean over the refits. Bars reach down to the 5% quantile",
        "Dashed lines: clusters are stable from .75 and dissolved up to .5 (Hennig 2007)"
      ),
      alt = stability_in_words(clusters)
    )
}

stability_in_words <- function(clusters) {
  said <- vapply(unique(clusters$kind), \(kind) {
    mean <- clusters$jaccard[clusters$kind == kind]
    paste0(tolower(kind), " ", sum(mean >= 0.75, na.rm = TRUE), " of ", length(mean))
  }, "")
  paste0(
    "Points with bars for the Jaccard coefficient of each cluster over refits. Clusters with a ",
    "mean of at least .75: ", paste(said, collapse = ", "), "."
  )
}

#' Plots of tests with annotators
#'
#' A matching test is drawn as a confusion matrix: rows are the clusters that sets come from,
#' columns are the descriptions that the majority chose, and numbers count sets. An intruder test is
#' drawn as the share of intruders found in each cluster, with 95% intervals and a line at chance.
#'
#' @param object The result of [read_test()].
#' @inheritParams plot_montage
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
#' page <- tempfile(fileext = ".html")
#' key <- export_test(topics, page, "intruders", clusters = 1:4, progress = FALSE)
#' answers <- tempfile("anna", fileext = ".csv")
#' first <- key[key$place == 1, ] # an annotator who always takes the first image
#' write.csv(
#'   data.frame(set_id = first$set_id, annotator = "anna", judgement = first$image_id),
#'   answers,
#'   row.names = FALSE
#' )
#' autoplot(read_test(answers, key))
autoplot.imagestrata_cluster_test <- function(object, labels = NULL, ...) {
  check_dots(...)
  texts <- texts_of_clusters(labels, tidy(object, "clusters"))
  draw <- if (is_matching(object)) plot_confused_sets else plot_found_intruders
  draw(object, texts)
}

plot_confused_sets <- function(object, texts) {
  clusters <- tidy(object, "clusters")
  confusion <- tidy(object, "confusion")
  total <- tapply(confusion$n, confusion$cluster, sum)
  confusion$share <- confusion$n / as.vector(total[as.character(confusion$cluster)])
  short <- label_clusters(clusters$cluster, texts, 34)
  names <- paste0(short, if (length(texts) > 0) ": " else " ", shorten(clusters$description, 34))
  confusion$right <- as.character(confusion$cluster) == as.character(confusion$label)
  confusion$row <- factor(names[match(confusion$cluster, clusters$cluster)], rev(names))
  confusion$column <- factor(confusion$label, clusters$cluster, make.unique(short))
  confusion$label <- confusion$n
  plot_cells(confusion, size = 3) +
    ggplot2::scale_x_discrete(drop = FALSE) +
    ggplot2::scale_y_discrete(drop = FALSE) +
    ggplot2::labs(
      x = "Description chosen", y = "Cluster of the set",
      caption = caption_text("Numbers: sets. Shade: share of the cluster's sets"),
      alt = paste0(
        "A matrix of ", count_of(nrow(clusters), "cluster"), " and the descriptions that ",
        "annotators chose. Of ", count_of(sum(confusion$n), "set"), ", ",
        sum(confusion$n[confusion$right]), " got the description of their cluster."
      )
    ) +
    if (length(texts) > 0) {
      ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 90, hjust = 1, vjust = 0.5))
    }
}

plot_found_intruders <- function(object, texts) {
  clusters <- tidy(object, "clusters")
  clusters$size <- clusters$n_sets
  chance <- ggplot2::geom_hline(
    yintercept = glance(object)$chance, colour = colours[["bright"]], linetype = "dashed"
  )
  plot_clusters(clusters, "share_found", "conf.low", "conf.high", chance, "Share found", texts) +
    ggplot2::coord_cartesian(ylim = c(0, 1)) +
    ggplot2::labs(
      x = "Cluster", size = "Sets",
      caption = caption_text(
        "Points: the share of intruders that annotators found. Bars: 95% intervals",
        paste0("Dashed line: chance, ", percent(glance(object)$chance))
      ),
      alt = paste0(
        "Points with intervals for the share of intruders found in ",
        count_of(nrow(clusters), "cluster"), ", from ", percent(min(clusters$share_found)), " to ",
        percent(max(clusters$share_found)), ". A dashed line marks chance at ",
        percent(glance(object)$chance), "."
      )
    )
}
