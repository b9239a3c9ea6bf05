# Results are tibbles of a class of their own, whose heading, tidy() and what goes to Python rest
# on some of their columns. Whatever way rows or these columns are changed, restore() decides: a
# result keeps its class as long as it still is what it says, else it is a plain tibble.

new_image_table <- function(data, class, ...) {
  tibble::new_tibble(data, nrow = nrow(data), ..., class = c(class, "imagestrata_table"))
}

plain_tibble <- function(x) {
  columns <- unclass(x)
  attributes(columns) <- list(names = names(x))
  tibble::new_tibble(columns, nrow = nrow(x))
}

# For each class: what it is called; the columns that it needs; those of them, or of others where
# there are any, whose values must be as they were made; and which rows may be left out: any
# ("some"), all rows of a cluster ("strata"), or none ("all").
table_rules <- list(
  imagestrata_images = list(
    what = "a scan", needs = c("image_id", "path", "status", "n_copies"), fixed = "image_id",
    rows = "some"
  ),
  imagestrata_embeddings = list(
    what = "embeddings", needs = c("image_id", "path"), fixed = "image_id", rows = "some"
  ),
  imagestrata_clustering = list(
    what = "a clustering",
    needs = c("image_id", "path", "cluster", "iteration", "silhouette", "distance", "n_copies"),
    fixed = c("image_id", "cluster", "iteration", "silhouette", "distance", "n_copies"),
    rows = "all"
  ),
  imagestrata_sample = list(
    what = "a sample", needs = c("image_id", "cluster", "N_h", "n_h", "weight_corpus"),
    fixed = c(
      "image_id", "cluster", "N_h", "n_h", "inclusion_probability", "weight_corpus",
      "weight_cluster", "weight_share"
    ),
    rows = "strata"
  ),
  imagestrata_ratings = list(
    what = "ratings", needs = c("respondent_id", "image_id", "item", "dimension", "rating"),
    fixed = c(
      "respondent_id", "image_id", "cluster", "N_h", "n_h", "inclusion_probability",
      "weight_corpus", "weight_cluster", "weight_share"
    ),
    rows = "some"
  ),
  imagestrata_estimates = list(
    what = "estimates", needs = c("item", "dimension", "estimate", "std.error"),
    fixed = c(
      "estimate", "std.error", "df", "statistic", "p.value", "p.adjusted", "conf.low",
      "conf.high", "weight", "variance", "adjust"
    ),
    rows = "some"
  ),
  imagestrata_sweep = list(
    what = "a sweep", needs = c("min_cluster_size", "n_clusters", "share_noise", "silhouette"),
    fixed = c("min_cluster_size", "n_clusters", "share_noise", "silhouette"), rows = "some"
  ),
  imagestrata_plan = list(
    what = "a plan",
    needs = c(
      "n_clusters", "images_per_cluster", "raters_per_group", "images_per_rater", "gap", "power"
    ),
    fixed = c(
      "n_clusters", "images_per_cluster", "raters_per_group", "images_per_rater", "gap", "power"
    ),
    rows = "some"
  )
)

# Labels and results of several tables hold what their other tables were made of: all of it.
rule_of <- function(old) {
  table_rules[[class(old)[[1]]]] %||% list(
    what = if (inherits(old, "imagestrata_labels")) "labels made by a rule" else "a result",
    needs = names(old), fixed = setdiff(names(old), "path"), rows = "all"
  )
}

# Why `new`, made from `old`, does not deserve its class; NULL if it does.
contradiction <- function(new, old, rule) {
  fixed <- intersect(rule$fixed, names(old))
  gone <- setdiff(c(rule$needs, fixed), names(new))
  if (length(gone) > 0) {
    return(format_text("the column{?s} {.var {gone}} {?is/are} gone"))
  }
  now <- plain_tibble(new)[fixed]
  made <- plain_tibble(old)[fixed]
  if (identical(now, made)) {
    return(NULL)
  }
  # Where the rows are the same ones, every cell can be compared; else only what occurs at all.
  same <- if (identical(now[[1]], made[[1]])) identical else all_from
  changed <- fixed[!vapply(fixed, \(name) same(now[name], made[name]), NA)]
  if (length(changed) > 0) {
    return(format_text("{.var {changed}} {?has/have} changed"))
  }
  missing_rows(now, made, rule$rows)
}

