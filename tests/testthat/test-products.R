test_that("a verb that gets another step's product names what is missing", {
  topics <- toy_clustering()
  sample <- demo_sample()
  said <- function(code) rlang::catch_cnd(code, "imagestrata_error")
  expect_match(said(cluster_confidence(sample))$message, "not a sample, which")
  expect_match(said(cluster_confidence(sample))$hint, "Give what `?cluster_images")
  expect_s3_class(said(cluster_confidence(sample)), "wrong_step")
  expect_match(said(find_images("run"))$hint, "read_clustering")
  expect_equal(
    makers_between(toy_embeddings(), "imagestrata_sample"), c("cluster_images", "sample_images")
  )
  expect_equal(makers_between(sample, "imagestrata_clustering"), character())
})

test_that("the core names the missing step in R's words", {
  skip_if_no_core()
  wrong <- rlang::catch_cnd(assign_annotators(toy_clustering()), "imagestrata_error")
  expect_equal(wrong$hint, "Call sample_images(), and give what it returns.")
  expect_equal(wrong$code, "wrong_step")
  packets <- rlang::catch_cnd(export_packets(demo_sample(), tempfile()), "imagestrata_error")
  expect_equal(packets$hint, "Call assign_annotators(), and give what it returns.")
})

test_that("a result that has become a plain table says why", {
  topics <- toy_clustering()
  lost <- rlang::catch_cnd(find_images(as.data.frame(topics)), "imagestrata_error")
  expect_match(lost$hint, "rows or values were changed")
  part <- as.data.frame(topics)[setdiff(names(topics), "iteration")]
  expect_match(rlang::catch_cnd(find_images(part))$hint, "lacks the column `?iteration")
  bare <- data.frame(image_id = "a")
  unjoined <- rlang::catch_cnd(read_ratings(data.frame(a = 1), sample = bare), "imagestrata_error")
  expect_match(unjoined$message, "lacks the column .*cluster.*sample_images")
})

test_that("the products of both languages are the same", {
  skip_if_no_core()
  there <- decode_table(call_core("products"))
  made <- vapply(products, \(product) product$maker, "")
  expect_in <- function(x, table) expect_equal(setdiff(x, table), character())
  expect_in(setdiff(made, "scan_images"), there$maker)
  called <- vapply(products, \(product) product$called, "")
  shared <- intersect(made, there$maker)
  expect_in(called[made %in% shared], there$called)
})

test_that("files of spreadsheet programs are told from tables", {
  expect_error(read_ratings("answers.xlsx"), "readxl::read_excel", class = "imagestrata_error")
  expect_error(assign_annotators("sample.ods"), "spreadsheet", class = "imagestrata_error")
  expect_error(read_test("a.csv", "key.XLSX"), class = "imagestrata_error")
})

test_that("a chosen Python that is not there is named, with where it is chosen", {
  withr::local_envvar(RETICULATE_PYTHON = "/no/python", R_ENVIRON_USER = "", R_ENVIRON = "")
  withr::local_dir(withr::local_tempdir())
  expect_match(next_step(), "/no/python.*does not exist")
  writeLines("RETICULATE_PYTHON=/no/python", ".Renviron")
  expect_match(next_step(), "[.]Renviron.* sets it")
})

test_that("means are told from gaps", {
  expect_error(
    plot_rating_gaps(few_means()), "not means, which `rating_means()` returns",
    fixed = TRUE, class = "imagestrata_error"
  )
  expect_error(
    rating_means(few_gaps()), "not gaps, which `rating_gaps()` returns",
    fixed = TRUE, class = "imagestrata_error"
  )
})
