#' Merge and split clusters as judged pairs suggest
#'
#' Images of each cluster are divided into small groups of similar images. Judged pairs teach which
#' groups belong together: across the border of two groups, and, by a model of all pairs, across
#' similar borders. Groups of one cluster that belong apart are split, and clusters that belong
#' together are merged. Every change is an edit in the ledger, which you can undo with
#' [edit_clusters()].
#'
#' @details **Groups.** Images are compared by the leading principal components of their vectors,
#' scaled by the covariance within clusters. Average linkage joins the images of each cluster, and
#' the clusters, in a tree. Joins of fewer than `smallest` images with others are dissolved. What
#' remains are groups and the joins between them.
#'
#' **What pairs teach.** The share of the pairs across each join that belong together has a beta
#' prior worth two pairs. Its mean comes from a logistic regression on all judged pairs: on the
#' height of the join, its step from the joins below, the size of its smaller side, whether it is
#' inside a cluster, and the cluster, with a ridge penalty. The judged pairs across the join give
#' the posterior, with `error_rate`. The clusters are the cut of the tree with the largest expected
#' B-cubed F, where each share is moved by half a standard deviation towards what the clusters are
#' now.
#'
#' **Divisions.** Pairs inside each of these parts divide it in two: by the logistic function of its
#' vectors, with a ridge penalty, that makes the judgements most probable, where two images belong
#' together if they are on the same side. A part is divided if B-cubed precision is expected to gain
#' more than recall loses, and so are its sides.
#'
#' **When edits are made.** Each fold of pairs is held out in turn, and the other pairs, without
#' those that have an image in common with it, make edits. The cut of the tree is only made from all
#' pairs if the held-out judgements that it reverses agree with it, by more than one standard error
#' of the difference; otherwise the evidence must exceed what is needed by one and then two standard
#' deviations, and then the clusters stay as they are. Divisions are added if held-out judgements
#' agree more with them than with that, by more than two standard errors; a cluster then stays whole
#' unless more than two held-out pairs in it agree with its parts for each one that does not.
#'
#' **Scores.** They are those of the whole procedure: within each fold this choice is made without
#' the pairs of the fold. No pair is scored by edits that it, or a pair with one of its images, has
#' taught. The clustering that you receive learns from all pairs, somewhat more than those that are
#' scored. Intervals of the difference are from 1,000 bootstrap samples of the pairs within strata;
#' they are missing if no scored pair changes.
#'
#' @param clustering A clustering, from [cluster_images()]. It does not change: the improved
#'   clustering is in the result.
#' @param pairs Judged pairs, with one `judgement` each, from 0 to 2: results of [read_pairs()] or
#'   [consensus()], which makes one of several judgements of a pair. Best are pairs of
#'   [propose_pairs()], together with some of [sample_pairs()] for the scores
#'   ([dplyr::bind_rows()]).
#' @param embeddings The vectors of the images, from [embed_images()], or a matrix. They are not
#'   needed if the clustering is in a run folder with its vectors.
#' @param smallest Smallest number of images of a group, and so of a cluster that a split makes.
#' @param folds Number of folds of the cross-validation.
#' @param weighted Are scores weighted by the `probability` of pairs? By default they are, if there
#'   is such a column, and pairs without a probability do not count in the scores.
#' @param same_from The lowest judgement that means "these belong together".
#' @param error_rate Share of the judgements that are expected to be wrong when they teach: the
#'   larger, the more pairs an edit needs. Scores take judgements as they are.
#' @param missing Treatment of pairs with an image that is not in the clustering: `"error"` or
#'   `"drop"`.
#' @param conf_level Confidence level of the intervals of scores.
#' @param editor Who made the edits, for the ledger.
#' @param seed Seed of the folds and of the draws of intervals.
#' @param out Run folder with the clustering, in which the edits are stored as by [edit_clusters()].
#' @param overwrite Replace other edits in `out`?
#' @inheritParams scan_images
#'
#' @returns A list with the improved `clustering`, which is the given one if no edit helps.
#'   [tidy()][tidiers] returns the scores on held-out pairs: `measure` (precision, recall, f1,
#'   mean_pr), `weighting` (`"design"` or `"none"`), `clustering` (`"before"`, `"after"` or
#'   `"difference"`), `estimate`, `conf.low`, `conf.high` and `n_pairs`. `tidy(x, "edits")` returns
#'   the new edits; `note` says how many judged pairs support each. [glance()][tidiers] returns one
#'   row: `n_pairs` (judged pairs that teach), `n_missing` (pairs with an image that is not in the
#'   clustering), `n_residual` (pairs with an image of the residual, which do not teach),
#'   `n_merges`, `n_splits`, `n_clusters_before`, `n_clusters`, `n_reversed` (held-out pairs that
#'   the edits put together or apart, and the clustering did not), `n_agreed` (those on which the
#'   judges agree with the edits), `caution` (standard deviations by which the evidence had to
#'   exceed what an edit needs; missing without edits).
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' # Two kinds of images in one cluster, and one kind in another
#' vectors <- diag(3)[rep(1:3, each = 10), ]
#' topics <- as_clustering(vectors, rep(c(1, 1, 2), each = 10))
#' kind <- setNames(rep(1:3, each = 10), topics$image_id)
#' judge <- function(pairs) { # as people might
#'   pairs$judgement <- as.integer(kind[pairs$image_a] == kind[pairs$image_b])
#'   pairs
#' }
#' sampled <- judge(sample_pairs(vectors, n = 20, k = 3))
#' proposed <- judge(propose_pairs(topics, sampled, vectors, n = 40))
#' improved <- improve_clusters(topics, dplyr::bind_rows(sampled, proposed), vectors)
#' improved
#' tidy(improved$clustering)
improve_clusters <- function(clustering,
                             pairs,
                             embeddings = NULL,
                             smallest = 5,
                             folds = 5,
                             weighted = NULL,
                             same_from = 1,
                             error_rate = 0.05,
                             missing = "error",
                             conf_level = 0.95,
                             editor = NULL,
                             seed = 0,
                             out = NULL,
                             overwrite = FALSE,
                             ...) {
  sent <- call_verb(
    "improve_clusters",
    pairs = encode_table(check_data_frame(pairs, "pairs", made_by = "read_pairs"))
  )
  made <- sent[["clustering"]]
  improved <- if (is.null(made)) {
    clustering
  } else {
    new_clustering(made, out, source = out %||% attr(clustering, "source"))
  }
  new_object(
    list(clustering = improved),
    "imagestrata_improvement",
    tables = lapply(sent[["tables"]][c("scores", "edits", "summary")], decode_result),
    settings = sent[["settings"]]
  )
}

#' @export
print.imagestrata_improvement <- function(x, ...) {
  row <- glance(x)
  judged <- count_of(row$n_pairs, "judged pair")
  said <- if (row$n_merges + row$n_splits == 0) {
    paste0("No edit: ", judged, " do not show that one helps.")
  } else {
    paste0(
      count_of(row$n_merges, "merge"), " and ", count_of(row$n_splits, "split"), " from ", judged,
      ": ", count_of(row$n_clusters_before, "cluster"), " before, ", row$n_clusters, " after."
    )
  }
  held <- paste0(
    "Held-out pairs that the edits decide otherwise: ", row$n_reversed,
    ". Judges agree with the edits on ", row$n_agreed, " of them."
  )
  write_heading(c(said, held))
  scores <- tidy(x)
  print(scores[scores$measure %in% c("precision", "recall", "f1"), names(scores) != "n_pairs"])
  if (row$n_merges + row$n_splits > 0) {
    edits <- tidy(x, "edits")
    writeLines("# The edits, of which improved$clustering is the result:")
    print(edits[!duplicated(edits$edit), c("edit", "action", "clusters", "note")])
  }
  invisible(x)
}
