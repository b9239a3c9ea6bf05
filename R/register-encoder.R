#' Use an encoder of your own
#'
#' Makes a function that turns pictures into vectors known by a name, for this session. Afterwards
#' [embed_images()], [cluster_images()] and all other functions with an argument `encoder` take its
#' name, and [list_encoders()] lists it.
#'
#' @section Changes are noticed:
#' Run folders record the version, a hash of the code of `encode` (without comments), and a hash of
#' the vectors of three test pictures, which are computed again in every call. If one of them
#' differs, vectors are never taken from a run folder, and new images are never placed among the
#' old ones; an error says what changed. A network with other weights gives other vectors of the
#' test pictures, whatever its code. `version` is for changes that neither shows, such as a helper
#' function that treats only some pictures otherwise.
#'
#' @section Later sessions:
#' Register the encoder again, with the same name and function, before you embed further images or
#' repeat a call. Finished results are read without it.
#'
#' @param name Its name: letters, digits, `_`, `-` and `.`. The name of an encoder of the package is
#'   refused. An encoder that you registered before under the name is replaced.
#' @param encode A function. It receives an array of n pictures, with the dimensions n,
#'   `input_size`, `input_size` and 3: pictures, rows, columns and the colours red, green and blue,
#'   as whole numbers from 0 to 255. It returns the n vectors, one per row: a numeric matrix. It
#'   runs in R's own thread, with one batch after the other, and not on a cluster.
#' @param input_size Width and height of the pictures in pixels. The argument `resize` of
#'   [embed_images()] decides how pictures are made square.
#' @param batch_size Number of pictures that `encode` receives at once. The last batch may be
#'   smaller.
#' @param version A text that you change when the encoder changes. It is needed if `encode` is not
#'   written in R.
#' @inheritParams scan_images
#'
#' @returns `name`, invisibly.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' # The mean of each colour:
#' mean_colour <- function(pictures) {
#'   apply(pictures, c(1, 4), mean)
#' }
#' register_encoder("mean_colour", mean_colour, input_size = 32)
#' folder <- imagestrata_example("images")
#' embeddings <- embed_images(folder, encoder = "mean_colour", progress = FALSE)
#' head(as.matrix(embeddings), 3)
register_encoder <- function(name,
                             encode,
                             input_size = 224,
                             batch_size = 8,
                             version = NULL,
                             ...) {
  check_dots(...)
  check_string(name, "name")
  if (!is.function(encode)) {
    abort_imagestrata(
      "{.arg encode} must be a function of pictures that returns their vectors, not
       {seen(encode)}."
    )
  }
  call_verb(
    "register_encoder",
    encode = send_encoder(encode),
    input_size = as_whole(check_number(input_size, "input_size")),
    batch_size = as_whole(check_number(batch_size, "batch_size")),
    code = code_of_function(encode)
  )
  invisible(name)
}
