#' Plot the topics that set groups apart
#'
#' Draws a row for each topic: the odds ratio with its interval, on a log scale. Arrows above the
#' panel name the group that is more likely to show a topic, and points have its colour. They are
#' open if the interval includes equal odds.
#'
#' @param odds The result of [topic_odds()], or some of its rows. Contrasts, and further columns of
#'   its `by`, get panels of their own.
#' @param topics Numbers or names of the topics to draw, in this order; names of the vector, as in
#'   `c(protesters = 5)`, are shown. By default (`NULL`) the `n` topics of which it is surest that
#'   groups differ (the largest `statistic` in any panel), from the largest odds ratio in favour of
#'   the first group to that of the second.
#' @inheritParams plot_prevalence
#' @inheritParams scan_images
#'
#' @inheritSection plot_prevalence Sizes
#' @returns A ggplot, to which you can add your own `theme()`, `labs()` or scales.
#'   `ggplot2::get_alt_text()` describes it in words.
#' @family plots
#' @export
#' @examples
#' parties <- dplyr::filter(simulated_posts, party != "Independent")
#' plot_topic_odds(topic_odds(parties, by = party), n = 8)
plot_topic_odds <- function(odds,
                            topics = NULL,
                            n = 12,
                            thumbnails = NULL,
                            colours = NULL,
                            labels = NULL,
                            ...) {
  check_dots(...)
  n <- check_number_of_topics(topics, n, missing(n))
  table <- topic_table(odds, "odds", "topic_odds", c("contrast", "statistic", "share_other"))
  table$by <- c(table$by, table$time)
  table$data$contrast <- factor(table$data$contrast, unique(table$data$contrast))
  topics <- topics_to_draw(table, topics, labels, thumbnails, \(data) surest_topics(data, n))
  pairs <- pairs_of_groups(levels(table$data$contrast))
  palette <- check_colours(colours, unique(unlist(pairs)))
  data <- table$data[table$data$cluster %in% topics$cluster & !is.na(table$data$estimate), ]
  sure <- !is.na(data$conf.low) & data$conf.low * data$conf.high > 0
  draw_contrasts(
    table, data, topics, pairs, palette, sure,
    title = paste("Odds ratio of", table$units, "that show the topic\n(log scale)"),
    notes = c(
      if (!all(sure)) "Open points: the interval includes equal odds",
      "Odds ratios that rest on few posts are shrunk towards 1"
    ),
    equal = "equal odds", alt = alt_odds,
    scale = \(n) ggplot2::scale_x_continuous(breaks = odds_breaks, labels = odds_labels)
  )
}

# The `n` topics of which it is surest that groups differ, from the one side to the other.
surest_topics <- function(data, n) {
  data$statistic[is.na(data$statistic)] <- 0
  surest <- data[order(-abs(data$statistic)), ]
  surest <- utils::head(surest[!duplicated(surest$cluster), ], n)
  surest$cluster[order(-surest$estimate)]
}

# Powers of two, at most seven of them.
odds_breaks <- function(limits) {
  ends <- limits / log(2)
  step <- max(1, ceiling(diff(ends) / 6))
  log(2) * step * seq(ceiling(ends[1] / step), floor(ends[2] / step))
}

odds_labels <- function(x) {
  power <- round(x / log(2))
  text <- ifelse(power < 0, paste0("1/", 2^-power), as.character(2^power))
  replace(text, is.na(x), NA)
}

alt_odds <- function(table, data, topics, ahead) {
  widest <- which.max(abs(data$estimate))
  paste0(
    "Points with intervals for the odds ratio of ", table$units, " that show ",
    topics_in_words(topics), ": ", paste(levels(data$contrast), collapse = ", "),
    ". Each topic has a row. The largest odds ratio is ",
    format(signif(exp(abs(data$estimate[widest])), 2)), " (",
    topics$label[match(data$cluster[widest], topics$cluster)], ", more by ", ahead[widest], ")."
  )
}
