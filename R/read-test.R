#' Read the answers to a test of clusters
#'
#' @param files The files that annotators downloaded from the page of [export_test()]: CSV with the
#'   columns `set_id`, `annotator` and `judgement`; or a folder of these.
#' @param key The result of [export_test()], or the file `...-key.csv` beside its page. If that file
#'   is in a run folder whose clusters have changed since, a warning says that the result is about
#'   the clusters that annotators saw.
#' @param seed Seed of the bootstrap for the agreement.
#' @param sep The character that separates the columns of CSV files. By default (`NULL`) it is
#'   detected: a comma, a semicolon or a tab.
#' @param encoding Encoding of the files. By default (`NULL`) UTF-8, or that of a byte order mark;
#'   other text is read as Windows-1252, with a warning.
#' @inheritParams scan_images
#'
#' @details
#' **Matching.** A description that was never chosen has precision 0. A cluster whose description
#' was chosen, but whose sets have no answer, has recall 0. The interval of the accuracy is
#' Wilson's, with the effective number of sets if sets of one cluster are correlated.
#'
#' **Intruders.** Intervals are Wilson's with the number of sets as the number of trials, regardless
#' of the number of annotators, because answers to one set are not independent. The interval for all
#' clusters together also accounts for the correlation of sets of one cluster, which reduces the
#' number of trials: the inference is about clusters like the tested ones. `p.value` is the
#' probability of as many or more correct answers by guessing. It is exact: under guessing, each
#' image of a set is equally likely to be the intruder, even if annotators agree with each other.
#' For one annotator it is the binomial test.
#'
#' @returns A tibble with one row per cluster: `cluster`, `n_sets` and, for a matching test,
#'   `description`, `precision` (the share of sets from the cluster among the sets for which the
#'   majority chose its description) and `recall`; for an intruder test `share_found` (among the
#'   answers), `conf.low`, `conf.high` (95%). [glance()][tidiers] returns one row with the mean
#'   kappa of the annotators and the accuracy or the share found, with its 95% interval and the
#'   value expected by chance; [tidy()][tidiers] the tables `"sets"`, `"agreement"`, `"answers"`
#'   and, for a matching test, `"confusion"`. [autoplot()][autoplot.imagestrata_cluster_test] draws
#'   the result.
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

# TRUE for a matching test, FALSE for an intruder test.
is_matching <- function(x) "accuracy" %in% names(glance(x))
