# The only access to Python. `core()` starts it on first use; through it, `call_core()` calls verbs
# of Python, by python/imagestrata/bridge/calls.py.

the <- new.env(parent = emptyenv())

core <- function(call = rlang::caller_env()) {
  the$core %||% (the$core <- open_core(call))
}

open_core <- function(call) {
  if (!reticulate::py_available()) {
    choose_environment()
  }
  # Never let reticulate offer to download a Python of its own.
  python <- with_letters(with_envvar(
    c(RETICULATE_MINICONDA_ENABLED = "FALSE"),
    tryCatch(reticulate::py_config(), error = identity)
  ))
  if (inherits(python, "error")) {
    abort_no_python(conditionMessage(python), call)
  }
  if (utils::compareVersion(as.character(python$version), oldest_python) < 0) {
    abort_imagestrata(
      "imagestrata needs Python {python_range()}, but {.file {python$python}} is {python$version}.",
      hint = "{next_step()}",
      call = call
    )
  }
  tryCatch(
    import_core(),
    error = \(error) abort_no_core(python$python, conditionMessage(error), call)
  )
}

# The user's choice has priority: reticulate follows RETICULATE_PYTHON and `use_virtualenv()`, and
# `required = FALSE` is only a proposal.
choose_environment <- function() {
  if (has_py_require() && !reticulate::virtualenv_exists(environment_name)) {
    py_require(core_requirements(), python_version = paste0(">=", oldest_python))
  } else if (reticulate::virtualenv_exists(environment_name)) {
    reticulate::use_virtualenv(environment_name, required = FALSE)
  }
}

# Python reads the locale once, when it starts: in the C locale (batch jobs, containers) it would
# read names of files as ASCII. R's own locale stays as it was.
with_letters <- function(code) {
  if (!in_c_locale()) {
    return(code)
  }
  before <- Sys.getlocale("LC_CTYPE")
  on.exit(Sys.setlocale("LC_CTYPE", before))
  with_envvar(c(LC_ALL = "C.UTF-8"), code)
}

import_core <- function() {
  source <- core_source()
  sys <- reticulate::import("sys", convert = FALSE)
  if (nzchar(source) && !source %in% reticulate::py_to_r(sys$path)) {
    # Not removed later, because Python's worker processes need it too.
    sys$path$insert(0L, source)
  }
  if (in_c_locale() && reticulate::py_to_r(sys$getfilesystemencoding()) != "utf-8") {
    cli::cli_warn(c(
      "Python was started before imagestrata, in a locale without letters beyond ASCII: files with
       others in their names cannot be read.",
      i = "Start R with {.envvar LC_ALL} set to {.val C.UTF-8}."
    ))
  }
  reticulate::import("imagestrata.bridge.calls")
}

# Calls a verb and returns its value. Python's side never raises an error: it answers with the value
# or the error, and with the warnings, in R's words.
call_core <- function(verb, ..., call = rlang::caller_env()) {
  arguments <- rlang::list2(...) # checked before Python is looked for
  answer <- do.call(core(call)[["call"]], c(list(verb), arguments), quote = TRUE)
  for (warning in as.character(answer[["warnings"]])) {
    cli::cli_warn("{warning}", call = call)
  }
  error <- answer[["error"]]
  if (identical(error[["kind"]], "interrupt")) {
    if (is.null(the$failure)) rlang::interrupt() else stop(the$failure)
  }
  if (!is.null(error)) {
    abort_imagestrata(
      "{error[['message']]}",
      hint = if (nzchar(error[["hint"]])) "{error[['hint']]}",
      class = setdiff(error[["kind"]], "ImagestrataError"),
      code = error[["code"]],
      names = error[["names"]],
      traceback = error[["traceback"]],
      call = call
    )
  }
  answer[["value"]]
}

# Calls a verb with all arguments of the R function that calls this, by their names: those in
# `...` as they are given here, all others as send_argument() prepares them. The dots of that
# function must be empty.
call_verb <- function(verb, ..., call = rlang::caller_env()) {
  refuse_dots(call, rlang::caller_fn(), rlang::caller_call())
  call_core(verb, !!!send_arguments(rlang::list2(...), rlang::caller_fn(), call), call = call)
}

