#' Read the text that is inside images
#'
#' The program Tesseract reads posters, memes and screenshots on this machine: no image leaves it.
#' Each core reads one image at a time. Tesseract does not read handwriting, graffiti, ornate
#' letters and slanted text well.
#'
#' @section Installing Tesseract:
#' Debian and Ubuntu: `apt-get install tesseract-ocr`, and `tesseract-ocr-deu` for German. Fedora:
#' `dnf install tesseract`. macOS: `brew install tesseract`. Windows:
#' `winget install UB-Mannheim.TesseractOCR`, then add its folder to `PATH`. Behind the scenes,
#' `install_imagestrata(extras = "tesseract")`.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param languages The languages that may occur, by Tesseract's codes: `"eng"`, `"deu"`,
#'   `"ara"`, ... A few at most, since each more takes time and makes other errors likelier.
#' @param min_confidence Words of which Tesseract is less sure are dropped; 0 keeps all.
#' @param psm Tesseract's page segmentation mode. 3 finds blocks of text by itself; 11 takes single
#'   words wherever they are; 6 takes the picture for one block. The latter two also read "words"
#'   into many photographs that have none.
#' @param side Smaller pictures are enlarged until their longer side has this many pixels, but four
#'   times at most: Tesseract expects letters of some 20 pixels.
#' @param white_text Look a second time, at what is white in the picture alone? The captions of
#'   memes are hardly found otherwise.
#' @param out The run folder: the table goes to `texts.parquet` there. A call that was interrupted
#'   goes on.
#' @param overwrite Replace texts made there with other settings or of other images?
#' @param engine A Dask cluster whose workers read, as for [scan_images()]. They need Tesseract with
#'   these languages, too.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image: `image_id`, `path`, `n_copies`, columns of yours; `text`,
#'   with a line break where a line ends; `n_words`; `confidence`, their mean, from 0 to 1;
#'   `share_text`, the share of the image's area inside the boxes around the words; `languages`;
#'   `reason`, why there is no text (`"no text found"`), or why the image could not be read.
#' @family words
#' @seealso `cluster_keywords(clustering, texts, column = "text")` tells what is typical of each
#'   cluster; `embed_text(texts, column = "text")` makes vectors.
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
  check_dots(...)
  decode_table(call_verb("read_text"))
}
