#' Plot the images that a model gets wrong
#'
#' Draws the images that the model got wrong with the highest confidence: for each label a row of
#' false positives and a row of false negatives.
#'
#' @param model The result of [fine_tune()], or its folder.
#' @param out File in which Python's twin of the figure is also stored, in its original size: a name
#'   that ends in `.png`, `.pdf` or `.svg`. (`ggsave()` stores the ggplot, in the size you want.)
#' @param split The images to use: `"test"`, `"val"`, `"train"` or `"fold"`. By default `"test"`, or
#'   `"fold"`, the out-of-fold predictions, for a model with folds. A model without test images
#'   shows `"val"`.
#' @param label The label whose mistakes are drawn. By default all labels.
#' @param n_images Number of images per row.
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()` and `labs()`. The names of rows are
#'   labels of the y axis. `ggplot2::get_alt_text()` describes it in words.
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
  arguments <- check_arguments(
    model = sent, split = if (!is.null(split)) check_string(split, "split")
  )
  draw_rows(ask_for_pictures("plot_mistakes", "rows_of_mistakes", arguments, n_images), "mistake")
}
