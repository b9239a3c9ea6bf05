test_that("simulated posts are linked posts of the simulated study", {
  posts <- simulated_posts
  expect_s3_class(posts, "imagestrata_posts")
  expect_named(posts, c(
    "post_id", "image_id", "cluster", "cluster_name", "n_posts", "unmatched", "author", "party",
    "time", "media", "hashtags", "followers", "retweets"
  ))
  expect_equal(dim(posts), c(27739, 13))
  expect_false(is.unsorted(posts$time))
  expect_equal(range(as.Date(posts$time)), as.Date(c("2018-01-01", "2018-12-31")))
  expect_equal(attr(posts$time, "tzone"), "UTC")

  # The images, their clusters and the sampled ones are those of the study.
  shown <- dplyr::distinct(posts[is.na(posts$unmatched), ], image_id, cluster, n_posts)
  expect_equal(nrow(shown), 18096)
  expect_equal(tabulate(shown$cluster), simulated_clusters$size)
  sampled <- shown[match(simulated_sample$image_id, shown$image_id), ]
  expect_equal(sampled$cluster, simulated_sample$cluster)
  expect_true(all(sampled$n_posts <= simulated_sample$n_shares))
  expect_equal(posts$cluster_name, simulated_clusters$shows[posts$cluster])

  # All rows of a post say the same of it, and counts are those of distinct posts.
  one_per_post <- dplyr::distinct(
    posts, post_id, author, party, time, hashtags, followers, retweets
  )
  expect_equal(nrow(one_per_post), 18751)
  expect_equal(dplyr::n_distinct(posts$post_id), 18751)
  counted <- dplyr::count(dplyr::distinct(posts, post_id, image_id), image_id)
  known <- !is.na(posts$image_id)
  expect_equal(posts$n_posts[known], counted$n[match(posts$image_id, counted$image_id)][known])
  lost <- dplyr::count(dplyr::filter(posts, !known), reason = unmatched)
  expect_equal(sort(lost$n), sort(tidy(posts, "unmatched")$n))
  expect_equal(tidy(posts, "unmatched")$n, c(3000, 60, 30))

  accounts <- dplyr::distinct(posts, author, party, followers)
  expect_equal(as.vector(table(accounts$party)), c(97, 98, 4))
  expect_match(accounts$author, "^account_[0-9]{3}$")
  expect_false(anyDuplicated(accounts$author) > 0)
})

test_that("link_posts() makes the simulated posts of what was posted", {
  skip_if_no_core()
  own <- c("author", "party", "time", "hashtags", "followers", "retweets")
  posts <- dplyr::summarise(
    dplyr::group_by(simulated_posts, post_id),
    media = if (all(is.na(media))) NA else paste(media, collapse = ","),
    dplyr::across(dplyr::all_of(own), dplyr::first)
  )
  posts <- posts[c("post_id", "author", "party", "time", "media", "hashtags", own[5:6])]
  shown <- dplyr::distinct(simulated_posts[is.na(simulated_posts$unmatched), ], image_id, cluster)
  shown <- dplyr::arrange(shown, cluster)
  topics <- as_clustering(
    matrix(shown$cluster, dimnames = list(shown$image_id, NULL)), shown$cluster
  )
  names <- dplyr::coalesce(simulated_clusters$shows, "")
  topics <- edit_clusters(topics, names = setNames(names, seq_along(names)))
  broken <- grep("^broken", simulated_posts$media, value = TRUE)
  files <- c(sub("simulated-(.*)", "\\1.jpg", shown$image_id), broken)
  state <- rep(c("ok", "rejected"), c(nrow(shown), length(broken)))
  images <- data.frame(
    image_id = c(shown$image_id, broken), path = file.path("simulated", files), status = state,
    reason = ifelse(state == "ok", NA, "truncated or damaged"), duplicate_of = NA_character_
  )
  expect_warning(linked <- link_posts(topics, posts, images = images), "3,090 of 27,739 rows")
  expect_identical(linked, simulated_posts)

  # Hashtags go with topics, as metadata and as words.
  known <- plain_tibble(simulated_posts[is.na(simulated_posts$unmatched), ])
  tags <- cluster_metadata(
    topics, known,
    column = "hashtags", separator = " ", n = 1, order = "lift"
  )
  expect_equal(tags$value[tags$cluster %in% c(5, 8)], c("#MarchForFamilies", "#NoKidsInCages"))
  words <- cluster_keywords(topics, known, column = "hashtags", n = 1)
  expect_equal(words$term[words$cluster %in% c(5, 8)], c("#marchforfamilies", "#nokidsincages"))
})

