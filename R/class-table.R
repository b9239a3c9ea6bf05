# Verbs return a tibble (fine_tune(): a list) with its own class. Its further tables (`tables`;
# "summary" is the one row of glance()), settings and folder are attributes. The heading, tidy() and
# the verbs of Python rely on some of its columns. If rows or these columns change, restore()
# decides: a result keeps its class as long as it is consistent, else it becomes a plain tibble.

new_object <- function(data, class, ...) {
  class <- c(class, "imagestrata_result")
  if (!is.data.frame(data)) {
    return(structure(data, ..., class = class))
  }
  tibble::new_tibble(data, nrow = nrow(data), ..., class = class)
}

# Makes a result from what the core sends; `main` names the table that is the tibble itself.
new_result <- function(sent, class, main, ...) {
  tables <- lapply(sent[["tables"]], decode_result)
  new_object(tables[[main]], class, tables = tables, settings = sent[["settings"]], ...)
}

#' Results as tables
#'
#' `glance()` returns a summary in one row, `tidy()` a table of the parts of a result, such as
#' clusters, and `augment()` a table of its images.
#'
#' @param x The result of a verb: [scan_images()], [embed_images()], [cluster_images()],
#'   [fine_tune()], [rating_means()], or one that returns several tables, such as [tune_clusters()],
#'   [cluster_stability()] and [read_test()].
#' @param table The name of a table. For a clustering: `"clusters"`, one row per cluster (the
#'   default), `"trace"`, one row per iteration, or `"searches"`, the search for the number of
#'   clusters, one row per iteration and number tried. For a model: `"history"`, the course of
#'   training (the default); `"scores"`, the scores of the kept epoch; or `"confusion"`, the
#'   confusion matrices. For a result of several tables see the help page of its verb; the default
#'   is the first.
#' @param data A data frame with a column `image_id`, `path` or `file`, to which the columns of the
#'   clustering are joined; by default the images as they are. Names are matched as ids, then as
#'   paths, then as the end of exactly one path. In a scan, from [scan_images()], every file gets a
#'   cluster: a copy gets the cluster of the image that is kept in its place. A warning lists rows
#'   about images that are not in the clustering. If a column of yours has the name of a column of
#'   the clustering, `_given` is added to its name, with a warning.
#' @param ... Not used.
#'
#' @returns A tibble:
#'
#' - `glance()` of a clustering: `n_images`, `n_clusters`, `n_residual`, `n_iterations`,
#'   `mean_silhouette`, `method`, `encoder`, `seed`, `n_added`, the images that joined later.
#' - `tidy()` of a clustering: `cluster`, `size`, `share`, `silhouette`, `iteration`, `n_added`,
#'   the images among them that joined later and that the silhouette leaves out; or the trace with
#'   `iteration`, `n_remaining`, `k`, `n_cohesive`, `mean_size`, `seconds`; or the searches with
#'   `iteration`, `k`, `fit` (larger is better, so that inertia and Davies-Bouldin are negated),
#'   `kept` and `criterion` (the `k_criterion`; `"silhouette"` where few groups were found before
#'   the iterations). No rows if the number was given. After `recluster = TRUE`, `"renumbered"` has
#'   the overlaps with the clusters before: `cluster_before`, `cluster` (-1 is the residual),
#'   `n_shared` (images in both), `share_before` and `share` (`n_shared` as a share of either),
#'   `jaccard` (of all images in either), `carried` (the number was carried over). After
#'   [edit_clusters()], `"edits"` is the ledger; after [propose_names()], `"proposals"` has the
#'   names that nobody has accepted yet: `cluster`, `proposal`, `editor`. After [group_clusters()],
#'   `"themes"` has the themes: `theme`, `theme_name`, `n_clusters`, `size`, `share`, `clusters`
#'   (their numbers); and `"tree"` the tree over the clusters, one row per merge, the nearest
#'   first: `merge` (its number), `left` and `right` (what it joins: minus the number of a cluster,
#'   or the number of an earlier merge), `height` (the mean distance between the clusters on both
#'   sides), `n_clusters`.
#' - `augment()` of a clustering: `image_id`, `path`, `file`, `cluster` (1 is the largest, -1 the
#'   residual), `iteration`, `silhouette`, `distance`, `n_copies`, `second_cluster` (of the other
#'   clusters, the one with the nearest centroid), `margin`, `added` (the image joined the clusters
#'   later), `wave` (1, and 2, 3, ... for images that joined later), and columns of your own. The
#'   margin says how clearly an image belongs to its cluster: (d2 - d1) / max(d1, d2), with the
#'   distances d1 to the centroid of its cluster and d2 to that of the second one. It is 1 at the
#'   centroid of its cluster, 0 at equal distance from both, below 0 (at least -1) if the other one
#'   is nearer, and missing for the residual. Run folders of older versions have neither column.
#' - `glance()` of a scan: `n_files`, `n_images`, `n_duplicates`, `n_rejected`.
#' - `tidy()` of a scan: the number `n` of files with each `status` and `reason`.
#' - `glance()` of embeddings: `n_images`, `width`, `encoder`, `n_failures`.
#' - `tidy()` of embeddings: `image_id`, `path` and `reason` of each image that failed.
#' - `glance()` of a model: `task`, `encoder`, `n_labels`, `n_train`, `n_val`, `n_test`, `epochs`,
#'   `best_epoch`, and accuracy and F1 of the validation and test images. With folds: `task`,
#'   `encoder`, `n_labels`, `n_folds`, `n_images`, `epochs`, and accuracy and F1 out of fold.
#' - `tidy()` of a model: `epoch`, `split` (`"train"`, `"val"`), `loss`, `accuracy`, `precision`,
#'   `recall`, `f1`. Those of `"train"` were measured during the epoch, on augmented images. With
#'   folds, `fold` is the one that the network leaves out.
#' - `tidy(x, "scores")` of a model: `split`, `label` (`"(all)"` for all labels together),
#'   `measure`, `estimate`, `conf.low` and `conf.high` (95%), and `n`, the number of decisions that
#'   the estimate is based on. For `"(all)"`, accuracy is the share of correct decisions; the others
#'   are means over labels, in which an undefined precision (the model never chose the label) or
#'   recall (no image has the label) counts as 0. Intervals are Wilson's; that of F1 is transformed
#'   from the interval of the Jaccard coefficient; that of `"(all)"` treats the decisions about one
#'   image as a unit.
#' - `tidy(x, "folds")` of a model with folds: `label`, `measure`, and its `mean`, `lowest` and
#'   `highest` value over the folds in which it is defined, of which there are `n_folds`.
#' - `tidy(x, "confusion")` of a model: `split`, `label`, `truth`, `decision`, `n`.
#' - `augment()` of a model: `image_id`, `path`, `split`, `label`, `truth`, `probability`,
#'   `decision` for all images with labels, one row per image and label. With folds, `split` is
#'   `"fold"`, and the prediction is that of the network that left out `fold`.
#' - `tidy()` of [rating_means()], [rating_gaps()], [topic_prevalence()], [topic_gaps()] and
#'   [label_shares()]: the table, with the item, dimension or topic as first column `term`, which
#'   packages that plot and tabulate models expect.
#' - `tidy()` of labels ([label_ratings()], [consensus()]): the counts of the rule that made
#'   them.
#'
#' @examples
#' topics <- demo_topics()
#' glance(topics)
#' tidy(topics)
#' tidy(topics, "trace")
#' augment(topics)
#'
#' fit <- demo_model()
#' tidy(fit, "scores")
#' augment(fit) |> dplyr::filter(split == "test", truth != decision)
#' @name tidiers
NULL

