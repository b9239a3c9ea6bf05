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
#' never by loading the package. Functions return tables that need no Python:
#' they can be saved with `saveRDS()` and worked on anywhere.
#'
#' @section Long jobs:
#' Give a run folder (`out =`), and an interrupted call goes on where it stopped when
#' it is made again.
#'
#' @section Run folders:
#' A run folder is one story: a verb that is given another clustering, sample or vectors than its
#' folder holds is refused. `overwrite = TRUE` replaces a result and takes along what was built on
#' it: figures are removed, and what people work with (samples, packets, pages for annotators,
#' pairs, coding sheets) moves to `replaced/` in the folder. A result that was deleted or damaged is
#' made again by the same call.
#'
#' To keep two clusterings or two encoders in one run, give a variant as `out`, a folder such as
#' `"run/variants/five"`. It takes from the run around it every result that it does not have itself,
#' and [read_clustering()] and [read_embeddings()] read it like any run folder.
#'
#' @keywords internal
"_PACKAGE"

## usethis namespace: start
#' @importFrom rlang %||% .data .env
## usethis namespace: end
NULL
