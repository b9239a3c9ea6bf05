#' How firmly images belong to their clusters
#'
#' By the probabilities of `cluster_images(method = "hdbscan")`: how near to its cluster's
#' densest part an image lies, as a share. The densest images of every cluster have 1, however
#' thin that cluster is.
#'
#' @param clustering A clustering, from [cluster_images()] with `method = "hdbscan"`.
#' @param threshold Images with a higher probability are confident members. The study that this
#'   road comes from (its Table A2) counts those above .85.
#' @param by_cluster A row per cluster, not one for all?
#' @inheritParams scan_images
#'
#' @details
#' Table A2 of the study gives the share of points above the threshold and the "average high
#' confidence point probability across clusters": `mean_confident_clusters` if every cluster counts
#' the same, `mean_confident` if every image does. `mean_probability` is lower than both, since
#' images below the threshold enter it.
#'
#' @returns A tibble with one row: `n_images`; `n_clusters`; `n_clustered`, without noise, be it
#'   assigned or not; `n_confident`; `share_confident`, of the clustered; `share_of_all`, the
#'   confident of all images; and three means of the probability: `mean_probability` of the
#'   clustered images, `mean_confident` of the confident ones, and `mean_confident_clusters`, the
#'   mean over clusters of the mean of their confident ones. Or, by cluster: `cluster`, `size`,
#'   `n_clustered`, `n_confident`, `share_confident`, `mean_probability`, `mean_confident` (`NA`
#'   where no image is confident; such clusters do not enter `mean_confident_clusters`).
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready() && reticulate::py_module_available("hdbscan")
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' reduced <- reduce_embeddings(embeddings, n_components = 5, progress = FALSE)
#' topics <- cluster_images(reduced, "hdbscan", min_cluster_size = 6, progress = FALSE)
#' cluster_confidence(topics)
#' cluster_confidence(topics, by_cluster = TRUE)
cluster_confidence <- function(clustering, threshold = 0.85, by_cluster = FALSE, ...) {
  check_dots(...)
  decode_table(call_verb("cluster_confidence"))
}
