#' What does the model get wrong?
#'
#' Draws the images of which the model was surest, and wrong: for each label a row of false
#' positives (it is said to have the label and has not) and one of false negatives.
#'
#' @param model The result of [fine_tune()], or the folder it lies in.
#' @param out Where to store the figure, too, in its own size: a name ending in `.png`, `.pdf` or
#'   `.svg`. (`ggsave()` scales it to the size of its page.)
#' @param split Of which images: `"test"`, `"val"` or `"train"`.
#' @param label Mistakes about this label only.
#' @param n_images Images per row.
#' @inheritParams scan_images
#'
#' @returns A ggplot that holds the picture.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' plot_mistakes(demo_model(), n_images = 5)
plot_mistakes <- function(model, out = NULL, split = "test", label = NULL, n_images = 10, ...) {
  check_dots(...)
  sent <- send_model(model)
  if (inherits(model, "imagestrata_model")) {
    sent <- list(kind = "model", path = sent$path, predictions = encode_table(augment(model)))
  }
  draw_picture("plot_mistakes", check_arguments(model = sent, split = check_string(split, "split")))
}
