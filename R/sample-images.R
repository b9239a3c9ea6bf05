#' Draw images from every cluster, with the weights that lead back to the corpus
#'
#' Within every cluster a simple random sample is drawn. By default it has the sizes of the
#' published design: five images from clusters of seven or more, all but one from clusters of two
#' to six. `residual = "drop"` is that design: images that belong to no cluster are left out.
#'
#' @param clustering A clustering, from [cluster_images()], or a data frame with the columns
#'   `image_id`, `path` and `cluster` (-1 for the residual).
#' @param n_per_cluster Images drawn from a cluster of N images: the smaller of
#'   `n_per_cluster` and N - 1. By default 5.
#' @param budget Number of images in all, in place of `n_per_cluster`.
#' @param allocation How a budget is shared: `"equal"` (the default), `"proportional"` to the size
#'   of the clusters, or to its square root, `"sqrt"`.
#' @param residual `"together"`: the images that belong to no cluster form a stratum of their own.
#'   `"drop"`, the published design: they are left out, and the weights stand for clustered images
#'   only.
#' @param singles Are clusters of one image sampled?
#' @param shares The column that says how often an image was shared.
#' @param seed A seed. Each stratum has its own random stream, so a cluster's sample does
#'   not depend on the other clusters.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per sampled image: `image_id`, `path`, `cluster`; the size
#'   of the stratum `N_h` and of its sample `n_h`; `inclusion_probability` = n_h / N_h;
#'   `weight_corpus` (every image of the corpus counts the same), `weight_cluster` (every
#'   cluster counts the same), `weight_share` (every share of an image counts the same).
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
  out <- check_path(out, "out", null = TRUE)
  table <- call_verb(
    "sample_images",
    clustering = list(kind = "table", table = encode_table(clustering))
  )
  new_sample(decode_table(table), out)
}

new_sample <- function(data, folder = NULL) {
  new_object(data, "imagestrata_sample", folder = folder)
}

#' @export
tbl_sum.imagestrata_sample <- function(x, ...) {
  c(
    "A sample" = paste0(
      count_of(nrow(x), "image"), " from ",
      paste(length(unique(x$cluster)), if (length(unique(x$cluster)) == 1) "stratum" else "strata"),
      ", standing for ", count_of(round(sum(x$weight_corpus)), "image")
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
    lines = sprintf("Inclusion probabilities lie between %.3f and %.3f.", taken[1], taken[2]),
    tables = list("Strata (cluster -1 is the residual)" = strata)
  )
}
