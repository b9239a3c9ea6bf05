#' Read ratings of images
#'
#' Reads ratings of images from the exports of survey tools, and joins them by id to the sample of
#' images. A message counts the answers that cannot be used, and [rating_problems()] lists them with
#' the reason.
#'
#' @param files Paths of files, a folder of them, or a data frame.
#' @param sample The result of [sample_images()]: its clusters and weights are joined by `image_id`,
#'   and so are your own columns of it, such as who posted an image or when. In ratings that were
#'   read before, they replace those of an earlier sample. `NULL` for ratings that already have
#'   these columns.
#' @param items A table with the columns `item` and `dimension`, one row per item: the order of its
#'   rows is the order of items in results. An optional column `column` has the names of the items
#'   in the files. By default (`NULL`) the ten emotions, [emotion_items].
#' @param packets All packets, the result of [assign_annotators()], or the file `...-key.csv` beside
#'   the export: the group of each `packet_id`, if the files have no groups. Without `packet_id` in
#'   the files, the column `respondent_id` of `packets` says whose packet it is, as in
#'   [simulated_packets]. `packet_id` and `position` are kept, and answers to other packets, or
#'   about images that a packet does not contain, are listed as problems.
#' @param respondents A table with one row per respondent and the column `respondent_id`: its other
#'   columns (age, survey weight, or the group if the files have none) are joined. See
#'   [simulated_respondents].
#' @param source Format of the files: `"qualtrics"`, `"labelstudio"` (JSON), or `"table"` for any
#'   other table (CSV with commas, semicolons or tabs). `"auto"` detects it.
#' @param columns Names of your columns, as `c(respondent_id = "PID", group = "party")`, for
#'   `respondent_id`, `group`, `packet_id`, `image_id`, `item`, `rating`, `duration` (of the
#'   respondent, in seconds) and `seconds` (spent on the image). By default the columns have these
#'   names. Further columns of the survey are kept if you name them: `c(age = "Q12", "gender")`
#'   keeps `Q12` as `age`, and `gender` as it is. Others are left out, since exports contain
#'   addresses and locations of respondents.
#' @param scale Lowest and highest possible rating. The published study reports 1 to 10 in its text,
#'   but 11 points in its Figure 10.
#' @param rating_columns,image_columns For surveys with one row per respondent (Qualtrics):
#'   templates for the names of the columns of ratings and of ids of images. `{position}` is the
#'   place of the image in the packet, `{item}` the name of the item or its number in `items`.
#' @param sep The character that separates the columns of CSV files. By default (`NULL`) it is
#'   detected: a comma, a semicolon or a tab.
#' @param encoding Encoding of the files. By default (`NULL`) UTF-8, or that of a byte order mark;
#'   other text is read as Windows-1252, with a warning.
#' @param clustering The clusters as [edit_clusters()] left them, if they were edited since the
#'   sample was drawn: the ratings get these clusters, their names, and weights that represent them.
#'   `files` can also be ratings that were read before the edits. This needs Python; see the
#'   details.
#' @param too_fast Respondents whose duration is below this share of the median are flagged. The
#'   default is a rule of thumb and does not come from the paper.
#' @inheritParams scan_images
#'
#' @details A table can be *long*, with one column of ratings, or *wide*, with a column for each
#' item. A table with one row per respondent, as Qualtrics exports a loop over images, is read with
#' `rating_columns` and `image_columns`. The two extra header rows of Qualtrics are skipped.
#'
#' **After edits.** With `clustering`, the sample keeps its strata and probabilities, and
#' `weight_cluster` becomes `weight_corpus` divided by the size of the edited cluster: the weighted
#' mean of a merged cluster is the stratified estimate, which is unbiased. If edits divided clusters
#' from which images were drawn, or joined images that could not be drawn to them, an error says so:
#' draw a new sample, in which images that are drawn again keep their ratings.
#'
#' **Names that occur twice.** If the sample has a column of yours with the name of a column of the
#' survey, such as `group`, that of the sample gets the ending `_of_image`. If a table of
#' respondents has a column that the ratings have already, both must say the same.
#'
#' @returns A tibble with one row per usable rating: `respondent_id`, `group`, `image_id`,
#'   `cluster` and its names, `item`, `dimension` (factors in the order of `items`), `rating`, the
#'   weights of the sample, `straight_lining` and `too_fast` (flags of the respondent), `packet_id`
#'   (and `position`, with `packets`), and then the further columns of the survey, of the
#'   respondents and of the sample.
#' @family ratings
#' @export
#' @examples
#' answers <- data.frame(
#'   PID = c("r1", "r1", "r2"), party = "Democrat",
#'   picture = c("simulated-0001", "simulated-0009", "simulated-0001"),
#'   proud = c(3, 4, 2), angry = c(0, 12, NA)
#' )
#' ratings <- read_ratings(
#'   answers,
#'   sample = simulated_sample,
#'   columns = c(respondent_id = "PID", group = "party", image_id = "picture")
#' )
#' ratings
#' rating_problems(ratings)
#'
#' # What is known of respondents from another table, and of images from the sample:
#' people <- data.frame(respondent_id = c("r1", "r2"), age = c(34, 61))
#' drawn <- dplyr::mutate(simulated_sample, month = rep(1:12, length.out = dplyr::n()))
#' ratings <- read_ratings(
#'   answers,
#'   sample = drawn, respondents = people,
#'   columns = c(respondent_id = "PID", group = "party", image_id = "picture")
#' )
#' ratings[c("respondent_id", "age", "image_id", "month", "item", "rating")]
read_ratings <- function(files,
                         sample = NULL,
                         items = NULL,
                         packets = NULL,
                         respondents = NULL,
                         source = "auto",
                         columns = NULL,
                         scale = c(0, 10),
                         rating_columns = "{position}_rating_{item}",
                         image_columns = "image_{position}",
                         too_fast = 1 / 3,
                         sep = NULL,
                         encoding = NULL,
                         clustering = NULL,
                         ...) {
  check_dots(...)
  items <- check_items(items %||% imagestrata::emotion_items)
  sample <- follow_clusters(check_sample(sample), clustering)
  columns <- check_columns(columns)
  packets <- check_packets(packets)
  respondents <- check_respondents(respondents)
  scale <- check_scale(scale)
  too_fast <- check_number(too_fast, "too_fast")
  check_choice(
    source, "source", c("auto", "qualtrics", "labelstudio", "table"), rlang::current_env(),
    hint = "CSV files of our rating page are read as {.val table}."
  )
  templates <- list(
    rating = check_template(rating_columns, "rating_columns", c("{position}", "{item}")),
    image = check_template(image_columns, "image_columns", "{position}")
  )
  answers <- read_answers(files, source, items, columns, templates, sep, encoding)
  answers <- join_packets(answers, packets)
  answers <- join_respondents(answers, respondents)
  ratings <- sort_out(answers, sample, items, scale, too_fast)
  given <- if (is.data.frame(files)) files[[column_name("group", columns)]]
  order_groups(ratings, list(given, respondents[["group"]], packets[["group"]]))
}

