#' Find the images of a run that were moved, renamed or sorted into other folders
#'
#' Images that moved together with the run folder are found without this function. It is for images
#' that moved apart from it: the content of a file shows which image it is. All tables that are read
#' from the run folder then have the new paths. The tables themselves, and packets and pages that
#' you have handed out, do not change. Objects that are already in R keep the earlier paths: read
#' them again, for instance with [read_clustering()].
#'
#' Only files whose size in bytes is that of an image of the run are read. Of several copies of an
#' image, the one whose path resembles the earlier path most is used. Images that are not in
#' `images` but still at their earlier place stay there. The result is stored in the run folder; the
#' same call again reads only what has changed, and an interrupted one continues. Each call replaces
#' the places that an earlier one found, so give all folders that contain images of the run.
#'
#' @param run A run folder, or a variant in one.
#' @param images The folder in which the images are now, with all its subfolders; or several folders
#'   and files.
#' @param check Read every file that has the size of an image of the run, to compare its content? If
#'   `FALSE`, a file is accepted unread if it is the only one with the name and the size of an
#'   image; other files are read. This saves time if a large collection was only moved. An accepted
#'   file of other content is noticed later: every step that reads it reports that it has changed.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per file of the run, then one per other file in `images`:
#'   `image_id` (missing for other files); `path`, where the file is now, or where a missing one was
#'   last; `was`, the path in the tables of the run; `status`: `"same"`, `"moved"`, `"missing"` or
#'   `"extra"` (no image of the run). A warning tells how many images are missing; they keep their
#'   rows, clusters and ratings.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' images <- file.path(tempfile(), "images")
#' dir.create(images, recursive = TRUE)
#' invisible(file.copy(list.files(imagestrata_example("images"), full.names = TRUE), images))
#' run <- tempfile()
#' invisible(scan_images(images, out = run, progress = FALSE))
#' invisible(file.rename(images, file.path(dirname(images), "archive")))
#' relink(run, file.path(dirname(images), "archive"), progress = FALSE)
relink <- function(run, images, check = TRUE, progress = TRUE, ...) {
  check_dots(...)
  decode_table(call_verb("relink", run = check_existing(run, "run")))
}
