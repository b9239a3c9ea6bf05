#' Write packets as tasks for Label Studio
#'
#' A task is one image of one packet. Filter by `packet_id` to give somebody a packet.
#'
#' @param base_url Where the folder `images` will be found on a server. By default images are
#'   embedded in the tasks.
#' @inheritParams export_ratings_page
#'
#' @returns The folder, invisibly: `tasks.json` to import, `config.xml`, the labelling
#'   configuration, and with `base_url` a folder `images` to upload there.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_labelstudio(packets, tempfile(), progress = FALSE)
#' list.files(folder)
export_labelstudio <- function(packets,
                               out,
                               items = NULL,
                               scale = c(1, 10),
                               anchors = c("not at all", "extremely"),
                               question = NULL,
                               warning = NULL,
                               base_url = NULL,
                               exclude = NULL,
                               thumbnail = 800,
                               overwrite = FALSE,
                               progress = TRUE) {
  folder <- call_core(
    "export_labelstudio",
    encode_table(check_data(packets, "packets", "assign_annotators")),
    check_path(out, "out"),
    items = item_names(items),
    scale = check_ends(scale),
    anchors = check_texts(anchors, "anchors"),
    question = check_string(question, "question", null = TRUE),
    warning = check_string(warning, "warning", null = TRUE),
    base_url = check_string(base_url, "base_url", null = TRUE),
    exclude = check_texts(exclude, "exclude"),
    thumbnail = check_number(thumbnail, "thumbnail"),
    overwrite = check_flag(overwrite, "overwrite"),
    progress = progress_bar(progress)
  )
  inform_exported(folder)
}
