#' Make further packets for images with too few ratings
#'
#' Use it to replace respondents who dropped out, or to increase the number of ratings.
#'
#' @param packets All packets so far: the result of [assign_annotators()], followed by the results
#'   of earlier calls of this function ([dplyr::bind_rows()]).
#' @param ratings The answers so far: one row per rating or rated image, with the columns
#'   `respondent_id`, `group` and `image_id`. A respondent who rated any item of an image has rated
#'   it; rows whose `rating` is missing, such as skipped images, count as seen but not as rated.
#' @param n_images Largest number of images in a packet.
#' @param raters_per_group Number of respondents of each group that every image should have in the
#'   end.
#' @param respondents Ids of respondents in `ratings` who are available again. They get packets
#'   first, without images or clusters that they have seen or that the column `respondent_id` of
#'   `packets` assigns to them. By default all new packets are for new respondents.
#' @inheritParams assign_annotators
#' @inheritParams scan_images
#'
#' @details Packets that are still out count as unanswered: call it when you expect no more answers.
#'
#' @returns The new packets, as [assign_annotators()] returns them, with ids that continue those of
#'   `packets`. The column `respondent_id` names the respondent, and is missing for new respondents.
#'   The table has no rows if every image has enough ratings.
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
  decode_table(call_verb("reassign"))
}
