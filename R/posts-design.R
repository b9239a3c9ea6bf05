# From linked posts to counts: checks, columns of time, cells and topics.
#
# A *cell* is a combination of the `by` columns; a *unit* is a post, an image of a post, or an
# author, in a cell; a *place* is an author in a cell. Everything is kept as plain vectors, and only
# the topics that an author shows in a cell have a row, so that a million posts take seconds.

# Returns a list: `cells` and `topics` (tables), `by` (names), `places` (for each author in a cell
# `cell`, `author` and the number of units `n`), `shown` (for each topic that they show `place`,
# `topic` and the number of units `y`), `counts` (n_posts, n_images, n_authors of each cell),
# `n_posts` and `n_authors` of all cells, and the numbers of posts that are not counted.
design_posts <- function(linked, by, unit, level, denominator, author, time, time_zone,
                         call = rlang::caller_env()) {
  linked <- check_topics_linked(linked, level, author, call)
  topic <- linked[[level]]
  # Images of the residual have no theme.
  if (level == "theme") topic[is.na(topic) & !is.na(linked[["cluster"]])] <- -1
  topics <- topics_of(linked, topic, level)
  columns <- columns_by(linked, by, time, time_zone, level, call)
  post <- number_values(linked$post_id)
  kept <- complete_rows(linked, columns, author, post, call)
  author_id <- number_values(linked[[author]])
  check_author(linked, post, author_id, author, call)
  cells <- cells_of(columns$table[kept, ], columns$steps, length(topics$topic), call)
  rows <- list(
    post = post[kept], author = author_id[kept], cell = cells$id,
    topic = match(topic[kept], topics$topic)
  )
  # Rows without a known image are images of their own.
  rows$image <- number_values(linked$image_id)[kept]
  rows$image[is.na(rows$image)] <- -which(is.na(rows$image))
  rows$named <- !(linked[["unmatched"]] %||% rep(NA, nrow(linked)))[kept] %in% "no image"
  if (unit == "post") check_cell(rows, linked, kept, names(columns$table), call)
  rows$known <- !is.na(rows$topic)
  left_out <- list(n_left_out = length(unique(post)) - length(unique(rows$post)))
  c(
    list(cells = cells$table, topics = topics$table, by = names(columns$table)),
    count_units(rows, unit, denominator, nrow(cells$table)),
    left_out, tell_unmatched(rows, denominator)
  )
}

