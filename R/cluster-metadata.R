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
#' 2016), which needs no correction if a count is zero. The intervals treat images (posts) as
#' independent, but those of one author or one day are not, and you look at many values. Use them as
#' a guide to values worth a closer look. With `unit = "author"` each author counts once.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param metadata The result of [link_posts()], or a data frame with the column and `image_id`,
#'   `path` or `file`; an image may have several rows. Rows of a copy belong to the image that was
#'   kept. By default (`NULL`) the column is one of `clustering`, with the copies in the scan of the
#'   run folder.
#' @param column The column: an author, a time, a party, hashtags. Its values are treated as text,
#'   so group numbers first. In a list column every element is a value.
#' @param separator The text that separates the entries of a text that is a list, such as `" "` for
#'   hashtags. By default each text is one value.
#' @param n Largest number of values per cluster.
#' @param order Order of the values: `"frequency"`, by the number of images (posts or authors); or
#'   `"lift"`, by the lower limit of the lift, `lift.low`.
#' @param min_images Values of fewer images (posts or authors, by `unit`) in the corpus are left
#'   out.
#' @param unit What is counted: `"image"`, distinct images; `"post"`, posts, by the column
#'   `post_id`; or `"author"`. An image has the values of all posts that show it, and an author
#'   those of all the author's posts.
#' @param author The column of authors, for `unit = "author"`.
#' @param period The values of a column of times: `"day"`, `"week"` (its first day, a Monday),
#'   `"month"` or `"year"`. Texts are read as times as [read_posts()] does. By default (`NULL`),
#'   columns of times are counted by day, in their own time zone, and texts as they are.
#' @param images The result of [scan_images()], or a run folder with it, in which copies are looked
#'   up. By default (`NULL`) the run folder of the clustering.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per cluster and value, those of the residual (cluster -1) last:
#'   `cluster`, its `size` in images, `rank`, `value`; `n_images`, the images of the cluster with
#'   the value, and `n_posts` or `n_authors`, if `unit` says so; `n`, the units that show the
#'   cluster and have any value; `share`, the units with the value divided by `n`, with `conf.low`
#'   and `conf.high` (95%, Wilson); `share_corpus`, the same share in the whole corpus, including
#'   the residual; `lift`, `share / share_corpus`, with `lift.low` and `lift.high` (95%); `unit`. A
#'   value with a lift above 1 is over-represented. A post that shows several clusters counts once
#'   for each of them.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' posts <- data.frame(
#'   post_id = seq_len(nrow(topics)),
#'   image_id = topics$image_id,
#'   author = rep(c("city", "party", "city"), length.out = nrow(topics))
#' )
#' cluster_metadata(topics, link_posts(topics, posts), column = "author", unit = "post")
cluster_metadata <- function(clustering,
                             metadata = NULL,
                             column,
                             separator = NULL,
                             n = 10,
                             order = "frequency",
                             min_images = 1,
                             unit = "image",
                             author = "author",
                             period = NULL,
                             images = NULL,
                             ...) {
  check_dots(...)
  metadata <- columns_to_count(metadata, column, unit, author)
  decode_result(call_verb("cluster_metadata", images = send_scan(images)))
}

# The columns of a table that are counted: those of a million posts need not all cross the border.
columns_to_count <- function(table, column, unit, author) {
  needed <- c(column, if (identical(unit, "author")) author, if (identical(unit, "post")) "post_id")
  if (!is.data.frame(table) || !all(needed %in% names(table))) {
    return(table)
  }
  wanted <- c("image_id", "path", "file", "post_id", "unmatched", needed)
  plain_columns(table)[names(table) %in% wanted]
}
