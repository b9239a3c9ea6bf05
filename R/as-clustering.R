#' Use clusters of your own
#'
#' Clusters that were made elsewhere, such as those of another method or the categories of a
#' codebook, become a clustering that every verb takes. Only [cluster_stability()] and
#' [cluster_confidence()] refuse it: there is no method to make the clusters again, and no
#' probabilities.
#'
#' @param embeddings Embeddings, from [embed_images()], or vectors of your own: a numeric matrix or
#'   a data frame of numbers, whose row names or column `image_id` name the images. Silhouettes,
#'   typical images and centroids are computed in their space.
#' @param labels The cluster of each image: whole numbers, text or a factor. `-1`, `NA` and blank
#'   text stand for the residual. Labels without names are in the order of the embeddings. A named
#'   vector names images by their ids; a data frame has a column `label` or `cluster`, and
#'   `image_id`, `path` or `file`.
#' @param normalize `"l2"`: vectors are scaled to length one first.
#' @param silhouette As in [cluster_images()].
#' @inheritParams scan_images
#'
#' @returns A clustering, as [cluster_images()] returns it. Clusters are numbered by size; the label
#'   that was given is the column `cluster_name` of images and clusters. Silhouettes are against the
#'   other images in clusters; everything is of iteration 1, and the seed is missing.
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
  out <- check_path(out, "out", null = TRUE)
  sent <- if (is.data.frame(labels)) {
    list(kind = "table", table = encode_table(plain_tibble(labels)))
  } else {
    send_clusters(labels, "labels")
  }
  new_clustering(call_verb("as_clustering", labels = sent), out)
}
