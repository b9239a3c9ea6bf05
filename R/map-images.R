#' Images on a plane, alike ones near each other
#'
#' @details
#' A map is for looking: of UMAP's, neither the size of a group nor the distance between two
#' groups far from each other means anything. Cluster the embeddings, not the map.
#'
#' @param embeddings The vectors that were clustered: embeddings, from [embed_images()], or a
#'   numeric matrix with a row per image.
#' @param method `"umap"` shows which images are neighbours, and needs the Python package
#'   umap-learn. `"pca"`, the first two principal components, is quick and shows the largest
#'   differences, with clusters on top of each other.
#' @param n_neighbors For `"umap"`: neighbours of each image that the map is to keep close. More
#'   show the large shape, fewer the details.
#' @param min_dist For `"umap"`: how tightly points may lie.
#' @param seed The same seed gives the same map on one machine; UMAP runs in one thread for it.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `x`, `y`, `method`. For
#'   [`autoplot(topics, "map", points)`][autoplot.imagestrata_clustering], and for
#'   [image_gallery()], where one can move about in it.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, progress = FALSE)
#' points <- map_images(embeddings, "pca", progress = FALSE)
#' autoplot(topics, "map", points = points)
map_images <- function(embeddings,
                       method = "umap",
                       n_neighbors = 25,
                       min_dist = 0.01,
                       seed = 0,
                       progress = TRUE,
                       ...) {
  check_dots(...)
  decode_table(call_verb("map_images"))
}
