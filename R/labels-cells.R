# Groups of images or of posts, and the weight of each image in each group.

# Returns a list: `table` (the columns of `by`, one row per group), `by` (names); vectors with a
# place per group, image and author: `cell`, `image` (its place), `author` (1 without authors),
# `count` (the weight of the image; of posts, the number of posts of the author); and `authors`,
# whether posts are those of authors who were drawn.
group_labelled <- function(observed, by, weight, linked, author, time, time_zone,
                           call = rlang::caller_env()) {
  check_choice(weight, "weight", c("image", "post", "share"), call)
  if (is.null(linked)) {
    if (weight == "post") {
      abort_imagestrata(
        "{.code weight = \"post\"} needs posts that show the images, as {.arg linked}.",
        hint = "{.fn link_posts} links posts to images.",
        call = call
      )
    }
    return(cells_of_images(observed, by, weight, call))
  }
  if (weight == "share") {
    abort_imagestrata(
      "{.code weight = \"share\"} counts copies in the corpus, not posts: with {.arg linked}, use
       {.code weight = \"post\"}.",
      call = call
    )
  }
  if (weight == "image" && rlang::quo_is_null(by)) {
    abort_imagestrata(
      "{.arg linked} has an effect only with {.arg by} or {.code weight = \"post\"}: without them,
       every image counts once.",
      hint = "Leave it out.",
      call = call
    )
  }
  cells_of_posts(observed, by, weight, linked, author, time, time_zone, call)
}

cells_of_images <- function(observed, by, weight, call) {
  images <- observed$images
  known <- images[0, setdiff(names(images), c("image_id", "stratum"))]
  columns <- images[select_images(known, by, observed, call)]
  for (name in names(columns)) {
    n <- sum(is.na(columns[[name]]))
    if (n > 0) {
      abort_imagestrata(
        "{n} image{?s} {?has/have} no {.field {name}}.",
        hint = "Give them a value of their own, such as {.val none}.",
        call = call
      )
    }
  }
  cells <- cells_of(columns, rlang::set_names(character()), 1, call)
  n <- nrow(images)
  list(
    table = name_groups(cells$table, images), by = names(columns), cell = cells$id,
    image = seq_len(n), author = rep(1L, n),
    count = if (weight == "share") shares_of_images(images, call) else rep(1, n), authors = FALSE
  )
}

select_images <- function(known, by, observed, call) {
  place <- rlang::try_fetch(
    tidyselect::eval_select(by, known),
    error = function(error) {
      absent <- setdiff(all.vars(rlang::quo_get_expr(by)), names(known))
      if (length(absent) == 0) absent <- rlang::as_label(by)
      abort_imagestrata(
        "{.arg by} names {cli::qty(length(absent))}{?a column/columns}, which {?is/are} not known
         for
         every image: {.field {absent}}.",
        hint = if (observed$whole && !observed$placed) {
          "Give the clustering as {.arg clustering}: it has the clusters of all images."
        } else {
          "Known are {.field {names(known)}}. For columns of posts, give {.arg linked}."
        },
        call = call
      )
    }
  )
  columns <- rlang::set_names(names(known)[place], names(place))
  check_group_names(names(columns), call)
  columns
}

check_group_names <- function(names, call) {
  ours <- setdiff(label_share_columns, c("cluster_name", "theme_name"))
  wrong <- intersect(names, c(ours, "image_id", "post_id"))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg by} must name groups of images or posts, not {.field {wrong}}.",
      call = call
    )
  }
}

# The groups with the names of their clusters or themes.
name_groups <- function(table, images) {
  for (name in intersect(c("cluster", "theme"), names(table))) {
    of <- paste0(name, "_name")
    if (of %in% names(images) && !of %in% names(table)) {
      named <- rlang::set_names(list(images[[of]][match(table[[name]], images[[name]])]), of)
      table <- tibble::add_column(table, !!!named, .after = name)
    }
  }
  table
}

