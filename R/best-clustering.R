#' Fit the best clustering of a tuning again
#'
#' @param tuned The result of [tune_clusters()].
#' @param embeddings The embeddings that were tuned.
#' @param one_standard_error Take the clustering with the fewest clusters among those whose
#'   difference from the best is at most one standard error of this difference, instead of the best
#'   itself?
#' @param out A run folder. Clusters of reduced vectors need a run folder of their own, in which the
#'   vectors are stored, too.
#' @inheritParams scan_images
#' @inheritParams cluster_images
#'
#' @returns The clustering that was scored, fitted again; see [cluster_images()]. Baselines are
#'   never chosen. A warning tells you if fewer than 200 pairs decide, or if a baseline scored
#'   higher. (With fewer than 200 pairs a precision of .8 has a standard error of .04 or more, about
#'   the difference between neighbours in a grid.)
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 200, k = 8)
#' pairs$judgement <- as.integer(pairs$stratum == "within") # as people might answer
#' tuned <- tune_clusters(embeddings, pairs, list(k = c(5, 10)), progress = FALSE)
#' best_clustering(tuned, embeddings, progress = FALSE)
best_clustering <- function(tuned,
                            embeddings,
                            one_standard_error = FALSE,
                            out = NULL,
                            overwrite = FALSE,
                            progress = TRUE,
                            ...) {
  check_dots(...)
  check_class(tuned, "imagestrata_tuning", "tuned", "tune_clusters")
  # Python restores a tuning from all its tables and its settings.
  sent <- list(
    kind = "tuning", tables = lapply(attr(tuned, "tables"), encode_result),
    settings = as.character(attr(tuned, "settings"))
  )
  made <- call_verb("best_clustering", tuned = sent, embeddings = send_several(embeddings))
  new_clustering(made, absolute_path(out))
}
