#' Make a table for a paper from means, gaps or models of ratings
#'
#' Writes estimates as a journal prints them: a row for each item and dimension, numbers with their
#' intervals or standard errors, and a note that states weights, errors and numbers of ratings. The
#' table knits itself, in the format of the document, and can be saved for Word or LaTeX.
#'
#' @param estimates The result of [rating_means()], [rating_gaps()] or [rating_model()], or some
#'   rows of the first two.
#' @param level `"dimension"` or `"item"`, for rows of one level; `NULL` for all. A model with more
#'   than six items and dimensions needs one of them, or fewer items, to fit on a page.
#' @param uncertainty What stands beside an estimate: `"interval"` or `"standard error"`.
#' @param digits Decimals of estimates. Small coefficients of models have more, up to the first
#'   digit of their standard error.
#' @param labels Other texts for rows and columns: by name, as `c(groupRepublican = "Republican",
#'   scared = "Afraid")`.
#' @param to `NULL` returns the table. `"markdown"`, `"latex"` and `"html"` return text with
#'   the note, by [knitr::kable()]. `"gt"` returns a table of the gt package.
#' @param out A file to write. Its extension gives the format: `.docx` (Word, by pandoc, which
#'   comes with RStudio), `.md`, `.tex` (for the package booktabs) or `.html`.
#' @param overwrite Replace an existing file?
#' @inheritParams scan_images
#'
#' @details **Means** have a column for each group, the first column of `by`. More than six groups,
#' such as clusters, have a row each instead. **Gaps** have a row each, with p values as they were
#' adjusted. **Models** have a row for each term, and a column for each item or dimension.
#'
#' Numbers of ratings, respondents and images are those of the rows: smallest and largest.
#'
#' @returns A tibble of texts that prints and knits with its caption and note (`attr(x, "note")`);
#'   with `to`, a string or a table of gt; with `out`, the path, invisibly. Items that could not
#'   be estimated have a dash.
#' @family ratings
#' @export
#' @examples
#' simulated_ratings |>
#'   rating_means() |>
#'   rating_table(level = "dimension")
#'
#' gaps <- rating_gaps(simulated_ratings)
#' cat(rating_table(gaps, level = "dimension", to = "markdown"))
rating_table <- function(estimates,
                         level = NULL,
                         uncertainty = "interval",
                         digits = 2,
                         labels = NULL,
                         to = NULL,
                         out = NULL,
                         overwrite = FALSE,
                         ...) {
  check_dots(...)
  call <- rlang::current_env()
  if (!is.null(level)) {
    check_choice(level, "level", c("dimension", "item"), call)
  }
  check_choice(uncertainty, "uncertainty", c("interval", "standard error"), call)
  digits <- check_count(digits, "digits")
  labels <- check_table_labels(labels)
  if (!is.null(to)) {
    check_choice(to, "to", c("markdown", "latex", "html", "gt"), call)
  }
  check_unused(!is.null(out), "out", overwrite = if (!missing(overwrite)) overwrite)
  out <- check_table_file(out, overwrite)
  write <- list(uncertainty = uncertainty, digits = digits, labels = labels)
  table <- if (inherits(estimates, "imagestrata_rating_model")) {
    table_of_model(estimates, level, write)
  } else {
    # Coefficients and effects of models, which are not means, have no numbers of ratings.
    needed <- c("estimate", "std.error", "n_ratings")
    check_estimates(estimates, "estimates", "rating_means", needed)
    table_of_estimates(rows_of_level(plain_by(estimates), level), write)
  }
  if (!is.null(out)) {
    write_paper_table(table, out)
    cli::cli_inform(c("v" = "Table: {.file {out}}"))
    return(invisible(out))
  }
  if (is.null(to)) table else render_table(table, to)
}

check_table_labels <- function(labels, call = rlang::caller_env()) {
  if (!is.null(labels) && (!is.character(labels) || !rlang::is_named(labels))) {
    abort_imagestrata(
      "{.arg labels} must be texts by name, such as {.code c(scared = \"Afraid\")}, not
       {seen(labels)}.",
      call = call
    )
  }
  labels
}

table_formats <- c(docx = "docx", md = "markdown", tex = "latex", html = "html")

