test_that("every verb of Python has its twin, with the same arguments and defaults", {
  skip_if_no_core()
  python <- python_signatures()
  verbs <- setdiff(unique(python$verb), c(names(otherwise), pure_r))
  expect_equal(setdiff(verbs, getNamespaceExports("imagestrata")), character())
  expect_equal(setdiff(pure_r, getNamespaceExports("imagestrata")), character())
  r <- r_signatures(verbs)
  for (verb in verbs) {
    ours <- r[r$verb == verb, ]
    theirs <- python[python$verb == verb, ]
    expect_equal(ours$argument, theirs$argument, info = verb)
    differs <- !mapply(same_default, ours$default, theirs$default)
    expect_equal(ours$default[differs], theirs$default[differs], info = verb)
  }
})

test_that("PARITY.md is up to date", {
  skip_if_no_core()
  page <- file.path(testthat::test_path("..", ".."), "PARITY.md")
  skip_if_not(file.exists(page), "not in the repository")
  expect_equal(readLines(page), parity_page())
})
