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
