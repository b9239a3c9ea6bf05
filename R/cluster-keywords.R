#' Find the words that are typical of each cluster
#'
#' @details The texts of a cluster count as one document. `ctfidf`, class-based TF-IDF (Grootendorst
#' 2022), is the rate of a term among the cluster's terms, times `log(1 + terms in the average
#' cluster / times the term in all clusters)`. `frex` is the harmonic mean of two ranks of a term
#' among the cluster's terms, by rate and by exclusivity (Bischof and Airoldi 2012), as in the
#' package stm.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param texts A data frame with the texts and `image_id`, `path` or `file`: the result of
#'   [describe_images()], [tag_images()] or [link_posts()], or captions of yours. The texts of
#'   several rows of one image are joined; those of a copy belong to the image that was kept. By
#'   default (`NULL`) the texts are a column of `clustering`.
#' @param column The column that holds the texts; for the result of [tag_images()] it is `"label"`.
#' @param separator The text that separates terms in a text that is a list, such as `";"`; terms may
#'   then be several words. By default texts are split into words, which keep a leading # or @.
#' @param n Largest number of terms per cluster.
#' @param order The score by which terms are ranked: `"ctfidf"`, `"frex"` or `"frequency"`.
#' @param min_images Terms in the texts of fewer images (posts or authors, by `unit`) are left out.
#' @param stop_words Words to leave out because they say little: `"english"`, a list of English stop
#'   words and of words that describe any image (*conveys*, *image*); a vector of words in place of
#'   that list; or `NULL`.
#' @param drop Further words to leave out.
#' @param unit What is counted: `"image"`, `"post"`, by the column `post_id`, or `"author"`. The
#'   text of a post counts once for an image, and, with `"post"` and `"author"`, once for a cluster,
#'   however many of its images the post shows.
#' @param residual The residual is no topic, and its texts are left out, `"drop"`; `"together"`
#'   makes it a further group, cluster -1, with which the clusters are compared as well.
#' @inheritParams cluster_metadata
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per cluster and term, best first: `cluster`, `rank`, `term`; `n`,
#'   its count in the cluster's texts; `n_images`, the images with it, and `n_posts` or `n_authors`,
#'   if `unit` says so; `share`, the share of units with it among the cluster's units with a text;
#'   `ctfidf`; `exclusivity`, the share of this cluster in the sum of the term's rates over all
#'   clusters; `frex`; `unit`.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' captions <- data.frame(
#'   image_id = topics$image_id,
#'   caption = paste("scene", topics$cluster)
#' )
#' cluster_keywords(topics, captions, column = "caption", stop_words = NULL, n = 3)
cluster_keywords <- function(clustering,
                             texts = NULL,
                             column = "description",
                             separator = NULL,
                             n = 10,
                             order = "ctfidf",
                             min_images = 2,
                             stop_words = "english",
                             drop = NULL,
                             unit = "image",
                             author = "author",
                             residual = "drop",
                             images = NULL,
                             ...) {
  check_dots(...)
  listed <- !identical(stop_words, "english")
  words <- if (listed) check_texts(stop_words, "stop_words") else stop_words
  texts <- columns_to_count(texts, column, unit, author)
  decode_table(call_verb("cluster_keywords", stop_words = words, images = send_scan(images)))
}

# Texts are often factors.
send_texts <- function(x, name, call = rlang::caller_env()) {
  send_labels(check_data_frame(x, name, call), name, call)
}
