# Readers of the exports of survey tools. Each returns one row per answer: respondent_id, group,
# image_id, item, value (as text), duration (of the respondent), preview, file, row, and the columns
# that the user wants to keep.

read_answers <- function(files, source, items, columns, templates, sep, encoding,
                         call = rlang::caller_env()) {
  if (is.data.frame(files)) {
    table <- tibble::as_tibble(lapply(with_text_ids(files, call), plain_text))
    # Ratings that were read before keep all columns.
    if (were_read(table)) {
      more <- setdiff(names(table), c(columns, names(columns), roles, "dimension", of_flags))
      columns <- c(columns, rlang::set_names(more))
    }
    return(answers_from_table(
      table, source, items, columns, templates, NA_character_, call,
      given = files
    ))
  }
  paths <- check_files(files, call)
  dplyr::bind_rows(lapply(
    paths, read_answer_file, source, items, columns, templates, sep, encoding, call
  ))
}

# Files of our exports that are not answers.
own_files <- c("export.json", "forms.json", "packets.csv", "secrets.json", "tasks.json")

check_files <- function(files, call) {
  check_exist(check_paths(files, "files", call = call), "files", call = call)
  folders <- dir.exists(files)
  inside <- list.files(files[folders], "[.](csv|tsv|json)$", ignore.case = TRUE, full.names = TRUE)
  ours <- basename(inside) %in% own_files | grepl("-(key|people)[.]csv$", inside)
  inside <- inside[!ours]
  paths <- c(files[!folders], inside)
  if (length(paths) == 0) {
    abort_imagestrata(
      "{.file {files[1]}} contains no file that ends in .csv, .tsv or .json.",
      call = call
    )
  }
  paths
}

read_answer_file <- function(path, source, items, columns, templates, sep, encoding, call) {
  json <- source == "labelstudio" ||
    (source == "auto" && grepl("[.]json$", path, ignore.case = TRUE))
  if (json) {
    return(read_labelstudio(path, columns, encoding, call))
  }
  wanted <- unique(c(roles, unname(columns), items$column, "ResponseId", "Status"))
  table <- read_csv_text(path, wanted, sep, encoding, call)
  comma <- attr(table, "sep") != ","
  table$.row <- seq_len(nrow(table)) + 1
  extra <- qualtrics_header(table)
  if (extra > 0 && source == "auto") {
    source <- "qualtrics"
  }
  table <- table[seq_len(nrow(table)) > extra, ]
  answers <- answers_from_table(table, source, items, columns, templates, path, call, comma)
  if (comma) {
    number <- as_number(answers$value, decimal_comma = TRUE)
    answers$value <- ifelse(is.na(number), answers$value, plain_text(number))
  }
  answers
}

# Below its header Qualtrics writes a row of question texts and one of import ids.
qualtrics_header <- function(table) {
  top <- utils::head(table, 3)
  ids <- which(apply(top, 1, \(row) any(grepl("ImportId", row, fixed = TRUE))))
  max(ids, 0)
}

# ---- Tables -----------------------------------------------------------------------------

# `given`: the table of the user before it became text, whose columns keep their types.
answers_from_table <- function(table, source, items, columns, templates, path, call,
                               decimal_comma = FALSE, given = NULL) {
  if (source == "qualtrics") {
    columns <- defaults_of_qualtrics(columns, table)
  }
  if (!".row" %in% names(table)) {
    table$.row <- seq_len(nrow(table))
  }
  table$.preview <- no_respondents(table, source)
  by_person <- match_template(names(table), templates$rating)
  long <- if (source == "qualtrics" || (source != "table" && nrow(by_person) > 0)) {
    lengthen_packets(table, by_person, items, templates, call)
  } else if (!is.null(column_of("rating", columns, table, call))) {
    lengthen_nothing(table, columns, call)
  } else {
    lengthen_items(table, items, columns, call)
  }
  people <- table[long$at, ]
  answers <- tibble::tibble(
    respondent_id = people[[needed_column("respondent_id", columns, table, call)]],
    image_id = long$image_id, item = long$item, value = long$value,
    preview = people$.preview, file = path, row = people$.row
  )
  for (role in c("group", "packet_id")) {
    column <- column_of(role, columns, table, call)
    if (!is.null(column)) {
      answers[[role]] <- people[[column]]
    }
  }
  answers$duration <- total_duration(answers, people, columns, table, decimal_comma, call)
  add_kept_columns(answers, people, columns, given, call)
}

