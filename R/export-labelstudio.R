#' Write packets as tasks for Label Studio
#'
#' A task is one image of one packet. Filter by `packet_id` to give somebody a packet.
#'
#' @param base_url Where the folder `images` will be found on a server. By default images are
#'   embedded in the tasks.
#' @inheritParams export_ratings_page
#' @inheritParams scan_images
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
                               scale = c(0, 10),
                               anchors = c("not at all", "extremely"),
                               question = NULL,
                               warning = NULL,
                               base_url = NULL,
                               exclude = NULL,
                               thumbnail = 800,
                               overwrite = FALSE,
                               progress = TRUE,
                               ...) {
  check_dots(...)
  export_packets(
    "export_labelstudio", packets, out, items, scale, anchors, question, warning, exclude,
    thumbnail, overwrite, progress,
    base_url = check_string(base_url, "base_url", null = TRUE)
  )
}
