#' Plot the images that a model gets wrong
#'
#' Draws the images that the model got wrong with the highest confidence: for each label a row of
#' false positives and a row of false negatives.
#'
#' @param model The result of [fine_tune()], or its folder.
#' @param out File in which the figure is also stored, in its original size: a name that ends in
#'   `.png`, `.pdf` or `.svg`. (`ggsave()` scales it to the size of its page.)
#' @param split The images to use: `"test"`, `"val"`, `"train"` or `"fold"`. By default `"test"`, or
#'   `"fold"`, the out-of-fold predictions, for a model with folds.
#' @param label The label whose mistakes are drawn. By default all labels.
#' @param n_images Number of images per row.
#' @inheritParams scan_images
#'
#' @returns A ggplot that holds the picture.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_mistakes(demo_model(), n_images = 5)
plot_mistakes <- function(model, out = NULL, split = NULL, label = NULL, n_images = 10, ...) {
  check_dots(...)
  sent <- send_model(model)
  if (inherits(model, "imagestrata_model")) {
    sent <- list(kind = "model", path = sent$path, predictions = encode_table(augment(model)))
  }
  draw_picture("plot_mistakes", check_arguments(
    model = sent, split = if (!is.null(split)) check_string(split, "split")
  ))
}
