#' Draw pairs of images for annotators to judge
#'
#' Two random images rarely belong together. The images are therefore clustered first, and pairs
#' within a cluster, which often belong together, are drawn more frequently than others. So are
#' pairs between clusters whose images look alike. The sampling probability of each pair corrects
#' for both, see [score_clustering()].
#'
#' By default a single k-means clusters the images, as in the paper. To *compare* clusterings, draw
#' the pairs from them (`clusterings`) or from the candidates of a grid (`grid`, the same as for
#' [tune_clusters()]): then each of them has judged pairs on which it differs from the others.
#'
#' The pairs that several clusterings put together share `share_within` equally among their strata;
#' a stratum with too few pairs is drawn completely, and the others share the rest.
#'
#' Nearness of a pair between clusters is the cosine of the centres of the two images' clusters in
#' the k-means of `k` clusters (of the first encoder). Pairs are ordered by it and divided into four
#' strata: the nearest 1/64 of all pairs between clusters, those up to 1/16, up to 1/4, and the
#' rest. The last one receives half of the pairs, because most pairs are in it, and the others share
#' the rest equally. Probabilities are exact, and no pair has probability 0.
#'
#' Weighted precision gives every pair the same weight, and so a cluster of 400 images 400 times the
#' weight of one of 20. With `within = "per_cluster"` large clusters have few judged pairs: on
#' photographs the interval of precision was twice as wide as with `"per_pair"`.
#' Use it to look at every cluster; use `"per_image"` for a compromise.
#'
#' Plain random pairs, with `k = 1`, all have the same probability, n / (N (N - 1) / 2) of N images,
#' so that unweighted measures describe all pairs, too. No pair is within or between clusters:
#' `share_within`, `within` and `between` have no effect. Few random pairs belong together, and
#' precision and recall are estimated from these few: of 554 pairs, 28 if one pair in twenty belongs
#' together. Use it if you want no assumption about clusters, such as for the share of pairs that
#' belong together.
#'
#' @param embeddings Embeddings, from [embed_images()], a numeric matrix of vectors of your own, a
#'   row per image, or a list of these. With several encoders, pairs are drawn from a k-means of
#'   each.
#' @param n Number of pairs; the default is that of the paper.
#' @param k Number of clusters of the k-means, less than the number of images. With 1 there are no
#'   clusters, and the pairs are a simple random sample of all pairs. With `clusterings` or `grid`,
#'   the k-means only orders the pairs between their clusters.
#' @param share_within Share of pairs whose images are in one cluster, in any of the clusterings. A
#'   larger one makes weighted precision more precise and weighted recall less.
#' @param within How pairs within clusters are divided among the clusters: `"per_pair"`, in
#'   proportion to the number of their pairs, in which a few large clusters supply most of them;
#'   `"per_image"`, in proportion to the number of their images; or `"per_cluster"`, equally, which
#'   the paper calls "more balanced".
#' @param between How pairs between clusters are drawn: `"near"`, pairs of similar images with a
#'   higher probability; or `"random"`, all with the same one.
#' @param clusterings The clusterings from which the pairs are drawn: the result of
#'   [cluster_images()], a data frame with `image_id` and `cluster` (-1 for the residual, whose
#'   images form no pairs within), or a list of these.
#' @param grid A grid of settings, see [tune_clusters()]: the pairs are drawn from the clusterings
#'   of every combination, for every encoder. They are fitted with `seed`.
#' @param missing Treatment of encoders or clusterings of different images: `"error"`, or `"drop"`
#'   to draw from the images that all contain.
#' @param seed Seed for the clusters, the pairs, their order and the left image of each pair.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per pair, in random order: `pair_id`, `image_a` and `image_b`
#'   (left and right, at random), `path_a`, `path_b`, `stratum`, `N_h`, the number of all pairs in
#'   the stratum, and `probability`, the sampling probability. No pair occurs twice.
#'
#'   - With one clustering the strata are `"within"` its clusters, and `"between 1"` (nearest) to
#'     `"between 4"` (farthest). If the pairs within are divided by image or by cluster, strata are
#'     clusters, numbered by size: `"within 1"` (largest), `"within 2"`, .... Clusters that would
#'     receive fewer than two pairs share a stratum: `"within 12-15"`.
#'   - With several clusterings the strata are the number of (different) clusterings that put the
#'     pair together: `"0 of 12, 1"` (nearest) to `"0 of 12, 4"`, `"1-3 of 12"`, ..., `"10-12 of
#'     12"`.
#'   - With `between = "random"` there is one stratum `"between"` or `"0 of 12"`.
#'   - With `k = 1` there is one stratum `"all"`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' sample_pairs(embeddings, n = 40, k = 5)
#' # A simple random sample of all pairs:
#' sample_pairs(embeddings, n = 40, k = 1)
#' # To choose between the settings of a grid:
#' sample_pairs(embeddings, n = 40, grid = list(k = c(5, 10)), progress = FALSE)
sample_pairs <- function(embeddings,
                         n = 554,
                         k = 80,
                         share_within = 0.3,
                         within = "per_pair",
                         between = "near",
                         clusterings = NULL,
                         grid = NULL,
                         missing = "error",
                         seed = 0,
                         out = NULL,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  decode_table(call_verb(
    "sample_pairs",
    embeddings = send_several(embeddings), clusterings = send_clusterings(clusterings)
  ))
}

# One clustering, or several in a list: tables with image_id and cluster.
send_clusterings <- function(clusterings, call = rlang::caller_env()) {
  if (is.null(clusterings)) {
    return(NULL)
  }
  listed <- if (is.data.frame(clusterings)) list(clusterings) else clusterings
  if (!is.list(listed) || !all(vapply(listed, is.data.frame, TRUE))) {
    abort_imagestrata(
      "{.arg clusterings} must be the result of {.fn cluster_images}, a data frame with {.var
       image_id} and {.var cluster}, or a list of these, not {seen(clusterings)}.",
      call = call
    )
  }
  several <- lapply(unname(listed), \(one) {
    list(kind = "table", table = encode_table(plain_tibble(one), call))
  })
  list(kind = "several", several = several, names = NULL)
}
