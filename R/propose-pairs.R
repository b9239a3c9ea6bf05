#' Propose the pairs whose judgements improve a clustering most
#'
#' They lie where a wrong decision of [improve_clusters()] is likely and concerns many images:
#' between the groups of similar images in loose clusters, and between near clusters. Have them
#' judged in rounds of about 100: give the judged pairs of all rounds so far as `judged`.
#'
#' @details The next pair is taken where the expected loss per pair of the better decision, times
#' the harmonic mean of the numbers of images on both sides, is largest, divided by the number of
#' pairs already taken there plus one, to the power 1.5; or inside a part that judged pairs divide,
#' where the image whose side tells most is paired with one whose side is certain.
#'
#' @param clustering The clustering to be improved, from [cluster_images()].
#' @param judged The judged pairs so far, as for [improve_clusters()]. They decide which further
#'   pairs tell most, and are not drawn again. Nor are pairs that wait for a judgement: those in
#'   which it is missing, or all if the table has no column `judgement`.
#' @param embeddings The vectors of the images, as for [improve_clusters()].
#' @param n Number of pairs.
#' @param smallest,same_from,error_rate As for [improve_clusters()].
#' @param seed Seed of the images, their sides and their order.
#' @inheritParams scan_images
#'
#' @returns One row per pair, in random order, with the columns of [sample_pairs()]. `stratum` is
#'   "teaching", and `N_h` and `probability` are missing: these pairs teach, and are not a
#'   probability sample. They cannot say how good a clustering is.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' vectors <- diag(3)[rep(1:3, each = 10), ]
#' topics <- as_clustering(vectors, rep(c(1, 1, 2), each = 10))
#' propose_pairs(topics, embeddings = vectors, n = 10)
propose_pairs <- function(clustering,
                          judged = NULL,
                          embeddings = NULL,
                          n = 100,
                          smallest = 5,
                          same_from = 1,
                          error_rate = 0.05,
                          seed = 0,
                          ...) {
  decode_table(call_verb(
    "propose_pairs",
    judged = if (!is.null(judged)) {
      encode_table(check_data_frame(judged, "judged", made_by = "read_pairs"))
    }
  ))
}
