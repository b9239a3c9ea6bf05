#' Tag images with the labels of a ready-made classifier
#'
#' Nothing leaves the machine. With the published weights the labels are the 1,000 classes of
#' ImageNet: things and animals, hardly any people or events.
#'
#' @param images What [scan_images()] returned, or anything that it takes; then the images are
#'   scanned first.
#' @param classifier A classifier of torchvision, by name.
#' @param n_tags Labels per image, at most: the most confident.
#' @param min_confidence Labels below it are left out.
#' @param weights A file with the classifier's weights, the last layer included. By default they
#'   are looked for where torch keeps them, and downloaded once.
#' @param labels Names of the classes, in order; needed where the weights have other classes than
#'   the published ones.
#' @inheritParams embed_images
#'
#' @returns A tibble with a row per image and tag: `image_id`, `path`, `rank`, `label`,
#'   `confidence` (a probability by the model's own lights), `reason`. An image without a tag is
#'   one row with a reason.
#' @family words
#' @seealso `cluster_keywords(clustering, tags, column = "label", separator = ";")` tells what is
#'   typical of each cluster.
#' @export
#' @examples
#' \dontrun{
#' tags <- tag_images("my-images", n_tags = 3)
#' tag_frequencies(tags)
#' }
tag_images <- function(images,
                       classifier = "resnet18",
                       n_tags = 5,
                       min_confidence = 0,
                       weights = NULL,
                       labels = NULL,
                       resize = "rescale_crop",
                       precision = "auto",
                       device = "auto",
                       batch_size = NULL,
                       out = NULL,
                       overwrite = FALSE,
                       progress = TRUE) {
  table <- call_core(
    "tag_images",
    send(images, "images"),
    check_string(classifier, "classifier"),
    n_tags = check_number(n_tags, "n_tags"),
    min_confidence = check_number(min_confidence, "min_confidence"),
    weights = check_weights(weights),
    labels = check_words(labels, "labels"),
    resize = check_string(resize, "resize"),
    precision = check_string(precision, "precision"),
    device = check_string(device, "device"),
    batch_size = check_number(batch_size, "batch_size", null = TRUE),
    out = check_path(out, "out", null = TRUE),
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress)
  )
  decode_table(table)
}

#' How often each label comes
#'
#' @param tags What [tag_images()] returned, or a data frame of yours with `image_id` and `label`
#'   (missing for images without one).
#'
#' @returns A tibble with a row per label, the most frequent first: `label`, `n_images` with it,
#'   their `share` of all images in the table, and `mean_confidence` where there is a confidence.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' tag_frequencies(data.frame(image_id = c("a", "a", "b"), label = c("dog", "ball", "dog")))
tag_frequencies <- function(tags) {
  decode_table(call_core("tag_frequencies", send_texts(tags, "tags")$table))
}
