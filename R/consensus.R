#' Combine the answers of several annotators
#'
#' @param answers Judged pairs, from [read_pairs()]; or labels, from [read_labels()]; or labels in
#'   columns: a data frame with a row per image and annotator: `image_id` or `path`, any
#'   `annotator`, and a column per label with 1, 0 or `NA`.
#' @param rule `"majority"`: the most frequent answer; undecided if several answers tie. `"all"`:
#'   the answer that all annotators give; undecided if they differ. `"any"`: the highest judgement;
#'   a label is 1 if any annotator gives 1. `"mean"`: the mean; a label is 1 if the mean is one half
#'   or more. `"any"` and `"mean"` are for numbers, not for choices or free text.
#' @param meeting The answers of a meeting, from [read_pairs()] or [read_labels()], one for each
#'   pair and question or each image and code. They replace the answers of the annotators, who must
#'   not include the meeting.
#' @inheritParams scan_images
#'
#' @returns A tibble.
#'
#'   - For judgements: one row per pair, and per `question` if there are several, in the given
#'     order, with the columns of the pairs, `judgement` (`NaN` where undecided) and `n_annotators`
#'     (without the meeting). A warning counts the undecided pairs; [score_clustering()] leaves them
#'     out. `attr(x, "disputed")` is a tibble for a meeting: the judgements of pairs on which
#'     annotators disagree, a row for each annotator, with the columns of the pairs, `annotator`,
#'     `judgement` and `disagreement`, the largest first. This is the mean squared difference
#'     between two annotators' judgements, with two possible answers the share of two annotators who
#'     disagree. `export_pairs(disputed = )` makes a page of these pairs.
#'   - For labels: one row per image and code, in the given order: `image_id`, `code`, `label` (`NA`
#'     if undecided, or if everybody skipped the image), `note` (of all annotators, with their
#'     names), `kind`, and `n_annotators` with a label. A warning counts the undecided.
#'     `attr(x, "disputed")` is a tibble for a meeting: `image_id`, `code`, `annotator`, `label` and
#'     `note` of each annotator of an image on which they disagree. `export_labels(disputed = )`
#'     makes a page of these images.
#'   - For labels in columns: one row per image, in order of first appearance, with each label as
#'     1, 0 or `NA`.
#'     [tidy()][tidiers] counts for each `label` the images that are `positive`, `negative`, `tied`
#'     (dropped) and `unlabelled`, and those on which annotators disagree (`disputed`).
#'
#'   Judgements by models, from [judge_pairs()], and labels by models, from [tag_images()], are left
#'   out, with a warning: a model has no vote. If all are by models, they are combined, and the
#'   column `annotator` remains, with their names.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' judgements <- data.frame(
#'   pair_id = c("p1", "p1", "p1", "p2", "p2", "p2"),
#'   annotator = c("anna", "ben", "carla"),
#'   judgement = c(1, 1, 0, 0, 0, 0)
#' )
#' decided <- consensus(judgements)
#' decided
#' # For a meeting, whose answers then decide:
#' attr(decided, "disputed")
#' meeting <- data.frame(pair_id = "p1", annotator = "meeting", judgement = 0)
#' consensus(judgements, meeting = meeting)
#'
#' labels <- consensus(data.frame(
#'   path = c("a.jpg", "a.jpg", "a.jpg", "b.jpg", "b.jpg"),
#'   annotator = c("1", "2", "3", "1", "2"),
#'   crowd = c(1, 1, 0, 1, 0)
#' ))
#' tidy(labels)
consensus <- function(answers, rule = "majority", meeting = NULL, ...) {
  check_dots(...)
  columns <- names(check_data_frame(answers, "answers", made_by = "read_pairs"))
  judged <- "judgement" %in% columns || all(c("image_id", "code", "label") %in% columns)
  made <- call_verb(
    "consensus",
    answers = if (judged) send_answers(answers) else send_labels(answers, "answers"),
    meeting = if (!is.null(meeting)) {
      send_answers(check_data_frame(meeting, "meeting", made_by = "read_pairs"))
    }
  )
  if (!is.null(made[["labels"]])) {
    return(new_labels(made))
  }
  if (is.null(made[["disputed"]])) {
    return(decode_table(made))
  }
  decided <- decode_table(made[["table"]])
  attr(decided, "disputed") <- decode_table(made[["disputed"]])
  decided
}
