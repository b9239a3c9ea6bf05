#' Draw pairs of images for people to judge
#'
#' Two images taken at random hardly ever belong together. So images are sorted first, and pairs
#' of one cluster, which often belong together, are drawn more frequently than others. The
#' probability of each pair undoes that, see [score_clustering()].
#'
#' By default a single k-means sorts the images, as in the paper. To *compare* clusterings, draw
#' the pairs from them (`clusterings`) or from the candidates of a grid (`grid`, the same as for
#' [tune_clusters()]): then each of them has judged pairs where it differs from the others.
#'
#' The pairs that several clusterings put together share `share_within` equally among their
#' strata; a stratum with too few pairs is taken whole, and the others get what is left.
#'
#' @param embeddings Embeddings, from [embed_images()], a numeric matrix of vectors of your own, a
#'   row per image, or a list of these. With several encoders, pairs are drawn from a k-means of
#'   each.
#' @param n Number of pairs. The default is that of the paper.
#' @param k Clusters of the k-means, fewer than there are images. Without effect where
#'   `clusterings` or `grid` is given.
#' @param share_within Share of the pairs whose images lie in one cluster, of any of the
#'   clusterings.
#' @param clusterings The clusterings from which the pairs are drawn: what [cluster_images()]
#'   returned, a data frame with `image_id` and `cluster` (-1 for the residual, whose images are
#'   apart from all), or a list of these.
#' @param grid Draw the pairs from every combination of settings, for every encoder, see
#'   [tune_clusters()]. They are fitted with `seed`.
#' @param missing If encoders or clusterings are not of the same images: `"error"`, or `"drop"` to
#'   draw from the images that all have.
#' @param seed Decides the clusters, the pairs, their order and which image stands left.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per pair, in random order: `pair_id`, `image_a` and
#'   `image_b` (left and right, at random), `path_a`, `path_b`, `stratum`, `N_h`, the number of all
#'   pairs of the stratum, and `probability`, with which the pair came into the sample. No pair
#'   occurs twice. With one clustering the strata are `"within"` and `"between"` its clusters;
#'   with several they say how many of the (different) clusterings put the pair together:
#'   `"0 of 12"`, `"1-3 of 12"`, ..., `"10-12 of 12"`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' sample_pairs(embeddings, n = 40, k = 5)
#' # To choose between the settings of a grid:
#' sample_pairs(embeddings, n = 40, grid = list(k = c(5, 10)), progress = FALSE)
sample_pairs <- function(embeddings,
                         n = 554,
                         k = 80,
                         share_within = 0.5,
                         clusterings = NULL,
                         grid = NULL,
                         missing = "error",
                         seed = 0,
                         out = NULL,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  check_dots(...)
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
      "{.arg clusterings} must be what {.fn cluster_images} returned, a data frame with
       {.var image_id} and {.var cluster}, or a list of these, not {seen(clusterings)}.",
      call = call
    )
  }
  several <- lapply(unname(listed), \(one) {
    list(kind = "table", table = encode_table(plain_tibble(one), call))
  })
  list(kind = "several", several = several, names = NULL)
}
