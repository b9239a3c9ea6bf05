#' Join annotators' answers to the pairs that they judged
#'
#' @param files CSV files with the columns `pair_id`, `judgement` and `annotator`, such as the
#'   page of [export_pairs()] downloads; or JSON as Label Studio exports it (JSON or
#'   JSON-MIN); or a folder of these. Where a file names no annotator, its own name stands for one.
#' @param pairs The result of [sample_pairs()], or the file `...-key.csv` beside the export.
#' @param graded Were the pairs exported so?
#' @param sep The character that separates the columns of CSV files; by default (`NULL`) commas,
#'   semicolons or tabs, whichever fits.
#' @param encoding Encoding of the files; by default (`NULL`) UTF-8, or what a byte order mark says.
#'   Other text is read as Windows-1252, with a warning.
#' @inheritParams scan_images
#'
#' @returns A tibble with the columns of the pairs, `annotator` and `judgement` (0, 1 or 2);
#'   one row per judgement, in the order of the pairs. Pairs that nobody judged are absent,
#'   and a warning counts them.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 40, k = 5)
#' # What an annotator might send back:
#' answers <- tempfile("anna", fileext = ".csv")
#' same <- as.integer(pairs$stratum == "within")
#' write.csv(
#'   data.frame(pair_id = pairs$pair_id, annotator = "anna", judgement = same),
#'   answers,
#'   row.names = FALSE
#' )
#' read_pairs(answers, pairs)
read_pairs <- function(files, pairs, graded = FALSE, sep = NULL, encoding = NULL, ...) {
  check_dots(...)
  decode_table(call_verb(
    "read_pairs",
    files = send_files(files), pairs = send_table_or_file(pairs, "pairs", "sample_pairs")
  ))
}
