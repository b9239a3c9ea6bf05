#' Scan files for usable images
#'
#' Checks every file: it is a usable image, a copy of another image, or rejected with a reason. The
#' format is detected from the content: JPEG, PNG, GIF, WebP, AVIF, HEIF (HEIC), JPEG 2000, TIFF and
#' BMP. The first page or frame is used, or the primary picture of a HEIF. An image's id is the hash
#' of its bytes, so it stays the same if the file moves.
#'
#' @param images A folder, with all folders in it; a character vector of folders and files; or a
#'   data frame with a column `path`, whose other columns are kept in all results. If a file has
#'   several rows, columns in which these differ are left out, with a warning. Paths may contain `~`
#'   and, on Windows, backslashes. Hidden files are skipped, and so are folders that systems and
#'   network storage make, such as `@eaDir`, `#recycle` and `$RECYCLE.BIN`.
#' @param min_bytes Reject smaller files, in bytes.
#' @param min_side Reject images with a side shorter than this, in pixels.
#' @param near_duplicates Largest number of bits (of 64) in which the perceptual hashes of copies
#'   differ; about 4 finds re-encoded and resized copies. By default (`NULL`) only exact copies are
#'   found.
#' @param exclude Patterns of files and folders to skip, as a character vector: `*` matches any
#'   text, `?` one character and `[ab]` one of several. Patterns match names, such as
#'   `"*_thumb.jpg"` or `"previews"`, or paths, such as `"2019/drafts/*"`. Case matters. A pattern
#'   that matches nothing gives a warning.
#' @param truncated Files that end too early, such as interrupted downloads: `"reject"` them, or
#'   `"keep"` those that have at least half of their lines. Kept pictures are grey where lines are
#'   missing, in all later steps. AVIF, HEIF and JPEG 2000 are not stored in lines and always
#'   rejected, and so are interlaced PNGs and TIFFs whose header is at their end. A progressive JPEG
#'   has all lines early, in less detail.
#' @param out A run folder, in which results are stored. If you repeat an interrupted call, it
#'   continues where it stopped; a finished one is loaded.
#' @param overwrite Replace results of an earlier call with other settings in `out`, and the steps
#'   that were made from them?
#' @param progress Show a progress bar? You can also give a function, which is called as `f(step,
#'   done, total)`.
#' @param engine A Dask cluster that does the work: the address of its scheduler, such as
#'   `"tcp://node7:8786"`, or the file that the scheduler writes (`"scheduler.json"`). Its workers
#'   must have access to the files under the same paths. Results are the same as without it, also if
#'   a worker fails. By default (`NULL`) the cores of this machine do the work.
#' @param ... Must be empty. The error for a misspelt argument names the one that is meant.
#'
#' @returns A tibble with one row per file, sorted by path: `image_id`, `path`, `format`, `width`,
#'   `height`, `n_pages` (pages of a TIFF, frames of an animation, pictures of a HEIF),
#'   `truncated` (whether lines are missing from an image that is kept), `bytes`, `status` (`"ok"`,
#'   `"duplicate"` or `"rejected"`), `reason`, `duplicate_of`, `n_copies`, `gone` (an earlier scan
#'   in `out` found the file, which is not there any more), then columns of your own.
#'
#' @section A corpus that grows:
#' Give the same run folder again. Files with the same path, size and time of change are not
#' opened, and contents that were seen before are not decoded, whatever the names of their files.
#' Images that were kept stay kept, even if a copy of them is added. The row of a file that is gone
#' stays, so that its vectors, clusters and ratings stay; a file that was renamed or moved is not
#' gone. If less than half of the earlier images are among the given ones, these are another corpus,
#' and `out` is refused.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' images <- scan_images(imagestrata_example("images"), progress = FALSE)
#' images
#' tidy(images)
scan_images <- function(images,
                        min_bytes = 0,
                        min_side = 16,
                        near_duplicates = NULL,
                        exclude = NULL,
                        truncated = "reject",
                        out = NULL,
                        overwrite = FALSE,
                        progress = TRUE,
                        engine = NULL,
                        ...) {
  table <- call_verb("scan_images", exclude = check_texts(exclude, "exclude"))
  new_images(decode_table(table), absolute_path(out))
}
