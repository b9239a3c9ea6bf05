#' Show the parts of an image that speak for a label
#'
#' Draws a heat map over each image (Grad-CAM, Selvaraju et al. 2017). The last feature maps of a
#' convolutional network are weighted by their effect on the output of the label, and summed. Red
#' areas support the label most.
#'
#' @details A heat map shows which areas the network uses, not why it uses them. It is coarse: in
#' most networks the maps have 7 by 7 fields. A model with folds shows the network that has not seen
#' the label of an image (or of a copy of it), and for other images the mean of the maps of all
#' networks.
#'
#' @param images Images, as in [embed_images()]; or rows of the result of [predict_labels()] or of
#'   `augment(model)`, such as the mistakes.
#' @param model The result of [fine_tune()], or its folder: a fine-tuned convolutional network.
#' @param out Folder for the pictures; it is made if it does not exist.
#' @param label The label to explain. By default (`NULL`) the most probable label of each image.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble: `image_id`, `path`, `label`, `probability`, `overlay`, the PNG file (the
#'   square that the network sees, and beside it the same square with the heat map), and `reason`,
#'   why an image could not be read.
#' @family fine-tuning
#' @export
#' @examples
#' \dontrun{
#' # Training takes minutes:
#' fit <- fine_tune("photos", "labels.csv", out = "model")
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
  decode_table(call_verb("explain_labels"))
}
