# R puts its own libraries first on LD_LIBRARY_PATH, where a Python that R starts
# finds the wrong OpenSSL and cannot download. So programs are run without it.
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
