# Sentences on means, gaps and models of ratings, for the methods paragraph.
# Python says the same (share/rated.py): tests/fixtures/methods-ratings.txt holds both together.

# NULL for a result of another kind.
describe_rated <- function(x) {
  if (inherits(x, "imagestrata_rating_model")) {
    return(describe_rating_model(x))
  }
  needed <- c("level", "item", "dimension", "estimate", "std.error", "n_ratings", "variance")
  if (!is.data.frame(x) || !all(needed %in% names(x))) {
    return(NULL)
  }
  by <- by_of(x)
  rows <- plain_tibble(x)
  gaps <- "contrast" %in% names(rows)
  what <- if (gaps) "We compared mean ratings" else "We estimated mean ratings"
  first <- paste0(
    what, " of ", measures_in_words(rows),
    if (gaps) paste0(" between groups", contrast_words(list(contrast = rows$contrast))),
    by_words(gsub("_", " ", by)), "."
  )
  corrected <- "corrected" %in% rows[["method"]]
  paste0(
    first, describe_weights(rows),
    if (corrected) " The sample's means are corrected by predictions of all images.",
    describe_intervals(confidence_of(rows)),
    if (gaps && !is.null(rows[["adjust"]])) {
      paste0(
        " ", sentence(adjust_words[[rows$adjust[1]]]),
        if (rows$adjust[1] != "none") ", separately for items and dimensions", "."
      )
    },
    counts_text(rows, if (gaps) "Gaps" else "Means")
  )
}

describe_rating_model <- function(x) {
  rows <- plain_tibble(tidy(x))
  fit <- plain_tibble(glance(x))
  fit$respondent_weight <- x$respondent_weight
  covariates <- trimws(paste(deparse(rlang::f_rhs(x$formula)), collapse = " "))
  if (x$method == "mixed") {
    random <- if (x$target == "images like these") "respondents, images and clusters"
    return(paste0(
      "We fitted mixed models of the ratings of ", measures_in_words(rows), " on ", covariates,
      ", about ", x$target, ", in which ", random %||% "respondents", " are random.",
      describe_intervals(x$conf_level), counts_text(fit, "Models")
    ))
  }
  paste0(
    "We regressed the ratings of ", measures_in_words(rows), " on ", covariates,
    " by weighted least squares.", describe_weights(fit), describe_intervals(x$conf_level),
    counts_text(fit, "Models")
  )
}

measures_in_words <- function(rows) {
  measures <- dplyr::distinct(rows, .data$level, .data$item)
  n <- table(factor(measures$level, c("item", "dimension")))
  and_words(vapply(names(n)[n > 0], \(level) count_of(n[[level]], level), ""))
}

describe_weights <- function(rows) {
  people <- unique(rows[["respondent_weight"]])
  people <- people[!is.na(people)]
  weight <- unique(rows[["weight"]])
  variance <- unique(rows$variance)
  parts <- c(
    if (length(weight) == 1) what_counts[[weight]],
    if (length(people) == 1) paste("respondents are weighted by", people)
  )
  paste0(
    if (length(parts) > 0) paste0(" ", sentence(paste(parts, collapse = "; ")), "."),
    if (length(variance) == 1) paste0(" ", sentence(error_words[[variance]]), ".")
  )
}

describe_intervals <- function(level) {
  if (!is.null(level)) {
    paste0(" The ", percent_of(level), "intervals are those of the t distribution.")
  }
}
