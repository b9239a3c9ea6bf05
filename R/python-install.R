#' Install the Python packages that imagestrata needs
#'
#' Makes a virtual environment, `r-imagestrata`, and installs the Python packages in it. The Python
#' part of imagestrata itself is included in the R package. Do this once, then restart R.
#'
#' @section Other ways:
#' To use an existing environment, set the environment variable `RETICULATE_PYTHON` to its Python,
#' which has priority over everything else, or call [reticulate::use_virtualenv()] before the first
#' function that needs Python. With reticulate 1.41 or newer you need not install anything: on first
#' use the packages are downloaded into a temporary environment, unless `r-imagestrata` exists.
#'
#' @param torch Build of torch: `"cpu"`, the smallest; `"cuda"`, for an NVIDIA graphics card, chosen
#'   by its driver; or `"default"`, the build in the package registry for this system (on Linux it
#'   works with and without a graphics card, but is large).
#' @param extras Names of optional groups of packages, such as `"density"`. The error for an unknown
#'   name lists them.
#' @param python The Python that makes the environment, 3.11 or newer (reticulate before 1.33 needs
#'   3.11, before 1.40 at most 3.12). By default the newest suitable Python on this machine.
#' @param envname Name or path of the virtual environment.
#' @param recreate Remove the environment first if it exists?
#' @inheritParams scan_images
#'
#' @returns The path of the environment's Python, invisibly.
#' @export
#' @examples
#' \dontrun{
#' install_imagestrata()
#' install_imagestrata(torch = "cuda")
#' }
install_imagestrata <- function(torch = c("cpu", "cuda", "default"),
                                extras = character(),
                                python = NULL,
                                envname = "r-imagestrata",
                                recreate = FALSE,
                                ...) {
  check_dots(...)
  torch <- rlang::arg_match(torch)
  requirements <- core_requirements(extras)
  python <- check_python(python)
  folder <- environment_path(check_string(envname, "envname"))
  if (check_flag(recreate, "recreate")) {
    unlink(folder, recursive = TRUE)
  }
  installed <- environment_python(folder)
  if (!file.exists(installed)) {
    cli::cli_inform(c("i" = "Making {.file {folder}} with {.file {python}}."))
    run_python(python, c("-m", "venv", folder), "make the virtual environment")
  }
  cli::cli_inform(c("i" = "Installing {length(requirements)} packages: this takes some minutes."))
  install_requirements(installed, requirements, torch)
  cli::cli_inform(c("v" = "imagestrata is ready: restart R before you use it."))
  warn_overridden(installed)
  invisible(installed)
}

# pip has one torch for each system; uv has its builds by name.
install_requirements <- function(python, requirements, torch) {
  pip <- c("-m", "pip", "install", "--quiet")
  if (torch == "default") {
    return(run_python(python, c(pip, requirements), "install the packages"))
  }
  backend <- c(cpu = "cpu", cuda = "auto")[[torch]]
  run_python(python, c(pip, "uv"), "install the packages")
  uv <- c("-m", "uv", "pip", "install", "--quiet", "--python", python)
  run_python(
    python,
    c(uv, "--torch-backend", backend, requirements),
    "install the packages",
    hint = "If only the package registry can be reached, use {.code torch = \"default\"}."
  )
}

run_python <- function(python, arguments, what, hint = NULL, call = rlang::caller_env(2)) {
  status <- without_r_libraries(system2(python, shQuote(arguments)))
  if (status != 0) {
    abort_imagestrata(
      "Python could not {what}; see its message above.",
      hint = hint %||% "Check the network connection and the space on the disk.",
      call = call
    )
  }
  invisible()
}

warn_overridden <- function(installed) {
  chosen <- Sys.getenv("RETICULATE_PYTHON")
  if (nzchar(chosen) && !identical(absolute_path(chosen), absolute_path(installed))) {
    cli::cli_warn(c(
      "The environment variable {.envvar RETICULATE_PYTHON} selects {.file {chosen}} instead.",
      "i" = "Remove it from {.file ~/.Renviron} or wherever it is set."
    ))
  }
}

environment_path <- function(envname) {
  if (grepl("[/\\\\]", envname)) {
    absolute_path(envname)
  } else {
    file.path(absolute_path(reticulate::virtualenv_root()), envname)
  }
}

