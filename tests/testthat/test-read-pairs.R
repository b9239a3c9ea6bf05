test_that("answers find their pairs", {
  skip_if_no_core()
  pairs <- sample_pairs(toy_vectors(), n = 20, k = 4)
  folder <- withr::local_tempdir()
  answer <- function(annotator, judgement) {
    file <- file.path(folder, paste0(annotator, ".csv"))
    table <- data.frame(pair_id = pairs$pair_id, annotator = annotator, judgement = judgement)
    utils::write.csv(table[sample(nrow(table)), ], file, row.names = FALSE)
    file
  }
  same <- as.integer(pairs$stratum == "within")
  judged <- read_pairs(c(answer("anna", same), answer("ben", 1 - same)), pairs)
  expect_equal(judged$pair_id, rep(pairs$pair_id, each = 2))
  expect_equal(judged$annotator, rep(c("anna", "ben"), 20))
  expect_equal(judged$judgement[judged$annotator == "anna"], same)
  expect_error(read_pairs(answer("anna", 2), pairs), "are none of", class = "imagestrata_error")
  expect_equal(unique(read_pairs(answer("anna", 2), pairs, graded = TRUE)$judgement), 2)
  expect_equal(read_pairs(data.frame(judged), pairs), judged)
  key <- file.path(folder, "pairs-key.csv")
  utils::write.csv(pairs, key, row.names = FALSE)
  expect_equal(read_pairs(data.frame(judged), key)$judgement, judged$judgement)
  expect_warning(
    expect_equal(nrow(read_pairs(answer("anna", c(NA, same[-1])), pairs)), 19),
    "1 of 20 pairs"
  )
})

test_that("a file that is not there is told before Python starts", {
  local_core()
  expect_error(read_pairs("none.csv", data.frame()), "none.csv", class = "imagestrata_error")
})
