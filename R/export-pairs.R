#' Write pairs of images for annotators to judge
#'
#' Annotators see neither the stratum nor the probability of a pair. [read_pairs()] reads their
#' answers.
#'
#' @param pairs The result of [sample_pairs()].
#' @param out The file to write: `.html` for `"page"`, `.json` for `"labelstudio"`, `.csv` for
#'   `"csv"`. For `"server"`, a new folder.
#' @param to The tool of the annotators. `"page"`: one page that contains the images and opens in
#'   any browser, without a network; annotators answer by keyboard, and the page keeps the answers
#'   in the browser until they are downloaded as CSV, and sends nothing anywhere. `"server"`: a
#'   folder for [serve_forms()], which shows every annotator the same page with all pairs and keeps
#'   each answer as it is given; [export_answers()] writes the answers. `"labelstudio"`: tasks for
#'   import, with the labelling configuration in a file `...-config.xml` beside them. `"csv"`: a
#'   table with empty columns `annotator` and `judgement`.
#' @param graded Use the answers unrelated (0), loosely related (1) and closely related (2) instead
#'   of different (0) and same (1)?
#' @param question The question to annotators.
#' @param warning A text that annotators read before they see the first image.
#' @param exclude Images that annotators must not see, by id, path or file name: a vector, a data
#'   frame, or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry
#'   that matches no image is an error, and nothing is written. Their pairs are left out.
#' @param thumbnail Longer side of the images, in pixels.
#' @param base_url For `"labelstudio"` and `"csv"`: address of the folder with all the images on a
#'   server.
#' @inheritParams scan_images
#'
#' @returns The path of the file or folder, invisibly. The exported pairs are also stored beside it,
#'   as `...-key.csv`, which annotators must not get.
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
  for_annotators(call_verb("export_pairs"))
}
