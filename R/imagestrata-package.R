#' @section Getting started:
#' Call `install_imagestrata()` once, then
#' ```r
#' topics <- cluster_images("photos/")
#' topics
#' autoplot(topics)
#' plot_montage(topics)
#' drawn <- sample_images(topics)
#' image_gallery(topics, "run", sample = drawn)
#' ```
#'
#' Python does the computation. It starts when a function first needs it, never when you load the
#' package. The tables that functions return need no Python: you can store them with `saveRDS()` and
#' use them anywhere.
#'
#' @section Long jobs:
#' With a run folder (`out =`), an interrupted call continues where it stopped when you repeat it.
#'
#' @section Run folders:
#' The results in a run folder belong together: a verb refuses another clustering, sample or set of
#' vectors than that in the folder. `overwrite = TRUE` replaces a result and everything that was
#' made from it: figures are removed, and material for annotators (samples, packets, pages, pairs,
#' coding sheets) moves to `replaced/` in the folder. If a result was deleted or damaged, the same
#' call makes it again.
#'
#' To keep two clusterings or two encoders in one run, use a variant as `out`, a folder such as
#' `"run/variants/five"`. A variant uses the results of the run that it does not have itself, and
#' [read_clustering()] and [read_embeddings()] read it like any run folder.
#'
#' @keywords internal
"_PACKAGE"

## usethis namespace: start
#' @importFrom rlang %||% .data .env
## usethis namespace: end
NULL
