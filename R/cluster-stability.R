#' Measure the stability of a clustering
#'
#' Refits the clustering with its own settings, to all images with other seeds and to random
#' subsets. Each cluster is compared with the most similar cluster of the refit by the Jaccard
#' coefficient: the number of images in both, divided by the number of images in either (Hennig
#' 2007).
#'
#' A cluster with a mean of .75 or more is considered stable, one with a mean of .5 or less
#' dissolved. Stability does not imply validity: a clustering that is wrong in the same way every
#' time is stable. But do not interpret clusters that do not come back. Refits of a clustering that
#' was edited are not edited, as a warning says.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param embeddings The vectors that the clustering was made from: the result of [embed_images()],
#'   or a matrix.
#' @param n_refits Number of refits of each kind.
#' @param subsample Share of the images in a subset.
#' @param seed Seed for the refits and the subsets.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per cluster and kind of refit: `cluster`, `size`, `kind` (`"seed"`
#'   or `"subsample"`), `jaccard` (mean), `jaccard_low` (5% quantile), `share_recovered` (share of
#'   refits with .75 or more) and `share_dissolved` (share with .5 or less). [tidy()][tidiers] with
#'   `"refits"` gives a row per refit, with the adjusted Rand index; [glance()][tidiers] a row per
#'   kind.
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
  new_result(call_verb("cluster_stability"), "imagestrata_stability", "clusters")
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