environment_python <- function(folder) {
  if (.Platform$OS.type == "windows") {
    file.path(folder, "Scripts", "python.exe")
  } else {
    file.path(folder, "bin", "python")
  }
}

check_python <- function(python, call = rlang::caller_env()) {
  candidates <- if (is.null(python)) find_pythons() else check_path(python, "python", call = call)
  versions <- vapply(rlang::set_names(candidates), python_version, "")
  usable <- is_usable(versions)
  if (any(usable)) {
    return(names(newest_first(versions[usable]))[1])
  }
  others <- versions[versions != ""]
  found <- if (length(others) == 0) "none" else paste0(names(others), " (", others, ")")
  abort_imagestrata(
    "imagestrata and reticulate {utils::packageVersion('reticulate')} need Python
     {python_range()}; found {found}.",
    hint = "Install one with your system's package manager or from {.url https://www.python.org},
            or name it: {.code install_imagestrata(python = \"...\")}.",
    class = "imagestrata_no_python",
    call = call
  )
}

find_pythons <- function() {
  names <- c("python3", "python", paste0("python3.", 14:11))
  pyenv <- file.path(Sys.getenv("PYENV_ROOT", "~/.pyenv"), "versions", "*", "bin", "python")
  # Where the installers of python.org put it on Windows; they do not add it to the path.
  local <- Sys.getenv("LOCALAPPDATA")
  folders <- c(
    if (nzchar(local)) file.path(local, c("Python/pythoncore-3*", "Programs/Python/Python3*")),
    if (nzchar(Sys.getenv("ProgramFiles"))) file.path(Sys.getenv("ProgramFiles"), "Python3*")
  )
  others <- Sys.glob(c(path.expand(pyenv), file.path(folders, "python.exe")))
  found <- unique(c(Sys.which(names), others))
  unname(found[nzchar(found)])
}

# "" if this is not a Python that can make virtual environments.
python_version <- function(python) {
  code <- "import ensurepip, venv, platform; print(platform.python_version())"
  output <- tryCatch(
    suppressWarnings(without_r_libraries(
      system2(python, c("-c", shQuote(code)), stdout = TRUE, stderr = FALSE)
    )),
    error = \(error) character()
  )
  if (length(output) == 1) output else ""
}

is_usable <- function(versions, newest = newest_python()) {
  versions[versions == ""] <- "0.0"
  versions <- numeric_version(unname(versions))
  versions >= oldest_python & (is.null(newest) | versions[, 1:2] <= (newest %||% "0.0"))
}

newest_first <- function(versions) {
  versions[order(numeric_version(versions), decreasing = TRUE)]
}

# The requirements that pip installs, from the core's pyproject.toml.
core_requirements <- function(extras = character(), call = rlang::caller_env()) {
  known <- extra_requirements()
  unknown <- setdiff(extras, names(known))
  if (length(unknown) > 0) {
    abort_imagestrata(
      "imagestrata has no extra {.val {unknown}}.",
      hint = "It has {.val {names(known)}}.",
      call = call
    )
  }
  c(read_toml_array(core_project(), "dependencies"), unlist(known[extras], use.names = FALSE))
}

extra_requirements <- function() {
  project <- core_project()
  headers <- grepl("^\\[", project)
  optional <- match("[project.optional-dependencies]", project[headers])
  section <- project[cumsum(headers) == optional]
  names <- sub(" = \\[.*", "", grep("^[a-z]+ = \\[", section, value = TRUE))
  extras <- lapply(rlang::set_names(names), read_toml_array, lines = section)
  extras[names(extras) != "dev"]
}

core_project <- function() {
  readLines(file.path(core_source(), "pyproject.toml"), encoding = "UTF-8")
}

# The strings of `name = ["...", "..."]`, on one line or on many.
read_toml_array <- function(lines, name) {
  first <- grep(paste0("^", name, " = \\["), lines)
  last <- first + grep("\\]$", lines[first:length(lines)])[1] - 1L
  text <- paste(lines[first:last], collapse = "\n")
  gsub('"', "", regmatches(text, gregexpr('"[^"]+"', text))[[1]])
}
