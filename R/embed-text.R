#' Represent the text about each image by a vector
#'
#' Makes vectors from texts, so that you can cluster images by their descriptions, captions or
#' posts.
#'
#' @param texts A data frame with `image_id` and a column of texts: the result of
#'   [describe_images()] or [link_posts()], or captions of yours. The texts of several rows of one
#'   image are joined. Columns in which these rows differ are left out with a warning, as are rows
#'   without `image_id`.
#' @param encoder `"tfidf"`, the weights of the words that are most typical of each text, which
#'   needs no model; `"text:<name>"`, a model of the Python library sentence-transformers, such as
#'   `"text:all-MiniLM-L6-v2"`; or a [model_server()] with a model for embeddings.
#' @param column The column that holds the texts.
#' @param terms For `"tfidf"`: number of words per text that are used, those with the highest
#'   weights.
#' @param weights For `"text:<name>"`: the folder of the model, if it is on this machine.
#' @param device For `"text:<name>"`: the device that computes.
#' @param consent May the texts leave this machine? Servers on other machines require `TRUE`.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns Embeddings, as [embed_images()] returns them, for [cluster_images()]. Images without a
#'   text are among those that failed, with a reason: see `tidy()`.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' texts <- data.frame(
#'   image_id = c("a", "b", "c"),
#'   description = c("A red flag.", "Two red flags, one flag white.", "White, red.")
#' )
#' as.matrix(embed_text(texts, progress = FALSE))
embed_text <- function(texts,
                       encoder = "tfidf",
                       column = "description",
                       terms = 20,
                       weights = NULL,
                       device = "auto",
                       consent = FALSE,
                       out = NULL,
                       overwrite = FALSE,
                       progress = TRUE,
                       ...) {
  sent <- call_verb(
    "embed_text",
    texts = send_texts(texts, "texts")$table,
    encoder = if (inherits(encoder, "imagestrata_server")) {
      send_server(encoder, "encoder")
    } else {
      check_string(encoder, "encoder")
    },
    weights = check_path(weights, "weights", null = TRUE)
  )
  new_embeddings(sent, absolute_path(out))
}
