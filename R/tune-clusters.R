#' Let judged pairs say which encoder and which settings cluster best
#'
#' @description
#' Every combination of a grid is fitted to the vectors of every encoder and scored on judged
#' pairs, with cross-validation over pairs. What combinations have in common is computed once:
#' those that differ only in what leaves an iteration (`similarity_threshold`, `release_share`,
#' `stop_size`, `patience`) share their fits until other images remain.
#'
#' @details
#' Nothing is fitted to the pairs, so the estimate of each clustering is unbiased; that of the
#' *best of many* is not. `tidy(x, "selection")` says what choosing holds on pairs that had no
#' say: its mean is what to expect of the chosen clustering. Pairs that share an image are not
#' independent, so that intervals are somewhat too narrow.
#'
#' With the default rule for what leaves, rank decides and the threshold is only a floor: the
#' paper's thresholds then hardly differ. They do with `preset = "paper"`.
#'
#' @param embeddings What [embed_images()] returned, a matrix of vectors of your own, or a list
#'   of these for the same images. The names of the list name the encoders.
#' @param pairs Pairs with one judgement each, see [score_pairs()]; those without one are left
#'   out.
#' @param grid A named list of settings of [cluster_images()], `method` and `preset` among
#'   them: every combination is tried; or a list of several such lists. By default the paper's:
#'   `step_size` 3 and 5, `similarity_threshold` 0 to .05.
#' @param measure What decides: `"f1"`, `"mean_pr"` (the paper's F), `"precision"`, `"recall"`
#'   or, with graded judgements, `"quality"`.
#' @param folds Folds of the cross-validation, each with its share of every stratum and
#'   judgement.
#' @param baselines Compare with every method that takes a number of clusters, single k-means
#'   above all, at the numbers that the candidates found? Numbers within a tenth of each other
#'   share one.
#' @param weighted Weight pairs by the inverse of their sampling probability? Without, levels
#'   are those of the drawn pairs, as in the paper, but comparisons are less noisy.
#' @param residual,same_from See [score_pairs()].
#' @param seed For the clusterings and for the folds.
#' @param out A run folder. The result is stored in `tuning` in it; interrupted, it goes on
#'   with the first clustering that is not finished.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per clustering and measure: `candidate`, `encoder`, `method`,
#'   `baseline`, the settings that vary, `n_clusters`, `share_residual`, `measure`, `estimate`
#'   (mean over folds), `std_error`, `conf_low`, `conf_high` (95%) and `settings` (all of them,
#'   as JSON). [glance()][tidiers] gives one row, [tidy()][tidiers] with `"folds"` and
#'   `"selection"` further tables, [autoplot()][autoplot.imagestrata_tuning] the paper's Figures
#'   5 and 7, and [best_clustering()] the clustering itself.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 60, k = 8)
#' # What people might answer:
#' pairs$judgement <- as.integer(pairs$stratum == "within")
#' tuned <- tune_clusters(embeddings, pairs, list(k = c(5, 10)), progress = FALSE)
#' tuned
#' tidy(tuned, "selection")
tune_clusters <- function(embeddings,
                          pairs,
                          grid = NULL,
                          measure = "f1",
                          folds = 5,
                          baselines = TRUE,
                          weighted = FALSE,
                          residual = "apart",
                          same_from = 1,
                          seed = 0,
                          out = NULL,
                          overwrite = FALSE,
                          progress = TRUE) {
  sent <- call_core(
    "tune_clusters",
    send_several(embeddings),
    encode_table(check_data(pairs, "pairs", "consensus")),
    check_grid(grid),
    measure = check_string(measure, "measure"),
    folds = check_number(folds, "folds"),
    baselines = check_flag(baselines, "baselines"),
    weighted = check_flag(weighted, "weighted"),
    residual = check_string(residual, "residual"),
    same_from = check_number(same_from, "same_from"),
    seed = check_number(seed, "seed"),
    out = check_path(out, "out", null = TRUE),
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress)
  )
  new_result(sent, "imagestrata_tuning", "results")
}

# Embeddings of one encoder, or of several by name.
send_several <- function(embeddings, call = rlang::caller_env()) {
  if (rlang::is_bare_list(embeddings) && length(embeddings) > 0) {
    names <- if (rlang::is_named2(embeddings)) as.list(names(embeddings))
    several <- lapply(unname(embeddings), send_vectors, call = call)
    return(list(kind = "several", several = several, names = names))
  }
  send_vectors(embeddings, call)
}

send_vectors <- function(embeddings, call = rlang::caller_env()) {
  if (!(is.matrix(embeddings) && is.numeric(embeddings))) {
    check_class(embeddings, "imagestrata_embeddings", "embeddings", "embed_images", call)
  }
  send(embeddings, "embeddings", call)
}

check_grid <- function(grid, call = rlang::caller_env()) {
  if (is.null(grid)) {
    return(NULL)
  }
  several <- is.list(grid) && length(grid) > 0 && all(vapply(grid, rlang::is_named, TRUE)) &&
    all(vapply(grid, is.list, TRUE))
  if (!several && !(is.list(grid) && rlang::is_named(grid))) {
    abort_imagestrata(
      "{.arg grid} must be a named list of settings, not {seen(grid)}.",
      hint = "Such as {.code list(k = c(10, 15), similarity_threshold = c(0.03, 0.05))}.",
      call = call
    )
  }
  as.character(jsonlite::toJSON(
    as.list(grid), auto_unbox = TRUE, null = "null", na = "null", digits = NA
  ))
}