#' @rdname tidiers
#' @export
tidy.imagestrata_result <- function(x, table = NULL, ...) {
  check_dots(...)
  tables <- attr(x, "tables")
  if (is.null(table)) {
    return(tables[setdiff(names(tables), "summary")][1][[1]] %||% plain_tibble(x))
  }
  tables[[rlang::arg_match0(table, names(tables))]]
}

#' @rdname tidiers
#' @export
glance.imagestrata_result <- function(x, ...) {
  check_dots(...)
  attr(x, "tables")[["summary"]] %||%
    abort_imagestrata("{.fn glance} has no row for {what_is(x)}.", hint = "See {.fn summary}.")
}

plain_tibble <- function(x) {
  columns <- unclass(x)
  attributes(columns) <- list(names = names(x))
  tibble::new_tibble(plain_numbers(columns), nrow = nrow(x))
}

# Columns of 64-bit integers, as other packages read them, as ordinary numbers: functions that do
# not know them take their bits for very small numbers. Columns with a number that would lose digits
# stay. Columns of haven lose their labels, with which one cannot calculate.
plain_numbers <- function(columns) {
  labelled <- vapply(columns, inherits, NA, "haven_labelled")
  columns[labelled] <- lapply(columns[labelled], vctrs::vec_data)
  wide <- vapply(columns, inherits, NA, "integer64")
  columns[wide] <- lapply(columns[wide], function(x) {
    number <- wide_numbers(x)
    if (any(abs(number) >= 2^53, na.rm = TRUE)) x else number
  })
  columns
}

