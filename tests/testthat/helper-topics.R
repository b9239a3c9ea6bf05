# Tables as topic_prevalence() and topic_gaps() return them, made by hand.

toy_prevalence <- function(...) {
  table <- tidyr::expand_grid(
    cluster = c(1L, 2L, -1L),
    party = c("Democrat", "Republican"),
    month = as.Date(c("2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01", "2020-06-01"))
  )
  i <- seq_len(nrow(table))
  table <- tibble::add_column(
    table, cluster_name = c("flags", NA, NA)[match(table$cluster, c(1, 2, -1))], .after = "cluster"
  )
  table$estimate <- ifelse(table$cluster == -1, 0.5, 0.6 / table$cluster^2) + i / 1000
  table$std.error <- 0.02
  table$conf.low <- table$estimate - 0.04
  table$conf.high <- table$estimate + 0.04
  table$n_posts <- 100L
  table$n_authors <- 20L
  table$unit <- "post"
  # Republicans show flags in no post of February, and have no posts in March; nobody has in May.
  zero <- table$cluster == 1 & table$party == "Republican" & table$month == as.Date("2020-02-01")
  table[zero, c("estimate", "conf.low")] <- 0
  table$conf.high[zero] <- 0.1
  none <- table$party == "Republican" & table$month == as.Date("2020-03-01")
  table[none, c("estimate", "std.error", "conf.low", "conf.high")] <- NA
  table$n_posts[none] <- 0L
  dplyr::filter(table, ...)
}

# The same without months.
toy_shares <- function(...) {
  table <- toy_prevalence(...)
  table <- table[table$month == as.Date("2020-02-01"), names(table) != "month"]
  table
}

toy_gaps <- function(groups = c("Democrat", "Republican"), by = NULL) {
  pairs <- utils::combn(groups, 2, paste, collapse = " - ")
  table <- tidyr::expand_grid(contrast = pairs, cluster = c(1L, 2L, 3L, -1L))
  table$cluster_name <- c("flags", NA, "protest", NA)[match(table$cluster, c(1, 2, 3, -1))]
  table$estimate <- c(0.02, -0.05, 0.08, 0.3)[match(table$cluster, c(1, 2, 3, -1))]
  table$std.error <- 0.02
  table$conf.low <- table$estimate - 0.04
  table$conf.high <- table$estimate + 0.04
  table$p.value <- c(0.3, 0.01, 0.001, 0)[match(table$cluster, c(1, 2, 3, -1))]
  table$p.adjusted <- pmin(4 * table$p.value, 1)
  table$n_posts <- 200L
  table$n_authors <- 40L
  table$unit <- "author"
  table
}

# What the layers of a plot draw, by the name of their geom.
layers_of <- function(plot) {
  built <- ggplot2::ggplot_build(plot)
  names <- vapply(plot$layers, \(layer) sub("^Geom", "", class(layer$geom)[1]), "")
  rlang::set_names(built$data, names)
}

# The names of the grobs in the table of a plot.
grobs_of <- function(plot) {
  withr::local_pdf(NULL)
  table <- ggplot2::ggplotGrob(plot)
  rlang::set_names(table$grobs, table$layout$name)
}

caption_on_one_line <- function(plot) gsub("\n", " ", plot$labels$caption)