test_that("simulated posts are as their help page says", {
  shown <- simulated_posts[is.na(simulated_posts$unmatched), ]
  month <- as.integer(format(shown$time, "%m"))
  truth <- simulated_clusters
  large <- truth$size >= 100
  share <- function(rows) tabulate(shown$cluster[rows], nrow(truth)) / sum(rows)
  found <- log(share(shown$party == "Democrat") / share(shown$party == "Republican"))
  # Over topics, what parties prefer is found; single topics vary because accounts do.
  off <- (found - truth$party_gap)[large]
  expect_lt(abs(mean(off)), 2 * sd(off) / sqrt(sum(large)))
  expect_gt(cor(found[large], truth$party_gap[large]), 0.9)
  expect_lt(median(abs(off)), 0.3)
  expect_equal(mean(truth$party_gap == 0), 1 / 3, tolerance = 0.05)

  # Events are seen in both parties, and twice to six times as much as in other months.
  events <- which(large & !is.na(truth$event))
  rise <- vapply(events, function(topic) {
    during <- month == truth$event[topic]
    after <- month == truth$event[topic] %% 12 + 1
    share(during)[topic] / share(!during & !after)[topic]
  }, 0)
  expect_true(all(rise > 1.5))
  expect_true(median(rise) > 3 && median(rise) < 6)

  one <- shown[!duplicated(shown$post_id), ]
  expect_gt(max(table(one$author)) / nrow(one), 0.08)
  words <- unlist(strsplit(one$hashtags, " ", fixed = TRUE))
  expect_match(words[!is.na(words)], "^#[A-Za-z]+$")
})

test_that("retweets depend on emotions and followers as simulated", {
  skip_if_not_installed("MASS")
  # Images of the sample, whose mean ratings are known, shown alone.
  shown <- simulated_posts[is.na(simulated_posts$unmatched), ]
  alone <- shown[shown$post_id %in% names(which(table(shown$post_id) == 1)), ]
  means <- dplyr::summarise(
    dplyr::group_by(simulated_ratings, cluster, dimension),
    mean = mean(rating), .groups = "drop"
  )
  for (dimension in levels(means$dimension)) {
    of <- means[means$dimension == dimension, ]
    alone[[dimension]] <- of$mean[match(alone$cluster, of$cluster)]
  }
  fit <- MASS::glm.nb(retweets ~ enthusiasm + aversion + anxiety + log(followers), alone)
  estimate <- coef(summary(fit))
  near <- function(term, truth) abs(estimate[term, "Estimate"] - truth)
  # Means of clusters have errors, and accounts differ: bounds are wider than by the naive errors.
  expect_lt(near("enthusiasm", 0.18), 0.06)
  expect_lt(near("aversion", 0.1), 0.06)
  expect_lt(near("anxiety", 0), 0.05)
  expect_lt(near("log(followers)", 0.5), 0.1)
})

test_that("simulated labels are those of the sample, and predictions those of all images", {
  labels <- simulated_labels
  expect_named(
    labels, c("image_id", "code", "label", "annotator", "note", "kind", "seconds")
  )
  expect_false(anyDuplicated(labels[c("image_id", "code", "annotator")]) > 0)
  expect_setequal(labels$image_id, simulated_sample$image_id)
  coders <- labels[labels$annotator != "meeting", ]
  expect_equal(nrow(coders), 4 * 2 * 1087)
  expect_equal(sum(is.na(coders$label)), 4 * 2 * 3)
  expect_equal(
    unique(labels[c("code", "kind")])$kind, c("binary", "binary", "choice", "scale")
  )
  expect_setequal(labels$label[labels$code == "protest"], c("0", "1", NA))
  expect_setequal(labels$label[labels$code == "setting"], c("graphic", "indoors", "outdoors", NA))
  expect_setequal(labels$label[labels$code == "anger"], c(1:5, NA))

  predictions <- simulated_predictions
  expect_named(
    predictions, c("image_id", "code", "label", "probability", "split", "truth")
  )
  expect_false(anyDuplicated(predictions[c("image_id", "code")]) > 0)
  expect_setequal(predictions$image_id, stats::na.omit(simulated_posts$image_id))
  sampled <- predictions$image_id %in% simulated_sample$image_id
  expect_equal(unique(predictions$split[sampled]), "fold")
  expect_true(all(is.na(predictions$split[!sampled])))
  binary <- predictions$code %in% c("protest", "children")
  expect_true(all(is.na(predictions$probability[!binary])))
  expect_true(all(xor(predictions$label == "1", predictions$probability < 0.5)[binary]))
})

