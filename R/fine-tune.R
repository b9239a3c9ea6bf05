#' Train a network on the categories of your project
#'
#' @description Replaces the last layer of a pretrained network by one for your labels, and trains
#' all its weights on your images. A few hundred labelled images are enough. The result labels new
#' images ([predict_labels()]) and gives vectors for clustering that reflect your categories
#' (`embed_images(images, model = fit)`).
#'
#' @section Format of the labels: A data frame, or the path of a CSV file, with a row per labelled
#' image: a column `image_id` or `path` (as scanned, or relative to the folder, or any unique
#' ending), and
#'
#' - one column with 1, 0 or `NA` (unknown): a `"binary"` task;
#' - one column of classes: `"multiclass"`;
#' - several columns with 1, 0 or `NA`: `"multilabel"`.
#'
#' Labels of coders can be given as [read_labels()] or [consensus()] returned them, with a row per
#' image and `code`: one code whose `label` is 1 or 0 (`"binary"`), several such codes
#' (`"multilabel"`), or one code with classes (`"multiclass"`). Missing labels are left out, with a
#' warning. Codes on a scale are converted by [label_ratings()].
#'
#' A column `split` with `"train"`, `"val"` and `"test"` replaces the random split of the images.
#'
#' Without `labels`, the folders in `images` name the labels: `train/positive`, `val/negative` and
#' so on (*Images as Data*, section 7.4), or one folder per class.
#'
#' @section Use of the splits: The training images train the network. The validation images decide
#'   which epoch is kept, and the best thresholds. The test images are used once, at the end, so
#'   only the test scores are unbiased. Copies and near-copies always stay in the same split. With
#'   `folds`, all scores are those of out-of-fold predictions: of networks that have not seen the
#'   label.
#'
#' @param images Images, as in [embed_images()]. Images without a label are left out.
#' @param labels The labels, see below. By default (`NULL`) the names of the folders.
#' @param task `"binary"` (one label), `"multiclass"` (one of several classes) or `"multilabel"`
#'   (any of several labels). By default it follows from `labels`. The first two use a softmax, the
#'   third one sigmoid per label, with missing labels masked.
#' @param preset `"element"` trains as the code of *Images as Data* does: 80 percent of the images
#'   for training and 20 percent for validation, batch norm by batch, biases of 0, gradients of any
#'   length, 50 epochs, and the defaults of all other settings. Arguments that you give win over
#'   it. To use the network of the sources as well, give `encoder = "resnet18"`. Unlike that code,
#'   the preset keeps the best epoch, not the last.
#' @param encoder,weights,resize The network to start from, see [embed_images()]: the default or any
#'   classifier of torchvision. The paper and *Images as Data* use `"resnet18"`.
#' @param freeze The part of the network that is not trained: `"none"`; `"backbone"`, everything
#'   except the new layer, so that training takes seconds and `encoder` can be any encoder,
#'   including `"hog"`; or a number of blocks, counted from the first.
#' @param augmentation Random changes of the training images in each epoch: `"crop_flip"` (a random
#'   part of 8 to 100 percent of the area, mirrored or not), `"crop"`, `"flip"` or `"none"`.
#' @param rotation Training images are rotated by a random angle of up to this many degrees in
#'   either direction, before they are cropped. The corners become black.
#' @param batch_norm Means that the batch norm layers use: those of the pretrained network
#'   (`"fixed"`, the default) or those of each batch (`"batch"`, as in the code of the sources). The
#'   means of 4 images are mostly noise. With 12 labels, EfficientNet-Lite0 learned nothing in 10
#'   epochs with `"batch"`, and reached an F1 of .85 with `"fixed"`.
#' @param bias Initial biases of the new layer: `"shares"` (the default), such that it predicts the
#'   shares of the labels in the training images, or `"zero"`, as in the code of the sources.
#' @param dropout Share of the numbers of each vector that are set to 0 at random before the new
#'   layer, in training only.
#' @param optimizer `"sgd"`, stochastic gradient descent with `momentum`, or `"adam"` or `"adamw"`
#'   with the default settings of torch. Adam needs smaller learning rates, such as .0001.
#' @param learning_rate Size of each step. In Figures 7.4 and 7.5 of *Images as Data*, .001 is the
#'   best of .01, .001 and .0001; the paper uses .005.
#' @param momentum Momentum of `optimizer = "sgd"`. *Images as Data* tries .7 and .9.
#' @param batch_size Number of images per step. *Images as Data* tries 1 and 4.
#' @param epochs Number of passes over the training images.
#' @param step_size,gamma Every `step_size` epochs the learning rate is multiplied by `gamma`.
#' @param max_gradient_norm Largest norm of the gradients; longer ones are scaled down. `"auto"` is
#'   5, or that of the preset. `NULL` sets no limit, as in the sources; a few unusual batches can
#'   then ruin a network. With six classes, batches of 4 and a learning rate of .005, the accuracy
#'   of EfficientNet-Lite0 was .22 without a limit and .98 with it.
#' @param class_weights Give rare classes the same weight as common ones?
#' @param early_stopping Stop after this number of epochs without a lower validation loss. `NULL`:
#'   train all epochs.
#' @param split Shares of the training, validation and test images, by default
#'   `c(0.6, 0.2, 0.2)`; the last may be 0. The split is stratified by label.
#' @param folds Train this many networks, 2 to 20, each on all folds but one, so that every labelled
#'   image gets a prediction of a network that has not seen its label (cross-fitting). All labels
#'   are then used for training and for the test, but training takes as many times longer. `split`
#'   is then the shares of training and validation among the images outside a fold, by default
#'   `c(0.75, 0.25, 0)`, and the labels have no column `split`. Folds are stratified by label;
#'   copies and near-copies are in the same fold. Predictions that correct estimates for their own
#'   errors need this (Zrnic and Candes 2024).
#' @param precision,device See [embed_images()].
#' @param seed Seed for the split, the augmentation, the order of the images and the new layer.
#' @param out Folder for the model and for the state of training after each epoch: an interrupted
#'   call continues, a finished one is loaded. By default (`NULL`) the model is in the temporary
#'   folder of this R session and is deleted with it.
#' @param overwrite Replace another model in `out`?
#' @param engine A Dask cluster whose workers scan, decode and (for a frozen backbone) embed the
#'   images, as for [scan_images()]. This process does the training.
#' @inheritParams scan_images
#'
#' @returns A model, that of the epoch with the lowest validation loss. [tidy()][tidiers] returns
#'   the course of training, the scores with their 95% intervals, or the confusion matrix;
#'   [glance()][tidiers] a summary in one row; [augment()][tidiers] the decisions for every labelled
#'   image. [autoplot()][autoplot.imagestrata_model] and [plot_mistakes()] draw figures;
#'   [predict()][predict_labels] labels new images. All tables are in the object, which `saveRDS()`
#'   stores; the network's weights are in `out`. With `folds`, `tidy(fit, "folds")` has mean and
#'   range of the scores over the folds.
#' @family fine-tuning
#' @export
#' @examples
#' # What it returns:
#' fit <- demo_model()
#' fit
#' tidy(fit, "scores")
#' @examplesIf imagestrata_ready()
#' # How it was made:
#' fine_tune(
#'   imagestrata_example("images"), imagestrata_example("labels.csv"),
#'   encoder = "hog", freeze = "backbone", progress = FALSE
#' )
fine_tune <- function(images,
                      labels = NULL,
                      task = NULL,
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
                      folds = NULL,
                      precision = "auto",
                      device = "auto",
                      seed = 0,
                      out = NULL,
                      overwrite = FALSE,
                      progress = TRUE,
                      engine = NULL,
                      ...) {
  check_dots(...)
  keep <- if (is.null(out)) absolute_path(tempfile(kept_for_session))
  sent <- call_verb("fine_tune", keep = keep)
  new_model(sent, absolute_path(out) %||% keep)
}

check_split <- function(split, call = rlang::caller_env()) {
  if (!is.numeric(split) || length(split) != 3 || anyNA(split)) {
    abort_imagestrata(
      "{.arg split} must be the shares of training, validation and test, such as {.code c(0.6, 0.2,
       0.2)}, not {seen(split)}.",
      call = call
    )
  }
  as.list(as.double(split))
}
