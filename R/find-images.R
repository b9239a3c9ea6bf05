#' Find the most typical images of clusters
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param clusters Numbers of clusters: 1 is the largest, -1 the residual. By default
#'   (`NULL`) all clusters.
#' @param n Number of images per cluster; a smaller cluster returns all its images.
#' @param order `"typical"`: the images with the highest silhouettes; `"atypical"`: those with the
#'   lowest; `"doubtful"`: those with the lowest margins, which are close to another cluster or
#'   beyond (see [augment()][tidiers]); `"random"`: images at random.
#' @param seed Seed of `order = "random"`. The order of a cluster does not depend on which others
#'   are asked for.
#' @inheritParams scan_images
#'
#' @returns A tibble: `cluster`, `rank`, `image_id`, `path`, `file`, `silhouette`, `distance`,
#'   `second_cluster`, `margin`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' find_images(demo_topics(), clusters = 1:2, n = 3)
find_images <- function(clustering, clusters = NULL, n = 9, order = "typical", seed = 0,
                        ...) {
  decode_table(call_verb("find_images"))
}