check_table_file <- function(out, overwrite, call = rlang::caller_env()) {
  check_flag(overwrite, "overwrite", call)
  out <- check_path(out, "out", null = TRUE, call = call)
  if (is.null(out)) {
    return(NULL)
  }
  extension <- tolower(tools::file_ext(out))
  if (!extension %in% names(table_formats)) {
    abort_imagestrata(
      "{.arg out} must end in {.or {.val {paste0('.', names(table_formats))}}}, not
       {.val {basename(out)}}.",
      call = call
    )
  }
  if (file.exists(out) && !overwrite) {
    abort_imagestrata(
      "{.file {out}} exists.",
      hint = "Choose another name, or replace it with {.code overwrite = TRUE}.",
      call = call
    )
  }
  if (!dir.exists(dirname(out))) {
    abort_imagestrata(
      "The folder {.file {dirname(out)}} of {.arg out} does not exist.",
      call = call
    )
  }
  out
}

# Estimates with the columns of `by` as an attribute that filtering keeps.
plain_by <- function(estimates) {
  by <- by_of(estimates)
  structure(plain_tibble(estimates), by = by)
}

rows_of_level <- function(rows, level, call = rlang::caller_env()) {
  by <- attr(rows, "by")
  if (!is.null(level)) {
    rows <- rows[rows$level == level, ]
  }
  if (nrow(rows) == 0) {
    abort_imagestrata("{.arg estimates} has no {.val {level}} to show.", call = call)
  }
  structure(rows, by = by)
}

# ---- Means and gaps ---------------------------------------------------------------------

table_of_estimates <- function(rows, write, call = rlang::caller_env()) {
  by <- attr(rows, "by")
  gaps <- "contrast" %in% names(rows)
  stub <- tibble::tibble(Item = relabel(row_labels(rows), rows$item, write$labels))
  further <- by
  wide <- !gaps && length(by) > 0 && length(unique(rows[[by[1]]])) <= 6
  if (wide) further <- by[-1]
  for (name in further) {
    stub[[relabel(sentence(name), name, write$labels)]] <- value_labels(rows, name, write$labels)
  }
  if (length(unique(rows[["method"]])) > 1) stub$Method <- rows$method
  if (wide) {
    groups <- sorted_values(rows[[by[1]]])
    cells <- estimate_texts(rows, write)
    unit <- c("level", "item", further, intersect("method", names(rows)))
    key <- number_rows(plain_tibble(rows)[unit])
    first <- !duplicated(key)
    table <- stub[first, ]
    for (i in seq_along(groups)) {
      header <- relabel(as.character(groups[i]), as.character(groups[i]), write$labels)
      at <- rows[[by[1]]] %in% groups[i]
      text <- cells[at][match(key[first], key[at])]
      check_header(header, names(table), call)
      table[[header]] <- ifelse(is.na(text), dash, text)
    }
  } else {
    table <- dplyr::bind_cols(stub, separate_columns(rows, write, gaps))
  }
  new_paper_table(table, table_caption(rows, gaps), table_note(rows, write, wide, table))
}

check_header <- function(header, known, call) {
  if (header %in% known) {
    abort_imagestrata(
      "Two columns of the table would be called {.val {header}}.",
      hint = "Give one of them another name with {.arg labels}.",
      call = call
    )
  }
}

# Estimates, intervals or errors, and p values in columns of their own.
separate_columns <- function(rows, write, gaps) {
  table <- tibble::tibble(.rows = nrow(rows))
  if (gaps && length(unique(rows$contrast)) > 1) {
    table$Contrast <- relabel(rows$contrast, rows$contrast, write$labels)
  }
  table[[if (gaps) "Gap" else "Mean"]] <- decimals(rows$estimate, write$digits)
  if (write$uncertainty == "interval") {
    header <- paste0(percent_of(confidence_of(rows)), "interval")
    table[[header]] <- interval_text(rows, write$digits)
  } else {
    table[["Standard error"]] <- decimals(rows$std.error, write$digits)
  }
  if (gaps) {
    table$p <- p_text(rows[["p.adjusted"]] %||% rows$p.value)
  }
  table
}

estimate_texts <- function(rows, write, digits = write$digits) {
  beside <- if (write$uncertainty == "interval") {
    interval_text(rows, digits)
  } else {
    paste0("(", decimals(rows$std.error, digits), ")")
  }
  ifelse(
    is.na(rows$estimate), dash,
    paste(decimals(rows$estimate, digits), ifelse(is.na(rows$std.error), dash, beside))
  )
}

interval_text <- function(rows, digits) {
  text <- paste0(
    "[", decimals(rows$conf.low, digits), ", ", decimals(rows$conf.high, digits), "]"
  )
  ifelse(is.na(rows$conf.low), dash, text)
}

dash <- "\u2013"

