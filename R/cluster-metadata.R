#' Which authors, hashtags or days are over-represented in which cluster
#'
#' Counts a column of the images' metadata in each cluster, against the whole corpus.
#'
#' @details
#' The study's Tables A3 to A5 list, for every cluster and the residual, its size and how many
#' images carry a hashtag or author; `n_images` is that number.
#'
#' A cluster is part of the corpus, so the two shares of the lift are not independent; the shares
#' \eqn{p} in the cluster and \eqn{q} in the rest of the corpus are. With \eqn{w}, the cluster's
#' part of the images, the lift \eqn{p / (w p + (1 - w) q)} rises with \eqn{p / q}: its interval is
#' that of this ratio, carried over. The interval of the ratio is recovered from Wilson's intervals
#' of \eqn{p} and \eqn{q} (MOVER-R; Donner and Zou 2012, Newcombe 2016), which needs no correction
#' where a count is zero. Intervals treat images as drawn independently; those of one author or
#' one day are not, and many values are looked at: read them as a guide to what is worth a look.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param metadata A data frame with `image_id` and the column; an image may have several rows. By
#'   default (`NULL`) the column is one of `clustering`.
#' @param column The column: an author, a day, a party, hashtags. Its values count as text; cut
#'   numbers into groups first. In a list column every element is a value.
#' @param separator The text that separates the entries of a text that is a list, such as `" "` for
#'   hashtags. By default a text is one value.
#' @param n Values per cluster, at most.
#' @param order Which values are taken, and in which order: `"frequency"`, those of most images; or
#'   `"lift"`, those whose lift is surely high (by `lift.low`).
#' @param min_images Values of fewer images of the corpus are left out.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per cluster and value, those of the residual (cluster -1) last:
#'   `cluster`, its `size` in images, `rank`, `value`; `n_images` of the cluster with the value, of
#'   `n` that have any value; `share`, the first by the second, with `conf.low` and `conf.high`
#'   (95%, Wilson); `share_corpus`, the same share of all images with any value, the residual among
#'   them; `lift`, `share / share_corpus`, with `lift.low` and `lift.high` (95%). Over 1, the value
#'   is over-represented.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' posts <- data.frame(
#'   image_id = topics$image_id,
#'   author = rep(c("city", "party", "city"), length.out = nrow(topics))
#' )
#' cluster_metadata(topics, posts, column = "author")
cluster_metadata <- function(clustering,
                             metadata = NULL,
                             column,
                             separator = NULL,
                             n = 10,
                             order = "frequency",
                             min_images = 1,
                             ...) {
  check_dots(...)
  decode_result(call_verb(
    "cluster_metadata",
    metadata = if (!is.null(metadata)) send_texts(metadata, "metadata")
  ))
}