test_that("simulated labels and predictions are as their help page says", {
  truth <- split(simulated_predictions, simulated_predictions$code)
  share <- \(x) round(100 * mean(x == "1"), 1)
  expect_equal(share(truth$protest$truth), 10.9)
  expect_equal(share(truth$children$truth), 9.7)
  expect_equal(round(mean(as.numeric(truth$anger$truth)), 2), 2.89)
  right <- vapply(truth, \(one) round(100 * mean(one$label == one$truth), 1), 0)
  expect_equal(right[c("protest", "children", "setting")], c(
    protest = 96.8, children = 98.3, setting = 90
  ))
  anger <- lapply(truth$anger[c("label", "truth")], as.numeric)
  expect_equal(round(cor(anger$label, anger$truth), 2), 0.75)
  expect_equal(round(mean(anger$label), 2), 2.54)

  # Errors go with the party for protests, and only for these.
  shown <- plain_tibble(simulated_posts[!is.na(simulated_posts$image_id), ])
  by_party <- function(code, column) {
    values <- truth[[code]][[column]][match(shown$image_id, truth[[code]]$image_id)]
    tapply(values, shown$party, share)[c("Democrat", "Republican")]
  }
  expect_equal(as.vector(by_party("protest", "truth")), c(15.7, 6.4))
  expect_equal(as.vector(by_party("protest", "label")), c(12.9, 9.1))
  off <- by_party("children", "label") - by_party("children", "truth")
  expect_lt(max(abs(off)), 2)

  # Coders err as often as they should, and met where they differed.
  wide <- tidyr::pivot_wider(
    simulated_labels, id_cols = c(image_id, code), names_from = annotator, values_from = label
  )
  truths <- simulated_predictions[c("image_id", "code", "truth")]
  wide <- dplyr::left_join(wide, truths, by = c("image_id", "code"))
  seen <- wide[wide$code != "anger", ]
  differ <- (seen$coder_1 != seen$coder_2) %in% TRUE
  expect_equal(!is.na(seen$meeting), differ)
  expect_equal(seen$meeting[differ], seen$truth[differ])
  wrong <- c(seen$coder_1 != seen$truth, seen$coder_2 != seen$truth)
  wrong <- tapply(wrong, rep(seen$code, 2), mean, na.rm = TRUE)
  expect_lt(max(abs(wrong[c("children", "protest", "setting")] - c(0.013, 0.014, 0.04))), 0.01)
  anger <- wide[wide$code == "anger", ]
  off <- as.numeric(anger$coder_1) - as.numeric(anger$truth)
  expect_lt(abs(mean(off, na.rm = TRUE)), 0.1)
})

test_that("the labels of the vignette are those of consensus()", {
  skip_if_no_core()
  counted <- dplyr::bind_rows(
    consensus(simulated_labels[simulated_labels$code != "anger", ]),
    consensus(simulated_labels[simulated_labels$code == "anger", ], rule = "mean")
  )
  known <- simulated_labels[!is.na(simulated_labels$label), ]
  own <- dplyr::summarise(
    dplyr::group_by(known, .data$image_id, .data$code),
    label = if (.data$code[1] == "anger") {
      format(mean(as.numeric(.data$label)))
    } else {
      names(which.max(table(.data$label)))
    },
    .groups = "drop"
  )
  both <- dplyr::left_join(counted, own, by = c("image_id", "code"))
  expect_equal(nrow(own), nrow(counted))
  expect_false(anyNA(counted$label))
  of_scale <- both$code == "anger"
  expect_equal(as.numeric(both$label.x[of_scale]), as.numeric(both$label.y[of_scale]))
  expect_equal(both$label.x[!of_scale], both$label.y[!of_scale])
})

test_that("respondents, packets and ratings are of one study", {
  respondents <- simulated_respondents
  expect_named(
    respondents, c("respondent_id", "group", "age", "gender", "ideology", "survey_weight")
  )
  expect_false(anyDuplicated(respondents$respondent_id) > 0)
  expect_equal(as.vector(table(respondents$group)), c(360, 360))
  expect_true(all(respondents$age %in% 18:85) && all(respondents$ideology %in% 1:7))

  packets <- simulated_packets
  expect_named(packets, c(
    "packet_id", "group", "position", "image_id", "cluster", "path", "respondent_id"
  ))
  expect_equal(nrow(packets), 720 * 8)
  expect_false(anyDuplicated(packets[c("packet_id", "position")]) > 0)
  expect_false(anyDuplicated(packets[c("packet_id", "cluster")]) > 0)
  expect_equal(nrow(dplyr::distinct(packets, packet_id, respondent_id)), 720)
  at <- match(packets$image_id, simulated_sample$image_id)
  expect_equal(packets$cluster, simulated_sample$cluster[at])
  of <- match(packets$respondent_id, respondents$respondent_id)
  expect_equal(packets$group, respondents$group[of])

  # Nobody rated what nobody asked for; both parties rated every cluster.
  answered <- dplyr::distinct(simulated_ratings, respondent_id, group, image_id, cluster)
  expect_equal(nrow(dplyr::anti_join(
    answered, packets,
    by = c("respondent_id", "group", "image_id", "cluster")
  )), 0)
  expect_equal(nrow(dplyr::distinct(answered, group, cluster)), 2 * 309)
  expect_setequal(answered$respondent_id, respondents$respondent_id)
  expect_false(anyDuplicated(simulated_ratings[c("respondent_id", "image_id", "item")]) > 0)
})

