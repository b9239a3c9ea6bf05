#' Turn every distinct image into a vector
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images
#'   are scanned first.
#' @param encoder How pictures become vectors, by name; see [list_encoders()]: a classifier of
#'   torchvision, such as `"resnet50"` or `"vgg16"`, cut before its last layer; `"timm:<name>"`,
#'   any network of timm, likewise cut, such as Xception, `"timm:legacy_xception"`;
#'   `"clip:<name>"`, the image tower of any network of open_clip, such as `"clip:ViT-B-32"`;
#'   `"blip2:vision"`, the summary of BLIP-2's image tower, or `"blip2:qformer"`, the mean of what
#'   its Q-Former answers; `"pocket"`, our own small network, which comes with the package;
#'   `"bovw"`, `"bovw_keypoints"` or `"hog"`, which need no weights. timm, open_clip and
#'   transformers are optional Python packages; what is missing is asked for by name.
#' @param model The result of [fine_tune()], or the folder it lies in: its network makes the
#'   vectors, and `encoder`, `weights`, `resize`, `precision` and `seed` are not looked at.
#' @param weights A file with the encoder's weights, or the name of published ones, such as
#'   `"IMAGENET1K_V2"` of torchvision or `"laion2b_s34b_b79k"` of `"clip:ViT-B-32"`. For `timm:`,
#'   `clip:` and `blip2:` also a folder that the library stored a model in; of `blip2:` also a
#'   repository of the Hugging Face hub. By default the usual ones are looked for where the
#'   library keeps them, and downloaded once: of CLIP those of OpenAI, of BLIP-2
#'   `"Salesforce/blip2-itm-vit-g"` (4.7 GB).
#' @param resize How an image is brought to the encoder's size: `"rescale_crop"`,
#'   `"squish"`, `"crop"` or `"pad"`. For `timm:`, `clip:` and `blip2:` the default stands for the
#'   way in which the library prepares images for those weights, for BLIP-2 `"squish"`.
#' @param precision `"auto"`, `"float32"` or `"bfloat16"`.
#' @param device `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
#' @param batch_size Images that pass the encoder together; by default as many as are fastest
#'   (8 on a processor; on a GPU found out by the first use).
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
                         progress = TRUE,
                         engine = NULL,
                         ...) {
  check_dots(...)
  out <- check_path(out, "out", null = TRUE)
  sent <- call_verb("embed_images")
  new_embeddings(sent, out)
}
