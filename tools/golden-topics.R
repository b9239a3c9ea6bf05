# Makes the golden tables of models of topics in tests/fixtures, which the tests of both languages
# read. Run it only when results are meant to change: Rscript tools/golden-topics.R

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-topic-model.R"))

store <- function(table, name) {
  path <- file.path("tests", "fixtures", paste0("golden-", name, ".csv"))
  utils::write.csv(table, path, row.names = FALSE, na = "")
}
linked <- golden_linked()
model <- suppressWarnings(golden_model(linked))
store(linked, "posts")
for (table in c("coefficients", "effects", "predictions")) {
  store(tidy(model, table), paste0("topic-", table))
}