# Groups are read as text; they become a factor, in its order, if any table has them as one.
order_groups <- function(ratings, tables) {
  for (given in tables) {
    if (is.factor(given) && all(ratings[["group"]] %in% levels(given))) {
      ratings$group <- factor(ratings$group, levels(given), ordered = is.ordered(given))
      break
    }
  }
  ratings
}

# ---- Arguments --------------------------------------------------------------------------

check_items <- function(items, call = rlang::caller_env()) {
  check_data_frame(
    items, "items", call,
    needs = c("item", "dimension"), hint = "See {.code emotion_items}."
  )
  if (nrow(items) == 0) {
    abort_imagestrata("{.arg items} has no rows.", call = call)
  }
  items <- tibble::as_tibble(items)
  items$item <- as.character(items$item)
  items$dimension <- as.character(items$dimension)
  items$column <- as.character(items[["column"]] %||% items$item)
  twice <- unique(c(items$item[duplicated(items$item)], items$column[duplicated(items$column)]))
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg items} has {.val {twice}} more than once.",
      hint = "An item measures one dimension: keep one row for each item.",
      call = call
    )
  }
  items
}

check_sample <- function(sample, call = rlang::caller_env()) {
  if (is.null(sample)) {
    return(NULL)
  }
  lacking <- setdiff(c("image_id", "cluster"), names(sample))
  if (!is.data.frame(sample)) {
    refuse_sheet(sample, call)
    abort_product(sample, "imagestrata_sample", "sample", "sample_images", call)
  }
  if (length(lacking) > 0) {
    abort_imagestrata(
      "{.arg sample} lacks the column{?s} {.field {lacking}}, which {.fn sample_images} gives.",
      hint = "Without a sample, omit the argument; ratings are then not joined to clusters and
              weights.",
      call = call
    )
  }
  twice <- sample$image_id[duplicated(sample$image_id)]
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg sample} contains {length(twice)} image{?s} more than once, the first {.val
       {twice[1]}}.",
      hint = "Keep one row for each image.",
      call = call
    )
  }
  with_text_ids(sample, call)
}