# Columns of the sample that are in the table, and those that the user names.
add_kept_columns <- function(answers, people, columns, given, call) {
  wanted <- c(sample_columns, names(columns))
  for (name in setdiff(wanted, c(roles, names(answers)))) {
    column <- column_of(name, columns, people, call)
    if (!is.null(column)) {
      answers[[name]] <- given[[column]][people$.row] %||% typed_text(people[[column]])
    }
  }
  answers
}

# The reason why a response of Qualtrics does not count; `NA` for respondents. The numbers are sums:
# 1 preview, 2 test, 4 imported, 8 spam, 16 offline, 32 EX.
no_respondents <- function(table, source) {
  reason <- rep(NA_character_, nrow(table))
  if (source != "qualtrics" && !"ResponseId" %in% names(table)) {
    return(reason)
  }
  if ("Status" %in% names(table)) {
    status <- tolower(trim(table$Status))
    status[is.na(status)] <- ""
    code <- suppressWarnings(as.integer(as_number(status)))
    flag <- function(bit, word) {
      grepl(word, status, fixed = TRUE) | (!is.na(code) & code > 0 & bitwAnd(code, bit) > 0)
    }
    people <- c("", "ip address", "imported", "offline", "ex", "ex offline", "ex imported")
    known <- (!is.na(code) & code >= 0 & code < 64) | status %in% people
    reason[!known] <- "unknown status"
    reason[flag(8L, "spam")] <- "spam"
    reason[flag(2L, "test")] <- "test"
    reason[flag(1L, "preview")] <- "preview"
  }
  if ("DistributionChannel" %in% names(table)) {
    reason[is.na(reason) & tolower(table$DistributionChannel) %in% "preview"] <- "preview"
  }
  reason
}

roles <- c(
  "respondent_id", "group", "packet_id", "image_id", "item", "rating", "duration", "seconds"
)
# What is found out about respondents anew.
of_flags <- c("straight_lining", "too_fast")

defaults_of_qualtrics <- function(columns, table) {
  defaults <- c(respondent_id = "ResponseId", duration = "Duration (in seconds)")
  defaults <- defaults[defaults %in% names(table) & !names(defaults) %in% names(columns)]
  c(columns, defaults)
}

# The column for a role: the user's choice, or the column with the name of the role.
column_name <- function(role, columns) {
  if (role %in% names(columns)) columns[[role]] else role
}

column_of <- function(role, columns, table, call) {
  column <- column_name(role, columns)
  if (column %in% names(table)) {
    column
  } else if (role %in% names(columns)) {
    abort_no_column(column, role, table, call)
  }
}

needed_column <- function(role, columns, table, call) {
  column_of(role, columns, table, call) %||% abort_no_column(role, role, table, call)
}

abort_no_column <- function(column, role, table, call) {
  there <- own_columns(table)
  purpose <- if (column != role) " for {.field {role}}"
  abort_imagestrata(
    paste0("There is no column {.field {column}}", purpose, "."),
    hint = "The columns are {.field {there}}: name the right one with {.code columns = c({role} =
            \"...\")}.",
    call = call
  )
}

own_columns <- function(table) setdiff(names(table), c(".row", ".preview"))

lengthen_nothing <- function(table, columns, call) {
  column <- function(role) table[[needed_column(role, columns, table, call)]]
  list(
    at = seq_len(nrow(table)), image_id = column("image_id"), item = column("item"),
    value = column("rating")
  )
}

