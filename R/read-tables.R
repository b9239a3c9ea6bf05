# Reads text files of users without losing a row or a character, in any locale. The rules are those
# of python/imagestrata/tables.py, which explains them.

# A CSV file as a tibble of text. Its attributes: `sep`, and `line`, that of each row.
read_csv_text <- function(path, wanted = character(), sep = NULL, encoding = NULL,
                          call = rlang::caller_env()) {
  check_separator(sep, call)
  bytes <- read_utf8(path, encoding, call)
  first_line <- 0L
  said <- regmatches(
    start <- rawToChar(utils::head(bytes, 8)),
    regexec("^\"?sep=(.)\"?\n", start, ignore.case = TRUE, useBytes = TRUE)
  )[[1]]
  if (length(said) > 0) {
    sep <- sep %||% said[[2]]
    bytes <- bytes[-seq_len(nchar(said[[1]], "bytes"))]
    first_line <- 1L
  }
  if (all(bytes %in% charToRaw(" \t\n"))) {
    abort_imagestrata("{.file {path}} is empty.", hint = "Ask for the file again.", call = call)
  }
  if (is_page(bytes)) {
    abort_imagestrata(
      "{.file {path}} is a page for a browser, not a table.",
      hint = "If annotators answer on it: open it, answer, and give the file that the page saves.",
      call = call
    )
  }
  sep <- sep %||% guess_separator(bytes, wanted, path, call)
  found <- split_cells(bytes, sep)
  if (!is.null(found$broken)) {
    abort_imagestrata(
      "The row that begins in line {found$broken + first_line} of {.file {path}} cannot be read: a
       quote is not closed, or is in the wrong place.",
      hint = "Inside a cell in quotes, write each quote twice.",
      call = call
    )
  }
  as_text_table(found, sep, path, first_line, call)
}

is_page <- function(bytes) {
  start <- rawToChar(utils::head(bytes, 200))
  grepl("^\\s*<(!doctype html|html)\\b", start, ignore.case = TRUE, useBytes = TRUE)
}

check_separator <- function(sep, call) {
  sep <- check_string(sep, "sep", null = TRUE, call = call)
  if (!is.null(sep) && (nchar(sep, "bytes") != 1 || sep %in% c("\"", "\n", "\r"))) {
    abort_imagestrata(
      "{.arg sep} must be one character, such as a semicolon, not {.val {sep}}.",
      call = call
    )
  }
}

as_text_table <- function(found, sep, path, first_line, call) {
  header <- found$records[[1]]
  rows <- found$records[-1]
  lines <- found$lines[-1] + first_line
  twice <- unique(header[duplicated(header) & nzchar(header)])
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.file {path}} has more than one column {.field {twice[1]}}{also(twice)}.",
      hint = "Rename or drop all of them but one.",
      call = call
    )
  }
  width <- length(header)
  long <- which(lengths(rows) > width)
  rows[long] <- lapply(rows[long], function(row) {
    # Excel writes empty cells at the end.
    if (all(!nzchar(row[-seq_len(width)]))) row[seq_len(width)] else row
  })
  odd <- which(lengths(rows) != width)
  if (length(odd) > 0) {
    n <- length(rows[[odd[1]]])
    abort_imagestrata(
      "Line {lines[odd[1]]} of {.file {path}} has {n} cell{?s}, but the header has {width}
       (columns separated by {name_of_separator(sep)}).",
      hint = "Correct that line (is a quote or a separator missing?). If another character
              separates the columns, give it as {.arg sep}.",
      call = call
    )
  }
  cells <- matrix(as.character(unlist(rows)), ncol = width, byrow = TRUE)
  table <- lapply(seq_len(width), \(i) unguarded(cells[, i]))
  names(table) <- unguarded(header)
  table <- tibble::new_tibble(table, nrow = nrow(cells))
  attr(table, "sep") <- sep
  attr(table, "line") <- lines
  table
}

# ---- Bytes ------------------------------------------------------------------------------

# The text of a file as bytes of UTF-8, with plain newlines.
read_utf8 <- function(path, encoding = NULL, call = rlang::caller_env()) {
  encoding <- check_string(encoding, "encoding", null = TRUE, call = call)
  bytes <- rlang::try_fetch(
    readBin(path.expand(path), "raw", file.size(path.expand(path))),
    error = \(error) abort_imagestrata("{.file {path}} cannot be read.", call = call)
  )
  if (starts(bytes, "504b0304") || starts(bytes, "d0cf11e0")) {
    abort_imagestrata(
      "{.file {path}} is a workbook of a spreadsheet program (or an archive), not text.",
      hint = "Save the sheet as CSV UTF-8, or read it with {.code readxl::read_excel(path, col_types
              = \"text\")} and give the data frame.",
      call = call
    )
  }
  bytes <- to_utf8(bytes, path, encoding, call)
  if (any(bytes == 0)) {
    line <- sum(bytes[seq_len(which(bytes == 0)[1])] == 10) + 1
    abort_imagestrata(
      "Line {line} of {.file {path}} contains a NUL byte: the file is damaged, or not text.",
      hint = "Ask for the file again.",
      call = call
    )
  }
  before_newline <- c(bytes[-1] == 10, FALSE)
  bytes <- bytes[!(bytes == 13 & before_newline[seq_along(bytes)])]
  bytes[bytes == 13] <- as.raw(10)
  bytes
}

