#' How much of a clustering comes back when it is made again
#'
#' The clustering is refitted with its own settings, to all images with other seeds and to
#' random subsets. Each cluster is compared with the cluster of the refit that is most like it,
#' by the Jaccard coefficient: images in both, of those in either (Hennig 2007).
#'
#' A mean of .75 is taken for stable, one of .5 or less for dissolved. Stable is not the same
#' as right: a clustering that is wrong in the same way every time is stable. But what does not
#' come back should not be interpreted.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param embeddings The vectors it was made from: what [embed_images()] returned, or a matrix.
#' @param n_refits Refits of each kind.
#' @param subsample Share of the images in a subset.
#' @param seed Seeds of the refits, and the subsets.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per cluster and kind of refit: `cluster`, `size`, `kind`
#'   (`"seed"` or `"subsample"`), `jaccard` (mean), `jaccard_low` (5% quantile),
#'   `share_recovered` (of the refits, those with .75 or more) and `share_dissolved` (.5 or
#'   less). [tidy()][tidiers] with `"refits"` gives a row per refit, with the adjusted Rand
#'   index; [glance()][tidiers] a row per kind.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, progress = FALSE)
#' cluster_stability(topics, embeddings, n_refits = 3, progress = FALSE)
cluster_stability <- function(clustering,
                              embeddings,
                              n_refits = 20,
                              subsample = 0.8,
                              seed = 0,
                              progress = TRUE,
                              ...) {
  check_dots(...)
  sent <- call_verb("cluster_stability")
  new_result(sent, "imagestrata_stability", "clusters")
}

#' @export
tbl_sum.imagestrata_stability <- function(x, ...) {
  line <- glance(x)
  c(
    "Stability" = paste(count_of(length(unique(tidy(x)$cluster)), "cluster"), "refitted"),
    rlang::set_names(
      sprintf(
        "%d refits, adjusted Rand %.2f; %s of the clusters stable, %s dissolved",
        line$n_refits, line$adjusted_rand, percent(line$share_stable),
        percent(line$share_dissolved)
      ),
      c(seed = "Other seeds", subsample = "Subsamples")[line$kind]
    )
  )
}
