#' From which probability on is an image labelled best?
#'
#' Looks for the threshold of each label at which the validation images are labelled best.
#'
#' @param model The result of [fine_tune()], or the folder it lies in; of a binary or multilabel
#'   task. With several classes an image gets the most probable one, without a threshold.
#' @param measure The measure that is maximized: `"f1"`, which looks at the label's positives;
#'   `"accuracy"`; or `"balanced_accuracy"`, the mean of the shares of positives and of negatives
#'   that are found.
#' @inheritParams scan_images
#'
#' @returns A tibble: `label`, `threshold` (half-way between two images' probabilities; of
#'   equally good ones that nearest to 0.5), `estimate` of the measure there, `at_half`, the
#'   measure at 0.5, and `n_positive` and `n_negative` validation images. With few of them,
#'   thresholds are little more than luck.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' calibrate_thresholds(demo_model())
calibrate_thresholds <- function(model, measure = "f1", ...) {
  check_dots(...)
  decode_table(call_verb("calibrate_thresholds"))
}
