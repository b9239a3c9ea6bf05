#' Link posts to the clusters of their images
#'
#' Copies count: a post that shows a copy of an image has the cluster of the image that was kept.
#'
#' @section Names:
#' A name is compared as an id; as the end of a path, where `\` and `/` are equal, and the encodings
#' of letters with accents; without what follows `?` or `#`; then without regard to case; and at
#' last without the extension of an image, since downloads change it (unless posts name it with
#' several extensions). The first comparison in which it fits decides. It must then fit files of
#' one image (copies are one image), otherwise the row is ambiguous: nothing is guessed. Folders in
#' a name must agree with those of the file. An address on the web is compared by its last part; if
#' different addresses end in the same name, they are ambiguous.
#'
#' A post that shows an image twice, or two copies of it, has two rows.
#'
#' @section After edits:
#' Linked posts keep the clusters from before [edit_clusters()] or [group_clusters()].
#' `link_posts(topics, linked)` finds the clusters anew by `image_id`, with their names and themes,
#' and counts `n_posts` anew. Rows without an image keep their reason, of which no warning is given
#' again: link the posts themselves again after images have joined the clusters.
#'
#' @section Weights:
#' `sample_images(topics, shares = linked)` draws images with the weight of the posts that show
#' them.
#'
#' @param topics A clustering, from [cluster_images()] or [edit_clusters()].
#' @param posts A data frame with the column `post_id`, such as [read_posts()] returns: one row per
#'   post and image, or one row per post with several images in a cell (a list column, or names in
#'   one text). Or linked posts, which get the clusters of `topics`; see below.
#' @param by The column of `posts` with the images: ids, paths, ends of paths, names of files or
#'   addresses on the web, also mixed. By default (`NULL`) the first of `media`, `image_id`, `path`
#'   and `file` that exists.
#' @param images The result of [scan_images()], or a run folder with it, in which copies and
#'   rejected files are looked up. By default (`NULL`) the run folder of the clustering.
#' @param separator What separates names in a text. By default (`NULL`) a text that is not the name
#'   of a file is divided at commas, semicolons, `|` and line breaks if it holds names of images.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per post and image, in the order of `posts`: `post_id`; `image_id`
#'   of the kept image, missing if there is none; `cluster` (-1 is the residual) and `cluster_name`,
#'   then `theme` and `theme_name` if clusters are grouped; `n_posts`, the number of these posts
#'   that show the image; `unmatched`, why a row has no image, missing if it has one: `"no image"`
#'   (the cell is empty), `"not in the scan"`, `"ambiguous"` (the name fits several images),
#'   `"rejected: ..."` with the reason of the scan, or `"not in the clustering"` (the image has no
#'   vector, or its cluster was dropped); then the columns of `posts`, of which `by` has one name
#'   per row. No post is left out. `tidy(x, "unmatched")` has the numbers of rows (`n`) and posts
#'   (`n_posts`) and `examples` for each `reason`; a warning has them, too. `attr(x, "topics")` has
#'   the topics of the clustering with their rows here (`n_rows`).
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' posts <- data.frame(
#'   post_id = c("1", "2", "3"),
#'   party = c("A", "B", "B"),
#'   image_id = c(topics$image_id[1:2], NA)
#' )
#' linked <- suppressWarnings(link_posts(topics, posts))
#' linked
#' tidy(linked, "unmatched")
link_posts <- function(topics, posts, by = NULL, images = NULL, separator = NULL, ...) {
  check_dots(...)
  check_class(topics, "imagestrata_clustering", "topics", "cluster_images")
  whys <- NA_character_
  if (all(c("post_id", "image_id", "cluster", "unmatched") %in% names(posts))) {
    by <- check_string(by, "by", null = TRUE) %||% "image_id"
    again <- by == "image_id"
    if (again) whys <- ifelse(is.na(posts$image_id), posts$unmatched, NA)
    themes <- c("theme", "theme_name", "theme_found")
    added <- c("cluster", "cluster_name", themes, "n_posts", "unmatched", if (!again) "image_id")
    posts <- plain_columns(posts)[setdiff(names(posts), added)]
  }
  by <- check_posts(posts, by)
  ids <- tibble::tibble(post_id = id_text(posts$post_id, "post_id"), unmatched = whys)
  sent <- call_core(
    "link_posts",
    send_clustering(topics), encode_table(ids), encode_table(names_of_posts(posts, by)),
    by = by,
    images = send_scan(images),
    separator = check_string(separator, "separator", null = TRUE)
  )
  found <- decode_table(sent[["rows"]])
  own <- plain_columns(posts)[found$row, setdiff(names(posts), "post_id"), drop = FALSE]
  if (by == "image_id") {
    # Linked posts that are linked again may have the ids that were given.
    same <- identical(found$name, found$image_id) || "image_id_given" %in% names(own)
    own[[by]] <- NULL
    if (!same) own$image_id_given <- found$name
  } else {
    own[[by]] <- found$name
  }
  ours <- found[setdiff(names(found), c("row", "name"))]
  linked <- vctrs::vec_cbind(ours, keep_given(own, names(ours), "{.fn link_posts}"))
  tibble::new_tibble(
    linked,
    nrow = nrow(linked), class = "imagestrata_posts", unmatched = decode_table(sent[["unmatched"]]),
    topics = topics_seen(topics, linked)
  )
}

