#' Score a clustering by judged pairs, by true classes, or by its own vectors
#'
#' @description Precision is the share of pairs judged to belong together among the pairs in one
#' cluster. Recall is the share of pairs in one cluster among the pairs judged to belong together.
#' `mean_pr`, the paper's F, is their arithmetic mean and `f1` their harmonic mean. Quality is the
#' mean judgement of pairs in one cluster minus that of the other pairs.
#'
#' @details Unweighted measures of judged pairs describe the drawn pairs, among which pairs of one
#' cluster are far more frequent than in the corpus. Design-weighted measures represent all pairs of
#' images.
#'
#' Intervals come from posteriors of the shares of each stratum, with Jeffreys' prior of half a pair
#' of each kind in the stratum whose pairs have the largest weight. A few sampled pairs between
#' clusters can represent many pairs that belong together, and simple resampling of a few pairs
#' would give intervals that are too narrow. Strata that are single clusters (`"within 3"`) count as
#' one group, with the variance of a stratified sample.
#'
#' How many pairs a clustering puts together is known if it has exactly the images from which the
#' pairs were drawn. The design-weighted measures then use this number.
#'
#' Errors of judgement affect the weighted recall most. If one pair in twenty belongs together, one
#' error in twenty pairs doubles the number that seems to. `error_rate` corrects for this, with
#' wider intervals.
#'
#' With `error_rate = "estimate"` the model is that of Dawid and Skene (1979), with one rate of
#' errors for pairs that belong together and one for the others (Hui and Walter 1980), the same for
#' all annotators. Given whether a pair belongs together, its judgements are independent. The
#' posterior is drawn by Gibbs sampling. The prior of both rates has a mean of 5% and the weight of
#' ten judgements. If the same pairs mislead everybody, judgements are not independent, and neither
#' these scores nor those of a majority are right: discuss such pairs.
#'
#' Judgements of a model are never taken for those of people: `truth` must not contain any (its
#' annotators begin with "model:"). With `machine`, the pairs of each stratum are divided by whether
#' the clustering puts them together and by what the model says; a missing judgement is an answer of
#' its own. How many pairs there are of each kind is estimated from all drawn pairs, and how often
#' people put a pair of a kind together from the pairs that they judged (double sampling for
#' stratification, Neyman 1938). This is the difference estimator of [label_shares()], with one
#' lambda per stratum. It is right however often the model errs, if people judged a random part of
#' the pairs of each stratum, such as the first 150 rows of [sample_pairs()]. Kinds with fewer than
#' two of people's pairs are joined with the most frequent one of their stratum. "quality" is not
#' corrected.
#'
#' Measures of vectors compare clusterings of the same vectors, with similar shares of residual and
#' similar numbers of clusters. They do not compare encoders; use [tune_clusters()] for that.
#'
#' @param clustering A clustering, from [cluster_images()]; with pairs and labels also a data frame
#'   with the columns `image_id` and `cluster` (-1 for the residual), with labels one cluster per
#'   image.
#' @param truth Pairs with one `judgement` each (with `error_rate = "estimate"` also several), from
#'   0 to 2, as [read_pairs()] or [consensus()] return them, with several questions one of each
#'   `question`; pairs without a judgement are left out, and the other pairs of their stratum
#'   represent them. Or true classes, as in [compare_clusterings()]: labels in the order of the
#'   images, a data frame with `image_id` and `label`, or the name of a column of the clustering;
#'   images without a label are left out. Or nothing, with `embeddings`.
#' @param by Kind of `truth`: `"pairs"`, `"labels"`, or `"vectors"` if there is no `truth`. By
#'   default it is detected.
#' @param embeddings Embeddings, from [embed_images()], or a matrix: the vectors that the clustering
#'   was made from, or others of the same images.
#' @param measures Pairs only: some of `"precision"`, `"recall"`, `"f1"`, `"mean_pr"` and
#'   `"quality"`. By default all; quality only where a judgement is greater than 1. It needs 50
#'   pairs in one cluster and 50 in two.
#' @param weighted Pairs only: do the pairs represent all pairs of images, each with the weight 1 /
#'   `probability` (`TRUE`), or only themselves (`FALSE`)? By default both are reported; without a
#'   column `probability` only the latter, with a warning.
#' @param residual `"alone"`: an image that belongs to no cluster counts as a cluster of its own,
#'   the default with pairs and labels; `"drop"`: it is left out, with its pairs, as always with
#'   vectors.
#' @param same_from Pairs only: lowest judgement that means "these belong together".
#' @param error_rate Pairs only: share of wrong judgements; all measures except quality are
#'   corrected for it. Two annotators who err independently and agree on a share A of the pairs have
#'   the error rate e = (1 - sqrt(2 A - 1)) / 2; the majority of three such annotators has 3 e^2 - 2
#'   e^3. `"estimate"`: some pairs were judged by several annotators, such as those of
#'   `next_pairs(again = TRUE)`; `truth` has a row for every judgement, and error rates are
#'   estimated.
#' @param machine Pairs only: judgements of all drawn pairs by a model, from [judge_pairs()].
#'   `truth` then has people's judgements of a random part of these pairs, which correct those of
#'   the model.
#' @param missing Pairs only: treatment of pairs with an image that is not in the clustering:
#'   `"error"`, or `"drop"` to leave such pairs out and count them in `n_missing`. The measures are
#'   then about images in the clustering: to compare clusterings, leave out the same pairs for each.
#' @param n_boot,conf_level,seed Pairs only: number of bootstrap draws, confidence level of the
#'   intervals, and seed of the draws.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per measure: `measure` and `estimate`.
#'
#'   - By pairs: a row per measure and weighting, and with several questions for each `question`,
#'     with `weighting` (`"none"` or `"design"`), `conf.low`, `conf.high`, `n_pairs` (judged pairs
#'     that are used), `n_residual` (pairs with a residual image, used or not) and `n_missing`
#'     (pairs with an image that is not in the clustering, which are not used). With `error_rate =
#'     "estimate"` also `wrong_together`, the share of the judgements of pairs that do not belong
#'     together that put them together, and `wrong_apart`, the share of the judgements of other
#'     pairs that set them apart.
#'   - By pairs and a machine: three rows per measure, with `method`: `"machine"` as if the model
#'     were right, `"people"` from people's pairs alone, and `"corrected"`, to be reported.
#'     `n_pairs` is the number of people's judgements, `n_predicted` that of the model's.
#'   - By labels, with the number of images `n_images`: precision, recall, `f1` and `mean_pr` over
#'     all pairs of images; the B-cubed measures, which give every image the same weight; adjusted
#'     Rand index and adjusted mutual information; `share_residual`. Precision is `NA` if no two
#'     images share a cluster, recall if no two images share a class.
#'   - By vectors, with `n_images` in clusters: the mean `silhouette` (-1 to 1), `calinski_harabasz`
#'     (larger is better), `davies_bouldin` (smaller is better) and `share_residual`; the other
#'     measures leave the residual out.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- demo_topics()
#' ids <- topics$image_id[order(-topics$cluster)]
#' # What people might say of neighbours in this order:
#' pairs <- data.frame(
#'   pair_id = paste0("p", 1:40), image_a = ids[1:40], image_b = ids[2:41],
#'   judgement = rep(c(1, 1, 1, 0), 10)
#' )
#' score_clustering(topics, pairs, weighted = FALSE)
#'
#' score_clustering(c(1, 1, 2, 2), c("cat", "cat", "dog", "cat"))
#'
#' embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
#' score_clustering(cluster_images(embeddings, progress = FALSE), embeddings = embeddings)
score_clustering <- function(clustering,
                             truth = NULL,
                             by = NULL,
                             embeddings = NULL,
                             measures = NULL,
                             weighted = NULL,
                             residual = NULL,
                             same_from = 1,
                             error_rate = 0,
                             machine = NULL,
                             missing = "error",
                             n_boot = 1000,
                             conf_level = 0.95,
                             seed = 0,
                             ...) {
  check_dots(...)
  clusters <- if (is.null(embeddings)) {
    send_clusters(clustering, "clustering")
  } else {
    send_argument(clustering, "clustering", "", rlang::current_env())
  }
  decode_result(call_verb(
    "score_clustering",
    clustering = clusters,
    truth = send_truth(truth),
    machine = if (!is.null(machine)) {
      encode_table(plain_tibble(check_data_frame(machine, "machine", made_by = "judge_pairs")))
    }
  ))
}

# Judged pairs, or true classes: a table, a column of one, or one value per image.
send_truth <- function(x, call = rlang::caller_env()) {
  if (is.null(x) || rlang::is_string(x)) {
    x
  } else if (inherits(x, "imagestrata_embeddings") || is.matrix(x)) {
    send_vectors(x, call)
  } else if (is.data.frame(x)) {
    encode_table(plain_tibble(x), call)
  } else {
    send_clusters(x, "truth", call)
  }
}
