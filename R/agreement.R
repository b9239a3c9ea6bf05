#' Measure agreement between annotators
#'
#' @param answers Judged pairs, from [read_pairs()], or a data frame with the columns `pair_id`,
#'   `annotator` and `judgement` (a number), one row per judgement, and with several questions the
#'   column `question`. Or labels, from [read_labels()], or a data frame with the columns
#'   `image_id`, `code`, `label` and `annotator`. Not every annotator needs to have judged every
#'   pair, or labelled every image.
#' @param level Level of measurement for Krippendorff's alpha: answers are categories
#'   (`"nominal"`), have an order (`"ordinal"`) or have distances (`"interval"`). By default all
#'   three for judgements; with only two different judgements, for which the three are identical,
#'   `"nominal"`. For labels `"nominal"` for yes or no and for choices, `"ordinal"` and `"interval"`
#'   for scales. With `"nominal"` no weighted kappas are reported.
#' @param n_boot Number of bootstrap draws for the intervals.
#' @param conf_level Confidence level of the intervals.
#' @param seed Seed of the draws.
#' @inheritParams scan_images
#'
#' @details Labels of images are compared in the same way as judgements of pairs. A skipped image
#' has no label, and free text is left out, with a warning.
#'
#' Weighted kappas are those of `irr::kappa2(weight = "equal")` and `"squared"` if
#' judgements are consecutive whole numbers and every grade occurs. Otherwise they use the distances
#' between the numbers, not their ranks.
#'
#' Intervals come from a Bayesian bootstrap (Rubin 1981): each pair of images, with all its
#' judgements, receives a random weight. The prior is worth one pair that is judged at random, with
#' every judgement equally likely. Intervals therefore keep a positive width even if all annotators
#' agree; for two annotators and two different judgements, the interval of `percent_agreement` is
#' Jeffreys'. The limits are percentiles. They describe how the measure would vary with other pairs
#' and the same annotators.
#'
#' @returns A tibble with one row per measure: `measure`, `annotators` (the two annotators, or
#'   `"all"`; with a model among them `"people"`, and `"people and models"` for the mean over pairs
#'   of a person and a model), `estimate`, `conf.low`, `conf.high`, `n_pairs` (with at least two
#'   judgements). With several questions, these rows for each `question`; a warning names those to
#'   which no pair has two answers. For labels, these rows for each `code`, and `n_images` instead
#'   of `n_pairs`. Measures are:
#'
#'   - `percent_agreement` (as a share) and `cohen_kappa`, for each two annotators, and the mean
#'     over them (`"all"`). The mean is that of the kappas that are defined; a warning counts the
#'     others.
#'   - `cohen_kappa_linear` and `cohen_kappa_quadratic`, Cohen's weighted kappa for graded
#'     judgements: the weight of a disagreement is the distance between the two judgements, or its
#'     square. Reported only with more than two different judgements.
#'   - `fleiss_kappa`, over the pairs with the most frequent number of judgements.
#'   - `krippendorff_alpha_nominal`, `..._ordinal`, `..._interval`.
#'
#'   An undefined measure is `NA`, for example a kappa if all judgements are the same.
#' @seealso [consensus()] combines several judgements into one.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' judgements <- data.frame(
#'   pair_id = rep(paste0("p", 1:10), 2),
#'   annotator = rep(c("anna", "ben"), each = 10),
#'   judgement = c(1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1)
#' )
#' agreement(judgements)
agreement <- function(answers, level = NULL, n_boot = 1000, conf_level = 0.95, seed = 0, ...) {
  check_dots(...)
  check_data_frame(answers, "answers", made_by = "read_pairs")
  decode_result(call_verb("agreement", answers = send_answers(answers)))
}

# Judged pairs, or labels with one row each, whose labels may be numbers or TRUE and FALSE.
send_answers <- function(answers) {
  answers <- plain_tibble(answers)
  if ("label" %in% names(answers)) {
    answers$label <- label_texts(answers$label)
  }
  encode_table(answers)
}
