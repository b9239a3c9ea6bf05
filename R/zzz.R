# Nothing in this file starts Python or looks for it.

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
