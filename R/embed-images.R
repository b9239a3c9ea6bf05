#' Turn every distinct image into a vector
#'
#' @param images What [scan_images()] returned, or anything that it takes; then the images
#'   are scanned first.
#' @param encoder How pictures become vectors, by name; see [list_encoders()]. `"pocket"`, our own
#'   small network, comes with the package and needs no download.
#' @param model What [fine_tune()] returned, or the folder it lies in: its network makes the
#'   vectors, and `encoder`, `weights`, `resize`, `precision` and `seed` are not looked at.
#' @param weights A file with the encoder's weights. By default they are looked for where
#'   torch keeps them, and downloaded once.
#' @param resize How an image is brought to the encoder's size: `"rescale_crop"`,
#'   `"squish"`, `"crop"` or `"pad"`.
#' @param precision `"auto"`, `"float32"` or `"bfloat16"`.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
#' @param batch_size Images that pass the encoder together; by default as many as are fastest
#'   (8 on a processor, 64 on a GPU).
#' @param seed One seed for everything random, such as the vocabulary of `"bovw"`.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image: `image_id`, `path`, `n_copies`, and columns of
#'   your own. [as.matrix()][as.matrix.imagestrata_embeddings] gives the vectors, which lie
#'   in the run folder, or with the object if there is none. Rows can be filtered and sorted:
#'   vectors are found by `image_id`. `tidy()` lists the images that failed.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' embeddings <- embed_images(folder, encoder = "hog", progress = FALSE)
#' embeddings
#' dim(as.matrix(embeddings))
embed_images <- function(images,
                         encoder = "resnet18",
                         model = NULL,
                         weights = NULL,
                         resize = "rescale_crop",
                         precision = "auto",
                         device = "auto",
                         batch_size = NULL,
                         seed = 0,
                         out = NULL,
                         overwrite = FALSE,
                         progress = TRUE) {
  out <- check_path(out, "out", null = TRUE)
  sent <- call_core(
    "embed_images",
    send(images, "images"),
    check_string(encoder, "encoder"),
    model = if (!is.null(model)) send_model(model),
    weights = check_path(weights, "weights", null = TRUE),
    resize = check_string(resize, "resize"),
    precision = check_string(precision, "precision"),
    device = check_string(device, "device"),
    batch_size = check_number(batch_size, "batch_size", null = TRUE),
    seed = check_number(seed, "seed"),
    out = out,
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress)
  )
  new_embeddings(sent, out)
}
