#' Plots of a fine-tuned model
#'
#' @param object The result of [fine_tune()].
#' @param type `"training"`: loss and accuracy of the training and the validation images by epoch,
#'   and the epoch that is kept (Figures 7.4 and 7.5 of *Images as Data*). With folds, each fold has
#'   a thin line, and a thick line is their mean. `"scores"`: the scores of
#'   each label with 95% intervals, which are wide for few images. `"confusion"`: the confusion
#'   matrix of each label.
#' @param ... For `"training"`: further models to draw beside this one, such as those of a grid. The
#'   panels have the names of the arguments, or else show the settings in which the models differ.
#' @param split For `"confusion"`: the images to use, `"test"`, `"val"`, `"train"` or `"fold"`. By
#'   default `"test"`, or `"fold"`, the out-of-fold predictions, for a model with folds. A model
#'   without test images shows `"val"`.
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examples
#' fit <- demo_model()
#' autoplot(fit)
#' autoplot(fit, "scores")
#' autoplot(fit, "confusion")
autoplot.imagestrata_model <- function(object,
                                       type = c("training", "scores", "confusion"),
                                       ...,
                                       split = NULL) {
  type <- rlang::arg_match(type)
  if (type != "training") {
    check_dots(...)
  }
  check_unused(type == "confusion", 'type = "confusion"', split = split)
  switch(type,
    training = plot_training(object, ...),
    scores = plot_scores(object),
    confusion = plot_confusion(object, split)
  )
}

plot_training <- function(...) {
  models <- name_models(list(...))
  history <- dplyr::bind_rows(lapply(models, tidy), .id = "model")
  history$fold <- if ("fold" %in% names(history)) history$fold else NA_integer_
  points <- dplyr::bind_rows(
    dplyr::mutate(history, measure = "Loss", value = .data$loss),
    dplyr::mutate(history, measure = "Accuracy", value = .data$accuracy)
  )
  points$measure <- factor(points$measure, c("Loss", "Accuracy"))
  points$model <- factor(points$model, names(models))
  points$split <- factor(names_of_splits[points$split], names_of_splits[c("train", "val")])
  kept <- dplyr::bind_rows(lapply(models, kept_epochs), .id = "model")
  kept$model <- factor(kept$model, names(models))
  single <- points[is.na(points$fold), ]
  ggplot2::ggplot(
    points,
    ggplot2::aes(
      .data$epoch, .data$value, colour = .data$split, linetype = .data$split, shape = .data$split
    )
  ) +
    ggplot2::geom_vline(
      ggplot2::aes(xintercept = .data$epoch),
      data = kept[is.na(kept$fold), ], colour = colours[["soft"]], linetype = "dotted"
    ) +
    ggplot2::geom_blank(data = dplyr::mutate(points[1, ], value = 0)) +
    folds_layers(points[!is.na(points$fold), ], kept) +
    ggplot2::geom_line(data = single, linewidth = 0.7, na.rm = TRUE) +
    ggplot2::geom_point(
      data = single, size = if (max(points$epoch) > 25) 0.6 else 1.2, na.rm = TRUE
    ) +
    ggplot2::facet_grid(
      ggplot2::vars(.data$measure),
      if (length(models) > 1) ggplot2::vars(.data$model),
      scales = "free_y", switch = "y"
    ) +
    ggplot2::scale_x_continuous(
      breaks = \(limits) whole_breaks(limits, if (length(models) > 1) 4 else 8)
    ) +
    ggplot2::scale_colour_manual(values = split_colours) +
    ggplot2::scale_linetype_manual(values = c(Training = "solid", Validation = "42")) +
    ggplot2::scale_shape_manual(values = split_shapes) +
    ggplot2::labs(
      x = "Epoch", y = NULL, colour = "Images", linetype = "Images", shape = "Images",
      caption = training_note(points), alt = training_in_words(history, kept)
    ) +
    theme_strata() +
    ggplot2::theme(
      strip.placement = "outside",
      strip.text.y.left = ggplot2::element_text(hjust = 0.5),
      panel.spacing.y = grid::unit(1, "lines"),
      legend.key.width = grid::unit(1.6, "lines")
    )
}