# The value of each 64-bit integer: two halves of 32 bits, of which R reads the lowest as missing.
wide_numbers <- function(x) {
  bytes <- writeBin(as.vector(unclass(x)), raw(), endian = "little")
  halves <- readBin(bytes, "integer", 2 * length(x), endian = "little")
  halves <- matrix(as.double(halves), 2)
  low <- ifelse(is.na(halves[1, ]), 2^31, halves[1, ] %% 2^32)
  high <- halves[2, ]
  high * 2^32 + low
}

# Columns about the sampling of images, in samples and in ratings.
sample_columns <- c(
  "cluster", "stratum", "N_h", "n_h", "weight_corpus", "weight_cluster", "weight_share"
)

# For each class: the columns that it needs; the columns whose values must not change (`fixed`); and
# the rows that may be left out: any ("some"), all rows of a cluster ("strata"), or none ("all").
table_rules <- list(
  imagestrata_images = list(
    needs = c("image_id", "path", "status", "n_copies"), fixed = "image_id", rows = "some"
  ),
  imagestrata_embeddings = list(
    needs = c("image_id", "path"), fixed = "image_id", rows = "some"
  ),
  imagestrata_clustering = list(
    needs = c("image_id", "path", "cluster", "iteration", "silhouette", "distance", "n_copies"),
    fixed = c(
      "image_id", "cluster", "iteration", "silhouette", "distance", "n_copies", "second_cluster",
      "margin", "added", "wave"
    ),
    rows = "all"
  ),
  imagestrata_sample = list(
    needs = c("image_id", "cluster", "N_h", "n_h", "weight_corpus"),
    fixed = c("image_id", "inclusion_probability", sample_columns), rows = "strata"
  ),
  imagestrata_ratings = list(
    needs = c("respondent_id", "image_id", "item", "dimension", "rating"),
    fixed = c("respondent_id", "image_id", "inclusion_probability", sample_columns), rows = "some"
  ),
  imagestrata_estimates = list(
    needs = c("item", "dimension", "estimate", "std.error"),
    fixed = c(
      "estimate", "std.error", "df", "statistic", "p.value", "p.adjusted", "conf.low",
      "conf.high", "weight", "variance", "adjust"
    ),
    rows = "some"
  ),
  imagestrata_prevalence = list(
    needs = c("estimate", "std.error", "conf.low", "conf.high", "unit"),
    fixed = c(
      "cluster", "theme", "estimate", "std.error", "std.error.adjusted", "df", "statistic",
      "p.value", "p.adjusted", "conf.low", "conf.high", "n_posts", "n_authors", "unit", "adjust"
    ),
    rows = "some"
  ),
  imagestrata_label_shares = list(
    needs = c("code", "label", "method", "estimate", "std.error", "conf.low", "conf.high"),
    fixed = c(
      "code", "label", "method", "estimate", "std.error", "df", "conf.low", "conf.high",
      "n_labelled", "n_predicted", "lambda"
    ),
    rows = "some"
  ),
  imagestrata_label_plan = list(
    needs = c("cluster", "N_h", "n_h", "n_labelled", "sd", "n_next"), rows = "some"
  ),
  imagestrata_share_model = list(
    needs = c("outcome", "term", "estimate", "std.error", "df", "conf.low", "conf.high"),
    rows = "some"
  ),
  imagestrata_label_model = list(
    needs = c("term", "method", "estimate", "std.error", "df", "conf.low", "conf.high"),
    rows = "some"
  ),
  imagestrata_label_scores = list(
    needs = c("code", "label", "measure", "estimate", "conf.low", "conf.high", "n"),
    fixed = c(
      "code", "label", "measure", "estimate", "std.error", "conf.low", "conf.high", "n"
    ),
    rows = "some"
  ),
  imagestrata_sweep = list(
    needs = c("n_clusters", "silhouette"), rows = "some"
  ),
  imagestrata_plan = list(
    needs = c(
      "n_clusters", "images_per_cluster", "raters_per_group", "images_per_rater", "gap", "power"
    ),
    rows = "some"
  )
)