check_topics_linked <- function(linked, level, author, call) {
  check_linked(linked, call = call)
  if (!level %in% names(linked)) {
    abort_imagestrata(
      "{.arg linked} has no column {.field {level}}; it has {.field {names(linked)}}.",
      hint = if (level == "theme") "{.fn group_clusters} groups clusters into themes.",
      call = call
    )
  }
  if (nrow(linked) == 0) {
    abort_imagestrata("{.arg linked} has no rows.", call = call)
  }
  if (!author %in% names(linked)) {
    abort_imagestrata(
      "{.arg linked} has no column {.field {author}}; it has {.field {names(linked)}}.",
      hint = "Name the column of those who post in {.arg author}. If every post is by somebody
              else, use {.code author = \"post_id\"}.",
      call = call
    )
  }
  n <- sum(is.na(without_blanks(linked$post_id)))
  if (n > 0) {
    abort_imagestrata(
      "{n} of {nrow(linked)} rows {cli::qty(n)}{?has/have} no {.field post_id}, the first is row
       {which(is.na(without_blanks(linked$post_id)))[1]}.",
      call = call
    )
  }
  number <- linked[[level]]
  if (!is.numeric(number)) {
    abort_imagestrata(
      "{.field {level}} must be numbers, not {.obj_type_friendly {number}}.",
      call = call
    )
  }
  if (all(is.na(number))) {
    abort_imagestrata(
      "No row of {.arg linked} has a {level}.",
      hint = "{.fn link_posts} links posts to the clusters of their images.",
      call = call
    )
  }
  # The attribute has topics that no post shows.
  structure(plain_columns(linked), topics = attr(linked, "topics"))
}

# Values as 1, 2, ... in the order of their first appearance; a missing one is missing.
number_values <- function(x) {
  id <- as.integer(vctrs::vec_group_id(x))
  id[is.na(x)] <- NA
  id
}

# The topics, ordered, the residual last: those of the rows, and those that link_posts() saw that
# no post showed.
topics_of <- function(linked, topic, level) {
  name <- paste0(level, "_name")
  names_of <- without_blanks(linked[[name]] %||% rep(NA_character_, nrow(linked)))
  first <- which(!duplicated(topic) & !is.na(topic))
  table <- tibble::tibble(topic = topic[first], name = as.character(names_of[first]))
  never <- attr(linked, "topics")
  if (level %in% names(never)) {
    shown <- never[[level]][never$n_rows > 0]
    never <- never[!never[[level]] %in% c(table$topic, shown, NA), ]
    never <- never[!duplicated(never[[level]]), ]
    table <- rbind(
      table, tibble::tibble(topic = never[[level]], name = as.character(never[[name]]))
    )
  }
  table <- table[order(table$topic == -1, table$topic), ]
  list(topic = table$topic, table = rlang::set_names(table, c(level, name)))
}

# ---- Columns of `by` ----------------------------------------------------------------------

# The first day of the period of a day; weeks begin on Monday.
periods <- list(
  day = function(day) day,
  week = function(day) day - (as.integer(day) + 3) %% 7,
  month = function(day) as.Date(format(day, "%Y-%m-01")),
  year = function(day) as.Date(format(day, "%Y-01-01"))
)

# The `by` columns: `table`, and for those made from times their period (`steps`).
columns_by <- function(linked, by, time, time_zone, level, call) {
  made <- if (time %in% names(linked)) setdiff(names(periods), names(linked))
  known <- linked[0, , drop = FALSE]
  known <- plain_tibble(known)
  for (name in made) known[[name]] <- as.Date(character())
  selected <- select_posts(known, by, time, level, made, call)
  steps <- rlang::set_names(selected, names(selected))
  steps <- steps[steps %in% made]
  table <- plain_columns(linked)[setdiff(selected, made)]
  names(table) <- names(selected)[!selected %in% made]
  lists <- names(table)[vapply(table, is.list, NA)]
  if (length(lists) > 0) {
    abort_imagestrata(
      "{.arg by} must name columns with one value per row, unlike {.field {lists}}.",
      hint = "{.fn cluster_metadata} counts the values of lists, such as hashtags.",
      call = call
    )
  }
  if (length(steps) > 0) {
    day <- days_of(linked[[time]], time, time_zone, call)
    days <- sort(unique(day))
    for (name in names(steps)) {
      table[[name]] <- periods[[steps[[name]]]](days)[match(day, days)]
    }
  }
  list(table = table[names(selected)], steps = steps)
}

select_posts <- function(known, by, time, level, made, call) {
  place <- rlang::try_fetch(
    tidyselect::eval_select(by, known),
    error = function(error) {
      absent <- setdiff(all.vars(rlang::quo_get_expr(by)), names(known))
      if (length(absent) == 0) absent <- rlang::as_label(by)
      lacks_time <- any(absent %in% names(periods)) && !time %in% names(known)
      abort_imagestrata(
        "{.arg by} names {cli::qty(length(absent))}{?a column/columns} that {.arg linked} does not
         have: {.field {absent}}.",
        hint = if (lacks_time) {
          "Days, weeks, months and years are made from the column of times, but there is no column
           {.field {time}}: name it in {.arg time}."
        } else {
          "Its columns are {.field {setdiff(names(known), made)}}. {.code by = NULL} takes all posts
           together."
        },
        call = call
      )
    }
  )
  selected <- rlang::set_names(names(known)[place], names(place))
  ours <- c("post_id", "image_id", "cluster", "cluster_name", "theme", "theme_name", "unmatched")
  wrong <- intersect(selected, ours)
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg by} must name groups of posts, not {.field {wrong}}.",
      hint = "The result always has a row for each {level}.",
      call = call
    )
  }
  taken <- intersect(names(selected), prevalence_columns)
  if (length(taken) > 0) {
    abort_imagestrata(
      "{.arg by} has {.field {taken}}, which is a column of the results.",
      hint = "Give it another name: {.code by = c(my_{taken[1]} = {taken[1]})}.",
      call = call
    )
  }
  selected
}

