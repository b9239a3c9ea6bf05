#' Code the clearest and the most doubtful images of each cluster
#'
#' @description
#' `coding_sheet()` writes a page with the most and the least certain images of each cluster and a
#' field for every code below each image, and the same as CSV. `read_coding()` reads what coders
#' send back.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The HTML file to write; `.csv` of the same name lies beside it, with the same images
#'   and empty columns, for those who code in a spreadsheet. The page holds its images, opens in
#'   any browser without a network, keeps what is typed, for each coder, until it is downloaded as
#'   CSV, and sends nothing anywhere.
#' @param codes The codes: names, or a list with names and the answers to choose from, such as
#'   `list(people = c("yes", "no"), frame = NULL)`, where `NULL` is for free text. In
#'   `read_coding()`, names of the codes; by default (`NULL`) the empty columns of the sheet.
#' @param n Images at either end of each cluster. No image comes twice: of a cluster with fewer
#'   than `2 * n`, the most certain come first and the rest are the least.
#' @param clusters Numbers of clusters, -1 for the residual. By default all but the residual.
#' @param by The measure of certainty: `"probability"` (of HDBSCAN), `"silhouette"`, or `"distance"`
#'   to the centroid. By default the probability where there is one, else the silhouette.
#' @param columns Metadata shown with each image, columns of `clustering`. By default all of yours.
#'   Columns without any value are left out.
#' @param question The question to coders.
#' @param warning A text that they read before they see the first image.
#' @param sep The character that separates the columns of CSV files; by default (`NULL`) commas,
#'   semicolons or tabs, whichever fits.
#' @param encoding Encoding of the files; by default (`NULL`) UTF-8, or what a byte order mark says.
#'   Other text is read as Windows-1252, with a warning.
#' @param exclude Images that nobody is to see, by id, path or name of the file: a vector, a data
#'   frame, or a file that ends in .txt, .csv or .tsv with one on each line or such a column. An
#'   entry that is none of the images is an error, before anything is written. Others take
#'   their places.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @inheritParams scan_images
#' @param files The files that coders downloaded from the page, or the CSV files that they filled
#'   in. Where a file has no column `coder`, its own name stands for one.
#' @param sheet The result of `coding_sheet()`, or the file `...-key.csv` beside its page.
#'
#' @returns `coding_sheet()`: invisibly, a tibble with one row per image: `cluster`; `certainty`,
#'   `"most"` or `"least"`; `rank`, from 1 at that end; `image_id`, `path`; what certainty is by;
#'   metadata; an empty column for each code. In the CSV, text that a spreadsheet would take for a
#'   formula has a quote before it.
#'
#'   `read_coding()`: a tibble with one row per image, coder and code with a value: `cluster`,
#'   `certainty`, `rank`, `image_id`, `coder`, `code`, `value`. It joins to the clustering by
#'   `image_id`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
#' page <- tempfile(fileext = ".html")
#' sheet <- coding_sheet(
#'   topics, page, list(people = c("yes", "no"), frame = NULL),
#'   n = 3, progress = FALSE
#' )
#' if (interactive()) browseURL(page)
#'
#' # What a coder might send back:
#' sheet$frame[1:2] <- c("conflict", "hope")
#' file <- file.path(tempdir(), "anna.csv")
#' write.csv(sheet, file, row.names = FALSE, na = "")
#' read_coding(file, sub("html$", "csv", page))
coding_sheet <- function(clustering,
                         out,
                         codes,
                         n = 10,
                         clusters = NULL,
                         by = NULL,
                         columns = NULL,
                         question = "What does each image show?",
                         warning = NULL,
                         exclude = NULL,
                         thumbnail = 400,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  check_dots(...)
  sheet <- call_verb("coding_sheet", codes = send_codes(codes))
  cli::cli_inform(c("v" = "For coders: {.file {out}}"))
  invisible(decode_table(sheet))
}

#' @rdname coding_sheet
#' @export
read_coding <- function(files, sheet, codes = NULL, sep = NULL, encoding = NULL, ...) {
  check_dots(...)
  decode_table(call_verb(
    "read_coding",
    files = send_files(files), sheet = send_table_or_file(sheet, "sheet", "coding_sheet"),
    codes = check_texts(codes, "codes")
  ))
}

send_codes <- function(codes, call = rlang::caller_env()) {
  if (is.character(codes) && is.null(names(codes))) {
    return(send_json(codes, auto_unbox = TRUE))
  }
  send_choices(codes, "codes", call) %||% send_json(list())
}
