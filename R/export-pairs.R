#' Write pairs of images for annotators to judge
#'
#' Annotators see neither the stratum nor the probability of a pair. [read_pairs()] reads their
#' answers.
#'
#' @param pairs The result of [sample_pairs()]. Or judged pairs, to be judged again, such as the
#'   disputed ones of [consensus()]: earlier answers are not shown, and only the questions in the
#'   table are asked about a pair.
#' @param out The file to write: `.html` for `"page"`, `.json` for `"labelstudio"`, `.csv` for
#'   `"csv"`. For `"server"`, a new folder.
#' @param to The tool of the annotators. `"page"`: one page that contains the images and opens in
#'   any browser, without a network; annotators answer by keyboard, and the page keeps the answers
#'   in the browser until they are downloaded as CSV, and sends nothing anywhere. `"server"`: a
#'   folder for [serve_forms()], which shows every annotator the same page with all pairs and keeps
#'   each answer as it is given; [export_answers()] writes the answers. `"labelstudio"`: tasks for
#'   import, with the labelling configuration in a file `...-config.xml` beside them. `"csv"`: a
#'   table with empty columns `annotator` and `judgement`, or one column for each question.
#' @param graded Use the answers unrelated (0), loosely related (1) and closely related (2) instead
#'   of different (0) and same (1), for all questions?
#' @param questions The question to annotators. Or several questions about each pair,
#'   `c(denotative = "Do both images show the same things?", connotative = "Do both images express
#'   the same idea?")`; their names are the column `question` of the answers. All stand below the
#'   pair, and the next pair follows when all are answered.
#' @param warning A text that annotators read before they see the first image.
#' @param exclude Images that annotators must not see, by id, path or file name: a vector, a data
#'   frame, or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry
#'   that matches no image is an error, and nothing is written. Their pairs are left out.
#' @param disputed Judgements of several annotators, from [read_pairs()]. Only the pairs on which
#'   they disagree are exported, the most disputed first, each with everybody's answer, for a
#'   meeting. Only disputed questions are asked about a pair.
#' @param thumbnail Longer side of the images, in pixels.
#' @param base_url For `"labelstudio"` and `"csv"`: address of the folder with all the images on a
#'   server.
#' @inheritParams scan_images
#'
#' @details Where some pairs have only some of the questions, a table or task says in the column
#' `questions` which these are.
#'
#' @returns The path of the file or folder, invisibly. The exported pairs, with the questions, are
#'   also stored beside it, as `...-key.csv`, which annotators must not get.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 40, k = 5)
#' page <- export_pairs(pairs, tempfile(fileext = ".html"), progress = FALSE)
#' if (interactive()) browseURL(page)
#'
#' questions <- c(
#'   denotative = "Do both images show the same things?",
#'   connotative = "Do both images express the same idea?"
#' )
#' page <- export_pairs(pairs, tempfile(fileext = ".html"), questions = questions, progress = FALSE)
export_pairs <- function(pairs,
                         out,
                         to = "page",
                         graded = FALSE,
                         questions = NULL,
                         warning = NULL,
                         exclude = NULL,
                         disputed = NULL,
                         thumbnail = 400,
                         base_url = NULL,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  for_annotators(call_verb(
    "export_pairs",
    questions = send_pair_questions(questions),
    disputed = if (!is.null(disputed)) {
      encode_table(check_data_frame(disputed, "disputed", made_by = "read_pairs"))
    }
  ))
}

# The text of one question, or several texts with names.
send_pair_questions <- function(x, call = rlang::caller_env()) {
  if (is.list(x) && !is.data.frame(x)) {
    x <- unlist(x)
  }
  if (is.null(x) || rlang::is_string(x) && is.null(names(x))) {
    return(x)
  }
  if (!are_named_texts(x)) {
    abort_imagestrata(
      "{.arg questions} must be the text of one question, or several texts with names, not
       {seen(x)}.",
      hint = "For instance {.code questions = c(denotative = \"Do both images show the same
              things?\", connotative = \"Do both images express the same idea?\")}.",
      call = call
    )
  }
  send_named_texts(x, "questions", call)
}

are_named_texts <- function(x) is.character(x) && rlang::is_dictionaryish(x) && length(x) > 0
