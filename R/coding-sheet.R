#' Have the most and the least certain images of each cluster coded
#'
#' @description `coding_sheet()` writes a page that shows the most and the least certain images of
#' each cluster, with a field for every code below each image, and the same as CSV. `read_coding()`
#' reads the files that coders return.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The HTML file to write; The CSV file of the same name beside it has the same images
#'   and empty columns, for coders who prefer a spreadsheet. The page contains its images, opens in
#'   any browser without a network, keeps the entries of each coder until they are downloaded as
#'   CSV, and sends nothing anywhere.
#' @param codes The codes: names, or a list with names and the answers to choose from, such as
#'   `list(people = c("yes", "no"), frame = NULL)`, where `NULL` means free text. In
#'   `read_coding()`, the names of the codes; by default (`NULL`) the empty columns of the sheet.
#' @param n Number of most certain and of least certain images of each cluster. No image occurs
#'   twice: in a cluster with fewer than `2 * n` images, the least certain are those that remain
#'   after the most certain.
#' @param clusters Numbers of clusters, -1 for the residual. By default all clusters except the
#'   residual.
#' @param by The measure of certainty: `"probability"` (of HDBSCAN), `"silhouette"`, or `"distance"`
#'   to the centroid. By default the probability if there is one, else the silhouette.
#' @param columns Columns of `clustering` with metadata that are shown with each image. By default
#'   all your own columns. Empty columns are left out.
#' @param question The question to coders.
#' @param warning A text that coders read before they see the first image.
#' @param sep The character that separates the columns of CSV files. By default (`NULL`) it is
#'   detected: a comma, a semicolon or a tab.
#' @param encoding Encoding of the files. By default (`NULL`) UTF-8, or that of a byte order mark;
#'   other text is read as Windows-1252, with a warning.
#' @param exclude Images that coders must not see, by id, path or file name: a vector, a data frame,
#'   or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry that
#'   matches no image is an error, and nothing is written. Other images take their places.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @inheritParams scan_images
#' @param files The files that coders downloaded from the page, or the CSV files that they filled
#'   in. If a file has no column `coder`, the name of the file names the coder.
#' @param sheet The result of `coding_sheet()`, or the file `...-key.csv` beside its page.
#'
#' @returns `coding_sheet()`: invisibly, a tibble with one row per image: `cluster`; its names, if it
#'   has any, which neither the page nor the CSV shows unless `columns` lists them; `certainty`,
#'   `"most"` or `"least"`; `rank`, which starts at 1 with the most or the least certain image;
#'   `image_id`, `path`; the measure of certainty; metadata; an empty column for each code. In the
#'   CSV file, a quote precedes text that a spreadsheet would treat as a formula.
#'
#'   `read_coding()`: a tibble with one row per image, coder and code with a value: `cluster`,
#'   `certainty`, `rank`, `image_id`, `coder`, `code`, `value`. Join it to the clustering by
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
  sheet <- call_verb("coding_sheet", codes = send_codes(codes))
  cli::cli_inform(c("v" = "For coders: {.file {out}}"))
  invisible(decode_table(sheet))
}

#' @rdname coding_sheet
#' @export
read_coding <- function(files, sheet, codes = NULL, sep = NULL, encoding = NULL, ...) {
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
