#' Do descriptions fit clusters?
#'
#' @description
#' `matching_test()` draws sets of images from clusters and writes a page on which people match
#' them with descriptions of the clusters. `read_matching()` reads their answers.
#'
#' @param clustering What [cluster_images()] returned.
#' @param descriptions A data frame with the columns `cluster` and `description`, one row per
#'   cluster to be tested: keywords, or names that you gave them.
#' @param out The HTML file to write. It holds the images, opens in any browser without a
#'   network, keeps answers until they are removed there, hands them out as CSV, and sends nothing
#'   anywhere.
#' @param n_sets Sets drawn from each cluster.
#' @param n_images Images in a set. More than one, since some images are in the wrong cluster;
#'   that is not what this test is about.
#' @param question What annotators are asked.
#' @param warning What they read before they see the first image.
#' @param thumbnail Longer side of the embedded images, in pixels.
#' @param sep What separates the columns of CSV files; by default (`NULL`) commas, semicolons or
#'   tabs, whichever fits.
#' @param encoding Encoding of the files; by default (`NULL`) UTF-8, or what a byte order mark says.
#'   Other text is read as Windows-1252, with a warning.
#' @param seed Decides the sets, and the order of sets and of descriptions; in
#'   `read_matching()`, the bootstrap of the agreement.
#' @inheritParams scan_images
#' @param files What annotators downloaded from the page: CSV with the columns `set_id`,
#'   `annotator` and `judgement`.
#' @param test The key that the test returned, or the file `...-key.csv` beside its page.
#'
#' @returns `matching_test()`: the key, invisibly; a tibble with one row per image of a set:
#'   `set_id`, `place`, `cluster`, `description`, `image_id`, `path`. It is also written beside
#'   the page, as `...-key.csv`: send the page alone.
#'
#'   `read_matching()`: a tibble with one row per cluster: `cluster`, `description`, `n_sets`,
#'   `precision` (of the sets that the majority gave this description, the share that are of the
#'   cluster) and `recall`. [glance()][tidiers] gives one row with the mean kappa of annotators,
#'   accuracy (with its 95% interval) against chance, and means over clusters, in which a
#'   description that was never chosen counts as precision 0, and a cluster of which no set was
#'   answered, but whose description was chosen, as recall 0. The interval is Wilson's; where sets
#'   of one cluster are more alike than those of others, they count as fewer. [tidy()][tidiers]
#'   gives the tables `"sets"` (with the majority's labels), `"agreement"`, `"answers"` and
#'   `"confusion"`; and [autoplot()][autoplot.imagestrata_matching] the confusion matrix.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
#' names <- data.frame(cluster = 1:3, description = c("portraits", "boats", "maps"))
#' page <- tempfile(fileext = ".html")
#' key <- matching_test(topics, names, page, progress = FALSE)
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
#' read_matching(answers, key)
matching_test <- function(clustering,
                          descriptions,
                          out,
                          n_sets = 5,
                          n_images = 3,
                          question = "Which description fits these images best?",
                          warning = NULL,
                          thumbnail = 400,
                          seed = 0,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  if (!is.data.frame(descriptions)) {
    abort_imagestrata(
      "{.arg descriptions} must be a data frame with the columns {.var cluster} and
       {.var description}, not {seen(descriptions)}."
    )
  }
  write_sets(
    "matching_test", clustering, out, n_sets, n_images, question, warning, thumbnail, seed,
    overwrite, progress,
    descriptions = encode_table(descriptions)
  )
}

#' @rdname matching_test
#' @export
read_matching <- function(files, test, seed = 0, sep = NULL, encoding = NULL, ...) {
  check_dots(...)
  sent <- call_core(
    "read_matching",
    send_files(files),
    send_key(test),
    seed = check_number(seed, "seed"),
    sep = check_string(sep, "sep", null = TRUE),
    encoding = check_string(encoding, "encoding", null = TRUE)
  )
  new_result(sent, "imagestrata_matching", "clusters")
}

# What both tests with sets of images take; `...` is what one of them takes besides.
write_sets <- function(verb,
                       clustering,
                       out,
                       n_sets,
                       n_images,
                       question,
                       warning,
                       thumbnail,
                       seed,
                       overwrite,
                       progress,
                       ...,
                       call = rlang::caller_env()) {
  check_class(clustering, "imagestrata_clustering", "clustering", "cluster_images", call = call)
  out <- check_path(out, "out", call = call)
  key <- call_core(
    verb,
    send_clustering(clustering, call = call),
    out = out,
    n_sets = check_number(n_sets, "n_sets", call = call),
    n_images = check_number(n_images, "n_images", call = call),
    question = check_string(question, "question", call = call),
    warning = check_string(warning, "warning", null = TRUE, call = call),
    thumbnail = check_number(thumbnail, "thumbnail", call = call),
    seed = check_number(seed, "seed", call = call),
    overwrite = check_flag(overwrite, "overwrite", call = call),
    progress = progress_bar(progress, frame = call),
    ...,
    call = call
  )
  cli::cli_inform(c("v" = "For annotators: {.file {out}}"))
  invisible(decode_table(key))
}

send_files <- function(files, call = rlang::caller_env()) {
  files <- check_paths(files, "files", call)
  check_exist(files, "files", call)
  as.list(absolute_path(files))
}

send_key <- function(test, call = rlang::caller_env()) {
  send_table_or_file(test, "test", call)
}

send_table_or_file <- function(x, name, call = rlang::caller_env()) {
  if (is.data.frame(x)) {
    return(list(kind = "table", table = encode_table(x, call)))
  }
  path <- check_path(x, name, call = call)
  check_exist(path, name, call)
  list(kind = "path", path = path)
}
