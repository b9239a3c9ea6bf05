#' Check what imagestrata needs on this machine
#'
#' Checks R, Python, the core, its encoders and threads, and says what to do about problems. It
#' starts Python if it is available.
#'
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_doctor`. Include its printed form in a bug report. Its
#'   elements are `r`, `versions`, `machine`, `encoders` (a tibble), `conflicts` of threads, and the
#'   `problem` if Python cannot be used.
#' @export
#' @examplesIf imagestrata_ready()
#' imagestrata_doctor()
imagestrata_doctor <- function(...) {
  check_dots(...)
  found <- list(
    r = c(
      R = as.character(getRversion()),
      imagestrata = as.character(utils::packageVersion("imagestrata")),
      reticulate = as.character(utils::packageVersion("reticulate")),
      BLAS = basename(La_library())
    ),
    conflicts = thread_conflicts()
  )
  python <- tryCatch(call_core("examine"), imagestrata_error = identity)
  if (inherits(python, "condition")) {
    found$problem <- python
  } else {
    examined <- from_json(python[["found"]])
    found$versions <- unlist(examined[["versions"]])
    found$machine <- vapply(examined[["machine"]], \(value) as.character(value %||% "none"), "")
    found$encoders <- decode_table(python[["encoders"]])
  }
  structure(found, class = "imagestrata_doctor")
}

#' @export
print.imagestrata_doctor <- function(x, ...) {
  cat_rows("R", x$r)
  if (is.null(x$problem)) {
    cat_rows("Python", x$versions)
    cat_rows("Machine", x$machine)
    state <- ifelse(x$encoders$ready, "ready", paste("needs", x$encoders$needs))
    cat_rows("Encoders", rlang::set_names(state, x$encoders$name))
  } else {
    cat_lines("Python", c(conditionMessage(x$problem), x$problem[["details"]]))
  }
  if (length(x$conflicts) > 0) {
    cat_lines("Threads", unlist(x$conflicts))
  }
  if (is.null(x$problem) && length(x$conflicts) == 0) {
    cat("\nimagestrata has all it needs. Encoders that need a file will download it on first
         use.\n")
  }
  invisible(x)
}

cat_lines <- function(heading, lines) {
  cat("\n", heading, "\n", paste0("  ", gsub("\n", "\n  ", lines), "\n"), sep = "")
}

cat_rows <- function(heading, values) {
  cat("\n", heading, "\n", sep = "")
  cat(paste0("  ", format(names(values), width = 24), " ", values, "\n"), sep = "")
}

#' Check whether Python can run imagestrata
#'
#' Checks without starting Python in this session.
#'
#' @inheritParams scan_images
#'
#' @returns `TRUE` or `FALSE`.
#' @export
#' @examples
#' imagestrata_ready()
imagestrata_ready <- function(...) {
  check_dots(...)
  if (!is.null(the$core)) {
    return(TRUE)
  }
  chosen <- Sys.getenv("RETICULATE_PYTHON")
  python <- if (nzchar(chosen)) {
    path.expand(chosen)
  } else {
    environment_python(environment_path(environment_name))
  }
  file.exists(python) && has_modules(python)
}

has_modules <- function(python) {
  modules <- c("torch", "torchvision", "pandas", "pyarrow", "sklearn", "cv2")
  code <- sprintf(
    "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, '%s'.split())))",
    paste(modules, collapse = " ")
  )
  without_r_libraries(
    system2(python, c("-c", shQuote(code)), stdout = FALSE, stderr = FALSE)
  ) == 0
}