# Decimals that show the first digit of a standard error: coefficients have units of their own.
finer <- function(std_error, digits) {
  std_error[std_error %in% 0] <- NA
  pmax(digits, -floor(log10(std_error)), na.rm = TRUE)
}

# Rounded numbers with a minus sign; no "-0.00".
decimals <- function(x, digits) {
  text <- sprintf("%.*f", as.integer(digits), abs(x))
  below <- !is.na(x) & x < 0 & grepl("[1-9]", text)
  ifelse(is.na(x), dash, paste0(ifelse(below, "\u2212", ""), text))
}

p_text <- function(p) {
  text <- sub("^0", "", formatC(p, format = "f", digits = 3))
  ifelse(is.na(p), dash, ifelse(p < 0.001, "<.001", text))
}

# Other texts for values, by the names that users know.
relabel <- function(text, name, labels) {
  if (is.null(labels)) {
    return(text)
  }
  given <- unname(labels[as.character(name)])
  ifelse(is.na(given), text, given)
}

value_labels <- function(rows, name, labels) {
  value <- as.character(rows[[name]])
  if (name == "cluster") {
    texts <- c(labels[names(labels) %in% value], names_of_clusters(rows))
    return(label_clusters(rows$cluster, texts[!duplicated(names(texts))]))
  }
  relabel(value, value, labels)
}

percent_of <- function(level) {
  if (is.null(level)) "" else paste0(format(100 * level, digits = 4), "% ")
}

# ---- Models -----------------------------------------------------------------------------

table_of_model <- function(model, level, write, call = rlang::caller_env()) {
  terms <- rows_of_level(plain_tibble(tidy(model)), level, call)
  measures <- dplyr::distinct(terms, .data$level, .data$item, .data$dimension)
  if (nrow(measures) > 6) {
    abort_imagestrata(
      "A model of {nrow(measures)} items and dimensions is too wide for a table: six fit on a
       page.",
      hint = "Use {.code level = \"dimension\"}, or name items in the formula:
              {.code c({measures$item[1]}, {measures$item[2]}) ~ ...}.",
      call = call
    )
  }
  names <- unique(terms$term)
  shown <- vapply(names, term_text, "", all.vars(rlang::f_rhs(model$formula)), USE.NAMES = FALSE)
  fit <- plain_tibble(glance(model))
  counts <- c("Ratings" = "n_ratings", "Respondents" = "n_respondents", "Images" = "n_images")
  table <- tibble::tibble(Term = c(relabel(shown, names, write$labels), names(counts)))
  for (i in seq_len(nrow(measures))) {
    own <- terms[match_measures(terms, measures[i, ]) %in% 1, ]
    line <- fit[match_measures(fit, measures[i, ]) %in% 1, ]
    header <- relabel(row_labels(measures[i, ]), measures$item[i], write$labels)
    cells <- estimate_texts(own, write, finer(own$std.error, write$digits))[match(names, own$term)]
    numbers <- vapply(unname(counts), \(count) comma(line[[count]]), "", USE.NAMES = FALSE)
    check_header(header, names(table), call)
    table[[header]] <- c(ifelse(is.na(cells), dash, cells), numbers)
  }
  mixed <- model$method == "mixed"
  about <- if (mixed) {
    random <- if (model$target == "images like these") "respondents, images and clusters"
    paste0(
      "mixed model about ", model$target, ", in which ", random %||% "respondents", " are random"
    )
  } else {
    terms$weight <- model$weight
    terms$variance <- model$variance
    terms$respondent_weight <- model$respondent_weight
    NULL
  }
  note <- table_note(terms, write, TRUE, table, what = "Coefficients", about)
  new_paper_table(table, paste(if (mixed) "Mixed" else "Linear", "models of ratings"), note)
}

# "groupRepublican:age" as "group: Republican \u00d7 age".
term_text <- function(term, variables) {
  if (term == "(Intercept)") {
    return("Intercept")
  }
  parts <- vapply(strsplit(gsub("`", "", term), ":", fixed = TRUE)[[1]], function(part) {
    of <- variables[startsWith(part, variables)]
    of <- of[which.max(nchar(of))]
    level <- substring(part, nchar(of) + 1)
    if (length(of) == 0 || !nzchar(level)) part else paste0(of, ": ", level)
  }, "")
  paste(parts, collapse = " \u00d7 ")
}

# ---- Notes ------------------------------------------------------------------------------

