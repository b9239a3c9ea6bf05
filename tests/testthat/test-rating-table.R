test_that("tables for papers are those of Python", {
  expected <- readLines(test_path("..", "fixtures", "paper-tables.txt"), encoding = "UTF-8")
  expect_equal(paper_tables(), expected)
})

# Two groups and two items, by hand.
small_means <- function() {
  tibble::tibble(
    level = "item", item = rep(c("proud", "angry"), each = 2), dimension = "all",
    group = rep(c("D", "R"), 2), estimate = c(3.456, 2, -0.001, NA),
    std.error = c(0.5, 0.25, 1, NA),
    df = 10, conf.low = estimate - stats::qt(0.95, 10) * std.error,
    conf.high = estimate + stats::qt(0.95, 10) * std.error,
    n_ratings = c(1200, 1100, 1000, 1), weight = "corpus", respondent_weight = "survey_weight",
    variance = "respondent"
  )
}

test_that("a table of means has a column for each group, by hand", {
  table <- rating_table(small_means())
  expect_named(table, c("Item", "D", "R"))
  expect_equal(table$Item, c("proud", "angry"))
  expect_equal(table$D, c("3.46 [2.55, 4.36]", "0.00 [\u22121.81, 1.81]"))
  expect_equal(table$R, c("2.00 [1.55, 2.45]", "\u2013"))
  note <- attr(table, "note")
  expect_match(note, "Means with 90% intervals in brackets; every image of the cor", fixed = TRUE)
  expect_match(note, "respondents are weighted by survey_weight; standard errors allow for respon")
  expect_match(note, "Each mean rests on 1 to 1,200 ratings. \u2013: cannot be estimated.")
})

test_that("more than six groups have a row each", {
  means <- dplyr::bind_rows(lapply(1:7, \(i) {
    dplyr::mutate(small_means()[1:2, ], cluster = i, group = NULL)[1, ]
  }))
  expect_named(rating_table(means), c("Item", "Cluster", "Mean", "90% interval"))
  named <- rating_table(means, labels = c("2" = "Flags"))
  expect_equal(named$Cluster[1:2], c("Cluster 1", "Flags"))
})

test_that("all formats have the caption, the numbers and the note", {
  table <- rating_table(small_means())
  for (format in c("markdown", "latex", "html")) {
    text <- rating_table(small_means(), to = format)
    expect_length(text, 1)
    expect_match(text, "Mean ratings by group", fixed = TRUE)
    expect_match(text, "3.46 [2.55, 4.36]", fixed = TRUE)
    expect_match(text, "Note.", fixed = TRUE)
  }
  latex <- rating_table(small_means(), to = "latex")
  expect_match(latex, "[$-$1.81, 1.81]", fixed = TRUE)
  expect_match(latex, "survey\\_weight", fixed = TRUE)
  expect_match(latex, "90\\% intervals", fixed = TRUE)
  expect_equal(
    as.character(knitr::knit_print(table)), rating_table(small_means(), to = "markdown")
  )
  expect_output(print(table), "Mean ratings by group")
})

test_that("signs of LaTeX are written out, in cells and in notes", {
  gaps <- dplyr::mutate(
    small_means()[c(1, 3), ], contrast = "a<b>c - d~e^f\\g", p.adjusted = 0.0001, p.value = 0.0001,
    adjust = "holm"
  )
  latex <- rating_table(gaps, labels = c(proud = "p > 0 & ~^\\"), to = "latex")
  expect_match(latex, "\\textless{}.001", fixed = TRUE)
  expect_match(latex, "p \\textgreater{} 0 \\& \\textasciitilde{}", fixed = TRUE)
  caption <- paste0(
    "{Gaps between mean ratings: a\\textless{}b\\textgreater{}c $-$ ",
    "d\\textasciitilde{}e\\textasciicircum{}f\\textbackslash{}g"
  )
  expect_match(latex, caption, fixed = TRUE)
  expect_no_match(latex, "[<>]")
})

test_that("a document as PDF loads the package that its tables need", {
  before <- knitr::opts_knit$get("rmarkdown.pandoc.to")
  withr::defer(knitr::opts_knit$set(rmarkdown.pandoc.to = before))
  knitr::opts_knit$set(rmarkdown.pandoc.to = "latex")
  printed <- knitr::knit_print(rating_table(small_means()))
  expect_match(printed, "\\toprule", fixed = TRUE)
  expect_equal(attr(printed, "knit_meta"), list(rmarkdown::latex_dependency("booktabs")))
})

