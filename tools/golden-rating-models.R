# Makes the golden tables of models of ratings in tests/fixtures, which the tests of both languages
# read. Run it only when results are meant to change: Rscript tools/golden-rating-models.R

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-ratings.R"))
source(file.path("tests", "testthat", "helper-rating-models.R"))

store <- function(table, name) {
  path <- file.path("tests", "fixtures", paste0("golden-", name, ".csv"))
  numbers <- vapply(table, is.double, NA)
  table[numbers] <- lapply(table[numbers], signif, digits = 15)
  utils::write.csv(table, path, row.names = FALSE, na = "", quote = TRUE)
  message(path, ": ", nrow(table), " rows")
}
made <- golden_rating_models()
for (name in names(made)) store(made[[name]], paste0("rating-model-", name))
