#' How compact and how separate clusters are in the space of their vectors
#'
#' These numbers compare clusterings of the same vectors, with similar shares of residual and
#' similar numbers of clusters. They do not compare encoders: that is what [tune_clusters()]
#' is for.
#'
#' @inheritParams cluster_stability
#' @inheritParams scan_images
#'
#' @returns A tibble with the columns `measure` and `estimate`: the mean `silhouette` (-1 to 1),
#'   `calinski_harabasz` (larger is better), `davies_bouldin` (smaller is better) and the
#'   `residual_share`, whose images the others leave out.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, progress = FALSE)
#' score_vectors(topics, embeddings)
score_vectors <- function(clustering, embeddings, ...) {
  check_dots(...)
  check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  decode_table(
    call_core("score_vectors", send_clustering(clustering), send_vectors(embeddings))
  )
}
