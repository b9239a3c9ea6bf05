#' Draw training sets for networks from labels
#'
#' @description Draws, for each code, as many images of each answer as there are of the rarest one.
#' Near-copies count as one image, so that they are never in training and test at once. On request,
#' images of clusters without the label become negatives.
#'
#' @details If labels have a column `split`, only training images are balanced: validation and test
#' images stay as they are, because they show how well a network does on images like these.
#'
#' @param labels Labels, as in [fine_tune()]. Codes of all kinds that networks learn may be
#'   together.
#' @param clustering The result of [cluster_images()]. With it, the pictures are compared, and
#'   near-copies count as one image; without it, only rows of the same image do. It is needed for
#'   `negatives = "clusters"`.
#' @param balance Draw as many images of each answer as there are of the rarest one? (*Images as
#'   Data* trains on 100 images with a label and 100 without it.) `FALSE` keeps all labels.
#' @param negatives Images without a label of a binary code: `"labelled"` uses only those that
#'   people have labelled 0. `"clusters"` adds images that nobody has labelled, until there are as
#'   many negatives as positives: images of clusters in which people have labelled images, and none
#'   of them 1. Some of them may be positives after all, so they are marked in `source`, and they
#'   are for training only: if labels have no `split`, one is drawn as by [fine_tune()]. Images of
#'   the residual, and near-copies of labelled images, are not used.
#' @param seed Seed of the draws.
#' @inheritParams scan_images
#'
#' @returns A tibble of labels that [fine_tune()] and [tune_model()] take: `image_id` (or the column
#'   that identifies images in `labels`), `path` and `cluster` if there is a clustering, `code`,
#'   `label`, `kind`, `source` (`"label"`, or `"cluster"` for negatives that nobody has labelled),
#'   and any `split`. [tidy()][tidiers] has for each code and answer the numbers of images that are
#'   `labelled`, `drawn`, `assumed` (negatives of clusters) and `copies` (near-copies, left out).
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' labels <- data.frame(
#'   image_id = as.character(1:10), code = "protest", label = rep(1:0, c(3, 7))
#' )
#' sample_training(labels)
sample_training <- function(labels,
                            clustering = NULL,
                            balance = TRUE,
                            negatives = "labelled",
                            seed = 0,
                            progress = TRUE,
                            ...) {
  made <- call_verb("sample_training", labels = send_labels(labels, "labels"))
  new_object(
    decode_table(made[["labels"]]), "imagestrata_training",
    tables = list(counts = decode_table(made[["counts"]]))
  )
}

#' @export
tbl_sum.imagestrata_training <- function(x, ...) {
  counts <- tidy(x)
  assumed <- sum(counts$assumed)
  c(
    "Training sets" = counted(paste(counts$code, counts$label, sep = " = "), counts$drawn),
    if (assumed > 0) {
      c("Negatives that nobody has labelled" = count_of(assumed, "image"))
    }
  )
}
