test_that("codes reach Python as names with their answers", {
  json <- function(codes) send_codes(codes)$text
  expect_equal(json("protest"), '["protest"]')
  expect_equal(json(c("a", "b")), '["a","b"]')
  codes <- list(
    "protest",
    scene = c("march", "vigil"), crowd = c(1, 7), mood = c(calm = 1, violent = 7), remark = NULL
  )
  expect_equal(
    json(codes),
    paste0(
      '{"protest":["binary"],"scene":["march","vigil"],"crowd":[1,7],',
      '"mood":{"calm":1,"violent":7},"remark":null}'
    )
  )
  expect_equal(json(list(a = "binary", b = "text")), '{"a":["binary"],"b":["text"]}')
  expect_equal(json(c("p", b = "text")), '{"p":["binary"],"b":["text"]}')
  for (wrong in list(5, list(c("a", "b")), list(a = TRUE), list(NULL))) {
    expect_error(send_codes(wrong), "must be names of codes", class = "imagestrata_error")
  }
  expect_error(send_codes(list("a", a = NULL)), "twice", class = "imagestrata_error")
})

test_that("a codebook reaches Python as a table or a path", {
  table <- decode_table(send_codebook(c(protest = "People dissent.")))
  expect_equal(names(table), c("code", "definition"))
  expect_equal(table$definition, "People dissent.")
  book <- data.frame(code = "protest", answer = 1, definition = "x", example = NA)
  expect_equal(decode_table(send_codebook(book))$answer, "1")
  file <- withr::local_tempfile(fileext = ".csv", lines = "code,definition")
  expect_equal(send_codebook(file)$kind, "path")
  expect_error(send_codebook(5), "must be definitions", class = "imagestrata_error")
})

test_that("arguments reach Python", {
  calls <- local_core(export_labels = \(...) "folder")
  sample <- data.frame(image_id = "a", path = "a.jpg", cluster = 1)
  expect_message(
    export_labels(sample, "out", "protest", by = NULL, coders = 2, progress = FALSE),
    "For annotators"
  )
  expect_null(calls$export_labels$by)
  expect_equal(calls$export_labels$coders, 2)
  expect_error(export_labels(1, "out", "a"), "data frame", class = "imagestrata_error")
})

test_that("labels go out and come back", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  topics <- cluster_images(imagestrata_example("images"), encoder = "hog", progress = FALSE)
  sample <- sample_images(topics, n_per_cluster = 3)
  codes <- list("protest", scene = c("march", "vigil"), crowd = c(calm = 1, violent = 3))
  out <- suppressMessages(export_labels(
    sample, file.path(folder, "label"), codes,
    to = "csv", coders = 2, double = 1, codebook = c(scene = "Where."), progress = FALSE
  ))
  expect_setequal(
    list.files(out), c("coder-1.csv", "coder-2.csv", "export.json", "images", "packets.csv")
  )
  fill <- function(coder, name, ...) {
    table <- utils::read.csv(file.path(out, coder), colClasses = "character")
    values <- list(...)
    table[names(values)] <- values
    file <- file.path(folder, paste0(name, ".csv"))
    utils::write.csv(table, file, row.names = FALSE, na = "")
    file
  }
  anna <- fill("coder-1.csv", "anna", protest = "yes", scene = "march", crowd = "3")
  n <- nrow(sample)
  bo <- fill(
    "coder-2.csv", "bo",
    protest = "0", scene = "march", crowd = "2", skipped = c("unclear", rep("", n - 1))
  )
  expect_message(labels <- read_labels(c(anna, bo), out), "anna.*\n.*bo")
  expect_named(
    labels, c("image_id", "code", "label", "annotator", "note", "kind", "seconds")
  )
  expect_equal(nrow(labels), 6 * n)
  expect_equal(sum(is.na(labels$label)), 3)
  expect_equal(attr(labels, "pace")$n_skipped, c(0, 1))
  again <- suppressMessages(read_labels(c(anna, bo), sample, codes = codes))
  expect_equal(nrow(again), nrow(labels))

  found <- agreement(labels, n_boot = 20)
  expect_equal(unique(found$code), c("protest", "scene", "crowd"))
  expect_equal(found$estimate[found$measure == "percent_agreement"], c(0, 0, 1, 1, 0, 0))
  expect_equal(unique(found$n_images), n - 1)
  expect_warning(decided <- consensus(labels), "undecided")
  expect_equal(nrow(decided), 3 * n)
  expect_equal(unique(decided$label[decided$code == "scene"]), "march")
  disputed <- attr(decided, "disputed")
  expect_named(disputed, c("image_id", "code", "annotator", "label", "note"))
  expect_equal(nrow(disputed), 2 * 2 * (n - 1))
  meeting <- suppressMessages(export_labels(
    sample, file.path(folder, "meeting"), codes,
    disputed = labels, progress = FALSE
  ))
  expect_true(file.exists(file.path(meeting, "coder-1.html")))
})

test_that("labels of one's own are numbers, text or TRUE and FALSE", {
  skip_if_no_core()
  own <- function(label) {
    data.frame(image_id = c("a", "a"), code = "p", label = label, annotator = c("x", "y"))
  }
  for (label in list(c(TRUE, FALSE), c(1, 0), c("1", "0"))) {
    expect_equal(agreement(own(label), n_boot = 5)$estimate[1], 0)
    expect_equal(suppressWarnings(consensus(own(label)))$label, NA_character_)
    expect_equal(consensus(own(label), "any")$label, "1")
  }
})
