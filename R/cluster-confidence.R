#' Measure how firmly images belong to their clusters
#'
#' Summarises the probabilities of `cluster_images(method = "hdbscan")`. The probability of an image
#' is its density relative to the densest part of its cluster, from 0 to 1. The densest images of
#' every cluster have 1, however sparse that cluster is.
#'
#' @param clustering A clustering, from [cluster_images()] with `method = "hdbscan"`.
#' @param threshold Images with a higher probability are confident members. The default is that of
#'   the study that introduced this road (its Table A2).
#' @param by_cluster Return a row per cluster instead of one for all?
#' @inheritParams scan_images
#'
#' @details Table A2 of the study gives the share of points above the threshold and the "average
#' high confidence point probability across clusters": `mean_confident_clusters` gives every cluster
#' equal weight, `mean_confident` every image. `mean_probability` is lower than both, because it
#' includes images below the threshold.
#'
#' After [edit_clusters()], the probability of an image is still that in the cluster in which it was
#' found; noise that was moved to a cluster does not count.
#'
#' @returns A tibble with one row: `n_images`; `n_clusters`; `n_clustered`, the images in clusters
#'   without noise (assigned or not); `n_confident`; `share_confident`, the share of confident
#'   images among the clustered; `share_of_all`, their share among all images; and three means of
#'   the probability: `mean_probability` of the clustered images, `mean_confident` of the confident
#'   ones, and `mean_confident_clusters`, the mean over clusters of the means of their confident
#'   images. With `by_cluster = TRUE`: `cluster`, `size`, `n_clustered`, `n_confident`,
#'   `share_confident`, `mean_probability`, `mean_confident` (`NA` if no image is confident;
#'   `mean_confident_clusters` leaves such clusters out).
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready() && reticulate::py_module_available("hdbscan")
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' reduced <- reduce_embeddings(embeddings, n_components = 5, progress = FALSE)
#' topics <- cluster_images(reduced, "hdbscan", min_cluster_size = 6, progress = FALSE)
#' cluster_confidence(topics)
#' cluster_confidence(topics, by_cluster = TRUE)
cluster_confidence <- function(clustering, threshold = 0.85, by_cluster = FALSE, ...) {
  decode_table(call_verb("cluster_confidence"))
}
