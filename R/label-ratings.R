#' Make labels of clear positives and negatives from ratings
#'
#' A network learns best from clear cases. An image is a positive of the item with the highest mean
#' rating if that mean is at least `at_least` points above the lowest rating and at least `margin`
#' points above the second highest mean. An image is a negative if all items have the lowest rating
#' (*Images as Data*, section 7.3). A warning tells you if no image is a negative: the scale may
#' start at 1, as in `scale = c(1, 10)`.
#'
#' @details A clear positive of one item is missing, not negative, for all other items. This follows
#' the source, whose negatives are images that evoke nothing. (The source then draws as many
#' negatives as there are positives; `class_weights = TRUE` of [fine_tune()] balances them without
#' removing images.)
#'
#' @param ratings The result of [read_ratings()]; or any data frame with a row per image, or several
#'   (one per annotator), with a column `image_id` or `path` and one column per item, such as an
#'   emotion. The rating of an image on an item is the mean over all its raters, regardless of their
#'   group.
#' @param items The items that are compared; by default (`NULL`) all items in the result of
#'   [read_ratings()], or all columns except `image_id`, `path` and `annotator`.
#' @param scale Lowest ("not at all") and highest possible rating.
#' @param at_least,margin Smallest distance of a clear positive from the lowest rating, and from the
#'   second highest mean, in points. The scale of the source goes from 0 to 10.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per clear image: `image_id` or `path`, then for each item 1 (a
#'   clear positive), 0 (a negative) or `NA`, in the format of [fine_tune()]. [tidy()][tidiers]
#'   counts for each `item` the images that are `positive` and `negative`, and those that are
#'   dropped: `weak` (highest mean, but below `at_least`) and `unclear` (highest mean, but too close
#'   to the second).
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