to_utf8 <- function(bytes, path, encoding, call) {
  if (is.null(encoding)) {
    marked <- Filter(\(mark) starts(bytes, mark), byte_order_marks)[1]
    if (!is.na(marked)) {
      encoding <- names(marked)
      bytes <- bytes[-seq_len(nchar(marked) / 2)]
    }
  }
  encoding <- encoding %||% wide_encoding(bytes) %||% "UTF-8"
  if (length(bytes) == 0) {
    return(bytes)
  }
  decode_bytes(bytes, path, encoding, call)
}

decode_bytes <- function(bytes, path, encoding, call) {
  known <- toupper(encoding) %in% c("UTF-8", "UTF8")
  text <- if (known) {
    if (any(bytes == 0) || validUTF8(rawToChar(bytes))) bytes
  } else {
    tryCatch(iconv(list(bytes), encoding, "UTF-8", toRaw = TRUE)[[1]], error = \(error) NA)
  }
  if (is.raw(text)) {
    return(if (starts(text, "efbbbf")) text[-(1:3)] else text)
  }
  if (identical(text, NA)) {
    abort_imagestrata(
      "The encoding {.val {encoding}} is unknown.",
      hint = "For example UTF-8, CP1252 or UTF-16.",
      call = call
    )
  }
  if (!known) {
    abort_imagestrata(
      "{.file {path}} is not text in the encoding {.val {encoding}}.",
      hint = "Name another one as {.arg encoding}, or save the file as CSV UTF-8.",
      call = call
    )
  }
  from_windows(bytes, path, call)
}

byte_order_marks <- c(
  "UTF-8" = "efbbbf", "UTF-32LE" = "fffe0000", "UTF-32BE" = "0000feff", "UTF-16LE" = "fffe",
  "UTF-16BE" = "feff"
)

starts <- function(bytes, hex) {
  mark <- as.raw(strtoi(substring(hex, seq(1, nchar(hex), 2), seq(2, nchar(hex), 2)), 16))
  length(bytes) >= length(mark) && identical(bytes[seq_along(mark)], mark)
}

# UTF-16 without a mark: every other byte of plain text is NUL.
wide_encoding <- function(bytes) {
  head <- utils::head(bytes, 4096)
  odd <- seq_along(head) %% 2 == 1
  half <- length(head) %/% 2
  first <- sum(head[odd] == 0)
  second <- sum(head[!odd] == 0)
  if (half > 0 && second > 0.4 * half && 0.4 * half > first * 10) {
    "UTF-16LE"
  } else if (half > 0 && first > 0.4 * half && 0.4 * half > second * 10) {
    "UTF-16BE"
  }
}

# Text that is not UTF-8 is read as Windows text, unless it is damaged UTF-8.
from_windows <- function(bytes, path, call) {
  lines <- strsplit(rawToChar(bytes), "\n", fixed = TRUE, useBytes = TRUE)[[1]]
  line <- which(!validUTF8(lines))[1]
  lenient <- iconv(list(bytes), "UTF-8", "UTF-8", sub = "\001", toRaw = TRUE)[[1]]
  broken <- sum(lenient == 1)
  whole <- sum(lenient >= 0xc2)
  text <- iconv(list(bytes), "CP1252", "UTF-8", toRaw = TRUE)[[1]]
  if (whole > broken || !is.raw(text)) {
    abort_imagestrata(
      "Line {line} of {.file {path}} is not valid UTF-8 text.",
      hint = "Save the file as CSV UTF-8, or name its encoding as {.arg encoding}.",
      call = call
    )
  }
  cli::cli_warn(
    c(
      "{.file {path}} is not UTF-8 (line {line}); it is read as CP1252, the encoding of Windows in
       western Europe.",
      "i" = "If letters look wrong, name the right one as {.arg encoding}."
    ),
    call = call
  )
  text
}

# ---- Cells ------------------------------------------------------------------------------

