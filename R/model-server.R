#' A model on a server with the OpenAI interface
#'
#' OpenAI itself, or a program on your own machine or in your university: Ollama, vLLM, LM
#' Studio and others speak the same interface. Nothing is sent by this function.
#'
#' @details
#' Requests go to `base_url` and nowhere else: a redirect is an error, and what is sent to this
#' machine never goes through a proxy. Other servers than OpenAI get none of the environment's
#' settings for OpenAI. An answer without a believable count of tokens costs the most that it could.
#'
#' @param model The model's name, as the server knows it.
#' @param base_url Where the server is; `"http://localhost:11434/v1"` is an Ollama of yours.
#'   (Models whose names end in `cloud` run on Ollama's own servers, and need consent.)
#' @param api_key By default the environment variable `OPENAI_API_KEY`, which is sent to OpenAI
#'   and to nobody else. A key is never printed, nor stored: not in a run folder, and not by
#'   `saveRDS()` or with a workspace, from which a server comes back without it.
#' @param price The price of a million tokens, two numbers: those sent and those answered. Look them
#'   up with the provider; without them, costs are told in tokens only.
#' @param tokens_per_image Tokens that an image is billed as, for the estimate. The first
#'   answer corrects it.
#' @param concurrency Requests under way at once.
#' @param requests_per_minute Requests started per minute, at most.
#' @param retries Further attempts after a failure, with growing pauses or those that the
#'   server asks for.
#' @param timeout Seconds from a request to the last byte of its answer; then it is given up.
#'   Answers of more than 50 MB are not read.
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_server`, for [describe_images()] and [embed_text()].
#' @family words
#' @export
#' @examples
#' model_server("llava", base_url = "http://localhost:11434/v1")
model_server <- function(model,
                         base_url = "https://api.openai.com/v1",
                         api_key = NULL,
                         price = NULL,
                         tokens_per_image = 1000,
                         concurrency = 4,
                         requests_per_minute = NULL,
                         retries = 5,
                         timeout = 120,
                         ...) {
  check_dots(...)
  if (!is.null(price) && (!is.numeric(price) || length(price) != 2 || anyNA(price))) {
    abort_imagestrata(
      "{.arg price} must be two numbers, what a million tokens sent and a million answered cost,
       not {seen(price)}."
    )
  }
  server <- check_arguments(
    model = check_string(model, "model"),
    api_key = hide(check_key(api_key)),
    price = if (!is.null(price)) as.list(as.double(price))
  )
  structure(server, class = "imagestrata_server")
}

#' @export
format.imagestrata_server <- function(x, ...) {
  paste0("<model ", x$model, " at ", x$base_url, ">")
}

#' @export
print.imagestrata_server <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# Says less of a wrong key than of other arguments: it may hold a right one.
check_key <- function(x, call = rlang::caller_env()) {
  if (!is.null(x) && !rlang::is_string(x)) {
    abort_imagestrata("{.arg api_key} must be one piece of text.", call = call)
  }
  x
}

# Neither str() nor dput() look into an environment, and to what a weak reference refers is not
# written to files.
hide <- function(secret) {
  if (is.null(secret)) {
    return(NULL)
  }
  holder <- new.env(parent = emptyenv())
  holder$value <- rlang::new_weakref(holder, secret)
  holder
}

reveal <- function(holder, call = rlang::caller_env()) {
  if (is.null(holder)) {
    return(NULL)
  }
  secret <- rlang::wref_value(holder$value)
  if (is.null(secret)) {
    abort_imagestrata(
      "This server comes from a file or another R session, where keys do not go.",
      hint = "Make it again with {.fn model_server}.",
      call = call
    )
  }
  secret
}

#' A vision language model on this machine
#'
#' @param model The folder of the model, or its name on the Hugging Face hub, from where the
#'   Python library transformers downloads it once. It must be one for images and text, with a
#'   chat template: LLaVA, Qwen-VL, SmolVLM and others.
#' @param device Where it computes: `"auto"` takes a GPU if there is one. Without a GPU, an image
#'   takes minutes rather than seconds.
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_local_model`, for [describe_images()].
#' @family words
#' @export
#' @examples
#' local_model("models/smolvlm")
local_model <- function(model, device = "auto", ...) {
  check_dots(...)
  model <- check_arguments(model = check_string(model, "model"))
  if (dir.exists(path.expand(on_disk(model$model)))) {
    model$model <- absolute_path(model$model)
  }
  structure(model, class = "imagestrata_local_model")
}

#' @export
print.imagestrata_local_model <- function(x, ...) {
  cat("<model ", x$model, " on this machine>\n", sep = "")
  invisible(x)
}

send_model_of_words <- function(x, name, call = rlang::caller_env()) {
  if (inherits(x, "imagestrata_local_model")) {
    return(c(list(kind = "LocalModel"), unclass(x)))
  }
  send_server(x, name, call)
}

send_server <- function(x, name, call = rlang::caller_env()) {
  check_class(x, "imagestrata_server", name, "model_server", call)
  server <- unclass(x)
  server["api_key"] <- list(reveal(x$api_key, call))
  # Python saw the environment as it was when it started.
  key <- Sys.getenv("OPENAI_API_KEY")
  is_openai <- grepl("^https://api[.]openai[.]com(/|$)", x$base_url)
  if (is.null(server$api_key) && nzchar(key) && is_openai) {
    server$api_key <- key
  }
  c(list(kind = "ModelServer"), server)
}
