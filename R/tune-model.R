#' Compare settings of fine-tuning
#'
#' Fine-tunes a model with every combination of settings, and compares the models on the validation
#' images.
#'
#' @details No model of the grid is evaluated on the test images. For the test scores of the chosen
#' model, call [fine_tune()] once with its settings. The best of many models on few validation
#' images is partly best by chance: its test scores will be lower.
#'
#' @param out Folder of all models. An interrupted call continues, and a larger grid trains only the
#'   new models.
#' @param grid A named list of values to try, by the name of an argument of [fine_tune()], such as
#'   `list(learning_rate = c(0.001, 0.005), freeze = list("backbone", 2))`. By default the grid of
#'   *Images as Data*: learning rates .0005, .001 and .005, momentum .7 and .9, batches of 1 and 4
#'   images.
#' @param separate Train a classifier of its own for each label or code, with all settings of the
#'   grid for each, and compare the best of each (Table 7.2 of *Images as Data*)? Codes of all kinds
#'   that networks learn may then be in one table of labels; a code with classes has one classifier.
#' @param seed Seed: all models of the grid share the split that it draws.
#' @param overwrite Train all models again?
#' @inheritParams fine_tune
#'
#' @returns A tibble in the layout of Table 7.2 of *Images as Data*, the best model first:
#'   `classifier` (the labels), `accuracy`, `f1`, `precision` and `recall` on the validation images
#'   at the best epoch; the settings that vary; `loss` (by which models are ranked), `best_epoch`,
#'   and the `folder` of each model, for [read_model()]. With `separate = TRUE`, one row per
#'   classifier, the best one, in the order of the labels; `tidy(x, "points")` then has all settings
#'   of all classifiers.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' tune_model(
#'   imagestrata_example("images"), imagestrata_example("labels.csv"),
#'   out = tempfile(), grid = list(learning_rate = c(0.0001, 0.001)),
#'   encoder = "hog", freeze = "backbone", epochs = 10, progress = FALSE
#' )
tune_model <- function(images,
                       labels = NULL,
                       task = NULL,
                       out,
                       grid = NULL,
                       separate = FALSE,
                       preset = NULL,
                       encoder = "efficientnet_lite0",
                       weights = NULL,
                       resize = "rescale_crop",
                       freeze = "none",
                       augmentation = "crop_flip",
                       rotation = 0,
                       batch_norm = NULL,
                       bias = NULL,
                       dropout = 0,
                       optimizer = "sgd",
                       learning_rate = 0.001,
                       momentum = 0.9,
                       batch_size = 4,
                       epochs = 50,
                       step_size = 7,
                       gamma = 0.1,
                       max_gradient_norm = "auto",
                       class_weights = FALSE,
                       early_stopping = NULL,
                       split = NULL,
                       precision = "auto",
                       device = "auto",
                       seed = 0,
                       overwrite = FALSE,
                       progress = TRUE,
                       engine = NULL,
                       ...) {
  made <- call_verb("tune_model", grid = check_model_grid(grid))
  if (is.null(made[["points"]])) decode_table(made) else new_classifiers(made)
}

# The best settings of each classifier, with all settings.
new_classifiers <- function(sent) {
  new_object(
    decode_table(sent[["best"]]), "imagestrata_classifiers",
    tables = list(points = decode_table(sent[["points"]]))
  )
}

#' @export
tbl_sum.imagestrata_classifiers <- function(x, ...) {
  points <- tidy(x, "points")
  tried <- max(table(points$classifier))
  c(
    "Classifiers" = paste0(
      count_of(length(unique(points$classifier)), "label"), ", each with the best of ",
      count_of(tried, "setting")
    ),
    "Measured on" = "validation images at the best epoch, so partly best by chance"
  )
}

# A list of lists, because a vector of length one would reach Python as a scalar.
check_model_grid <- function(grid, call = rlang::caller_env()) {
  if (is.null(grid)) {
    return(NULL)
  }
  if (!is.list(grid) || is.data.frame(grid) || !rlang::is_named(grid)) {
    abort_imagestrata(
      "{.arg grid} must be a named list of values to try, not {seen(grid)}.",
      hint = "For example {.code list(learning_rate = c(0.001, 0.005))}.",
      call = call
    )
  }
  lapply(grid, \(values) unname(lapply(as.list(values), as_whole)))
}
