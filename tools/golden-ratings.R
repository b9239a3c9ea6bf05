# Makes the golden tables of ratings in tests/fixtures, which the tests of both languages read: some
# of the simulated ratings, with gaps in them, and what becomes of them. Run it only when results
# are meant to change: Rscript tools/golden-ratings.R

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-ratings.R"))

store <- function(table, name) {
  path <- file.path("tests", "fixtures", paste0("golden-", name, ".csv"))
  numbers <- vapply(table, is.double, NA)
  table[numbers] <- lapply(table[numbers], signif, digits = 15)
  utils::write.csv(table, path, row.names = FALSE, na = "", quote = FALSE)
  message(path, ": ", nrow(table), " rows")
}
store(golden_ratings(), "ratings")
store(golden_means(golden_ratings()), "means")
store(golden_gaps(golden_ratings()), "gaps")
store(golden_survey(), "survey")
cases <- golden_survey_cases()
store(golden_survey_estimates(rating_means, cases$means, golden_survey()), "survey-means")
store(golden_survey_estimates(rating_gaps, cases$gaps, golden_survey()), "survey-gaps")
single <- golden_single(golden_survey())
store(single, "single")
cases <- golden_single_cases()
store(golden_single_estimates(rating_means, cases$means, single), "single-means")
store(golden_single_estimates(rating_gaps, cases$gaps, single), "single-gaps")
store(golden_single_estimates(rating_model, cases$models, single), "single-models")
corpus <- golden_corpus(golden_survey())
predictions <- golden_predictions(golden_survey(), corpus)
store(golden_single_corrected(single, corpus, predictions), "single-corrected")
store(corpus, "corpus")
store(predictions, "predictions")
for (verb in c("means", "gaps")) {
  cases <- golden_corrected_cases()[[verb]]
  estimate <- if (verb == "means") rating_means else rating_gaps
  corrected <- golden_corrected(estimate, cases, golden_survey(), corpus, predictions)
  store(corrected, paste0("corrected-", verb))
}
packets <- golden_packets(golden_survey())
store(packets, "packets")
response <- golden_response(golden_survey(), packets, golden_people(golden_survey()))
for (name in names(response)) {
  store(response[[name]], paste0("response-", name))
}
store(quietly(rating_reliability(golden_ratings())), "reliability")
store(golden_shares(), "shares")
store(golden_share_ratings(), "share-ratings")
store(golden_share_models(golden_shares(), golden_share_ratings()), "share-models")

# Tables for papers, from the means and gaps above.
fixture <- file.path("tests", "fixtures", "paper-tables.txt")
writeLines(enc2utf8(paper_tables()), fixture, useBytes = TRUE)
told <- told_ratings()
fixture <- file.path("tests", "fixtures", "methods-ratings.txt")
writeLines(enc2utf8(paste0(names(told), ": ", told)), fixture, useBytes = TRUE)
