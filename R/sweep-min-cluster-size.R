#' Compare smallest cluster sizes for clustering by density
#'
#' Clusters the images with `cluster_images(method = "hdbscan")` for several values of
#' `min_cluster_size`.
#'
#' The silhouette alone is not a good criterion, because it increases if more images are noise. Look
#' for sizes around which the number of clusters and the share of noise change little, and look at
#' the images.
#'
#' @param embeddings Embeddings, from [reduce_embeddings()] or [embed_images()], or a matrix.
#' @param sizes Values of `min_cluster_size`.
#' @param min_samples,selection,normalize As [cluster_images()] takes them for `"hdbscan"`. By
#'   default `min_samples` equals `min_cluster_size`.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per size: `min_cluster_size`, `n_clusters`, `n_noise`,
#'   `share_noise`, and without noise `silhouette`, `calinski_harabasz` and `davies_bouldin`
#'   (see [score_clustering()]), which are missing with fewer than two clusters.
#'   [autoplot()][autoplot.imagestrata_sweep] draws it.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready() && reticulate::py_module_available("hdbscan")
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' reduced <- reduce_embeddings(embeddings, n_components = 5, progress = FALSE)
#' swept <- sweep_min_cluster_size(reduced, sizes = 3:8, progress = FALSE)
#' swept
#' autoplot(swept)
sweep_min_cluster_size <- function(embeddings,
                                   sizes = seq(20, 90, by = 10),
                                   min_samples = NULL,
                                   selection = "eom",
                                   normalize = NULL,
                                   progress = TRUE,
                                   ...) {
  check_dots(...)
  if (!is.numeric(sizes) || anyNA(sizes)) {
    abort_imagestrata("{.arg sizes} must be numbers, not {seen(sizes)}.")
  }
  swept <- call_verb("sweep_min_cluster_size", sizes = as.list(as.double(sizes)))
  new_object(decode_table(swept), "imagestrata_sweep")
}

#' Plot of a sweep over smallest cluster sizes
#'
#' Draws the number of clusters, the share of noise, and the mean silhouette of the images in
#' clusters against the smallest size.
#'
#' @param object The result of [sweep_min_cluster_size()].
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @inherit sweep_min_cluster_size examples
autoplot.imagestrata_sweep <- function(object, ...) {
  check_dots(...)
  panels <- c(
    n_clusters = "Clusters", share_noise = "Share of noise",
    silhouette = "Silhouette without noise"
  )
  points <- dplyr::bind_rows(lapply(names(panels), function(column) {
    tibble::tibble(
      size = object$min_cluster_size, value = as.double(object[[column]]), panel = panels[[column]]
    )
  }))
  points$panel <- factor(points$panel, panels)
  ggplot2::ggplot(points, ggplot2::aes(.data$size, .data$value)) +
    ggplot2::geom_line(colour = colours[["main"]], na.rm = TRUE) +
    ggplot2::geom_point(colour = colours[["main"]], na.rm = TRUE) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), ncol = 1, scales = "free_y") +
    ggplot2::labs(x = "Smallest size of a cluster", y = NULL) +
    theme_strata()
}
