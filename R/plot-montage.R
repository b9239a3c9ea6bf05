#' Plot a row of images for each cluster
#'
#' Draws the paper's Figure 8 as a ggplot.
#'
#' @section Sizes:
#' A figure that fills two columns of a journal ([figure_size()]) needs about 7 / (`n_images` + 1)
#' inches of height for each cluster, one that fills one column half of it. Images are stored such
#' that they are sharp (300 dots per inch) at two columns, if their files are large enough.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out File in which Python's twin of the figure is also stored, in its original size: a name
#'   that ends in `.png`, `.pdf` or `.svg`. (`ggsave()` stores the ggplot, in the size you want.)
#' @param n_clusters Number of clusters, the largest first, if `clusters` does not name them. If
#'   [group_clusters()] grouped them, they are in the order of their themes, with a heading above
#'   the first of each.
#' @param n_images Number of images per cluster.
#' @param clusters Numbers of the clusters to show, in this order, in place of the largest;
#'   -1 is the residual.
#' @param keywords The result of [cluster_keywords()]: the first terms of each cluster replace its
#'   share below its size.
#' @param order,seed Which images of each cluster, as in [find_images()]. (The paper's Figure 8
#'   shows random ones, which give a fair impression of how coherent a cluster is.)
#' @param labels Texts for clusters by their numbers, as `c("5" = "protesters")`, or a table with
#'   the columns `cluster` and `cluster_name`. By default the names that [edit_clusters()] gave.
#'   Beside names, clusters without one are called "Cluster 7".
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()` and `labs()`. The names of clusters
#'   are labels of the y axis. `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_montage(demo_topics(), n_clusters = 5, n_images = 6)
plot_montage <- function(clustering,
                         out = NULL,
                         n_clusters = 20,
                         n_images = 10,
                         clusters = NULL,
                         keywords = NULL,
                         order = "typical",
                         seed = 0,
                         labels = NULL,
                         ...) {
  check_dots(...)
  given <- if (!missing(n_clusters)) n_clusters
  check_unused(is.null(clusters), "clusters = NULL", n_clusters = given)
  arguments <- check_arguments(labels = send_cluster_labels(labels, clustering))
  sent <- ask_for_pictures("plot_montage", "rows_of_montage", arguments, n_images)
  draw_rows(sent, "cluster")
}

# ---- Pictures from Python ---------------------------------------------------------------------

# What a figure consists of, with a square `picture` for each of its images. `out` also stores
# Python's figure.
ask_for_pictures <- function(verb, helper, arguments, n_images, call = rlang::caller_env()) {
  if (!is.null(arguments$out)) call_core(verb, !!!arguments, call = call)
  arguments$out <- NULL
  file <- tempfile(fileext = ".png")
  on.exit(unlink(file))
  side <- picture_side(n_images)
  sent <- call_core(helper, !!!arguments, file = file, side = side, call = call)
  tables <- intersect(c("rows", "images", "lines"), names(sent))
  sent[tables] <- lapply(sent[tables], decode_table)
  sent$images$picture <- if (file.exists(file)) split_pictures(png::readPNG(file, TRUE)) else list()
  sent
}

# Pixels of a picture that has 300 dots per inch where the figure is seven inches wide.
picture_side <- function(n_images) {
  n_images <- if (is_count(n_images)) n_images[1] else 10
  as.double(min(480, max(160, ceiling(300 * 7 / (n_images + 1)))))
}

# Squares below each other; the pixels of a native raster are in the order of its rows.
split_pictures <- function(pixels) {
  side <- ncol(pixels)
  all <- as.integer(pixels)
  lapply(seq_len(nrow(pixels) / side), \(i) {
    structure(
      all[(i - 1) * side^2 + seq_len(side^2)],
      dim = c(side, side), class = "nativeRaster", channels = attr(pixels, "channels")
    )
  })
}

# ---- Pictures in a plot -----------------------------------------------------------------------

# Square pictures; `side` is their side in units of the axes.
GeomPictures <- ggplot2::ggproto( # nolint: object_name_linter.
  "GeomPictures", ggplot2::Geom,
  required_aes = c("x", "y", "picture"),
  extra_params = c("na.rm", "side"),
  setup_data = function(data, params) {
    half <- params$side / 2
    data$xmin <- data$x - half
    data$xmax <- data$x + half
    data$ymin <- data$y - half
    data$ymax <- data$y + half
    data
  },
  draw_panel = function(data, panel_params, coord) draw_pictures(data, panel_params, coord)
)

geom_pictures <- function(data, side = 0.94) {
  ggplot2::layer(
    geom = GeomPictures, stat = "identity", position = "identity", data = data,
    mapping = ggplot2::aes(.data$x, .data$y, picture = .data$picture),
    params = list(side = side), inherit.aes = FALSE, show.legend = FALSE
  )
}

draw_pictures <- function(data, panel_params, coord) {
  at <- coord$transform(data, panel_params)
  grobs <- lapply(seq_len(nrow(at)), \(i) {
    grid::rasterGrob(
      at$picture[[i]], x = at$xmin[i], y = at$ymin[i], width = at$xmax[i] - at$xmin[i],
      height = at$ymax[i] - at$ymin[i], just = c(0, 0)
    )
  })
  grid::gTree(children = do.call(grid::gList, grobs))
}

# Rows of pictures from top to bottom, with a name and a few words on the y axis. A heading takes
# half a row.
draw_rows <- function(sent, unit) {
  rows <- sent$rows
  heading <- !is.na(rows$heading)
  rows$y <- -(seq_len(nrow(rows)) + 0.5 * cumsum(heading))
  images <- sent$images
  images$x <- images$column
  images$y <- rows$y[images$row]
  ends <- range(rows$y) + c(-0.5, if (heading[1]) 1 else 0.5)
  ggplot2::ggplot(images, ggplot2::aes(.data$x, .data$y)) +
    geom_pictures(images) +
    (if (any(heading)) {
      ggplot2::geom_text(
        ggplot2::aes(x = 0.53, y = .data$y + 0.53, label = .data$heading),
        data = rows[heading, ], hjust = 0, vjust = 0, size = 2.5, fontface = "bold"
      )
    }) +
    ggplot2::scale_x_continuous(
      breaks = NULL, limits = c(0.5, sent$n_images + 0.5), expand = c(0, 0)
    ) +
    ggplot2::scale_y_continuous(
      breaks = rows$y, labels = name_rows(rows), limits = ends, expand = c(0, 0)
    ) +
    ggplot2::coord_equal(clip = "off") +
    ggplot2::labs(
      x = NULL, y = NULL, caption = paste(strwrap(sent$note, caption_width), collapse = "\n"),
      alt = alt_text(
        paste(
          "Rows of images, up to", sent$n_images, "for each", unit, "of",
          list_of(unique(paste0(rows$label, " (", gsub("\n", ", ", rows$about), ")")))
        ),
        if (any(heading)) paste("Themes:", list_of(rows$heading[heading]))
      )
    ) +
    theme_pictures()
}

# A name in up to two lines, with what is known about it in up to two.
name_rows <- function(rows) {
  names <- wrap_titles(rows$label, 18, 36)
  long <- grepl("\n", names)
  paste0(names, "\n", ifelse(long, gsub("\n", ", ", rows$about), rows$about))
}

theme_pictures <- function() {
  theme_strata() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(),
      axis.text.y = ggplot2::element_text(
        size = ggplot2::rel(0.75), hjust = 0, lineheight = 0.9, colour = colours[["ink"]]
      )
    )
}