table_caption <- function(rows, gaps) {
  by <- attr(rows, "by")
  one <- if (gaps) unique(rows$contrast)
  paste0(
    if (gaps) "Gaps between mean ratings" else "Mean ratings",
    if (length(one) == 1) paste0(": ", gsub(" - ", " \u2212 ", one, fixed = TRUE)),
    if (length(by) > 0) paste(" by", and_words(gsub("_", " ", by)))
  )
}

error_words <- c(
  "two-way" = "standard errors allow for respondents and for images within clusters",
  respondent = "standard errors allow for respondents",
  image = "standard errors allow for images only",
  "mixed model" = "estimates are shrunken by a mixed model"
)

adjust_words <- c(
  holm = "p values are adjusted by Holm's method",
  BH = "p values are adjusted by the method of Benjamini and Hochberg",
  none = "p values are not adjusted"
)

table_note <- function(rows, write, wide, table, what = NULL, about = NULL) {
  # The words for the value of a column that has one.
  worded <- function(name, words) {
    values <- as.character(unique(rows[[name]]))
    if (length(values) == 1 && values %in% names(words)) words[[values]]
  }
  people <- unique(rows[["respondent_weight"]])
  people <- people[!is.na(people)]
  what <- what %||% if ("contrast" %in% names(rows)) "Gaps" else "Means"
  parts <- c(
    beside_words(rows, write, wide, what),
    worded("weight", what_counts),
    if (length(people) == 1) paste("respondents are weighted by", people),
    worded("variance", error_words), about, adjust_note(worded("adjust", adjust_words), write),
    if ("corrected" %in% rows[["method"]]) "corrected by predictions of all images"
  )
  numbers <- counts_text(rows, what)
  shortage <- any(vapply(table, \(x) any(grepl(dash, x, fixed = TRUE)), NA))
  paste0(
    paste(parts, collapse = "; "), ".",
    if (length(unique(rows$level)) > 1) {
      " Dimensions, in capitals, are the means of the items that follow them."
    },
    numbers,
    if (shortage) paste0(" ", dash, ": cannot be estimated.")
  )
}

# Intervals never are adjusted, and may exclude 0 where p is 1.
adjust_note <- function(words, write) {
  adjusted <- !is.null(words) && words != adjust_words[["none"]]
  paste0(words, if (adjusted && write$uncertainty == "interval") ", intervals are not")
}

beside_words <- function(rows, write, wide, what) {
  if (write$uncertainty == "interval") {
    paste0(what, " with ", percent_of(confidence_of(rows)), "intervals", if (wide) " in brackets")
  } else {
    paste0(what, " with standard errors", if (wide) " in parentheses")
  }
}

counts_text <- function(rows, what) {
  found <- intersect(c("n_ratings", "n_respondents", "n_images", "n_clusters"), names(rows))
  found <- found[vapply(found, \(name) !all(is.na(rows[[name]])), NA)]
  if (length(found) == 0) {
    return("")
  }
  texts <- vapply(found, function(name) {
    ends <- unique(range(rows[[name]], na.rm = TRUE))
    noun <- sub("n_", "", name)
    if (ends[length(ends)] == 1) noun <- sub("s$", "", noun)
    paste(paste(vapply(ends, comma, ""), collapse = " to "), noun)
  }, "")
  one <- sub("s$", "", what)
  last <- texts[length(texts)]
  listed <- c(toString(texts[-length(texts)]), last)
  numbers <- paste(listed[nzchar(listed)], collapse = " and ")
  paste0(" Each ", tolower(one), " rests on ", numbers, ".")
}

# ---- Rendering --------------------------------------------------------------------------

new_paper_table <- function(table, caption, note) {
  structure(
    tibble::new_tibble(table, nrow = nrow(table), class = "imagestrata_paper_table"),
    caption = caption, note = note
  )
}

#' @export
print.imagestrata_paper_table <- function(x, ...) {
  rlang::check_installed("knitr", "to print tables for papers.")
  cat(attr(x, "caption"), "", knitr::kable(plain_tibble(x), "simple", align = align_of(x)), "",
    strwrap(attr(x, "note")),
    sep = "\n"
  )
  invisible(x)
}

#' @exportS3Method knitr::knit_print
knit_print.imagestrata_paper_table <- function(x, ...) { # nolint
  if (!knitr::is_latex_output()) {
    return(knitr::asis_output(render_table(x, "markdown")))
  }
  # Documents load booktabs themselves only for tables in markdown.
  needed <- if (rlang::is_installed("rmarkdown")) list(rmarkdown::latex_dependency("booktabs"))
  knitr::asis_output(render_table(x, "latex"), meta = needed)
}

