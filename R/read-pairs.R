#' Read the judgements of pairs
#'
#' @param files CSV files with the columns `pair_id`, `judgement` and `annotator`, such as those
#'   downloaded from the page of [export_pairs()]; or exports of Label Studio (JSON or JSON-MIN); or
#'   a folder of these. If a file names no annotator, the name of the file names the annotator. With
#'   several questions, a further column `question`, or one column for each question.
#' @param pairs The result of [sample_pairs()], or the export or its file `...-key.csv`.
#' @param graded Were the pairs exported with `graded = TRUE`?
#' @param questions The value of `questions` in [export_pairs()]. By default (`NULL`) that of the
#'   export, if `pairs` is the export or its key, or the names in the column `question` of the
#'   files.
#' @param sep The character that separates the columns of CSV files. By default (`NULL`) it is
#'   detected: a comma, a semicolon or a tab.
#' @param encoding Encoding of the files. By default (`NULL`) UTF-8, or that of a byte order mark;
#'   other text is read as Windows-1252, with a warning.
#' @inheritParams scan_images
#'
#' @returns A tibble with the columns of the pairs, `annotator` and `judgement` (0, 1 or 2); one row
#'   per judgement, in the order of the pairs. With several questions, the column `question` has the
#'   name of each, and there is a row per judgement of each. Pairs without a judgement are left out,
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
read_pairs <- function(files,
                       pairs,
                       graded = FALSE,
                       questions = NULL,
                       sep = NULL,
                       encoding = NULL,
                       ...) {
  decode_table(call_verb(
    "read_pairs",
    files = send_files(files), pairs = send_table_or_file(pairs, "pairs", "sample_pairs"),
    questions = send_pair_questions(questions)
  ))
}