# The sample with the clusters after edits, and the weights that represent them.
follow_clusters <- function(sample, clustering, call = rlang::caller_env()) {
  if (is.null(clustering)) {
    return(sample)
  }
  check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images", call)
  if (is.null(sample)) {
    abort_imagestrata(
      "{.arg clustering} needs the {.arg sample} that was rated: its strata say which images the
       ratings represent.",
      hint = "Give what {.fn sample_images} returned.",
      call = call
    )
  }
  sent <- encode_table(sample, call)
  decode_table(call_core("follow_sample", sent, send_clustering(clustering, call), call = call))
}

check_columns <- function(columns, call = rlang::caller_env()) {
  columns <- unlist(columns)
  if (is.null(columns)) {
    return(character())
  }
  if (!is.character(columns) || anyNA(columns)) {
    abort_imagestrata(
      "{.arg columns} must be names of columns, not {seen(columns)}.",
      hint = "For example {.code c(respondent_id = \"PID\", group = \"party\", \"age\")}.",
      call = call
    )
  }
  # Without a name, a column keeps its own.
  names <- rlang::names2(columns)
  names[names == ""] <- columns[names == ""]
  twice <- unique(names[duplicated(names)])
  taken <- intersect(names, c("dimension", "straight_lining", "too_fast", of_answers))
  if (length(twice) > 0 || length(taken) > 0) {
    abort_imagestrata(
      "{.arg columns} has the name {.val {c(twice, taken)[1]}} {if (length(twice) > 0) 'twice' else
       'of a column that this function makes'}.",
      hint = "Give the column another name, as in {.code columns = c(my_{c(twice, taken)[1]} =
              \"{columns[match(c(twice, taken)[1], names)]}\")}.",
      call = call
    )
  }
  rlang::set_names(unname(columns), names)
}

# Packets as a table, with ids and groups as text; factors of groups stay.
check_packets <- function(packets, call = rlang::caller_env()) {
  if (is.null(packets)) {
    return(NULL)
  }
  if (is.character(packets) && length(packets) == 1) {
    packets <- read_packets(packets, call)
  }
  needed <- c("packet_id", "group", "image_id")
  check_data_frame(
    packets, "packets", call,
    needs = needed, hint = "Give what {.fn assign_annotators} returned, or the file
    {.file ...-key.csv} beside the export."
  )
  check_rows(packets, "packets", call)
  packets <- tibble::as_tibble(plain_columns(packets))
  packets$packet_id <- plain_text(packets$packet_id)
  packets$image_id <- plain_text(packets$image_id)
  n <- sum(rowSums(is.na(packets[needed])) > 0)
  if (n > 0) {
    abort_imagestrata(
      "{n} row{?s} of {.arg packets} {?has/have} missing values in {.or {.field {needed}}}.",
      call = call
    )
  }
  groups <- dplyr::distinct(packets, .data$packet_id, .data$group)
  mixed <- groups$packet_id[duplicated(groups$packet_id)]
  if (length(mixed) > 0) {
    abort_imagestrata(
      "{length(mixed)} packet{?s} {?is/are} for more than one group, the first {.val {mixed[1]}}.",
      hint = "Give further packets new ids, as {.fn reassign} does.",
      call = call
    )
  }
  packets
}

