#' Suggest a similarity threshold for an encoder
#'
#' @description Suggests a value for `similarity_threshold` of [cluster_images()]. Silhouettes
#' depend on the encoder, so the paper's threshold (.03) does not transfer. The function draws
#' random vectors with the covariance of the embeddings but without cluster structure, and clusters
#' them with as many clusters as an iteration fits. A cluster of images should be more cohesive than
#' most clusters of such random vectors. The threshold is for `cluster_images(neighbors = NULL)`:
#' silhouettes after the neighbourhood step are much higher, and need no threshold.
#'
#' @param embeddings Embeddings, from [embed_images()], or a matrix of vectors of your own.
#' @param quantile Share of the random vectors that are in clusters with a silhouette up to the
#'   threshold.
#' @param n_draws Number of draws of random vectors.
#' @param preset Settings of the iterative method for which the threshold is used, see
#'   [cluster_images()]; likewise the arguments below.
#' @param seed Seed for the sample of images and the random vectors.
#' @inheritParams cluster_images
#' @inheritParams scan_images
#'
#' @returns A tibble with one row: `threshold`; `k`, the number of clusters fitted; `null_median`
#'   and `n_null`, the median and the number of the mean silhouettes for random vectors; and, for a
#'   sample of the images, `share_clusters`, the share of clusters above the threshold, and
#'   `share_images`, the share of images in them.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' suggest_threshold(embeddings, k = 10, progress = FALSE)
suggest_threshold <- function(embeddings,
                                quantile = 0.95,
                                n_draws = 20,
                                preset = NULL,
                                k = NULL,
                                sample_size = NULL,
                                step_size = NULL,
                                converge_window = NULL,
                                k_criterion = NULL,
                                k_tolerance = NULL,
                                k_max = NULL,
                                n_init = NULL,
                                normalize = NULL,
                                n_components = NULL,
                                silhouette = NULL,
                                seed = 0,
                                progress = TRUE,
                                ...) {
  decode_table(call_verb("suggest_threshold"))
}
