# What every benchmark in R shares, the same as machine.py: its size, and results as a table and as
# JSON. Benchmarks run in the root of the repository, with this file as their first line.

bench_size <- Sys.getenv("IMAGESTRATA_SIZE", "standard")

# What a benchmark of this size takes.
sized <- function(smoke, standard, full = standard) {
  switch(bench_size, smoke = smoke, standard = standard, full = full)
}

# The number on the command line, or else the default.
asked <- function(default) {
  given <- suppressWarnings(as.integer(commandArgs(trailingOnly = TRUE)[1]))
  if (is.na(given)) default else given
}

# Within which percentages a true coverage of 95% is found in so many simulations, for notes.
chance <- function(simulations) {
  limits <- 95 + c(-196, 196) * sqrt(0.95 * 0.05 / simulations)
  sprintf(
    "Monte Carlo error: with %s simulations, a true coverage of 95%% gives %.1f to %.1f%%",
    format(simulations, big.mark = ","), limits[1], min(100, limits[2])
  )
}

# Writes name.md and name.json. `shown` is the table of the page if it is not that of `rows`: its
# cells may hold several numbers, those of JSON one each. `simulations` is their number for each row
# of intervals, whose error the notes then state; `counts` are others that docs refer to.
write_result <- function(name, rows, ..., shown = rows, title = name, notes = NULL,
                         simulations = NULL, counts = list(), digits = getOption("digits"),
                         packages = NULL) {
  rlang::check_dots_empty()
  if (!is.null(simulations)) {
    notes <- c(notes, paste0(chance(simulations), "."))
  }
  versions <- c(
    paste("R", getRversion()),
    vapply(packages, \(package) paste(package, utils::packageVersion(package)), "")
  )
  machine <- paste0(
    processor_name(), ", ", parallel::detectCores(), " cores; ", paste(versions, collapse = ", ")
  )
  commit <- commit_of()
  text <- c(
    paste("#", title), "", knitr::kable(shown, format = "pipe", digits = digits),
    if (length(notes) > 0) c("", paste("-", notes)), "",
    paste0("Measured on ", machine, ", commit ", commit, ".")
  )
  folder <- Sys.getenv(
    "IMAGESTRATA_RESULTS",
    if (bench_size == "smoke") file.path("build", "smoke") else file.path("benchmarks", "results")
  )
  dir.create(folder, showWarnings = FALSE, recursive = TRUE)
  writeLines(text, file.path(folder, paste0(name, ".md")), useBytes = TRUE)
  rows <- as.data.frame(rows)
  rows[] <- lapply(rows, function(column) {
    if (is.double(column)) signif(column, 6) else replace(column, column %in% "", NA)
  })
  facts <- list(machine = machine, commit = commit, size = bench_size, simulations = simulations)
  facts[names(counts)] <- counts
  jsonlite::write_json(
    c(facts, list(rows = rows)), file.path(folder, paste0(name, ".json")),
    pretty = 2, auto_unbox = TRUE, digits = NA, na = "null", null = "null"
  )
  writeLines(text)
}

# The processor's name as `doctor.py` of the Python package has it.
processor_name <- function() {
  file <- "/proc/cpuinfo"
  lines <- if (file.exists(file)) grep("^model name", readLines(file), value = TRUE)
  if (length(lines) > 0) sub("^[^:]*: *", "", lines[1]) else Sys.info()[["machine"]]
}

# The commit that is measured, with a "+" where the code differs from it.
commit_of <- function() {
  git <- function(...) suppressWarnings(system2("git", c(...), stdout = TRUE, stderr = FALSE))
  head <- tryCatch(git("rev-parse", "--short=8", "HEAD"), error = \(error) character())
  if (length(head) != 1) {
    return("unknown")
  }
  code <- c("python", "R", "benchmarks", "':!benchmarks/results'")
  paste0(head, if (length(git("status", "--porcelain", "--", code)) > 0) "+")
}
