#' The words that are typical of each cluster
#'
#' @details
#' The texts of a cluster count as one document. `ctfidf`, class-based TF-IDF (Grootendorst
#' 2022), is the rate of a term among the cluster's terms, times
#' `log(1 + terms in the average cluster / times the term in all clusters)`. `frex` is the
#' harmonic mean of two ranks among the cluster's terms, of its rate and of its exclusivity
#' (Bischof and Airoldi 2012), as in the package stm. The residual is no topic: its texts are
#' neither shown nor compared with.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param texts A data frame with `image_id` and the texts: what [describe_images()] or
#'   [tag_images()] returned, or captions or hashtags of yours. The texts of several rows of
#'   one image are joined. By default (`NULL`) the texts are a column of `clustering`.
#' @param column The column that holds the texts (of [tag_images()]: `"label"`).
#' @param separator The text that separates terms in a text that is a list, such as `";"`; terms may
#'   then be several words. By default texts are cut into words, with a leading # or @ if they have
#'   one.
#' @param n Terms per cluster, at most.
#' @param order Which score decides: `"ctfidf"`, `"frex"` or `"frequency"`.
#' @param min_images Terms in the texts of fewer images than that are left out.
#' @param stop_words Words that say nothing: `"english"` for a list of English ones and the words
#'   with which images are described (*conveys*, *image*); a vector of several words in its place;
#'   or `NULL`.
#' @param drop Further words to leave out.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per cluster and term, best first: `cluster`, `rank`, `term`; `n`
#'   times in the cluster's texts; `n_images` with it and their `share` of the cluster's images
#'   with a text; `ctfidf`; `exclusivity`, the share of this cluster in the term's rates in all
#'   clusters; `frex`.
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
                             ...) {
  check_dots(...)
  table <- call_verb(
    "cluster_keywords",
    texts = if (!is.null(texts)) send_texts(texts, "texts"),
    stop_words = if (identical(stop_words, "english")) {
      "english"
    } else {
      check_texts(stop_words, "stop_words")
    }
  )
  decode_table(table)
}

# Texts often come as factors.
send_texts <- function(x, name, call = rlang::caller_env()) {
  send_labels(check_data_frame(x, name, call), name, call)
}
