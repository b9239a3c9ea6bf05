vectors <- matrix(c(0, 0, 1, 9, 9, 8), ncol = 1, dimnames = list(letters[1:6], NULL))

test_that("a function of one's own clusters the vectors", {
  skip_if_no_core()
  seen <- NULL
  topics <- cluster_images(vectors, function(x) {
    seen <<- x
    c(2, 2, 2, 1, 1, NA)
  }, progress = FALSE)
  expect_equal(seen, unname(vectors))
  expect_equal(topics$cluster, c(1, 1, 1, 2, 2, -1))
  expect_equal(tidy(topics)$size, c(3, 2))
  expect_equal(glance(topics)$method, "function")
})

test_that("hierarchical clustering of R is one line", {
  skip_if_no_core()
  topics <- cluster_images(vectors, \(x) cutree(hclust(dist(x)), 2), progress = FALSE)
  expect_equal(topics$cluster, c(1, 1, 1, 2, 2, 2))
})

test_that("other labels than the stored ones are refused", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  labels <- c(1, 1, 1, 2, 2, 2)
  given <- function(x) labels
  first <- cluster_images(vectors, given, out = run, progress = FALSE)
  again <- cluster_images(vectors, given, out = run, progress = FALSE)
  expect_equal(again$cluster, first$cluster)
  labels <- c(1, 1, 2, 2, 2, 2)
  expect_error(
    cluster_images(vectors, given, out = run, progress = FALSE), "already holds the step"
  )
})

test_that("labels that are no clusters are refused", {
  skip_if_no_core()
  refused <- function(method, ...) {
    gsub("\\s+", " ", conditionMessage(expect_error(
      cluster_images(vectors, method, ..., progress = FALSE), class = "imagestrata_error"
    )))
  }
  expect_match(refused(\(x) rep(0:1, 3)), "returned the cluster 0, which many functions use for n")
  expect_match(refused(\(x) letters[1:6]), "must return a whole number for each row")
  expect_match(refused(\(x) factor(1:6)), "must return a whole number for each row")
  expect_match(refused(\(x) 1:3), "gave 3 labels to 6 images")
  expect_match(refused(\(x) 1:6 / 2), "returned the label 0.5: clusters are whole")
  expect_match(refused(\(x) stop("too large")), "The function stopped with an error: too large")
  expect_match(refused(\(x) 1:6, k = 3), "of your own has no setting \"k\"")
})

test_that("errors of other kinds and interrupts do not pass through Python", {
  expect_equal(answering(3), list(value = 3))
  expect_equal(answering(stop("a")), list(error = "a"))
  expect_equal(answering(rlang::interrupt()), list(interrupted = TRUE))
  expect_equal(answering(refuse_answer("is {1 + 1}")), list(wrong = "is 2", hint = ""))
})
