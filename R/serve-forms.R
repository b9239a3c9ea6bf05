#' Hand out forms to annotators, and keep their answers
#'
#' Starts a server in a process of its own, while R goes on. Every visitor of a group's link gets
#' the next free packet of that group, or the pairs, and every answer is stored when it is given.
#'
#' @param folder The folder that [export_packets()], [export_labels()] or [export_pairs()] wrote
#'   with `to = "server"`, or a run folder that contains one.
#' @param host The network address of this machine at which the server listens. By default only
#'   browsers on this machine reach it, and a proxy on this machine. `"0.0.0.0"` lets all machines
#'   of the network reach it, for example in a laboratory; without HTTPS, others in that network can
#'   read along.
#' @param port The port; 0 chooses a free one.
#' @param address The public address, such as `"https://study.example.org"`, if a proxy forwards it
#'   to this server. Links begin with it. By default that of `host` and `port`.
#' @param release_after Minutes without an answer after which a packet becomes free for others.
#'   Later answers of the person who had it are kept.
#' @param completion_code The code that every annotator sees at the end. By default each sees one of
#'   her own, which [export_answers()] lists.
#' @param return_address Address to return to at the end, which begins with `https://`. In it,
#'   `{id}` stands for the annotator's code or id, and `{code}` for the completion code.
#' @inheritParams scan_images
#'
#' @details Answers are in `answers.sqlite` in `folder`. An answer is acknowledged when it is on the
#' disk; until then, the page keeps it in the browser and sends it again. Links contain random
#' tokens. The server stores neither network addresses nor cookies, and sends neither ids nor names
#' of images, packets and clusters, nor answers, to annotators.
#'
#' Send each group its link. For a panel, append `?id=` and the place in which the panel inserts the
#' participant's id. The address of the researcher's page shows progress, speed and all answers:
#' keep it to yourself.
#'
#' The server stops with `close(server)`, and when R ends. All answers are kept, and it can be
#' started again. For a study of several days use the command `imagestrata serve`.
#'
#' @returns Invisibly, an object of class `imagestrata_form_server`: a list with `folder`,
#'   `address`, `links` (one per group) and `researcher`.
#' @seealso [export_answers()]
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready() && interactive()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_packets(packets, tempfile(), to = "server", progress = FALSE)
#' server <- serve_forms(folder)
#' server
#' browseURL(server$links[[1]])
#' close(server)
serve_forms <- function(folder,
                        host = "127.0.0.1",
                        port = 8765,
                        address = NULL,
                        release_after = 60,
                        completion_code = NULL,
                        return_address = NULL,
                        ...) {
  started <- call_verb("serve_forms")
  links <- rlang::set_names(
    as.character(unlist(started[["links"]])), as.character(unlist(started[["groups"]]))
  )
  server <- list(
    folder = started[["folder"]],
    address = started[["address"]],
    links = links,
    researcher = started[["researcher"]],
    process = started[["process"]]
  )
  server <- structure(server, class = "imagestrata_form_server")
  # Links are shown whole, in lines of their own.
  rlang::inform(paste(format(server), collapse = "\n"))
  invisible(server)
}

#' @export
close.imagestrata_form_server <- function(con, ...) {
  call_core("stop_server", con$process)
  invisible(con)
}

#' @export
format.imagestrata_form_server <- function(x, ...) {
  # Without Python there is no server either: it ends with the process that started it.
  running <- !is.null(the$core) && isTRUE(call_core("server_runs", x$process))
  groups <- ifelse(nzchar(names(x$links)), names(x$links), "annotators")
  c(
    paste0("<a server of forms, ", if (running) "running" else "stopped", ">"),
    paste0("  ", groups, ": ", x$links),
    paste0("  progress, for you alone: ", x$researcher)
  )
}

#' @export
print.imagestrata_form_server <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' Write the answers that a server collected
#'
#' @param folder The folder that [export_packets()], [export_labels()] or [export_pairs()] wrote
#'   with `to = "server"`, or a run folder that contains one.
#' @param out The CSV file to write, for [read_ratings()], [read_labels()] or [read_pairs()].
#' @param overwrite Replace an existing file?
#' @inheritParams scan_images
#'
#' @details The file has the columns of the files that pages without a server save: a row per image
#' and item for ratings, a row per image for labels, a row per pair for judgements. A person's last
#' answer counts. The file `...-people.csv` beside it has a row per person: her code, group and
#' packet, when she began, gave her last answer and finished (UTC), how many tasks are done, and her
#' completion code.
#'
#' The server may run meanwhile. Answers of people who did not finish are included. If a packet was
#' given to a second person because the first one was idle, and the first one returned, the answers
#' of both are included.
#'
#' @returns The path of the file, invisibly.
#' @seealso [serve_forms()]
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready() && interactive()
#' packets <- assign_annotators(demo_sample(), n_images = 5)
#' folder <- export_packets(packets, tempfile(), to = "server", progress = FALSE)
#' server <- serve_forms(folder)
#' browseURL(server$links[[1]])
#' # After some answers:
#' answers <- export_answers(folder, tempfile(fileext = ".csv"))
#' read_ratings(answers)
#' close(server)
export_answers <- function(folder, out, overwrite = FALSE, ...) {
  file <- call_verb("export_answers")
  cli::cli_inform(c("v" = "Answers: {.file {file}}"))
  invisible(file)
}
