# Results of several tables, of which one is the tibble itself.

# What Python needs to make of it again what it was.
send_result <- function(x) {
  list(
    kind = "tuning",
    tables = lapply(attr(x, "tables"), encode_result),
    settings = to_json(attr(x, "settings"))
  )
}

#' @export
tbl_sum.imagestrata_tuning <- function(x, ...) {
  line <- glance(x)
  c(
    "Tuning" = paste0(
      count_of(line$n_candidates, "clustering"), " and ", count_of(line$n_baselines, "baseline"),
      ", ", count_of(line$n_pairs, "pair"),
      c(design = ", weighted", none = ", unweighted")[[line$weighting]],
      if (line$n_missing > 0) paste0(" (", line$n_missing, " with missing images left out)")
    ),
    "Best" = sprintf(
      "candidate %d, %s, %d clusters: %s %.3f (%.3f on pairs that had no say)",
      line$candidate, line$encoder, line$n_clusters, line$measure, line$estimate, line$heldout
    )
  )
}

#' @export
tbl_sum.imagestrata_stability <- function(x, ...) {
  line <- glance(x)
  c(
    "Stability" = paste(count_of(length(unique(tidy(x)$cluster)), "cluster"), "refitted"),
    rlang::set_names(
      sprintf(
        "%d refits, adjusted Rand %.2f; %s of the clusters stable, %s dissolved",
        line$n_refits, line$adjusted_rand, percent(line$share_stable),
        percent(line$share_dissolved)
      ),
      c(seed = "Other seeds", subsample = "Subsamples")[line$kind]
    )
  )
}

#' @export
tbl_sum.imagestrata_comparison <- function(x, ...) {
  lines <- glance(x)
  c(
    "Comparison" = paste0(
      count_of(nrow(lines), "clustering"), " of ", count_of(lines$n_images[[1]], "image"),
      if (from_json(attr(x, "settings"))$residual == "drop") ", the residual left out"
    ),
    "Clusters" = paste(lines$clustering, lines$n_clusters, collapse = ", ")
  )
}

#' @export
tbl_sum.imagestrata_cluster_test <- function(x, ...) {
  line <- glance(x)
  matching <- is_matching(x)
  share <- if (matching) line$accuracy else line$share_found
  test <- paste0(
    count_of(line$n_sets, "set"), ", ", count_of(line$n_annotators, "annotator"),
    if (!is.na(line$kappa)) sprintf(", kappa %.2f", line$kappa)
  )
  found <- sprintf(
    "%s (%s to %s; by chance %s)",
    percent(share), percent(line$conf.low), percent(line$conf.high), percent(line$chance)
  )
  if (matching) {
    c("Matching test" = test, "Matched" = found)
  } else {
    c("Intruder test" = test, "Found" = found)
  }
}

# Whether people matched descriptions, or looked for intruders.
is_matching <- function(x) "accuracy" %in% names(glance(x))
