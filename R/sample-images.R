#' Draw a stratified sample of images from the clusters
#'
#' Draws a simple random sample of images within every cluster, and computes weights that represent
#' the corpus. The default sample sizes are those of the published design: five images from clusters
#' of seven or more, all but one from clusters of two to six. The published design also leaves out
#' images that belong to no cluster: use `residual = "drop"` for that.
#'
#' @param clustering A clustering, from [cluster_images()], or a data frame with the columns
#'   `image_id`, `path` and `cluster` (-1 for the residual), and `wave` if images were added to the
#'   clusters in waves (1, 2, ...).
#' @param n_per_cluster Number of images per cluster. A cluster of N images gives `n_per_cluster` or
#'   N - 1 images, whichever is smaller. By default 5. `Inf` takes all images, those of clusters of
#'   one image included (a census); their `weight_corpus` is 1. Or a number for each cluster by its
#'   name, as in `c("1" = 20, "2" = 8)`, of which at most N are drawn, and none from clusters
#'   without a number; or a data frame with the columns `cluster` and `n`, or the result of
#'   [plan_labels()], with `keep`.
#' @param budget Total number of images, instead of `n_per_cluster`.
#' @param allocation Allocation of a budget to the clusters: `"equal"` (the default),
#'   `"proportional"` to their size, or proportional to the square root of their size, `"sqrt"`.
#' @param residual `"together"`: the images that belong to no cluster form a stratum of their own.
#'   `"drop"`, the published design: they are left out, and the weights represent clustered images
#'   only.
#' @param singles Include clusters of one image?
#' @param shares Name of the column with the number of shares of each image. Or the result of
#'   [link_posts()]: an image counts as often as posts show it, in the column `n_posts`, which is 0
#'   for images that none shows.
#' @param seed Seed of the random numbers. Each stratum has its own random stream, so the sample of
#'   a cluster does not depend on other clusters.
#' @param keep A sample of the same clusters, drawn before more images joined them, or with a
#'   smaller number of images. Its images stay in the sample, and others are added. If `out`
#'   contains a sample with the same settings, and images have joined the clusters since, that
#'   sample is kept.
#' @inheritParams scan_images
#'
#' @section Topping up:
#' With `keep`, images drawn before stay drawn, and the probabilities are exact.
#'
#' If a larger `n_per_cluster` or `budget` asks for n' > n images of a stratum, n' - n are drawn at
#' random from those that were not drawn. A simple random sample of n, and one of n' - n from the
#' rest, together are a simple random sample of n' from N: each image has the probability n' / N. A
#' smaller number changes nothing.
#'
#' Images that joined a cluster after the draw form a stratum of their own: the cluster in that
#' wave. Images of the earlier stratum keep their probability n / N. From N' added images, n' are
#' drawn: as large a share as in the first stratum of the cluster, rounded up, at least two (since
#' one image has no variance), and at most as many as the most that were drawn from a first stratum.
#' `n_per_cluster` and `budget` refer to first strata; a cluster without an image in `keep` is one.
#'
#' Estimates weighted by `weight_corpus` are therefore unbiased for all images, and [rating_means()]
#' computes standard errors within these strata. A sample of *other* clusters (after clustering
#' anew) cannot be topped up: draw a new one, in which images that happen to be drawn again keep
#' their ratings.
#'
#' **After edits.** A sample that was drawn before [edit_clusters()] merged or dropped whole
#' clusters is kept as well (`keep`, or the sample in `out`): `stratum`, `N_h`, `n_h` and
#' probabilities remain those of the draw, `cluster` is the edited one, and `weight_cluster` is
#' `weight_corpus` divided by the size of the edited cluster, so that the weighted mean of each
#' merged cluster remains unbiased. If edits divided a cluster from which images were drawn, or
#' joined images that could not be drawn to one, the sample is refused: draw anew. [read_ratings()]
#' joins ratings of such a sample.
#'
#' Images whose files are gone stay in the sample and count in `N_h`, but are not drawn any more:
#' the others of their stratum represent them. The scan in `out` knows which these are, or a column
#' `gone` of the images.
#'
#' @returns A tibble with one row per sampled image: `image_id`, `path`, `cluster` (and its names,
#'   if it has any); `stratum`, the images among which it was drawn: those of a cluster in a `wave`
#'   (always 1 if no images joined
#'   the clusters later); `draw`, the number of the call that drew the image (1, and 2, 3, ... with
#'   `keep`); the size of the stratum `N_h` and of its sample `n_h`; `inclusion_probability` =
#'   n_h / N_h; and three weights: `weight_corpus` gives every image of the corpus equal weight,
#'   `weight_cluster` every cluster, `weight_share` every share of an image.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' sample_images(demo_topics(), n_per_cluster = 3)
#' sample_images(demo_topics(), budget = 40, allocation = "proportional")
sample_images <- function(clustering,
                          n_per_cluster = NULL,
                          budget = NULL,
                          allocation = NULL,
                          residual = "together",
                          singles = FALSE,
                          shares = "n_copies",
                          seed = 0,
                          keep = NULL,
                          out = NULL,
                          overwrite = FALSE,
                          ...) {
  check_dots(...)
  if (!is.data.frame(clustering)) {
    check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images")
  }
  # The ledger of a clustering says what a sample from before some edits represents.
  sent <- if (inherits(clustering, "imagestrata_clustering")) {
    send_clustering(clustering)
  } else {
    list(kind = "table", table = encode_table(clustering))
  }
  shares <- if (is.character(shares) || is.factor(shares)) {
    check_string(shares, "shares")
  } else {
    send_linked(check_linked(shares, "shares"))
  }
  numbers <- send_numbers(n_per_cluster)
  table <- call_verb(
    "sample_images",
    clustering = sent, n_per_cluster = numbers, shares = shares
  )
  new_sample(decode_table(table), absolute_path(out))
}

