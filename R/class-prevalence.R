# The class of results of topic_prevalence(), topic_gaps() and topic_odds(): a tibble with a summary
# of its posts.

# All columns but those of `by`.
prevalence_columns <- c(
  "cluster", "cluster_name", "theme", "theme_name", "term", "contrast", "estimate", "std.error",
  "std.error.adjusted", "df", "statistic", "p.value", "p.adjusted", "conf.low", "conf.high",
  "share", "share_other", "n_shown", "n_posts", "n_images", "n_authors", "unit", "adjust"
)

new_prevalence <- function(data, kind, design, options) {
  posts <- tibble::tibble(
    n_posts = design$n_posts, n_authors = design$n_authors, n_topics = nrow(design$topics),
    n_groups = nrow(design$cells), n_unknown = design$n_unknown, n_partly = design$n_partly,
    n_left_out = design$n_left_out, n_repeated = design$n_repeated
  )
  new_object(
    data, "imagestrata_prevalence",
    tables = list(summary = dplyr::bind_cols(posts, tibble::as_tibble(options))),
    kind = kind, by = design$by
  )
}

#' @export
tbl_sum.imagestrata_prevalence <- function(x, ...) {
  posts <- glance(x)
  kind <- attr(x, "kind")
  heading <- paste0(
    count_of(posts$n_topics, posts$level), " in ", count_of(posts$n_posts, "post"), " by ",
    count_of(posts$n_authors, "author"), "; ", if (kind == "odds") "log odds" else "shares", " of ",
    posts$unit, "s; ", 100 * posts$conf_level, "% intervals, clustered on authors"
  )
  rlang::set_names(heading, sentence(kind))
}

#' @rdname tidiers
#' @export
tidy.imagestrata_prevalence <- function(x, ...) {
  check_dots(...)
  # Packages that plot and tabulate tidied models expect the column `term`.
  level <- glance(x)$level
  name <- x[[paste0(level, "_name")]]
  number <- ifelse(x[[level]] == -1, "residual", paste(level, x[[level]]))
  tibble::add_column(plain_tibble(x), term = dplyr::coalesce(name, number), .before = 1)
}
