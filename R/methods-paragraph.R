#' Write the methods paragraph for a paper
#'
#' Describes the steps of a study from the records of its run folder: the number of files that are
#' usable, duplicates or rejected, with reasons; the encoder, with the SHA-256 of its weights; the
#' clustering method with all its settings, the number of clusters and of images outside clusters;
#' the sample; pairs, packets, texts and labels, if there are any; and the versions of the software.
#' A paragraph for each variant of the run follows. The last line names what to cite.
#'
#' All numbers come from `run.json`. The paragraph says what was done, not why: add your reasons,
#' and remove details that your readers do not need. Unfinished steps are left out, with a warning.
#'
#' @param run A run folder. For a variant (`run/variants/NAME`), the paragraph also describes the
#'   results of the run that the variant uses.
#' @inheritParams scan_images
#'
#' @returns A string. Print it with `cat()`.
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