# Labels, and results of several tables, must stay complete: their other tables are made from them.
rule_of <- function(old) {
  rule <- table_rules[[class(old)[[1]]]] %||%
    list(needs = names(old), fixed = setdiff(names(old), "path"), rows = "all")
  rule$fixed <- rule$fixed %||% rule$needs
  rule
}

# The reason why `new`, made from `old`, loses the class; NULL if it keeps it.
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
  # If the rows are the same, every cell is compared; else only whether its value occurs.
  same <- if (identical(now[[1]], made[[1]])) identical else all_from
  changed <- fixed[!vapply(fixed, \(name) same(now[name], made[name]), NA)]
  if (length(changed) > 0) {
    return(format_text("{.var {changed}} {?has/have} changed"))
  }
  missing_rows(now, made, rule$rows)
}

# The reason why a table with unchanged values loses its class: rows are missing or repeated.
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

# TRUE if every row of one table occurs in another, with the same types.
all_from <- function(rows, table) {
  identical(vctrs::vec_ptype(rows), vctrs::vec_ptype(table)) &&
    all(vctrs::vec_in(rows, table))
}

restore <- function(new, old, quiet = FALSE) {
  if (!is.data.frame(old)) {
    return(new)
  }
  rule <- rule_of(old)
  reason <- contradiction(new, old, rule)
  if (is.null(reason)) {
    kept <- attributes(old)[setdiff(names(attributes(old)), c("names", "row.names"))]
    attributes(new) <- c(list(names = names(new), row.names = .set_row_names(nrow(new))), kept)
    return(new)
  }
  # No message for tables that nobody would confuse with a result, such as counts.
  if (!quiet && (rule$fixed[1] %in% names(new) || identical(dim(new), dim(old)))) {
    rlang::inform(
      c(
        paste0("This is now a plain tibble, no longer ", what_is(old), ": ", reason, "."),
        i = "Verbs that need it take only the original table: keep that one."
      ),
      class = "imagestrata_plain"
    )
  }
  plain_tibble(new)
}

#' @export
`[.imagestrata_result` <- function(x, ...) {
  new <- NextMethod()
  if (is.data.frame(new)) restore(new, x) else new
}

#' @export
`[<-.imagestrata_result` <- function(x, ..., value) {
  restore(NextMethod(), x)
}

#' @export
`[[<-.imagestrata_result` <- function(x, ..., value) {
  restore(NextMethod(), x)
}

#' @export
`$<-.imagestrata_result` <- function(x, name, value) { # nolint: object_name_linter.
  restore(NextMethod(), x)
}

#' @export
`names<-.imagestrata_result` <- function(x, value) {
  restore(NextMethod(), x)
}

#' @export
rbind.imagestrata_result <- function(...) {
  tables <- list(...)
  plain <- lapply(tables, \(x) if (inherits(x, "imagestrata_result")) plain_tibble(x) else x)
  old <- Filter(\(x) inherits(x, "imagestrata_result"), tables)[[1]]
  restore(do.call(rbind, plain), old)
}

# No message: nobody would confuse the parts with the whole.
#' @export
split.imagestrata_result <- function(x, ...) {
  withCallingHandlers(NextMethod(), imagestrata_plain = rlang::cnd_muffle)
}

#' @importFrom dplyr dplyr_reconstruct
#' @export
dplyr_reconstruct.imagestrata_result <- function(data, template) {
  restore(data, template)
}

#' @rawNamespace S3method(vctrs::vec_restore, imagestrata_result)
vec_restore.imagestrata_result <- function(x, to, ...) { # nolint: object_name_linter.
  # dplyr_reconstruct() is called later and gives the message.
  restore(vctrs::new_data_frame(x, n = vctrs::vec_size(x)), to, quiet = TRUE)
}

#' @importFrom tibble as_tibble
#' @export
as_tibble.imagestrata_result <- function(x, ...) {
  plain_tibble(x)
}
