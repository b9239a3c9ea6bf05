# A clustering: a tibble of images with their clusters. Its attributes are the tables of clusters,
# of iterations and of the one-row summary, the centroids and the settings.

new_clustering <- function(sent, folder = NULL, source = folder) {
  tables <- lapply(sent[["tables"]], decode_table)
  new_object(
    tables[["images"]],
    "imagestrata_clustering",
    tables = tables[intersect(
      c(
        "clusters", "trace", "searches", "summary",
        if (isTRUE(nrow(tables[["renumbered"]]) > 0)) "renumbered",
        if (isTRUE(nrow(tables[["edits"]]) > 0)) "edits",
        if (isTRUE(nrow(tables[["themes"]]) > 0)) c("themes", "tree"),
        if (isTRUE(nrow(tables[["proposals"]]) > 0)) "proposals"
      ),
      names(tables)
    )],
    centroids = decode_matrix(sent[["centroids"]]),
    settings = sent[["settings"]],
    folder = folder,
    source = source
  )
}

#' @export
tbl_sum.imagestrata_clustering <- function(x, ...) {
  line <- glance(x)
  c(
    "Visual topics" = paste0(
      line$n_clusters, " in ", count_of(line$n_images, "image"), ", ",
      if (line$n_residual == 0) "none" else format(line$n_residual, big.mark = ","),
      " in the residual"
    ),
    "Joined later" = if (n_added(x) > 0) sub(" joined later", "", joined_later(x)),
    "Carried over" = if (!is.null(attr(x, "tables")[["renumbered"]])) {
      paste0(count_of(sum(tidy(x, "renumbered")$carried), "number"), " of the clusters before")
    },
    "Edited" = if (n_edits(x) > 0) count_of(n_edits(x), "edit"),
    "Proposed" = if (!is.null(attr(x, "tables")[["proposals"]])) {
      paste0(count_of(nrow(tidy(x, "proposals")), "name"), ", which nobody has accepted yet")
    },
    "Grouped" = if (!is.null(attr(x, "tables")[["themes"]])) {
      count_of(nrow(tidy(x, "themes")), "theme")
    },
    "Made by" = paste0(
      line$method, ", ", count_of(line$n_iterations, "iteration"),
      if (!is.na(line$encoder)) paste0(", encoder ", line$encoder),
      if (!is.na(line$seed)) paste0(", seed ", line$seed)
    ),
    "Run folder" = attr(x, "folder")
  )
}

# Images that joined the clusters after these were found; clusterings of older versions have none.
n_added <- function(x) glance(x)[["n_added"]] %||% 0L

# Edits of the ledger; proposed names change nothing and do not count.
n_edits <- function(x) {
  edits <- attr(x, "tables")[["edits"]]
  length(unique(edits$edit[edits$action != "propose"]))
}

joined_later <- function(x) {
  residual <- sum(x$cluster == -1 & x$added)
  paste0(
    count_of(n_added(x), "image"), " joined later, ", format(residual, big.mark = ","),
    " of them residual"
  )
}

#' @rdname tidiers
#' @export
augment.imagestrata_clustering <- function(x, data = NULL, ...) {
  check_dots(...)
  images <- plain_tibble(x)
  if (is.null(data)) {
    return(images)
  }
  keys <- c("image_id", "path", "file")
  check_data_frame(
    data, "data",
    any_of = keys, hint = "Rename the column that identifies the images."
  )
  data <- with_text_ids(plain_tibble(tibble::as_tibble(data)))
  names <- data[intersect(c(keys, "duplicate_of", "status"), names(data))]
  found <- call_core("rows_of_clustering", send_clustering(x), encode_table(names))
  rows <- decode_table(found)$row
  ours <- setdiff(names(images), keys)
  if (all(c("status", "duplicate_of") %in% names(data))) {
    # These columns of the clustering came from this table.
    found_here <- c(
      "cluster", "iteration", "silhouette", "distance", "second_cluster", "margin"
    )
    ours <- setdiff(ours, setdiff(names(data), found_here))
  }
  data <- keep_given(data, ours, "the clustering")
  if (!"image_id" %in% names(data)) {
    data <- tibble::add_column(data, image_id = images$image_id[rows], .before = 1)
  }
  dplyr::bind_cols(data, images[rows, ours])
}

