#' Make one judgement of each pair from those of several annotators
#'
#' @param judgements What [read_pairs()] returned.
#' @param rule `"majority"`: the judgement that more annotators gave than any other; where
#'   several tie, the pair is undecided. `"all"`: the judgement that all gave; where they
#'   differ, the pair is undecided. `"mean"`: the mean.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per pair, in the given order: the columns of the pairs,
#'   `judgement` (`NaN` where undecided) and `n_annotators`. A warning counts the undecided
#'   pairs; [score_pairs()] leaves them out.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' judgements <- data.frame(
#'   pair_id = c("p1", "p1", "p1", "p2", "p2", "p2"),
#'   annotator = c("anna", "ben", "carla"),
#'   judgement = c(1, 1, 0, 0, 0, 0)
#' )
#' consensus(judgements)
consensus <- function(judgements, rule = "majority", ...) {
  check_dots(...)
  pairs <- call_core(
    "consensus",
    encode_table(check_data(judgements, "judgements", "read_pairs")),
    check_string(rule, "rule")
  )
  decode_table(pairs)
}
