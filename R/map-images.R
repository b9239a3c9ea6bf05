#' Place images on a plane, with similar images close together
#'
#' @details Use a map for exploration only. On a map by UMAP, you cannot interpret the size of a
#' group or the distance between two remote groups. Cluster the embeddings, not the map.
#'
#' @param embeddings The vectors that were clustered: embeddings, from [embed_images()], or a
#'   numeric matrix with a row per image.
#' @param method `"umap"` shows which images are neighbours, and needs the Python package
#'   umap-learn. `"pca"`, the first two principal components, is fast and shows the largest
#'   differences, but clusters overlap.
#' @param n_neighbors For `"umap"`: number of neighbours of each image that stay close to it on the
#'   map. More neighbours show the overall structure, fewer the details.
#' @param min_dist For `"umap"`: smallest distance between points.
#' @param seed Seed: the same seed gives the same map on one machine. UMAP therefore uses one
#'   thread.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `x`, `y`, `method`. Use it for
#'   [`autoplot(topics, "map", points)`][autoplot.imagestrata_clustering] and [image_gallery()].
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
  decode_table(call_verb("map_images"))
}
