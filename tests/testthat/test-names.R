test_that("no function is defined twice", {
  folder <- testthat::test_path("..", "..", "R")
  skip_if_not(dir.exists(folder), "not in the repository")
  files <- list.files(folder, pattern = "[.]R$", full.names = TRUE)
  named <- lapply(files, function(file) {
    found <- Filter(\(line) rlang::is_call(line, "<-") && is.symbol(line[[2]]), parse(file))
    vapply(as.list(found), \(line) as.character(line[[2]]), "")
  })
  names <- unlist(named)
  # All files share one namespace: of two objects of a name, the later one would replace the other.
  twice <- unique(names[duplicated(names)])
  where <- rep(basename(files), lengths(named))
  expect_equal(paste(twice, vapply(twice, \(x) toString(where[names == x]), "")), character())
  expect_gt(length(names), 500)
})
