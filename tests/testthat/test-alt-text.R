test_that("alternative texts are sentences", {
  expect_equal(alt_text("points by group", NULL, "", "one is up."), "Points by group. One is up.")
  expect_equal(
    alt_extremes("mean", c(1, NA, 3.456), c("a", "b", "c")),
    "The highest mean is 3.46 (c), the lowest 1.00 (a)"
  )
  expect_equal(alt_extremes("gap", 2, ""), "The gap is 2.00")
  expect_equal(alt_extremes("gap", NA_real_, "a"), "No gap is known")
})

test_that("they count the intervals that exclude zero", {
  low <- c(0.1, -1, -2, NA)
  high <- c(1, 1, -0.5, NA)
  expect_equal(alt_beyond(low, high, letters[1:4]), "2 of 3 intervals exclude zero: a and c")
  expect_equal(alt_beyond(-1, 1, "a"), "0 of 1 interval exclude zero")
  expect_null(alt_beyond(NA, NA, "a"))
  expect_equal(list_of(letters[1:3]), "a, b and c")
  expect_equal(list_of(letters, 2), "a, b and 24 more")
  # Names with a comma are apart.
  expect_equal(list_of(c("a, 1", "b, 1", "c, 2")), "a, 1; b, 1 and c, 2")
  expect_equal(list_of(c("a, 1", "b, 1", "c, 2"), 2), "a, 1; b, 1 and 1 more")
  expect_equal(
    cluster_in_words(c("5", "Cluster 12", "protest", "residual")),
    c("cluster 5", "cluster 12", "protest", "residual")
  )
})

test_that("captions have the width of a column", {
  expect_null(caption_text(NULL))
  lines <- strsplit(caption_text(strrep("word ", 40), "end"), "\n")[[1]]
  expect_lte(max(nchar(lines)), 56)
  expect_match(lines[length(lines)], "End[.]$")
})
