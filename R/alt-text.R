# Texts for readers who do not see a figure: labs(alt = ), which ggplot2::get_alt_text() returns.
# Every figure says what is drawn and of how many rows, then what a reader would see first.

# Sentences as one text; those that are NULL or empty are left out.
alt_text <- function(...) {
  said <- trimws(unlist(list(...)))
  said <- said[nzchar(said)]
  paste(sub("([^.!?])$", "\\1.", vapply(said, sentence, "")), collapse = " ")
}

# "The highest mean rating is 4.21 (proud, Democrat), the lowest 1.30 (bitter, Republican)".
alt_extremes <- function(what, values, names, show = two_digits) {
  known <- which(!is.na(values))
  if (length(known) == 0) {
    return(paste("No", what, "is known"))
  }
  high <- known[which.max(values[known])]
  low <- known[which.min(values[known])]
  one <- \(i) paste0(show(values[i]), if (nzchar(names[i])) paste0(" (", names[i], ")"))
  if (length(known) == 1) {
    return(paste("The", what, "is", one(high)))
  }
  paste0("The highest ", what, " is ", one(high), ", the lowest ", one(low))
}

# "3 of 13 intervals exclude zero: proud, hopeful and angry".
alt_beyond <- function(low, high, names, at = 0, called = "zero", most = 8) {
  known <- !is.na(low) & !is.na(high)
  if (!any(known)) {
    return(NULL)
  }
  beyond <- known & (low > at | high < at)
  paste0(
    sum(beyond), " of ", count_of(sum(known), "interval"), " exclude",
    if (sum(beyond) == 1) "s", " ", called, if (any(beyond)) ": ", list_of(names[beyond], most)
  )
}

# "a, b and c", "a, b and 7 more", "a, 1; b, 2 and c, 3"; nothing for no names.
list_of <- function(names, most = 8) {
  names <- as.character(names)
  comma <- if (any(grepl(", ", names, fixed = TRUE))) "; " else ", "
  if (length(names) > most) {
    first <- paste(utils::head(names, most), collapse = comma)
    return(paste(first, "and", length(names) - most, "more"))
  }
  if (length(names) < 2) {
    return(names)
  }
  paste(paste(utils::head(names, -1), collapse = comma), "and", utils::tail(names, 1))
}

# "cluster 5", or the name of a cluster that has one.
cluster_in_words <- function(labels) {
  sub("^(?:Cluster )?(?=[0-9]+$)", "cluster ", labels, perl = TRUE)
}

# "2,641 to 2,697 ratings", what every row of a figure rests on; NULL if it is not known.
range_of_counts <- function(n, word) {
  n <- n[!is.na(n)]
  if (length(n) > 0) {
    ends <- unique(range(n))
    least <- if (length(ends) == 2) paste(format(ends[1], big.mark = ","), "to ")
    paste0(least, count_of(ends[length(ends)], word))
  }
}

two_digits <- function(x) sprintf("%.2f", x)

# Readers compare panels, so a caption says if their axes differ.
own_axes <- function(scales, panels) {
  if (scales != "fixed" && length(unique(panels)) > 1) "Each panel has its own axis"
}

# Letters in a line of a caption: it fits one column of a journal in wide fonts, too.
caption_width <- 56

# Captions are as wide as one column of a journal: sentences, of which some may be NULL.
caption_text <- function(..., width = caption_width) {
  said <- unlist(list(...))
  if (length(said) > 0) {
    said <- paste0(vapply(said, sentence, ""), ".")
    paste(strwrap(paste(said, collapse = " "), width), collapse = "\n")
  }
}
