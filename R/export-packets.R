#' Write packets of images for annotators to rate
#'
#' @param packets The result of [assign_annotators()] or [reassign()], with `path`.
#' @param out A new folder.
#' @param to The tool of the annotators: `"page"`, `"server"`, `"qualtrics"`, `"labelstudio"` or
#'   `"csv"`; see Details.
#' @param items The items on which images are rated: a vector of names, or a table with the column
#'   `item`. By default the paper's ten emotions.
#' @param scale Lowest and highest rating, whole numbers from 0 to 10. The text of the paper has
#'   "1-10", its Figure 10 an 11-point scale; the latter is the default of all functions.
#' @param anchors Labels of the lowest and the highest rating.
#' @param question The question to annotators.
#' @param warning A text that annotators read before they see the first image.
#' @param exclude Images that annotators must not see, by id, path or file name: a vector, a data
#'   frame, or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry
#'   that matches no image is an error, and nothing is written.
#' @param thumbnail Longer side of the copies of the images, in pixels.
#' @param base_url Address at which you will publish the folder `images` of the export, such as
#'   `"https://www.example.org/study/images"`. `"qualtrics"` needs it. By default `"labelstudio"`
#'   embeds the images, and `"csv"` names the files in the folder. Nothing is uploaded.
#' @param overwrite Replace an earlier export in `out`? Files that only the earlier export has are
#'   removed.
#' @inheritParams scan_images
#'
#' @details [read_ratings()] reads the answers from every tool.
#'
#' **page.** A page for each packet, and `packets.csv`, which lists the pages and their groups. Each
#' page is one file that contains its images. It opens in any browser, from disk or a web server,
#' also on a phone. Annotators rate by mouse, touch or keyboard, and can skip an image. The page
#' keeps the answers in the browser until the annotator removes them, and offers them as a CSV file.
#' It sends nothing anywhere. Answers belong to one export (by the name of its folder), question and
#' scale. On a shared computer the page does not show earlier annotators, and annotators can remove
#' their answers after the download; but anyone who enters another person's name or code sees that
#' person's answers. Items are in random order, which stays the same for one annotator. The CSV file
#' has one row per image and item: `respondent_id`, `group`, `packet_id`, `position`, `image_id`,
#' `item`, `item_position`, `rating` (empty if not given), `skipped` and `seconds` (time spent on
#' the image).
#'
#' **server.** A folder for [serve_forms()], which hands each visitor the next free packet of her
#' group and keeps every answer as it is given. Annotators see the same pages. They receive neither
#' ids nor names of images, packets and clusters: these are in `forms.json`, which only you may
#' read, with the tokens of the links in `secrets.json`. [export_answers()] writes the answers as
#' pages save them.
#'
#' **qualtrics.** One survey for all packets. Its block of questions is looped over the images of a
#' packet, which embedded data names. `survey.txt` is the survey in Qualtrics' Advanced Format, for
#' import; `loop-and-merge.csv` has the two fields of the looped block, the id of an image and its
#' address; `packets.csv` has one row per packet, as embedded data for contacts and as parameters of
#' the survey's link; `images` has copies without metadata, which you upload to `base_url`; and
#' `how-to.txt` lists the steps that you take in Qualtrics by hand.
#'
#' **labelstudio.** `tasks.json` for import, `config.xml`, the labelling configuration, and with
#' `base_url` a folder `images` to upload there. A task is one image of one packet. Filter by
#' `packet_id` to assign a packet to an annotator.
#'
#' **csv.** A table for each packet, with a row per image, the name of its file in `images`, and
#' empty columns for `respondent_id` and each item; and `packets.csv`, as for pages.
#'
#' @returns The folder, invisibly. The exported packets are also stored beside it, as `...-key.csv`.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_packets(packets, tempfile(), progress = FALSE)
#' if (interactive()) browseURL(file.path(folder, "p001.html"))
#'
#' survey <- export_packets(
#'   packets, tempfile(),
#'   to = "qualtrics", base_url = "https://www.example.org/images", progress = FALSE
#' )
#' cat(readLines(file.path(survey, "survey.txt"), 12), sep = "\n")
export_packets <- function(packets,
                           out,
                           to = "page",
                           items = NULL,
                           scale = c(0, 10),
                           anchors = c("not at all", "extremely"),
                           question = NULL,
                           warning = NULL,
                           exclude = NULL,
                           thumbnail = 800,
                           base_url = NULL,
                           overwrite = FALSE,
                           progress = TRUE,
                           ...) {
  for_annotators(call_verb(
    "export_packets",
    items = item_names(items), scale = as.list(check_scale(scale))
  ))
}

item_names <- function(items, call = rlang::caller_env()) {
  if (is.data.frame(items)) {
    items <- as.character(check_data_frame(items, "items", call, needs = "item")$item)
  }
  check_texts(items, "items", call)
}

for_annotators <- function(out) {
  force(out)
  cli::cli_inform(c("v" = "For annotators: {.file {out}}"))
  invisible(out)
}