test_that("gt receives the rows, the caption and the note", {
  # The functions of gt that are used, with the arguments that its help names.
  gt <- list(
    gt = function(data) list(rows = data),
    tab_header = function(data, title, subtitle = NULL) c(data, title = title),
    tab_source_note = function(data, source_note) c(data, note = source_note)
  )
  table <- rating_table(small_means())
  found <- gt_table(table, gt)
  expect_identical(found$rows, plain_tibble(table))
  expect_equal(found$title, "Mean ratings by group")
  expect_equal(found$note, attr(table, "note"))
  real <- tryCatch(
    rating_table(small_means(), to = "gt"), rlib_error_package_not_found = function(error) error
  )
  expected <- if (rlang::is_installed("gt")) "gt_tbl" else "rlib_error_package_not_found"
  expect_s3_class(real, expected)
})

test_that("the note says that intervals are not adjusted, where they are shown", {
  gaps <- function(adjust) {
    dplyr::mutate(
      small_means()[1, ], contrast = "D - R", p.value = 0.01, p.adjusted = 1, adjust = adjust
    )
  }
  note <- function(adjust, ...) attr(rating_table(gaps(adjust), ...), "note")
  expect_match(note("holm"), "adjusted by Holm's method, intervals are not. ", fixed = TRUE)
  expect_match(note("BH"), "Benjamini and Hochberg, intervals are not. ", fixed = TRUE)
  expect_match(note("none"), "p values are not adjusted. ", fixed = TRUE)
  expect_no_match(note("holm", uncertainty = "standard error"), "intervals")
})

test_that("files have the format of their extension, and are not replaced unasked", {
  folder <- withr::local_tempdir()
  for (extension in c("md", "tex", "html", "docx")) {
    out <- file.path(folder, paste0("means.", extension))
    expect_message(rating_table(small_means(), out = out), "Table:")
    expect_gt(file.size(out), 100)
    expect_error(rating_table(small_means(), out = out), "exists", class = "imagestrata_error")
    suppressMessages(rating_table(small_means(), out = out, overwrite = TRUE))
  }
  page <- readLines(file.path(folder, "means.html"), encoding = "UTF-8")
  expect_equal(page[1:2], c("<meta charset=\"utf-8\">", "<table>"))
  expect_true("word/document.xml" %in% utils::unzip(out, list = TRUE)$Name)
  expect_error(
    rating_table(small_means(), out = file.path(folder, "a.pdf")), "must end in",
    class = "imagestrata_error"
  )
  expect_error(
    rating_table(small_means(), out = file.path(folder, "no", "a.md")), "does not exist",
    class = "imagestrata_error"
  )
})

test_that("wrong input is refused", {
  refuses <- function(code, message) expect_error(code, message, class = "imagestrata_error")
  refuses(rating_table(1), "must be the result of")
  # The coefficients of a model are no means; the model itself has a table.
  refuses(rating_table(dplyr::select(small_means(), -"n_ratings")), "lacks n_ratings")
  refuses(rating_table(small_means(), level = "dimension"), "no \"dimension\" to show")
  refuses(rating_table(small_means(), labels = "Proud"), "texts by name")
  refuses(rating_table(small_means(), labels = c(D = "R")), "would be called \"R\"")
  refuses(rating_table(small_means(), overwrite = TRUE), "only with `out`")
  refuses(rating_table(small_means(), digits = -1), "digits")
})

test_that("a model has a row for each term, and decimals that show small coefficients", {
  ratings <- toy_ratings()
  ratings <- dplyr::bind_rows(
    ratings, dplyr::mutate(ratings, respondent_id = paste0(respondent_id, "2"), rating = rating / 2)
  )
  ratings$age <- 1000 * match(ratings$respondent_id, unique(ratings$respondent_id))^2
  ratings$w <- 2
  model <- quietly(
    rating_model(ratings, angry ~ group + age, respondent_weight = w, variance = "respondent")
  )
  table <- rating_table(model, uncertainty = "standard error")
  expect_named(table, c("Term", "angry"))
  expect_equal(
    table$Term, c("Intercept", "group: R", "age", "Ratings", "Respondents", "Images")
  )
  error <- tidy(model)$std.error[3]
  shown <- as.numeric(sub(".*\\((.*)\\)", "\\1", table$angry[3]))
  expect_equal(shown, signif(error, 1))
  expect_equal(unname(table$angry[4:6]), c("12", "8", "3"))
  expect_match(attr(table, "note"), "respondents are weighted by w; standard errors allow for resp")
  expect_equal(term_text("groupR:age", c("group", "age")), "group: R \u00d7 age")
})

test_that("the note of a mixed model names its target", {
  ratings <- dplyr::filter(simulated_ratings, .data$cluster <= 8, .data$item == "proud")
  model <- suppressWarnings(suppressMessages(
    rating_model(ratings, proud ~ group, method = "mixed")
  ))
  table <- rating_table(model)
  expect_equal(attr(table, "caption"), "Mixed models of ratings")
  expect_match(attr(table, "note"), "mixed model about images like these, in which respondents, im")
  expect_no_match(attr(table, "note"), "equal weight|shrunken")
})