# One number, or one for each cluster.
send_numbers <- function(n, call = rlang::caller_env()) {
  if (is.data.frame(n)) {
    return(list(kind = "table", table = encode_table(plain_columns(n), call)))
  }
  if (is.null(n) || is.null(names(n))) {
    return(if (!is.null(n)) as_whole(check_number(n, "n_per_cluster", call = call)))
  }
  if (!is.numeric(n) || anyNA(n)) {
    abort_imagestrata(
      "{.arg n_per_cluster} must be numbers of images with the names of clusters, not {seen(n)}.",
      call = call
    )
  }
  table <- tibble::tibble(cluster = names(n), n = as.double(n))
  list(kind = "table", table = encode_table(table, call))
}

new_sample <- function(data, folder = NULL) {
  new_object(data, "imagestrata_sample", folder = folder)
}

#' @export
tbl_sum.imagestrata_sample <- function(x, ...) {
  c(
    "A sample" = paste0(
      count_of(nrow(x), "image"), " from ",
      count_of(length(unique(x[["stratum"]] %||% x$cluster)), "stratum", "strata"),
      ", representing ", count_of(round(sum(x$weight_corpus)), "image")
    ),
    "Drawn before" = if (any(x[["draw"]] < max(x[["draw"]], 1))) {
      count_of(sum(x$draw < max(x$draw)), "image")
    },
    "Run folder" = attr(x, "folder")
  )
}

#' @export
summary.imagestrata_sample <- function(object, ...) {
  columns <- intersect(c("cluster", "wave", "N_h", "n_h"), names(object))
  strata <- dplyr::distinct(plain_tibble(object)[columns])
  taken <- range(object$inclusion_probability)
  new_summary(
    title = paste0("A sample: ", tbl_sum(object)[["A sample"]]),
    lines = sprintf("Inclusion probabilities are between %.3f and %.3f.", taken[1], taken[2]),
    tables = list("Strata (cluster -1 is the residual)" = strata)
  )
}
