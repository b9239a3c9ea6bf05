#' Write a page that shows the images of each cluster
#'
#' The page opens from disk in any browser, without a network. You can select images on it, and copy
#' or download their ids. You can also edit the clusters there: name them, merge them, move images,
#' and drop clusters and images.
#'
#' The page shows the clusters after your edits and lists these; each can have a note, and be
#' undone. They stay in the browser until you download them as `edits.csv`, which
#' `edit_clusters(topics, edits = "edits.csv")` applies. Then write the page again: it goes on from
#' the edited clusters. Edits that the browser has stored for other clusters are not applied; the
#' page offers them. The most similar clusters beside each cluster are those with the nearest
#' centroids. The key `?` lists all keys.
#'
#' "More like this" shows the 12 most similar images of any cluster, by the cosine of their vectors:
#' those that the clustering knows, or those of the run folder. With more than 128 dimensions, the
#' 12 are the best of 48 candidates, which are found in 64 principal components.
#'
#' The page can show the most doubtful images of each cluster first: those with the smallest
#' `margin` to another cluster, otherwise those with the lowest silhouettes.
#'
#' With more than 100,000 images the page shows 100,000 of them, with a note: the most typical
#' images of each cluster, the whole sample, and others drawn at random, with the same result every
#' time.
#'
#' @section Posts:
#' With `posts`, the page counts posts, and has a timeline of them: click a month, or drag over
#' several, to see the images and clusters that posts of this time show. A line beside each cluster
#' has its share of posts. A post shows a cluster if it shows any of its images, and is counted
#' once. Shares are of all posts with an image of the clustering, in the same days, weeks (from
#' Monday), months or years, and of the same group. The page says how many posts have no such image,
#' or no time. Edits on the page change the counts. The page contains the days of posts, their
#' images and groups, but no texts or ids of posts; accounts only with `author`.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The run folder; the page is written to `gallery/index.html` in it, with small
#'   copies of the images beside it.
#' @param sample The result of [sample_images()]: these images are marked.
#' @param keywords The result of [cluster_keywords()]: the first terms of each cluster are shown
#'   beside it.
#' @param points The result of [map_images()]: the page gets a map, on which you can zoom, and
#'   select images with a lasso.
#' @param posts The result of [link_posts()]: the page counts posts, and has a timeline of them.
#' @param time The column of `posts` with times, which are compared by their day in UTC. `NULL`:
#'   posts are counted, without a timeline.
#' @param by A column of `posts` with at most 50 groups, such as parties, to which the page can be
#'   limited.
#' @param author The column of `posts` with accounts that the page shows beside the images that they
#'   posted. By default (`NULL`) the page takes no account from `posts`.
#' @param n_typical Number of images that are shown for each cluster at first.
#' @param thumbnail Height of the images on the page, in pixels.
#' @param warning A text that is shown before the first image.
#' @param view Open the page? In RStudio it opens in the viewer if it is inside [tempdir()], else in
#'   the browser. By default it opens in interactive sessions.
#' @inheritParams scan_images
#'
#' @returns The path of the page, invisibly; it prints as a link that terminals and RStudio can
#'   open.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' page <- image_gallery(demo_topics(), out = tempfile(), progress = FALSE)
#' page
image_gallery <- function(clustering,
                          out,
                          sample = NULL,
                          keywords = NULL,
                          points = NULL,
                          posts = NULL,
                          time = "time",
                          by = NULL,
                          author = NULL,
                          n_typical = 12,
                          thumbnail = 160,
                          warning = NULL,
                          view = interactive(),
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  check_flag(view, "view")
  page <- structure(
    # R opens the page, because Python cannot use RStudio's viewer.
    call_verb(
      "image_gallery",
      view = FALSE,
      posts = send_linked(posts, time, by, author),
      time = check_string(time, "time", null = TRUE),
      by = check_string(by, "by", null = TRUE),
      author = check_string(author, "author", null = TRUE)
    ),
    class = "imagestrata_page"
  )
  cli::cli_inform(c("v" = "The gallery is ready: {.file {page}}"))
  if (view) {
    view_page(page)
  }
  invisible(page)
}

# Linked posts with the columns that the core needs; others stay in R.
send_linked <- function(posts, ..., call = rlang::caller_env()) {
  if (is.null(posts)) {
    return(NULL)
  }
  columns <- c("post_id", "image_id", ...)
  posts <- plain_columns(check_linked(posts, "posts", call = call))
  encode_table(posts[intersect(names(posts), columns)], call)
}

# RStudio's viewer shows files of the session's temporary folder only.
view_page <- function(page) {
  viewer <- getOption("viewer")
  folder <- paste0(absolute_path(tempdir()), "/")
  if (is.function(viewer) && startsWith(unclass(page), folder)) {
    viewer(unclass(page))
  } else {
    utils::browseURL(file_address(page))
  }
}

#' @export
print.imagestrata_page <- function(x, ...) {
  cat(cli::style_hyperlink(unclass(x), file_address(x)), "\n", sep = "")
  invisible(x)
}

# The address of a file for a browser, from an absolute path with forward slashes: on a drive of
# Windows, on a server, or on other systems.
file_address <- function(path) {
  parts <- strsplit(enc2utf8(unclass(path)), "/", fixed = TRUE)[[1]]
  coded <- vapply(parts, utils::URLencode, "", reserved = TRUE, USE.NAMES = FALSE)
  coded <- sub("^([A-Za-z])%3A$", "\\1:", coded)
  before <- c("file:///", "file://", "file:")[[1 + startsWith(path, "/") + startsWith(path, "//")]]
  paste0(before, paste(coded, collapse = "/"))
}
