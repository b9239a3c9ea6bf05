#' Sort images into visual topics
#'
#' @description
#' Repeat on the images that remain: choose the number of clusters on a sample, fit k-means,
#' and let the clusters leave whose images resemble each other most; stop when few images
#' remain or nothing leaves any more. Images that are left are the *residual*, cluster -1.
#'
#' @section Settings of the methods:
#' Each setting belongs to one method or several, as its line says; one that another method has is
#' an error. Settings that are left out (`NULL`) have the default given in their line, or that of
#' `preset`.
#'
#' @param images Embeddings or a scan, from [embed_images()] or [scan_images()]; anything that
#'   [scan_images()] takes, which is then scanned and embedded first; or vectors of your own, a row
#'   per image: a numeric matrix or a data frame of numbers, whose row names or column `image_id`
#'   name the images.
#' @param method `"iterative"`, the paper's, `"kmeans"`, a single k-means, or `"hdbscan"`,
#'   clusters by density, which needs Python's package hdbscan and works best on what
#'   [reduce_embeddings()] made with UMAP.
#' @param preset `"paper"`: settings of the iterative method closest to the published run.
#' @param k For `"iterative"`: clusters fitted in every iteration, at most half as many as there are
#'   images; once fewer than 2 k images remain, half as many as remain. By default the number is
#'   searched.
#' @param sample_size For `"iterative"`: images drawn for the search; by default 1,000.
#' @param step_size For `"iterative"`: step of the search; by default 5.
#' @param converge_window For `"iterative"`: the search stops when the mean of so many fits no
#'   longer improves on that of as many before them; by default 3.
#' @param k_criterion For `"iterative"`: goodness of fit; by default `"cohesion"`.
#' @param k_tolerance For `"iterative"`: relative improvement per added cluster that counts as none;
#'   by default 0.
#' @param k_max For `"iterative"`: the largest number searched, up to `sample_size`; `"sample"`
#'   searches up to the number of images in the sample, as the paper does. By default a fiftieth of
#'   `sample_size` (20), or `step_size` where that is larger, and at most a third of the images in
#'   the sample.
#' @param similarity_threshold For `"iterative"`: mean silhouette above which a cluster may leave;
#'   by default 0 (the paper: .03, in the units of its encoder).
#' @param release_share For `"iterative"`: the most cohesive clusters leave first, while together
#'   they hold at most this share of the remaining images; by default 0.2. With 1 all leave, as in
#'   the paper.
#' @param stop_size For `"iterative"`: stop when fewer images remain; by default 20.
#' @param patience For `"iterative"`: stop when so many iterations in a row find no cohesive
#'   cluster; by default 3.
#' @param n_init For `"iterative"` and `"kmeans"`: restarts of k-means; by default 10.
#' @param normalize For all methods: `"l2"` scales vectors to length one; by default they stay as
#'   they are.
#' @param n_components For all methods: principal components kept; by default the vectors stay as
#'   they are.
#' @param silhouette For all methods: `"exact"` (every image compared with every other), `"sampled"`
#'   (with 128 of each cluster, an estimate of the same) or `"squared"` (of squared distances); by
#'   default `"auto"`, exact up to 50,000 images and sampled beyond.
#' @param exact For `"iterative"` and `"kmeans"`: `TRUE` for the same result on any machine; by
#'   default `FALSE`.
#' @param n_clusters For `"kmeans"`: the number of clusters; by default 80.
#' @param min_cluster_size For `"hdbscan"`: fewer images are no cluster; by default 50, see
#'   [sweep_min_cluster_size()].
#' @param min_samples For `"hdbscan"`: neighbours that an image must have near for its place to
#'   count as dense, fewer than there are images; by default as many as `min_cluster_size`.
#' @param selection For `"hdbscan"`: `"eom"` (the default), the clusters that persist longest, or
#'   `"leaf"`, the smallest ones.
#' @param noise For `"hdbscan"`: with `"keep"` (the default) images in no cluster are the residual,
#'   cluster -1; with `"nearest"` each is put into the cluster with the nearest centroid.
#' @param encoder,weights For images that are not embedded yet, see [embed_images()].
#' @param seed A seed: the same one gives the same result on the same machine.
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
                           k = NULL,
                           sample_size = NULL,
                           step_size = NULL,
                           converge_window = NULL,
                           k_criterion = NULL,
                           k_tolerance = NULL,
                           k_max = NULL,
                           similarity_threshold = NULL,
                           release_share = NULL,
                           stop_size = NULL,
                           patience = NULL,
                           n_init = NULL,
                           normalize = NULL,
                           n_components = NULL,
                           silhouette = NULL,
                           exact = NULL,
                           n_clusters = NULL,
                           min_cluster_size = NULL,
                           min_samples = NULL,
                           selection = NULL,
                           noise = NULL,
                           encoder = "resnet18",
                           weights = NULL,
                           seed = 0,
                           out = NULL,
                           overwrite = FALSE,
                           progress = TRUE,
                           engine = NULL,
                           ...) {
  check_dots(...)
  out <- check_path(out, "out", null = TRUE)
  new_clustering(call_verb("cluster_images"), out)
}
