# Both languages' signatures, one row per argument, defaults as JSON ("" without).

python_signatures <- function() {
  decode_table(call_core("signatures"))
}

r_signatures <- function(verbs) {
  dplyr::bind_rows(lapply(verbs, function(verb) {
    arguments <- formals(getExportedValue("imagestrata", verb))
    # All have dots, most of them only to catch what is misspelt.
    arguments <- arguments[names(arguments) != "..."]
    tibble::tibble(
      verb = verb,
      argument = names(arguments),
      default = vapply(arguments, default_as_json, "", USE.NAMES = FALSE)
    )
  }))
}

default_as_json <- function(default) {
  if (rlang::is_missing(default)) {
    return("")
  }
  # Python's None stands there for "if somebody sits at this session".
  if (identical(default, quote(interactive()))) {
    return("null")
  }
  as.character(jsonlite::toJSON(eval(default), auto_unbox = TRUE, null = "null", digits = NA))
}

# JSON writes 5.0 in one language and 5 in the other, and lists with spaces or without.
same_default <- function(x, y) {
  plain <- function(json) gsub(", ", ",", sub("[.]0$", "", json))
  identical(plain(x), plain(y))
}

# What is called otherwise in R, where there is a custom for it.
otherwise <- c(
  plot_trace = "autoplot(x, \"trace\"), autoplot(x, \"searches\")",
  plot_map = "autoplot(x, \"map\")",
  plot_training = "autoplot(x, \"training\")",
  plot_confusion = "autoplot(x, \"confusion\")",
  plot_tuning = "autoplot(x)"
)

# Arguments that a function has in R alone, and why. R computes ratings by itself; the functions of
# Python are tested against the same tables.
only_r <- tibble::tribble(
  ~verb, ~argument, ~why,
  "rating_means", "shrink", "the mixed model is that of lme4",
  "rating_gaps", "shrink", "the mixed model is that of lme4",
  "rating_model", "method", "the mixed model is that of lme4",
  "rating_model", "target", "the target of the mixed model",
  "read_ratings", "source", "exports of Qualtrics are read in R",
  "read_ratings", "rating_columns", "they name columns of Qualtrics",
  "read_ratings", "image_columns", "they name columns of Qualtrics",
  "read_ratings", "too_fast", "doubtful respondents are listed in R"
)

# Functions that R has alone, by patterns of their names, and why.
functions_of_r <- c(
  "^(plot_|autoplot|figure_size|party_colours)" = "figures by ggplot2",
  "^(tidy|glance|augment|tbl_sum)$" = "generics of R",
  "^(demo_|imagestrata_example)" = "small objects for examples",
  "^(install_imagestrata|imagestrata_ready)" = "they set up Python",
  "^rating_survey$" =
    "an object of R's survey package; `rating_weights()` has its weights in both languages",
  "^" = "statistics that are computed in R"
)

