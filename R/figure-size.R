#' Size of a figure in a journal
#'
#' Returns the width and height of a figure for one or two columns of a journal, in inches as
#' [ggplot2::ggsave()] takes them, and the size of text that is readable when it is printed.
#'
#' @param columns Columns of the journal that the figure fills: 1 (85 mm) or 2 (178 mm).
#' @param height Height in inches. By default (`NULL`) four fifths of the width for one column and
#'   half of it for two; figures with many rows need more, about a fifth of an inch for a row.
#' @inheritParams scan_images
#'
#' @returns A list of `width` and `height`, in inches, and `text`, the size of text in points: give
#'   it to `theme(text = )`, as in the example. All text of a figure is relative to it.
#' @family plots
#' @export
#' @examples
#' size <- figure_size(columns = 1, height = 4)
#' plot <- plot_rating_means(rating_means(simulated_ratings)) +
#'   ggplot2::theme(text = ggplot2::element_text(size = size$text))
#' file <- tempfile(fileext = ".png")
#' ggplot2::ggsave(file, plot, width = size$width, height = size$height)
figure_size <- function(columns = 1, height = NULL, ...) {
  check_dots(...)
  columns <- check_count(columns, "columns")
  if (!columns %in% 1:2) {
    abort_imagestrata("{.arg columns} must be 1 or 2, not {columns}.")
  }
  height <- check_number(height, "height", null = TRUE, minimum = 0.5)
  width <- c(3.35, 7)[columns]
  list(
    width = width, height = height %||% round(c(0.8, 0.5)[columns] * width, 2),
    text = c(9, 10)[columns]
  )
}
