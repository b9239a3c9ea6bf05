#' Draw a stratified sample of images from the clusters
#'
#' Draws a simple random sample of images within every cluster, and computes weights that represent
#' the corpus. The default sample sizes are those of the published design: five images from clusters
#' of seven or more, all but one from clusters of two to six. The published design also leaves out
#' images that belong to no cluster: use `residual = "drop"` for that.
#'
#' @param clustering A clustering, from [cluster_images()], or a data frame with the columns
#'   `image_id`, `path` and `cluster` (-1 for the residual).
#' @param n_per_cluster Number of images per cluster. A cluster of N images gives `n_per_cluster` or
#'   N - 1 images, whichever is smaller. By default 5.
#' @param budget Total number of images, instead of `n_per_cluster`.
#' @param allocation Allocation of a budget to the clusters: `"equal"` (the default),
#'   `"proportional"` to their size, or proportional to the square root of their size, `"sqrt"`.
#' @param residual `"together"`: the images that belong to no cluster form a stratum of their own.
#'   `"drop"`, the published design: they are left out, and the weights represent clustered images
#'   only.
#' @param singles Include clusters of one image?
#' @param shares Name of the column with the number of shares of each image.
#' @param seed Seed of the random numbers. Each stratum has its own random stream, so the sample of
#'   a cluster does not depend on other clusters.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per sampled image: `image_id`, `path`, `cluster`; the size of the
#'   stratum `N_h` and of its sample `n_h`; `inclusion_probability` = n_h / N_h; and three weights:
#'   `weight_corpus` gives every image of the corpus equal weight, `weight_cluster` every cluster,
#'   `weight_share` every share of an image.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' sample_images(demo_topics(), n_per_cluster = 3)
#' sample_images(demo_topics(), budget = 40, allocation = "proportional")
sample_images <- function(clustering,
                          n_per_cluster = NULL,
                          budget = NULL,
                          allocation = NULL,
                          residual = "together",
                          singles = FALSE,
                          shares = "n_copies",
                          seed = 0,
                          out = NULL,
                          overwrite = FALSE,
                          ...) {
  check_dots(...)
  if (!is.data.frame(clustering)) {
    check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  }
  sent <- list(kind = "table", table = encode_table(clustering))
  table <- call_verb("sample_images", clustering = sent)
  new_sample(decode_table(table), absolute_path(out))
}

new_sample <- function(data, folder = NULL) {
  new_object(data, "imagestrata_sample", folder = folder)
}

#' @export
tbl_sum.imagestrata_sample <- function(x, ...) {
  c(
    "A sample" = paste0(
      count_of(nrow(x), "image"), " from ",
      count_of(length(unique(x$cluster)), "stratum", "strata"), ", representing ",
      count_of(round(sum(x$weight_corpus)), "image")
    ),
    "Run folder" = attr(x, "folder")
  )
}

#' @export
summary.imagestrata_sample <- function(object, ...) {
  strata <- dplyr::distinct(plain_tibble(object), .data$cluster, .data$N_h, .data$n_h)
  taken <- range(object$inclusion_probability)
  new_summary(
    title = paste0("A sample: ", tbl_sum(object)[["A sample"]]),
    lines = sprintf("Inclusion probabilities are between %.3f and %.3f.", taken[1], taken[2]),
    tables = list("Strata (cluster -1 is the residual)" = strata)
  )
}
