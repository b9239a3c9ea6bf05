#' Read how people answered a test of clusters
#'
#' @param files The files that annotators downloaded from the page of [export_test()]: CSV with the
#'   columns `set_id`, `annotator` and `judgement`; or a folder of these.
#' @param key The result of [export_test()], or the file `...-key.csv` beside its page.
#' @param seed Seed of the bootstrap of the agreement.
#' @param sep The character that separates the columns of CSV files; by default (`NULL`) commas,
#'   semicolons or tabs, whichever fits.
#' @param encoding Encoding of the files; by default (`NULL`) UTF-8, or what a byte order mark says.
#'   Other text is read as Windows-1252, with a warning.
#' @inheritParams scan_images
#'
#' @details
#' **Matching.** A description that was never chosen counts as precision 0, and a cluster of which
#' no set was answered, but whose description was chosen, as recall 0. The interval of the accuracy
#' is Wilson's; where sets of one cluster are more alike than those of others, they count as fewer.
#'
#' **Intruders.** Intervals are Wilson's for as many trials as there are sets, however many
#' annotators answered them: answers to one set are far from independent. That of all clusters
#' together also allows for sets of one cluster being more alike than those of others, which leaves
#' fewer trials: it is about clusters like the tested ones. `p.value` says how likely as many or
#' more answers would be right by guessing. It is exact: for those who guess, each image of a set is
#' equally likely to be the intruder, whatever they agree on. For one annotator that is the binomial
#' distribution.
#'
#' @returns A tibble with one row per cluster: `cluster`, `n_sets` and, of a matching test,
#'   `description`, `precision` (of the sets that the majority gave this description, the share that
#'   are of the cluster) and `recall`; of an intruder test `share_found` (of the answers),
#'   `conf.low`, `conf.high` (95%). [glance()][tidiers] gives one row with the mean kappa of
#'   annotators and accuracy, or the share found, with its 95% interval against chance;
#'   [tidy()][tidiers] the tables `"sets"`, `"agreement"`, `"answers"` and, of a matching test,
#'   `"confusion"`; and [autoplot()][autoplot.imagestrata_cluster_test] a picture.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
#' page <- tempfile(fileext = ".html")
#' key <- export_test(topics, page, "intruders", clusters = 1:4, progress = FALSE)
#'
#' # An annotator who finds every intruder:
#' answers <- tempfile("anna", fileext = ".csv")
#' hidden <- key[key$intruder, ]
#' write.csv(
#'   data.frame(set_id = hidden$set_id, annotator = "anna", judgement = hidden$image_id),
#'   answers,
#'   row.names = FALSE
#' )
#' read_test(answers, key)
read_test <- function(files, key, seed = 0, sep = NULL, encoding = NULL, ...) {
  check_dots(...)
  sent <- call_verb(
    "read_test",
    files = send_files(files), key = send_table_or_file(key, "key", "export_test")
  )
  new_result(sent, "imagestrata_cluster_test", "clusters")
}

#' @export
tbl_sum.imagestrata_cluster_test <- function(x, ...) {
  line <- glance(x)
  matching <- is_matching(x)
  share <- if (matching) line$accuracy else line$share_found
  test <- paste0(
    count_of(line$n_sets, "set"), ", ", count_of(line$n_annotators, "annotator"),
    if (!is.na(line$kappa)) sprintf(", kappa %.2f", line$kappa)
  )
  found <- sprintf(
    "%s (%s to %s; by chance %s)",
    percent(share), percent(line$conf.low), percent(line$conf.high), percent(line$chance)
  )
  if (matching) {
    c("Matching test" = test, "Matched" = found)
  } else {
    c("Intruder test" = test, "Found" = found)
  }
}

# Whether people matched descriptions, or looked for intruders.
is_matching <- function(x) "accuracy" %in% names(glance(x))
