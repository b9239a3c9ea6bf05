# Runs the vignettes that need Python (*.Rmd.orig) and stores them with their results, so
# that building the package does not. Run by `make vignettes`; names of vignettes as
# arguments: these only.

# Each has an R of its own: they draw pictures in the same temporary folder.
wanted <- commandArgs(trailingOnly = TRUE)
if (length(wanted) != 1) {
  all <- sub("[.]Rmd[.]orig$", "", list.files("vignettes", pattern = "[.]Rmd[.]orig$"))
  for (name in if (length(wanted) > 0) wanted else all) {
    if (system2(file.path(R.home("bin"), "Rscript"), c("tools/vignettes.R", name)) != 0) {
      stop("The vignette ", name, " cannot be made.")
    }
  }
  quit()
}

pkgload::load_all(quiet = TRUE)
invisible(core())
setwd("vignettes")
vignettes <- getwd() # chunks run elsewhere

# A picture of a page, by whatever Chromium there is.
screenshot <- function(page, picture) {
  browser <- Filter(nzchar, Sys.which(c("chromium", "chromium-browser", "google-chrome")))[1]
  if (is.na(browser)) {
    stop("Making the vignettes needs Chromium, for a picture of the gallery.")
  }
  picture <- file.path(vignettes, picture)
  options <- c("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=30000")
  arguments <- c(options, "--window-size=1200,900", paste0("--screenshot=", shQuote(picture)))
  address <- shQuote(paste0("file://", page))
  without_r_libraries(system2(browser, c(arguments, address), stdout = FALSE, stderr = FALSE))
  picture
}

# The same of a page for annotators, with the first task before them.
screenshot_task <- function(page, picture) {
  picture <- file.path(vignettes, picture)
  browser <- Filter(nzchar, Sys.which(c("chromium", "chromium-browser", "google-chrome")))[1]
  show_task(unname(browser), normalizePath(page), picture)
  picture
}

show_task <- reticulate::py_run_string("
import os
from pathlib import Path
def show_task(browser, page, picture):
    from playwright.sync_api import sync_playwright
    env = {name: value for name, value in os.environ.items() if name != 'LD_LIBRARY_PATH'}
    with sync_playwright() as playwright:
        options = {'executable_path': browser, 'args': ['--no-sandbox'], 'env': env}
        started = playwright.chromium.launch(**options)
        view = started.new_page(viewport={'width': 1200, 'height': 800})
        view.goto(Path(page).as_uri())
        view.get_by_label('Your name or code').fill('first')
        view.keyboard.press('Enter')
        view.wait_for_timeout(500)
        view.screenshot(path=picture)
        started.close()
")$show_task

shrink <- reticulate::py_run_file(file.path("..", "tools", "shrink.py"))$shrink

dir.create("figures", showWarnings = FALSE)
knitr::opts_chunk$set(error = FALSE) # an error stops here instead of being printed in a vignette
vignette <- paste0(wanted, ".Rmd")
knitr::knit(paste0(vignette, ".orig"), vignette, envir = new.env(parent = environment()))
for (picture in list.files("figures", pattern = "[.]png$", full.names = TRUE)) {
  shrink(picture)
}
text <- readLines(vignette, encoding = "UTF-8")
writeLines(gsub("(figures/[^ \"]*)[.]png", "\\1.webp", text), vignette, useBytes = TRUE)
