#' Measure how far annotators agree
#'
#' @param judgements What [read_pairs()] returned, or a data frame with the columns `pair_id`,
#'   `annotator` and `judgement` (a number), one row per judgement. Not every annotator needs
#'   to have judged every pair.
#' @param level For Krippendorff's alpha: whether judgements merely differ (`"nominal"`), have
#'   an order (`"ordinal"`), or have distances (`"interval"`). By default all three, or, with
#'   two different judgements (where all are the same), `"nominal"`.
#' @param n_boot Bootstrap samples of pairs, from which the intervals come.
#' @param confidence Confidence of the intervals.
#' @param seed Seed of the bootstrap.
#'
#' @returns A tibble with one row per measure: `measure`, `annotators` (the two, or `"all"`),
#'   `estimate`, `conf_low`, `conf_high`, `n_pairs` (with at least two judgements). Measures
#'   are `percent_agreement` (as a share) and `cohen_kappa`, of each two annotators and their
#'   mean; `fleiss_kappa`, over the pairs with the most frequent number of judgements; and
#'   `krippendorff_alpha_nominal`, `..._ordinal`, `..._interval`. A measure that is not defined,
#'   such as a kappa where all judgements are the same, is `NaN`.
#' @seealso [consensus()] makes one judgement of several.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' judgements <- data.frame(
#'   pair_id = rep(paste0("p", 1:10), 2),
#'   annotator = rep(c("anna", "ben"), each = 10),
#'   judgement = c(1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1)
#' )
#' agreement(judgements)
agreement <- function(judgements, level = NULL, n_boot = 1000, confidence = 0.95, seed = 0) {
  measures <- call_core(
    "agreement",
    encode_table(check_data(judgements, "judgements", "read_pairs")),
    level = check_string(level, "level", null = TRUE),
    n_boot = check_number(n_boot, "n_boot"),
    confidence = check_number(confidence, "confidence"),
    seed = check_number(seed, "seed")
  )
  decode_table(measures)
}
