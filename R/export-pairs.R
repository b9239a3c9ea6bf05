#' Write pairs of images for people to judge
#'
#' Annotators see neither stratum nor probability. Their answers come back with
#' [read_pairs()].
#'
#' @param pairs The result of [sample_pairs()].
#' @param out The file to write: `.html` for `"page"`, `.json` for `"labelstudio"`, else `.csv`.
#' @param to Where annotators work. `"page"`: one page that holds the images and opens in any
#'   browser, without a network; it takes answers from the keyboard, keeps them in that browser
#'   until they are downloaded as CSV, and sends nothing anywhere. `"labelstudio"`: tasks to import,
#'   with the labelling configuration in a file `...-config.xml` beside them. `"csv"`: a table with
#'   empty columns `annotator` and `judgement`.
#' @param graded Are answers unrelated (0), loosely related (1) or closely related (2), instead of
#'   different (0) or same (1)?
#' @param question The question to annotators.
#' @param warning A text that they read before they see the first image.
#' @param exclude Images that nobody is to see, by id, path or name of the file: a vector, a data
#'   frame, or a file that ends in .txt, .csv or .tsv with one on each line or such a column. An
#'   entry that is none of the images is an error, before anything is written. Their pairs
#'   are left out.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @param base_url For `"labelstudio"` and `"csv"`: where the folder that holds all the images
#'   is found on a server.
#' @inheritParams scan_images
#'
#' @returns The path of the file, invisibly. The pairs that were handed out also lie beside it, as
#'   `...-key.csv`: send the file alone.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 40, k = 5)
#' page <- export_pairs(pairs, tempfile(fileext = ".html"), progress = FALSE)
#' if (interactive()) browseURL(page)
export_pairs <- function(pairs,
                         out,
                         to = "page",
                         graded = FALSE,
                         question = NULL,
                         warning = NULL,
                         exclude = NULL,
                         thumbnail = 400,
                         base_url = NULL,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  check_dots(...)
  for_annotators(call_verb("export_pairs"))
}
