# Numbers, names and sentences in readable form.

count_of <- function(n, word, plural = paste0(word, "s")) {
  paste(format(n, big.mark = ",", trim = TRUE), if (n == 1) word else plural)
}

percent <- function(share) {
  sprintf("%.1f%%", 100 * share)
}

counted <- function(names, n) {
  toString(paste(n[seq_along(names)], names))
}

# Values as text, with numbers such as 0.0001 instead of 1e-04.
as_words <- function(value) {
  toString(vapply(value, format, "", scientific = FALSE, digits = 15))
}

# R's pdf() cannot draw the single character for three dots.
shorten <- function(text, width) {
  text <- as.character(text)
  width <- rep_len(width, length(text))
  long <- which(nchar(text) > width)
  short <- text
  short[long] <- cut_text(text[long], width[long], 0)
  # Of names that begin alike, the ends are shown, too.
  alike <- short %in% short[duplicated(short) & !duplicated(text)]
  ends <- intersect(long, which(alike))
  short[ends] <- cut_text(text[ends], width[ends], (width[ends] - 3) %/% 2)
  short
}

cut_text <- function(text, width, after) {
  before <- trimws(substr(text, 1, width - 3 - after), "right")
  paste0(before, "...", substr(text, nchar(text) - after + 1, nchar(text)))
}

sentence <- function(text) paste0(toupper(substr(text, 1, 1)), substring(text, 2))

also <- function(absent) {
  if (length(absent) == 1) "" else format_text(" (and {length(absent) - 1} more)")
}

# A value as error messages show it.
seen <- function(x) {
  if (is.object(x)) {
    format_text("an object of class {.cls {class(x)[[1]]}}")
  } else if (is.atomic(x) && length(x) > 1) {
    format_text("{length(x)} values: {.val {x}}")
  } else if (is.atomic(x) && length(x) == 1) {
    format_text("{.val {x}}")
  } else {
    format_text("{.obj_type_friendly {x}}")
  }
}

# Sentences above a printed table, no wider than it may be.
write_heading <- function(lines) {
  width <- getOption("width") - 1
  writeLines(paste("#", unlist(strwrap(lines, width, exdent = 2, simplify = FALSE))))
}

# summary() of our objects: a title, sentences, and small tables with headings.

new_summary <- function(title, lines = character(), tables = list()) {
  structure(list(title = title, lines = lines, tables = tables), class = "imagestrata_summary")
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
