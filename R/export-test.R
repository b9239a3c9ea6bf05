#' Test clusters with people
#'
#' @description
#' `export_test()` draws sets of images from clusters and writes a page. On the page of a
#' `"matching"` test people match the sets with descriptions of the clusters, which tells whether
#' the descriptions fit. On that of an `"intruders"` test they look for the image that does not
#' belong: each set holds images of one cluster and one of another, which is drawn at random. Where
#' people find it, the cluster hangs together for them: the word intrusion of topic models (Chang
#' et al. 2009), with images. [read_test()] reads their answers.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The HTML file to write. It holds the images, opens in any browser without a
#'   network, keeps answers until they are removed there, hands them out as CSV, and sends nothing
#'   anywhere.
#' @param kind `"matching"` or `"intruders"`.
#' @param descriptions For `"matching"`: a data frame with the columns `cluster` and `description`,
#'   one row per cluster to be tested: keywords, or names that you gave them.
#' @param clusters For `"intruders"`: clusters to test; by default all that have enough images.
#' @param n_sets Sets drawn from each cluster: by default 5 for `"matching"`, 3 for `"intruders"`.
#' @param n_images Images in a set: by default 3 for `"matching"` (more than one, since some images
#'   are in the wrong cluster, and that is not what this test is about), 6 for `"intruders"`, the
#'   intruder among them.
#' @param question The question to annotators.
#' @param warning A text that they read before they see the first image.
#' @param exclude Images that nobody is to see, by id, path or name of the file: a vector, a data
#'   frame, or a file that ends in .txt, .csv or .tsv with one on each line or such a column. An
#'   entry that is none of the images is an error, before anything is written. Others take
#'   their places.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @param seed Decides the sets and all orders.
#' @inheritParams scan_images
#'
#' @returns The key, invisibly; a tibble with one row per image of a set: `set_id`, `place`,
#'   `cluster`, `image_id`, `path` and, of a matching test, `description`, of an intruder test
#'   `image_cluster` and `intruder`. It is also written beside the page, as `...-key.csv`: send the
#'   page alone.
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
  check_dots(...)
  key <- call_verb("export_test")
  for_annotators(out)
  invisible(decode_table(key))
}
