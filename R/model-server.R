#' Use a model on a server with the OpenAI interface
#'
#' Describes a server: OpenAI itself, or a program with the same interface on your machine or at
#' your university, such as Ollama, vLLM or LM Studio. This function sends nothing.
#'
#' @details Requests go to `base_url` and nowhere else: a redirect is an error, and requests to this
#' machine never go through a proxy. Settings for OpenAI in the environment are sent to OpenAI only.
#' An answer without a plausible number of tokens is counted at the highest possible cost.
#'
#' @param model Name of the model on the server.
#' @param base_url Address of the server; `"http://localhost:11434/v1"` is Ollama on your machine.
#'   (Models whose names end in `cloud` run on Ollama's servers and require consent.)
#' @param api_key Key for the server. By default the environment variable `OPENAI_API_KEY`, which is
#'   sent to OpenAI only. A key is never printed or stored: neither in a run folder, nor by
#'   `saveRDS()`, nor in a saved workspace. A server that you load from a file has no key.
#' @param price Prices of a million tokens sent and of a million tokens answered. Your provider
#'   publishes them. Without prices, costs are reported in tokens only.
#' @param tokens_per_image Number of tokens per image, for the estimate of costs. The first answer
#'   corrects it.
#' @param concurrency Number of simultaneous requests.
#' @param requests_per_minute Largest number of requests per minute.
#' @param retries Number of further attempts after a failure, with increasing pauses or those that
#'   the server requests.
#' @param timeout Largest time from a request to the end of its answer, in seconds. Answers of more
#'   than 50 MB are not read.
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_server`, for [describe_images()], [tag_images()] and
#'   [embed_text()].
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
print.imagestrata_server <- function(x, ...) print_line(x)

# Prints a model or a service as one line.
print_line <- function(x) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# The error does not show the value, which may contain a valid key.
check_key <- function(x, call = rlang::caller_env()) {
  if (!is.null(x) && !rlang::is_string(x)) {
    abort_imagestrata("{.arg api_key} must be one piece of text.", call = call)
  }
  x
}

# str() and dput() do not show the contents of an environment, and the target of a weak reference is
# not written to files.
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
      "This server comes from a file or another R session, which does not contain its key.",
      hint = "Make it again with {.fn model_server}.",
      call = call
    )
  }
  secret
}

#' Use a vision language model on this machine
#'
#' @param model The folder of the model, or its name on the Hugging Face hub, from which the Python
#'   library transformers downloads it once. It must be a model for images and text with a chat
#'   template, such as LLaVA, Qwen-VL or SmolVLM.
#' @param device Device that computes: `"auto"` uses a GPU if there is one. Without a GPU, an image
#'   takes minutes instead of seconds.
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_local_model`, for [describe_images()] and [tag_images()].
#' @family words
#' @export
#' @examples
#' local_model("models/smolvlm")
local_model <- function(model, device = "auto", ...) {
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
  # Python has the environment of the time when it started.
  key <- Sys.getenv("OPENAI_API_KEY")
  is_openai <- grepl("^https://api[.]openai[.]com(/|$)", x$base_url)
  if (is.null(server$api_key) && nzchar(key) && is_openai) {
    server$api_key <- key
  }
  c(list(kind = "ModelServer"), server)
}