align_of <- function(table) {
  texts <- c("Item", "Term", "Contrast", "Method")
  numbers <- vapply(table, \(x) all(grepl(paste0("^([[(\u2212<.0-9]|", dash, ")"), x)), NA)
  ifelse(numbers & !names(table) %in% texts, "c", "l")
}

render_table <- function(table, format) {
  caption <- attr(table, "caption")
  note <- attr(table, "note")
  if (format == "gt") {
    rlang::check_installed("gt", "for tables of gt.")
    # Not among the suggested packages: most users have no need of it.
    return(gt_table(table, asNamespace("gt")))
  }
  rlang::check_installed("knitr", "to write tables for papers.")
  cells <- plain_tibble(table)
  align <- align_of(table)
  if (format == "markdown") {
    cells[] <- lapply(cells, escape_markdown)
    names(cells) <- escape_markdown(names(cells))
    lines <- knitr::kable(cells, "pipe", align = align)
    return(paste0(
      "Table: ", escape_markdown(caption), "\n\n", paste(lines, collapse = "\n"), "\n\n*Note.* ",
      escape_markdown(note), "\n"
    ))
  }
  if (format == "html") {
    body <- knitr::kable(cells, "html", align = align, caption = caption)
    note <- paste0("<p><em>Note.</em> ", escape_html(note), "</p>")
    return(paste0(paste(body, collapse = "\n"), "\n", note, "\n"))
  }
  body <- knitr::kable(cells, "latex", align = align, booktabs = TRUE, linesep = "")
  latex <- function(text) {
    gsub("\u2212", "$-$", gsub("\u00d7", "$\\times$", text, fixed = TRUE), fixed = TRUE)
  }
  # In many fonts of LaTeX, "<" and ">" are other signs.
  body <- latex(escape_signs(paste(body, collapse = "\n")))
  words <- function(text) latex(escape_signs(escape_latex(text)))
  paste0(
    "\\begin{table}\n\\centering\n\\caption{", words(caption), "}\n", trimws(body),
    "\n\n\\smallskip\n\\parbox{\\linewidth}{\\footnotesize \\emph{Note.} ", words(note),
    "}\n\\end{table}\n"
  )
}

gt_table <- function(table, gt) {
  found <- gt$tab_header(gt$gt(plain_tibble(table)), title = attr(table, "caption"))
  gt$tab_source_note(found, attr(table, "note"))
}

escape_markdown <- function(text) gsub("([\\\\`*_|<>#$~^])", "\\\\\\1", text)

escape_html <- function(text) {
  text <- gsub("&", "&amp;", text, fixed = TRUE)
  gsub(">", "&gt;", gsub("<", "&lt;", text, fixed = TRUE), fixed = TRUE)
}

escape_latex <- function(text) {
  text <- gsub("\\", "\1", text, fixed = TRUE)
  text <- gsub("([#$%&_{}])", "\\\\\\1", text)
  signs <- c("\1" = "\\textbackslash{}", "~" = "\\textasciitilde{}", "^" = "\\textasciicircum{}")
  replace_signs(text, signs)
}

# Signs that kable() leaves as they are.
escape_signs <- function(text) {
  replace_signs(text, c("<" = "\\textless{}", ">" = "\\textgreater{}", "\u2013" = "--"))
}

replace_signs <- function(text, signs) {
  for (sign in names(signs)) {
    text <- gsub(sign, signs[[sign]], text, fixed = TRUE)
  }
  text
}

# Word by pandoc from markdown; other files are the text itself.
write_paper_table <- function(table, out, call = rlang::caller_env()) {
  format <- table_formats[[tolower(tools::file_ext(out))]]
  text <- render_table(table, if (format == "docx") "markdown" else format)
  if (format != "docx") {
    # A page without its encoding shows other signs in Word on Windows.
    page <- if (format == "html") "<meta charset=\"utf-8\">"
    writeLines(c(page, enc2utf8(text)), out, useBytes = TRUE)
    return()
  }
  rlang::check_installed("rmarkdown", "to write tables for Word.", call = call)
  if (!rmarkdown::pandoc_available()) {
    abort_imagestrata(
      "Tables for Word are made by pandoc, which is not there.",
      hint = "Install pandoc (RStudio has it), or write {.val .html}, which Word opens.",
      call = call
    )
  }
  source <- tempfile(fileext = ".md")
  on.exit(unlink(source))
  writeLines(enc2utf8(text), source, useBytes = TRUE)
  rmarkdown::pandoc_convert(source, to = "docx", from = "markdown", output = out)
}
