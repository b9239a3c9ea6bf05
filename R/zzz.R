# Nothing in this file starts Python or looks for it.

# Methods for packages that need not be installed.
.onLoad <- function(libname, pkgname) {
  class <- "imagestrata_rating_model"
  register_when_loaded("emmeans", c("recover_data", "emm_basis"), class)
  register_when_loaded(
    "marginaleffects", c("get_coef", "set_coef", "get_vcov", "get_predict"), class
  )
}

register_when_loaded <- function(package, generics, class) {
  own <- topenv()
  register <- function(...) {
    for (generic in generics) {
      method <- get(paste(generic, class, sep = "."), own)
      registerS3method(generic, class, method, asNamespace(package))
    }
  }
  if (isNamespaceLoaded(package)) register()
  setHook(packageEvent(package, "onLoad"), register)
}

.onAttach <- function(libname, pkgname) {
  for (conflict in thread_conflicts()) {
    packageStartupMessage(paste(conflict, collapse = "\n"))
  }
}

# Python's torch has its own OpenMP. Some other versions in the same process make R crash.
thread_conflicts <- function(blas = La_library(), loaded = loadedNamespaces()) {
  found <- list()
  if (grepl("mkl|iomp", basename(blas), ignore.case = TRUE)) {
    found$mkl <- c(
      "R computes with Intel MKL, whose threads can clash with those of Python's torch.",
      "Put MKL_THREADING_LAYER=GNU into ~/.Renviron and restart R."
    )
  }
  if ("torch" %in% loaded) {
    found$torch <- c(
      "The R package torch is loaded, and two copies of torch in one session can make R crash.",
      "Restart R and use imagestrata in a session without it."
    )
  }
  found
}
