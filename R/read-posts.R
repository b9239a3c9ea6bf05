#' Read posts from files of CSV or JSON
#'
#' Reads the exports of 4CAT, and other files in which each line or object is a post. Nothing is
#' downloaded.
#'
#' @section Times:
#' Numbers are seconds since 1970 (with 13 digits milliseconds, with 16 microseconds). Texts are ISO
#' 8601 (`"2024-05-01 18:30:00+02:00"`), or as in e-mails and at Twitter. If a text states a zone,
#' it is converted to UTC; otherwise it is a local time of `time_zone`. Hours that exist twice or
#' never when clocks change are missing. Dates such as 03/04/2024 are not guessed: they are missing,
#' with a warning. The column with the original times stays. 4CAT's `unix_timestamp` is preferred to
#' its `timestamp`, which some servers write in local time.
#'
#' @section 4CAT:
#' CSV files, NDJSON files and both forms of `.metadata.json` are read as the sources of 4CAT (2024
#' to 2026) write them.
#'
#' @param files CSV files, or files of JSON (`.json`, `.ndjson`, `.jsonl`): one object per line, or
#'   a list of objects. Several files are read as one table.
#' @param columns A named list or vector: the names in the files of the columns `post_id`, `author`,
#'   `time`, `text` and `media` (one or several). A dot leads into an object of JSON: `c(text =
#'   "record.text")`. By default (`NULL`) the names that 4CAT and other tools use; `attr(x,
#'   "columns")` has those found.
#' @param images The folder of images that 4CAT downloaded, unpacked, with its file
#'   `.metadata.json`, which says whose post each file is. `media` are then the paths of these
#'   files.
#' @param time_zone The zone of times that state none, such as `"Europe/Berlin"`.
#' @inheritParams read_pairs
#'
#' @returns A tibble with one row per post, in the order of the files: `post_id`, as text; `author`,
#'   as text, `time` in UTC, and `text`, missing where a file has none; `media`, a list of names,
#'   paths or addresses of images, empty without images; with `images`, `media_failed`, a list of
#'   addresses that could not be downloaded; then all other columns. Objects of JSON become columns
#'   such as `user.name`, and lists of objects text in JSON. Columns of ids (`id`, `..._id`) are
#'   text; numbers are numbers if no digit is lost. If posts are repeated, the first row is kept,
#'   with the images of all, and `attr(x, "repeated")` has their ids.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' file <- tempfile(fileext = ".csv")
#' writeLines(c(
#'   "id,author,timestamp,body,image_url",
#'   "1234567890123456789,anna,2024-05-01 18:30:00,Vote!,\"a.jpg,b.jpg\""
#' ), file)
#' read_posts(file, time_zone = "Europe/Berlin")
read_posts <- function(files,
                       columns = NULL,
                       images = NULL,
                       time_zone = "UTC",
                       sep = NULL,
                       encoding = NULL,
                       ...) {
  sent <- call_verb(
    "read_posts",
    files = send_files(files),
    columns = send_columns(columns),
    images = if (!is.null(images)) check_existing(images, "images")
  )
  posts <- decode_table(sent[["posts"]])
  found <- jsonlite::fromJSON(sent[["found"]])
  for (name in names(found)) {
    attr(posts, name) <- found[[name]]
  }
  posts
}

send_columns <- function(x, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (!rlang::is_named(x) || !all(vapply(x, is.character, NA))) {
    abort_imagestrata(
      "{.arg columns} must be a named list or vector of names of columns, not {seen(x)}.",
      hint = "For example {.code columns = c(post_id = \"id\", text = \"body\")}.",
      call = call
    )
  }
  send_json(lapply(as.list(x), \(one) if (length(one) == 1) jsonlite::unbox(one) else one))
}
