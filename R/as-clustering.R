#' Turn clusters of your own into a clustering
#'
#' Makes a clustering from clusters that come from elsewhere, such as another method or the
#' categories of a codebook. Every verb accepts it except [cluster_stability()], which needs a
#' method to refit the clusters, and [cluster_confidence()], which needs probabilities.
#'
#' @param embeddings Embeddings, from [embed_images()], or vectors of your own: a numeric matrix or
#'   a data frame of numbers, whose row names or column `image_id` name the images. Silhouettes,
#'   typical images and centroids are computed in their space.
#' @param labels The cluster of each image: whole numbers, text or a factor. `-1`, `NA` and blank
#'   text represent the residual. `0` is a cluster, as in results of Python, and a warning says so:
#'   in results of dbscan and mclust it is the residual, so use `NA` there. Labels without names are
#'   in the order of the embeddings. The names of a named vector are ids of images; a data frame has
#'   a column `label` or `cluster`, and `image_id`, `path` or `file`.
#' @param normalize `"l2"`: vectors are scaled to length one first.
#' @param silhouette Kind of silhouette, as in [cluster_images()].
#' @inheritParams scan_images
#'
#' @returns A clustering, as [cluster_images()] returns it. Clusters are numbered by size; the
#'   column `cluster_name` of images and clusters holds your label. Silhouettes compare images in
#'   clusters with each other. The iteration is always 1, and the seed is missing.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' vectors <- matrix(c(0, 0, 1, 9, 9, 8), ncol = 1, dimnames = list(letters[1:6], NULL))
#' tidy(as_clustering(vectors, c("cat", "cat", "cat", "dog", "dog", NA)))
as_clustering <- function(embeddings,
                          labels,
                          normalize = NULL,
                          silhouette = "auto",
                          out = NULL,
                          overwrite = FALSE,
                          ...) {
  check_dots(...)
  sent <- if (is.data.frame(labels)) {
    warn_about_zero(labels, "labels")
    list(kind = "table", table = encode_table(plain_tibble(labels)))
  } else {
    send_clusters(labels, "labels")
  }
  new_clustering(call_verb("as_clustering", labels = sent), absolute_path(out))
}
