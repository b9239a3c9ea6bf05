#' Compare numbers of clusters, or smallest sizes of a cluster
#'
#' Clusters the images with [cluster_images()] for several values of one setting: `n_clusters` of
#' `method = "kmeans"`, or `min_cluster_size` of `method = "hdbscan"`.
#'
#' @section How to read it:
#' A sweep describes; it does not decide. Inertia always falls and explained variance always rises
#' with the number of clusters. The *knee* is the value at which explained variance lies farthest
#' above the straight line between the first and the last value (Kneedle without smoothing; Satopää
#' and others 2011). It depends on the range of the values: with a wider range it is usually larger.
#' A curve without a point above that line has no knee. Where the knee, the highest silhouette and
#' your reading of the images disagree, several numbers are defensible; [tune_clusters()] compares
#' them by human judgements.
#'
#' The silhouette alone is not a good criterion for the smallest size, because it increases if more
#' images are noise. Look for sizes around which the number of clusters and the share of noise
#' change little, and look at the images.
#'
#' @param embeddings Embeddings, from [embed_images()] or [reduce_embeddings()]; or vectors of your
#'   own, as [cluster_images()] takes them.
#' @param method `"kmeans"` or `"hdbscan"`.
#' @param values Values of the setting. By default 30, 40, ..., 300 clusters (the paper's range,
#'   which preceded its 80 clusters), or sizes of 20, 30, ..., 90 (a study on density), in each case
#'   only those below the number of images.
#' @param n_init,neighbors,normalize,n_components,silhouette,exact,min_samples,selection Settings
#'   of the method, as in [cluster_images()].
#' @param seed Each row describes the clusters that [cluster_images()] finds with the same value,
#'   settings and seed.
#' @param out A run folder, which stores the table. An interrupted sweep continues after its last
#'   finished value. A run holds one sweep; its variants hold others.
#' @param overwrite `TRUE` replaces another sweep in `out`.
#' @inheritParams cluster_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per value. For `"kmeans"`: `n_clusters`; `inertia`, the sum of
#'   squared distances to the means of the clusters; `explained_variance`, 1 - `inertia` / the sum
#'   of squared distances to the mean of all images; `silhouette` (the mean), `calinski_harabasz`
#'   and `davies_bouldin` (see [score_clustering()]); and `knee`, `TRUE` at the knee of the
#'   explained variance. For `"hdbscan"`: `min_cluster_size`, `n_clusters`, `n_noise`,
#'   `share_noise`, and without noise the same three indices. All are measured in the vectors that
#'   are clustered; undefined values are missing. [autoplot()][autoplot.imagestrata_sweep] draws it.
#' @references Satopää, V., Albrecht, J., Irwin, D. and Raghavan, B. (2011). Finding a "kneedle" in
#'   a haystack: detecting knee points in system behavior. *31st International Conference on
#'   Distributed Computing Systems Workshops*, 166-171.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' swept <- sweep_clusters(embeddings, values = 2:10, progress = FALSE)
#' swept
#' autoplot(swept)
sweep_clusters <- function(embeddings,
                           method = "kmeans",
                           values = NULL,
                           n_init = NULL,
                           neighbors = "auto",
                           normalize = NULL,
                           n_components = NULL,
                           silhouette = NULL,
                           exact = NULL,
                           min_samples = NULL,
                           selection = NULL,
                           seed = 0,
                           out = NULL,
                           overwrite = FALSE,
                           progress = TRUE,
                           engine = NULL,
                           ...) {
  check_dots(...)
  if (!is.null(values) && (!is.numeric(values) || anyNA(values))) {
    abort_imagestrata("{.arg values} must be numbers, not {seen(values)}.")
  }
  values <- if (!is.null(values)) as.list(as.double(values))
  new_object(decode_table(call_verb("sweep_clusters", values = values)), "imagestrata_sweep")
}

#' Plot of a sweep over numbers or smallest sizes of clusters
#'
#' Draws the measures of a sweep against the values. For numbers of clusters: explained variance,
#' inertia and silhouette, with a circle around the knee and around the highest silhouette. For
#' smallest sizes: the number of clusters, the share of noise, and the mean silhouette of the images
#' in clusters.
#'
#' @param object The result of [sweep_clusters()].
#' @param mark Values to mark with a dashed line, such as the number that you chose (80 in the
#'   paper).
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @inherit sweep_clusters examples
autoplot.imagestrata_sweep <- function(object, mark = NULL, ...) {
  check_dots(...)
  if (!is.null(mark) && (!is.numeric(mark) || anyNA(mark))) {
    abort_imagestrata("{.arg mark} must be numbers, not {seen(mark)}.")
  }
  of_sizes <- "min_cluster_size" %in% names(object)
  panels <- if (of_sizes) {
    c(
      n_clusters = "Clusters",
      share_noise = "Share of noise",
      silhouette = "Mean silhouette without noise"
    )
  } else {
    c(
      explained_variance = "Explained variance",
      inertia = "Inertia (sum of squared distances)",
      silhouette = "Mean silhouette"
    )
  }
  value <- object[[if (of_sizes) "min_cluster_size" else "n_clusters"]]
  points <- dplyr::bind_rows(lapply(names(panels), function(column) {
    y <- as.double(object[[column]])
    best <- if (of_sizes) {
      FALSE
    } else if (column == "silhouette") {
      !is.na(y) & seq_along(y) %in% which.max(y)
    } else {
      object$knee
    }
    tibble::tibble(value = value, y = y, panel = panels[[column]], best = best)
  }))
  points$panel <- factor(points$panel, panels)
  ggplot2::ggplot(points, ggplot2::aes(.data$value, .data$y)) +
    ggplot2::geom_vline(xintercept = mark, colour = colours[["soft"]], linetype = "dashed") +
    ggplot2::geom_line(colour = colours[["main"]], na.rm = TRUE) +
    ggplot2::geom_point(colour = colours[["main"]], size = 1.2, na.rm = TRUE) +
    ggplot2::geom_point(
      data = points[points$best, ], shape = 1, size = 4, colour = colours[["bright"]], na.rm = TRUE
    ) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::scale_x_continuous(breaks = whole_breaks) +
    ggplot2::scale_y_continuous(
      labels = with_marks, n.breaks = 4,
      # Circles around points at the edge of a panel are whole.
      expand = ggplot2::expansion(mult = 0.15)
    ) +
    ggplot2::labs(
      x = if (of_sizes) "Smallest size of a cluster" else "Number of clusters",
      y = NULL,
      caption = sweep_note(object, any(points$best), mark),
      alt = paste0(
        "Lines with points for ", toString(tolower(panels)), " against ",
        if (of_sizes) "smallest sizes of a cluster" else "numbers of clusters", " from ",
        min(value), " to ", max(value), ". ", sweep_note(object, any(points$best), mark, 1000)
      )
    ) +
    theme_strata()
}

sweep_note <- function(object, circled, mark, width = caption_width) {
  said <- if (circled) {
    knee <- object$n_clusters[object$knee]
    highest <- object$n_clusters[which.max(object$silhouette)]
    c(
      if (length(knee) > 0) paste0("knee of the explained variance at ", knee),
      if (length(highest) > 0) paste0("highest silhouette at ", highest)
    )
  }
  caption_text(
    "Points: the values that were tried",
    if (circled) paste0("Circles: ", paste(said, collapse = ", ")),
    if (length(mark) > 0) paste0("Dashed: ", paste(mark, collapse = ", ")),
    width = width
  )
}
