# Makes inst/extdata/packets.rds and vignettes/figures/rating-page.webp: what the vignette "Partisan
# emotions" shows of packets and exports. These verbs need Python, which the vignette must not;
# so they are run here, in the root of the repository: Rscript data-raw/partisan_packets.R
# Needs the core's packages, playwright and Chromium.

pkgload::load_all(quiet = TRUE)

asked <- dplyr::bind_rows(lapply(1:3, function(raters) {
  packets <- assign_annotators(simulated_sample, raters_per_group = raters, seed = 1)
  cbind(raters_per_group = raters, costs(packets))
}))
packets <- assign_annotators(simulated_sample, raters_per_group = 2, seed = 1)

# One packet in ten never comes back.
set.seed(1)
ids <- unique(packets$packet_id)
never <- sample(ids, round(length(ids) / 10))
answered <- packets[!packets$packet_id %in% never, ]
answered$respondent_id <- paste0("person of ", answered$packet_id)
topup <- reassign(packets, answered, raters_per_group = 2, seed = 1)

# Exports need image files: these are the drawn ones of the example.
small <- assign_annotators(demo_sample(), n_images = 5)
folder <- export_packets(
  small, tempfile(),
  to = "qualtrics", base_url = "https://www.example.org/images", progress = FALSE
)
pages <- export_packets(small, tempfile(), progress = FALSE)

saveRDS(
  list(
    costs = tibble::as_tibble(asked),
    packets = packets,
    n_never = length(never),
    topup_costs = costs(topup),
    survey = readLines(file.path(folder, "survey.txt")),
    loop = utils::head(readLines(file.path(folder, "loop-and-merge.csv")), 3)
  ),
  "inst/extdata/packets.rds",
  compress = "xz"
)

reticulate::py_run_string("
import os
import shutil
from pathlib import Path
from playwright.sync_api import sync_playwright

def picture(page, path):
    # R's own libraries are not those of the browser.
    env = {name: value for name, value in os.environ.items() if name != 'LD_LIBRARY_PATH'}
    browser = shutil.which('chromium')
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browser, args=['--no-sandbox'], env=env
        )
        view = started.new_page(viewport={'width': 1200, 'height': 760})
        view.goto(Path(page).as_uri())
        view.get_by_label('Your name or code').fill('first')
        view.keyboard.press('Enter')
        for rating in '372':
            view.keyboard.press(rating)
        view.wait_for_timeout(500)
        view.screenshot(path=path)
        started.close()
")$picture(file.path(pages, "p001.html"), "vignettes/figures/rating-page.png")
reticulate::py_run_file("tools/shrink.py")$shrink("vignettes/figures/rating-page.png")
