#' Let judged pairs say which encoder and which settings cluster best
#'
#' @description
#' Every combination of a grid is fitted to the vectors of every encoder and scored on judged
#' pairs as [score_clustering()] does. Combinations that differ only in what leaves an iteration
#' (`similarity_threshold`, `release_share`, `stop_size`, `patience`) share their fits until other
#' images remain.
#'
#' @details
#' Estimates, standard errors and intervals come from all pairs together. Nothing is fitted to the
#' pairs, so the estimate of each clustering is unbiased; that of the *best of many* is not.
#' `tidy(x, "heldout")` says what the choice holds: in turn each fold of the pairs is set aside, the
#' best on the other folds judges the pairs of that fold, and these pairs are scored together.
#'
#' Pairs that were drawn from one k-means say little about clusterings that differ elsewhere.
#' Draw them from the candidates: `sample_pairs(embeddings, grid = )` with the same grid. Pairs
#' without a column `probability` describe themselves, with a warning: a clustering that is worse
#' for the corpus can then score higher.
#'
#' With the default rule for what leaves, rank decides and `similarity_threshold` is only a floor,
#' so that many thresholds give the very same clusters; a warning says so, and the column `same_as`
#' which. A threshold decides with `release_share = 1` and with `preset = "paper"`.
#'
#' @param embeddings Embeddings, from [embed_images()], a matrix of vectors of your own, or a list
#'   of these for the same images. The names of the list name the encoders.
#' @param pairs Pairs with one judgement each, see [score_clustering()]; those without one are left
#'   out.
#' @param grid A named list of settings of [cluster_images()], `method` and `preset` among
#'   them: every combination is tried; or a list of several such lists. By default the paper's,
#'   with `preset = "paper"`: `step_size` 3 and 5, `similarity_threshold` 0 to .05.
#' @param measure The measure that decides: `"f1"`, `"mean_pr"` (the paper's F), `"precision"`,
#'   `"recall"` or, with graded judgements, `"quality"`.
#' @param folds Folds over which the choice is checked, each with its share of every stratum and
#'   judgement.
#' @param baselines Compare with every method that takes a number of clusters, single k-means
#'   above all, at the numbers that the candidates found? Numbers within a tenth of each other
#'   share one.
#' @param weighted Do the pairs stand for all pairs of images, each with the weight 1 /
#'   `probability`, or for themselves? By default they are weighted; pairs without a column
#'   `probability` are not, with a warning.
#' @param residual,same_from See [score_clustering()].
#' @param missing If encoders have not embedded the same images, or an image of a pair has no
#'   vector: `"error"`, or `"drop"` to leave out the pairs with an image that any encoder lacks,
#'   and count them in `glance(x)`. Every clustering is still fitted to all images of its encoder.
#' @param seed For the clusterings, the folds, and the draws of the intervals.
#' @param out A run folder. The result is stored in `tuning` in it; interrupted, it goes on
#'   with the first clustering that is not finished.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per clustering and measure: `candidate`, `same_as` (the first
#'   candidate with the very same clusters, often itself), `encoder`, `method`, `baseline`, the
#'   settings that vary, `n_clusters`, `share_residual`, `measure`, `weighting` (`"design"`: all
#'   pairs of images; `"none"`: the drawn pairs), `estimate`, `std.error`, `conf.low`, `conf.high`
#'   (95%), `n_pairs` (that count) and `settings` (all of them, as JSON). [glance()][tidiers] gives
#'   one row, [tidy()][tidiers] with `"heldout"` what the choice holds on pairs that had no say, and
#'   with `"selection"` the choice on each fold,
#'   [autoplot()][autoplot.imagestrata_tuning] the paper's Figures
#'   5 and 7, and [best_clustering()] the clustering itself.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' grid <- list(k = c(5, 10), release_share = 1)
#' pairs <- sample_pairs(embeddings, n = 60, grid = grid, progress = FALSE)
#' # What people might answer:
#' pairs$judgement <- as.integer(pairs$stratum != "0 of 2")
#' tuned <- tune_clusters(embeddings, pairs, grid, progress = FALSE)
#' tuned
#' tidy(tuned, "heldout")
tune_clusters <- function(embeddings,
                          pairs,
                          grid = NULL,
                          measure = "f1",
                          folds = 5,
                          baselines = TRUE,
                          weighted = NULL,
                          residual = "alone",
                          same_from = 1,
                          missing = "error",
                          seed = 0,
                          out = NULL,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  sent <- call_verb(
    "tune_clusters",
    embeddings = send_several(embeddings),
    pairs = encode_table(check_data_frame(pairs, "pairs", made_by = "consensus"))
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
  if (is_vectors(embeddings, any)) {
    return(send_rows(embeddings, "embeddings", call))
  }
  check_class(embeddings, "imagestrata_embeddings", "embeddings", "embed_images", call)
  send_embeddings(embeddings, "embeddings", call)
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
  send_json(grid, auto_unbox = TRUE, null = "null", na = "null", digits = NA)
}

#' @export
tbl_sum.imagestrata_tuning <- function(x, ...) {
  line <- glance(x)
  c(
    "Tuning" = paste0(
      count_of(line$n_candidates, "clustering"), " and ", count_of(line$n_baselines, "baseline"),
      ", ", count_of(line$n_pairs, "pair"),
      c(design = ", weighted", none = ", unweighted")[[line$weighting]],
      if (line$n_missing > 0) paste0(" (", line$n_missing, " with missing images left out)")
    ),
    "Best" = sprintf(
      "candidate %d, %s, %d clusters: %s %.3f (%.3f on pairs that had no say)",
      line$candidate, line$encoder, line$n_clusters, line$measure, line$estimate, line$heldout
    )
  )
}
