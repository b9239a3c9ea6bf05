#' Make one judgement of each pair, or one label of each image, from several annotators'
#'
#' @param answers Judged pairs, as [read_pairs()] returned them. Or labels: a data frame with a row
#'   per image and annotator: `image_id` or `path`, any `annotator`, and a column per label with 1,
#'   0 or `NA`.
#' @param rule `"majority"`: what more annotators say than anything else; where several answers
#'   tie, nothing is decided. `"all"`: what all say; where they differ, nothing is decided.
#'   `"any"`: the highest judgement, or 1 if anybody says so. `"mean"`: the mean; a label is 1 if
#'   the mean is one half or more.
#' @inheritParams scan_images
#'
#' @returns A tibble.
#'
#'   - Of judgements: one row per pair, in the given order: the columns of the pairs, `judgement`
#'     (`NaN` where undecided) and `n_annotators`. A warning counts the undecided pairs;
#'     [score_clustering()] leaves them out.
#'   - Of labels: one row per image, in the order in which they first appear: each label as 1, 0 or
#'     `NA`. [tidy()][tidiers] of it counts for each `label` the images that are `positive`,
#'     `negative`, `tied` (dropped) and `unlabelled`, and those on which annotators were
#'     `disputed`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' judgements <- data.frame(
#'   pair_id = c("p1", "p1", "p1", "p2", "p2", "p2"),
#'   annotator = c("anna", "ben", "carla"),
#'   judgement = c(1, 1, 0, 0, 0, 0)
#' )
#' consensus(judgements)
#'
#' labels <- consensus(data.frame(
#'   path = c("a.jpg", "a.jpg", "a.jpg", "b.jpg", "b.jpg"),
#'   annotator = c("1", "2", "3", "1", "2"),
#'   crowd = c(1, 1, 0, 1, 0)
#' ))
#' tidy(labels)
consensus <- function(answers, rule = "majority", ...) {
  check_dots(...)
  judged <- "judgement" %in% names(check_data_frame(answers, "answers", made_by = "read_pairs"))
  made <- call_verb(
    "consensus",
    answers = if (judged) encode_table(answers) else send_labels(answers, "answers")
  )
  if (is.null(made[["labels"]])) decode_table(made) else new_labels(made)
}
