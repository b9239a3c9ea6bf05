#' Draw the pairs to be judged next
#'
#' Judge pairs in rounds: draw some with [sample_pairs()] from the clustering, have them judged,
#' draw further ones with this function, and so on, until the intervals of weighted precision and
#' recall are narrow enough. Then no pair is drawn.
#'
#' People err. If each pair has one judgement, have some judged again by others, with
#' `again = TRUE`, and score all judgements together with `error_rate = "estimate"`.
#'
#' @details Every round is a simple random sample, without replacement, of the pairs of each stratum
#' that no earlier round drew. All rounds together are therefore a stratified sample, and
#' [score_clustering()] takes them in one table. Earlier judgements only decide how many pairs each
#' stratum receives.
#'
#' These numbers minimise the sum of the variances of precision and recall (Neyman allocation), with
#' shares estimated from all rounds so far and half a pair of each kind added. A tenth of the pairs
#' is divided as in [sample_pairs()]. This is adaptive importance sampling with strata (Marchant and
#' Rubinstein 2017, who draw with replacement). Since every stratum receives pairs in every round,
#' estimates are consistent. Choosing by earlier judgements, and stopping by width, makes them
#' slightly biased in small samples.
#'
#' Second looks: most pairs between clusters do not belong together, so that most of those that one
#' annotator puts together are errors. With `again`, half of the pairs are those whose judgements
#' leave most unknown about precision and recall. The other half are a random sample of the pairs in
#' one cluster with one judgement, which tell how often people set apart what belongs together.
#' `docs/judged-pairs.md` in the repository says how much narrower second looks made intervals in
#' simulations.
#'
#' @param judged The judged pairs of all rounds so far, in one table ([dplyr::bind_rows()]): one
#'   `judgement` per pair, as [read_pairs()] or [consensus()] return them; with `again` or
#'   `error_rate = "estimate"` one row per pair and annotator. Those of the first round are the
#'   result of [sample_pairs()] with `clusterings = clustering`.
#' @param clustering The clustering from which the pairs were drawn, from [cluster_images()] or a
#'   data frame with the columns `image_id` and `cluster`, and whose precision and recall are to be
#'   known.
#' @param embeddings The vectors given to [sample_pairs()]. They are not needed if it was called
#'   with `between = "random"`, or with `again`.
#' @param n Number of pairs.
#' @param again Return pairs that were judged, for a second look by other annotators, instead of new
#'   ones? Call it again with the new judgements: pairs whose judgements contradict each other get
#'   a third look.
#' @param width Width of the intervals of weighted precision and recall at which no further pair is
#'   drawn; 0 to go on.
#' @param k,seed The values of `k` and `seed` in [sample_pairs()].
#' @param same_from,error_rate,conf_level As in [score_clustering()]; with `again`, errors are
#'   always estimated.
#' @inheritParams scan_images
#'
#' @returns The new pairs, as [sample_pairs()] returns them, with `round` (2 in the first call).
#'   `probability` counts all rounds: the number of pairs drawn so far from the stratum, divided by
#'   `N_h`. With `again`, rows of `judged`, without the judgements. The table has no rows if the
#'   intervals are narrow enough.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' topics <- cluster_images(embeddings, "kmeans", n_clusters = 5, progress = FALSE)
#' pairs <- sample_pairs(embeddings, n = 40, clusterings = topics)
#' pairs$judgement <- as.integer(pairs$stratum == "within") # as people might answer
#' next_pairs(pairs, topics, embeddings, n = 20, width = 0.1)
#'
#' # Pairs for a second look:
#' pairs$annotator <- "ann"
#' next_pairs(pairs, topics, n = 10, again = TRUE)
next_pairs <- function(judged,
                       clustering,
                       embeddings = NULL,
                       n = 100,
                       again = FALSE,
                       width = 0.2,
                       k = 80,
                       same_from = 1,
                       error_rate = 0,
                       conf_level = 0.95,
                       seed = 0,
                       ...) {
  decode_table(call_verb(
    "next_pairs",
    judged = encode_table(check_data_frame(judged, "judged", made_by = "read_pairs")),
    clustering = send_clusters(clustering, "clustering"),
    embeddings = if (!is.null(embeddings)) send_several(embeddings)
  ))
}
