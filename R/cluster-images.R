#' Sort images into visual topics
#'
#' @description
#' Repeat on the images that remain: choose the number of clusters on a sample, fit k-means,
#' and let the clusters leave whose images resemble each other most; stop when few images
#' remain or nothing leaves any more. Images that are left are the *residual*, cluster -1.
#'
#' @section Settings of the methods:
#' In `...`, by name; what is left out has the default of the core.
#'
#' Of `"iterative"`:
#'
#' - `k`: clusters fitted in every iteration, at most half as many as there are images; once
#'   fewer than 2 k images remain, half as many as remain. By default the number is searched.
#' - `sample_size` (1000), `step_size` (5), `converge_window` (3), `k_criterion`
#'   (`"cohesion"`), `k_tolerance` (0): how it is searched.
#' - `k_max`: the largest number searched, up to `sample_size`; `"sample"` searches up to the
#'   number of images in the sample, as the paper does. By default a fiftieth of `sample_size`
#'   (20), or `step_size` where that is larger, and at most a third of the images in the sample.
#' - `similarity_threshold` (0): mean silhouette above which a cluster may leave.
#' - `release_share` (0.2): the most cohesive clusters leave first, while together they hold
#'   at most this share of the remaining images; with 1 all leave.
#' - `stop_size` (20): stop when fewer images remain. `patience` (3): stop when this many
#'   iterations in a row find no cohesive cluster.
#'
#' Of `"kmeans"`: `n_clusters`.
#'
#' Of both: `n_init`, restarts of k-means; `exact = TRUE` for the same result on any machine.
#'
#' Of `"hdbscan"`, which needs Python's package hdbscan and works best on what
#' [reduce_embeddings()] made with UMAP:
#'
#' - `min_cluster_size` (50): fewer images are no cluster; see [sweep_min_cluster_size()].
#' - `min_samples`: neighbours that an image must have near for its place to count as dense;
#'   by default as many as `min_cluster_size`; fewer than there are images.
#' - `selection`: `"eom"`, the clusters that persist longest, or `"leaf"`, the smallest ones.
#' - `noise`: with `"keep"` images in no cluster are the residual, cluster -1; with `"nearest"`
#'   each is put into the cluster with the nearest centroid.
#'
#' Of all: `normalize = "l2"`, vectors of length one; `n_components`, principal components kept;
#' `silhouette`, `"exact"` (every image compared with every other), `"sampled"` (with 128 of each
#' cluster, an estimate of the same) or `"squared"` (of squared distances), by default `"auto"`:
#' exact up to 50,000 images and sampled beyond.
#'
#' @param images What [embed_images()] or [scan_images()] returned; anything that
#'   [scan_images()] takes, which is then scanned and embedded first; or a numeric matrix of
#'   vectors of your own, a row per image.
#' @param method `"iterative"`, the paper's, `"kmeans"`, a single k-means, or `"hdbscan"`,
#'   clusters by density.
#' @param preset `"paper"`: settings of the iterative method closest to the published run.
#' @param encoder,weights For images that are not embedded yet, see [embed_images()].
#' @param seed A seed: the same one gives the same result on the same machine.
#' @param ... Settings of the method, see below.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image: `image_id`, `path`, `cluster` (1 is the largest,
#'   -1 the residual), `iteration` in which its cluster left, `silhouette`, `distance` to the
#'   centroid, `n_copies`, and columns of your own; of `"hdbscan"` also `probability`, how firmly
#'   an image belongs to its cluster, `outlier_score` (GLOSH), and `assigned`, whether it was
#'   noise that was put into the nearest cluster. [tidy()][tidiers] gives the clusters and
#'   the iterations, [glance()][tidiers] one line,
#'   [autoplot()][autoplot.imagestrata_clustering] and [plot_montage()] pictures, and
#'   [predict()][predict.imagestrata_clustering] places new images. Columns can be added and
#'   rows sorted; where rows are dropped it becomes a plain tibble.
#' @family verbs
#' @export
#' @examples
#' # What it returns:
#' topics <- demo_topics()
#' topics
#' summary(topics)
#' dplyr::filter(topics, cluster == 1)
#' @examplesIf imagestrata_ready()
#' # How it was made:
#' cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
cluster_images <- function(images,
                           method = "iterative",
                           preset = NULL,
                           encoder = "resnet18",
                           weights = NULL,
                           seed = 0,
                           out = NULL,
                           overwrite = FALSE,
                           progress = TRUE,
                           engine = NULL,
                           ...) {
  out <- check_path(out, "out", null = TRUE)
  settings <- check_settings(...)
  settings$engine <- check_string(engine, "engine", null = TRUE)
  sent <- rlang::inject(call_core(
    "cluster_images",
    send(images, "images"),
    check_string(method, "method"),
    preset = check_string(preset, "preset", null = TRUE),
    encoder = check_string(encoder, "encoder"),
    weights = check_weights(weights),
    seed = check_number(seed, "seed"),
    out = out,
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress),
    !!!settings
  ))
  new_clustering(sent, out)
}

# Settings by name, whole numbers as such: people write 15 and not 15L.
check_settings <- function(..., call = rlang::caller_env()) {
  settings <- list(...)
  if (!rlang::is_named2(settings)) {
    abort_imagestrata(
      "Settings of the method must be named, such as {.code k = 15}.",
      hint = "After {.arg images} and {.arg method}, all arguments are best given by name.",
      call = call
    )
  }
  lapply(settings, as_whole)
}

as_whole <- function(x) {
  whole <- is.double(x) && length(x) == 1 && is.finite(x) && x == trunc(x)
  if (whole && abs(x) < .Machine$integer.max) as.integer(x) else x
}
