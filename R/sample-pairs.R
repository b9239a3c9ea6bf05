#' Draw pairs of images for people to judge
#'
#' Two images taken at random hardly ever belong together. So k-means sorts the images first,
#' and pairs of one cluster, which often do, are drawn more frequently than others. The
#' probability of each pair undoes that, see [score_pairs()].
#'
#' @param embeddings What [embed_images()] returned, or a numeric matrix of vectors of your
#'   own, a row per image.
#' @param n Number of pairs. The default is that of the paper.
#' @param k Clusters of the k-means, fewer than there are images.
#' @param share_within Share of the pairs whose images lie in one cluster.
#' @param seed Decides the clusters, the pairs, their order and which image stands left.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per pair, in random order: `pair_id`, `image_a` and
#'   `image_b` (left and right, at random), `path_a`, `path_b`, `stratum` (`"within"` or
#'   `"between"` clusters), `N_h`, the number of all pairs of the stratum, and `probability`,
#'   with which the pair came into the sample. No pair occurs twice.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' sample_pairs(embeddings, n = 40, k = 5)
sample_pairs <- function(embeddings,
                         n = 554,
                         k = 80,
                         share_within = 0.5,
                         seed = 0,
                         out = NULL,
                         overwrite = FALSE) {
  if (!(is.matrix(embeddings) && is.numeric(embeddings))) {
    check_class(embeddings, "imagestrata_embeddings", "embeddings", "embed_images")
  }
  pairs <- call_core(
    "sample_pairs",
    send(embeddings, "embeddings"),
    check_number(n, "n"),
    check_number(k, "k"),
    share_within = check_number(share_within, "share_within"),
    seed = check_number(seed, "seed"),
    out = check_path(out, "out", null = TRUE),
    overwrite = check_flag(overwrite, "overwrite")
  )
  decode_table(pairs)
}
