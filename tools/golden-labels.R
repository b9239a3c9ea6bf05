# Makes the golden tables of labels in tests/fixtures, which the tests of both languages read: a
# made corpus with a labelled sample and predictions, its shares, scores of the predictions, and
# models. Run it only when results are meant to change: Rscript tools/golden-labels.R

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-ratings.R"))
source(file.path("tests", "testthat", "helper-labels.R"))

store <- function(table, name) {
  path <- file.path("tests", "fixtures", paste0("golden-", name, ".csv"))
  numbers <- vapply(table, is.double, NA) & !vapply(table, inherits, NA, "Date")
  table[numbers] <- lapply(table[numbers], signif, digits = 15)
  utils::write.csv(table, path, row.names = FALSE, na = "", quote = FALSE)
  message(path, ": ", nrow(table), " rows")
}
made <- golden_labelled()
for (name in names(made)) store(made[[name]], paste0("labelled-", name))
store(golden_label_shares(made), "label-shares")
scores <- golden_label_scores(made)
for (name in c("scores", "differences", "calibration", "confusion")) {
  store(tidy(scores, name), paste0("label-", name))
}
store(golden_label_plan(made), "label-plan")
store(golden_label_models(made), "label-models")
