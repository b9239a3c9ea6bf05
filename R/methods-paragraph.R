#' The paragraph on methods that a paper needs
#'
#' Tells what was done to the images, from what a run folder records: how many files there were, how
#' many of them were usable, duplicates or rejected, and why; the encoder, with the SHA-256 of its
#' weights; the clustering method, with all its settings, and how many clusters and images outside
#' of clusters it found; the sample; pairs, packets, texts and labels, if there are any; versions of
#' the software. A paragraph for each variant of the run follows, and a last line with what to cite.
#'
#' All numbers are those of `run.json`. The paragraph says what was done, and not why: add your
#' reasons, and shorten what your readers need not know. A step that is unfinished is left out, with
#' a warning.
#'
#' @param run A run folder. For a variant (`run/variants/NAME`), the paragraph tells what the
#'   variant is made from, too.
#' @inheritParams scan_images
#'
#' @returns A string; `cat()` it.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' run <- tempfile()
#' cluster_images(imagestrata_example("images"), encoder = "hog", out = run, progress = FALSE)
#' cat(strwrap(methods_paragraph(run)), sep = "\n")
methods_paragraph <- function(run, ...) {
  check_dots(...)
  run <- check_existing(run, "run")
  call_verb("methods_paragraph", run = run)
}
