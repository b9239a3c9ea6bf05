#' Encoders by name, and whether they are ready
#'
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per encoder. `ready` says whether it can be used at once,
#'   `needs` what is missing otherwise.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' list_encoders()
list_encoders <- function(...) {
  check_dots(...)
  decode_table(call_core("list_encoders"))
}
