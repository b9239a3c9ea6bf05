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
#' images in 309 clusters, 1,087 of them sampled by the rule of [sample_images()], and ten emotions
#' to be rated from 0 to 10 by 360 Democrats and 360 Republicans, who were asked about eight images
#' each, no two of them of one cluster. Sizes of clusters and the directions of the party gaps are
#' those that the paper reports (Democrats higher on hopeful, proud, angry, worried, scared and
#' afraid; as high on resentful, bitter and hateful); all else is made up. The script is
#' `data-raw/partisan_emotions.R` in the repository.
#'
#' @details What was simulated about respondents, for comparison with what you find:
#'
#' * **Who they are.** The supporters of each party are to be described. Of these, 20% are 18 to 29
#'   years old, 25% 30 to 44, 25% 45 to 59 and 30% older; 56% of the Democrats are women, and 48% of
#'   the Republicans. The panel is younger and has more women. `survey_weight` corrects this: within
#'   each party it is the share of a respondent's age group and gender among supporters, divided by
#'   the share among respondents.
#' * **What ratings depend on**, apart from the image. In answers, with the other two held constant:
#'
#'   | | Democrats | Republicans |
#'   |---|---|---|
#'   | ten years more of age, all emotions | -0.19 | 0 |
#'   | women less men, anxiety (other dimensions: 0) | 0.31 | 0.28 |
#'   | one point more of ideology, enthusiasm | -0.21 | -0.21 |
#'   | one point more of ideology, aversion | -0.18 | 0.18 |
#'   | one point more of ideology, anxiety | 0 | 0 |
#'
#'   Party and ideology thus interact in aversion only. The mean answers of all supporters, with
#'   equal weight for every cluster, are 3.12 (enthusiasm), 3.50 (aversion) and 3.33 (anxiety) for
#'   Democrats, and 2.79, 3.41 and 2.67 for Republicans. With equal weights for the respondents of
#'   the panel, Democrats' means would be 0.07 higher.
#' * **What is missing.** Of the 5,760 images that people were asked to rate, 7.3% have no rating.
#'   After each image people stop for good with a probability that increases with age
#'   (`plogis(-4.5 + 0.035 * (age - 45))`). They skip an image with the probability
#'   `plogis(-3.6 + 0.6 * z + 0.25 * (ideology - 4))`, where `z` is the mean of aversion and anxiety
#'   that its cluster evokes in all people, standardised over clusters. Of the other images, 1% of
#'   the single items were overlooked. Given age, ideology and the cluster, what is missing does not
#'   depend on what would have been answered. Both parties rated images of every cluster.
#' * **The draw.** As befits an example, this is the first of eight draws of respondents in which
#'   all 18 intervals (95%) of regressions by party and dimension contain the values above.
#'
#' @format `simulated_ratings`, as [read_ratings()] returns ratings, one row per answer (respondent,
#'   image and item; without a row if there is no answer): `respondent_id`, `group` (the party),
#'   `image_id`, `cluster`, `item`, `dimension`, `rating` (0 to 10), and of the sample `N_h`, `n_h`,
#'   `weight_corpus`, `weight_cluster`, `weight_share`.
#'
#'   `simulated_respondents`, one row per respondent: `respondent_id`, `group`, `age` (years),
#'   `gender` (a factor: man, woman), `ideology` from 1 (very liberal) to 7 (very conservative), and
#'   `survey_weight`, whose mean is 1 in each party.
#'
#'   `simulated_packets`, as [assign_annotators()] and [reassign()] return packets, one row per
#'   respondent and image that the respondent was asked to rate: `packet_id`, `group`, `position`,
#'   `image_id`, `cluster`, `path`, and `respondent_id`.
#'
#'   `simulated_sample`, as [sample_images()] returns it, with `n_shares`, the number of times that
#'   an image was shared. The files that `path` names do not exist.
#'
#'   `simulated_clusters`, one row per cluster: `cluster`, `size`, `share` of all images, and
#'   `shows`, the content of five clusters that the paper describes; `party_gap` and `event` are
#'   explained with [simulated_posts].
#' @family data
#' @examples
#' simulated_ratings
#' simulated_respondents
#' simulated_packets
#' simulated_sample
#' head(simulated_clusters, 8)
#'
#' # Who stopped or skipped: the share of images without any answer, by age.
#' answered <- unique(simulated_ratings[c("respondent_id", "image_id")])
#' asked <- merge(simulated_packets, simulated_respondents, by = "respondent_id")
#' pair <- function(x) paste(x$respondent_id, x$image_id)
#' tapply(!pair(asked) %in% pair(answered), cut(asked$age, c(17, 29, 44, 59, 85)), mean)
"simulated_ratings"

#' @rdname simulated_ratings
"simulated_respondents"

#' @rdname simulated_ratings
"simulated_packets"

#' @rdname simulated_ratings
"simulated_sample"

#' @rdname simulated_ratings
"simulated_clusters"

