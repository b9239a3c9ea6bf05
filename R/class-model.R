# A fine-tuned model: a list of tables and of what was done. The weights stay in the folder.

new_model <- function(sent, folder) {
  tables <- lapply(sent[["tables"]], decode_result)
  structure(
    list(
      task = sent[["task"]],
      labels = as.character(sent[["labels"]]),
      history = tables[["history"]],
      scores = tables[["scores"]],
      confusion = tables[["confusion"]],
      predictions = tables[["predictions"]],
      line = tables[["summary"]],
      encoder = sent[["encoder"]],
      training = sent[["training"]],
      folder = folder
    ),
    class = "imagestrata_model"
  )
}

#' A model of an earlier call
#'
#' @param folder What was given to [fine_tune()] as `out`, in R, in Python or on the command
#'   line; or the `folder` of a row of [tune_model()].
#' @inheritParams scan_images
#'
#' @returns What [fine_tune()] returned then.
#' @family fine-tuning
#' @export
#' @examplesIf imagestrata_ready()
#' read_model(imagestrata_example("model"))
read_model <- function(folder, ...) {
  check_dots(...)
  folder <- check_path(folder, "folder")
  check_exist(folder, "folder")
  new_model(call_core("read_model", folder), folder)
}

#' @export
print.imagestrata_model <- function(x, ...) {
  writeLines(c(paste("#", model_title(x)), paste("#", model_lines(x))))
  if (startsWith(x$folder, absolute_path(file.path(tempdir(), kept_for_session)))) {
    writeLines("# Weights: kept as long as this R session lasts; to keep them longer, give `out`")
  } else {
    writeLines(paste("# Model folder:", x$folder))
  }
  invisible(x)
}

# How folders of models begin that were not given a place.
kept_for_session <- "model-"

#' @export
summary.imagestrata_model <- function(object, ...) {
  settings <- from_json(object$training)[["settings"]]
  settings <- settings[lengths(settings) > 0]
  new_summary(
    title = model_title(object),
    lines = model_lines(object),
    tables = list(
      "Scores, with 95% intervals" = dplyr::filter(object$scores, .data$split != "train"),
      "Settings" = tibble::tibble(
        setting = names(settings),
        # Hashes of weights need not be whole.
        value = cli::ansi_strtrim(vapply(settings, as_words, ""), 24)
      )
    )
  )
}

model_title <- function(x) {
  first <- utils::head(x$labels, 6)
  more <- if (length(x$labels) > 6) ", ..."
  paste0("Fine-tuned ", x$line$encoder, ": ", x$task, " (", toString(first), more, ")")
}

# What was learnt from, and how good it is, with how much is known of that.
model_lines <- function(x) {
  line <- x$line
  overall <- dplyr::filter(top_scores(x$scores), .data$measure == "accuracy")
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

names_of_splits <- c(train = "Training", val = "Validation", test = "Test")

# Of all labels together; a binary task has only its own.
top_scores <- function(scores) {
  scores <- dplyr::filter(scores, .data$split != "train")
  dplyr::filter(dplyr::group_by(scores, .data$split), .data$label == .data$label[1]) |>
    dplyr::ungroup()
}

#' What a fine-tuned model says, as tables
#'
#' `glance()` gives one line, `tidy()` the parts, `augment()` the labelled images.
#'
#' @param x What [fine_tune()] or [read_model()] returned; for `tidy()` also what
#'   [label_ratings()] or [combine_labels()] returned.
#' @param table `"history"`, the course of training; `"scores"`, how good the kept epoch is; or
#'   `"confusion"`, what was taken for what.
#' @param ... Not used.
#'
#' @returns A tibble:
#'
#' - `tidy()`: `epoch`, `split` (`"train"`, `"val"`), `loss`, `accuracy`, `precision`, `recall`,
#'   `f1`. Those of `"train"` are of pictures as they were seen on the way through the epoch.
#' - `tidy(x, "scores")`: `split`, `label` (`"(all)"` stands for all labels together: accuracy
#'   is the share of right answers, the others are means over labels, in which the precision of a
#'   label that was never decided for and the recall of a label that no image has count as 0),
#'   `measure`, `estimate`, `conf.low` and `conf.high`, its 95% interval (Wilson's, of F1 carried
#'   over from Jaccard's share; that of all labels together keeps the answers about one image
#'   together), and `n`, the number of answers that it is a share of.
#' - `tidy(x, "confusion")`: `split`, `label`, `truth`, `decision`, `n`.
#' - `glance()`: `task`, `encoder`, `n_labels`, `n_train`, `n_val`, `n_test`, `epochs`,
#'   `best_epoch`, and accuracy and F1 of the validation and test images.
#' - `augment()`: `image_id`, `path`, `split`, `label`, `truth`, `probability`, `decision` of all
#'   images that had labels, a row per image and label.
#' - `tidy()` of labels: what the rule that made them has counted.
#'
#' @examples
#' fit <- demo_model()
#' glance(fit)
#' tidy(fit)
#' tidy(fit, "scores")
#' augment(fit) |> dplyr::filter(split == "test", truth != decision)
#' @name tidiers_model
NULL

#' @rdname tidiers_model
#' @export
tidy.imagestrata_model <- function(x, table = c("history", "scores", "confusion"), ...) {
  x[[rlang::arg_match(table)]]
}

#' @rdname tidiers_model
#' @export
glance.imagestrata_model <- function(x, ...) {
  x[["line"]]
}

#' @rdname tidiers_model
#' @export
augment.imagestrata_model <- function(x, ...) {
  x[["predictions"]]
}

# Labels that a rule has made: a tibble, with what the rule has counted.

new_labels <- function(sent) {
  new_image_table(
    decode_table(sent[["labels"]]),
    "imagestrata_labels",
    counts = decode_table(sent[["counts"]]),
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

counted <- function(names, n) {
  toString(paste(n[seq_along(names)], names))
}

#' @rdname tidiers_model
#' @export
tidy.imagestrata_labels <- function(x, ...) {
  attr(x, "counts")
}
