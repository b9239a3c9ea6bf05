#' A row of typical images for each cluster
#'
#' Draws the montage in the plot pane (the paper's Figure 8).
#'
#' @param clustering What [cluster_images()] returned.
#' @param path Where to store the figure, too: a name ending in `.png`, `.pdf` or `.svg`.
#' @param n_clusters How many clusters, the largest first.
#' @param n_images Images per cluster, the most typical first.
#' @param clusters Numbers of the clusters to show, in this order, in place of the largest;
#'   -1 is the residual.
#' @param keywords What [cluster_keywords()] returned: the first terms of each cluster stand
#'   under its size, in place of its share.
#'
#' @returns `clustering`, invisibly, so that it can be piped on.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_montage(demo_topics(), n_clusters = 5, n_images = 6)
plot_montage <- function(clustering,
                         path = NULL,
                         n_clusters = 20,
                         n_images = 10,
                         clusters = NULL,
                         keywords = NULL) {
  check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  path <- check_path(path, "path", null = TRUE)
  sent <- send_clustering(clustering)
  call <- rlang::current_env()
  draw_picture(path, function(path) {
    call_core(
      "plot_montage",
      sent,
      path,
      n_clusters = check_number(n_clusters, "n_clusters"),
      n_images = check_number(n_images, "n_images"),
      clusters = check_clusters(clusters, "clusters"),
      keywords = if (!is.null(keywords)) encode_table(check_data_frame(keywords, "keywords")),
      call = call
    )
  })
  invisible(clustering)
}

# What Python draws, stored where asked and shown on R's device.
draw_picture <- function(path, draw) {
  if (!is.null(path)) {
    draw(path)
  }
  picture <- tempfile(fileext = ".png")
  on.exit(unlink(picture))
  draw(picture)
  grid::grid.newpage()
  grid::grid.raster(png::readPNG(picture))
}