#' Simulated posts with the images of the study
#'
#' **Simulated: nobody posted anything, and the accounts do not exist.** 18,751 posts of 2018 by 199
#' accounts, 97 of Democrats, 98 of Republicans and 4 of Independents, which show all 18,096 images
#' of the simulated study ([simulated_sample], [simulated_clusters]), some of them several times.
#' Accounts are uneven (one has a tenth of all posts), post in bursts, and have topics of their own.
#' The script is `data-raw/simulated_posts.R` in the repository.
#'
#' @details What was simulated, for comparison with what you find:
#'
#' * **Parties.** `simulated_clusters$party_gap` is the logarithm of a topic's share of the images
#'   that Democrats post, divided by its share of those that Republicans post, as expected over the
#'   year and over accounts. It is 0 for a third of the topics.
#' * **Events.** In the month `simulated_clusters$event` (a number, missing for four topics in
#'   five), a topic is six times as frequent in the party with the larger share, twice in the other
#'   one, and four times for Independents or if the gap is 0; in the month that follows, half of
#'   that on the logarithmic scale.
#' * **Retweets.** They have a negative binomial distribution with the dispersion parameter 1 (its
#'   variance is the mean plus the squared mean). One point more of the enthusiasm that the images
#'   of a post evoke, as in [simulated_ratings], multiplies the mean by `exp(0.18)`, one point of
#'   aversion by `exp(0.1)`, and anxiety does not matter. The mean is proportional to the square
#'   root of `followers`, and differs between accounts.
#'
#' @format As [link_posts()] returns it, 27,739 rows, one per post and image, in the order of time:
#'   `post_id`, `image_id`, `cluster`, `cluster_name` (five topics have names), `n_posts` (never
#'   more than `n_shares` in [simulated_sample], which counts anybody's), `unmatched` (3,000 posts
#'   have no image, and 90 files could not be used); and of the posts `author`, `party` (a factor),
#'   `time` (UTC), `media` (the names of files), `hashtags` (separated by a space, missing without
#'   any), `followers` of the account, and `retweets`.
#' @family data
#' @examples
#' simulated_posts
#' tidy(simulated_posts, "unmatched")
#' dplyr::distinct(simulated_posts, author, party) |> dplyr::count(party)
"simulated_posts"

#' Simulated labels and predictions of the images of the study
#'
#' **Simulated: nobody labelled anything, and there is no network.** What two coders said about the
#' 1,087 images in [simulated_sample], and what a network that learnt from them predicts for all
#' 18,096 images of the simulated study, with the truth. `vignette("labels")` goes from the one to
#' the other. The script is `data-raw/simulated_labels.R` in the repository.
#'
#' @details What was simulated, for comparison with what you find:
#'
#' * **Codes.** `protest` and `children` say whether an image shows them (`"1"` or `"0"`),
#'   `setting` is `"graphic"`, `"indoors"` or `"outdoors"`, and `anger` a number from 1 to 5.
#'   Topics differ in all of them. A protest is in 10.9% of the images, children in 9.7%, the mean
#'   of anger is 2.89.
#' * **Parties.** Protests are in 15.7% of the images that Democrats post and in 6.4% of those that
#'   Republicans post, if an image counts as often as it is posted.
#' * **The network.** For `protest` it is right in 96.8% of the images, but its errors depend on the
#'   party: it misses protests that Democrats post, and takes rallies that Republicans post for
#'   protests. By its labels the shares are 12.9% and 9.1%, so that most of the difference is lost.
#'   Errors in the other codes are the same in both parties. It is right in 98.3% for `children`
#'   and in 90.0% for `setting`. Its numbers for `anger` have a correlation of .75 with the truth,
#'   and their mean, 2.54, is too low.
#' * **The coders.** Of images with a protest each coder misses 5%, of those without one sees a
#'   protest in 1%; for `children`, 4% and 1%; in `setting`, 4% of the answers are another one; to
#'   `anger` each adds an error with a standard deviation of 0.5, before it is rounded. Each passed
#'   over three images. Where they differed about `protest`, `children` or `setting`, they met and
#'   found the truth.
#' * **The draw.** As befits an example, this is one of six draws that were made, in which all 95%
#'   intervals of corrected shares of the corpus contain the truth; of 30 such intervals in the six
#'   draws, 27 did.
#'
#' @format `simulated_labels` has one row per image, code and annotator: `image_id`; `code`;
#'   `label`, text, missing where the coder passed over the image; `annotator` (`"coder_1"`,
#'   `"coder_2"`, and `"meeting"` for what they decided together); `note`, which is always missing;
#'   `kind` (`"binary"`, `"choice"` or `"scale"`); and `seconds`, the time that the coder took for
#'   the image.
#'
#'   `simulated_predictions` has one row per image and code: `image_id`; `code`; `label`, the
#'   prediction; `probability` that the answer is `"1"`, for the two binary codes; `split`, which is
#'   `"fold"` for the images of the sample, as networks that had not seen their labels predicted
#'   them; and `truth`, which no real study has.
#' @family data
#' @examples
#' simulated_labels
#' simulated_predictions
#'
#' # How often is the network right?
#' right <- with(simulated_predictions, label == truth)
#' tapply(right, simulated_predictions$code, mean)[c("protest", "children", "setting")]
"simulated_labels"

#' @rdname simulated_labels
"simulated_predictions"
