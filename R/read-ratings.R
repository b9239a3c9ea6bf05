#' Read ratings of images
#'
#' Reads ratings of images from the exports of survey tools, and joins them by id to the sample of
#' images. A message counts the answers that cannot be used, and [rating_problems()] lists them with
#' the reason.
#'
#' @param files Paths of files, a folder of them, or a data frame.
#' @param sample The result of [sample_images()]: its clusters and weights are joined by `image_id`.
#'   In ratings that were read before, they replace those of an earlier sample. `NULL` for ratings
#'   that already have these columns.
#' @param items A table with the columns `item` and `dimension`, one row per item: the order of its
#'   rows is the order of items in results. An optional column `column` has the names of the items
#'   in the files. By default (`NULL`) the ten emotions, [emotion_items].
#' @param source Format of the files: `"qualtrics"`, `"labelstudio"` (JSON), or `"table"` for any
#'   other table (CSV with commas, semicolons or tabs). `"auto"` detects it.
#' @param columns Names of your columns, as `c(respondent_id = "PID", group = "party")`, for
#'   `respondent_id`, `group`, `image_id`, `item`, `rating`, `duration` (of the respondent, in
#'   seconds) and `seconds` (spent on the image). By default the columns have these names. Other
#'   names keep further columns: `c(age = "Q12")`.
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
#' @returns A tibble with one row per usable rating: `respondent_id`, `group`, `image_id`,
#'   `cluster` and its names, `item`, `dimension` (factors in the order of `items`), `rating`, the weights of the
#'   sample, `straight_lining` and `too_fast` (flags of the respondent), and the further columns in
#'   `columns`.
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
read_ratings <- function(files,
                         sample = NULL,
                         items = NULL,
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
  ratings <- sort_out(answers, sample, items, scale, too_fast)
  keep_levels(ratings, files, columns)
}

# Answers are read as text; factors of a given table become factors again, in their order.
keep_levels <- function(ratings, files, columns) {
  if (!is.data.frame(files)) {
    return(ratings)
  }
  for (name in setdiff(names(ratings), c("respondent_id", "image_id", "item", "dimension"))) {
    source <- column_name(name, columns)
    given <- if (source %in% names(files)) files[[source]]
    if (is.factor(given) && is.character(ratings[[name]])) {
      ratings[[name]] <- factor(ratings[[name]], levels(given), ordered = is.ordered(given))
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
  if (!is.character(columns) || !rlang::is_named(columns)) {
    abort_imagestrata(
      "{.arg columns} must be text with names, not {seen(columns)}.",
      hint = "For example {.code c(respondent_id = \"PID\", group = \"party\")}.",
      call = call
    )
  }
  columns
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
  answers$problem <- dplyr::case_when(
    !is.na(answers$preview) ~ answers$preview,
    blank(answers$respondent_id) ~ "no respondent",
    has_groups & blank(answers[["group"]] %||% NA) ~ "no group",
    blank(answers$image_id) ~ "no image",
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
  report_problems(problems, has_groups)
  new_ratings(ratings, problems)
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
    joined <- intersect(c(sample_columns, names_in(sample)), names(sample))
    at <- match(ratings$image_id, sample$image_id)
    # No file of answers has these columns: the ratings were read before.
    if (all(c("N_h", "n_h", "weight_corpus", "weight_cluster") %in% names(ratings))) {
      ratings <- ratings[setdiff(names(ratings), c(sample_columns, names_in(ratings)))]
    }
    brought <- intersect(joined, names(ratings))
    differs <- !vapply(brought, \(name) same_values(ratings[[name]], sample[[name]][at]), NA)
    ratings <- keep_given(ratings, brought[differs], "the sample")
    ratings[joined] <- lapply(joined, \(column) sample[[column]][at])
  }
  if (all(is.na(ratings$duration))) {
    ratings$duration <- NULL
  }
  first <- c(
    "respondent_id", "group", "image_id", "cluster", if (!is.null(sample)) names_in(sample),
    "item", "dimension", "rating", setdiff(sample_columns, "cluster")
  )
  left <- setdiff(names(ratings), c("value", "preview", "file", "row", "problem"))
  ratings[c(intersect(first, left), setdiff(left, first))]
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
