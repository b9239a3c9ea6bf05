#' Do clusters hang together?
#'
#' @description
#' `intruder_test()` writes a page on which people look for the image that does not belong:
#' each set holds images of one cluster and one of another, which is drawn at random. Where
#' people find it, the cluster hangs together for them: the word intrusion of topic models
#' (Chang et al. 2009), with images. `read_intruders()` reads their answers.
#'
#' @details
#' Intervals are Wilson's for as many trials as there are sets, however many annotators
#' answered them: answers to one set are far from independent. That of all clusters together also
#' allows for sets of one cluster being more alike than those of others, which leaves fewer trials:
#' it is about clusters like the tested ones.
#'
#' `p_chance`, in [glance()][tidiers], says how likely as many or more answers would be right by
#' guessing. It is exact: for those who guess, each image of a set is equally likely to be the
#' intruder, whatever they agree on. For one annotator that is the binomial distribution.
#'
#' @inheritParams matching_test
#' @param clusters Clusters to test; by default all that have enough images.
#' @param n_images Images in a set, the intruder among them.
#' @inheritParams scan_images
#'
#' @returns `intruder_test()`: the key, invisibly; a tibble with one row per image of a set:
#'   `set_id`, `place`, `cluster` (that is tested), `image_cluster`, `intruder`, `image_id`,
#'   `path`. It is also written beside the page, as `...-key.csv`: send the page alone.
#'
#'   `read_intruders()`: a tibble with one row per cluster: `cluster`, `n_sets`, `share_found`
#'   (of the answers), `conf.low`, `conf.high` (95%). [glance()][tidiers] gives one row, with
#'   chance; [tidy()][tidiers] the tables `"sets"`, `"agreement"` and `"answers"`; and
#'   [autoplot()][autoplot.imagestrata_intruders] a picture.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- imagestrata_example("images")
#' topics <- cluster_images(folder, encoder = "hog", progress = FALSE)
#' page <- tempfile(fileext = ".html")
#' key <- intruder_test(topics, page, clusters = 1:4, progress = FALSE)
#'
#' # An annotator who finds every intruder:
#' answers <- tempfile("anna", fileext = ".csv")
#' hidden <- key[key$intruder, ]
#' write.csv(
#'   data.frame(set_id = hidden$set_id, annotator = "anna", judgement = hidden$image_id),
#'   answers,
#'   row.names = FALSE
#' )
#' read_intruders(answers, key)
intruder_test <- function(clustering,
                          out,
                          clusters = NULL,
                          n_sets = 3,
                          n_images = 6,
                          question = "Which of these images does not belong?",
                          warning = NULL,
                          thumbnail = 400,
                          seed = 0,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  check_dots(...)
  write_sets(
    "intruder_test", clustering, out, n_sets, n_images, question, warning, thumbnail, seed,
    overwrite, progress,
    clusters = check_clusters(clusters, "clusters")
  )
}

#' @rdname intruder_test
#' @export
read_intruders <- function(files, test, seed = 0, sep = NULL, encoding = NULL, ...) {
  check_dots(...)
  sent <- call_core(
    "read_intruders",
    send_files(files),
    send_key(test),
    seed = check_number(seed, "seed"),
    sep = check_string(sep, "sep", null = TRUE),
    encoding = check_string(encoding, "encoding", null = TRUE)
  )
  new_result(sent, "imagestrata_intruders", "clusters")
}
