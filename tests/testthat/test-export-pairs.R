test_that("what is left out crosses as nothing, and ids as a list", {
  calls <- local_core(export_pairs = \(pairs, out, ...) out)
  file <- withr::local_tempfile(fileext = ".html")
  pairs <- tibble::tibble(pair_id = "p1", image_a = "a", image_b = "b")
  expect_message(
    written <- withVisible(export_pairs(pairs, file, exclude = "a", progress = FALSE)),
    "For annotators"
  )
  expect_false(written$visible)
  expect_equal(written$value, absolute_path(file))
  sent <- calls$export_pairs
  expect_equal(decode_table(sent$pairs), pairs)
  expect_equal(sent$exclude, list("a"))
  expect_null(sent$questions)
  expect_null(sent$disputed)
  expect_error(export_pairs("p1", file), "data frame", class = "imagestrata_error")
  expect_error(export_pairs(pairs, file, exclude = TRUE), "exclude", class = "imagestrata_error")
})

test_that("one question is sent as text, several with names", {
  calls <- local_core(export_pairs = \(pairs, out, ...) out)
  pairs <- tibble::tibble(pair_id = "p1", image_a = "a", image_b = "b")
  write <- function(...) suppressMessages(export_pairs(pairs, "x.html", ..., progress = FALSE))
  write(questions = "Same?")
  expect_equal(calls$export_pairs$questions, "Same?")
  for (questions in list(c(things = "A?", ideas = "B?"), list(things = "A?", ideas = "B?"))) {
    write(questions = questions, disputed = dplyr::mutate(pairs, judgement = 1))
    expect_equal(
      calls$export_pairs$questions,
      list(kind = "several", several = list("A?", "B?"), names = list("things", "ideas"))
    )
    expect_equal(decode_table(calls$export_pairs$disputed)$judgement, 1)
  }
  write(questions = c(things = "A?"))
  expect_equal(calls$export_pairs$questions$names, list("things"))
  for (wrong in list(c("A?", "B?"), 1, TRUE, c(things = "A?", "B?"), pairs)) {
    expect_error(write(questions = wrong), "several texts with names", class = "imagestrata_error")
  }
})

test_that("several questions go to annotators and to a meeting and come back", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  topics <- demo_topics()
  pairs <- tibble::tibble(
    pair_id = c("p1", "p2"),
    image_a = topics$image_id[1:2], path_a = topics$path[1:2],
    image_b = topics$image_id[3:4], path_b = topics$path[3:4]
  )
  questions <- c(things = "Same things?", ideas = "Same idea?")
  write <- function(name, ...) {
    suppressMessages(
      export_pairs(pairs, file.path(folder, name), questions = questions, ..., progress = FALSE)
    )
  }
  page <- write("a.html")
  expect_match(readChar(page, file.size(page)), "Same idea?", fixed = TRUE)
  answers <- tidyr::expand_grid(
    pair_id = pairs$pair_id, annotator = c("anna", "ben"), question = names(questions)
  )
  answers$judgement <- c(1, 1, 1, 1, 0, 1, 0, 0)
  judged <- read_pairs(answers, page)
  expect_equal(names(judged), c(names(pairs), "annotator", "question", "judgement"))
  expect_equal(judged$judgement, answers$judgement)
  expect_warning(decided <- consensus(judged), "1 of 4 judgements are undecided")
  expect_equal(decided$question, rep(names(questions), 2))
  disputed <- attr(decided, "disputed")
  expect_s3_class(disputed, "tbl_df")
  expect_equal(disputed$pair_id, c("p2", "p2"))
  expect_equal(disputed$question, c("ideas", "ideas"))
  expect_equal(disputed$disagreement, c(1, 1))
  expect_equal(disputed$path_a, rep(pairs$path_a[2], 2))

  meeting <- write("meeting.csv", to = "csv", disputed = judged)
  shown <- utils::read.csv(meeting)
  expect_equal(shown$pair_id, "p2")
  again <- suppressMessages(export_pairs(
    disputed, file.path(folder, "again.csv"),
    to = "csv", questions = questions, progress = FALSE
  ))
  expect_equal(utils::read.csv(again), shown)
  shown$ideas <- "same"
  shown$annotator <- "meeting"
  utils::write.csv(shown, file.path(folder, "met.csv"), row.names = FALSE)
  met <- read_pairs(file.path(folder, "met.csv"), meeting)
  final <- consensus(judged, meeting = met)
  expect_equal(final$judgement, c(1, 1, 0, 1))
  expect_equal(nrow(attr(final, "disputed")), 0)

  topics <- data.frame(image_id = topics$image_id, cluster = rep(1:2, length.out = nrow(topics)))
  scores <- score_clustering(topics, final, weighted = FALSE)
  expect_equal(unique(scores$question), names(questions))
  expect_error(
    tune_clusters(toy_vectors(), final, list(k = 2)),
    "judgements of 2 questions", class = "imagestrata_error"
  )
})

test_that("a page, a table and tasks are written", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  topics <- demo_topics()
  pairs <- tibble::tibble(
    pair_id = c("p1", "p2"),
    image_a = topics$image_id[1:2], path_a = topics$path[1:2],
    image_b = topics$image_id[3:4], path_b = topics$path[3:4]
  )
  write <- function(name, ...) {
    suppressMessages(export_pairs(pairs, file.path(folder, name), ..., progress = FALSE))
  }
  page <- write("a.html")
  expect_match(readChar(page, file.size(page)), "data:image/jpeg", fixed = TRUE)
  table <- utils::read.csv(write("b.csv", to = "csv"))
  expect_equal(table$pair_id, pairs$pair_id)
  tasks <- write("c.json", to = "labelstudio", graded = TRUE, base_url = "https://x")
  expect_equal(jsonlite::fromJSON(tasks)$data$pair_id, pairs$pair_id)
  expect_true(file.exists(file.path(folder, "c-config.xml")))
  expect_error(write("a.html"), "exists already", class = "imagestrata_error")
})
