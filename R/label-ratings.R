#' Clear positives and negatives from ratings
#'
#' People rate what images evoke; a network learns best from clear cases. An image is a positive
#' of the item with the highest mean rating if that is at least `at_least` and beats the second
#' by at least `margin`; it is a negative if it evokes nothing at all (*Images as Data*, section
#' 7.3).
#'
#' @details
#' A clear positive of one item is left out, not negative, for all others, as in the source:
#' there, negatives are images that evoke nothing. (The source then draws as many negatives as
#' there are positives; `class_weights = TRUE` of [fine_tune()] does without throwing images
#' away.)
#'
#' @param ratings A data frame with a row per image, or several (one per annotator, of which
#'   means are taken), with a column `image_id` or `path` and one column per item, say per
#'   emotion, rated from 0 (not at all) upwards.
#' @param items Names of the columns with ratings; by default (`NULL`) all but `image_id`,
#'   `path` and `annotator`.
#' @param at_least,margin How high, and how far above the second, a clear positive is. The
#'   source's scale goes from 0 to 10.
#'
#' @returns A tibble with a row per image that is clear: `image_id` or `path`, then for each item
#'   1 (a clear positive), 0 (a negative) or `NA`, which is what [fine_tune()] takes.
#'   [tidy()][tidiers_model] of it counts for each `item` the images that are `positive`,
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
label_ratings <- function(ratings, items = NULL, at_least = 3, margin = 3) {
  sent <- call_core(
    "label_ratings",
    send_labels(check_data_frame(ratings, "ratings"), "ratings"),
    items = check_item_names(items),
    at_least = check_number(at_least, "at_least"),
    margin = check_number(margin, "margin")
  )
  new_labels(sent)
}

# A list, since one name alone would reach Python as a string.
check_item_names <- function(items, call = rlang::caller_env()) {
  if (is.null(items)) {
    return(NULL)
  }
  if (!is.character(items) || length(items) == 0 || anyNA(items)) {
    abort_imagestrata(
      "{.arg items} must be names of columns, not {seen(items)}.",
      call = call
    )
  }
  as.list(items)
}