# What is wrong with rows whose single values are all as they were made.
missing_rows <- function(now, made, rows) {
  twice <- vctrs::vec_duplicate_any(now) && !vctrs::vec_duplicate_any(made)
  if (twice || nrow(now) > nrow(made) || !all_from(now, made)) {
    return("its rows are no longer those that it was made with")
  }
  whole <- switch(rows,
    some = TRUE,
    all = nrow(now) == nrow(made),
    strata = {
      sizes <- table(now$cluster)
      all(sizes == table(made$cluster)[names(sizes)])
    }
  )
  if (!whole) {
    format_text("it holds {format(nrow(now), big.mark = ',')} of
                 {format(nrow(made), big.mark = ',')} rows")
  }
}

# Whether every row of one table is, with its types, among those of another.
all_from <- function(rows, table) {
  identical(vctrs::vec_ptype(rows), vctrs::vec_ptype(table)) &&
    all(vctrs::vec_in(rows, table))
}

restore <- function(new, old, quiet = FALSE) {
  rule <- rule_of(old)
  reason <- contradiction(new, old, rule)
  if (is.null(reason)) {
    kept <- attributes(old)[setdiff(names(attributes(old)), c("names", "row.names"))]
    attributes(new) <- c(list(names = names(new), row.names = .set_row_names(nrow(new))), kept)
    return(new)
  }
  # Nobody takes counts and the like for the table that they were made from.
  if (!quiet && (rule$fixed[1] %in% names(new) || identical(dim(new), dim(old)))) {
    rlang::inform(
      c(
        paste0("This is now a plain tibble, no longer ", rule$what, ": ", reason, "."),
        i = "Verbs that need it take the table as it was made: keep that one."
      ),
      class = "imagestrata_plain"
    )
  }
  plain_tibble(new)
}

#' @export
`[.imagestrata_table` <- function(x, ...) {
  new <- NextMethod()
  if (is.data.frame(new)) restore(new, x) else new
}

#' @export
`[<-.imagestrata_table` <- function(x, ..., value) {
  restore(NextMethod(), x)
}

#' @export
`[[<-.imagestrata_table` <- function(x, ..., value) {
  restore(NextMethod(), x)
}

#' @export
`$<-.imagestrata_table` <- function(x, name, value) { # nolint: object_name_linter.
  restore(NextMethod(), x)
}

#' @export
`names<-.imagestrata_table` <- function(x, value) {
  restore(NextMethod(), x)
}

#' @export
rbind.imagestrata_table <- function(...) {
  tables <- list(...)
  plain <- lapply(tables, \(x) if (inherits(x, "imagestrata_table")) plain_tibble(x) else x)
  old <- Filter(\(x) inherits(x, "imagestrata_table"), tables)[[1]]
  restore(do.call(rbind, plain), old)
}

# Nobody takes the parts for the whole.
#' @export
split.imagestrata_table <- function(x, ...) {
  withCallingHandlers(NextMethod(), imagestrata_plain = rlang::cnd_muffle)
}

#' @importFrom dplyr dplyr_reconstruct
#' @export
dplyr_reconstruct.imagestrata_table <- function(data, template) {
  restore(data, template)
}

#' @rawNamespace S3method(vctrs::vec_restore, imagestrata_table)
vec_restore.imagestrata_table <- function(x, to, ...) { # nolint: object_name_linter.
  # dplyr_reconstruct() comes later, and speaks.
  restore(vctrs::new_data_frame(x, n = vctrs::vec_size(x)), to, quiet = TRUE)
}

#' @importFrom tibble as_tibble
#' @export
as_tibble.imagestrata_table <- function(x, ...) {
  plain_tibble(x)
}

count_of <- function(n, word) {
  paste(format(n, big.mark = ",", trim = TRUE), if (n == 1) word else paste0(word, "s"))
}

percent <- function(share) {
  sprintf("%.1f%%", 100 * share)
}

# Seconds as people say them.
duration <- function(seconds) {
  if (seconds < 60) {
    sprintf("%.1f s", seconds)
  } else if (seconds < 3600) {
    sprintf("%.0f min", seconds / 60)
  } else {
    sprintf("%.1f h", seconds / 3600)
  }
}
