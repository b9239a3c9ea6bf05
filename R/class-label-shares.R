# The class of results of label_shares(): a tibble with a summary of its sample.

#' @export
tbl_sum.imagestrata_label_shares <- function(x, ...) {
  sample <- glance(x)
  heading <- paste0(
    count_of(sample$n_codes, "code"), " in ", count_of(sample$n_images, "image"), ", of which ",
    big(sample$n_labelled), " are labelled; ", what_label_shares_count[[sample$weight]], "; ",
    100 * sample$conf_level, "% intervals"
  )
  c("Shares of labels" = heading)
}

what_label_shares_count <- c(
  image = "every image counts once",
  post = "an image counts as often as posts show it",
  share = "an image counts as often as it was shared"
)

#' @rdname tidiers
#' @export
tidy.imagestrata_label_shares <- function(x, ...) {
  check_dots(...)
  # Packages that plot and tabulate tidied models expect the column `term`.
  term <- ifelse(is.na(x$label) | x$label == "1", x$code, paste0(x$code, ": ", x$label))
  tibble::add_column(plain_tibble(x), term = term, .before = 1)
}
