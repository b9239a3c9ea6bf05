#' Write a page for each packet, on which somebody rates its images
#'
#' Each page is one file that holds its images and opens in any browser, from disk or a web
#' server, on a phone too. It takes ratings by mouse, touch or keyboard, lets people skip an
#' image, keeps answers in that browser until they are removed there, and hands them out as CSV. It
#' sends nothing anywhere. Answers belong to the export (by the name of its folder), its question
#' and its scale. On a computer that several people use, nobody is shown who was there before, and
#' everybody can remove answers after downloading them; but whoever types somebody's name or code
#' sees that person's answers.
#'
#' @param packets What [assign_annotators()] or [reassign()] returned, with `path`.
#' @param out A new folder.
#' @param items What images are rated on: names, or a table with the column `item`. By default
#'   the paper's ten emotions.
#' @param scale Lowest and highest rating, whole numbers from 0 to 10. The paper has "1-10" in
#'   its text and an 11-point scale in its Figure 10, which is the default of every export,
#'   reader and rule.
#' @param anchors What the ends of the scale mean.
#' @param question What people are asked.
#' @param warning What they read before they see the first image.
#' @param exclude Images that nobody is to see, by id, path or name of the file: a vector, a data
#'   frame, or a file that ends in .txt, .csv or .tsv with one on each line or such a column. An
#'   entry that is none of the images is an error, before anything is written.
#' @param thumbnail Longer side of the copies, in pixels.
#' @param overwrite Replace an earlier export there? What it had and the new one has not goes.
#' @inheritParams scan_images
#'
#' @details
#' Items come in random order, which stays the same for one person. The CSV has one row per image
#' and item: `respondent_id`, `group`, `packet_id`, `position`, `image_id`, `item`,
#' `item_position`, `rating` (empty where not given), `skipped` and `seconds` (that the image was
#' looked at).
#'
#' @returns The folder, invisibly: a page for each packet, and `packets.csv`, which says what page
#'   is for which group.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_ratings_page(packets, tempfile(), progress = FALSE)
#' if (interactive()) browseURL(file.path(folder, "p001.html"))
export_ratings_page <- function(packets,
                                out,
                                items = NULL,
                                scale = c(0, 10),
                                anchors = c("not at all", "extremely"),
                                question = NULL,
                                warning = NULL,
                                exclude = NULL,
                                thumbnail = 800,
                                overwrite = FALSE,
                                progress = TRUE,
                                ...) {
  check_dots(...)
  export_packets(
    "export_ratings_page", packets, out, items, scale, anchors, question, warning, exclude,
    thumbnail, overwrite, progress
  )
}

item_names <- function(items, call = rlang::caller_env()) {
  if (is.data.frame(items)) {
    if (!"item" %in% names(items)) {
      abort_imagestrata(
        "{.arg items} must have a column {.var item}; it has {.var {names(items)}}.",
        call = call
      )
    }
    items <- as.character(items$item)
  }
  check_texts(items, "items", call)
}

# What all exports of packets take; `...` is what one of them takes besides.
export_packets <- function(verb,
                           packets,
                           out,
                           items,
                           scale,
                           anchors,
                           question,
                           warning,
                           exclude,
                           thumbnail,
                           overwrite,
                           progress,
                           ...,
                           call = rlang::caller_env()) {
  folder <- call_core(
    verb,
    encode_table(check_data(packets, "packets", "assign_annotators", call = call)),
    check_path(out, "out", call = call),
    items = item_names(items, call),
    scale = as.list(check_scale(scale, call)),
    anchors = check_texts(anchors, "anchors", call = call),
    question = check_string(question, "question", null = TRUE, call = call),
    warning = check_string(warning, "warning", null = TRUE, call = call),
    exclude = check_exclude(exclude, call = call),
    thumbnail = check_number(thumbnail, "thumbnail", call = call),
    overwrite = check_flag(overwrite, "overwrite", call = call),
    progress = progress_bar(progress, frame = call),
    ...,
    call = call
  )
  cli::cli_inform(c("v" = "For annotators: {.file {folder}}"))
  invisible(folder)
}
