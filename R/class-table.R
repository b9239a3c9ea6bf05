# Results are tibbles of images of a class of their own. What dplyr or `[` makes of one
# keeps its class as long as it still is what its class says; else it is a plain tibble.

new_image_table <- function(data, class, ...) {
  tibble::new_tibble(data, nrow = nrow(data), ..., class = c(class, "imagestrata_table"))
}

plain_tibble <- function(x) {
  columns <- unclass(x)
  attributes(columns) <- list(names = names(x))
  tibble::new_tibble(columns, nrow = nrow(x))
}

# Whether `new`, made from `old`, still deserves its class. Columns may come and images
# may be sorted or left out, except from a clustering and from labels that a rule has made: of
# some of their images they would contradict their own tables.
still_valid <- function(new, old) {
  class <- class(old)[[1]]
  all(needed_columns[[class]] %in% names(new)) && switch(class,
    imagestrata_clustering = same_elements(new$image_id, old$image_id),
    imagestrata_labels = nrow(new) == nrow(old),
    TRUE
  )
}

needed_columns <- list(
  imagestrata_images = c("image_id", "path", "status", "n_copies"),
  imagestrata_embeddings = c("image_id", "path"),
  imagestrata_clustering = c(
    "image_id", "path", "cluster", "iteration", "silhouette", "distance", "n_copies"
  ),
  imagestrata_sweep = c("min_cluster_size", "n_clusters", "share_noise", "silhouette"),
  imagestrata_sample = c("image_id", "cluster", "N_h", "n_h", "weight_corpus"),
  imagestrata_ratings = c("respondent_id", "image_id", "item", "dimension", "rating"),
  imagestrata_estimates = c("item", "dimension", "estimate", "std.error"),
  imagestrata_plan = c(
    "n_clusters", "images_per_cluster", "raters_per_group", "images_per_rater", "gap", "power"
  )
)

same_elements <- function(x, y) {
  identical(x, y) || (length(x) == length(y) && !anyDuplicated(x) && setequal(x, y))
}

restore <- function(new, old) {
  if (still_valid(new, old)) {
    kept <- attributes(old)[setdiff(names(attributes(old)), c("names", "row.names"))]
    attributes(new) <- c(list(names = names(new), row.names = .set_row_names(nrow(new))), kept)
    new
  } else {
    plain_tibble(new)
  }
}

#' @export
`[.imagestrata_table` <- function(x, ...) {
  new <- NextMethod()
  if (is.data.frame(new)) restore(new, x) else new
}

#' @importFrom dplyr dplyr_reconstruct
#' @export
dplyr_reconstruct.imagestrata_table <- function(data, template) {
  restore(data, template)
}

#' @importFrom tibble as_tibble
#' @export
as_tibble.imagestrata_table <- function(x, ...) {
  plain_tibble(x)
}

count_of <- function(n, word) {
  paste(format(n, big.mark = ",", trim = TRUE), if (n == 1) word else paste0(word, "s"))
}

percent <- function(share) {
  sprintf("%.1f%%", 100 * share)
}

# Seconds as people say them.
duration <- function(seconds) {
  if (seconds < 60) {
    sprintf("%.1f s", seconds)
  } else if (seconds < 3600) {
    sprintf("%.0f min", seconds / 60)
  } else {
    sprintf("%.1f h", seconds / 3600)
  }
}