days_of <- function(x, time, time_zone, call) {
  if (inherits(x, "Date")) {
    return(as.Date(floor(as.double(x)), origin = "1970-01-01"))
  }
  if (!inherits(x, "POSIXct")) {
    abort_imagestrata(
      "{.field {time}} must be times ({.cls POSIXct}) or days ({.cls Date}), not
       {.obj_type_friendly {x}}.",
      hint = "{.fn read_posts} and {.fn as.POSIXct} make times from text.",
      call = call
    )
  }
  check_string(time_zone, "time_zone", call = call)
  if (!time_zone %in% OlsonNames()) {
    abort_imagestrata(
      "{.arg time_zone} must be the name of a time zone, not {.val {time_zone}}.",
      hint = "For example {.val UTC}, {.val Europe/Berlin} or {.val America/New_York}.",
      call = call
    )
  }
  as.Date(x, tz = time_zone)
}

# The rows that have an author and a value of each `by` column. Others are left out, and reported.
complete_rows <- function(linked, columns, author, post, call) {
  lacks <- lapply(columns$table, is.na)
  names(lacks) <- names(columns$table)
  lacks <- c(rlang::set_names(list(is.na(linked[[author]])), author), lacks)
  lacks <- lacks[!duplicated(names(lacks))]
  out <- Reduce(`|`, lacks)
  if (!any(out)) {
    return(seq_len(nrow(linked)))
  }
  n_posts <- length(unique(post))
  by_column <- vapply(lacks, \(missing) length(unique(post[missing])), 0)
  by_column <- by_column[by_column > 0]
  parts <- paste0(
    big(by_column), " without {.field ",
    names(by_column), "}",
    collapse = ", "
  )
  n_out <- length(unique(post[out]))
  if (all(out)) {
    abort_imagestrata(
      paste0("No post has a value in each column that is needed: ", parts, "."),
      call = call
    )
  }
  warn_imagestrata(
    paste0(
      "{big(n_out)} of {count_of(n_posts, 'post')} {cli::qty(n_out)}{?is/are} left out: ", parts,
      "."
    ),
    "To keep them, give them a value, such as {.val unknown}."
  )
  which(!out)
}

check_author <- function(linked, post, author_id, author, call) {
  differs <- which(author_id != author_id[match(post, post)])
  if (length(differs) > 0) {
    id <- linked$post_id[differs[1]]
    seen <- unique(linked[[author]][linked$post_id == id])
    abort_imagestrata(
      "{.field {author}} must be the same in all rows of a post, but post {.val {id}} is by {.val
       {as.character(seen)}}.",
      hint = "Ids of posts may repeat between platforms: make them unique, for instance with
              {.code paste(platform, post_id)}.",
      call = call
    )
  }
}

check_cell <- function(rows, linked, kept, by, call) {
  differs <- which(rows$cell != rows$cell[match(rows$post, rows$post)])
  if (length(differs) > 0) {
    abort_imagestrata(
      "{.field {by}} must be the same in all rows of a post, unlike for post {.val
       {linked$post_id[kept[differs[1]]]}}.",
      hint = "Columns about images are possible with {.code unit = \"image\"}.",
      call = call
    )
  }
}

