#' Name, merge, split and drop clusters, and move images
#'
#' Every edit is recorded in a ledger, which is part of the result: `tidy(topics, "edits")`. The
#' ledger can be stored as CSV, applied again, shortened to undo edits, and applied to clusters that
#' were found anew.
#'
#' @param clustering A clustering, from [cluster_images()]. It does not change: the edited
#'   clustering is returned.
#' @param embeddings The vectors of its images, from [embed_images()], or a matrix. They are not
#'   needed for names, nor if the clustering is in a run folder with its vectors.
#' @param names Names of clusters by number: `c("7" = "Protest")`. An empty text removes a name.
#' @param accept `TRUE` gives clusters the names that [propose_names()] proposed; or the numbers of
#'   those that get them.
#' @param merge Groups of clusters, each of which becomes one with the smallest number among them:
#'   `c(3, 7)` or `list(c(3, 7), c(4, 9))`. The names of a list are those of the merged clusters;
#'   otherwise the name is that of the smallest number that has one.
#' @param split By the number of a cluster, into how many parts k-means splits it (`c("7" = 2)`), or
#'   the images that become a cluster of their own (`list("7" = c("a.jpg", "b.jpg"))`); a list of
#'   several such vectors gives several parts. All parts get new numbers after the highest one, the
#'   largest part first: the number of the split cluster is not used again.
#' @param move Images (`image_id`, path or file) by the cluster to which they move:
#'   `list("7" = c("a.jpg", "b.jpg"))`. -1 is the residual, and `new` a new cluster.
#' @param drop Clusters (numbers) or images (texts) that move to the residual (-1); a list may
#'   contain both.
#' @param edits A ledger whose edits are applied first: a CSV file, a data frame such as
#'   `tidy(topics, "edits")`, or the edited clustering itself.
#' @param note A note on the edits of this call, for the ledger. Notes in `edits` stay.
#' @param editor The person who makes them, for the ledger. Editors in `edits` stay.
#' @param seed Seed of the k-means of `split`.
#' @param out Run folder with the clustering. The edits are stored there, the ledger as
#'   `edits.csv`, and [read_clustering()] then returns the edited clusters. Further edits need no
#'   `overwrite`. The clusters that were found stay in the folder.
#' @param overwrite Replace the edits in `out` by others, such as fewer ones? The earlier ledger
#'   moves to `replaced/`.
#' @inheritParams scan_images
#'
#' @details
#' **Order.** A call applies its arguments in this order: the ledger, then names, merge, split, move
#' and drop. Every number means the cluster that has it at that moment. A number never means two
#' clusters: new ones follow the highest number ever given.
#'
#' **Statistics.** If an edit moves images between clusters, the silhouettes of all images are
#' computed anew from the vectors, scaled as for the clustering, against all other clusters, as
#' [as_clustering()] does. Silhouettes of the iterative method are measured in each iteration
#' against the images that remained, and after the neighbourhood step in its space: they are
#' therefore not comparable with those of the edited clusters. Names alone change no number.
#'
#' **Themes.** If the clusters were grouped by [group_clusters()], the themes follow: if images
#' move, each cluster is in the theme of most of the images that had one, and a warning lists the
#' clusters whose images had several themes or none. The tree over the clusters is removed.
#'
#' **Ledger.** One row per edit, or per image of an edit: `edit` (number, in order), `action` (name,
#' merge, split, move, drop), `clusters` (numbers, separated by spaces; the target of "move"),
#' `image_id`, `into` (the cluster that results from the row), `name`, `note`, `editor`, `applied`,
#' `reason`. Splits are stored by their images, so that a replay depends neither on vectors nor on
#' k-means. In a table of your own, `action` and `clusters` are enough; rows with the same number in
#' `edit` are one edit.
#'
#' **Replay and undo.** The ledger makes the same clusters of the same clustering. To undo edits,
#' give fewer rows to the clustering before all edits. If a clustering was edited by the first edits
#' of the ledger, only the others are applied.
#'
#' **Replay on new clusters.** After `cluster_images(recluster = TRUE)`, a number that no cluster
#' has any longer means the cluster that has at least half of its images. For any other clustering
#' of the same images, give the edited clustering as `edits`: each number then means the cluster
#' with at least half of the images of the cluster that had it. Edits that no longer apply stay in
#' the ledger with `applied = FALSE` and the reason, and a warning lists them.
#'
#' @returns A clustering as [cluster_images()] returns it. Images and clusters have a column
#'   `cluster_name`, missing for clusters without a name; images have `cluster_found`, the number
#'   before all edits.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' vectors <- diag(3)[c(1, 1, 2, 2, 3, 3), ]
#' found <- as_clustering(vectors, c(1, 1, 2, 2, 3, 3))
#' topics <- edit_clusters(found, vectors, names = c("3" = "Dogs"), merge = list(Cats = c(1, 2)))
#' tidy(topics)
#' tidy(topics, "edits")
edit_clusters <- function(clustering,
                          embeddings = NULL,
                          names = NULL,
                          accept = FALSE,
                          merge = NULL,
                          split = NULL,
                          move = NULL,
                          drop = NULL,
                          edits = NULL,
                          note = NULL,
                          editor = NULL,
                          seed = 0,
                          out = NULL,
                          overwrite = FALSE,
                          ...) {
  sent <- call_verb(
    "edit_clusters",
    names = send_by_cluster(names, "names", scalars = TRUE),
    accept = if (rlang::is_bool(accept)) accept else check_clusters(accept, "accept"),
    merge = send_merge(merge),
    split = send_by_cluster(split, "split"),
    move = send_by_cluster(move, "move"),
    drop = if (!is.null(drop)) {
      send_json(unname(lapply(as.list(drop), jsonlite::unbox)), digits = NA)
    },
    edits = if (inherits(edits, "imagestrata_clustering")) {
      send_clustering(edits)
    } else if (!is.null(edits)) {
      send_table_or_file(edits, "edits", "edit_clusters")
    }
  )
  new_clustering(sent, out, source = out %||% attr(clustering, "source"))
}

# A named vector or list by number of cluster. Numbers, and texts if `scalars`, are single values.
send_by_cluster <- function(x, name, scalars = FALSE, what = "clusters",
                            call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (!rlang::is_named(x) || !is.atomic(x) && !is.list(x)) {
    abort_imagestrata(
      "{.arg {name}} must be a vector or list whose names are numbers of {what}, not {seen(x)}.",
      hint = "For instance {.code list(\"7\" = ...)}.",
      call = call
    )
  }
  values <- lapply(as.list(x), \(one) {
    single <- length(one) == 1 && is.atomic(one) && (scalars || is.numeric(one))
    if (single) jsonlite::unbox(unname(one)) else unname(one)
  })
  send_json(values, digits = NA)
}

send_merge <- function(x, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  groups <- if (is.list(x)) x else list(unname(x))
  if (length(groups) == 0 || !all(vapply(groups, is.numeric, NA)) ||
    !is.null(names(groups)) && !rlang::is_named(groups)) {
    abort_imagestrata(
      "{.arg merge} must be numbers of clusters, or a list of such groups, not {seen(x)}.",
      hint = "For instance {.code list(Dogs = c(3, 7), Cats = c(4, 9))}; name all groups, or none.",
      call = call
    )
  }
  send_json(groups, digits = NA)
}
