#' One label per image from several annotators'
#'
#' @param labels A data frame with a row per image and annotator: `image_id` or `path`, any
#'   `annotator`, and a column per label with 1, 0 or `NA`.
#' @param rule `"majority"`: what more than half of the annotators say; a tie is dropped.
#'   `"any"`: 1 if anybody says so. `"mean"`: 1 if half or more say so.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image, in the order in which they first appear: each label as
#'   1, 0 or `NA`. [tidy()][tidiers] of it counts for each `label` the images that are
#'   `positive`, `negative`, `tied` (dropped) and `unlabelled`, and those on which annotators
#'   were `disputed`.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' judged <- data.frame(
#'   path = c("a.jpg", "a.jpg", "a.jpg", "b.jpg", "b.jpg"),
#'   annotator = c("1", "2", "3", "1", "2"),
#'   crowd = c(1, 1, 0, 1, 0)
#' )
#' labels <- combine_labels(judged)
#' labels
#' tidy(labels)
combine_labels <- function(labels, rule = "majority", ...) {
  check_dots(...)
  sent <- send_labels(check_data_frame(labels, "labels"), "labels")
  new_labels(call_core("combine_labels", sent, check_string(rule, "rule")))
}
