#' Make packets of images for annotators
#'
#' Deals the images of a sample to respondents: one packet each, every image to as many of each
#' group as asked for, and to nobody two images of one cluster.
#'
#' @param sample The result of [sample_images()]: one row per image, with the columns
#'   `image_id` and `cluster`.
#' @param groups Groups of respondents. Each rates every image.
#' @param n_images Images in a packet, as in the paper; some packets have one less where the
#'   numbers do not come out even.
#' @param raters_per_group Respondents of each group who rate an image.
#' @param residual How images without a cluster (-1) count: `"together"`, one cluster, so that a
#'   packet has one of them at most; `"alone"`, each as a cluster of its own.
#' @param seed Decides who gets which images, and their order.
#' @inheritParams scan_images
#'
#' @details
#' Ratings are laid in a row, those of a cluster side by side, and dealt like cards to as many
#' packets as are needed. So packets differ by one image at most, and no packet gets two images of
#' a cluster as long as that has no more ratings than there are packets. Where it has more, no
#' other way of dealing would do either: the request is refused, with what would work.
#'
#' @returns A tibble with one row per packet and image: `packet_id`, `group`, `position` (in the
#'   packet), `image_id`, `cluster`, and `path` where the sample has it.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' packets
#' costs(packets)
assign_annotators <- function(sample,
                              groups = c("Democrat", "Republican"),
                              n_images = 8,
                              raters_per_group = 1,
                              residual = "together",
                              seed = 0,
                              out = NULL,
                              overwrite = FALSE,
                              ...) {
  check_dots(...)
  decode_table(call_verb("assign_annotators"))
}
