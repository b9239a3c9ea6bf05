#' Where does the network look?
#'
#' Draws what in a picture speaks for a label (Grad-CAM, Selvaraju et al. 2017): the last maps of
#' a convolutional network are weighted by how much each raises the label's output, summed, and
#' laid over the picture. Red speaks most for the label.
#'
#' @details
#' A heat map shows where the network finds what it uses, not why, and only roughly: most
#' networks have 7 by 7 fields to tell apart.
#'
#' @param images As in [embed_images()], a few dozen at most if people are to look at them; or
#'   rows of [predict_labels()] or of `augment(model)`, such as the mistakes.
#' @param model The result of [fine_tune()], or the folder it lies in; a fine-tuned
#'   convolutional network.
#' @param out Folder for the pictures, made if it is not there.
#' @param label The label to explain. By default (`NULL`), for each image, the likeliest label.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble: `image_id`, `path`, `label`, `probability`, `overlay`, the PNG file (the
#'   square that the network looks at, and beside it the same with the heat map), and `reason`,
#'   why an image could not be read.
#' @family fine-tuning
#' @export
#' @examples
#' \dontrun{
#' # It takes a network, whose weights are downloaded once, and minutes:
#' fit <- fine_tune("photos", "labels.csv", encoder = "resnet18", out = "model")
#' wrong <- dplyr::filter(augment(fit), split == "test", truth != decision)
#' explain_labels(wrong, fit, out = "heat-maps")
#' }
explain_labels <- function(images,
                           model,
                           out,
                           label = NULL,
                           device = "auto",
                           progress = TRUE,
                           ...) {
  check_dots(...)
  decode_table(call_verb("explain_labels"))
}
