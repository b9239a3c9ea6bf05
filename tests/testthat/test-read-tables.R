# The same files are read by tests/python/test_tables.py.

fixtures <- function(pattern) {
  list.files(testthat::test_path("..", "fixtures", "tables"), pattern, full.names = TRUE)
}

odd_ids <- c("001", "300000", "1e5", "TRUE", "NA", "1_000", "98765432109876543210", "M\u00fcller")

stored <- function(text, encoding = "UTF-8") {
  file <- withr::local_tempfile(fileext = ".csv", .local_envir = parent.frame())
  writeBin(iconv(text, "UTF-8", encoding, toRaw = TRUE)[[1]], file)
  file
}

test_that("golden files are all the same table", {
  files <- fixtures("^good-")
  skip_if(length(files) == 0, "the fixtures lie beside the sources only")
  for (file in files) {
    table <- suppressWarnings(read_csv_text(file, c("image_id", "rating")))
    expect_named(table, c("image_id", "remark, if any", "rating"), info = file)
    expect_identical(table$image_id, odd_ids, info = file)
    expect_identical(table[[2]][1:3], c("5\" wide", "two\nlines", ""), info = file)
    expect_identical(table$rating, as.character(1:8), info = file)
  }
})

test_that("golden files that nobody may repair are refused with file and line", {
  files <- fixtures("^bad-")
  skip_if(length(files) == 0, "the fixtures lie beside the sources only")
  for (file in files) {
    line <- sub(".*-([0-9]+)[.]csv$", "\\1", file)
    error <- expect_error(
      read_csv_text(file, c("image_id", "rating")),
      class = "imagestrata_error"
    )
    text <- gsub("\\s+", " ", conditionMessage(error))
    expect_match(text, basename(file), fixed = TRUE)
    if (line != "0") {
      expect_match(text, paste0("ine ", line, " "), fixed = TRUE)
    }
  }
})

test_that("no locale changes what is read", {
  file <- fixtures("^good-bom-crlf")
  skip_if(length(file) == 0, "the fixtures lie beside the sources only")
  withr::local_locale(c(LC_CTYPE = "C", LC_COLLATE = "C"))
  table <- read_csv_text(file, c("image_id", "rating"))
  expect_identical(enc2utf8(table$image_id), odd_ids)
})

test_that("an encoding is named, or told", {
  text <- "image_id,x\n\u00fc,\u00e9\n"
  expect_warning(table <- read_csv_text(stored(text, "CP1252")), "line 2.*CP1252")
  expect_equal(table$image_id, "\u00fc")
  file <- stored("image_id,x\n\u0436,\u044b\n", "CP1251")
  expect_equal(read_csv_text(file, encoding = "CP1251")$image_id, "\u0436")
  expect_error(read_csv_text(file, encoding = "klingon"), "klingon", class = "imagestrata_error")
})

test_that("what separates columns can be said, and is asked for where it is open", {
  file <- stored("a,b;c\n1,2;3\n")
  expect_error(read_csv_text(file), "both are possible", class = "imagestrata_error")
  expect_named(read_csv_text(file, sep = ";"), c("a,b", "c"))
  expect_named(read_csv_text(file, sep = ","), c("a", "b;c"))
  expect_error(read_csv_text(file, sep = ";;"), "one character", class = "imagestrata_error")
})

test_that("ids become text exactly", {
  expect_identical(id_text(c(1, 300000, NA)), c("1", "300000", NA))
  expect_identical(id_text(100000L), "100000")
  expect_identical(id_text(factor(c("b", "a"))), c("b", "a"))
  expect_identical(id_text(odd_ids), odd_ids)
  expect_error(id_text(1e17), "lost digits", class = "imagestrata_error")
  expect_error(id_text(1.5), "lost digits", class = "imagestrata_error")
  expect_identical(plain_text(c(100000, 0.5, NA)), c("100000", "0.5", NA))
  sent <- encode_table(data.frame(image_id = c(1, 300000)))
  expect_identical(decode_table(sent)$image_id, c("1", "300000"))
})

test_that("numbers do not depend on the locale, and texts that would lose something stay", {
  texts <- c("1.5", "1,5", " 2 ", "1e3", "0x10", "Inf", "")
  expect_identical(as_number(texts), c(1.5, NA, 2, 1000, NA, NA, NA))
  expect_identical(as_number("1,5", decimal_comma = TRUE), 1.5)
  expect_identical(typed_text(c("1", "2")), 1:2)
  expect_identical(typed_text(c("007", "1")), c("007", "1"))
  expect_identical(typed_text(c("1e5", "1")), c("1e5", "1"))
  expect_identical(typed_text(c("1.5", NA, "NA")), c(1.5, NA, NA))
})

test_that("columns of the user are kept under other names", {
  data <- data.frame(cluster = 7, cluster_given = 8)
  expect_warning(kept <- keep_given(data, "cluster", "this"), "cluster is now cluster_given_2")
  expect_named(kept, c("cluster_given_2", "cluster_given"))
})

test_that("a page for annotators is no table", {
  page <- withr::local_tempfile(fileext = ".html")
  for (start in c("<!doctype html>\n<title>", "\ufeff\n <HTML lang='en'>")) {
    writeLines(enc2utf8(paste0(start, "Label</title>,")), page, useBytes = TRUE)
    expect_error(read_csv_text(page), "page for a browser", class = "imagestrata_error")
  }
  table <- withr::local_tempfile(lines = c("<htmlx>,image_id", "1,a"), fileext = ".csv")
  expect_named(read_csv_text(table), c("<htmlx>", "image_id"))
})
