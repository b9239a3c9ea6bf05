# A sample of images: what sample_images() returns.

new_sample <- function(data, folder = NULL) {
  new_image_table(data, "imagestrata_sample", folder = folder)
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
