#' Find typical images of clusters, or images that are like a picture or like words
#'
#' @param clustering A clustering, from [cluster_images()] or [read_clustering()].
#' @param clusters Numbers of clusters (before edits, 1 is the largest), -1 for the residual. By
#'   default (`NULL`) all clusters. With `like` and `text`, the clusters that are searched; by
#'   default all images.
#' @param n Number of images per cluster; a smaller cluster returns all its images. With `like` and
#'   `text`, the number of images per picture or text.
#' @param order `"typical"`: the images with the highest silhouettes; `"atypical"`: those with the
#'   lowest; `"doubtful"`: those with the lowest margins, which are close to another cluster or
#'   beyond (see [augment()][tidiers]); `"random"`: images at random.
#' @param seed Seed of `order = "random"`. The order of a cluster does not depend on which others
#'   are asked for.
#' @param like Pictures to which similar images are searched: files inside or outside the corpus,
#'   or images of the clustering (`image_id`, the end of a path, or rows of a table with
#'   `image_id`). New pictures are embedded exactly as the corpus was.
#' @param text Words to which similar images are searched, such as `"a crowd with banners"`. The
#'   vectors must be of a `"clip:"` encoder.
#' @param embeddings With `like` and `text`: the vectors of the images. By default those in the run
#'   folder of the clustering.
#' @param weights With `like` and `text`: the file of the encoder's weights, if it has moved.
#' @inheritParams scan_images
#'
#' @details
#' *Similarity* is the cosine of the angle between two vectors, from -1 to 1 (the same vector). For
#' vectors that UMAP placed, and those of fewer than 10 dimensions, whose angles say little, it is
#' 1 / (1 + Euclidean distance). An image of the corpus finds itself first. All images are
#' compared; those with equal similarity stand in the order of the clustering.
#'
#' The similarity of words and images is lower than that of images, about .2 to .3 for
#' good matches: compare it only with that of other images for the same words. The words are given
#' to CLIP as they are; "a photo of a dog" often finds more than "dog".
#'
#' New pictures cannot be embedded comparably if the vectors are your own, reduced, or of texts;
#' images of the corpus can then still be given by their `image_id`.
#'
#' @returns A tibble: `cluster`, `rank`, `image_id`, `path`, `file`, `silhouette`, `distance`,
#'   `second_cluster`, `margin`. With `like` and `text`: `query`, `rank` (from 1 within the query),
#'   `image_id`, `path`, `file`, `cluster`, `cluster_name` if clusters have names, and `similarity`,
#'   the most similar first.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' find_images(demo_topics(), clusters = 1:2, n = 3)
#'
#' folder <- imagestrata_example("images")
#' embeddings <- embed_images(folder, encoder = "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, progress = FALSE)
#' find_images(topics, like = list.files(folder, full.names = TRUE)[1], embeddings = embeddings)
find_images <- function(clustering,
                        clusters = NULL,
                        n = 9,
                        order = "typical",
                        seed = 0,
                        like = NULL,
                        text = NULL,
                        embeddings = NULL,
                        weights = NULL,
                        ...) {
  decode_table(call_verb("find_images", like = send_like(like), text = check_texts(text, "text")))
}

# Files as absolute paths; names of images as they are.
send_like <- function(x, call = rlang::caller_env()) {
  if (is.data.frame(x)) {
    x <- check_data_frame(x, "like", call, needs = "image_id")$image_id
  }
  names <- check_texts(x, "like", call)
  if (!is.null(names)) {
    lapply(names, \(name) {
      if (file.exists(path.expand(on_disk(name)))) absolute_path(name) else name
    })
  }
}