training_in_words <- function(history, kept) {
  said <- vapply(split(kept, factor(kept$model, unique(kept$model))), \(one) {
    of <- history[history$model == one$model[1] & history$split == "val", ]
    at <- of$epoch == one$epoch[match(of$fold, one$fold)]
    paste0(
      if (nrow(one) == 1) {
        paste0("epoch ", one$epoch, " of ", max(of$epoch), " is kept, with a ")
      } else {
        paste0(nrow(one), " folds keep epochs ", toString(one$epoch), ", with a mean ")
      },
      "validation accuracy of ", percent(mean(of$accuracy[at]))
    )
  }, "")
  paste0(
    "Lines for loss and accuracy of training and validation images by epoch. ",
    if (length(said) > 1) {
      paste0(gsub("\n", ", ", names(said)), ": ", said, collapse = "; ")
    } else {
      sentence(said)
    },
    "."
  )
}

# The epoch that is kept: one, or one for each fold.
kept_epochs <- function(model) {
  kept <- as.integer(unlist(from_json(model$training)[["best_epoch"]]))
  tibble::tibble(epoch = kept, fold = if (has_folds(model)) seq_along(kept) else NA_integer_)
}

# Thin lines of folds with the epochs that are kept, and thick ones of their means.
folds_layers <- function(points, kept) {
  if (nrow(points) == 0) {
    return(NULL)
  }
  dots <- dplyr::semi_join(points, kept, by = c("model", "epoch", "fold"))
  dots <- dots[dots$split == names_of_splits[["val"]], ]
  means <- dplyr::group_by(points, .data$model, .data$measure, .data$split, .data$epoch) |>
    dplyr::summarise(value = mean(.data$value), .groups = "drop")
  list(
    ggplot2::geom_line(
      ggplot2::aes(group = interaction(.data$split, .data$fold)),
      data = points, linewidth = 0.3, alpha = 0.45, na.rm = TRUE
    ),
    ggplot2::geom_point(data = dots, size = 1, alpha = 0.8, na.rm = TRUE),
    ggplot2::geom_line(data = means, linewidth = 0.9, na.rm = TRUE)
  )
}

training_note <- function(points) {
  caption_text(
    if (anyNA(points$fold)) "Dotted line: the epoch that is kept, with the lowest validation loss",
    if (!all(is.na(points$fold))) {
      "Thin lines: folds, with a point at the epoch that is kept. Thick lines: their means"
    }
  )
}

# "people 17 of 19; writing 15 of 19", for each panel.
equal_decisions <- function(cells, most = 12) {
  said <- vapply(split(cells, cells$panel), \(one) {
    name <- gsub("\n", ", ", one$panel[1])
    sprintf("%s %s of %s", name, sum(one$n[one$truth == one$decision]), sum(one$n))
  }, "")
  paste0(paste(utils::head(said, most), collapse = "; "), if (length(said) > most) "; and more")
}

name_models <- function(models, call = rlang::caller_env(2)) {
  for (model in models) {
    check_class(model, "imagestrata_model", "...", "fine_tune", call = call)
  }
  given <- rlang::names2(models)
  differing <- name_by_settings(models)
  rlang::set_names(models, make.unique(ifelse(given == "", differing, given), " "))
}

# The settings in which models differ, as text.
name_by_settings <- function(models) {
  settings <- lapply(models, function(model) {
    vapply(from_json(model$training)[["settings"]], as_words, "")
  })
  all <- unique(unlist(lapply(settings, names)))
  values <- vapply(settings, \(one) dplyr::coalesce(one[all], "-"), all)
  values <- matrix(values, nrow = length(all))
  differs <- apply(values, 1, \(row) length(unique(row)) > 1)
  if (!any(differs)) {
    return(paste("Model", seq_along(models)))
  }
  apply(values[differs, , drop = FALSE], 2, \(one) paste(all[differs], one, collapse = "\n"))
}

