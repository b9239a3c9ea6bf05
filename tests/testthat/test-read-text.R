test_that("settings reach Python", {
  calls <- local_core(read_text = \(...) toy_table(image_id = "a", text = "VOTE", n_words = 1L))
  texts <- read_text(
    withr::local_tempdir(), c("eng", "deu"),
    reader = "tesseract", psm = 11, progress = FALSE
  )
  expect_equal(texts$text, "VOTE")
  expect_equal(calls$read_text[[2]], list("eng", "deu"))
  expect_equal(calls$read_text$psm, 11)
  expect_equal(calls$read_text$reader, "tesseract")
  expect_null(calls$read_text$min_confidence)
  expect_error(read_text(withr::local_tempdir(), languages = 1), "must be text",
    class = "imagestrata_error"
  )
})

test_that("the text of a picture is read", {
  skip_if_no_core()
  skip_without("rapidocr")
  folder <- withr::local_tempdir()
  grDevices::png(file.path(folder, "poster.png"), 600, 300)
  graphics::par(mar = rep(0, 4))
  graphics::plot.new()
  graphics::text(0.5, c(0.75, 0.3), c("OPEN BORDERS", "VOTE NOW"), cex = 5, font = 2)
  grDevices::dev.off()
  grDevices::png(file.path(folder, "white.png"), 200, 200)
  graphics::plot.new()
  grDevices::dev.off()
  texts <- read_text(folder, progress = FALSE)
  expect_s3_class(texts, "tbl_df")
  expect_equal(texts$text, c("OPEN BORDERS\nVOTE NOW", NA))
  expect_equal(texts$n_words, c(4, 0))
  expect_equal(texts$reason, c(NA, "no text found"))
  expect_true(texts$share_text[1] > 0.1 && texts$share_text[1] < 0.9)
  expect_error(
    read_text(folder, "ara", progress = FALSE),
    "does not read the language \"ara\".*reader = \"tesseract\"",
    class = "imagestrata_error"
  )
  skip_if(Sys.which("tesseract") == "", "needs the program tesseract")
  skip_without("pytesseract")
  texts <- read_text(folder, reader = "tesseract", progress = FALSE)
  expect_equal(texts$text, c("OPEN BORDERS\nVOTE NOW", NA))
  expect_error(
    read_text(folder, "xyz", reader = "tesseract", progress = FALSE),
    "lacks the language \"xyz\"",
    class = "imagestrata_error"
  )
})
