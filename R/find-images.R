#' Find the most typical images of clusters
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param clusters Numbers of clusters: 1 is the largest, -1 the residual. By default
#'   (`NULL`) all clusters.
#' @param n Number of images per cluster; a smaller cluster returns all its images.
#' @param order `"typical"`: the images with the highest silhouettes; `"atypical"`: those with the
#'   lowest.
#' @inheritParams scan_images
#'
#' @returns A tibble: `cluster`, `rank`, `image_id`, `path`, `silhouette`, `distance`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' find_images(demo_topics(), clusters = 1:2, n = 3)
find_images <- function(clustering, clusters = NULL, n = 9, order = "typical", ...) {
  decode_table(call_verb("find_images"))
}
