#' Plot the ratings before they become labels
#'
#' Draws one of three figures of ratings that [label_ratings()] turns into labels. It needs no
#' Python.
#'
#' @inheritParams label_ratings
#' @param type `"number"`: the number of items that images evoke, that is, with ratings above the
#'   lowest (Figure 7.1a of *Images as Data*). `"together"`: the share of the images that evoke one
#'   item which also evoke another (Figure 7.1b). `"clear"`: the number of images for which an item
#'   has the highest rating, and for which it is clearly the highest (Figure 7.2).
#' @inheritParams scan_images
#'
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' set.seed(1)
#' ratings <- data.frame(
#'   image_id = 1:200,
#'   anger = rbinom(200, 10, 0.5) * rbinom(200, 1, 0.4),
#'   fear = rbinom(200, 10, 0.3) * rbinom(200, 1, 0.5)
#' )
#' plot_label_ratings(ratings)
#' plot_label_ratings(ratings, type = "together")
#' plot_label_ratings(ratings, type = "clear")
plot_label_ratings <- function(ratings,
                               items = NULL,
                               scale = c(0, 10),
                               at_least = 3,
                               margin = 3,
                               type = c("number", "together", "clear"),
                               ...) {
  check_dots(...)
  type <- rlang::arg_match(type)
  at_least <- check_number(at_least, "at_least", minimum = 0)
  margin <- check_number(margin, "margin", minimum = 0)
  means <- mean_ratings(ratings, items, check_scale(scale))
  switch(type,
    number = plot_number(means),
    together = plot_together(means),
    clear = plot_clear(means, at_least, margin)
  )
}

# A matrix with a row per image that is rated for all items, and a column per item, of means
# counted from the lowest rating.
mean_ratings <- function(ratings, items, scale, call = rlang::caller_env()) {
  check_data_frame(
    ratings, "ratings", call,
    any_of = c("image_id", "path"), hint = "Rename the column that identifies the images."
  )
  if (nrow(ratings) == 0) {
    abort_imagestrata("{.arg ratings} has no rows.", call = call)
  }
  key <- intersect(c("image_id", "path"), names(ratings))
  check_texts(items, "items", call)
  if (all(c("item", "rating") %in% names(ratings))) {
    ratings <- widen_ratings(ratings, key[[1]])
  }
  items <- items %||% setdiff(names(ratings), c("image_id", "path", "annotator"))
  absent <- setdiff(items, names(ratings))
  if (length(absent) > 0 || length(items) == 0) {
    abort_imagestrata(
      if (length(absent) > 0) {
        "{.arg ratings} has no column {.var {absent[[1]]}}."
      } else {
        "{.arg ratings} has no column of ratings."
      },
      hint = "Its columns are {.var {names(ratings)}}.",
      call = call
    )
  }
  fits <- vapply(ratings[items], \(x) {
    is.numeric(x) && all(x >= scale[1] & x <= scale[2], na.rm = TRUE)
  }, NA)
  odd <- items[!fits]
  if (length(odd) > 0) {
    abort_imagestrata(
      "The column {.var {odd[[1]]}} must hold numbers on the scale, {scale[1]} to {scale[2]}.",
      hint = "Name the columns with ratings in {.arg items}, drop the others, or give the right
              {.arg scale}.",
      call = call
    )
  }
  means <- stats::aggregate(
    ratings[items], list(ratings[[key[[1]]]]), mean,
    na.rm = TRUE, na.action = stats::na.pass
  )
  means <- as.matrix(means[-1]) - scale[1]
  means <- means[stats::complete.cases(means), , drop = FALSE]
  if (nrow(means) == 0) {
    abort_imagestrata(
      "No image is rated for every item.",
      hint = "Fill in the missing ratings, or name fewer {.arg items}.",
      call = call
    )
  }
  means
}

# Ratings with one row each, as read_ratings() returns them, with a column per item.
widen_ratings <- function(ratings, key) {
  item <- if (is.factor(ratings$item)) droplevels(ratings$item) else ratings$item
  items <- if (is.factor(item)) levels(item) else unique(item)
  columns <- lapply(items, \(name) ifelse(item == name, ratings$rating, NA))
  dplyr::bind_cols(
    plain_tibble(ratings)[key],
    tibble::as_tibble(rlang::set_names(columns, items))
  )
}