check_rows <- function(table, name, call) {
  if (nrow(table) == 0) {
    abort_imagestrata("{.arg {name}} has no rows.", call = call)
  }
}

read_packets <- function(path, call) {
  check_exist(path, "packets", call = call)
  if (!grepl("[.]csv$", path, ignore.case = TRUE)) {
    path <- paste0(sub("/+$", "", path), "-key.csv")
    check_exist(path, "packets", call = call)
  }
  read_csv_text(path, c("packet_id", "group", "image_id"), NULL, NULL, call)
}

# One row per respondent, with ids as text.
check_respondents <- function(respondents, call = rlang::caller_env()) {
  if (is.null(respondents)) {
    return(NULL)
  }
  check_data_frame(
    respondents, "respondents", call,
    needs = "respondent_id", hint = "It has one row per respondent; rename the column with their ids
    to {.field respondent_id}."
  )
  check_rows(respondents, "respondents", call)
  respondents <- tibble::as_tibble(plain_columns(respondents))
  respondents$respondent_id <- plain_text(respondents$respondent_id)
  id <- respondents$respondent_id
  if (any(blank(id))) {
    abort_imagestrata(
      "{sum(blank(id))} row{?s} of {.arg respondents} {?has/have} no {.field respondent_id}, the
       first in row {which(blank(id))[1]}.",
      call = call
    )
  }
  twice <- unique(id[duplicated(id)])
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg respondents} has {length(twice)} respondent{?s} more than once, the first {.val
       {twice[1]}}.",
      hint = "Keep one row for each respondent.",
      call = call
    )
  }
  ours <- intersect(names(respondents), c(
    "image_id", "item", "dimension", "rating", "packet_id", "position", sample_columns, of_flags,
    of_answers
  ))
  if (length(ours) > 0) {
    abort_imagestrata(
      "{.arg respondents} has {?a column/columns} {.field {ours}}, which {?describes/describe}
       ratings or images.",
      hint = "Rename or remove {cli::qty(length(ours))}{?it/them}.",
      call = call
    )
  }
  respondents
}

# The group and the position of each answer, from the packet.
join_packets <- function(answers, packets, call = rlang::caller_env()) {
  if (is.null(packets)) {
    return(answers)
  }
  if (!"packet_id" %in% names(answers)) {
    known <- packets[!blank(packets[["respondent_id"]] %||% rep(NA, nrow(packets))), ]
    if (nrow(known) == 0) {
      abort_imagestrata(
        "The answers have no column {.field packet_id}, which joins them to {.arg packets}.",
        hint = "Name it with {.code columns = c(packet_id = \"...\")}, or add a column {.field
                respondent_id} to {.arg packets}, which says who got which packet.",
        call = call
      )
    }
    # A respondent can have several packets, of which one contains the image.
    pair <- function(x) paste(plain_text(x$respondent_id), x$image_id, sep = "\r")
    at <- match(pair(answers), pair(known))
    at <- dplyr::coalesce(at, match(answers$respondent_id, plain_text(known$respondent_id)))
    answers$packet_id <- known$packet_id[at]
  }
  of_packet <- plain_text(packets$group)[match(answers$packet_id, packets$packet_id)]
  if (!"group" %in% names(answers)) {
    answers$group <- of_packet
  } else {
    warn_of_groups(answers, of_packet)
  }
  place <- match(
    paste(answers$packet_id, answers$image_id, sep = "\r"),
    paste(packets$packet_id, packets$image_id, sep = "\r")
  )
  position <- packets[["position"]] %||% rep(NA, nrow(packets))
  answers$position <- as.integer(as_number(position))[place]
  answers$of_packet <- dplyr::case_when(
    is.na(of_packet) ~ "unknown packet",
    is.na(place) ~ "not in the packet"
  )
  answers
}

# Groups in the files are those that count: respondents may say another party than their packet.
warn_of_groups <- function(answers, of_packet) {
  differs <- !is.na(of_packet) & !blank(answers$group) & answers$group != of_packet
  if (any(differs)) {
    people <- unique(answers$respondent_id[differs])
    first <- which(differs)[1]
    cli::cli_warn(c(
      "{length(people)} respondent{?s} {?has/have} another {.field group} in the files than in
       {.arg packets}, the first {.val {people[1]}}: {.val {answers$group[first]}}, and {.val
       {of_packet[first]}} in the packet.",
      i = "The files count. Remove or rename their column {.field group} if packets should."
    ))
  }
}

