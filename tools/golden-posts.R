# Makes the golden tables of posts in tests/fixtures, which the tests of both languages read: some
# made posts, and the prevalence of their topics. Run it only when results are meant to change:
# Rscript tools/golden-posts.R

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-ratings.R"))
source(file.path("tests", "testthat", "helper-posts.R"))

store <- function(table, name) {
  path <- file.path("tests", "fixtures", paste0("golden-", name, ".csv"))
  numbers <- vapply(table, is.double, NA) & !vapply(table, inherits, NA, "Date")
  table[numbers] <- lapply(table[numbers], signif, digits = 15)
  utils::write.csv(table, path, row.names = FALSE, na = "", quote = FALSE)
  message(path, ": ", nrow(table), " rows")
}
store(golden_shown(), "linked")
store(golden_prevalence(golden_shown()), "prevalence")
store(golden_topic_gaps(golden_shown()), "topic-gaps")
store(golden_topic_odds(golden_shown()), "topic-odds")
