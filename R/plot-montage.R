#' Plot a row of images for each cluster
#'
#' Draws the paper's Figure 8 as a ggplot.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out File in which the figure is also stored, in its original size: a name that ends in
#'   `.png`, `.pdf` or `.svg`. (`ggsave()` scales it to the size of its page.)
#' @param n_clusters Number of clusters, the largest first, if `clusters` does not name them. If
#'   [group_clusters()] grouped them, they are in the order of their themes, with a heading above
#'   the first of each.
#' @param n_images Number of images per cluster.
#' @param clusters Numbers of the clusters to show, in this order, in place of the largest;
#'   -1 is the residual.
#' @param keywords The result of [cluster_keywords()]: the first terms of each cluster replace its
#'   share below its size.
#' @param order,seed Which images of each cluster, as in [find_images()]. (The paper's Figure 8
#'   shows random ones, which give a fair impression of how coherent a cluster is.)
#' @param labels Texts for clusters by their numbers, as `c("5" = "protesters")`, or a table with
#'   the columns `cluster` and `cluster_name`. By default the names that [edit_clusters()] gave.
#'   Beside names, clusters without one are called "Cluster 7".
#' @inheritParams scan_images
#'
#' @returns A ggplot that holds the picture.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_montage(demo_topics(), n_clusters = 5, n_images = 6)
plot_montage <- function(clustering,
                         out = NULL,
                         n_clusters = 20,
                         n_images = 10,
                         clusters = NULL,
                         keywords = NULL,
                         order = "typical",
                         seed = 0,
                         labels = NULL,
                         ...) {
  check_dots(...)
  given <- if (!missing(n_clusters)) n_clusters
  check_unused(is.null(clusters), "clusters = NULL", n_clusters = given)
  draw_picture("plot_montage", check_arguments(labels = send_cluster_labels(labels, clustering)))
}

# A picture that Python draws, as a plot; `out` also stores it in its original size.
draw_picture <- function(verb, arguments, call = rlang::caller_env()) {
  file <- tempfile(fileext = ".png")
  on.exit(unlink(file))
  for (out in c(arguments$out, file)) {
    arguments$out <- out
    call_core(verb, !!!arguments, call = call)
  }
  picture <- png::readPNG(file)
  ggplot2::ggplot() +
    ggplot2::annotation_custom(grid::rasterGrob(picture)) +
    ggplot2::theme_void() +
    ggplot2::theme(
      plot.background = ggplot2::element_rect(fill = "white", colour = NA),
      aspect.ratio = nrow(picture) / ncol(picture)
    )
}