#' @rdname link_posts
#' @param x The result of `link_posts()`.
#' @param table `"unmatched"`, the only table.
#' @export
tidy.imagestrata_posts <- function(x, table = "unmatched", ...) {
  check_dots(...)
  rlang::arg_match0(table, "unmatched")
  attr(x, "unmatched")
}

# Linked posts; other columns may have been joined to them, by functions that drop their class.
check_linked <- function(x, name = "linked", needs = NULL, call = rlang::caller_env()) {
  refuse_sheet(x, call)
  if (!is.data.frame(x) || !all(c("post_id", "image_id") %in% names(x))) {
    abort_product(x, "imagestrata_posts", name, "link_posts", call)
  }
  check_data_frame(x, name, call, "link_posts", needs = needs)
}

# The topics of the clustering with the number of their rows, so that topics without posts are
# known.
topics_seen <- function(topics, linked) {
  clusters <- tidy(topics)
  names <- intersect(c("cluster", "cluster_name", "theme", "theme_name"), names(clusters))
  seen <- plain_tibble(clusters)[names]
  seen$n_rows <- tabulate(match(linked$cluster, seen$cluster), nrow(seen))
  seen
}

plain_columns <- function(data) {
  columns <- lapply(plain_numbers(as.list(data)), without_blanks)
  tibble::new_tibble(columns, nrow = nrow(data))
}

check_posts <- function(posts, by, call = rlang::caller_env()) {
  if (!"post_id" %in% names(posts) && !is.null(product_of(posts))) {
    abort_product(posts, "posts", "posts", "read_posts", call)
  }
  posts <- check_data_frame(posts, "posts", call, "read_posts", needs = "post_id")
  if (nrow(posts) == 0) {
    abort_imagestrata("{.arg posts} has no rows.", call = call)
  }
  usual <- c("media", "image_id", "path", "file")
  by <- check_string(by, "by", null = TRUE, call = call) %||% intersect(usual, names(posts))[1]
  if (is.na(by)) {
    abort_imagestrata(
      "{.arg posts} has none of the columns {.field {usual}}; it has {.field {names(posts)}}.",
      hint = "Name the column with the images in {.arg by}.",
      call = call
    )
  }
  if (!by %in% setdiff(names(posts), "post_id")) {
    abort_imagestrata(
      "{.arg by} must be the column of {.arg posts} with the images, not {.val {by}}; the columns
       are {.field {names(posts)}}.",
      call = call
    )
  }
  by
}

# The names of images one by one, with the rows of their posts; a missing one if there are none.
names_of_posts <- function(posts, by) {
  column <- posts[[by]]
  row <- seq_len(nrow(posts))
  if (is.list(column)) {
    column[lengths(column) == 0] <- list(NA)
    row <- rep(row, lengths(column))
    column <- unlist(lapply(column, \(cell) id_text(cell, by)))
  }
  tibble::tibble(row = row, name = as.character(id_text(column, by)))
}

send_scan <- function(images, call = rlang::caller_env()) {
  if (is.null(images) || is.data.frame(images)) {
    if (!is.null(images)) encode_table(plain_columns(images), call)
  } else {
    check_existing(images, "images", call)
  }
}
