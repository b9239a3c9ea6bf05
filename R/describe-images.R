#' Have a vision language model describe images
#'
#' Asks a model to describe each image. Each answer is stored in `out` as soon as it arrives. An
#' interrupted call continues, and you never pay twice for an answer: neither after a crash, nor
#' when you add images, nor with `overwrite`.
#'
#' Images go to the server as JPEG without metadata (no place, no camera). A server on another
#' machine requires `consent = TRUE`; without it, an error states how many images would go where,
#' and at what cost. [costs()] estimates the cost beforehand.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param provider The model, from [model_server()] or [local_model()].
#' @param out The run folder: answers go to `descriptions/answers.jsonl` there, and the table to
#'   `descriptions.parquet`.
#' @param prompt The question to the model; by default that of the study that introduced this road.
#' @param max_tokens Largest length of an answer; `NULL` sets no limit. Truncated texts say less,
#'   and other things, than whole ones: `reason` marks them, and a warning counts them. A `budget`
#'   needs a limit. Without one, costs are estimated with 1,000 tokens per answer.
#' @param temperature 0 for the most likely answer, higher values for more varied ones; by default
#'   that of the server.
#' @param side Longest side of the pictures that are sent, in pixels.
#' @param budget The most that all answers in `out` to this prompt by this model may cost together,
#'   in the currency of the server's `price`. A request starts only if the budget covers its most
#'   expensive answer.
#' @param consent May the images leave this machine?
#' @inheritParams scan_images
#'
#' @returns `describe_images()`: a tibble with a row per image: `image_id`, `path`, `n_copies`,
#'   columns of your own; `description`; `reason`, why the description is missing (a refusal, an
#'   empty answer, no answer, an unreadable file, the budget) or incomplete; `model`, the name that
#'   the server gives; `tokens_in`, `tokens_out` and `cost`. If a reason may be temporary, the same
#'   call tries the image again.
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
  decode_table(call_verb("describe_images", provider = send_model_of_words(provider, "provider")))
}

default_prompt <- "Describe the connotative meaning of this image, in one paragraph"
