#' Teach a network the categories of your project
#'
#' @description
#' The last layer of a network that has seen many photographs is replaced by one for your
#' labels, and all its weights go on learning from your images. Made for few labels: some
#' hundred images. The result labels new images ([predict_labels()]) and makes better vectors
#' to cluster (`embed_images(images, model = fit)`).
#'
#' @section How labels may look:
#' A data frame, or the path of a CSV file, with a row per labelled image: a column `image_id`
#' or `path` (as scanned, or relative to the folder, or any unique ending), and
#'
#' - one column with 1, 0 or `NA` (nobody said): a `"binary"` task;
#' - one column of classes: `"multiclass"`;
#' - several columns with 1, 0 or `NA`: `"multilabel"`.
#'
#' A column `split` with `"train"`, `"val"` and `"test"` replaces the random split.
#'
#' Without `labels`, the folders in `images` say them: `train/positive`, `val/negative` and so
#' on (*Images as Data*, section 7.4), or one folder per class.
#'
#' @section Which split is for what:
#' The training images teach; the validation images say which epoch is kept, and where
#' thresholds are best; the test images are looked at once, at the end. Therefore only the
#' test's figures are unbiased. Copies and near-copies are never torn apart.
#'
#' @param images As in [embed_images()]. Images without a label are left out.
#' @param labels The labels, see below; `NULL`: as the folders say.
#' @param task `"binary"` (one label), `"multiclass"` (one of several classes) or
#'   `"multilabel"` (any of several labels). By default what `labels` look like. The first two
#'   use a softmax, the third one sigmoid per label, where missing labels are masked.
#' @param encoder,weights,resize The network to start from, see [embed_images()]; any
#'   classifier of torchvision. The paper and the Element took ResNet-18.
#' @param freeze The part of the network that keeps its weights: `"none"`; `"backbone"`, all but the
#'   new layer, so that training takes seconds and `encoder` may be any, `"hog"` too; or a number,
#'   the first so many blocks of the network.
#' @param augmentation How training pictures vary from epoch to epoch: `"crop_flip"` (a random
#'   part of 8 to 100 percent of the area, mirrored or not), `"crop"`, `"flip"` or `"none"`.
#' @param batch_norm Whether layers of batch norm use the means that the network came with
#'   (`"fixed"`) or those of each batch (`"batch"`, as the sources' code does). Those of 4
#'   images are mostly noise.
#' @param learning_rate How far each step goes. .001 was best of .01, .001 and .0001 in the
#'   Element's Figures 7.4 and 7.5; the paper took .005.
#' @param momentum Of stochastic gradient descent. The Element tries .7 and .9.
#' @param batch_size Images per step. The Element tries 1 and 4.
#' @param epochs How often all training images are seen.
#' @param step_size,gamma Every `step_size` epochs the learning rate is multiplied by `gamma`.
#' @param max_gradient_norm Longer gradients are shortened to this; `NULL`: never, as in the
#'   sources, where one odd batch of 4 images can undo what a network knows.
#' @param class_weights Let rare classes count as much as common ones?
#' @param early_stopping Stop when the validation loss has not fallen for so many epochs; `NULL`:
#'   never.
#' @param split Shares of training, validation and test, which may be 0. Stratified by label.
#' @param precision,device See [embed_images()].
#' @param seed Drives split, augmentation, order and the new layer.
#' @param out Folder in which the model is kept, with the state of training after each epoch: a
#'   call that was interrupted goes on, a finished one is loaded. By default (`NULL`) the model
#'   lies in the temporary folder of this R session, and goes with it.
#' @param overwrite Replace another model in `out`.
#' @param engine A Dask cluster whose workers scan, decode and (for a frozen backbone) embed the
#'   images, as for [scan_images()]. Training itself is done here.
#' @inheritParams scan_images
#'
#' @returns A model, that of the epoch with the lowest validation loss. [tidy()][tidiers]
#'   gives the course of training, the scores with their 95% intervals, or the confusion
#'   matrix; [glance()][tidiers] one line; [augment()][tidiers] what it says of
#'   every labelled image; [autoplot()][autoplot.imagestrata_model] and [plot_mistakes()]
#'   pictures; [predict()][predict_labels] labels new images. All tables are in the object,
#'   which `saveRDS()` keeps; the network's weights are in `out`.
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
                      encoder = "resnet18",
                      weights = NULL,
                      resize = "rescale_crop",
                      freeze = "none",
                      augmentation = "crop_flip",
                      batch_norm = "fixed",
                      learning_rate = 0.001,
                      momentum = 0.9,
                      batch_size = 4,
                      epochs = 50,
                      step_size = 7,
                      gamma = 0.1,
                      max_gradient_norm = 5,
                      class_weights = FALSE,
                      early_stopping = NULL,
                      split = c(0.6, 0.2, 0.2),
                      precision = "auto",
                      device = "auto",
                      seed = 0,
                      out = NULL,
                      overwrite = FALSE,
                      progress = TRUE,
                      engine = NULL,
                      ...) {
  check_dots(...)
  out <- check_path(out, "out", null = TRUE)
  keep <- if (is.null(out)) absolute_path(tempfile(kept_for_session))
  sent <- call_verb("fine_tune", keep = keep)
  new_model(sent, out %||% keep)
}

check_split <- function(split, call = rlang::caller_env()) {
  if (!is.numeric(split) || length(split) != 3 || anyNA(split)) {
    abort_imagestrata(
      "{.arg split} must be the shares of training, validation and test, say
       {.code c(0.6, 0.2, 0.2)}, not {seen(split)}.",
      call = call
    )
  }
  as.list(as.double(split))
}
