# Ring one: what this side writes it can read, byte by byte. Ring three: what Python's side
# sends back is what left. tests/python/test_codec.py has the same table of types.

types <- list(
  "integer with NA" = c(1L, NA, -5L, .Machine$integer.max),
  "integer, all NA" = NA_integer_,
  "double with NA, NaN and Inf" = c(1.5, NA, NaN, Inf, -Inf, -0.0),
  "double with NA" = c(1, NA),
  "double with NaN" = c(1, NaN),
  "beyond 2^31" = c(2^31, -2^40),
  "2^53" = 2^53,
  "character" = c("a", NA, "NA", "", "n/a", "Zürich", "\U1F986", "a\nb\t"),
  "character, all NA" = NA_character_,
  "logical with NA" = c(TRUE, NA, FALSE),
  "logical, all NA" = NA,
  "factor with unused levels" = factor(c("b", NA, "a"), levels = c("a", "b", "unused \u00e9")),
  "ordered" = factor(c("lo", "hi", NA), levels = c("lo", "hi"), ordered = TRUE),
  "Date" = as.Date(c("2020-02-29", NA, "1969-12-31")),
  "POSIXct with zone" = as.POSIXct(c("2020-03-29 03:30:00.5", NA), tz = "Europe/Berlin"),
  "POSIXct in UTC" = as.POSIXct("1969-12-31 23:59:59", tz = "UTC")
)
types <- c(
  types,
  one = lapply(types, utils::head, 1),
  no = lapply(types, utils::head, 0),
  # Without rows, Python cannot tell them from text.
  list(
    "lists of text" = list(c("a", NA), NULL, "b"),
    "lists of numbers" = list(1:3, 4L, integer()),
    "lists of dates" = list(as.Date("2020-02-29"), as.Date(c("2020-03-01", NA)))
  )
)

expect_same <- function(after, before, name) {
  # `identical()` alone takes NA and NaN for the same only when told to.
  same <- identical(after, before, single.NA = FALSE)
  expect(same, paste(name, "did not come back:", paste(format(after), collapse = ", ")))
}

test_that("every type is read as it was written", {
  for (name in names(types)) {
    column <- encode_column("x", types[[name]])
    expect_same(decode_column(column, length(types[[name]])), types[[name]], name)
  }
})

test_that("every type comes back from Python", {
  skip_if_no_core()
  for (name in names(types)) {
    before <- tibble::tibble(x = types[[name]])
    after <- call_core("echo", encode_table(before))
    expect_same(decode_table(after)$x, before$x, name)
  }
})

test_that("a table is a few bytes that both sides know", {
  table <- encode_table(tibble::tibble(n = c(1L, NA), s = c("\u00e9", NA)))
  expect_equal(table$n_rows, 2L)
  expect_equal(table$columns[[1]], list(
    name = "n", kind = "integer", data = as.raw(c(1, 0, 0, 0, 0, 0, 0, 0x80)),
    levels = NULL, na = as.raw(c(0, 1))
  )[c("name", "kind", "data", "na")], ignore_attr = TRUE)
  expect_equal(table$columns[[2]]$data, as.raw(c(0xc3, 0xa9, 0, 0)))
})

test_that("whole numbers beyond 2^53 are never rounded", {
  skip_if_no_core()
  # The bytes of 2^53 + 1, as a column of class integer64 holds them.
  big <- structure(readBin(as.raw(c(1, 0, 0, 0, 0, 0, 0x20, 0)), "double"), class = "integer64")
  after <- decode_table(call_core("echo", encode_table(tibble::tibble(x = big))))
  expect_identical(after$x, "9007199254740993")
})

test_that("text of other encodings arrives as UTF-8", {
  latin <- "Z\xfcrich"
  Encoding(latin) <- "latin1"
  column <- encode_column("x", latin)
  expect_identical(decode_column(column, 1), "Z\u00fcrich")
})

test_that("times without a zone take that of the session", {
  withr::local_timezone("America/New_York")
  column <- encode_column("x", as.POSIXct("2020-01-01 12:00"))
  expect_equal(attr(decode_column(column, 1), "tzone"), "America/New_York")
  from_list <- encode_column("x", as.POSIXlt("2020-01-01 12:00", tz = "UTC"))
  expect_equal(decode_column(from_list, 1), as.POSIXct("2020-01-01 12:00", tz = "UTC"))
})

test_that("tables without rows or columns keep their shape", {
  expect_equal(dim(decode_table(encode_table(tibble::tibble(a = 1:3)[0, ]))), c(0, 1))
  expect_equal(dim(decode_table(encode_table(tibble::new_tibble(list(), nrow = 3L)))), c(3, 0))
})

test_that("a matrix is read as it was written, and comes back as float32", {
  m <- matrix(c(1, 2, 3, NaN, Inf, -0.5), nrow = 2)
  expect_identical(decode_matrix(encode_matrix(m)), m)
  expect_identical(decode_matrix(encode_matrix(m[0, , drop = FALSE])), m[0, , drop = FALSE])
  skip_if_no_core()
  sent <- list(kind = "matrix", matrix = encode_matrix(m))
  expect_identical(decode_matrix(call_core("echo", sent)), m)
})

test_that("what cannot go to Python is named", {
  expect_snapshot(error = TRUE, {
    encode_table(tibble::tibble(tags = list(list(1), 2)))
    encode_table(tibble::tibble(took = as.difftime(1, units = "hours")))
    encode_table(tibble::tibble(z = 1i))
    encode_table(tibble::tibble(name = c("ok", "bad\xff")))
  })
})
