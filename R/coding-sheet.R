#' Have the most and the least certain images of each cluster labelled
#'
#' @description `coding_sheet()` writes a page on which people label the most and the least certain
#' images of each cluster, and the same as CSV. The page is that of [export_labels()], and
#' [read_labels()] reads the files that come back.
#'
#' @param clustering A clustering, from [cluster_images()].
#' @param out The HTML file to write. The CSV file of the same name beside it has the same images
#'   and empty columns, for people who prefer a spreadsheet.
#' @param n Number of most certain and of least certain images of each cluster. No image occurs
#'   twice: in a cluster with fewer than `2 * n` images, the least certain are those that remain
#'   after the most certain.
#' @param clusters Numbers of clusters, -1 for the residual. By default all clusters except the
#'   residual.
#' @param by The measure of certainty: `"probability"` (of HDBSCAN), `"silhouette"`, or `"distance"`
#'   to the centroid. By default the probability if there is one, else the silhouette.
#' @param columns Columns of `clustering` with metadata that are shown with each image. By default
#'   all your own columns. Empty columns are left out.
#' @param exclude Images that nobody must see, by id, path or file name: a vector, a data frame,
#'   or a file (.txt, .csv or .tsv) with one entry per line or a column of them. An entry that
#'   matches no image is an error, and nothing is written. Other images take their places.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @inheritParams export_labels
#' @inheritParams scan_images
#'
#' @returns Invisibly, a tibble with one row per image: `cluster`; its names, if it has any, which
#'   neither the page nor the CSV shows unless `columns` lists them; `certainty`, `"most"` or
#'   `"least"`; `rank`, which starts at 1 with the most or the least certain image; `image_id`,
#'   `path`; the measure of certainty; metadata; and a column for each code that describes its
#'   answers, which [read_labels()] needs. The CSV file has empty columns for `annotator`, each
#'   code, `skipped` and `note` instead. In it, a quote precedes text that a spreadsheet would treat
#'   as a formula.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
#' page <- tempfile(fileext = ".html")
#' sheet <- coding_sheet(
#'   topics, page, list("people", frame = c("conflict", "hope")),
#'   n = 3, progress = FALSE
#' )
#' if (interactive()) browseURL(page)
#'
#' # What somebody might send back:
#' filled <- read.csv(sub("html$", "csv", page), colClasses = "character")
#' filled$people <- "yes"
#' filled$frame <- "hope"
#' file <- file.path(tempdir(), "anna.csv")
#' write.csv(filled, file, row.names = FALSE)
#' read_labels(file, sheet)
coding_sheet <- function(clustering,
                         out,
                         codes,
                         n = 10,
                         clusters = NULL,
                         by = NULL,
                         columns = NULL,
                         question = "What does each image show?",
                         warning = NULL,
                         exclude = NULL,
                         codebook = NULL,
                         thumbnail = 400,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  sheet <- call_verb(
    "coding_sheet",
    codes = send_codes(codes), codebook = send_codebook(codebook)
  )
  for_annotators(out)
  invisible(decode_table(sheet))
}
