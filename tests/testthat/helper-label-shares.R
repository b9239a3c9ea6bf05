# A table as label_shares() returns it: shares of a binary code by party, with different numbers
# for each method.
toy_label_shares <- function(...) {
  table <- tidyr::expand_grid(
    code = c("protest", "children"), party = c("Democrat", "Republican"),
    method = c("machine", "sample", "corrected")
  )
  table$label <- "1"
  table$estimate <- c(0.12, 0.17, 0.13, 0.09, 0.08, 0.07, 0.10, 0.08, 0.09, 0.11, 0.12, 0.10)
  half <- rep(c(0.005, 0.05, 0.02), 4)
  table$conf.low <- table$estimate - half
  table$conf.high <- table$estimate + half
  table$n_labelled <- rep(c(640L, 520L), each = 3, times = 2)
  table$n_predicted <- rep(c(9000L, 8000L), each = 3, times = 2)
  dplyr::filter(table, ...)
}

# The same over three months.
toy_label_months <- function(...) {
  months <- as.Date(c("2020-01-01", "2020-02-01", "2020-03-01"))
  table <- tidyr::expand_grid(month = months, toy_label_shares(...))
  grown <- as.integer(format(table$month, "%m")) / 100
  table[c("estimate", "conf.low", "conf.high")] <-
    table[c("estimate", "conf.low", "conf.high")] + grown
  table
}
