#' Label images with a network that has learnt your categories
#'
#' `predict(model, new_data)` is the same with the model first.
#'
#' @param images As in [embed_images()]; or what `embed_images(images, model = model)` returned,
#'   so that nothing is computed twice.
#' @param model The result of [fine_tune()], or the folder it lies in.
#' @param threshold The probability from which on an image gets a label: one number for all
#'   labels; one for each label, by name; or `"calibrated"`, those of [calibrate_thresholds()].
#'   Of several classes an image gets the likeliest, whatever its probability.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image and label (of a binary task, per image): `image_id`,
#'   `path`, `label`, `probability`, `decision` (`TRUE` or `FALSE`), `threshold` (missing for
#'   classes), and `reason`, why an image could not be read; then probability and decision are
#'   missing.
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
  check_dots(...)
  decode_table(call_verb("predict_labels", threshold = check_threshold(threshold)))
}

#' @param object,new_data The result of [fine_tune()], and the images to be labelled.
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
      "{.arg threshold} must hold one number per label, each named once, such as
       {.code c(crowd = 0.4, flag = 0.6)}.",
      call = call
    )
  }
  as.list(threshold)
}
