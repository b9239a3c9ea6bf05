#' Estimate the work of annotators or the costs of a service
#'
#' Counts the respondents and ratings that packets require, or estimates the costs of descriptions,
#' tags, answers of a model or pairs that it judges. Nothing is sent.
#'
#' @param x Packets, from [assign_annotators()] or [reassign()]; images, as for [describe_images()]
#'   and [tag_images()]; or pairs of [sample_pairs()], as for [judge_pairs()].
#' @param provider For images and pairs: the model or service, from [model_server()],
#'   [local_model()] or [rekognition()]. The estimate uses its `price`, and for models its
#'   `tokens_per_image`.
#' @param out For images and pairs: the run folder of the answers. Answers that it already holds
#'   cost nothing more, and their numbers of tokens replace `tokens_per_image`.
#' @param n_items For packets: number of items on which each image is rated; by default the ten
#'   emotions.
#' @param prompt,max_tokens,temperature,side For descriptions: as in [describe_images()]; all but
#'   `prompt` also for answers. With `max_tokens = NULL` the estimate assumes 1,000 tokens per
#'   answer, or as many as the longest answer in `out`.
#' @param labels,question,questions,meaning As in [tag_images()], for the costs of a model's answers
#'   instead of descriptions. More attempts after invalid answers cost more. For pairs, `questions`
#'   is as in [judge_pairs()].
#' @param graded For pairs: as in [judge_pairs()].
#' @inheritParams scan_images
#'
#' @returns A tibble.
#'
#'   - For packets: one row per group with `group`, `n_respondents` (one for each packet),
#'     `n_images`, `smallest` and `largest` (packet, in images), `n_images_rated` (an image counts
#'     once for each respondent who rates it) and `n_ratings` (that number times the items).
#'   - For images: one row with `n_images`; `n_answered`, the images with an answer in `out`;
#'     `cost`, the estimate for the others; `spent`, the costs so far. For models also the
#'     largest `tokens_in` and `tokens_out` of the others.
#'   - For pairs: the same, with `n_pairs` instead of `n_images`.
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
                  labels = NULL,
                  question = NULL,
                  questions = NULL,
                  meaning = "denotative",
                  graded = FALSE,
                  progress = TRUE,
                  ...) {
  check_dots(...)
  send_provider <- if (inherits(provider, "imagestrata_rekognition") || is.character(provider)) {
    send_tagger
  } else {
    send_model_of_words
  }
  of_pairs <- is.data.frame(x) && "pair_id" %in% names(x)
  decode_table(call_verb(
    "costs",
    x = if (of_pairs || "packet_id" %in% names(x)) encode_table(plain_tibble(x)) else send(x, "x"),
    provider = if (!is.null(provider)) send_provider(provider, "provider"),
    labels = send_named_texts(labels, "labels"),
    questions = if (of_pairs) send_pair_questions(questions) else send_questions(questions)
  ))
}