test_that("survey weights give the known shares of age and gender in each party", {
  women <- c(Democrat = 0.56, Republican = 0.48)
  for (party in names(women)) {
    of <- simulated_respondents[simulated_respondents$group == party, ]
    share <- function(x) as.vector(tapply(of$survey_weight, x, sum)) / sum(of$survey_weight)
    expect_equal(mean(of$survey_weight), 1)
    expect_equal(share(cut(of$age, c(17, 29, 44, 59, 85))), c(0.2, 0.25, 0.25, 0.3))
    expect_equal(share(of$gender), c(1 - women[[party]], women[[party]]))
    expect_lt(mean(of$age), stats::weighted.mean(of$age, of$survey_weight) - 2)
    expect_gt(mean(of$gender == "woman"), women[[party]])
  }
})

test_that("respondents' ratings depend on age, gender and ideology as their help page says", {
  people <- dplyr::summarise(
    dplyr::group_by(simulated_ratings, respondent_id, dimension),
    rating = mean(rating), .groups = "drop"
  )
  people <- dplyr::left_join(people, simulated_respondents, by = "respondent_id")
  truth <- list(
    Democrat = list(
      enthusiasm = c(-0.19, 0, -0.21), aversion = c(-0.19, 0, -0.18), anxiety = c(-0.19, 0.31, 0)
    ),
    Republican = list(
      enthusiasm = c(0, 0, -0.21), aversion = c(0, 0, 0.18), anxiety = c(0, 0.28, 0)
    )
  )
  for (party in names(truth)) {
    for (d in names(truth[[party]])) {
      of <- people[people$group == party & people$dimension == d, ]
      fit <- stats::lm(rating ~ I(age / 10) + gender + ideology, of, weights = survey_weight)
      found <- coef(summary(fit))[-1, ]
      expect_lt(max(abs(found[, 1] - truth[[party]][[d]]) / found[, 2]), 2)
    }
  }
})

test_that("weighted means of the simulated study are near those of all supporters", {
  ratings <- dplyr::left_join(
    simulated_ratings, dplyr::select(simulated_respondents, respondent_id, survey_weight),
    by = "respondent_id"
  )
  means <- quietly(tidy(rating_means(ratings, respondent_weight = survey_weight)))
  means <- means[means$level == "dimension", ]
  truth <- c(
    enthusiasm.Democrat = 3.12, aversion.Democrat = 3.5, anxiety.Democrat = 3.33,
    enthusiasm.Republican = 2.79, aversion.Republican = 3.41, anxiety.Republican = 2.67
  )
  off <- means$estimate - truth[paste(means$item, means$group, sep = ".")]
  expect_length(off, 6)
  expect_lt(max(abs(off) / means$std.error), 2)
})

test_that("answers are missing as the help page says", {
  pair <- function(x) paste(x$respondent_id, x$image_id)
  asked <- dplyr::left_join(
    simulated_packets, dplyr::select(simulated_respondents, -group),
    by = "respondent_id"
  )
  missing <- !pair(asked) %in% pair(simulated_ratings)
  expect_equal(round(100 * mean(missing), 1), 7.3)
  rated <- dplyr::count(simulated_ratings, respondent_id, image_id)$n
  expect_equal(1 - sum(rated) / (10 * length(rated)), 0.01, tolerance = 0.1)
  # Later images, older people, unpleasant clusters and conservatives.
  of_cluster <- dplyr::filter(simulated_ratings, dimension != "enthusiasm")
  of_cluster <- dplyr::summarise(
    dplyr::group_by(of_cluster, cluster, dimension), rating = mean(rating), .groups = "drop_last"
  )
  unpleasant <- dplyr::summarise(of_cluster, z = mean(rating))
  asked$z <- as.vector(scale(unpleasant$z))[match(asked$cluster, unpleasant$cluster)]
  fit <- stats::glm(missing ~ position + age + z + ideology, stats::binomial, asked)
  expect_true(all(coef(summary(fit))[-1, "z value"] > 3))
})