methods_of_classes <- tibble::tribble(
  ~Python, ~R,
  "`Embeddings.load(folder)`", "`read_embeddings(folder)`",
  "`Embeddings.images`", "the tibble itself",
  "`Embeddings.matrix`", "`as.matrix(x)`",
  "`Embeddings.encoder`", "`summary(x)`",
  "`Embeddings.failures`", "`tidy(x)`",
  "`Embeddings.save(folder)`, `Clustering.save(folder)`", "`saveRDS(x, file)`, or `out =`",
  "`Clustering.load(folder)`", "`read_clustering(folder)`",
  "`Clustering.from_labels(embeddings, labels)`", "`as_clustering(embeddings, labels)`",
  "`Clustering.images`", "the tibble itself, `augment(x)`",
  "`Clustering.clusters`", "`tidy(x)`",
  "`Clustering.trace`", "`tidy(x, \"trace\")`",
  "`Clustering.searches`", "`tidy(x, \"searches\")`",
  "`Clustering.edits`", "`tidy(x, \"edits\")`",
  "`Clustering.themes`, `.tree`", "`tidy(x, \"themes\")`, `tidy(x, \"tree\")`",
  "`Clustering.summary`", "`glance(x)`",
  "`Clustering.predict(embeddings)`", "`predict(x, new_data)`",
  "`FineTunedModel.load(folder)`", "`read_model(folder)`",
  "`FineTunedModel.history`", "`tidy(x)`",
  "`FineTunedModel.scores`, `.confusion`", "`tidy(x, \"scores\")`, `tidy(x, \"confusion\")`",
  "`FineTunedModel.predictions`", "`augment(x)`",
  "`FineTunedModel.summary`", "`glance(x)`",
  "`FineTunedModel.task`, `.labels`, `.folder`", "`x$task`, `x$labels`, `x$folder`",
  "`FineTunedModel.training`, `.encoder`", "`summary(x)`",
  "`FineTunedModel.head`, `.probabilities(embeddings)`", "none: `predict(x, embeddings)`",
  "`label_ratings(x).attrs[\"counts\"]`, `consensus(x)`'s, too", "`tidy(x)` of the labels",
  "`Tuning.results`, `Stability.clusters`, `Comparison.pairs`, `ClusterTest.clusters`, ...",
  "the tibble itself",
  "`Tuning.heldout`, `Stability.refits`, `ClusterTest.sets`, ... (further tables)",
  "`tidy(x, \"heldout\")`, ...",
  "`Tuning.summary`, `Stability.summary`, `Comparison.summary`, ...",
  "`glance(x)`",
  "`Tuning.save(folder)`, `Tuning.load(folder)`",
  "`saveRDS(x, file)`, or the same call with `out =` again",
  "`ModelServer(model, base_url, ...)`", "`model_server(model, base_url, ...)`",
  "`Rekognition(operation, region, ...)`", "`rekognition(operation, region, ...)`",
  "`TagComparison.scores`, `.frequencies`, `.confusion`, `.images`",
  "the tibble itself, `tidy(x, \"frequencies\")`, ...",
  "`TagComparison.summary`", "`glance(x)`",
  "`TopicModel.coefficients`, `.effects`, `.predictions`, `.topics`",
  "`tidy(x)`, `tidy(x, \"effects\")`, `tidy(x, \"predictions\")`, `tidy(x, \"topics\")`",
  "`TopicModel.summary`, `.augment(topics)`, `.predict(data, topics)`",
  "`glance(x)`, `augment(x, topics)`, `predict(x, newdata, topics)`",
  "`ShareModel.coefficients`, `.rate_ratios`", "the tibble itself, `tidy(x, exponentiate = TRUE)`",
  "`ShareModel.effects`, `.corrected`, `.left_out`", "`tidy(x, \"effects\")`, ...",
  "`ShareModel.summary`, `.data`, `.predict(newdata)`",
  "`glance(x)`, `augment(x)`, `predict(x, newdata)`",
  "`RatingModel.coefficients`, `.terms`, `.summary`",
  "`tidy(x)`, `tidy(x, \"terms\")`, `glance(x)`",
  "`RatingModel.augment()`, `.predict(data, items)`, `.coef()`, `.vcov(item)`",
  "`augment(x)`, `predict(x, newdata, items)`, `coef(x)`, `vcov(x, item)`",
  "`LocalModel(model, device)`", "`local_model(model, device)`",
  "`IterativeKMeans`, `SingleKMeans`, `DensityClustering`",
  "none: scikit-learn estimators; use `cluster_images()`",
  "`list_encoders()`", "`list_encoders()`",
  "`ImagestrataError`", "conditions of class `imagestrata_error`",
  "`imagestrata doctor` (command)", "`imagestrata_doctor()`"
)

# The arguments that only R has, with reasons.
more_in_r <- function(verb) {
  more <- only_r[only_r$verb == verb, ]
  if (nrow(more) == 0) {
    return("")
  }
  known <- r_signatures(verb)
  default <- known$default[match(more$argument, known$argument)]
  arguments <- paste0("`", more$argument, " = ", default, "` (", more$why, ")")
  paste0("; only in R: ", paste(arguments, collapse = ", "))
}

functions_only_in_r <- function(verbs, classes) {
  exports <- getNamespaceExports("imagestrata")
  twin <- vapply(paste0(exports, "("), \(call) any(grepl(call, classes, fixed = TRUE)), NA)
  alone <- sort(setdiff(exports[!twin], verbs), method = "radix")
  # The first pattern that fits.
  fits <- vapply(names(functions_of_r), grepl, logical(length(alone)), x = alone)
  reason <- functions_of_r[max.col(fits, ties.method = "first")]
  vapply(unique(reason), \(why) {
    sprintf("| %s | %s |", paste0("`", alone[reason == why], "()`", collapse = ", "), why)
  }, "", USE.NAMES = FALSE)
}

parity_page <- function() {
  python <- python_signatures()
  arguments <- dplyr::summarise(
    dplyr::group_by(python, .data$verb),
    text = paste0("`", .data$argument, sub("^(.)", " = \\1", .data$default), "`", collapse = ", ")
  )
  twin <- dplyr::coalesce(otherwise[arguments$verb], paste0(arguments$verb, "()"))
  more <- vapply(arguments$verb, more_in_r, "")
  arguments$text <- paste0(arguments$text, more)
  classes <- methods_of_classes
  c(
    "# Parity of Python and R",
    "",
    "Made by `make document` from the signatures of both languages; a test fails where an argument",
    "or a default of one is missing in the other. Python's `None`, `True`, `False` (below as JSON)",
    "are `NULL`, `TRUE`, `FALSE` in R. What only R has is listed with the reason.",
    "",
    "| Python | R | arguments of both |",
    "|---|---|---|",
    sprintf("| `%s()` | `%s` | %s |", arguments$verb, twin, arguments$text),
    "",
    "| functions that only R has | why |",
    "|---|---|",
    functions_only_in_r(c(arguments$verb, twin), classes$R),
    "",
    "| Python | R |",
    "|---|---|",
    sprintf("| %s | %s |", classes$Python, classes$R)
  )
}
