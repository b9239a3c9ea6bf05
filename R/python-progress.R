# A progress bar that Python drives, in the thread that called the verb. The bar belongs
# to the frame of that verb and goes when the verb ends, also after an error or Ctrl-C.

progress_bar <- function(progress, frame = parent.frame()) {
  if (is.function(progress)) {
    return(guarded(\(step, done, total, pace) progress(step, done, total)))
  }
  if (!check_flag(progress, "progress", call = frame)) {
    return(FALSE)
  }
  bar <- NULL
  current <- ""
  guarded(function(step, done, total, pace) {
    if (step != current) {
      current <<- step
      bar <<- cli::cli_progress_bar(
        step,
        total = total %||% NA,
        # The pace is that of the last half minute, without what an earlier call had done.
        format = if (!is.null(total)) {
          "{cli::pb_name}{cli::pb_bar} {cli::pb_current}/{cli::pb_total} {cli::pb_extra$pace}"
        },
        extra = list(pace = ""),
        .envir = frame
      )
    }
    if (identical(as.numeric(done), as.numeric(total))) {
      cli::cli_progress_done(bar, .envir = frame)
    } else {
      cli::cli_progress_update(set = done, extra = list(pace = pace), id = bar, .envir = frame)
    }
  })
}

# An interrupt or an error must not pass through Python. The function returns TRUE to continue;
# call_core() raises a stored error when Python has stopped.
guarded <- function(report) {
  the$failure <- NULL
  function(step, done, total, pace = "") {
    tryCatch(
      {
        report(step, done, total, pace)
        Sys.sleep(0) # looks for Ctrl-C here, where it can be caught
        TRUE
      },
      interrupt = \(condition) FALSE,
      error = function(condition) {
        the$failure <- condition
        FALSE
      }
    )
  }
}
