#' Return the weights of means and gaps
#'
#' Returns every answer with its weight in the mean, for the survey package or other software. The
#' weight accounts for the number of raters of the image in the cell, and for the number of images
#' of its cluster that were rated there.
#'
#' @inheritParams rating_means
#' @param of `"means"` for the weights of [rating_means()], `"gaps"` for those of [rating_gaps()]:
#'   the latter cover only the clusters that both groups rated.
#' @inheritParams scan_images
#'
#' @details A cell is an item or a dimension in a group of `by`. In a cell the weight of a cluster
#' is 1 (`weight = "cluster"`), its number of images `N_h` (`"corpus"`) or the number of shares of
#' its images (`"share"`). It is divided among the images of the cluster with a rating in the cell,
#' equally or by their shares, and the weight of an image equally among its ratings. The result is
#' multiplied by the weight of the respondent, if `respondent_weight` names one.
#' `weight_cluster`, `weight_corpus` and `weight_share` of the sample give the same means only if
#' every sampled image has exactly one rating in every cell.
#'
#' With these weights `svydesign(ids = ~respondent_id, weights = ~weight)`, then `subset()` for an
#' item, and `svyby(~rating, ~group, ..., svymean)` give the means and the standard errors of
#' `rating_means(variance = "respondent")`. [rating_survey()] makes such a design.
#'
#' @returns A tibble with one row per answer to an item or a dimension: `level`, `item`,
#'   `dimension`, the columns of `by`, `respondent_id`, `image_id`, `cluster` (if there is one),
#'   `rating`, `weight`. With `of = "gaps"` also `contrast`, if groups of respondents are compared:
#'   an answer has a weight in every comparison of its group.
#' @family ratings
#' @export
#' @examples
#' weights <- rating_weights(simulated_ratings)
#' design <- survey::svydesign(ids = ~respondent_id, weights = ~weight, data = weights)
#' proud <- subset(design, level == "item" & item == "proud")
#' survey::svyby(~rating, ~group, proud, survey::svymean)
rating_weights <- function(ratings,
                           by = "group",
                           weight = "cluster",
                           respondent_weight = NULL,
                           of = "means",
                           ...) {
  check_dots(...)
  check_weight(weight)
  check_choice(of, "of", c("means", "gaps"), rlang::current_env())
  design <- design_ratings(ratings, rlang::enquo(by), weight, rlang::enquo(respondent_weight))
  used <- answers_of(design, of)
  answers <- used$answers
  table <- table_of_answers(answers, design, ratings)
  if (is.null(answers$comparable)) table else add_contrast(table, answers, used$comparisons)
}

# The answers that enter means, or gaps with their comparisons.
answers_of <- function(design, of, call = rlang::caller_env()) {
  comparisons <- if (of == "gaps") comparisons_of(design, call = call)
  compared <- if (of == "gaps") compare_alike(design, comparisons)
  tell_unrated(design, compared, comparisons)
  list(answers = (compared %||% design)$answers, comparisons = comparisons)
}
