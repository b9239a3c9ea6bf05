#' List the encoders and whether they are ready
#'
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per encoder. `ready` is `TRUE` if you can use the encoder at once;
#'   else `needs` names what is missing. Encoders of [register_encoder()] are at the end.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' list_encoders()
list_encoders <- function(...) {
  check_dots(...)
  decode_table(call_core("list_encoders"))
}
