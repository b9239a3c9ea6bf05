#' Make a page that shows the clusters with their images
#'
#' The page opens from disk in any browser, without a network. Images can be ticked on it,
#' and the ids of the ticked ones be copied or downloaded.
#'
#' With more than 50,000 images the page shows 50,000 and says so: from each cluster the most
#' typical ones, the whole sample, and others drawn at random, the same every time.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The run folder; the page is written to `gallery/index.html` in it, with small
#'   copies of the images beside it.
#' @param sample The result of [sample_images()]: these images are marked.
#' @param keywords The result of [cluster_keywords()]: the first of its terms stand beside each
#'   cluster.
#' @param points The result of [map_images()]: the page gets a map, to move about in and to tick
#'   images with a lasso.
#' @param n_typical Images shown for each cluster at first.
#' @param thumbnail Height of the images on the page, in pixels.
#' @param view Open the page? In RStudio it opens in the viewer where it lies below [tempdir()],
#'   else in the browser. By default it opens where R runs interactively.
#' @inheritParams scan_images
#'
#' @returns The path of the page, invisibly; printed, it is a link that terminals and RStudio open.
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
                          view = interactive(),
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  check_flag(view, "view")
  page <- structure(
    # R opens the page, in a viewer that Python does not know.
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
