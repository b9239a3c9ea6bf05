#' Write packets of images for people to rate
#'
#' @param packets The result of [assign_annotators()] or [reassign()], with `path`.
#' @param out A new folder.
#' @param to Where annotators work: `"page"`, `"qualtrics"`, `"labelstudio"` or `"csv"`; see
#'   Details.
#' @param items The items on which images are rated: names, or a table with the column `item`. By
#'   default the paper's ten emotions.
#' @param scale Lowest and highest rating, whole numbers from 0 to 10. The paper has "1-10" in
#'   its text and an 11-point scale in its Figure 10, which is the default of every export,
#'   reader and rule.
#' @param anchors The meaning of the ends of the scale.
#' @param question The question to annotators.
#' @param warning A text that they read before they see the first image.
#' @param exclude Images that nobody is to see, by id, path or name of the file: a vector, a data
#'   frame, or a file that ends in .txt, .csv or .tsv with one on each line or such a column. An
#'   entry that is none of the images is an error, before anything is written.
#' @param thumbnail Longer side of the copies, in pixels.
#' @param base_url Where the folder `images` that is written here will be found on a server, such
#'   as `"https://www.example.org/study/images"`. `"qualtrics"` needs it; `"labelstudio"` embeds
#'   the images by default, and `"csv"` names them in the folder. Nothing is uploaded.
#' @param overwrite Replace an earlier export there? What it had and the new one has not goes.
#' @inheritParams scan_images
#'
#' @details
#' Whatever the tool, answers are read by [read_ratings()].
#'
#' **page.** A page for each packet, and `packets.csv`, which says what page is for which group.
#' Each page is one file that holds its images and opens in any browser, from disk or a web
#' server, on a phone too. It takes ratings by mouse, touch or keyboard, lets people skip an
#' image, keeps answers in that browser until they are removed there, and hands them out as CSV. It
#' sends nothing anywhere. Answers belong to the export (by the name of its folder), its question
#' and its scale. On a computer that several people use, nobody is shown who was there before, and
#' everybody can remove answers after downloading them; but whoever types somebody's name or code
#' sees that person's answers. Items come in random order, which stays the same for one person.
#' The CSV has one row per image and item: `respondent_id`, `group`, `packet_id`, `position`,
#' `image_id`, `item`, `item_position`, `rating` (empty where not given), `skipped` and `seconds`
#' (that the image was looked at).
#'
#' **qualtrics.** One survey for all packets, whose block of questions is looped over the images
#' of a packet; embedded data says which images those are. `survey.txt` is the survey in Qualtrics'
#' Advanced Format, to be imported; `loop-and-merge.csv` has the two fields of the looped block, an
#' image's id and its address; `packets.csv` one row per packet, as embedded data for contacts and
#' as parameters of the survey's link; `images` are copies without metadata, to be uploaded to
#' `base_url`; and `how-to.txt` says the steps in Qualtrics that no file can take.
#'
#' **labelstudio.** `tasks.json` to import, `config.xml`, the labelling configuration, and with
#' `base_url` a folder `images` to upload there. A task is one image of one packet. Filter by
#' `packet_id` to give somebody a packet.
#'
#' **csv.** A table for each packet, with a row per image, the name of its file in `images`, and
#' empty columns for `respondent_id` and each item; and `packets.csv`, as for pages.
#'
#' @returns The folder, invisibly. The packets that were handed out also lie beside it, as
#'   `...-key.csv`.
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
  check_dots(...)
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
