#' Measure how far annotators agree
#'
#' @param judgements The result of [read_pairs()], or a data frame with the columns `pair_id`,
#'   `annotator` and `judgement` (a number), one row per judgement. Not every annotator needs
#'   to have judged every pair.
#' @param level Whether judgements merely differ (`"nominal"`), have an order (`"ordinal"`), or
#'   have distances (`"interval"`), for Krippendorff's alpha. By default all three, or, with two
#'   different judgements (where all are the same), `"nominal"`. With `"nominal"` there are no
#'   weighted kappas.
#' @param n_boot Draws from which the intervals come.
#' @param conf_level Confidence level of the intervals.
#' @param seed Seed of the draws.
#' @inheritParams scan_images
#'
#' @details
#' Weighted kappas are those of `irr::kappa2(weight = "equal")` and `"squared"` where judgements are
#' a whole number apart from each other and every grade occurs; otherwise the distances of the
#' numbers count, not their ranks.
#'
#' Intervals come from a Bayesian bootstrap (Rubin 1981): each pair of images, with all its
#' judgements, has a random weight. It begins with one pair in all that is judged by chance, every
#' judgement being as likely as every other, instead of with nothing. So intervals do not vanish
#' where all annotators agree; for two annotators and two different judgements, that of
#' `percent_agreement` is Jeffreys'. Intervals lie between percentiles and say how the measure would
#' vary with other pairs, the annotators being the same.
#'
#' @returns A tibble with one row per measure: `measure`, `annotators` (the two, or `"all"`),
#'   `estimate`, `conf.low`, `conf.high`, `n_pairs` (with at least two judgements). Measures are:
#'
#'   - `percent_agreement` (as a share) and `cohen_kappa`, of each two annotators and their mean
#'     (`"all"`), of the kappas that are defined; a warning counts the others.
#'   - `cohen_kappa_linear` and `cohen_kappa_quadratic`, Cohen's weighted kappa of graded
#'     judgements: a disagreement weighs as much as the distance of the two judgements, or its
#'     square. Only where there are more than two different judgements.
#'   - `fleiss_kappa`, over the pairs with the most frequent number of judgements.
#'   - `krippendorff_alpha_nominal`, `..._ordinal`, `..._interval`.
#'
#'   A measure that is not defined, such as a kappa where all judgements are the same, is `NA`.
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
agreement <- function(judgements, level = NULL, n_boot = 1000, conf_level = 0.95, seed = 0, ...) {
  check_dots(...)
  decode_result(call_verb("agreement"))
}
