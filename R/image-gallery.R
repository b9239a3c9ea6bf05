#' Make a page that shows the clusters with their images
#'
#' The page opens from disk in any browser, without a network. Images can be ticked on it,
#' and the ids of the ticked ones be copied or downloaded.
#'
#' Of more than 50,000 images that many are shown, and the page says so: of each cluster the most
#' typical ones, the whole sample, and others drawn at random, the same every time.
#'
#' @param clustering What [cluster_images()] returned.
#' @param out The run folder; the page is written to `gallery/index.html` in it, with small
#'   copies of the images beside it.
#' @param sample What [sample_images()] returned: these images are marked.
#' @param keywords What [cluster_keywords()] returned: the first of its terms stand beside each
#'   cluster.
#' @param points What [map_images()] returned: the page gets a map, to move about in and to tick
#'   images with a lasso.
#' @param n_typical Images shown for each cluster at first.
#' @param thumbnail Height of the images on the page, in pixels.
#' @inheritParams scan_images
#'
#' @returns The path of the page, invisibly. [utils::browseURL()] opens it.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' page <- image_gallery(demo_topics(), out = tempfile(), progress = FALSE)
#' if (interactive()) browseURL(page)
image_gallery <- function(clustering,
                          out,
                          sample = NULL,
                          keywords = NULL,
                          points = NULL,
                          n_typical = 12,
                          thumbnail = 160,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  if (!is.null(sample) && !is.data.frame(sample)) {
    check_class(sample, "imagestrata_sample", "sample", "sample_images")
  }
  page <- call_core(
    "image_gallery",
    send_clustering(clustering),
    check_path(out, "out"),
    sample = if (!is.null(sample)) encode_table(sample),
    keywords = if (!is.null(keywords)) encode_table(check_data_frame(keywords, "keywords")),
    points = if (!is.null(points)) encode_table(check_data_frame(points, "points")),
    n_typical = check_number(n_typical, "n_typical"),
    thumbnail = check_number(thumbnail, "thumbnail"),
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress)
  )
  cli::cli_inform(c("v" = "The gallery is ready: {.file {page}}"))
  invisible(page)
}