shares_of_images <- function(images, call) {
  if ("n_copies" %in% names(images)) {
    shares <- as.double(images$n_copies)
  } else if (all(c("weight_share", "weight_corpus") %in% names(images))) {
    shares <- images$weight_share / images$weight_corpus
  } else {
    abort_imagestrata(
      "{.code weight = \"share\"} needs the column {.field n_copies} of the clustering.",
      hint = "Give the clustering as {.arg clustering}.",
      call = call
    )
  }
  if (anyNA(shares) || any(shares < 0)) {
    abort_imagestrata("The column {.field n_copies} must hold numbers, 0 or more.", call = call)
  }
  shares
}

cells_of_posts <- function(observed, by, weight, linked, author, time, time_zone, call) {
  linked <- check_linked(linked, call = call)
  linked <- plain_columns(linked)
  columns <- columns_by(linked, by, time, time_zone, "cluster", call)
  check_group_names(names(columns$table), call)
  post <- number_values(id_text(linked$post_id, "post_id", call))
  authors <- weight == "post" && !is.null(author)
  who <- rep(1L, nrow(linked))
  if (authors) {
    who <- authors_of_posts(linked, author, post, call)
  }
  if (!observed$whole) {
    abort_imagestrata(
      "Groups of posts need the images that the sample represents: give the clustering as {.arg
       clustering}.",
      call = call
    )
  }
  known <- match(id_text(linked$image_id, "image_id", call), observed$images$image_id)
  tell_unknown_images(linked$image_id, known, call)
  lacks <- c(columns$table, if (authors) rlang::set_names(list(linked[[author]]), author))
  lacks <- lapply(lacks, is.na)
  missing <- Reduce(`|`, lacks, rep(FALSE, nrow(linked)))
  out <- missing & !is.na(known)
  if (any(out)) {
    n <- length(unique(post[out]))
    which <- names(lacks)[vapply(lacks, \(lack) any(lack & !is.na(known)), NA)]
    warn_imagestrata(
      "{count_of(n, 'post')} {cli::qty(n)}{?is/are} left out, since {.field {which}}
       {cli::qty(length(which))}{?is/are} missing.",
      "To keep them, give them a value, such as {.val unknown}."
    )
  }
  kept <- which(!is.na(known) & !missing)
  if (length(kept) == 0) {
    abort_imagestrata(
      "No post with a value in each column shows a known image.",
      call = call
    )
  }
  cells <- cells_of(columns$table[kept, ], columns$steps, 1, call)
  rows <- vctrs::new_data_frame(list(
    cell = cells$id, image = known[kept], post = post[kept], author = who[kept]
  ))
  rows <- rows[!duplicated(rows[c("cell", "image", if (weight == "post") "post")]), ]
  counts <- vctrs::vec_count(rows[c("cell", "author", "image")], sort = "location")
  list(
    table = cells$table, by = names(columns$table), cell = counts$key$cell,
    image = counts$key$image, author = counts$key$author, count = as.double(counts$count),
    authors = authors
  )
}

authors_of_posts <- function(linked, author, post, call) {
  if (!rlang::is_string(author) || !author %in% names(linked)) {
    abort_imagestrata(
      "{.arg linked} has no column {.field {author}}; it has {.field {names(linked)}}.",
      hint = "Name the column of those who post in {.arg author}. With {.code author = NULL},
              intervals are about these posts only, not about others that these people might post.",
      call = call
    )
  }
  who <- number_values(linked[[author]])
  check_author(linked, post, who, author, call)
  who
}

tell_unknown_images <- function(ids, known, call) {
  lost <- length(unique(ids[is.na(known) & !is.na(ids)]))
  every <- length(unique(ids[!is.na(ids)]))
  if (lost == every) {
    abort_imagestrata(
      "{.arg linked} shows none of the images that the sample represents.",
      hint = "Link the posts to the clustering that was sampled, with {.fn link_posts}.",
      call = call
    )
  }
  if (lost > 0) {
    warn_imagestrata(
      "{big(lost)} of {count_of(every, 'image')} in {.arg linked} are not among those that the
       sample
       represents: they are left out."
    )
  }
}

# The weight of every image in a group, or in all groups together.
weights_in_cell <- function(cells, number, n_images) {
  rows <- if (is.null(number)) TRUE else cells$cell == number
  sum_by(cells$count[rows], cells$image[rows], n_images)
}
