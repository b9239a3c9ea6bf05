#' Read the text that is inside images
#'
#' Reads the text in posters, memes and screenshots on this machine: no image leaves it. Each core
#' reads one image at a time. Handwriting, graffiti and ornate letters are mostly missed.
#'
#' @section Readers:
#' **rapidocr**, the default, is a Python package that contains its networks: `install_imagestrata(
#' extras = "ocr")`. In our test it reads nearly all words of memes, of which Tesseract misses
#' many (`docs/reading.md` in the repository). It reads lines from top to bottom, so lines of
#' neighbouring columns alternate.
#'
#' **tesseract** is a program for other scripts, such as Arabic and Cyrillic, and for languages of
#' whose accents RapidOCR loses too many, such as Polish, Czech and Turkish. Debian and Ubuntu:
#' `apt-get install tesseract-ocr`, and `tesseract-ocr-pol` for Polish. Fedora: `dnf install
#' tesseract`. macOS: `brew install tesseract`. Windows: `winget install UB-Mannheim.TesseractOCR`,
#' then add its folder to `PATH`. You also need Python's package for it:
#' `install_imagestrata(extras = "tesseract")`.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param languages Possible languages of the text, by Tesseract's codes: `"eng"`, `"deu"`, `"ara"`,
#'   ... RapidOCR always reads all of its languages: 26 in Latin letters, among them English,
#'   German, French, Spanish, Italian, Portuguese, Dutch and Swedish with their accents. Words in
#'   Chinese and Japanese characters are only kept if `"chi_sim"`, `"chi_tra"` or `"jpn"` is given.
#'   For Tesseract each language must be installed; use few, because each takes time and causes
#'   errors.
#' @param reader `"rapidocr"` or `"tesseract"`, see below.
#' @param min_confidence Words with a lower confidence are dropped; 0 keeps all. By default 0.8 with
#'   RapidOCR and 0.6 with Tesseract.
#' @param psm Tesseract's page segmentation mode. 3 finds blocks of text by itself; 11 takes single
#'   words wherever they are; 6 treats the picture as one block. The last two also report "words" in
#'   many photographs without text. This argument and the next two are for Tesseract.
#' @param side Smaller pictures are enlarged until their longer side has this many pixels, but at
#'   most four times: Tesseract expects letters of some 20 pixels.
#' @param white_text Read a second time, only the white parts of the picture? Otherwise Tesseract
#'   misses most captions of memes.
#' @param out The run folder: the table goes to `texts.parquet` there. An interrupted call
#'   continues.
#' @param overwrite Replace texts in `out` that were read with other settings or from other images?
#' @param engine A Dask cluster whose workers read, as for [scan_images()]. They need the reader,
#'   too.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `path`, `n_copies`, columns of your own;
#'   `text`, with line breaks; `n_words`; `confidence`, the mean over words, from 0 to 1;
#'   `share_text`, the share of the image's area inside the boxes around the words (RapidOCR:
#'   around their lines); `languages`;
#'   `reason`, why text is missing (`"no text found"`), or why the image could not be read.
#' @family words
#' @seealso `cluster_keywords(clustering, texts, column = "text")` finds the words that are typical
#'   of each cluster; `embed_text(texts, column = "text")` makes vectors.
#' @export
#' @examples
#' \dontrun{
#' texts <- read_text("posters", c("eng", "deu"), out = "run")
#' arabic <- read_text("leaflets", "ara", reader = "tesseract")
#' mean(texts$share_text > 0.05, na.rm = TRUE)
#' }
read_text <- function(images,
                      languages = "eng",
                      reader = "rapidocr",
                      min_confidence = NULL,
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
