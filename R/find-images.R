#' The most typical images of clusters
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param clusters Numbers of clusters: 1 is the largest, -1 the residual. By default
#'   (`NULL`) all clusters.
#' @param n Images per cluster; a smaller cluster gives all it has.
#' @param order `"typical"`: the images that a cluster holds most firmly, by silhouette; or
#'   `"atypical"`.
#' @inheritParams scan_images
#'
#' @returns A tibble: `cluster`, `rank`, `image_id`, `path`, `silhouette`, `distance`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' find_images(demo_topics(), clusters = 1:2, n = 3)
find_images <- function(clustering, clusters = NULL, n = 9, order = "typical", ...) {
  check_dots(...)
  decode_table(call_verb("find_images"))
}