# `records`, the cells of each row, and `lines`, where each begins; or `broken`, the line of the
# row in which a quote is not closed. No encoding matters: UTF-8 has no ASCII inside of letters.
split_cells <- function(bytes, sep) {
  newline <- as.raw(10)
  by <- charToRaw(sep)
  if (bytes[length(bytes)] != newline) {
    bytes <- c(bytes, newline)
  }
  quotes <- pair_quotes(bytes, c(by, newline))
  outside <- !inside_quotes(length(bytes), quotes)
  if (!is.null(quotes$broken)) {
    before <- which(bytes == newline & outside & seq_along(bytes) < quotes$broken)
    begin <- if (length(before) > 0) max(before) else 0
    return(list(broken = sum(bytes[seq_len(begin)] == newline) + 1))
  }
  ends <- which((bytes == by | bytes == newline) & outside)
  ends_row <- bytes[ends] == newline
  row <- cumsum(c(TRUE, ends_row[-length(ends_row)]))
  marked <- bytes
  marked[ends] <- as.raw(0xff)
  cells <- strsplit(rawToChar(marked), rawToChar(as.raw(0xff)), fixed = TRUE, useBytes = TRUE)[[1]]
  Encoding(cells) <- "UTF-8"
  cells <- trim(cells)
  quoted <- startsWith(cells, "\"") & endsWith(cells, "\"") & nchar(cells) > 1
  cells[quoted] <- trim(gsub(
    "\"\"", "\"", substring(cells[quoted], 2, nchar(cells[quoted]) - 1),
    fixed = TRUE
  ))
  records <- unname(split(cells, row))
  row_ends <- ends[ends_row]
  lines <- cumsum(bytes == newline)[c(1, row_ends[-length(row_ends)] + 1)]
  lines <- lines - (bytes[c(1, row_ends[-length(row_ends)] + 1)] == newline) + 1
  filled <- vapply(records, \(record) any(nzchar(record)), NA)
  list(records = records[filled], lines = lines[filled])
}

trim <- function(x) trimws(x, whitespace = "[ \t\r\n\u00a0\ufeff]")

# Where cells in quotes open and close. A quote inside of a cell that does not begin with one is
# a character like others.
pair_quotes <- function(bytes, ends_cell) {
  at <- which(bytes == 0x22)
  n <- length(at)
  before <- bytes[pmax(at - 1, 1)]
  opens <- at == 1 | before %in% ends_cell
  closes <- bytes[pmin(at + 1, length(bytes))] %in% ends_cell
  doubled <- c(diff(at) == 1, FALSE)
  open <- close <- integer()
  i <- 1
  while (i <= n) {
    if (!opens[i]) {
      i <- i + 1
      next
    }
    j <- i + 1
    while (j <= n && doubled[j]) {
      j <- j + 2
    }
    if (j > n || !closes[j]) {
      return(list(open = open, close = close, broken = at[i]))
    }
    open[[length(open) + 1]] <- at[i]
    close[[length(close) + 1]] <- at[j]
    i <- j + 1
  }
  list(open = open, close = close, broken = NULL)
}

inside_quotes <- function(n, quotes) {
  change <- integer(n)
  change[quotes$open] <- 1L
  change[quotes$close] <- -1L
  cumsum(change) > 0
}

# The separator with which the header has the wanted columns, and all rows the same number of cells.
guess_separator <- function(bytes, wanted, path, call) {
  candidates <- c(",", ";", "\t")
  scores <- vapply(candidates, function(sep) {
    found <- split_cells(bytes, sep)
    whole <- is.null(found$broken)
    if (!whole) {
      found <- split_cells(utils::head(bytes, match(as.raw(10), bytes, length(bytes))), sep)
    }
    header <- found$records[[1]] %||% ""
    width <- if (whole) length(header) else 1
    known <- sum(tolower(wanted) %in% tolower(header))
    c(known = known, steady = width > 1 && all(lengths(found$records) == width), width = width)
  }, c(known = 0, steady = 0, width = 0))
  steady <- scores["steady", ] == 1
  width <- scores["width", ]
  rank <- 2 * scores["known", ] + steady
  best <- which(rank == max(rank) & width > 1)
  if (length(best) > 1 && steady[best[1]]) {
    abort_imagestrata(
      "The columns of {.file {path}} may be separated by {.or {vapply(candidates[best],
       name_of_separator, '')}}: both are possible.",
      hint = "Give the right one as {.arg sep}.",
      call = call
    )
  }
  if (length(best) == 0) "," else candidates[best[which.max(width[best])]]
}

name_of_separator <- function(sep) {
  switch(sep,
    "," = "commas",
    ";" = "semicolons",
    "\t" = "tabs",
    paste0("\"", sep, "\"")
  )
}

