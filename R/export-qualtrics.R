#' Write packets as a survey for Qualtrics
#'
#' One survey for all packets, whose block of questions is looped over the images of a packet.
#' Embedded data says which images those are. Nothing is uploaded.
#'
#' @param base_url Where the folder `images` that is written here will be found on a server, such
#'   as `"https://www.example.org/study/images"`: Qualtrics shows images from there.
#' @inheritParams export_ratings_page
#' @inheritParams scan_images
#'
#' @returns The folder, invisibly. It has
#'
#'   * `survey.txt`, the survey in Qualtrics' Advanced Format, to be imported;
#'   * `loop-and-merge.csv`, the two fields of the looped block: an image's id and its address;
#'   * `packets.csv`, one row per packet, as embedded data for contacts and as parameters of the
#'     survey's link;
#'   * `images`, copies without metadata, to be uploaded to `base_url`;
#'   * `how-to.txt`, the steps in Qualtrics that no file can take.
#'
#'   Columns such as `3_rating_2` and `image_3` that Qualtrics then exports are what
#'   `read_ratings()` expects.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_qualtrics(
#'   packets, tempfile(),
#'   base_url = "https://www.example.org/images", progress = FALSE
#' )
#' cat(readLines(file.path(folder, "survey.txt"), 12), sep = "\n")
export_qualtrics <- function(packets,
                             out,
                             base_url,
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
    "export_qualtrics", packets, out, items, scale, anchors, question, warning, exclude,
    thumbnail, overwrite, progress,
    base_url = check_string(base_url, "base_url")
  )
}