# Cells in the order of their values: the combinations that occur, and with each combination of the
# other columns every day, week, month or year from the first to the last.
cells_of <- function(table, steps, n_topics, call) {
  other <- table[setdiff(names(table), names(steps))]
  group <- number_rows(other)
  groups <- vctrs::vec_slice(other, match(seq_len(max(group)), group))
  spans <- lapply(rlang::set_names(names(steps)), \(name) {
    range <- range(table[[name]])
    seq(range[1], range[2], by = steps[[name]])
  })
  n <- nrow(groups) * prod(lengths(spans))
  if (n * n_topics > 1e7) {
    spans_text <- vapply(spans, \(span) paste(range(span), collapse = " to "), "")
    abort_imagestrata(
      c(
        "The result would have {format(n * n_topics, big.mark = ',', scientific = FALSE)} rows:
         {n_topics} topics in {format(n, big.mark = ',', scientific = FALSE)} groups."
      ),
      hint = if (length(spans) > 0) {
        "Times are {spans_text}: are all of them right? Longer periods have fewer rows."
      } else {
        "Choose columns of {.arg by} with fewer values."
      },
      call = call
    )
  }
  if (ncol(table) == 0) {
    return(list(id = rep(1L, nrow(table)), table = tibble::new_tibble(list(), nrow = 1)))
  }
  grid <- expand.grid(c(list(.group = seq_len(nrow(groups))), spans))
  cells <- vctrs::vec_cbind(vctrs::vec_slice(groups, grid$.group), grid[names(spans)])
  cells <- tibble::as_tibble(cells[names(table)])
  cells <- cells[order(number_rows(cells)), ]
  list(id = vctrs::vec_match(table, cells), table = cells)
}

# ---- Counts -------------------------------------------------------------------------------

# A unit counts once, whatever its number of rows; it shows a topic if one of its rows does.
count_units <- function(rows, unit, denominator, n_cells) {
  counted <- rows$known | (denominator == "all" & (unit != "image" | rows$named))
  rows <- lapply(rows, \(x) x[counted])
  post <- group_ids(rows$cell, rows$post)
  place <- group_ids(rows$cell, rows$author)
  image <- group_ids(post, rows$image)
  item <- switch(unit, post = post, image = image, author = place)
  start <- which(!duplicated(place))
  places <- list(
    cell = rows$cell[start], author = rows$author[start],
    n = as.double(tabulate(place[!duplicated(item)], length(start)))
  )
  showing <- which(rows$known)
  showing <- showing[!duplicated(group_ids(item[showing], rows$topic[showing]))]
  shown <- vctrs::vec_count(pair_of(place[showing], rows$topic[showing]), sort = "location")
  per_cell <- function(id, only = TRUE) tabulate(rows$cell[!duplicated(id) & only], n_cells)
  list(
    places = places,
    shown = list(place = shown$key$x, topic = shown$key$y, y = as.double(shown$count)),
    counts = tibble::tibble(
      n_posts = per_cell(post), n_images = per_cell(image, rows$named),
      n_authors = tabulate(places$cell, n_cells)
    ),
    n_posts = length(unique(rows$post)),
    n_authors = length(unique(places$author))
  )
}

pair_of <- function(x, y) vctrs::new_data_frame(list(x = x, y = y))

# Combinations of two numberings as 1, 2, ... in the order of their first appearance.
group_ids <- function(x, y) {
  as.integer(vctrs::vec_group_id(pair_of(x, y)))
}

# Says what is not counted.
tell_unmatched <- function(rows, denominator) {
  posts_with <- function(rows_with) unique(rows$post[rows_with])
  known <- posts_with(rows$known)
  unmatched <- posts_with(!rows$known & rows$named)
  counts <- list(
    n_unknown = length(unique(rows$post)) - length(known),
    n_partly = length(intersect(known, unmatched)),
    n_repeated = sum(rows$known & duplicated(group_ids(rows$post, rows$image)))
  )
  all <- length(unique(rows$post))
  lines <- c(
    "!" = if (counts$n_unknown > 0) {
      text <- "{big(counts$n_unknown)} of {count_of(all, 'post')}"
      if (denominator == "known") {
        paste0("Posts that show no known image do not count: ", text, ". Shares are those of the
               others; {.code denominator = \"all\"} counts them.")
      } else {
        paste0("Posts that show no known image count as showing no topic: ", text, ".")
      }
    },
    "!" = if (counts$n_partly > 0) {
      "{big(counts$n_partly)} {cli::qty(counts$n_partly)}post{?s} show{?s/} known images and images
       that are not in the clustering. The topics of the latter are not counted."
    },
    i = if (counts$n_repeated > 0) {
      "{big(counts$n_repeated)} {cli::qty(counts$n_repeated)}row{?s} repeat{?s/} an image of a post:
       an image of a post is counted once."
    }
  )
  if (length(lines) > 0) cli::cli_inform(lines)
  counts
}

big <- function(n) format(n, big.mark = ",", trim = TRUE)
