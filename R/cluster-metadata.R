#' Find the authors, hashtags or days that are over-represented in each cluster
#'
#' Compares how often each value of a metadata column occurs in a cluster and in the whole corpus.
#'
#' @details Tables A3 to A5 of the study list, for every cluster and the residual, its size and the
#' number of images with a hashtag or author. That number is `n_images`.
#'
#' A cluster is part of the corpus, so the two shares in the lift are not independent, but the share
#' \eqn{p} in the cluster and the share \eqn{q} in the rest of the corpus are. If \eqn{w} is the
#' cluster's share of the images, the lift \eqn{p / (w p + (1 - w) q)} is an increasing function of
#' \eqn{p / q}: its interval is transformed from that of this ratio. The interval of the ratio is
#' recovered from Wilson's intervals of \eqn{p} and \eqn{q} (MOVER-R; Donner and Zou 2012, Newcombe
#' 2016), which needs no correction if a count is zero. The intervals treat images as independent,
#' but images of one author or one day are not, and you look at many values. Use them as a guide to
#' values worth a closer look.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param metadata A data frame with `image_id` and the column; an image may have several rows. By
#'   default (`NULL`) the column is one of `clustering`.
#' @param column The column: an author, a day, a party, hashtags. Its values are treated as text, so
#'   group numbers first. In a list column every element is a value.
#' @param separator The text that separates the entries of a text that is a list, such as `" "` for
#'   hashtags. By default each text is one value.
#' @param n Largest number of values per cluster.
#' @param order Order of the values: `"frequency"`, by the number of images; or `"lift"`, by the
#'   lower limit of the lift, `lift.low`.
#' @param min_images Values of fewer images in the corpus are left out.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per cluster and value, those of the residual (cluster -1) last:
#'   `cluster`, its `size` in images, `rank`, `value`; `n_images`, the images of the cluster with
#'   the value; `n`, those with any value; `share`, `n_images / n`, with `conf.low` and `conf.high`
#'   (95%, Wilson); `share_corpus`, the same share in the whole corpus, including the residual;
#'   `lift`, `share / share_corpus`, with `lift.low` and `lift.high` (95%). A value with a lift
#'   above 1 is over-represented.
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
  decode_result(call_verb("cluster_metadata"))
}
