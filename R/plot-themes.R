#' Plot the tree over clusters
#'
#' Draws the tree from which themes were cut, with typical images of each cluster, in the colours of
#' the themes. Two branches meet at the mean distance between their clusters; the dashed line is
#' where the tree was cut.
#'
#' @param clustering A clustering with themes, from [group_clusters()].
#' @param n_images Number of images per cluster, the most typical first; 0 for none.
#' @inheritParams plot_montage
#'
#' @returns A ggplot that holds the picture, 7 inches wide. Its height grows with the number of
#'   clusters: 4.5 inches for 10, 33 for 120. Use `out` to store it in its original size.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_themes(group_clusters(demo_topics(), n = 3))
plot_themes <- function(clustering, out = NULL, n_images = 4, labels = NULL, ...) {
  check_dots(...)
  draw_picture("plot_themes", check_arguments(labels = send_cluster_labels(labels, clustering)))
}
