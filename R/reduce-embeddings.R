#' Reduce the dimension of embeddings
#'
#' Represents each image by fewer numbers, before clustering (above all by density) or for a map.
#'
#' @details The reduction is fitted to all given images together. New images cannot be added later:
#' embed and reduce all images again.
#'
#' UMAP needs Python's package umap-learn. Its first call in a session takes ten to twenty seconds
#' longer, because its code is compiled then.
#'
#' @param embeddings Embeddings, from [embed_images()] or [embed_text()], or a numeric matrix.
#' @param method `"pca"`, principal components, which keep most of the variance; or `"umap"`, which
#'   keeps neighbours together but does not keep large distances.
#' @param n_components Number of dimensions of the result. For `"pca"` also a share of the variance,
#'   above 0 and below 1. By default .8 of the variance for `"pca"`, and 10 for `"umap"`, the best
#'   choice in the study that introduced this road.
#' @param n_neighbors For `"umap"`: number of neighbours of each image; few show the finer
#'   structure, many the overall one.
#' @param min_dist For `"umap"`: smallest distance between images. 0 gives dense groups, which suit
#'   clustering by density; .01 or more suits figures.
#' @param metric For `"umap"`: `"euclidean"`, `"cosine"`, `"correlation"` or `"manhattan"`.
#' @param seed Seed: the same seed gives the same result on the same machine. With a seed UMAP uses
#'   one core; `NULL` uses all cores and gives a different result each time.
#' @param out A new run folder for the reduced vectors, different from that of `embeddings`.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns Embeddings of the same images, as [embed_images()] returns them, for [cluster_images()].
#'   `summary()` shows the settings. For `"pca"`, `attr(x, "explained_variance")` is the share of
#'   the variance that each component explains.
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
  sent <- call_verb("reduce_embeddings", seed = check_number(seed, "seed", null = TRUE))
  reduced <- new_embeddings(sent, absolute_path(out))
  shares <- from_json(sent[["encoder"]])[["explained_variance"]]
  attr(reduced, "explained_variance") <- if (!is.null(shares)) unlist(shares)
  reduced
}