# Columns of the respondents beside those of the answers.
join_respondents <- function(answers, respondents, call = rlang::caller_env()) {
  if (is.null(respondents)) {
    return(answers)
  }
  at <- match(answers$respondent_id, respondents$respondent_id)
  counts <- is.na(answers$preview) & !blank(answers$respondent_id)
  check_any_known(answers$respondent_id[counts], respondents$respondent_id, call)
  # The table of ratings that were read before gives way.
  before <- were_read(answers)
  for (name in setdiff(names(respondents), "respondent_id")) {
    known <- respondents[[name]][at]
    ours <- answers[[name]]
    if (name == "group") {
      known <- plain_text(known)
    }
    if (!is.null(ours) && !all(blank(ours)) && (!before || name == "group")) {
      both <- !is.na(at) & counts
      check_same(ours[both], known[both], answers$respondent_id[both], name, call)
      known <- if (name == "group") ifelse(blank(ours), known, ours) else ours
    }
    answers[[name]] <- known
  }
  tell_respondents(answers$respondent_id[counts], respondents$respondent_id)
  answers
}

check_any_known <- function(ids, known, call) {
  if (length(ids) > 0 && !any(ids %in% known)) {
    abort_imagestrata(
      "{.arg respondents} has none of the {length(unique(ids))} respondent{?s} in the files.",
      hint = "The files have ids like {.val {ids[1]}}, and {.arg respondents} like {.val
              {known[1]}}.",
      call = call
    )
  }
}

tell_respondents <- function(ids, known) {
  unknown <- unique(setdiff(ids, known))
  silent <- setdiff(known, ids)
  told <- c(
    "!" = if (length(unknown) > 0) {
      "{length(unknown)} respondent{?s} {?is/are} not in {.arg respondents}, the first {.val
       {unknown[1]}}: columns of {cli::qty(length(unknown))}{?this one/these} are missing."
    },
    i = if (length(silent) > 0) {
      "{length(silent)} of the {length(known)} people in {.arg respondents}
       {cli::qty(length(silent))}{?has/have} no answer."
    }
  )
  if (length(told) > 0) {
    cli::cli_inform(told, class = "imagestrata_respondents")
  }
}

check_same <- function(ours, theirs, who, name, call) {
  differs <- !blank(ours) & !is.na(theirs) &
    !(plain_text(ours) == plain_text(theirs) | as_number(ours) == as_number(theirs)) %in% TRUE
  if (any(differs)) {
    people <- unique(who[differs])
    first <- which(differs)[1]
    abort_imagestrata(
      "{.field {name}} is in the files and in {.arg respondents}, and differs for {length(people)}
       respondent{?s}: for {.val {people[1]}} it is {.val {plain_text(ours[first])}} in the files
       and {.val {plain_text(theirs[first])}} in the table.",
      hint = "Remove the column from one of them, or rename it.",
      call = call
    )
  }
}

check_template <- function(template, name, parts, call = rlang::caller_env()) {
  template <- check_string(template, name, call = call)
  lacks <- parts[!vapply(parts, grepl, NA, template, fixed = TRUE)]
  if (length(lacks) > 0) {
    abort_imagestrata(
      "{.arg {name}} must contain {.val {lacks}}, unlike {.val {template}}.",
      call = call
    )
  }
  template
}

# ---- From answers to ratings ------------------------------------------------------------

