#' Test clusters with annotators
#'
#' @description `export_test()` draws sets of images from clusters and writes a page. In a
#' `"matching"` test annotators match the sets with descriptions of the clusters, which shows
#' whether the descriptions fit. In an `"intruders"` test they look for the image that does not
#' belong: each set has images of one cluster and one image of another cluster, drawn at random. A
#' cluster is coherent for annotators if they find the intruder. This is the word intrusion test of
#' topic models (Chang et al. 2009), with images. [read_test()] reads the answers.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The HTML file to write. It contains the images, opens in any browser without a
#'   network, keeps answers until the annotator removes them, offers them as a CSV file, and sends
#'   nothing anywhere.
#' @param kind `"matching"` or `"intruders"`.
#' @param descriptions For `"matching"`: a data frame with the columns `cluster` and `description`,
#'   one row per cluster to be tested, such as names that you chose; or the result of
#'   [cluster_keywords()], all of whose terms describe a cluster.
#' @param clusters For `"intruders"`: clusters to test; by default all clusters with enough images.
#' @param n_sets Number of sets per cluster: by default 5 for `"matching"`, 3 for `"intruders"`.
#' @param n_images Number of images in a set: by default 3 for `"matching"` (several, so that a
#'   single image in the wrong cluster does not decide the answer), 6 for `"intruders"`, including
#'   the intruder.
#' @param question The question to annotators.
#' @param warning A text that annotators read before they see the first image.
#' @param exclude Images that annotators must not see, by id, path or file name: a vector, a data
#'   frame, or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry
#'   that matches no image is an error, and nothing is written. Other images take their places.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @param seed Seed for the sets and all random orders.
#' @inheritParams scan_images
#'
#' @returns The key, invisibly; a tibble with one row per image of a set: `set_id`, `place`,
#'   `cluster`, `image_id`, `path`, and for a matching test `description`, for an intruder test
#'   `image_cluster` and `intruder`. The key is also written beside the page, as `...-key.csv`,
#'   which annotators must not get.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
#' names <- data.frame(cluster = 1:3, description = c("portraits", "boats", "maps"))
#' page <- tempfile(fileext = ".html")
#' key <- export_test(topics, page, descriptions = names, progress = FALSE)
#' if (interactive()) browseURL(page)
#'
#' # What an annotator might send back:
#' answers <- tempfile("anna", fileext = ".csv")
#' sets <- unique(key[c("set_id", "cluster")])
#' write.csv(
#'   data.frame(set_id = sets$set_id, annotator = "anna", judgement = sets$cluster),
#'   answers,
#'   row.names = FALSE
#' )
#' read_test(answers, key)
export_test <- function(clustering,
                        out,
                        kind = "matching",
                        descriptions = NULL,
                        clusters = NULL,
                        n_sets = NULL,
                        n_images = NULL,
                        question = NULL,
                        warning = NULL,
                        exclude = NULL,
                        thumbnail = 400,
                        seed = 0,
                        overwrite = FALSE,
                        progress = TRUE,
                        ...) {
  key <- call_verb("export_test")
  for_annotators(out)
  invisible(decode_table(key))
}
