# Embeddings: a tibble of images, and a vector for each of them. The vectors are in the run folder,
# or in the object if there is no run folder. They are found by image_id, so rows can be filtered
# and sorted.

new_embeddings <- function(sent, folder = NULL) {
  images <- decode_table(sent[["images"]])
  matrix <- NULL
  if (!is.null(sent[["matrix"]])) {
    matrix <- decode_matrix(sent[["matrix"]])
    rownames(matrix) <- images$image_id
  }
  new_object(
    images,
    "imagestrata_embeddings",
    encoder = sent[["encoder"]],
    width = as.integer(sent[["width"]]),
    tables = list(failures = decode_table(sent[["failures"]])),
    folder = folder,
    matrix = matrix
  )
}

#' @export
tbl_sum.imagestrata_embeddings <- function(x, ...) {
  line <- glance(x)
  failed <- if (line$n_failures > 0) paste0(", ", count_of(line$n_failures, "failure"))
  c(
    "Embeddings" = paste0(
      count_of(line$n_images, "image"), ", ", count_of(line$width, "number"), " each, by ",
      line$encoder, failed
    ),
    "Run folder" = attr(x, "folder")
  )
}

#' @rdname tidiers
#' @export
glance.imagestrata_embeddings <- function(x, ...) {
  check_dots(...)
  tibble::tibble(
    n_images = nrow(x),
    width = attr(x, "width"),
    encoder = from_json(attr(x, "encoder"))[["name"]] %||% NA_character_,
    n_failures = nrow(tidy(x))
  )
}

#' @export
summary.imagestrata_embeddings <- function(object, ...) {
  settings <- from_json(attr(object, "encoder"))
  settings <- settings[lengths(settings) == 1]
  new_summary(
    title = tbl_sum(object)[["Embeddings"]],
    tables = list(
      "Encoder" = tibble::tibble(
        setting = names(settings), value = vapply(settings, as.character, "")
      ),
      "Images that failed" = tidy(object)
    )
  )
}

#' Extract the vectors of embeddings
#'
#' @param x Embeddings, from [embed_images()].
#' @param ... Not used.
#'
#' @returns A numeric matrix with a row for each row of `x`, named by `image_id`. The vectors are
#'   read from the run folder if there is one.
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' embeddings <- embed_images(folder, encoder = "hog", progress = FALSE)
#' vectors <- as.matrix(embeddings)
#' dim(vectors)
as.matrix.imagestrata_embeddings <- function(x, ...) {
  check_dots(...)
  matrix <- attr(x, "matrix")
  if (is.null(matrix)) {
    matrix <- read_matrix(check_folder(x, "x"))
  }
  rows <- match(x$image_id, rownames(matrix))
  unknown <- x$image_id[is.na(rows)]
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg x} has {length(unknown)} image{?s} without a vector, for example {.val
       {unknown[[1]]}}.",
      hint = "Call {.fn embed_images} again on the images you want."
    )
  }
  matrix[rows, , drop = FALSE]
}

read_matrix <- function(folder, call = rlang::caller_env()) {
  stored <- call_core("read_matrix", folder, call = call)
  matrix <- decode_matrix(stored[["matrix"]])
  rownames(matrix) <- decode_table(stored[["ids"]])$image_id
  matrix
}

#' Read embeddings and clusterings of an earlier run
#'
#' @param folder A run folder with results of [embed_images()] or [cluster_images()], from R, from
#'   Python or from the command `imagestrata run`.
#' @inheritParams scan_images
#'
#' @returns The result that [embed_images()] or [cluster_images()] returned.
#' @export
#' @examplesIf imagestrata_ready()
#' run <- tempfile()
#' cluster_images(imagestrata_example("images"), encoder = "hog", out = run, progress = FALSE)
#' read_clustering(run)
#' read_embeddings(run)
read_embeddings <- function(folder, ...) {
  check_dots(...)
  folder <- check_existing(folder, "folder")
  new_embeddings(call_core("read_embeddings", folder), folder)
}