# `answers`: respondent_id, group, image_id, item, value (text), duration, preview, file, row.
sort_out <- function(answers, sample, items, scale, too_fast, call = rlang::caller_env()) {
  # A survey without groups is one group.
  has_groups <- "group" %in% names(answers)
  known <- match(answers$item, items$column)
  known[is.na(known)] <- match(answers$item[is.na(known)], items$item)
  answers$item[!is.na(known)] <- items$item[known[!is.na(known)]]
  answers$rating <- as_number(answers$value)
  of_packet <- answers[["of_packet"]] %||% NA_character_
  answers$problem <- dplyr::case_when(
    !is.na(answers$preview) ~ answers$preview,
    blank(answers$respondent_id) ~ "no respondent",
    of_packet %in% "unknown packet" ~ "unknown packet",
    has_groups & blank(answers[["group"]] %||% NA) ~ "no group",
    blank(answers$image_id) ~ "no image",
    of_packet %in% "not in the packet" ~ "not in the packet",
    blank(answers$item) & blank(answers$value) ~ "missing",
    is.na(known) ~ "unknown item",
    !is.null(sample) & !answers$image_id %in% sample$image_id ~ "unmatched image",
    blank(answers$value) ~ "missing",
    is.na(answers$rating) ~ "not a number",
    answers$rating < scale[1] | answers$rating > scale[2] ~ "out of range",
    TRUE ~ NA_character_
  )
  answers$problem <- find_duplicates(answers)
  usable <- is.na(answers$problem)
  check_usable(answers, usable, sample, scale, call)
  ratings <- answers[usable, ]
  check_one_group(ratings, call)
  flags <- flag_respondents(ratings, too_fast)
  problems <- dplyr::bind_rows(
    answers[!usable, c("problem", problem_columns(answers))],
    find_unrated(ratings, sample),
    dplyr::tibble(problem = "straight-lining", respondent_id = flags$id[flags$straight_lining]),
    dplyr::tibble(problem = "too fast", respondent_id = flags$id[flags$too_fast])
  )
  problems$kept <- problems$problem %in% c("straight-lining", "too fast")
  problems <- dplyr::relocate(problems, "problem", "kept")
  ratings <- finish_ratings(ratings, sample, items, known[usable], flags)
  report_unrated_items(ratings)
  report_unrated_clusters(ratings, sample)
  report_problems(problems, has_groups)
  new_ratings(ratings, problems, scale)
}

problem_columns <- function(answers) {
  intersect(c("respondent_id", "group", "image_id", "item", "value", "file", "row"), names(answers))
}

blank <- function(x) is.na(x) | !nzchar(trimws(x))

# The first answer counts. A later one with the same rating is a duplicate, else a contradiction.
find_duplicates <- function(answers) {
  open <- which(is.na(answers$problem))
  key <- dplyr::group_indices(dplyr::group_by(
    answers[open, ], .data$respondent_id, .data$image_id, .data$item
  ))
  first <- match(key, key)
  again <- first != seq_along(key)
  same <- answers$rating[open] == answers$rating[open][first]
  problem <- answers$problem
  problem[open[again]] <- ifelse(same[again], "duplicate", "contradiction")
  problem
}

check_usable <- function(answers, usable, sample, scale, call) {
  # Without respondents the arguments may still be right, and the problems are listed.
  people <- c("preview", "test", "spam", "skipped", "several answers")
  if (any(usable) || (nrow(answers) > 0 && all(answers$problem %in% people))) {
    return()
  }
  if (nrow(answers) == 0) {
    abort_imagestrata("The files contain no answers.", call = call)
  }
  main <- names(sort(table(answers$problem), decreasing = TRUE))[1]
  example <- answers[which(answers$problem == main)[1], ]
  hint <- switch(main,
    "unmatched image" = if (without_zeros(example$image_id) %in% without_zeros(sample$image_id)) {
      "The first is {.val {example$image_id}}, and {.arg sample} has it with other leading zeros:
       read both with ids as text, as {.code colClasses = \"character\"} does in {.fn
       utils::read.csv}."
    } else {
      "The first is {.val {example$image_id}}; the sample has ids like {.val {sample$image_id[1]}}."
    },
    "unknown item" = "The first is {.val {example$item}}: give {.arg items} those of your survey.",
    "out of range" = "The first is {.val {example$value}}, and {.arg scale} is {.val {scale}}.",
    "not a number" = "The first is {.val {example$value}}: export numbers, not texts of choices.",
    "unknown packet" = "The first is {.val {example$packet_id}}: give {.arg packets} all packets,
                        also those of {.fn reassign}.",
    "no image" = "Name the columns with ids of images in {.arg columns} or {.arg image_columns}.",
    "Look at {.file {example$file}}, row {example$row}."
  )
  abort_imagestrata(
    "No answer of {nrow(answers)} can be used; most often: {main}.",
    hint = hint, call = call
  )
}

