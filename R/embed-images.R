#' Represent each distinct image by a vector
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images
#'   are scanned first.
#' @param encoder Name of the encoder, which computes the vectors; see [list_encoders()].
#'   `"efficientnet_lite0"`, a network whose ImageNet weights are installed with the Python
#'   packages, so that nothing is downloaded; any classifier of torchvision without its last layer,
#'   such as `"resnet18"`, the network of the paper, or `"vgg16"`;
#'   `"timm:<name>"`, any network of timm without its last layer, such as Xception,
#'   `"timm:legacy_xception"`; `"clip:<name>"`, the image tower of any network of open_clip, such as
#'   `"clip:ViT-B-32"`; `"blip2:vision"`, the summary of BLIP-2's image tower, or `"blip2:qformer"`,
#'   the mean output of its Q-Former; `"bovw"`, `"bovw_keypoints"` or `"hog"`, which need no
#'   weights; or an encoder of your own, see [register_encoder()]. timm, open_clip and transformers
#'   are optional Python packages; an error names the one that is missing.
#' @param model The result of [fine_tune()], or its folder: its network computes the vectors, and
#'   `encoder`, `weights`, `resize`, `precision` and `seed` are ignored. A model with folds is
#'   refused unless its networks share an encoder (`freeze = "backbone"`): the vectors of different
#'   networks are not comparable.
#' @param weights A file with the encoder's weights, or the name of published weights, such as
#'   `"IMAGENET1K_V2"` of torchvision or `"laion2b_s34b_b79k"` of `"clip:ViT-B-32"`. For `timm:`,
#'   `clip:` and `blip2:` also a folder with a model that the library stored; for `blip2:` also a
#'   repository of the Hugging Face hub. The default weights are read from the cache of the library,
#'   or downloaded once: for CLIP those of OpenAI, for BLIP-2 `"Salesforce/blip2-itm-vit-g"` (4.7
#'   GB).
#' @param resize Method that brings an image to the encoder's size: `"rescale_crop"`, `"squish"`,
#'   `"crop"` or `"pad"`. For `timm:`, `clip:` and `blip2:` the default is the method that the
#'   library uses for those weights (for BLIP-2 `"squish"`).
#' @param precision Precision of the numbers: `"auto"`, `"float32"` or `"bfloat16"`.
#' @param device Device that computes: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
#' @param batch_size Number of images that the encoder processes together; by default the fastest
#'   number (8 on a processor; on a GPU the first use measures it).
#' @param seed Seed of the random numbers, for example for the vocabulary of `"bovw"`.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image: `image_id`, `path`, `n_copies`, and columns of your
#'   own. [as.matrix()][as.matrix.imagestrata_embeddings] returns the vectors, which are in the run
#'   folder, or in the object if there is none. You can filter and sort rows: vectors are found by
#'   `image_id`. `tidy()` lists the images that failed.
#' @section Other machines: Vectors depend a little on the processor: on whether it is faster in
#'   bfloat16 (`precision = "float32"` decides that), and on whether it has AVX2, with which
#'   networks resize pictures by torch instead of Pillow. The two differ by rounding: in 400
#'   photographs with `efficientnet_lite0` the mean cosine of the vectors was .99998 (lowest .9991).
#'   Even so, such differences can move images between clusters: share the run folder to share
#'   results.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' embeddings <- embed_images(folder, encoder = "hog", progress = FALSE)
#' embeddings
#' dim(as.matrix(embeddings))
embed_images <- function(images,
                         encoder = "efficientnet_lite0",
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
  new_embeddings(call_verb("embed_images"), absolute_path(out))
}