plot_scores <- function(object) {
  scores <- dplyr::filter(tidy(object, "scores"), .data$split != "train", !is.na(.data$estimate))
  scores$measure <- factor(
    scores$measure, c("accuracy", "precision", "recall", "f1"),
    c("Accuracy", "Precision", "Recall", "F1")
  )
  # The first label on top.
  scores$label <- factor(scores$label, rev(unique(scores$label)))
  scores$split <- factor(names_of_splits[scores$split], names_of_splits)
  place <- ggplot2::position_dodge2(width = 0.6, reverse = TRUE)
  ggplot2::ggplot(
    scores,
    ggplot2::aes(.data$estimate, .data$label, colour = .data$split, shape = .data$split)
  ) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      position = place, linewidth = 0.8
    ) +
    ggplot2::geom_point(position = place, size = 2) +
    ggplot2::facet_wrap(ggplot2::vars(.data$measure), nrow = 1) +
    ggplot2::scale_x_continuous(
      limits = c(0, 1), breaks = c(0, 0.5, 1), labels = c("0", ".5", "1")
    ) +
    ggplot2::scale_colour_manual(values = split_colours) +
    ggplot2::scale_shape_manual(values = split_shapes) +
    ggplot2::labs(
      x = NULL, y = NULL, colour = "Images", shape = "Images", caption = scores_note(object),
      alt = scores_in_words(scores)
    ) +
    theme_strata() +
    ggplot2::theme(
      panel.grid.major.x = ggplot2::element_line(),
      panel.grid.major.y = ggplot2::element_blank(),
      panel.spacing.x = grid::unit(1.2, "lines"),
      # Room for half of the last label of an axis.
      plot.margin = ggplot2::margin(5.5, 11, 5.5, 5.5)
    )
}

scores_note <- function(object) {
  line <- glance(object)
  tested <- "test" %in% tidy(object, "scores")$split
  caption_text(
    "Lines: 95% intervals",
    if (has_folds(object)) {
      paste("Out-of-fold predictions of", count_of(line$n_images, "image"))
    } else {
      paste0(
        count_of(line$n_val, "validation image"),
        if (tested) paste0(", ", count_of(line$n_test, "test image"))
      )
    }
  )
}

scores_in_words <- function(scores) {
  shown <- scores[scores$label == scores$label[1] & scores$split == utils::tail(scores$split, 1), ]
  paste0(
    "Points with intervals for ", toString(tolower(levels(scores$measure)[1:3])), " and F1 of ",
    toString(rev(levels(scores$label))), ". ", shown$split[1], " images, ", shown$label[1], ": ",
    paste(tolower(shown$measure), percent(shown$estimate), collapse = ", "), "."
  )
}

plot_confusion <- function(object, split) {
  confusion <- tidy(object, "confusion")
  usual <- c(intersect(c("test", "fold"), confusion$split), "val")[1]
  split <- check_string(split %||% usual, "split", call = rlang::caller_env())
  cells <- dplyr::filter(confusion, .data$split == .env$split)
  if (nrow(cells) == 0) {
    abort_imagestrata(
      "The model has no results for the split {.val {split}}, only for {.val
       {unique(confusion$split)}}.",
      hint = "Models of a grid are not evaluated on the test images: see {.fn tune_model}.",
      call = rlang::caller_env()
    )
  }
  cells <- dplyr::group_by(cells, .data$label, .data$truth) |>
    dplyr::mutate(share = .data$n / max(sum(.data$n), 1)) |>
    dplyr::ungroup()
  names <- unique(cells$truth)
  cells$row <- factor(cells$truth, rev(names))
  cells$column <- factor(cells$decision, names)
  cells$panel <- factor(cells$label, unique(cells$label))
  cells$label <- cells$n
  # With many classes most cells are empty: their zeros would hide the other numbers.
  many <- length(names) > 12
  plot_cells(cells, if (many) cells[cells$n > 0, ] else cells, size = if (many) 2 else 3.2) +
    (if (object$task != "multiclass") ggplot2::facet_wrap(ggplot2::vars(.data$panel))) +
    ggplot2::labs(
      x = "Decision of the model", y = "Label",
      caption = caption_text(
        if (split == "fold") {
          "Numbers: images, by out-of-fold predictions"
        } else {
          sprintf("Numbers: %s images", tolower(names_of_splits[[split]]))
        },
        if (many) "Cells without a number have no image",
        "Shade: share of the row"
      ),
      alt = alt_text(
        "matrices of labels and decisions of the model",
        paste("right decisions:", equal_decisions(cells))
      )
    ) +
    ggplot2::theme(
      axis.text.x = if (length(names) > 3) ggplot2::element_text(angle = 45, hjust = 1)
    )
}
