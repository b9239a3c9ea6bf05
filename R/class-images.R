# The table of images that scan_images() returns.

new_images <- function(data, folder = NULL) {
  new_object(data, "imagestrata_images", folder = folder)
}

#' @export
tbl_sum.imagestrata_images <- function(x, ...) {
  n <- glance(x)
  c(
    "Scanned" = paste0(
      count_of(n$n_files, "file"), ", ", count_of(n$n_images, "distinct image"), ", ",
      n$n_duplicates, " duplicate, ", n$n_rejected, " rejected",
      if (n$n_gone > 0) paste0("; ", n$n_gone, " gone")
    ),
    "Run folder" = attr(x, "folder")
  )
}

#' @rdname tidiers
#' @export
glance.imagestrata_images <- function(x, ...) {
  check_dots(...)
  tibble::tibble(
    n_files = nrow(x),
    n_images = sum(x$status == "ok"),
    n_duplicates = sum(x$status == "duplicate"),
    n_rejected = sum(x$status == "rejected"),
    n_gone = if ("gone" %in% names(x)) sum(x$gone) else 0L
  )
}

#' @rdname tidiers
#' @export
tidy.imagestrata_images <- function(x, ...) {
  check_dots(...)
  dplyr::count(plain_tibble(x), .data$status, .data$reason, sort = TRUE)
}

#' @export
summary.imagestrata_images <- function(object, ...) {
  new_summary(
    title = tbl_sum(object)[["Scanned"]],
    tables = list(
      "Why files are not used" = dplyr::filter(tidy(object), .data$status != "ok"),
      "Formats" = dplyr::count(plain_tibble(object), .data$format, sort = TRUE)
    )
  )
}
