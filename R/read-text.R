#' Read the text that is inside images
#'
#' Reads the text in posters, memes and screenshots with the program Tesseract. It runs on this
#' machine, and no image leaves it. Each core reads one image at a time. Tesseract has difficulty
#' with handwriting, graffiti, ornate letters and slanted text.
#'
#' @section Installing Tesseract:
#' Debian and Ubuntu: `apt-get install tesseract-ocr`, and `tesseract-ocr-deu` for German. Fedora:
#' `dnf install tesseract`. macOS: `brew install tesseract`. Windows: `winget install
#' UB-Mannheim.TesseractOCR`, then add its folder to `PATH`. You also need Python's package for it:
#' `install_imagestrata(extras = "tesseract")`.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param languages Possible languages of the text, by Tesseract's codes: `"eng"`, `"deu"`, `"ara"`,
#'   ... Use few, because each additional language takes time and causes errors.
#' @param min_confidence Words with a lower confidence are dropped; 0 keeps all.
#' @param psm Tesseract's page segmentation mode. 3 finds blocks of text by itself; 11 takes single
#'   words wherever they are; 6 treats the picture as one block. The last two also report "words" in
#'   many photographs without text.
#' @param side Smaller pictures are enlarged until their longer side has this many pixels, but at
#'   most four times: Tesseract expects letters of some 20 pixels.
#' @param white_text Read a second time, only the white parts of the picture? Otherwise most
#'   captions of memes are missed.
#' @param out The run folder: the table goes to `texts.parquet` there. An interrupted call
#'   continues.
#' @param overwrite Replace texts in `out` that were read with other settings or from other images?
#' @param engine A Dask cluster whose workers read, as for [scan_images()]. They also need Tesseract
#'   with these languages.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `path`, `n_copies`, columns of your own;
#'   `text`, with line breaks; `n_words`; `confidence`, the mean over words, from 0 to 1;
#'   `share_text`, the share of the image's area inside the boxes around the words; `languages`;
#'   `reason`, why text is missing (`"no text found"`), or why the image could not be read.
#' @family words
#' @seealso `cluster_keywords(clustering, texts, column = "text")` finds the words that are typical
#'   of each cluster; `embed_text(texts, column = "text")` makes vectors.
#' @export
#' @examples
#' \dontrun{
#' texts <- read_text("posters", c("eng", "deu"), out = "run")
#' mean(texts$share_text > 0.05, na.rm = TRUE)
#' }
read_text <- function(images,
                      languages = "eng",
                      min_confidence = 0.6,
                      psm = 3,
                      side = 1000,
                      white_text = TRUE,
                      out = NULL,
                      overwrite = FALSE,
                      progress = TRUE,
                      engine = NULL,
                      ...) {
  decode_table(call_verb("read_text"))
}
