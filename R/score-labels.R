#' Agreement of a clustering with known classes
#'
#' @param clusters Cluster of each image; -1 is the residual, whose images count as apart
#'   from each other and from everything else.
#' @param labels True class of each image, in the same order.
#' @inheritParams scan_images
#'
#' @returns A tibble with the columns `measure` and `estimate`: precision, recall, `f1` and
#'   `mean_pr` over all pairs of images; the B-cubed measures, which give every image the same
#'   weight; adjusted Rand index and adjusted mutual information; the share of the residual.
#'   Precision is `NA` where no two images share a cluster, recall where none share a class.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' score_labels(c(1, 1, 2, 2), c("cat", "cat", "dog", "cat"))
score_labels <- function(clusters, labels, ...) {
  check_dots(...)
  if (is.data.frame(clusters) || is.data.frame(labels)) {
    abort_imagestrata(
      "{.arg clusters} and {.arg labels} must be two columns, not a data frame.",
      hint = "Of a clustering that is {.code topics$cluster}."
    )
  }
  if (length(clusters) != length(labels)) {
    abort_imagestrata(
      "{.arg clusters} and {.arg labels} must have the same length, not {length(clusters)} and
       {length(labels)}."
    )
  }
  column <- \(x) list(kind = "labels", table = encode_table(tibble::tibble(x)))
  decode_table(call_core("score_labels", column(clusters), column(labels)))
}
