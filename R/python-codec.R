# Sends tables and matrices to Python and back, without loss. Only typed columns of bytes are
# exchanged; python/imagestrata/bridge/codec.py describes their format and is the counterpart of
# this file. Read fields with `[["na"]]`: `$na` also matches `name`.

encode_table <- function(data, call = rlang::caller_env()) {
  data <- with_text_ids(data, call)
  columns <- lapply(names(data), \(name) encode_column(name, data[[name]], call))
  list(n_rows = nrow(data), columns = columns)
}

decode_table <- function(table) {
  n_rows <- as.integer(table[["n_rows"]])
  columns <- lapply(table[["columns"]], decode_column, n_rows = n_rows)
  names(columns) <- vapply(table[["columns"]], \(column) column[["name"]], "")
  tibble::new_tibble(columns, nrow = n_rows)
}

# In tables of results, estimates have R's names here and Python's names there. In other tables,
# columns keep their names.
result_names <- c(
  std_error = "std.error", conf_low = "conf.low", conf_high = "conf.high",
  lift_low = "lift.low", lift_high = "lift.high", p_value = "p.value", p_adjusted = "p.adjusted"
)

decode_result <- function(table) {
  table <- decode_table(table)
  known <- names(table) %in% names(result_names)
  names(table)[known] <- result_names[names(table)[known]]
  table
}

encode_result <- function(table) {
  known <- match(names(table), result_names, nomatch = 0)
  names(table)[known > 0] <- names(result_names)[known]
  encode_table(table)
}

# `size` is the number of bytes per value: Python sends float32 as it is.
encode_matrix <- function(matrix) {
  list(dim = as.list(dim(matrix)), size = 8L, data = write_numbers(as.double(matrix)))
}

decode_matrix <- function(matrix) {
  dim <- as.integer(unlist(matrix[["dim"]]))
  values <- readBin(
    matrix[["data"]], "double", prod(dim), size = matrix[["size"]], endian = "little"
  )
  dim(values) <- dim
  values
}

encode_column <- function(name, x, call = rlang::caller_env()) {
  if (inherits(x, "POSIXlt")) {
    x <- as.POSIXct(x)
  }
  kind <- column_kind(name, x, call)
  column <- list(name = name, kind = kind, data = raw(), levels = NULL, na = NULL)
  missing <- if (kind == "list") vapply(x, is.null, NA) else is.na(x)
  if (kind == "double") {
    missing <- missing & !is.nan(x)
  }
  column[["data"]] <- switch(kind,
    list = write_numbers(lengths(x)),
    integer = write_numbers(as.integer(x)),
    integer64 = write_numbers(unclass(x)),
    double = write_numbers(as.double(x)),
    logical = as.raw(x & !missing),
    character = write_text(name, replace(as.character(x), missing, ""), call),
    factor = ,
    ordered = write_numbers(replace(as.integer(x), missing, 0L) - 1L),
    date = write_numbers(replace(as.double(x), missing, 0)),
    datetime = write_numbers(replace(as.double(x), missing, 0))
  )
  column[["levels"]] <- switch(kind,
    list = encode_column(name, elements_of(name, x, call), call),
    factor = ,
    ordered = write_text(name, levels(x), call),
    datetime = write_text(name, time_zone(x), call)
  )
  if (any(missing)) {
    column[["na"]] <- as.raw(missing)
  }
  column
}

column_kind <- function(name, x, call) {
  known <- inherits(x, names(kinds_of_classes), which = TRUE) > 0
  kind <- if (any(known)) {
    kinds_of_classes[known][[1]]
  } else if (is.character(x)) {
    "character"
  } else if (!is.object(x) || inherits(x, c("AsIs", "vctrs_list_of"))) {
    typeof(x)
  }
  plain <- c("integer", "double", "logical", "character", "list", kinds_of_classes)
  if (!is.null(dim(x)) || is.null(kind) || !kind %in% plain) {
    abort_imagestrata(
      "Column {.var {name}} is {.obj_type_friendly {x}}, which cannot be sent to Python.",
      hint = "Turn it into numbers, text, a factor or a date, or drop it.",
      call = call
    )
  }
  kind
}

# All elements of a list column, one after the other.
elements_of <- function(name, x, call) {
  x <- unname(as.list(x))
  simple <- vapply(x, \(one) is.null(one) || (is.atomic(one) && is.null(dim(one))), NA)
  if (!all(simple)) {
    abort_imagestrata(
      "Column {.var {name}} is a list of more than numbers or text, which cannot be sent to
       Python.",
      hint = "Turn its elements into vectors, or drop it.",
      call = call
    )
  }
  elements <- do.call(c, lapply(x, unname))
  if (is.null(elements)) character() else elements
}

kinds_of_classes <- c(
  ordered = "ordered", factor = "factor", Date = "date", POSIXct = "datetime",
  integer64 = "integer64"
)

decode_column <- function(column, n_rows) {
  data <- column[["data"]]
  x <- switch(column[["kind"]],
    integer = readBin(data, "integer", n_rows, endian = "little"),
    list = read_list(data, column[["levels"]], n_rows),
    logical = as.logical(data),
    character = read_strings(data, n_rows),
    factor = ,
    ordered = readBin(data, "integer", n_rows, endian = "little") + 1L,
    readBin(data, "double", n_rows, endian = "little")
  )
  if (!is.null(column[["na"]])) {
    x[as.logical(column[["na"]])] <- if (is.list(x)) list(NULL) else NA
  }
  levels <- column[["levels"]]
  switch(column[["kind"]],
    factor = structure(x, levels = read_strings(levels), class = "factor"),
    ordered = structure(x, levels = read_strings(levels), class = c("ordered", "factor")),
    date = structure(x, class = "Date"),
    datetime = structure(x, class = c("POSIXct", "POSIXt"), tzone = read_strings(levels)),
    x
  )
}

read_list <- function(data, elements, n_rows) {
  lengths <- readBin(data, "integer", n_rows, endian = "little")
  elements <- decode_column(elements, sum(lengths))
  cells <- split(elements, factor(rep(seq_len(n_rows), lengths), seq_len(n_rows)))
  unname(cells)
}

write_numbers <- function(x) {
  writeBin(as.vector(x), raw(), endian = "little")
}

# `useBytes` keeps UTF-8 as it is, whatever the locale.
write_text <- function(name, x, call) {
  broken <- which(!validEnc(x))
  if (length(broken) > 0) {
    abort_imagestrata(
      "Column {.var {name}} has {length(broken)} value{?s} that {?is/are} not valid text,
       the first in row {broken[[1]]}.",
      hint = "Read the data again with the right {.arg encoding}, or see {.fn iconv}.",
      call = call
    )
  }
  writeBin(enc2utf8(known_text(x)), raw(), useBytes = TRUE)
}

read_strings <- function(data, n = sum(data == 0)) {
  x <- readBin(data, "character", n)
  Encoding(x) <- "UTF-8"
  x
}

# A time without a zone has the zone of the session.
time_zone <- function(x) {
  zone <- attr(x, "tzone")[1]
  if (is.null(zone) || zone == "") {
    zone <- Sys.timezone()
  }
  if (is.na(zone)) "UTC" else zone
}
