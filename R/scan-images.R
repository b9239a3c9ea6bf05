#' Look at every file: usable, a copy of another, or why not
#'
#' Formats are told by content: JPEG, PNG, GIF (its first frame), WebP, BMP and TIFF (its
#' first page). An image's id is the hash of its bytes, so it stays the same wherever the
#' file goes.
#'
#' @param images A folder, which is walked with all folders in it; a character vector of
#'   folders and files; or a data frame with a column `path`, whose other columns travel
#'   along to the end. `~` and both kinds of slashes (the backward one on Windows) will do.
#'   Hidden files are passed over, and so are the folders that systems and network storage make,
#'   such as `@eaDir`, `#recycle` and `$RECYCLE.BIN`.
#' @param min_bytes Reject smaller files, in bytes.
#' @param min_side Reject images with a side shorter than this, in pixels.
#' @param near_duplicates Treat images as copies whose perceptual hashes differ in at most
#'   this many of 64 bits; about 4 finds re-encoded and resized copies. By default (`NULL`)
#'   only exact copies are found.
#' @param exclude Patterns of files and folders to pass over, as a character vector: `*` stands
#'   for any text, `?` for one character and `[ab]` for one of several. `"*_thumb.jpg"` and
#'   `"previews"` are names, `"2019/drafts/*"` is a path. Small and capital letters differ. A
#'   pattern that matches nothing is a warning.
#' @param out A run folder. Results are written there, an interrupted call goes on where it
#'   stopped when it is made again, and a finished one is loaded.
#' @param overwrite Replace what an earlier call with other settings left in `out`, and the
#'   steps built on it.
#' @param progress Show a progress bar? Or a function, called as
#'   `f(step, done, total)`.
#' @param engine A Dask cluster to work on: the address of its scheduler, such as
#'   `"tcp://node7:8786"`, or the file that the scheduler writes (`"scheduler.json"`). Its
#'   workers must see the files under the same paths. Results are the same as without it, and
#'   a worker that dies costs nothing but time. By default (`NULL`) the cores of this machine.
#' @param ... Nothing else: a misspelt argument is an error that names the one that is meant.
#'
#' @returns A tibble with one row per file, sorted by path: `image_id`, `path`, `format`,
#'   `width`, `height`, `bytes`, `status` (`"ok"`, `"duplicate"` or `"rejected"`), `reason`,
#'   `duplicate_of`, `n_copies`, then the columns of your own.
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
                        out = NULL,
                        overwrite = FALSE,
                        progress = TRUE,
                        engine = NULL,
                        ...) {
  check_dots(...)
  out <- check_path(out, "out", null = TRUE)
  table <- call_verb("scan_images", exclude = check_texts(exclude, "exclude"))
  new_images(decode_table(table), out)
}
