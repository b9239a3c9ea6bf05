# A fine-tuned model: a list of its tables and settings. The weights stay in the folder.

new_model <- function(sent, folder) {
  about <- list(
    task = sent[["task"]], labels = as.character(sent[["labels"]]), encoder = sent[["encoder"]],
    training = sent[["training"]], folder = folder
  )
  new_object(about, "imagestrata_model", tables = lapply(sent[["tables"]], decode_result))
}

# Names must be complete: R would take `x$lab` for `x$labels`.
#' @export
`$.imagestrata_model` <- function(x, name) { # nolint: object_name_linter.
  x[[name]]
}

#' Read a model of an earlier call
#'
#' @param folder The folder that was the `out` of [fine_tune()], in R, in Python or on the command
#'   line; or the `folder` of a row of [tune_model()].
#' @inheritParams scan_images
#'
#' @returns The model that [fine_tune()] returned.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' read_model(imagestrata_example("model"))
read_model <- function(folder, ...) {
  check_dots(...)
  folder <- check_existing(folder, "folder")
  new_model(call_core("read_model", folder), folder)
}

#' @export
print.imagestrata_model <- function(x, ...) {
  write_heading(c(model_title(x), model_lines(x)))
  if (startsWith(x$folder, absolute_path(file.path(tempdir(), kept_for_session)))) {
    writeLines("# Weights: kept as long as this R session lasts; to keep them longer, give `out`")
  } else {
    writeLines(paste("# Model folder:", x$folder))
  }
  invisible(x)
}

# The beginning of the names of folders of models without `out`.
kept_for_session <- "model-"

#' @export
summary.imagestrata_model <- function(object, ...) {
  settings <- from_json(object$training)[["settings"]]
  settings <- settings[lengths(settings) > 0]
  new_summary(
    title = model_title(object),
    lines = model_lines(object),
    tables = list(
      "Scores, with 95% intervals" = dplyr::filter(tidy(object, "scores"), .data$split != "train"),
      "Settings" = tibble::tibble(
        setting = names(settings),
        # Hashes of weights are shortened.
        value = cli::ansi_strtrim(vapply(settings, as_words, ""), 24)
      )
    )
  )
}

model_title <- function(x) {
  first <- utils::head(x$labels, 6)
  more <- if (length(x$labels) > 6) ", ..."
  paste0("Fine-tuned ", glance(x)$encoder, ": ", x$task, " (", toString(first), more, ")")
}

has_folds <- function(x) {
  "n_folds" %in% names(glance(x))
}

# The numbers of images, and the accuracy with its interval.
model_lines <- function(x) {
  line <- glance(x)
  if (has_folds(x)) {
    return(fold_lines(x))
  }
  overall <- dplyr::filter(top_scores(tidy(x, "scores")), .data$measure == "accuracy")
  c(
    sprintf(
      "%d images to train, %d to validate, %d to test; epoch %d of %d is kept",
      line$n_train, line$n_val, line$n_test, line$best_epoch, line$epochs
    ),
    sprintf(
      "%s accuracy %.2f (95%% interval %.2f to %.2f)",
      names_of_splits[overall$split], overall$estimate, overall$conf.low, overall$conf.high
    )
  )
}

fold_lines <- function(x) {
  line <- glance(x)
  overall <- dplyr::filter(top_scores(tidy(x, "scores")), .data$measure == "accuracy")
  over <- dplyr::filter(tidy(x, "folds"), .data$measure == "accuracy")[1, ]
  c(
    paste0(count_of(line$n_images, "image"), " in ", line$n_folds, " folds"),
    sprintf(
      "Out-of-fold accuracy %.2f (95%% interval %.2f to %.2f; in single folds %.2f to %.2f)",
      overall$estimate, overall$conf.low, overall$conf.high, over$lowest, over$highest
    )
  )
}

names_of_splits <- c(
  train = "Training", val = "Validation", test = "Test", fold = "Out of fold"
)

# The scores of all labels together; a binary task has one label only.
top_scores <- function(scores) {
  scores <- dplyr::filter(scores, .data$split != "train")
  dplyr::filter(dplyr::group_by(scores, .data$split), .data$label == .data$label[1]) |>
    dplyr::ungroup()
}

#' @rdname tidiers
#' @export
augment.imagestrata_model <- function(x, ...) {
  check_dots(...)
  tidy(x, "predictions")
}

# Labels made by a rule: a tibble, with the counts of the rule.

new_labels <- function(sent) {
  new_object(
    decode_table(sent[["labels"]]),
    "imagestrata_labels",
    tables = list(counts = decode_table(sent[["counts"]])),
    incomplete = as.integer(sent[["incomplete"]])
  )
}

#' @export
tbl_sum.imagestrata_labels <- function(x, ...) {
  counts <- tidy(x)
  lost <- setdiff(names(counts), c("item", "label", "positive", "negative", "disputed"))
  incomplete <- attr(x, "incomplete")
  c(
    "Labels" = paste0(count_of(nrow(x), "image"), ", ", counted(counts[[1]], counts$positive)),
    "Left out" = counted(
      c(lost, if (incomplete > 0) "incomplete"),
      c(vapply(counts[lost], sum, 1), incomplete)
    )
  )
}
