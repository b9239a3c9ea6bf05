# Every error on purpose is of class `imagestrata_error` and says three things: what
# was expected, what was seen, and (in `hint`) what to do now. Texts are cli templates.

abort_imagestrata <- function(message, hint = NULL, ..., class = NULL,
                              call = rlang::caller_env(), .envir = parent.frame()) {
  lines <- c(message, i = hint)
  lines[] <- vapply(lines, format_text, "", .envir = .envir)
  rlang::abort(
    lines,
    class = c(class, "imagestrata_error"),
    hint = if (!is.null(hint)) lines[["i"]],
    ...,
    call = call,
    use_cli_format = TRUE
  )
}

# Line breaks in a template are for the reader of the source.
format_text <- function(text, .envir = parent.frame()) {
  cli::format_inline(gsub("\\s*\n\\s*", " ", text), .envir = .envir)
}
