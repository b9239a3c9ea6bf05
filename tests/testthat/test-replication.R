# The R scripts of the pages about the sources; their Python scripts are tested there.

scripts_of <- function(page) {
  folder <- file.path(testthat::test_path("..", ".."), "docs", "replication")
  skip_if_not(dir.exists(folder), "not in the repository")
  lines <- readLines(file.path(folder, page))
  fences <- which(startsWith(lines, "```"))
  open <- fences[lines[fences] == "```r"]
  close <- vapply(open, \(line) min(fences[fences > line]), 1)
  parse(text = unlist(Map(\(from, to) lines[seq(from + 1, to - 1)], open, close)))
}

run_scripts <- function(page) {
  known <- new.env(parent = globalenv())
  for (line in scripts_of(page)) suppressMessages(suppressWarnings(eval(line, known)))
  known
}

test_that("the figures of the study of partisans are drawn", {
  known <- run_scripts("iterative-clustering.md")
  expect_s3_class(known$figure_9, "ggplot")
  expect_s3_class(known$figure_10, "ggplot")
  gaps <- tidy(known$gaps)
  # Democrats are the more enthusiastic in the simulated survey, as in the study.
  expect_gt(gaps$estimate[gaps$item == "proud"], 0)
  expect_equal(sort(unique(tidy(known$fifth)$cluster)), sort(unique(simulated_sample$cluster)))
})

test_that("the figures of Images as Data are drawn", {
  known <- run_scripts("images-as-data.md")
  expect_s3_class(known$figure_5_1, "imagestrata_share_model")
  terms <- tidy(known$figure_5_1)$term
  expect_true(all(c("enthusiasm", "aversion", "anxiety") %in% terms))
})