plot_number <- function(means) {
  found <- tabulate(rowSums(means > 0) + 1, ncol(means) + 1)
  shares <- tibble::tibble(number = factor(0:ncol(means)), share = found / nrow(means))
  ggplot2::ggplot(shares, ggplot2::aes(.data$number, .data$share)) +
    ggplot2::geom_col(fill = colours[["main"]], width = 0.8) +
    ggplot2::geom_text(
      ggplot2::aes(label = sprintf("%.0f%%", 100 * .data$share)),
      vjust = -0.5, size = 3, colour = colours[["soft"]]
    ) +
    ggplot2::scale_y_continuous(
      labels = \(x) paste0(100 * x, "%"), expand = ggplot2::expansion(mult = c(0, 0.08))
    ) +
    ggplot2::labs(
      x = "Items that an image evokes", y = "Share of images",
      caption = caption_text(
        paste0("An image evokes an item if its mean rating is above the lowest; ",
          count_of(nrow(means), "image"))
      ),
      alt = alt_text(
        paste("Bars for the share of", count_of(nrow(means), "image"), "by the number of items",
          "that they evoke, from 0 to", ncol(means)),
        alt_extremes("share", shares$share, paste(shares$number, "items"), percent)
      )
    ) +
    theme_strata()
}

plot_together <- function(means) {
  evokes <- means > 0
  both <- crossprod(evokes) / pmax(colSums(evokes), 1)
  items <- colnames(means)
  cells <- tibble::tibble(
    row = factor(rep(items, length(items)), rev(items)),
    column = factor(rep(items, each = length(items)), items),
    share = as.vector(both), label = sprintf("%.0f%%", 100 * both)
  )
  cells <- cells[as.character(cells$row) != as.character(cells$column), ]
  plot_cells(cells) +
    ggplot2::labs(
      x = "Share that also evokes", y = "Images that evoke",
      caption = caption_text(
        "Of the images that evoke the item of the row, the share that evokes that of the column",
        count_of(nrow(means), "image")
      ),
      alt = alt_text(
        paste0("Cells for the share of images that evoke one item which also evoke another (",
          list_of(items, 12), "), ", count_of(nrow(means), "image")),
        alt_extremes("share", cells$share, paste(cells$column, "among", cells$row), percent)
      )
    ) +
    ggplot2::theme(
      plot.caption = ggplot2::element_text(hjust = 0, colour = colours[["soft"]]),
      plot.caption.position = "plot"
    )
}

# The rule is that of label_ratings().
plot_clear <- function(means, at_least, margin) {
  ranked <- t(apply(means, 1, sort, decreasing = TRUE))
  ranked <- matrix(ranked, nrow = nrow(means))
  second <- if (ncol(means) > 1) ranked[, 2] else 0
  highest <- factor(colnames(means)[max.col(means, "first")], colnames(means))
  evokes <- ranked[, 1] > 0
  # 19/3 and 10/3 differ by 3, but not exactly as floating-point numbers.
  off <- 1e-9
  clear <- evokes & ranked[, 1] >= at_least - off & ranked[, 1] - second >= margin - off
  ways <- c("highest", "clearly highest")
  bars <- tibble::tibble(
    item = rep(factor(levels(highest), levels(highest)), 2),
    way = factor(rep(ways, each = ncol(means)), ways),
    n = c(tabulate(highest[evokes], ncol(means)), tabulate(highest[clear], ncol(means)))
  )
  ggplot2::ggplot(bars, ggplot2::aes(.data$item, .data$n, fill = .data$way)) +
    ggplot2::geom_col(position = "identity", width = 0.8) +
    ggplot2::geom_text(
      ggplot2::aes(
        label = .data$n, colour = .data$way, vjust = ifelse(.data$way == "highest", -0.5, 1.5)
      ),
      size = 3, show.legend = FALSE
    ) +
    ggplot2::scale_colour_manual(values = rlang::set_names(c("black", "white"), ways)) +
    ggplot2::scale_fill_manual(values = rlang::set_names(colours[c("pale", "main")], ways)) +
    ggplot2::scale_y_continuous(expand = ggplot2::expansion(mult = c(0, 0.1))) +
    ggplot2::labs(
      x = NULL, y = "Images", fill = NULL,
      caption = caption_text(
        sprintf("Clearly: %g or more above the lowest rating, and %g above the second", at_least,
          margin),
        paste(count_of(sum(!evokes), "image"), if (sum(!evokes) == 1) "evokes" else "evoke",
          "nothing")
      ),
      alt = alt_text(
        paste0("Bars for the number of images, of ", nrow(means), ", in which an item is the ",
          "highest, and clearly the highest (", list_of(colnames(means), 12), ")"),
        alt_extremes("number", bars$n, paste0(bars$item, ", ", bars$way), as.character)
      )
    ) +
    theme_strata()
}
