#' How much work people or services would have, and the costs
#'
#' Counts what packets ask of people, or estimates what descriptions or tags would cost. Nothing is
#' sent.
#'
#' @param x Packets, as [assign_annotators()] or [reassign()] returned them; or images, as
#'   [describe_images()] and [tag_images()] take them.
#' @param provider The result of [model_server()], [local_model()] or [rekognition()]: it would look
#'   at the images. Its `price` decides the estimate, for descriptions with `tokens_per_image`.
#'   Packets have none.
#' @param out Where descriptions or tags are, or would be: what is answered there costs nothing
#'   more, and its bills replace `tokens_per_image`.
#' @param n_items Packets only: items on which each image is rated; by default the ten emotions.
#' @param prompt,max_tokens,temperature,side Descriptions only, as in [describe_images()]. With
#'   `max_tokens = NULL` answers are taken to have 1,000 tokens, or as many as the longest in `out`.
#' @inheritParams scan_images
#'
#' @returns A tibble.
#'
#'   - Packets: one row per group with `group`, `n_respondents` (one for each packet), `n_images`,
#'     `smallest` and `largest` (packet, in images), `n_images_rated` (an image counts as often as
#'     it is rated) and `n_ratings` (that times the items).
#'   - Images: one row with `n_images`; `n_answered`, those with an answer in `out`; `cost` of the
#'     others; `spent`. For descriptions also `tokens_in` and `tokens_out` of the others, at most.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' costs(assign_annotators(demo_sample(), n_images = 5))
#'
#' folder <- imagestrata_example("images")
#' server <- model_server("llava", base_url = "http://localhost:11434/v1", price = c(1, 2))
#' costs(folder, server, progress = FALSE)
costs <- function(x,
                  provider = NULL,
                  out = NULL,
                  n_items = 10,
                  prompt = default_prompt,
                  max_tokens = 300,
                  temperature = NULL,
                  side = 512,
                  progress = TRUE,
                  ...) {
  check_dots(...)
  send_provider <- if (inherits(provider, "imagestrata_rekognition") || is.character(provider)) {
    send_tagger
  } else {
    send_model_of_words
  }
  decode_table(call_verb(
    "costs",
    x = if ("packet_id" %in% names(x)) encode_table(x) else send(x, "x"),
    provider = if (!is.null(provider)) send_provider(provider, "provider")
  ))
}