without_zeros <- function(x) sub("^0+(?=.)", "", as.character(x), perl = TRUE)

check_one_group <- function(ratings, call) {
  if (!"group" %in% names(ratings)) {
    return()
  }
  people <- dplyr::distinct(ratings, .data$respondent_id, .data$group)
  twice <- people$respondent_id[duplicated(people$respondent_id)]
  if (length(twice) > 0) {
    groups <- people$group[people$respondent_id == twice[1]]
    abort_imagestrata(
      "{length(twice)} respondent{?s} {?is/are} in more than one group, the first {.val {twice[1]}}
       in {.val {groups}}.",
      hint = "If two surveys use the same ids for different respondents, make the ids different
              first.",
      call = call
    )
  }
}

# One row per respondent: `id`, `straight_lining`, `too_fast`.
flag_respondents <- function(ratings, too_fast) {
  if (nrow(ratings) == 0) {
    return(tibble::tibble(id = character(), straight_lining = logical(), too_fast = logical()))
  }
  images <- dplyr::summarise(
    dplyr::group_by(ratings, .data$respondent_id, .data$image_id),
    items = dplyr::n(), flat = min(.data$rating) == max(.data$rating), .groups = "drop_last"
  )
  flags <- dplyr::summarise(
    images,
    straight_lining = dplyr::n() > 1 && all(.data$flat) && min(.data$items) > 1
  )
  duration <- ratings$duration[match(flags$respondent_id, ratings$respondent_id)]
  limit <- too_fast * stats::median(duration, na.rm = TRUE)
  tibble::tibble(
    id = flags$respondent_id,
    straight_lining = flags$straight_lining,
    too_fast = if (all(is.na(duration))) FALSE else !is.na(duration) & duration < limit
  )
}

find_unrated <- function(ratings, sample) {
  if (is.null(sample)) {
    return(NULL)
  }
  # Without groups, all respondents form one.
  of_group <- ratings[["group"]] %||% rep(NA_character_, nrow(ratings))
  dplyr::bind_rows(lapply(unique(of_group), function(group) {
    rated <- ratings$image_id[of_group %in% group]
    lacking <- setdiff(sample$image_id, rated)
    tibble::tibble(
      problem = rep("unrated", length(lacking)), group = rep(group, length(lacking)),
      image_id = lacking
    )
  }))
}

finish_ratings <- function(ratings, sample, items, item, flags) {
  ratings$item <- factor(ratings$item, items$item)
  ratings$dimension <- factor(items$dimension[item], unique(items$dimension))
  person <- match(ratings$respondent_id, flags$id)
  ratings$straight_lining <- flags$straight_lining[person]
  ratings$too_fast <- flags$too_fast[person]
  if (!is.null(sample)) {
    # The sample of ratings that were read before gives way.
    before <- were_read(ratings)
    if (before) {
      ratings <- ratings[setdiff(names(ratings), c(sample_columns, names_in(ratings)))]
    }
    sample <- with_own_columns(sample, names(ratings), before)
    joined <- setdiff(names(sample), "image_id")
    at <- match(ratings$image_id, sample$image_id)
    brought <- intersect(joined, names(ratings))
    differs <- !vapply(brought, \(name) same_values(ratings[[name]], sample[[name]][at]), NA)
    ratings <- keep_given(ratings, if (!before) brought[differs], "the sample")
    own <- setdiff(joined, c(sample_columns, names_in(sample)))
    ratings[joined] <- lapply(joined, \(column) sample[[column]][at])
    ratings <- dplyr::relocate(ratings, dplyr::all_of(own), .after = dplyr::last_col())
  }
  if (all(is.na(ratings$duration))) {
    ratings$duration <- NULL
  }
  first <- c(
    "respondent_id", "group", "image_id", "cluster", if (!is.null(sample)) names_in(sample),
    "item", "dimension", "rating", setdiff(sample_columns, "cluster"),
    "straight_lining", "too_fast", "packet_id", "position"
  )
  left <- setdiff(names(ratings), of_answers)
  ratings[c(intersect(first, left), setdiff(left, first))]
}