environment_name <- "r-imagestrata"
oldest_python <- "3.11"

# Older versions do not have it, so it cannot be imported.
py_require <- function(...) {
  getExportedValue("reticulate", "py_require")(...)
}

# Older versions of reticulate fail with a newer Python.
newest_python <- function(reticulate = utils::packageVersion("reticulate")) {
  if (reticulate < "1.33") {
    "3.11"
  } else if (reticulate < "1.40") {
    "3.12"
  }
}

python_range <- function(newest = newest_python()) {
  if (is.null(newest)) {
    paste(oldest_python, "or newer")
  } else if (newest == oldest_python) {
    oldest_python
  } else {
    paste(oldest_python, "to", newest)
  }
}

has_py_require <- function() {
  utils::packageVersion("reticulate") >= "1.41"
}

# The core's source is part of this package, see configure.
core_source <- function() {
  system.file("python", package = "imagestrata")
}

abort_no_python <- function(details, call) {
  abort_imagestrata(
    "imagestrata uses Python, and found no suitable version: reticulate
     {utils::packageVersion('reticulate')} and imagestrata together need Python {python_range()}.",
    hint = "{next_step()}",
    class = "imagestrata_no_python",
    details = details,
    call = call
  )
}

abort_no_core <- function(python, details, call) {
  missing <- regmatches(details, regexec("No module named '([^'.]+)", details))[[1]][2]
  seen <- if (is.na(missing)) details else format_text("It lacks {.pkg {missing}}.")
  abort_imagestrata(
    c("Python at {.file {python}} cannot run imagestrata.", x = "{seen}"),
    hint = "{next_step()}",
    class = "imagestrata_no_core",
    details = details,
    call = call
  )
}

next_step <- function() {
  chosen <- Sys.getenv("RETICULATE_PYTHON")
  if (nzchar(chosen)) {
    absent <- if (!file.exists(path.expand(chosen))) ", which does not exist"
    return(format_text(
      "The environment variable {.envvar RETICULATE_PYTHON} selects {.file {chosen}}{absent}, and
       overrides other installations. {who_sets('RETICULATE_PYTHON')} Remove it there, restart R,
       and run {.run imagestrata::install_imagestrata()}."
    ))
  }
  format_text(
    "Run {.run imagestrata::install_imagestrata()} once, then restart R; {.run
     imagestrata::imagestrata_doctor()} reports details."
  )
}

# A sentence about the file that sets an environment variable, or about other places to look.
who_sets <- function(variable) {
  files <- c(
    Sys.getenv("R_ENVIRON_USER"), file.path(getwd(), ".Renviron"), path.expand("~/.Renviron"),
    Sys.getenv("R_ENVIRON"), file.path(R.home("etc"), c("Renviron.site", "Renviron"))
  )
  sets <- function(file) {
    pattern <- paste0("^\\s*(export\\s+)?", variable, "\\s*=")
    # Bytes: a line may be in any encoding.
    any(grepl(pattern, readLines(file, warn = FALSE), useBytes = TRUE))
  }
  found <- Filter(sets, files[file.exists(files) & !dir.exists(files)])
  if (length(found) > 0) {
    format_text("The file {.file {found[[1]]}} sets it.")
  } else {
    "None of R's environment files sets it, so the shell, the system or .Rprofile does."
  }
}

# R puts its own libraries first on LD_LIBRARY_PATH. A Python that R starts would find the wrong
# OpenSSL there and could not download, so programs are run without this variable.
without_r_libraries <- function(code) {
  with_envvar(c(LD_LIBRARY_PATH = NA), code)
}

with_envvar <- function(new, code) {
  old <- Sys.getenv(names(new), unset = NA, names = TRUE)
  on.exit(set_envvar(old))
  set_envvar(new)
  force(code)
}

set_envvar <- function(values) {
  gone <- is.na(values)
  Sys.unsetenv(names(values)[gone])
  if (any(!gone)) {
    do.call(Sys.setenv, as.list(values[!gone]))
  }
}
