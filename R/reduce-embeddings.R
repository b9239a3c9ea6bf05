#' Describe every image with fewer numbers
#'
#' Before clustering, above all by density, or for a map.
#'
#' @details
#' The reduction is fitted to all given images together. New images cannot be put
#' among them later: embed and reduce all of them again.
#'
#' UMAP needs Python's package umap-learn. Its first call in a session takes some ten to twenty
#' seconds more, since it is compiled then.
#'
#' @param embeddings Embeddings, from [embed_images()] or [embed_text()], or a numeric matrix.
#' @param method `"pca"`, principal components, which keep what varies most; or `"umap"`, which
#'   keeps who is whose neighbour and lets go of distances between those far apart.
#' @param n_components Numbers per image in the result. For `"pca"` also a share of the variance,
#'   above 0 and below 1. By default .8 of the variance for `"pca"`, and 10 for `"umap"`, the
#'   best choice of the study that this road comes from.
#' @param n_neighbors For `"umap"`: neighbours that every image counts as its own; few show the
#'   finer structure, many the overall one.
#' @param min_dist For `"umap"`: how near to each other images may come to lie. 0 packs groups
#'   densely, as clustering by density likes it; .01 or more is easier on the eye.
#' @param metric For `"umap"`: `"euclidean"`, `"cosine"`, `"correlation"` or `"manhattan"`.
#' @param seed Same seed and same machine, same result. With a seed UMAP runs on one core;
#'   `NULL` uses all of them and gives another result every time.
#' @param out A run folder of its own for the reduced vectors, not that of the given ones.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns What [embed_images()] returns, of the same images, for [cluster_images()].
#'   `summary()` says how it was made. For `"pca"`, `attr(x, "explained_variance")` is the share
#'   of the variance that each component holds.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' reduced <- reduce_embeddings(embeddings, n_components = 5, progress = FALSE)
#' reduced
#' attr(reduced, "explained_variance")
#' cluster_images(reduced, "kmeans", n_clusters = 7, progress = FALSE)
reduce_embeddings <- function(embeddings,
                              method = "pca",
                              n_components = NULL,
                              n_neighbors = 15,
                              min_dist = 0,
                              metric = "euclidean",
                              seed = 0,
                              out = NULL,
                              overwrite = FALSE,
                              progress = TRUE,
                              ...) {
  check_dots(...)
  out <- check_path(out, "out", null = TRUE)
  sent <- call_verb("reduce_embeddings", seed = check_number(seed, "seed", null = TRUE))
  reduced <- new_embeddings(sent, out)
  shares <- from_json(sent[["encoder"]])[["explained_variance"]]
  attr(reduced, "explained_variance") <- if (!is.null(shares)) unlist(shares)
  reduced
}
