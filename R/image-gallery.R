#' Write a page that shows the images of each cluster
#'
#' The page opens from disk in any browser, without a network. You can select images on it, and copy
#' or download their ids. You can also edit the clusters there: name them, merge them, move images,
#' and drop clusters and images.
#'
#' The page shows the clusters after your edits and lists these; each can have a note, and be undone.
#' They stay in the browser until you download them as `edits.csv`, which
#' `edit_clusters(topics, edits = "edits.csv")` applies. Then write the page again: it goes on from
#' the edited clusters. Edits that the browser has stored for other clusters are not applied; the page
#' offers them. The most similar clusters beside each cluster are those with the nearest centroids.
#' The key `?` lists all keys.
#'
#' "More like this" shows the 12 most similar images of any cluster, by the cosine of their vectors:
#' those that the clustering knows, or those of the run folder. With more than 128 dimensions, the 12
#' are the best of 48 candidates, which are found in 64 principal components.
#'
#' The page can show the most doubtful images of each cluster first: those with the smallest `margin`
#' to another cluster, otherwise those with the lowest silhouettes.
#'
#' With more than 50,000 images the page shows 50,000 of them, with a note: the most typical images
#' of each cluster, the whole sample, and others drawn at random, with the same result every time.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The run folder; the page is written to `gallery/index.html` in it, with small
#'   copies of the images beside it.
#' @param sample The result of [sample_images()]: these images are marked.
#' @param keywords The result of [cluster_keywords()]: the first terms of each cluster are shown
#'   beside it.
#' @param points The result of [map_images()]: the page gets a map, on which you can zoom, and
#'   select images with a lasso.
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
    call_verb("image_gallery", view = FALSE),
    class = "imagestrata_page"
  )
  cli::cli_inform(c("v" = "The gallery is ready: {.file {page}}"))
  if (view) {
    view_page(page)
  }
  invisible(page)
}

# RStudio's viewer shows files of the session's temporary folder only.
view_page <- function(page) {
  viewer <- getOption("viewer")
  folder <- paste0(absolute_path(tempdir()), "/")
  if (is.function(viewer) && startsWith(unclass(page), folder)) {
    viewer(unclass(page))
  } else {
    utils::browseURL(paste0("file://", if (.Platform$OS.type == "windows") "/", unclass(page)))
  }
}

#' @export
print.imagestrata_page <- function(x, ...) {
  cat(cli::style_hyperlink(unclass(x), paste0("file://", unclass(x))), "\n", sep = "")
  invisible(x)
}
