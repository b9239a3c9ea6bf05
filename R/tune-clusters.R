#' Find the best encoder and settings by judged pairs
#'
#' @description Fits every combination of settings to the vectors of every encoder, and scores the
#' clusterings on judged pairs as [score_clustering()] does. Combinations that differ only in the
#' release of clusters (`similarity_threshold`, `release_share`, `stop_size`, `patience`) share
#' their fits as long as the same images remain.
#'
#' @details Estimates, standard errors and intervals come from all pairs together. Nothing is fitted
#' to the pairs, so the estimate of each clustering is unbiased; that of the *best of many* is not.
#' `tidy(x, "heldout")` estimates the performance of the choice by cross-validation: each fold of
#' the pairs is scored by the clustering that is best on the other folds.
#'
#' `tidy(x, "differences")` compares all pairs of different clusterings, baselines included, on the
#' same judged pairs. Its intervals come from draws that give each judged pair a random weight, the
#' same for all clusterings (the Bayesian bootstrap of Rubin 1981 in each stratum), so that what two
#' clusterings have in common cancels. Each interval is for one comparison that was planned. The
#' choice of the best among many is another question: `may_be_best` marks the clusterings that are
#' not significantly worse than any other, in comparisons of each with all others (Hsu 1984). This
#' set contains the best clustering of the grid with 95% confidence, however many there are.
#'
#' Pairs that were drawn from one k-means say little about differences between other clusterings.
#' Draw them from the candidates: `sample_pairs(embeddings, grid = )` with the same grid. Pairs
#' without a column `probability` represent only themselves, with a warning: a clustering that is
#' worse for the corpus can then score higher.
#'
#' By default, clusters are released by rank, and `similarity_threshold` is only a lower limit, so
#' many thresholds give identical clusters; a warning reports this, and the column `same_as` names
#' them. The threshold decides with `preset = "paper"`, and with `release_share = 1` and
#' `neighbors = NULL`: silhouettes after the neighbourhood step are much higher than thresholds of
#' vectors.
#'
#' @param embeddings Embeddings, from [embed_images()], a matrix of vectors of your own, or a list
#'   of these for the same images. The names of the list name the encoders.
#' @param pairs Pairs with one judgement each, see [score_clustering()]; those without one are left
#'   out.
#' @param grid A named list of settings of [cluster_images()], `method` and `preset` among them:
#'   every combination is fitted; or a list of several such lists. `NULL` among the values, as in
#'   `list(neighbors = list(NULL, 15))`, is a value, too. By default the paper's, with
#'   `preset = "paper"`: `step_size` 3 and 5, `similarity_threshold` 0 to .05. With `reduction`
#'   (`"pca"`, `"umap"` or `NULL`), vectors are reduced first, each once, as [reduce_embeddings()]
#'   does; `n_components`, `n_neighbors`, `min_dist` and `metric` are then its settings:
#'   `list(method = "hdbscan", reduction = "umap", n_components = c(5, 10),
#'   n_neighbors = c(5, 15, 30), min_cluster_size = c(50, 100))`.
#' @param measure The measure that decides: `"f1"`, `"mean_pr"` (the paper's F), `"precision"`,
#'   `"recall"` or, with graded judgements, `"quality"`.
#' @param folds Number of folds of the cross-validation, stratified by stratum and judgement.
#' @param baselines Also fit baselines, above all a single k-means, with the numbers of clusters
#'   that the candidates have? Numbers within a tenth of each other share a baseline.
#' @param weighted Do the pairs represent all pairs of images, each with the weight 1 /
#'   `probability` (`TRUE`), or only themselves (`FALSE`)? By default they are weighted; pairs
#'   without a column `probability` are not, with a warning.
#' @param residual,same_from See [score_clustering()].
#' @param missing Treatment of images of pairs that an encoder has not embedded: `"error"`, or
#'   `"drop"` to leave out the pairs with such an image, and count them in `glance(x)`. Every
#'   clustering is still fitted to all images of its encoder.
#' @param seed Seed for the clusterings, the folds, and the draws of the intervals.
#' @param out A run folder. The result is stored in its folder `tuning`; an interrupted call
#'   continues with the first unfinished clustering.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per clustering and measure: `candidate`, `same_as` (the first
#'   candidate with identical clusters, often itself), `encoder`, `method`, `baseline`, the settings
#'   that vary, `n_clusters`, `share_residual`, `measure`, `weighting` (`"design"`: all pairs of
#'   images; `"none"`: the drawn pairs), `estimate`, `std.error`, `conf.low`, `conf.high` (95%),
#'   `n_pairs` (pairs that are used), `may_be_best` (in the set that contains the best with 95%
#'   confidence; `FALSE` for baselines) and `settings` (all of them, as JSON). [glance()][tidiers]
#'   returns one row; [tidy()][tidiers] with `"heldout"` the performance of the choice on held-out
#'   pairs, with `"selection"` the choice on each fold, and with `"differences"` a row per pair of
#'   different clusterings and measure: `candidate_a`, `candidate_b`, `measure`, `estimate` (that of
#'   a minus that of b), `std.error`, `conf.low`, `conf.high` (95%, for this comparison alone) and
#'   `n_differ` (judged pairs that only one of the two puts together);
#'   [autoplot()][autoplot.imagestrata_tuning] draws the paper's Figures 5 and 7;
#'   [best_clustering()] returns the clustering itself.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' grid <- list(k = c(5, 10), release_share = 1)
#' pairs <- sample_pairs(embeddings, n = 60, grid = grid, progress = FALSE)
#' # What people might answer:
#' pairs$judgement <- as.integer(!startsWith(pairs$stratum, "0 of 2"))
#' tuned <- tune_clusters(embeddings, pairs, grid, progress = FALSE)
#' tuned
#' tidy(tuned, "heldout")
#' tidy(tuned, "differences")
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
      hint = "For example {.code list(k = c(10, 15), similarity_threshold = c(0.03, 0.05))}.",
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
      "candidate %d, %s, %d clusters: %s %.3f (%.3f on held-out pairs); %s may be the best",
      line$candidate, line$encoder, line$n_clusters, line$measure, line$estimate, line$heldout,
      count_of(line$n_may_be_best, "clustering")
    )
  )
}
