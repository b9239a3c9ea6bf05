# Copies the Python core to inst/python, without what Python compiled for itself and without the
# command line and the types for editors, which R has no use for, and writes beside it the metadata
# by which Python tells the version of a package.

target <- file.path("inst", "python")
unlink(target, recursive = TRUE)

files <- list.files("python", recursive = TRUE)
files <- files[
  grepl("^imagestrata/", files) &
    !grepl("__pycache__|[.]pyc$|[.]pyi$|/py[.]typed$|/cli/|/__main__[.]py$", files)
]
for (folder in unique(dirname(files))) {
  dir.create(file.path(target, folder), recursive = TRUE, showWarnings = FALSE)
}
copied <- file.copy(file.path("python", files), file.path(target, files))
project <- readLines("pyproject.toml", encoding = "UTF-8")
invisible(file.copy("pyproject.toml", target))

stated <- function(key) {
  pattern <- paste0("^", key, ' = "(.*)"$')
  sub(pattern, "\\1", grep(pattern, project, value = TRUE))
}
version <- stated("version")
metadata <- file.path(target, paste0("imagestrata-", version, ".dist-info"))
dir.create(metadata)
writeLines(
  c(
    "Metadata-Version: 2.1",
    "Name: imagestrata",
    paste("Version:", version),
    paste("Summary:", stated("description"))
  ),
  file.path(metadata, "METADATA")
)

if (length(files) == 0 || !all(copied)) {
  stop("The Python core could not be copied to ", target, call. = FALSE)
}
