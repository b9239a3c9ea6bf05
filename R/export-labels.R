#' Have images labelled, cluster by cluster
#'
#' @description `export_labels()` writes pages on which annotators label the images of a sample. The
#' images of a cluster stand together: one click labels all of them, further clicks the exceptions.
#' [read_labels()] reads the files that annotators return.
#'
#' @param sample The result of [sample_images()], or any data frame of images with `image_id`,
#'   `path` and the column `by`.
#' @param out A new folder.
#' @param codes The codes, which are your questions about each image. `c("protest", "police")` are
#'   two codes that are answered by yes or no. A list can have other codes, too:
#'   `list("protest", scene = c("march", "vigil"), crowd = c(calm = 1, violent = 7), remark = NULL)`
#'   are yes or no; one of several answers; a scale from 1 to 7 (at most 11 points) with words for
#'   its ends, which can be left out; and free text.
#' @param to Where annotators work: `"page"`, `"server"`, `"labelstudio"` or `"csv"`; see Details.
#' @param by The column of the sample that groups images on the page, so that one click labels a
#'   group. `NULL` shows one image after the other, in random order.
#' @param coders Number of annotators, each of whom gets images of their own. Clusters stay
#'   together, unless a cluster has more images than an equal share.
#' @param double Share of the images that a second annotator labels, too, for [agreement()]. They
#'   are spread over the clusters. Nobody sees which they are.
#' @param question The question to annotators.
#' @param warning A text that annotators read before they see the first image, for example that some
#'   images show violence.
#' @param codebook Definitions by the names of the codes, such as
#'   `c(protest = "People express dissent in public.")`; or a data frame, or a CSV file, with a row
#'   for each definition or example: `code`, `definition`, `answer` (empty if the row is about the
#'   code itself) and `example`, an image of the sample by id, path or file name, or another image
#'   file.
#' @param disputed Labels of several annotators, from [read_labels()]. Only the images of the sample
#'   on which they disagree are exported, each with everybody's answer and note, for a meeting.
#' @param thumbnail Longer side of the copies, in pixels. An image then takes some 20 KB.
#' @param base_url Address at which you will upload the folder `images` of the export. By default
#'   (`NULL`), `"labelstudio"` contains the images, and `"csv"` refers to the folder. Nothing is
#'   uploaded.
#' @param seed Seed of the division among annotators and of the order of images.
#' @param overwrite Replace an earlier export in the folder? Its files are removed.
#' @inheritParams export_packets
#'
#' @details Copies of the images have no metadata. Images that cannot be read are left out, and a
#' warning counts them. Annotators see numbers of clusters, never their names.
#'
#' - `"page"`: a page `coder-1.html`, ... for each annotator, and `packets.csv`, which lists them. A
#'   page opens in any browser, contains its images and sends nothing anywhere. Everything can be
#'   done by keyboard. Images that differ from their cluster are selected and labelled on their own;
#'   an image can be skipped, with a reason, and have a note. Answers stay in the browser until they
#'   are removed there, and are downloaded as CSV, with `seconds`: the time for which the cluster
#'   was on the screen, divided by the number of its images.
#' - `"server"`: a folder for [serve_forms()], which hands each visitor the next free packet and
#'   keeps every answer as it is given. Annotators see the same pages, with numbered groups instead
#'   of clusters. [export_answers()] writes the labels as pages save them. Answers of others never
#'   leave a server, so that it takes no `disputed`.
#' - `"labelstudio"`: `tasks.json` to import, and `config.xml`, the labelling configuration. Every
#'   image is labelled alone; filter tasks by `packet_id` to assign them.
#' - `"csv"`: a table `coder-1.csv`, ... for each annotator, with a row per image, the name of its
#'   file in `images`, and empty columns for `annotator`, each code, `skipped` and `note`.
#'
#' Images with a second annotator are a systematic random sample over the clusters, so that
#' agreement is estimated for the whole sample. The second annotator of a cluster sees only those
#' images of it, and labels them as one group.
#'
#' @returns Invisibly, the path of the folder. The key, which [read_labels()] needs, lies beside it
#'   as `...-key.csv`: do not send it to annotators.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
#' sample <- sample_images(topics, n_per_cluster = 3)
#' folder <- export_labels(
#'   sample, tempfile(), list("people", frame = c("conflict", "hope")),
#'   coders = 2, double = 0.2, codebook = c(people = "At least one person is visible."),
#'   progress = FALSE
#' )
#' if (interactive()) browseURL(file.path(folder, "coder-1.html"))
export_labels <- function(sample,
                          out,
                          codes,
                          to = "page",
                          by = "cluster",
                          coders = 1,
                          double = 0,
                          question = NULL,
                          warning = NULL,
                          exclude = NULL,
                          codebook = NULL,
                          disputed = NULL,
                          thumbnail = 400,
                          base_url = NULL,
                          seed = 0,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  for_annotators(call_verb(
    "export_labels",
    codes = send_codes(codes), by = check_string(by, "by", null = TRUE),
    codebook = send_codebook(codebook),
    disputed = if (!is.null(disputed)) {
      encode_table(check_data_frame(disputed, "disputed", made_by = "read_labels"))
    }
  ))
}

