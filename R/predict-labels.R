#' Label images with a fine-tuned network
#'
#' `predict(model, new_data)` does the same.
#'
#' @param images Images, as in [embed_images()]; or the result of `embed_images(images, model =
#'   model)`, which saves computation.
#' @param model The result of [fine_tune()], or its folder.
#' @param threshold Smallest probability at which an image gets a label: one number for all labels;
#'   a named number for each label; or `"calibrated"`, the thresholds of [calibrate_thresholds()].
#'   In a multiclass task an image gets the most probable class, whatever its probability.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image and label (per image in a binary task): `image_id`,
#'   `path`, `label`, `probability`, `decision` (`TRUE` or `FALSE`), `threshold` (missing in a
#'   multiclass task), `split`, `annotator` (`"model:fine-tuned"` and the encoder), and `reason`,
#'   why an image could not be read; probability and decision are then missing. `split` is
#'   `"train"`, `"val"` or `"test"` for images whose labels the model has seen in this way, and for
#'   their copies and near-copies (perceptual hashes within 4 of 64 bits); it is missing for all
#'   others. Only images of `"test"` and images that the model has never seen show how well it does.
#'   It is `"fold"` for labelled images of a model with `folds`, and for their copies: the
#'   prediction is then that of the network that has not seen the label.
#' @details With `folds`, an image without a label gets the mean probability of all networks. This
#'   is cross-fitting: each network, and thus their mean, then errs on new images as the networks
#'   err on the labels that they have not seen, so that estimates from the predictions can be
#'   corrected by these errors (Zrnic and Candes 2024, "Cross-prediction-powered inference", PNAS
#'   121). Each picture is decoded once for all networks.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' predict_labels(imagestrata_example("images"), demo_model(), progress = FALSE)
predict_labels <- function(images,
                           model,
                           threshold = 0.5,
                           device = "auto",
                           batch_size = NULL,
                           progress = TRUE,
                           engine = NULL,
                           ...) {
  decode_table(call_verb("predict_labels", threshold = check_threshold(threshold)))
}

#' @param object,new_data The result of [fine_tune()], and the images to label.
#' @param ... For `predict()`: other arguments of `predict_labels()`, by name. A misspelt argument
#'   is an error that names the one that is meant.
#' @rdname predict_labels
#' @export
predict.imagestrata_model <- function(object, new_data, ...) {
  predict_labels(new_data, object, ...)
}

# One number, one word, or a number for each name.
check_threshold <- function(threshold, call = rlang::caller_env()) {
  if (is.null(names(threshold))) {
    check <- if (is.character(threshold)) check_string else check_number
    return(check(threshold, "threshold", call = call))
  }
  if (!is.numeric(threshold) || anyNA(threshold) || anyDuplicated(names(threshold))) {
    abort_imagestrata(
      "{.arg threshold} must be one number per label, each named once, such as {.code c(crowd = 0.4,
       flag = 0.6)}.",
      call = call
    )
  }
  as.list(threshold)
}
