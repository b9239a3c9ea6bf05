# Ratings as read_ratings() returns them: a tibble of usable ratings, with a table of problems as
# attribute.

new_ratings <- function(data, problems, scale = NULL) {
  new_object(data, "imagestrata_ratings", problems = problems, scale = scale)
}

#' @export
tbl_sum.imagestrata_ratings <- function(x, ...) {
  problems <- attr(x, "problems")
  c(
    "Ratings" = paste0(
      count_of(nrow(x), "rating"), " of ", count_of(dplyr::n_distinct(x$image_id), "image"), " by ",
      count_of(dplyr::n_distinct(x$respondent_id), "respondent"), group_note(x)
    ),
    "Problems" = if (nrow(problems) > 0) {
      paste0(count_of(nrow(problems), "row"), ", see rating_problems()")
    }
  )
}

group_note <- function(x) {
  if (!"group" %in% names(x)) {
    return("")
  }
  people <- dplyr::distinct(plain_tibble(x), .data$respondent_id, .data$group)
  people <- dplyr::count(people, .data$group)
  paste0(" (", paste0(people$group, " ", people$n, collapse = ", "), ")")
}

#' @export
summary.imagestrata_ratings <- function(object, ...) {
  new_summary(
    title = tbl_sum(object)[["Ratings"]],
    tables = list("Problems" = count_problems(attr(object, "problems")))
  )
}

count_problems <- function(problems) {
  counted <- dplyr::count(problems, .data$problem, .data$kept)
  counted[match(unique(problems$problem), counted$problem), ]
}

#' List the problems found when ratings were read
#'
#' @param ratings The result of [read_ratings()].
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per problem: `problem`; `kept`, `TRUE` if the rating (or the
#'   respondent's ratings) remains among the ratings; the ids that it concerns (`respondent_id`,
#'   `group`, `image_id`, `item`); the `value` as it was read; and its `file` and `row`.
#'
#'   | `problem` | meaning | kept |
#'   |---|---|---|
#'   | `preview`, `test`, `spam` | Qualtrics' status: a trial run, a generated test, spam | no |
#'   | `unknown status` | a status that Qualtrics does not document | no |
#'   | `skipped` | the annotator skipped the task in Label Studio | no |
#'   | `several answers` | more than one choice was ticked | no |
#'   | `no respondent`, `no group`, `no image` | an id is missing | no |
#'   | `unknown packet` | `packets` lacks the packet, and so the group is unknown | no |
#'   | `not in the packet` | the packet does not contain the image | no |
#'   | `unknown item` | the item is not in the table of items | no |
#'   | `unmatched image` | the image is not in the sample | no |
#'   | `missing` | the item was not answered | no |
#'   | `not a number`, `out of range` | the value cannot be a rating | no |
#'   | `duplicate` | a repeated answer: same respondent, image, item and value | no |
#'   | `contradiction` | a repeated answer with another value | no |
#'   | `unrated` | a sampled image without a rating by this group | - |
#'   | `straight-lining` | on every image, the respondent gave all items the same value | yes |
#'   | `too fast` | the respondent took less than a share of the median time | yes |
#' @family ratings
#' @export
#' @examples
#' answers <- data.frame(
#'   respondent_id = c("r1", "r1", "r2"), group = "Democrat", image_id = "simulated-0001",
#'   item = c("proud", "angry", "proud"), rating = c(3, 12, NA)
#' )
#' ratings <- read_ratings(answers, sample = simulated_sample)
#' rating_problems(ratings)
rating_problems <- function(ratings, ...) {
  check_dots(...)
  check_class(ratings, "imagestrata_ratings", "ratings", "read_ratings")
  attr(ratings, "problems")
}
