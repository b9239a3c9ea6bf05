# Runs the vignettes that need Python (*.Rmd.orig) and stores them with their results, so
# that building the package does not. Run by `make vignettes`; names of vignettes as
# arguments: these only.

pkgload::load_all(quiet = TRUE)
invisible(core())
setwd("vignettes")

# A picture of a page, by whatever Chromium there is.
screenshot <- function(page, picture) {
  browser <- Filter(nzchar, Sys.which(c("chromium", "chromium-browser", "google-chrome")))[1]
  if (is.na(browser)) {
    stop("Making the vignettes needs Chromium, for a picture of the gallery.")
  }
  picture <- file.path(getwd(), picture)
  options <- c("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=30000")
  arguments <- c(options, "--window-size=1200,900", paste0("--screenshot=", shQuote(picture)))
  address <- shQuote(paste0("file://", page))
  without_r_libraries(system2(browser, c(arguments, address), stdout = FALSE, stderr = FALSE))
  picture
}

# Pictures travel with the package: 128 colours will do, and 800 pixels.
shrink <- reticulate::py_run_string("
from PIL import Image
def shrink(path):
    image = Image.open(path).convert('RGB')
    image.thumbnail((800, 800))
    image.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
")$shrink

dir.create("figures", showWarnings = FALSE)
started <- Sys.time()
sources <- list.files(pattern = "[.]Rmd[.]orig$")
wanted <- commandArgs(trailingOnly = TRUE)
if (length(wanted) > 0) {
  sources <- intersect(sources, paste0(wanted, ".Rmd.orig"))
}
for (source in sources) {
  knitr::knit(source, sub("[.]orig$", "", source), envir = new.env(parent = environment()))
}
pictures <- list.files("figures", full.names = TRUE)
for (picture in pictures[file.mtime(pictures) >= started]) {
  shrink(picture)
}