# A row per respondent and image, a column per item.
lengthen_items <- function(table, items, columns, call) {
  found <- ifelse(items$column %in% names(table), items$column, items$item)
  found <- found[found %in% names(table)]
  if (length(found) == 0) {
    there <- own_columns(table)
    abort_imagestrata(
      "The table has neither a column of ratings nor a column with the name of an item ({.field
       {items$column}}).",
      hint = "The columns are {.field {there}}: name the right ones with {.arg columns} or {.arg
              items}.",
      call = call
    )
  }
  at <- rep(seq_len(nrow(table)), each = length(found))
  list(
    at = at,
    image_id = table[[needed_column("image_id", columns, table, call)]][at],
    item = rep(found, nrow(table)),
    value = as.vector(t(as.matrix(table[found])))
  )
}

# A row per respondent, columns per place in the packet and item.
lengthen_packets <- function(table, found, items, templates, call) {
  pictures <- match_template(names(table), templates$image)
  if (nrow(found) == 0) {
    abort_imagestrata(
      "No column of ratings matches {.val {templates$rating}}.",
      hint = "Columns are {.field {utils::head(own_columns(table), 20)}}:
              give {.arg rating_columns}.",
      call = call
    )
  }
  lacks <- setdiff(found$position, pictures$position)
  if (length(lacks) > 0) {
    abort_imagestrata(
      "No column that matches {.val {templates$image}} names the image at {cli::qty(length(lacks))}
       place{?s} {lacks}.",
      hint = "Also export the embedded data, or give {.arg image_columns}.",
      call = call
    )
  }
  picture <- pictures$column[match(found$position, pictures$position)]
  # Qualtrics numbers the items of a matrix.
  number <- suppressWarnings(as.integer(found$item))
  item <- ifelse(found$item %in% items$column, found$item, items$column[number])
  item <- dplyr::coalesce(item, found$item)
  n <- nrow(table)
  long <- list(
    at = rep(seq_len(n), nrow(found)),
    image_id = unlist(lapply(picture, \(column) table[[column]])),
    item = rep(item, each = n),
    value = unlist(lapply(found$column, \(column) table[[column]]))
  )
  # Packets may be shorter than the longest: places without image and answer are dropped.
  there <- !(blank(long$image_id) & blank(long$value))
  lapply(long, \(x) x[there])
}

# Names that match a template, with their values of {position} and {item}.
match_template <- function(names, template) {
  slots <- regmatches(template, gregexpr("[{](position|item)[}]", template))[[1]]
  slots <- substr(slots, 2, nchar(slots) - 1)
  pattern <- gsub("([]|()^$*+?.\\[])", "\\\\\\1", template)
  pattern <- sub("{position}", "([0-9]+)", pattern, fixed = TRUE)
  pattern <- sub("{item}", "(.+)", pattern, fixed = TRUE)
  pattern <- paste0("^", pattern, "$")
  column <- grep(pattern, names, value = TRUE)
  part <- function(slot) {
    at <- match(slot, slots)
    if (is.na(at)) rep(NA_character_, length(column)) else sub(pattern, paste0("\\", at), column)
  }
  tibble::tibble(column = column, position = part("position"), item = part("item"))
}

# Seconds that a respondent took: the column of durations, or the sum over images.
total_duration <- function(answers, people, columns, table, decimal_comma, call) {
  duration <- column_of("duration", columns, table, call)
  seconds <- column_of("seconds", columns, table, call)
  if (!is.null(duration)) {
    return(as_number(people[[duration]], decimal_comma))
  }
  if (is.null(seconds)) {
    return(rep(NA_real_, nrow(answers)))
  }
  took <- tibble::tibble(
    id = answers$respondent_id, image = answers$image_id,
    seconds = as_number(people[[seconds]], decimal_comma)
  )
  per_image <- took[!duplicated(took[c("id", "image")]) & !is.na(took$seconds), ]
  total <- tapply(per_image$seconds, per_image$id, sum)
  as.vector(total[answers$respondent_id])
}

# ---- Label Studio -----------------------------------------------------------------------

