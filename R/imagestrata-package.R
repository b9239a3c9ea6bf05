#' @section Getting started:
#' `install_imagestrata()` once, then
#' ```r
#' topics <- cluster_images("photos/")
#' topics
#' autoplot(topics)
#' plot_montage(topics)
#' drawn <- sample_images(topics)
#' image_gallery(topics, "run", sample = drawn)
#' ```
#'
#' The work is done in Python, which is started when the first function needs it and
#' never by loading the package. What functions return are tables that need no Python:
#' they can be saved with `saveRDS()` and worked on anywhere.
#'
#' @section Long jobs:
#' Give a run folder (`out =`), and an interrupted call goes on where it stopped when
#' it is made again.
#'
#' @keywords internal
"_PACKAGE"

## usethis namespace: start
#' @importFrom rlang %||% .data .env
## usethis namespace: end
NULL
