#' Compare automatic tags with each other and with labels by hand
#'
#' @details Accuracy, precision and recall are shares and have Wilson's intervals. Overall accuracy
#' is the share of correct answers. Precision, recall and F1 of all labels together are means over
#' labels; an undefined share (such as the precision of a tag that never occurs) counts as 0, with a
#' warning. Their intervals treat the answers about one image as a unit. The images with labels
#' should be a random sample of the corpus, because precision in particular depends on the frequency
#' of a label.
#'
#' Images that could not be tagged (those with a `reason` in the result of [tag_images()]) are not
#' observations: shares and scores leave them out, and `glance()` reports their number,
#' `n_unreadable`. Images without a label are left out of the scores, with a warning.
#'
#' @param tags The result of [tag_images()], or a data frame of yours with `image_id` and `label`
#'   (missing for images without one), and `confidence` and `decision` if you have them (only tags
#'   with a decision of `TRUE` count). Answers of a model (with `code`) are tags: the code itself if
#'   the question is one of yes or no, otherwise the answer; images without an answer are left out
#'   of the scores of its tags. For several taggers, a named list of these.
#' @param labels Labels by hand, as for [fine_tune()]: a data frame, or a CSV file, with `image_id`
#'   or `path`, and a column per label with 1, 0 or nothing, or one column of classes, each of which
#'   is then a label. Or a row per image and code, as from [consensus()]: `image_id`, `code`,
#'   `label`; a code with the labels 1 and 0 is a label, of others each answer. Without labels, only
#'   frequencies are reported.
#' @param matches The tags that represent each label, as a list such as `list(protest = c("Parade",
#'   "Protest", "Crowd"))`. For the tagger, an image has the label if it has any of these tags; case
#'   is ignored. By default the tag has the name of the label. Labels that are not in the list are
#'   not compared.
#' @param min_confidence Tags with a lower confidence do not count.
#' @inheritParams scan_images
#'
#' @returns A tibble of scores, one row per tagger, label and measure: `tagger`, `label` (with
#'   several labels also `"(all)"`, all labels together), `measure` (accuracy, precision, recall,
#'   f1), `estimate`, `conf.low`, `conf.high` (95%), `n`. [glance()][tidiers] gives one row per
#'   tagger, and [tidy()][tidiers] the tables `"frequencies"` (with intervals), `"confusion"` and
#'   `"images"` (the decisions by hand and by the tagger for each image, to inspect mistakes).
#'   [autoplot()][autoplot.imagestrata_tags] draws frequencies and confusion.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' tags <- data.frame(
#'   image_id = c("a", "a", "b", "c", "d"),
#'   label = c("Crowd", "Flag", "Flag", "Parade", NA)
#' )
#' by_hand <- data.frame(image_id = c("a", "b", "c", "d"), protest = c(1, 0, 1, 0))
#' compared <- compare_tags(tags, by_hand, list(protest = c("Crowd", "Parade")))
#' compared
#' tidy(compared, "confusion")
compare_tags <- function(tags, labels = NULL, matches = NULL, min_confidence = 0, ...) {
  sent <- call_verb(
    "compare_tags",
    tags = send_taggers(tags), matches = send_choices(matches, "matches")
  )
  new_result(sent, "imagestrata_tags", "scores")
}

send_taggers <- function(tags, call = rlang::caller_env()) {
  if (is.data.frame(tags)) {
    return(send_texts(tags, "tags", call))
  }
  if (!rlang::is_list(tags) || length(tags) == 0 || !rlang::is_named(tags)) {
    abort_imagestrata(
      "{.arg tags} must be a data frame, or data frames in a list with the taggers' names, not
       {seen(tags)}.",
      call = call
    )
  }
  several <- Map(\(one, name) send_texts(one, paste0("tags$", name), call), tags, names(tags))
  list(kind = "several", names = as.list(names(tags)), several = unname(several))
}

