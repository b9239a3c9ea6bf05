# Every error on purpose is of class `imagestrata_error` and says three things: what
# was expected, what was seen, and (in `hint`) what to do now.

abort_imagestrata <- function(message, hint = NULL, ..., class = NULL,
                              call = rlang::caller_env(), .envir = parent.frame()) {
  cli::cli_abort(
    c(message, i = hint),
    class = c(class, "imagestrata_error"),
    hint = hint,
    ...,
    call = call,
    .envir = .envir
  )
}
