#' Make packets of images for annotators
#'
#' Distributes the images of a sample over packets, one for each respondent. Each image goes to
#' `raters_per_group` respondents of every group, and no respondent gets two images of one cluster.
#'
#' @param sample The result of [sample_images()]: one row per image, with the columns
#'   `image_id` and `cluster`.
#' @param groups Names of the groups of respondents. Every group rates every image.
#' @param n_images Number of images in a packet; the default is that of the paper. If the numbers do
#'   not divide evenly, some packets have one image less.
#' @param raters_per_group Number of respondents of each group who rate an image.
#' @param residual Treatment of images without a cluster (-1). `"together"`: they count as one
#'   cluster, so that a packet has at most one of them. `"alone"`: each counts as a cluster of its
#'   own.
#' @param seed Seed for the assignment of images to packets and their order.
#' @param keep All packets so far, if the sample was topped up since. They stay, and further packets
#'   are made for the images that are in none of them. If `out` contains packets with the same
#'   settings, and the sample was topped up since, those are kept. If clusters were edited since,
#'   all packets get the clusters of the sample.
#' @inheritParams scan_images
#'
#' @details Ratings are put in a row, with the ratings of a cluster next to each other, and go to
#' the packets in turn. Packets therefore differ by at most one image, and no packet gets two images
#' of a cluster as long as the cluster has no more ratings than there are packets. If a cluster has
#' more, no assignment is possible: the error then names numbers that work. (With `keep`, there are
#' more and smaller packets instead.)
#'
#' @returns A tibble with one row per packet and image: `packet_id`, `group`, `position` (in the
#'   packet), `image_id`, `cluster`, and `path` if the sample has it. With `keep`, further packets
#'   follow the earlier ones, with consecutive ids: export those alone.
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
                              keep = NULL,
                              out = NULL,
                              overwrite = FALSE,
                              ...) {
  decode_table(call_verb("assign_annotators"))
}
