# summary() of our objects: a title, sentences, and small tables with headings.

new_summary <- function(title, lines = character(), tables = list()) {
  structure(
    list(title = title, lines = lines, tables = tables),
    class = "imagestrata_summary"
  )
}

#' @export
print.imagestrata_summary <- function(x, ...) {
  writeLines(c(x$title, x$lines))
  for (heading in names(x$tables)) {
    table <- x$tables[[heading]]
    if (nrow(table) > 0) {
      cat("\n", heading, ":\n", sep = "")
      print(as.data.frame(table), row.names = FALSE, digits = 3)
    }
  }
  invisible(x)
}
