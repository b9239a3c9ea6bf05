#' Ten emotions in three dimensions
#'
#' The items of the published study, and the affective dimensions that they measure. For your own
#' items, give [read_ratings()] a table with the same columns.
#'
#' @format A tibble with the columns `item` and `dimension`, one row per item.
#' @source The ten emotions and three dimensions named in section 3.2 of the paper.
#' @family data
"emotion_items"

#' A simulated study of partisan emotions
#'
#' **Simulated: no person rated anything.** A study in the shape of the published one: 18,096
#' images in 309 clusters, 1,087 of them sampled by the rule of [sample_images()], ten emotions
#' rated from 0 to 10 by 360 Democrats and 360 Republicans, eight images each, no two of them of
#' one cluster. Sizes of clusters and the directions of the party gaps are those that the paper
#' reports (Democrats higher on hopeful, proud, angry, worried, scared and afraid; as high on
#' resentful, bitter and hateful); all else is made up. The script is
#' `data-raw/partisan_emotions.R` in the repository.
#'
#' @format `simulated_ratings`, as [read_ratings()] returns ratings, one row per respondent,
#'   image and item: `respondent_id`, `group` (the party), `image_id`, `cluster`, `item`,
#'   `dimension`, `rating` (0 to 10), and of the sample `N_h`, `n_h`, `weight_corpus`,
#'   `weight_cluster`, `weight_share`.
#'
#'   `simulated_sample`, as [sample_images()] returns it, with `n_shares`, the number of times that
#'   an image was shared. The files that `path` names do not exist.
#'
#'   `simulated_clusters`, one row per cluster: `cluster`, `size`, `share` of all images, and
#'   `shows`, the content of five clusters that the paper describes.
#' @family data
#' @examples
#' simulated_ratings
#' simulated_sample
#' head(simulated_clusters, 8)
"simulated_ratings"

#' @rdname simulated_ratings
"simulated_sample"

#' @rdname simulated_ratings
"simulated_clusters"
