#' Sort images into visual topics
#'
#' @description Groups similar images into clusters. The default method is iterative. Each iteration
#' chooses the number of clusters on a sample of the remaining images, fits k-means to them, and
#' releases the most cohesive clusters. It stops when few images remain or no cluster is cohesive.
#' The images that remain are the *residual*, cluster -1.
#'
#' @section Settings of the methods:
#' Each setting is for one or several methods, which its description names; to use it with another
#' method is an error. A setting that is `NULL` has the default given in its description, or that of
#' `preset`.
#'
#' @section The neighbourhood step:
#' By default images are clustered by who is near to whom, and not by their vectors alone. Vectors
#' are scaled to length one, reduced to 128 principal components and scaled again. Each image is
#' linked to its 15 nearest neighbours and to the images whose neighbour it is. The weight of a
#' link is the number of images in both neighbourhoods, each with its own image (Jarvis and
#' Patrick, 1973). Every vector is replaced by the weighted mean of itself and of the linked ones,
#' 64 times: a random walk on the links (Coifman and Lafon, 2006). If that leaves less than .4 of
#' the sum of squares that 8 times leave, 8 times is used, unless it shows few groups. Copies
#' count once. The result is centred and scaled to length one. If images have no more neighbours
#' in common than random vectors have, no cluster is found, and a warning says so.
#'
#' `"iterative"` then looks for few groups: k-means with 2 to 20 clusters is fitted to a sample.
#' If the mean silhouette is at least .9, and that of each cluster at least .5, the number with
#' the highest mean is taken, unless it is 20, the largest. Otherwise the iterations run five
#' times (three times above 10,000 images) from different random numbers, and the clustering with
#' the highest mean silhouette is kept. Of more than 50,000 images, neighbours and means are
#' learnt on 50,000 random ones, always the same; every image then gets the mean of its nearest
#' neighbours among them, with the same weights.
#'
#' Silhouettes are computed after the step, and are much higher than those of the vectors.
#' Centroids, distances and predictions use your vectors, scaled to length one.
#'
#' @section A method of your own:
#' `method` can be a function. It receives the matrix of vectors, a row per image, and returns the
#' cluster of each row: whole numbers from 1; -1 or `NA` is the residual. For example, `\(x)
#' cutree(hclust(dist(x)), 20)` is hierarchical clustering. Clusters are numbered by size, and
#' silhouettes and centroids are computed for them. `neighbors`, `normalize`, `n_components` and
#' `silhouette` have an effect as with `"kmeans"`; by default the vectors themselves are clustered.
#' A function can use anything, so it runs in every call, also if the clustering in `out` is
#' finished, and other labels than the stored ones are refused; new images cannot join its
#' clusters. Give it a seed of its own if it draws random numbers.
#'
#' @section Growing:
#' If the run folder `out` contains a clustering of some of the images with the same settings, the
#' other images join it. Clusters keep their numbers, centroids and images. A new image joins the
#' cluster with the nearest centroid. With a method that has a residual, it joins the residual if it
#' is further from that centroid than every image of the cluster was from the mean of its other
#' images (n / (n - 1) times the distance from the mean of all n) when the clusters were found.
#' Images that joined before do not count, so the order in which images arrive has no effect. New
#' images have `added = TRUE`, no silhouette, and the `iteration` of their cluster; sizes and shares
#' of clusters include them, means of silhouettes do not. The time it takes is in proportion to the
#' number of new images. Samples, packets and pairs that were drawn before stay in the folder.
#'
#' With `recluster = TRUE`, all images are clustered anew, and each cluster is paired with at most
#' one of the clusters before, so that the pairs share as many images as possible (the Hungarian
#' method). Images that joined the clusters before later do not count. A cluster that shares at
#' least half of its own images, or half of those of its partner, with it gets its number and its
#' `cluster_name`. All others get new numbers: a number never means two clusters. `tidy(topics,
#' "renumbered")` shows all overlaps, so that splits and merges are visible. Results that use the
#' clusters before, and these, move to `replaced/` as with `overwrite = TRUE`. Without an earlier
#' clustering, or one that has not grown since, `recluster` has no effect.
#'
#' @references Coifman, R. R. and Lafon, S. (2006). Diffusion maps. *Applied and Computational
#' Harmonic Analysis* 21(1), 5-30.
#'
#' Jarvis, R. A. and Patrick, E. A. (1973). Clustering using a similarity measure based on shared
#' near neighbors. *IEEE Transactions on Computers* C-22(11), 1025-1034.
#'
#' @param images Embeddings or a scan, from [embed_images()] or [scan_images()]; anything that
#'   [scan_images()] takes, which is then scanned and embedded first; or vectors of your own, a row
#'   per image: a numeric matrix or a data frame of numbers, whose row names or column `image_id`
#'   name the images.
#' @param method `"iterative"`, the paper's method; `"kmeans"`, a single k-means; or `"hdbscan"`,
#'   clusters by density, which needs Python's package hdbscan. Or a function of your own; see *A
#'   method of your own*.
#' @param preset `"paper"`: the settings of the iterative method that are closest to the published
#'   run. The encoder is not among them: the paper's is `encoder = "resnet18"`.
#' @param k For `"iterative"`: number of clusters fitted in every iteration, at most half the number
#'   of images; once fewer than 2 k images remain, half of their number. By default the number is
#'   searched.
#' @param sample_size For `"iterative"`: number of images drawn for the search; by default 1,000.
#' @param step_size For `"iterative"`: step of the search; by default 5.
#' @param converge_window For `"iterative"`: the search stops when the mean criterion of this many
#'   fits is no better than that of as many fits before them; by default 3.
#' @param k_criterion For `"iterative"`: the criterion of the search; by default `"cohesion"`.
#' @param k_tolerance For `"iterative"`: relative improvement per added cluster that is treated as
#'   no improvement; by default 0.
#' @param k_max For `"iterative"`: the largest number searched, up to `sample_size`; `"sample"`
#'   searches up to the number of images in the sample, as the paper does. By default a fiftieth of
#'   `sample_size` (20), or `step_size` if that is larger, but at most a third of the images in the
#'   sample.
#' @param similarity_threshold For `"iterative"`: mean silhouette above which a cluster may be
#'   released; by default 0 (the paper: .03, in the units of its encoder).
#' @param release_share For `"iterative"`: the most cohesive clusters are released, up to this share
#'   of the remaining images; by default 0.2. With 1 all clusters above the threshold are released,
#'   as in the paper.
#' @param stop_size For `"iterative"`: the iterations stop when fewer images remain; by default 20.
#' @param patience For `"iterative"`: the iterations stop after this many in a row without a
#'   cohesive cluster; by default 3.
#' @param n_init For `"iterative"` and `"kmeans"`: number of restarts of k-means; by default 10.
#' @param neighbors For all methods: number of neighbours of each image in the neighbourhood step,
#'   which clusters vectors of images that moved towards their neighbours. `NULL` clusters the
#'   vectors themselves, as in the paper. `"auto"` is 15 for `"iterative"` and `"hdbscan"` (below
#'   300 images a twentieth of them, at least 4; `"iterative"` takes a 250th of the images, at
#'   least 5, below 3,750 images, unless 15 show few groups, or none clearly), and `NULL` for
#'   `"kmeans"`, for `preset = "paper"`, for vectors of fewer than 10 dimensions, and for those
#'   that [reduce_embeddings()] reduced with UMAP.
#' @param normalize For all methods: `"l2"` scales vectors to length one, as `neighbors` always
#'   does; by default they otherwise stay as they are.
#' @param n_components For all methods: number of principal components to keep; by default the
#'   vectors stay as they are. With `neighbors`, the components in which neighbours are found; by
#'   default 128.
#' @param silhouette For all methods: `"exact"` (every image compared with every other), `"sampled"`
#'   (with 128 of each cluster, an estimate of the same) or `"squared"` (of squared distances); by
#'   default `"auto"`, exact up to 50,000 images and sampled beyond.
#' @param exact For `"iterative"` and `"kmeans"`: `TRUE` gives the same result on any machine; by
#'   default `FALSE`.
#' @param n_clusters For `"kmeans"`: the number of clusters; by default 80, see [sweep_clusters()].
#' @param min_cluster_size For `"hdbscan"`: smallest number of images that make a cluster. By
#'   default the square root of the number of images divided by 12, and at least 5; 50 if
#'   `neighbors` is `NULL`; see [sweep_clusters()].
#' @param min_samples For `"hdbscan"`: number of near neighbours that make the place of an image
#'   dense, less than the number of images; by default `min_cluster_size`.
#' @param selection For `"hdbscan"`: `"eom"` (the default), the clusters that persist longest, or
#'   `"leaf"`, the smallest ones.
#' @param noise For `"hdbscan"`: `"keep"` (the default): images that belong to no cluster are the
#'   residual, cluster -1. `"nearest"`: each goes to the cluster with the nearest centroid.
#' @param encoder,weights For images that are not embedded yet, see [embed_images()].
#' @param seed Seed of the random numbers: the same seed gives the same result on the same machine.
#' @param recluster `TRUE` clusters all images anew in a run folder with an earlier clustering, and
#'   carries its numbers and names over to the clusters that overlap most; see *Growing*.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image: `image_id`, `path`, `cluster` (1 is the largest, -1 the
#'   residual), `iteration` in which its cluster was released, `silhouette`, `distance` to the
#'   centroid, `n_copies`, `second_cluster` and `margin` (how clearly an image belongs to its
#'   cluster, see [augment()][tidiers]), `added` (`TRUE` for images that joined later), `wave` (1
#'   for the images that were clustered, 2 for those that joined first, and so on), and columns of
#'   your own.
#'   `"hdbscan"` adds `probability`, how firmly an image belongs to its cluster, `outlier_score`
#'   (GLOSH), and `assigned`, `TRUE` if the image was
#'   noise and went to the nearest cluster. [tidy()][tidiers] returns the clusters and the
#'   iterations, [glance()][tidiers] a summary in one row;
#'   [autoplot()][autoplot.imagestrata_clustering] and [plot_montage()] draw figures;
#'   [predict()][predict.imagestrata_clustering] assigns new images. You can add columns and sort
#'   rows; without some of its rows it becomes a plain tibble.
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
                           neighbors = "auto",
                           normalize = NULL,
                           n_components = NULL,
                           silhouette = NULL,
                           exact = NULL,
                           n_clusters = NULL,
                           min_cluster_size = NULL,
                           min_samples = NULL,
                           selection = NULL,
                           noise = NULL,
                           encoder = "efficientnet_lite0",
                           weights = NULL,
                           seed = 0,
                           recluster = FALSE,
                           out = NULL,
                           overwrite = FALSE,
                           progress = TRUE,
                           engine = NULL,
                           ...) {
  new_clustering(call_verb("cluster_images"), absolute_path(out))
}
