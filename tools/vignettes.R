# Runs the vignettes that need Python (*.Rmd.orig) and stores them with their results, so
# that building the package does not. Run by `make vignettes`.

pkgload::load_all(quiet = TRUE)
setwd("vignettes")

# A picture of a page, by whatever Chromium there is.
screenshot <- function(page, picture) {
  browser <- Filter(nzchar, Sys.which(c("chromium", "chromium-browser", "google-chrome")))[1]
  if (is.na(browser)) {
    stop("Making the vignettes needs Chromium, for a picture of the gallery.")
  }
  without_r_libraries(system2(browser, c(
    "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1200,900",
    "--virtual-time-budget=5000", paste0("--screenshot=", shQuote(normalizePath(picture, mustWork = FALSE))),
    shQuote(paste0("file://", page))
  ), stdout = FALSE, stderr = FALSE))
  picture
}

dir.create("figures", showWarnings = FALSE)
for (source in list.files(pattern = "[.]Rmd[.]orig$")) {
  knitr::knit(source, sub("[.]orig$", "", source), envir = new.env(parent = environment()))
}
