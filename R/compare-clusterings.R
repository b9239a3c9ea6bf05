#' Compare clusterings of the same images
#'
#' Measures the agreement of clusterings. `tidy(x, "flows")` counts the images that each two
#' clusters share.
#'
#' @details The adjusted Rand index and the adjusted mutual information are 0 for agreement by
#' chance and 1 for identical groups, whatever their names. The first is about pairs of images, so
#' large clusters dominate it; the second gives small clusters more weight. Much of the literature
#' reports the normalized mutual information, which grows with the number of clusters by chance
#' alone.
#'
#' @param ... Two or more clusterings, with or without names. Each is the result of
#'   [cluster_images()]; a data frame with `image_id` and `cluster`; a vector of clusters named by
#'   `image_id`; or one cluster per image, in the order of the first clustering that has ids.
#'   Clusters are numbers, -1 for the residual, or text, such as categories of yours. For a list:
#'   `compare_clusterings(!!!several)`.
#' @param truth True classes, for the measures of [score_clustering()]: labels in the order of the
#'   first clustering, a data frame with `image_id` and `label`, or the name of a column of the
#'   first clustering. Missing labels are left out.
#' @param residual Treatment of images that belong to no cluster. `"alone"`: each counts as a
#'   cluster of its own, so that a clustering does not gain by leaving difficult images out.
#'   `"drop"`: two clusterings are compared on the images that are in clusters of both, and the
#'   measures against `truth` use only images in clusters. The flows always include all images.
#' @param images Treatment of clusterings of different images. `"same"`: they are an error.
#'   `"common"`: only the images that all clusterings contain are compared.
#'
#' @returns A tibble with a row for each pair of clusterings: `a`, `b`, `n_images`, `adjusted_rand`,
#'   `normalized_mutual_info`, `adjusted_mutual_info`. [tidy()][tidiers] with `"flows"` returns a
#'   row for each two clusters that share an image: `cluster_a`, `cluster_b`, `n` images, and
#'   `share_a` and `share_b`, their shares of the images in each cluster. [glance()][tidiers] gives
#'   a row per clustering: sizes, residual and, with `truth`, precision, recall and `f1` over pairs
#'   of images, their B-cubed twins, adjusted Rand index and adjusted mutual information.
#'   [autoplot()][autoplot.imagestrata_comparison] draws the flows.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' coarse <- data.frame(image_id = topics$image_id, cluster = (topics$cluster + 1) %/% 2)
#' found <- compare_clusterings(fine = topics, coarse = coarse)
#' found
#' tidy(found, "flows")
#' glance(found)
compare_clusterings <- function(..., truth = NULL, residual = "alone", images = "same") {
  clusterings <- check_clusterings(...)
  sent <- call_core(
    "compare_clusterings",
    clusterings = list(
      kind = "several",
      several = unname(Map(send_clusters, clusterings, names(clusterings))),
      names = as.list(names(clusterings))
    ),
    truth = send_truth(truth),
    residual = check_residual(residual),
    images = check_string(images, "images")
  )
  new_result(sent, "imagestrata_comparison", "pairs")
}

# Clusterings by name. Without a name, the name is that of the variable, or the number of the
# argument.
check_clusterings <- function(..., call = rlang::caller_env()) {
  given <- rlang::enquos(...)
  names <- rlang::names2(given)
  unnamed <- which(names == "")
  names[unnamed] <- vapply(unnamed, function(place) {
    quo <- given[[place]]
    if (rlang::quo_is_symbol(quo)) rlang::as_name(quo) else as.character(place)
  }, "")
  if (length(given) < 2 || anyDuplicated(names) > 0) {
    abort_imagestrata(
      "Two or more clusterings are needed, each with a name of its own; got
       {length(given)}{?/, named/, named} {.val {names}}.",
      hint = "For example {.code compare_clusterings(first = topics, second = others)}; of a list,
              {.code compare_clusterings(!!!several)}.",
      call = call
    )
  }
  rlang::set_names(lapply(given, rlang::eval_tidy), names)
}

# A table, or one value per image. The vectors of a clustering are not sent.
send_clusters <- function(x, name, call = rlang::caller_env()) {
  if (is.data.frame(x)) {
    x <- plain_tibble(x)
    check_data_frame(
      x, name, call,
      needs = "image_id", hint = "Rename the column that identifies the images."
    )
  } else if (is.atomic(x) && length(x) > 0 && is.null(dim(x))) {
    x <- tibble::tibble(image_id = names(x), cluster = unname(x))
  } else {
    abort_imagestrata(
      "{.arg {name}} must be the result of {.fn cluster_images}, a data frame with {.var image_id},
       or one value per image, not {seen(x)}.",
      call = call
    )
  }
  if (name != "truth") {
    warn_about_zero(x, name)
  }
  list(kind = "labels", table = encode_table(x, call))
}

# Python numbers clusters from 0 and marks the residual by -1; dbscan and mclust number them from 1
# and mark it by 0.
warn_about_zero <- function(x, name) {
  column <- intersect(c("label", "cluster"), names(x))
  labels <- if (length(column) > 0) x[[column[[1]]]]
  if (is.character(labels) || any(labels %in% -1)) {
    return()
  }
  n <- sum(labels %in% 0)
  if (n > 0) {
    warn_imagestrata(
      "The label 0 in {.arg {name}} is a cluster like the others, with {count_of(n, 'image')}.",
      hint = "In results of {.pkg dbscan} and {.pkg mclust}, 0 marks the residual: use {.val {NA}}
              for these images."
    )
  }
}

#' @export
tbl_sum.imagestrata_comparison <- function(x, ...) {
  lines <- glance(x)
  c(
    "Comparison" = paste0(
      count_of(nrow(lines), "clustering"), " of ", count_of(lines$n_images[[1]], "image"),
      if (from_json(attr(x, "settings"))$residual == "drop") ", the residual left out"
    ),
    "Clusters" = paste(lines$clustering, lines$n_clusters, collapse = ", ")
  )
}
