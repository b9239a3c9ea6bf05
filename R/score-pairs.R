#' Compare a clustering with people's judgements of pairs
#'
#' @description
#' Precision is the share that people put together of the pairs that the clustering puts
#' together; recall the share that the clustering puts together of those that people do.
#' `mean_pr`, the paper's F, is their plain mean and `f1` their harmonic mean. Quality is the
#' mean judgement of pairs in one cluster minus that of the others.
#'
#' @details
#' Unweighted measures describe the drawn pairs, among which pairs of one cluster are far more
#' frequent than in the corpus. Design-weighted ones stand for all pairs of images.
#'
#' Intervals come from a Bayesian bootstrap within strata, whose shares begin at Jeffreys' half
#' a pair: a handful of pairs between clusters stands for most pairs that belong together, and
#' resampling a handful gives intervals that are too narrow.
#'
#' Errors of judgement weigh on the weighted recall above all. Where one pair in twenty belongs
#' together, an error in twenty pairs doubles what seems to; `error_rate` takes that out, at
#' the price of wider intervals.
#'
#' @param clustering What [cluster_images()] returned, or a data frame with the columns
#'   `image_id` and `cluster` (-1 for the residual).
#' @param pairs Pairs with one `judgement` each, from 0 to 2, as [read_pairs()] or
#'   [consensus()] return them. Pairs without a judgement are left out, and the others of their
#'   stratum stand for them.
#' @param measures Some of `"precision"`, `"recall"`, `"f1"`, `"mean_pr"` and `"quality"`. By
#'   default all; quality only where a judgement is greater than 1. It needs 50 pairs in one
#'   cluster and 50 in two.
#' @param weighted Do the pairs stand for all pairs of images, each with the weight 1 /
#'   `probability`, or for themselves? By default both are reported; without a column
#'   `probability` the latter, with a warning.
#' @param residual `"alone"`: an image that belongs to no cluster counts as a cluster of its own;
#'   `"drop"`: its pairs are left out.
#' @param same_from The least judgement that says "these belong together".
#' @param error_rate Share of the judgements that are wrong, for which all measures but quality
#'   are corrected. Two annotators who err independently and agree on a share A of the pairs
#'   err in e = (1 - sqrt(2 A - 1)) / 2; the majority of three who do errs in 3 e^2 - 2 e^3.
#' @param missing If an image of a pair is not in the clustering: `"error"`, or `"drop"` to leave
#'   such pairs out and count them in `n_missing`. The measures are then those of pairs of images
#'   that are in the clustering: to compare clusterings, leave out the same pairs for each.
#' @param n_boot Draws from which the intervals come.
#' @param conf_level Confidence level of the intervals.
#' @param seed Seed of the draws.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per measure and weighting: `measure`, `weighting` (`"none"` or
#'   `"design"`), `estimate`, `conf.low`, `conf.high`, `n_pairs` (judged pairs that count),
#'   `n_residual` (pairs with a residual image, whether they count or not) and `n_missing` (pairs
#'   with an image that is not in the clustering, which do not count).
#' @seealso [score_labels()] where the true classes are known.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' ids <- topics$image_id[order(-topics$cluster)]
#' # What people might say of neighbours in this order:
#' pairs <- data.frame(
#'   pair_id = paste0("p", 1:40), image_a = ids[1:40], image_b = ids[2:41],
#'   judgement = rep(c(1, 1, 1, 0), 10)
#' )
#' score_pairs(topics, pairs, weighted = FALSE)
score_pairs <- function(clustering,
                        pairs,
                        measures = NULL,
                        weighted = NULL,
                        residual = "alone",
                        same_from = 1,
                        error_rate = 0,
                        missing = "error",
                        n_boot = 1000,
                        conf_level = 0.95,
                        seed = 0,
                        ...) {
  check_dots(...)
  if (!is.data.frame(clustering)) {
    check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  }
  scores <- call_core(
    "score_pairs",
    list(kind = "table", table = encode_table(plain_tibble(clustering))),
    encode_table(check_data(pairs, "pairs", "read_pairs")),
    measures = check_texts(measures, "measures"),
    weighted = if (!is.null(weighted)) check_flag(weighted, "weighted"),
    residual = check_string(residual, "residual"),
    same_from = check_number(same_from, "same_from"),
    error_rate = check_number(error_rate, "error_rate"),
    missing = check_string(missing, "missing"),
    n_boot = check_number(n_boot, "n_boot"),
    conf_level = check_number(conf_level, "conf_level"),
    seed = check_number(seed, "seed")
  )
  decode_result(scores)
}
