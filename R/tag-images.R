#' Tag images with the labels of a ready-made classifier
#'
#' @description
#' With a classifier of torchvision nothing leaves the machine; with the published weights the
#' labels are the 1,000 classes of ImageNet: things and animals, hardly any people or events.
#'
#' With [rekognition()] the images go to Amazon, for money: that asks for consent and says
#' beforehand what it will cost. Each of its answers is stored in `out` the moment it arrives, and
#' none is paid for twice: not after a crash, not when images are added, not with `overwrite` or
#' another `n_tags`. [costs()] tells the cost and sends nothing.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param classifier A classifier of torchvision, by name; or [rekognition()].
#' @param n_tags Labels per image, at most: the most confident.
#' @param min_confidence Labels below it are left out.
#' @param weights A file with the classifier's weights, the last layer included. By default they
#'   are looked for where torch keeps them, and downloaded once.
#' @param labels Names of the classes, in order; needed where the weights have other classes than
#'   the published ones.
#' @param resize,precision,device,batch_size As for [embed_images()]; like `weights` and `labels`,
#'   they are for classifiers of torchvision.
#' @param budget The most that all answers of the service in `out` may cost together, in the
#'   currency of its `price`. Repeated attempts count; when it is reached nothing more is sent.
#' @param consent `TRUE`: the images may leave this machine.
#' @param out Run folder: the table goes to `tags.parquet` there, the answers of a service to
#'   `tags/answers.jsonl` (and it must be given). A call that was interrupted goes on.
#' @param engine A Dask cluster whose workers decode and classify, as for [scan_images()]. A service
#'   is asked by this process alone, which keeps its budget.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image and tag: `image_id`, `path`, `rank`, `label`,
#'   `confidence` (a probability by the model's own lights), `reason`. An image without a tag is
#'   one row with a reason.
#' @family words
#' @seealso [compare_tags()] says how good tags are;
#'   `cluster_keywords(clustering, tags, column = "label", separator = ";")` what is typical of each
#'   cluster.
#' @export
#' @examples
#' \dontrun{
#' tags <- tag_images("my-images", n_tags = 3)
#' tag_frequencies(tags)
#'
#' amazon <- rekognition("labels", region = "eu-west-1")
#' costs("my-images", amazon)
#' tags <- tag_images("my-images", amazon, budget = 5, consent = TRUE, out = "my-run")
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
                       budget = NULL,
                       consent = FALSE,
                       out = NULL,
                       overwrite = FALSE,
                       progress = TRUE,
                       engine = NULL,
                       ...) {
  check_dots(...)
  decode_table(call_verb(
    "tag_images",
    classifier = send_tagger(classifier, "classifier"), labels = check_texts(labels, "labels")
  ))
}

#' How often each label comes
#'
#' @param tags The result of [tag_images()], or a data frame of yours with `image_id` and `label`
#'   (missing for images without one).
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per label, the most frequent first: `label`, `n_images` with it,
#'   their `share` of the images that were looked at, and `mean_confidence` where there is a
#'   confidence. Images that could not be tagged (with a `reason`) were not looked at.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' tag_frequencies(data.frame(image_id = c("a", "a", "b"), label = c("dog", "ball", "dog")))
tag_frequencies <- function(tags, ...) {
  check_dots(...)
  decode_table(call_verb("tag_frequencies", tags = send_texts(tags, "tags")))
}