# Columns of answers that ratings do not have.
of_answers <- c("value", "preview", "file", "row", "problem", "of_packet")

# No file of answers has all of these columns.
were_read <- function(table) {
  all(c("N_h", "n_h", "weight_corpus", "weight_cluster") %in% names(table))
}

# What the steps before say of an image, and ratings need not.
of_images <- c(
  "path", "file", "format", "width", "height", "bytes", "status", "reason", "duplicate_of",
  "n_copies", "gone", "iteration", "silhouette", "distance", "second_cluster", "margin", "added",
  "cluster_found", "theme_found", "wave", "draw", "inclusion_probability"
)

# The sample's ids, clusters, weights and further columns of the user. Those with the name of a
# column of the ratings are renamed, unless an earlier sample brought it.
with_own_columns <- function(sample, taken, before) {
  sample <- plain_tibble(sample)[setdiff(names(sample), of_images)]
  kept <- c("image_id", sample_columns, names_in(sample))
  ours <- c("respondent_id", "group", "item", "dimension", "rating", "straight_lining", "too_fast")
  clash <- setdiff(intersect(names(sample), c(ours, of_answers, if (!before) taken)), kept)
  new <- paste0(clash, "_of_image")
  names(sample)[match(clash, names(sample))] <- new
  if (length(clash) > 0) {
    cli::cli_inform(c(
      i = "{.arg sample} and the ratings both have {.field {clash}}:
           {cli::qty(length(clash))}{?that/those} of the sample {?is/are} now {.field {new}}."
    ))
  }
  sample
}

# "45 (Democrat), 60 (Republican)": an image that no group rated counts in each.
unrated_by_group <- function(problems) {
  n <- table(factor(problems$group, unique(problems$group))[problems$problem == "unrated"],
             exclude = character(), useNA = "ifany")
  group <- ifelse(is.na(names(n)), "", paste0(" (", names(n), ")"))
  toString(paste0(format(as.vector(n), big.mark = ",", trim = TRUE), group)[n > 0])
}

same_values <- function(x, y) {
  identical(plain_text(x), plain_text(y)) || isTRUE(all.equal(as_number(x), as_number(y)))
}

# An item that the survey lacks often has another name there.
report_unrated_items <- function(ratings) {
  absent <- setdiff(levels(ratings$item), ratings$item)
  if (nrow(ratings) > 0 && length(absent) > 0) {
    cli::cli_inform(c(
      "!" = "No ratings for {length(absent)} of {nlevels(ratings$item)} item{?s}: {.val {absent}}.
             Means of their dimensions use the other items.",
      i = "{.arg items} lists the items, and their names in the files."
    ))
  }
}

# Ratings cannot tell later which clusters they lack.
report_unrated_clusters <- function(ratings, sample) {
  cluster <- sample[["cluster"]]
  absent <- !cluster %in% ratings[["cluster"]]
  if (nrow(ratings) > 0 && any(absent)) {
    cli::cli_inform(c(
      "!" = "No ratings for {length(unique(cluster[absent]))} of
             {count_of(length(unique(cluster)), 'cluster')}, with
             {count_of(sum(absent), 'sampled image')}: no estimate includes them."
    ))
  }
}

report_problems <- function(problems, has_groups) {
  if (!has_groups) {
    cli::cli_inform(c(
      "!" = "The answers have no column {.field group}: all respondents form one group.",
      i = "If there are groups, name their column: {.code columns = c(group = \"...\")}."
    ))
  }
  if (nrow(problems) == 0) {
    return()
  }
  counted <- count_problems(problems)
  what <- paste(format(counted$n, big.mark = ",", trim = TRUE), counted$problem)
  kept <- counted$kept
  about <- counted$problem == "unrated"
  lines <- c(
    "!" = if (any(!kept & !about)) "Left out: {.emph {what[!kept & !about]}}.",
    "!" = if (any(about)) "Sampled images without a rating: {unrated_by_group(problems)}.",
    "i" = if (any(kept)) "Respondents flagged and kept: {.emph {what[kept]}}.",
    "i" = "{.fn rating_problems} lists them."
  )
  cli::cli_inform(lines, class = "imagestrata_problems")
}
