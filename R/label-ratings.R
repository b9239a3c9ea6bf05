#' Clear positives and negatives from ratings
#'
#' People rate what images evoke; a network learns best from clear cases. An image is a positive
#' of the item with the highest mean rating if that is at least `at_least` and beats the second
#' by at least `margin`; it is a negative if it evokes nothing at all, that is, if all items have
#' the lowest rating (*Images as Data*, section 7.3). Where no image is a negative, a warning says
#' so: perhaps ratings began at 1, and the scale is `c(1, 10)`.
#'
#' @details
#' A clear positive of one item is left out, not negative, for all others, as in the source:
#' there, negatives are images that evoke nothing. (The source then draws as many negatives as
#' there are positives; `class_weights = TRUE` of [fine_tune()] does without throwing images
#' away.)
#'
#' @param ratings The result of [read_ratings()]; or any data frame with a row per image, or several
#'   (one per annotator), with a column `image_id` or `path` and one column per item, say per
#'   emotion. An image's rating of an item is the mean over all who rated it, whatever their
#'   group.
#' @param items The items that are compared; by default (`NULL`) all that [read_ratings()] returned,
#'   or all columns but `image_id`, `path` and `annotator`.
#' @param scale Lowest ("not at all") and highest rating that could be given.
#' @param at_least,margin How many points above the lowest rating, and how far above the second, a
#'   clear positive is. The source's scale goes from 0 to 10.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image that is clear: `image_id` or `path`, then for each item
#'   1 (a clear positive), 0 (a negative) or `NA`, which is what [fine_tune()] takes.
#'   [tidy()][tidiers] of it counts for each `item` the images that are `positive`,
#'   `negative`, and dropped since they are `weak` (highest, but below `at_least`) or `unclear`
#'   (highest, but too close to the second).
#' @family fine-tuning
#' @seealso [plot_label_ratings()]
#' @export
#' @examplesIf imagestrata_ready()
#' ratings <- data.frame(
#'   image_id = c("a", "b", "c", "d"),
#'   anger = c(8, 0, 5, 2), sadness = c(1, 0, 4, 1)
#' )
#' labels <- label_ratings(ratings)
#' labels
#' tidy(labels)
label_ratings <- function(ratings, items = NULL, scale = c(0, 10), at_least = 3, margin = 3, ...) {
  check_dots(...)
  ratings <- plain_tibble(check_data_frame(ratings, "ratings"))
  ids <- intersect(names(ratings), c("image_id", "path"))
  ratings[ids] <- lapply(ratings[ids], as.character)
  sent <- call_verb(
    "label_ratings",
    ratings = list(kind = "table", table = encode_table(ratings)),
    items = check_texts(items, "items"),
    scale = as.list(check_scale(scale))
  )
  new_labels(sent)
}
