test_that("the figure of CONTRIBUTING.md is drawn, and its test passes", {
  page <- file.path(testthat::test_path("..", ".."), "CONTRIBUTING.md")
  skip_if_not(file.exists(page), "not in the repository")
  text <- paste(readLines(page, encoding = "UTF-8"), collapse = "\n")
  block <- function(path) {
    start <- paste0("`", path, "`:\n\n```r\n")
    after <- strsplit(text, start, fixed = TRUE)[[1]]
    expect_length(after, 2)
    strsplit(after[[2]], "\n```\n", fixed = TRUE)[[1]][[1]]
  }
  # As a file of the package would be, with its functions at hand.
  space <- new.env(parent = asNamespace("imagestrata"))
  eval(parse(text = block("R/plot-distances.R")), space)
  here <- new.env(parent = space)
  eval(parse(text = block("tests/testthat/test-plot-distances.R")), here)
  expect_error(space$plot_distances(5), class = "imagestrata_error")
})