# A list of tasks; each has data and annotations, and these have results, one per item.
read_labelstudio <- function(path, columns, encoding, call) {
  text <- rawToChar(read_utf8(path, encoding, call))
  Encoding(text) <- "UTF-8"
  tasks <- rlang::try_fetch(
    jsonlite::parse_json(text, bigint_as_char = TRUE),
    error = function(error) {
      abort_imagestrata("{.file {path}} is not JSON: {conditionMessage(error)}", call = call)
    }
  )
  tasks <- if (is.list(tasks)) tasks else list()
  is_task <- vapply(tasks, \(task) is.list(task) && is.list(task[["data"]]), NA)
  if (length(tasks) == 0 || !all(is_task)) {
    abort_imagestrata(
      "{.file {path}} is not an export of Label Studio: tasks must have {.field data} and {.field
       annotations}.",
      hint = "Export as JSON, not as JSON-MIN.",
      call = call
    )
  }
  answers <- lapply(seq_along(tasks), \(i) answers_of_task(tasks[[i]], i, columns, path, call))
  answers <- dplyr::bind_rows(answers)
  if (nrow(answers) == 0) {
    abort_imagestrata(
      "{.file {path}} contains {length(tasks)} task{?s} but no annotation.",
      hint = "Predictions are not answers, and exports of old versions call annotations
              {.field completions}: export again, as JSON, once annotators have submitted.",
      call = call
    )
  }
  for (role in c("group", "packet_id")) {
    if (all(is.na(answers[[role]]))) {
      answers[[role]] <- NULL
    }
  }
  for (name in setdiff(names(columns), roles)) {
    answers[[name]] <- typed_text(answers[[name]])
  }
  total <- tapply(answers$duration, answers$respondent_id, sum)
  answers$duration <- as.vector(total[answers$respondent_id])
  answers
}

answers_of_task <- function(task, row, columns, path, call) {
  field <- function(role) {
    as_text(task$data[[column_name(role, columns)]])
  }
  if (is.na(field("image_id"))) {
    abort_imagestrata(
      "Task {row} of {.file {path}} does not name its image.",
      hint = "Its data has {.field {names(task$data)}}: name the right field with {.code columns =
              c(image_id = \"...\")}.",
      call = call
    )
  }
  kept <- setdiff(names(columns), roles)
  absent <- kept[!columns[kept] %in% names(task$data)]
  if (length(absent) > 0) {
    abort_imagestrata(
      "Task {row} of {.file {path}} has no field {.field {columns[absent[1]]}}.",
      hint = "Its data has {.field {names(task$data)}}.",
      call = call
    )
  }
  dplyr::bind_rows(lapply(task$annotations, function(annotation) {
    results <- Filter(\(result) !is.null(result$from_name), annotation$result)
    n <- max(length(results), 1)
    person <- field("respondent_id")
    answers <- tibble::tibble(
      respondent_id = if (is.na(person)) annotator_of(annotation) else person,
      group = field("group"), packet_id = field("packet_id"), image_id = field("image_id"),
      # A task that was skipped, or left without a result, is one missing answer.
      item = if (length(results) > 0) vapply(results, \(x) x$from_name, "") else "",
      value = if (length(results) > 0) vapply(results, value_of_result, "") else "",
      # Label Studio keeps what was ticked before a task was skipped.
      several = if (length(results) > 0) lengths(lapply(results, values_of_result)) > 1 else FALSE,
      # Time is that of the whole task: counted once.
      duration = c(as.double(annotation$lead_time %||% NA), rep(0, n - 1)),
      preview = if (isTRUE(annotation$was_cancelled)) "skipped" else NA_character_,
      file = path, row = row
    )
    answers$preview[answers$several & is.na(answers$preview)] <- "several answers"
    answers$several <- NULL
    for (name in kept) {
      answers[[name]] <- field(name)
    }
    answers
  }))
}

annotator_of <- function(annotation) {
  who <- annotation$completed_by
  as_text(if (is.list(who)) who$email %||% who$id else who)
}

values_of_result <- function(result) {
  value <- result$value
  unlist(value$rating %||% value$number %||% value$choices %||% value$text)
}

value_of_result <- function(result) {
  values <- values_of_result(result)
  if (length(values) == 0) NA_character_ else paste(plain_text(values), collapse = ", ")
}

as_text <- function(x) {
  if (is.null(x) || length(x) == 0) NA_character_ else plain_text(x[[1]])
}