# Codes as JSON. A name alone stands for a code that is answered by yes or no.
send_codes <- function(codes, call = rlang::caller_env()) {
  if (is.null(codes)) {
    return(NULL)
  }
  if (is.character(codes) && all(rlang::names2(codes) == "")) {
    return(send_json(codes, auto_unbox = TRUE))
  }
  if (is.character(codes)) {
    codes <- as.list(codes)
  }
  check_answers(codes, call)
  alone <- rlang::names2(codes) == ""
  names <- ifelse(alone, vapply(codes, \(one) paste(one, collapse = ""), ""), rlang::names2(codes))
  if (anyDuplicated(names) > 0) {
    twice <- names[duplicated(names)][[1]]
    abort_imagestrata("{.arg codes} names the code {.val {twice}} twice.", call = call)
  }
  answers <- lapply(codes, answers_as_json)
  answers[alone] <- "binary"
  send_json(rlang::set_names(answers, names), null = "null", digits = NA)
}

check_answers <- function(codes, call) {
  known <- \(one) is.null(one) || is.character(one) || is.numeric(one)
  alone <- codes[rlang::names2(codes) == ""]
  right <- rlang::is_list(codes) && all(vapply(codes, known, NA)) &&
    all(vapply(alone, rlang::is_string, NA))
  if (!right) {
    abort_imagestrata(
      "{.arg codes} must be names of codes, or a list with names and answers, such as
       {.code list(\"protest\", scene = c(\"march\", \"vigil\"), crowd = c(1, 7))}, not
       {seen(codes)}.",
      call = call
    )
  }
}

# Numbers with names are the ends of a scale with their words.
answers_as_json <- function(answers) {
  if (is.numeric(answers) && !is.null(names(answers))) {
    return(lapply(as.list(answers), jsonlite::unbox))
  }
  if (is.null(answers)) NULL else unname(answers)
}

# A codebook as a table, or as the path of one.
send_codebook <- function(codebook, call = rlang::caller_env()) {
  if (is.null(codebook)) {
    return(NULL)
  }
  if (is.data.frame(codebook)) {
    texts <- lapply(codebook, as.character)
    return(encode_table(tibble::as_tibble(texts), call))
  }
  if (rlang::is_named(codebook)) {
    definitions <- vapply(codebook, \(one) as.character(one)[[1]], "")
    table <- tibble::tibble(code = names(codebook), definition = unname(definitions))
    return(encode_table(table, call))
  }
  if (!is.character(codebook)) {
    abort_imagestrata(
      "{.arg codebook} must be definitions with the names of codes, a data frame, or the path of a
       CSV file, not {seen(codebook)}.",
      call = call
    )
  }
  list(kind = "path", path = check_existing(codebook, "codebook", call))
}
