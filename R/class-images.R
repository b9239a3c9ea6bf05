# The images table: what scan_images() returns.

new_images <- function(data, folder = NULL) {
  new_image_table(data, "imagestrata_images", folder = folder)
}

#' @export
tbl_sum.imagestrata_images <- function(x, ...) {
  n <- glance(x)
  c(
    "Scanned" = paste0(
      count_of(n$n_files, "file"), ", ",
      count_of(n$n_images, "distinct image"), ", ",
      n$n_duplicates, " duplicate, ", n$n_rejected, " rejected"
    ),
    "Run folder" = attr(x, "folder")
  )
}

#' What a scan, embeddings or a clustering say, as tables
#'
#' `glance()` gives one line, `tidy()` the parts, `augment()` the images.
#'
#' @param x What [scan_images()], [embed_images()] or [cluster_images()] returned; or a result
#'   of several tables, as of [tune_clusters()], [cluster_stability()], [read_matching()] or
#'   [read_intruders()].
#' @param table For a clustering: `"clusters"`, one row per cluster, or `"trace"`, one row
#'   per iteration. For a result of several tables the name of one, see there; by default the
#'   first.
#' @param data A data frame with a column `image_id`, `path` or `file`, to which the columns of the
#'   clustering are joined; by default the images as they are. Names are matched as ids, then as
#'   paths, then as the end of exactly one path. What [scan_images()] returned gives a cluster to
#'   every file: a copy has that of the image that is kept instead. A warning says which rows are
#'   about other images. Columns of yours that are called like one of the clustering's get
#'   `_given` behind their names, with a warning.
#' @param ... Not used.
#'
#' @returns A tibble:
#'
#' - `glance()` of a clustering: `n_images`, `n_clusters`, `n_residual`, `n_iterations`,
#'   `mean_silhouette`, `method`, `encoder`, `seed`.
#' - `tidy()` of a clustering: `cluster`, `size`, `share`, `silhouette`, `iteration`; or the
#'   trace with `iteration`, `n_remaining`, `k`, `n_cohesive`, `mean_size`, `seconds`.
#' - `augment()` of a clustering: `image_id`, `path`, `file`, `cluster` (1 is the largest, -1 the
#'   residual), `iteration`, `silhouette`, `distance`, `n_copies`, and columns of your own.
#' - `glance()` of a scan: `n_files`, `n_images`, `n_duplicates`, `n_rejected`.
#' - `tidy()` of a scan: how many files have which `status` and `reason`.
#' - `glance()` of embeddings: `n_images`, `width`, `encoder`, `n_failures`.
#' - `tidy()` of embeddings: `image_id`, `path`, `reason` of the images that failed.
#'
#' @examples
#' topics <- demo_topics()
#' glance(topics)
#' tidy(topics)
#' tidy(topics, "trace")
#' augment(topics)
#' @name tidiers
NULL

#' @rdname tidiers
#' @export
glance.imagestrata_images <- function(x, ...) {
  tibble::tibble(
    n_files = nrow(x),
    n_images = sum(x$status == "ok"),
    n_duplicates = sum(x$status == "duplicate"),
    n_rejected = sum(x$status == "rejected")
  )
}

#' @rdname tidiers
#' @export
tidy.imagestrata_images <- function(x, ...) {
  dplyr::count(plain_tibble(x), .data$status, .data$reason, sort = TRUE)
}

#' @export
summary.imagestrata_images <- function(object, ...) {
  new_summary(
    title = tbl_sum(object)[["Scanned"]],
    tables = list(
      "Why files are not used" = dplyr::filter(tidy(object), .data$status != "ok"),
      "Formats" = dplyr::count(plain_tibble(object), .data$format, sort = TRUE)
    )
  )
}