# The core and its pages put a quote before text that a spreadsheet would run as a formula, at its
# beginning and behind whatever may end a cell (python/imagestrata/files.py).
unguarded <- function(x) {
  formula <- "[=+@\uff1d\uff0b\uff0d\uff20-]"
  first <- paste0("^'(?=['\"]*(", formula, "|[\t\r\n]))")
  later <- paste0("(?<=[;|\t\r\n])'(?=['\"]*", formula, ")")
  gsub(paste0(first, "|", later), "", x, perl = TRUE)
}

# ---- Ids and numbers --------------------------------------------------------------------

# Columns of any table with ids, which are text even if they look like numbers.
id_columns <- c(
  "image_id", "image_a", "image_b", "duplicate_of", "pair_id", "set_id", "packet_id",
  "respondent_id", "annotator", "coder", "post_id", "author", "group"
)

# Ids as text: 300000 is "300000" and not "3e+05"; an empty text is a missing id.
id_text <- function(x, name = "image_id", call = rlang::caller_env()) {
  if (is.factor(x)) {
    x <- as.character(x)
  }
  if (!is.numeric(x) || inherits(x, "integer64")) {
    return(without_blanks(as.character(x)))
  }
  lost <- x[!is.na(x) & (abs(x) >= 2^53 | x %% 1 != 0)]
  if (length(lost) > 0) {
    abort_imagestrata(
      "The column {.field {name}} holds {.val {lost[1]}}: ids that were read as numbers, and may
       have lost digits.",
      hint = "Read {.field {name}} as text: {.code colClasses = c({name} = \"character\")}.",
      call = call
    )
  }
  ifelse(is.na(x), NA_character_, sprintf("%.0f", x))
}

# Values of which an empty text is missing, as in tables that are read from files. read.csv() keeps
# empty cells as such.
without_blanks <- function(x) {
  if (is.factor(x)) {
    return(if ("" %in% levels(x)) factor(x, setdiff(levels(x), ""), ordered = is.ordered(x)) else x)
  }
  if (is.character(x)) {
    x[!is.na(x) & x == ""] <- NA
  }
  x
}

with_text_ids <- function(data, call = rlang::caller_env()) {
  for (name in intersect(id_columns, names(data))) {
    if (holds_ids(data[[name]], name)) data[[name]] <- id_text(data[[name]], name, call)
  }
  data
}

holds_ids <- function(column, name) {
  # The user may have ordered the groups, or have numbers.
  if (name == "group" && (is.factor(column) || has_fractions(column))) {
    return(FALSE)
  }
  is.numeric(column) || is.factor(column) || is.character(column)
}

has_fractions <- function(x) {
  is.numeric(x) && !inherits(x, "integer64") && any(x %% 1 != 0, na.rm = TRUE)
}

# Any column as text without loss: 1e5 is "100000".
plain_text <- function(x) {
  if (!is.numeric(x) || is.object(x)) {
    return(as.character(x))
  }
  whole <- !is.na(x) & x %% 1 == 0 & abs(x) < 2^53
  text <- as.character(x)
  text[whole] <- sprintf("%.0f", x[whole])
  text
}

# The numbers in texts; NA for text that is not a number.
as_number <- function(x, decimal_comma = FALSE) {
  x <- trim(as.character(x))
  if (decimal_comma) {
    x <- sub("^([+-]?[0-9]*),([0-9]+([eE][+-]?[0-9]+)?)$", "\\1.\\2", x)
  }
  valid <- grepl("^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$", x)
  suppressWarnings(as.double(ifelse(valid, x, NA)))
}

# A column of text as numbers or logicals if nothing is lost: not "007", not "1e5".
typed_text <- function(x) {
  known <- x[!is.na(x) & nzchar(x) & x != "NA"]
  number <- "^-?((0|[1-9][0-9]{0,14})([.][0-9]*)?|[.][0-9]+)([eE][+-][0-9]+)?$"
  plain <- length(known) > 0 &&
    (all(grepl(number, known)) || all(known %in% c("TRUE", "FALSE", "true", "false")))
  x[!is.na(x) & (!nzchar(x) | x == "NA")] <- NA
  if (plain) utils::type.convert(x, as.is = TRUE) else x
}

# ---- Columns of the user ----------------------------------------------------------------

# The user's table; columns with the names of ours get other names, with a warning.
keep_given <- function(data, made, what) {
  old <- intersect(names(data), made)
  if (length(old) == 0) {
    return(data)
  }
  new <- paste0(old, "_given")
  taken <- c(names(data), made)
  for (i in seq_along(new)) {
    number <- 1
    while (new[i] %in% taken) {
      number <- number + 1
      new[i] <- paste0(old[i], "_given_", number)
    }
    taken <- c(taken, new[i])
  }
  names(data)[match(old, names(data))] <- new
  cli::cli_warn(c(
    "The table has columns with the names of columns of {what}; yours are renamed: {.field
     {paste(old, new, sep = ' is now ')}}."
  ))
  data
}