#' @export
summary.imagestrata_clustering <- function(object, ...) {
  line <- glance(object)
  clusters <- tidy(object)
  lines <- paste(percent(line$n_residual / line$n_images), "of the images belong to no cluster.")
  if (n_added(object) > 0) {
    lines <- c(lines, paste0(joined_later(object), "."))
  }
  if (line$n_clusters > 0) {
    lines <- c(
      lines,
      sprintf(
        "Clusters have %d to %d images (median %g); the largest holds %s.",
        min(clusters$size), max(clusters$size), stats::median(clusters$size),
        percent(max(clusters$share))
      ),
      sprintf("The mean silhouette of the clustered images is %.2f.", line$mean_silhouette)
    )
  }
  lines <- c(lines, words_on_edits(object))
  n <- nrow(clusters)
  heading <- if (n > 10) paste("The largest 10 of", n, "clusters") else "Clusters"
  proposed <- attr(object, "tables")[["proposals"]]
  tables <- list(
    utils::head(clusters, 10), "Proposed names" = proposed, Iterations = tidy(object, "trace")
  )
  names(tables)[1] <- heading
  tables <- Filter(Negate(is.null), tables)
  new_summary(paste0("Visual topics: ", tbl_sum(object)[["Visual topics"]]), lines, tables)
}

# How many edits of each kind, and the names of the clusters.
words_on_edits <- function(object) {
  edits <- attr(object, "tables")[["edits"]]
  names <- names_of_clusters(tidy(object))
  actions <- table(edits$action[edits$applied & !duplicated(edits$edit)])
  kinds <- c(name = "name", merge = "merge", split = "split", move = "move", drop = "drop")
  kinds <- kinds[names(kinds) %in% names(actions)]
  n <- vapply(names(kinds), \(kind) count_of(actions[[kind]], kinds[[kind]]), "")
  c(
    if (length(n) > 0) {
      paste0(count_of(length(unique(edits$edit)), "edit"), ": ", toString(n), ".")
    },
    if (length(names) > 0) {
      shown <- paste(utils::head(names, 10), collapse = "; ")
      more <- if (length(names) > 10) paste0(" (and ", length(names) - 10, " more)")
      paste0(count_of(length(names), "cluster"), " with a name: ", shown, more, ".")
    }
  )
}

#' Assign new images to the clusters of an earlier clustering
#'
#' @param object A clustering, from [cluster_images()].
#' @param new_data The new images: the result of [embed_images()], or anything that it takes, which
#'   is then embedded as the images of the clustering were.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `path`, `file`, the nearest `cluster` (with
#'   its name), the `distance` to its centroid, and `second_cluster` and `margin` as in
#'   [augment()][tidiers].
#' @export
#' @examplesIf imagestrata_ready()
#' predict(demo_topics(), imagestrata_example("images"), progress = FALSE)
predict.imagestrata_clustering <- function(object, new_data, ..., weights = NULL,
                                           progress = TRUE) {
  check_dots(...)
  if (!inherits(new_data, "imagestrata_embeddings") && !is_vectors(new_data)) {
    new_data <- embed_like(object, new_data, weights, progress)
  }
  sent <- send(new_data, "new_data")
  decode_table(call_core("predict_clusters", send_clustering(object), sent))
}

embed_like <- function(clustering, images, weights, progress, call = rlang::caller_env()) {
  encoder <- from_json(attr(clustering, "settings"))[["encoder"]]
  if (is.null(encoder[["name"]])) {
    abort_imagestrata(
      "The clustering was made from vectors of your own, not from images.",
      hint = "Give the vectors of the new images, as a matrix.",
      call = call
    )
  }
  if (!is.null(encoder[["learnt_from"]])) {
    abort_imagestrata(
      "The encoder {.val {encoder[['name']]}} was fitted to the original images and cannot embed new
       ones comparably.",
      hint = "Embed and cluster all images together, or use another encoder.",
      call = call
    )
  }
  if (!is.null(encoder[["reduced_from"]])) {
    abort_imagestrata(
      "The clustering was made from reduced vectors ({encoder[['name']]}); the reduction was fitted
       to its images and cannot be applied to new ones.",
      hint = "Embed, reduce and cluster all images together.",
      call = call
    )
  }
  if (!is.null(encoder[["fine_tuned"]])) {
    abort_imagestrata(
      "The clustering was made with a network that you fine-tuned.",
      hint = "Embed the new images with it: {.code embed_images(images, model = ...)}.",
      call = call
    )
  }
  embed_images(
    images,
    encoder = encoder[["name"]],
    weights = weights,
    resize = encoder[["resize"]] %||% "rescale_crop",
    progress = progress
  )
}

#' @rdname read_embeddings
#' @export
read_clustering <- function(folder, ...) {
  check_dots(...)
  folder <- check_existing(folder, "folder")
  new_clustering(call_core("read_clustering", folder), folder)
}
