#' Have a vision language model describe images
#'
#' Each answer is stored in `out` the moment it arrives. A call that was interrupted goes on, and
#' no answer is paid for twice: not after a crash, not when images are added, not with
#' `overwrite`.
#'
#' Images go to the server as JPEG without metadata (no place, no camera). If it is not on this
#' machine, `consent = TRUE` is asked for, and the error that asks says how many images would go
#' where, and at what cost; [costs()] says the latter beforehand.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param provider The model: what [model_server()] or [local_model()] returned.
#' @param out The run folder: answers go to `descriptions/answers.jsonl` there, and the table to
#'   `descriptions.parquet`.
#' @param prompt The question to the model; by default as in the study that introduced this road.
#' @param max_tokens Length of an answer, at most; `NULL` sets no limit. Texts that are cut short
#'   say less, and other things, than whole ones: `reason` marks them, and a warning counts them.
#'   A `budget` needs a limit. Without one, costs are estimated with 1,000 tokens per answer.
#' @param temperature 0 for the likeliest answer, more for varied ones; by default what the
#'   server takes as its own.
#' @param side Pictures are sent with their longer side at most this many pixels.
#' @param budget The most that all answers in `out` to this prompt by this model may cost together,
#'   in the currency of the server's `price`. A request starts only if the budget also covers the
#'   dearest answer to it.
#' @param consent May the images leave this machine?
#' @inheritParams scan_images
#'
#' @returns `describe_images()`: a tibble with a row per image: `image_id`, `path`, `n_copies`,
#'   columns of yours; `description`; `reason` why there is none (a refusal, an empty answer, no
#'   answer, an unreadable file, the budget) or why it is incomplete; `model` as the server names
#'   it; `tokens_in`, `tokens_out` and `cost`. Rows whose reason may pass are tried again by the
#'   same call.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' server <- model_server("llava", base_url = "http://localhost:11434/v1", price = c(1, 2))
#' costs(folder, server, progress = FALSE)
#' \dontrun{
#' described <- describe_images(folder, server, out = "run")
#' }
describe_images <- function(images,
                            provider,
                            out,
                            prompt = default_prompt,
                            max_tokens = 300,
                            temperature = NULL,
                            side = 512,
                            budget = NULL,
                            consent = FALSE,
                            overwrite = FALSE,
                            progress = TRUE,
                            ...) {
  check_dots(...)
  decode_table(call_verb(
    "describe_images",
    provider = send_model_of_words(provider, "provider")
  ))
}

default_prompt <- "Describe the connotative meaning of this image, in one paragraph"
