#' Make further packets for images that too few have rated
#'
#' For drop-outs, for further respondents, and to top up the number of ratings.
#'
#' @param packets All packets so far: what [assign_annotators()] returned, and below it what
#'   earlier calls of this function did ([dplyr::bind_rows()]).
#' @param ratings The answers so far: one row per rating or rated image, with the columns
#'   `respondent_id`, `group` and `image_id`. Who rated any item counts; rows whose `rating` is
#'   missing, such as skipped images, count as seen and not as rated.
#' @param n_images Images in a packet, at most.
#' @param raters_per_group Respondents of each group that every image is to have in the end.
#' @param respondents Ids of people in `ratings` who come back: they get packets first, with
#'   neither an image nor a cluster that they have seen, or were to see by the column
#'   `respondent_id` of `packets`. By default all new packets are for new people.
#' @inheritParams assign_annotators
#' @inheritParams scan_images
#'
#' @details
#' Packets that are still with people count as unanswered: call it when nobody is expected to
#' answer any more.
#'
#' @returns Packets as from [assign_annotators()], only the new ones, their ids counted on. A
#'   column `respondent_id` says for whom they are, missing for new people. No row if nothing
#'   is open.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' # The first packet was answered, the others were not:
#' answered <- dplyr::filter(packets, packet_id == "p001")
#' answered$respondent_id <- "r1"
#' reassign(packets, answered, n_images = 5)
reassign <- function(packets,
                     ratings,
                     n_images = 8,
                     raters_per_group = 1,
                     respondents = NULL,
                     residual = "together",
                     seed = 0,
                     ...) {
  check_dots(...)
  decode_table(call_verb("reassign"))
}
