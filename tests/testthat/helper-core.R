# Three rings of tests: pure R; R against a core of our own making (`local_core()`); and R
# against the real core (`skip_if_no_core()`), which must not be skipped where
# IMAGESTRATA_REQUIRE_CORE is set.

# Verbs answer what the named functions return; their arguments are recorded.
local_core <- function(..., .frame = parent.frame()) {
  before <- the$core
  withr::defer(the$core <- before, envir = .frame)
  calls <- new.env()
  answer <- function(verb, make) {
    force(verb)
    force(make)
    function(...) {
      calls[[verb]] <- list(...)
      value <- make(...)
      if (inherits(value, "answer")) value else list(value = value, warnings = list())
    }
  }
  verbs <- list(...)
  answers <- Map(answer, names(verbs), verbs)
  the$core <- list(call = \(verb, ...) answers[[verb]](...))
  calls
}

failing_answer <- function(kind, message, hint = "", traceback = "Traceback", warnings = list()) {
  error <- list(kind = kind, message = message, hint = hint, traceback = traceback)
  structure(list(value = NULL, error = error, warnings = warnings), class = "answer")
}

skip_if_no_core <- function() {
  if (nzchar(Sys.getenv("IMAGESTRATA_REQUIRE_CORE"))) {
    core()
  }
  skip_if_not(imagestrata_ready(), "no Python with imagestrata's packages")
}

# For tests that need a Python package of an extra, which need not be installed.
skip_without <- function(module) {
  skip_if_no_core()
  skip_if_not(
    reticulate::py_module_available(module),
    paste("the optional Python package", module, "is not installed")
  )
}

# R in a process of its own, with this package installed or loaded from its source.
fresh_r <- function(code, env = character()) {
  skip_if_not_installed("callr")
  source <- if (exists(".__DEVTOOLS__", asNamespace("imagestrata"))) {
    pkgload::pkg_path()
  }
  callr::r(
    function(code, source) {
      if (is.null(source)) {
        library(imagestrata)
      } else {
        pkgload::load_all(source, quiet = TRUE)
      }
      eval(parse(text = code))
    },
    list(code, source),
    env = c(callr::rcmd_safe_env(), env)
  )
}

# Replaces a function of the package until the test ends (testthat has this from 3.1.7 on).
local_replaced <- function(name, value, .frame = parent.frame()) {
  namespace <- asNamespace("imagestrata")
  replace <- function(value) {
    base::unlockBinding(name, namespace)
    assign(name, value, envir = namespace)
    base::lockBinding(name, namespace)
  }
  before <- get(name, envir = namespace)
  withr::defer(replace(before), envir = .frame)
  replace(value)
}
