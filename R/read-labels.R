#' Read the labels that annotators gave
#'
#' @param files CSV files that annotators downloaded from the page of [export_labels()] or
#'   [coding_sheet()], or filled in; or exports of Label Studio (JSON or JSON-MIN); or a folder of
#'   these. If a file names no annotator, the name of the file names the annotator.
#' @param key The folder of the export, the file `...-key.csv` beside it, or the result of
#'   [coding_sheet()].
#' @param codes The codes as in [export_labels()], if `key` is another table of the images.
#' @param sep The character that separates the columns of CSV files. By default (`NULL`) it is
#'   detected: a comma, a semicolon or a tab.
#' @param encoding Encoding of the files. By default (`NULL`) UTF-8, or that of a byte order mark;
#'   other text is read as Windows-1252, with a warning.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per image, code and annotator with a label:
#'
#'   - `image_id`, by which it joins to the sample, and `code`;
#'   - `label`, a text: `"1"` or `"0"` for yes or no, a number for a scale; `NA` if the annotator
#'     skipped the image;
#'   - `annotator`;
#'   - `note`, with the reason of a skipped image before it; `NA` if there is none;
#'   - `kind`: `"binary"`, `"choice"`, `"scale"` or `"text"`;
#'   - `seconds` spent on the image; `NA` if unknown.
#'
#'   A message says how fast each annotator was; `attr(labels, "pace")` is a tibble of it, with
#'   `annotator`, `n_images`, `n_skipped` and `seconds`, the mean per image. Warnings count images
#'   without a label, with some of the codes only, or with fewer annotators than asked for.
#' @seealso [agreement()] and [consensus()] take the labels as they are.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
#' sample <- sample_images(topics, n_per_cluster = 3)
#' folder <- export_labels(sample, tempfile(), "people", to = "csv", progress = FALSE)
#'
#' # What an annotator might send back:
#' answers <- read.csv(file.path(folder, "coder-1.csv"), colClasses = "character")
#' answers$people <- rep_len(c("yes", "no"), nrow(answers))
#' file <- file.path(tempdir(), "anna.csv")
#' write.csv(answers, file, row.names = FALSE)
#' read_labels(file, folder)
read_labels <- function(files, key, codes = NULL, sep = NULL, encoding = NULL, ...) {
  sent <- call_verb(
    "read_labels",
    files = send_files(files), key = send_table_or_file(key, "key", "export_labels"),
    codes = send_codes(codes)
  )
  labels <- decode_table(sent[["table"]])
  pace <- decode_table(sent[["pace"]])
  attr(labels, "pace") <- pace
  speed <- ifelse(is.na(pace$seconds), "", sprintf(", %.1f seconds each", pace$seconds))
  lines <- paste0(vapply(pace$n_images, count_of, "", word = "image"), speed)
  cli::cli_inform(c(
    "v" = "Labels of {nrow(pace)} annotator{?s}:",
    rlang::set_names(paste0("{.val {pace$annotator[", seq_along(lines), "]}}: ", lines), "*")
  ))
  labels
}
