#' Propose images that people should not see
#'
#' @description Lists images with certain labels of a machine, or with certain words in them, before
#' people see any. Nothing is excluded by this call: look at the proposals, and give the table, or
#' the list that the page downloads, as `exclude` to functions such as [export_packets()].
#'
#' Machines miss harmful images, and propose harmless ones more often for some groups of people than
#' for others. A content warning, training and the right to skip remain necessary.
#'
#' @section Estimates:
#' Estimates from a sample without the excluded images are about the other images only: report how
#' many of which clusters were excluded, and why.
#'
#' @param tags Labels of images: the result of [tag_images()] (a classifier, CLIP, moderation labels
#'   of Rekognition, or answers of a vision language model) or [predict_labels()]; or, with `words`,
#'   texts: the result of [read_text()] or [describe_images()]. Also your own data frame with
#'   `image_id` and `label` or `text`.
#' @param labels The labels of images that should not be shown; upper and lower case do not differ.
#'   For answers with a `code`, the name of a code that was answered by yes, or an answer. A named
#'   vector, such as `c(Violence = 0.3, Weapons = 0.8)`, has the lowest confidence of each label.
#' @param words Words or phrases instead of labels: images whose text contains one are proposed.
#'   Whole words are compared, and upper and lower case do not differ.
#' @param at_least The lowest confidence or probability of a label. With a lower value fewer harmful
#'   images are missed and more harmless ones proposed. Labels without a confidence always count.
#' @param clustering The result of [cluster_images()]. Then the message says how many images of
#'   which clusters would go, and images that are not in `tags` are proposed as not screened.
#' @param out HTML file to write. The page shows the proposed images blurred; you tick those to
#'   keep, and download the others as a CSV file for `exclude`. It contains small copies of the
#'   images: do not hand it out.
#' @param thumbnail Longer side of the copies on the page, in pixels.
#' @param overwrite Replace a page of that name?
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image, those with the highest confidence first: `image_id`,
#'   `path` (missing if it is not known), `label` (that with the highest confidence, or the first
#'   word), `confidence` (missing if there is none) and `reason` (all labels or words). Images that
#'   could not be screened come last: they have no `label`, and `reason` says why. Remove these rows
#'   if people may see images that no machine has seen. A warning has the numbers by label and
#'   cluster.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' tags <- data.frame(
#'   image_id = c("a", "b", "c"), label = c("Violence", "Cat", NA),
#'   confidence = c(0.9, 0.8, NA), reason = c(NA, NA, "damaged")
#' )
#' suppressWarnings(propose_exclusions(tags, "Violence"))
propose_exclusions <- function(tags,
                               labels = NULL,
                               words = NULL,
                               at_least = 0.5,
                               clustering = NULL,
                               out = NULL,
                               thumbnail = 240,
                               overwrite = FALSE,
                               progress = TRUE,
                               ...) {
  decode_table(call_verb(
    "propose_exclusions",
    tags = encode_table(check_data_frame(tags, "tags", needs = "image_id")),
    labels = send_limits(labels), words = check_texts(words, "words")
  ))
}

# Labels, or the lowest confidence of each.
send_limits <- function(labels, call = rlang::caller_env()) {
  if (!is.numeric(labels) || !rlang::is_named(labels)) {
    return(check_texts(labels, "labels", call))
  }
  send_json(labels, auto_unbox = TRUE, digits = NA)
}