# Names with several words each, or NULL, as JSON, which keeps R's NULL inside a list.
send_choices <- function(x, name, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  words <- vapply(x, \(one) is.null(one) || is.character(one), NA)
  if (length(x) == 0 || !rlang::is_named(x) || !all(words)) {
    abort_imagestrata(
      "{.arg {name}} must be a list with names and words, such as
       {.code list(protest = c(\"crowd\", \"march\"))}, not {seen(x)}.",
      call = call
    )
  }
  send_json(x, null = "null")
}

#' @export
tbl_sum.imagestrata_tags <- function(x, ...) {
  line <- glance(x)
  rlang::set_names(
    paste0(
      vapply(line$n_images, count_of, "", word = "image"),
      ifelse(line$n_unreadable > 0, paste0(" (and ", line$n_unreadable, " not readable)"), ""),
      ", ",
      vapply(line$n_tags, count_of, "", word = "different tag"),
      ifelse(
        line$n_compared == 0, "",
        paste0(
          "; ", line$n_compared, " with labels by hand: accuracy ", percent(line$accuracy),
          ", precision ", percent(line$precision), ", recall ", percent(line$recall)
        )
      )
    ),
    ifelse(line$tagger == "tags", "Tags", paste("Tags of", line$tagger))
  )
}

#' Plots of tags
#'
#' @param object The result of [compare_tags()].
#' @param type `"frequencies"`: bars of the most frequent tags as shares of the images, with 95%
#'   intervals. `"confusion"`: counts of images by the decisions by hand and by the tagger, one
#'   matrix per label. Several taggers are shown in panels.
#' @param n Number of tags shown for each tagger.
#' @inheritParams scan_images
#'
#' @returns A ggplot.
#' @family plots
#' @export
#' @examplesIf imagestrata_ready()
#' tags <- data.frame(
#'   image_id = c("a", "a", "b", "c", "d"),
#'   label = c("Crowd", "Flag", "Flag", "Parade", NA)
#' )
#' by_hand <- data.frame(image_id = c("a", "b", "c", "d"), protest = c(1, 0, 1, 0))
#' compared <- compare_tags(tags, by_hand, list(protest = c("Crowd", "Parade")))
#' autoplot(compared)
#' autoplot(compared, "confusion")
autoplot.imagestrata_tags <- function(object,
                                      type = c("frequencies", "confusion"),
                                      n = 20,
                                      ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  check_unused(type == "frequencies", 'type = "frequencies"', n = if (!missing(n)) n)
  if (type == "frequencies") {
    return(draw_tags(tidy(object, "frequencies"), check_count(n, "n")))
  }
  confusion <- tidy(object, "confusion")
  if (nrow(confusion) == 0) {
    abort_imagestrata(
      "A confusion matrix needs labels by hand.",
      hint = "Give them to {.fn compare_tags} as {.arg labels}."
    )
  }
  draw_tag_confusion(confusion)
}

draw_tags <- function(frequencies, n) {
  frequencies$tagger <- factor(frequencies$tagger, unique(frequencies$tagger))
  shown <- dplyr::slice_head(dplyr::group_by(frequencies, .data$tagger), n = n)
  shown <- dplyr::ungroup(shown)
  # Each tagger has its own order of bars.
  shown$place <- factor(seq_len(nrow(shown)), rev(seq_len(nrow(shown))))
  several <- nlevels(shown$tagger) > 1
  ggplot2::ggplot(shown, ggplot2::aes(.data$share, .data$place)) +
    ggplot2::geom_col(fill = colours[["main"]], width = 0.7) +
    ggplot2::geom_linerange(
      ggplot2::aes(xmin = .data$conf.low, xmax = .data$conf.high),
      colour = colours[["ink"]], linewidth = 0.35
    ) +
    (if (several) ggplot2::facet_wrap(ggplot2::vars(.data$tagger), scales = "free_y")) +
    ggplot2::scale_y_discrete(labels = \(place) shorten(shown$label[as.integer(place)], 30)) +
    ggplot2::scale_x_continuous(
      labels = \(share) paste0(round(100 * share), "%"),
      limits = c(0, NA), expand = ggplot2::expansion(c(0, 0.03))
    ) +
    ggplot2::labs(
      x = "Share of images", y = NULL, caption = caption_text("Lines: 95% intervals"),
      alt = paste0(
        "Bars with intervals for the shares of images with the most frequent tags. ",
        paste0(
          if (several) paste0(levels(shown$tagger), ": "),
          vapply(split(shown, shown$tagger), \(one) {
            one <- utils::head(one, 3)
            paste(one$label, percent(one$share), collapse = ", ")
          }, ""),
          collapse = "; "
        ),
        "."
      )
    ) +
    theme_strata() +
    ggplot2::theme(panel.grid.major.y = ggplot2::element_blank())
}

draw_tag_confusion <- function(confusion) {
  several <- length(unique(confusion$tagger)) > 1
  name <- shorten(confusion$label, 30)
  confusion$panel <- if (several) paste0(name, "\n", confusion$tagger) else name
  confusion$panel <- factor(confusion$panel, unique(confusion$panel))
  confusion <- dplyr::group_by(confusion, .data$panel, .data$truth) |>
    dplyr::mutate(share = .data$n / max(sum(.data$n), 1)) |>
    dplyr::ungroup()
  confusion$row <- factor(confusion$truth, c("no", "yes"))
  confusion$column <- factor(confusion$decision, c("yes", "no"))
  confusion$label <- with_marks(confusion$n)
  plot_cells(confusion) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel)) +
    ggplot2::labs(
      x = "Tagger", y = "By hand",
      caption = caption_text("Numbers: images. Shade: share of the row"),
      alt = alt_text(
        "matrices of decisions by hand and by the tagger",
        paste("equal decisions:", equal_decisions(confusion))
      )
    )
}
