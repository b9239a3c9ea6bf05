#' Make the clustering that judged pairs chose
#'
#' @param tuned The result of [tune_clusters()].
#' @param embeddings The same as were tuned.
#' @param one_standard_error Of the clusterings whose estimate lies within one standard error (that
#'   of the best) of the best take the one with the fewest clusters, the simplest to read, instead
#'   of the best itself?
#' @inheritParams scan_images
#' @inheritParams cluster_images
#'
#' @returns The clustering that was scored, fitted again; see [cluster_images()]. Baselines are
#'   never chosen. A warning says where fewer than 200 pairs decide (a precision of .8 then has
#'   a standard error of .04 or more, which is what neighbours in a grid differ by), or where a
#'   baseline scored higher.
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
  out <- check_path(out, "out", null = TRUE)
  sent <- call_verb(
    "best_clustering",
    tuned = send_result(tuned), embeddings = send_several(embeddings)
  )
  new_clustering(sent, out)
}

# All tables of a tuning and its settings, from which Python restores it.
send_result <- function(x) {
  list(
    kind = "tuning",
    tables = lapply(attr(x, "tables"), encode_result),
    settings = to_json(attr(x, "settings"))
  )
}
