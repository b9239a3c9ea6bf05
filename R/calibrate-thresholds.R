#' Find the best threshold of each label
#'
#' Finds, for each label, the probability threshold that maximizes a measure on the validation
#' images or, for a model with folds, on all labelled images by their out-of-fold predictions.
#'
#' @param model The result of [fine_tune()], or its folder, for a binary or multilabel task. A
#'   multiclass task has no threshold: an image gets the most probable class.
#' @param measure The measure that is maximized: `"f1"`, for the positives of the label;
#'   `"accuracy"`; or `"balanced_accuracy"`, the mean of sensitivity and specificity.
#' @inheritParams scan_images
#'
#' @returns A tibble: `label`, `threshold` (half-way between the probabilities of two images; the
#'   one nearest to 0.5 if several are equally good), `estimate`, the measure at that threshold,
#'   `at_half`, the measure at 0.5, and the numbers of validation images `n_positive` and
#'   `n_negative`. With few validation images, thresholds vary a lot by chance.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' calibrate_thresholds(demo_model())
calibrate_thresholds <- function(model, measure = "f1", ...) {
  decode_table(call_verb("calibrate_thresholds"))
}
