#' Suggest a similarity threshold for an encoder
#'
#' @description
#' Silhouettes are in the units of the encoder, so that the paper's threshold (.03) does not
#' transfer. Here clouds of the same covariance as the vectors, but without any structure
#' beyond it, are clustered with as many clusters as an iteration fits. A cluster of images
#' should be more cohesive than most clusters of such a cloud.
#'
#' @param embeddings Embeddings, from [embed_images()], or a matrix of vectors of your own.
#' @param quantile Of the vectors of the clouds, the share in clusters up to the threshold.
#' @param n_draws Number of clouds.
#' @param preset Settings of the iterative method with which the threshold will be used, see
#'   [cluster_images()]; those below, too.
#' @param seed Decides the sample of images and the clouds.
#' @inheritParams cluster_images
#' @inheritParams scan_images
#'
#' @returns A tibble with one row: `threshold`; `k`, the clusters fitted; `null_median` and
#'   `n_null`, the middle and the number of the mean silhouettes in clouds; and, of the clusters
#'   of a sample of the images, `share_clusters` above the threshold and `share_images` in them.
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
  check_dots(...)
  decode_table(call_verb("suggest_threshold"))
}
