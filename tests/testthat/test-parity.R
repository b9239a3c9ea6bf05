test_that("every verb of Python has its twin, with the same arguments and defaults", {
  skip_if_no_core()
  python <- python_signatures()
  verbs <- setdiff(unique(python$verb), names(otherwise))
  expect_equal(setdiff(verbs, getNamespaceExports("imagestrata")), character())
  r <- r_signatures(verbs)
  for (verb in verbs) {
    ours <- r[r$verb == verb, ]
    alone <- only_r$argument[only_r$verb == verb]
    expect_equal(setdiff(alone, ours$argument), character(), info = verb)
    ours <- ours[!ours$argument %in% alone, ]
    theirs <- python[python$verb == verb & python$argument != "...", ]
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

test_that("every function refuses arguments that there are not, before it does anything", {
  local_replaced("core", \(...) stop("Python was looked for"))
  ours <- asNamespace("imagestrata")
  exported <- mget(getNamespaceExports(ours), ours, inherits = TRUE)
  exported <- Filter(\(verb) is.function(verb) && identical(environment(verb), ours), exported)
  expect_gt(length(exported), 70)
  # Their dots hold settings of a method, arguments of fine_tune(), clusterings by name.
  open <- "compare_clusterings"
  for (name in setdiff(names(exported), open)) {
    verb <- exported[[name]]
    expect_equal(names(rev(formals(verb)))[[1]], "...", info = name)
    said <- rlang::catch_cnd(verb(no_such_argument = stop("evaluated")))
    expect_s3_class(said, "imagestrata_error")
    expect_equal(said$code, "unknown_argument", info = name)
    expect_match(said$message, "There is no argument `?no_such_argument", info = name)
  }
})
