# Six images in two clusters, of which four are rated, by one person each.
few_rated <- function() {
  tibble::tibble(
    respondent_id = c("r1", "r2", "r3", "r4"), group = "D", image_id = c("a", "b", "e", "f"),
    cluster = c(1, 1, 2, 2), item = "angry", rating = c(2, 4, 5, 5), N_h = c(4, 4, 2, 2), n_h = 2,
    weight_cluster = 0.5, weight_corpus = c(2, 2, 1, 1)
  )
}

all_images <- function() {
  tibble::tibble(image_id = letters[1:6], cluster = c(1, 1, 1, 1, 2, 2))
}

of_machine <- function(prediction = c(1, 3, 5, 7, 2, 4)) {
  tibble::tibble(
    image_id = letters[1:6], item = "angry", prediction = prediction, split = NA_character_
  )
}

# A corpus with a machine that is right up to an error and a shift, rated by two groups.
corpus_and_ratings <- function(n_raters = 2, error = 0.3) {
  set.seed(3)
  sizes <- c(40, 30, 20, 10)
  corpus <- tibble::tibble(
    image_id = sprintf("i%03d", 1:100), cluster = rep(1:4, sizes),
    month = rep(1:2, length.out = 100), evokes = rnorm(4, 5)[cluster] + rnorm(100)
  )
  drawn <- unlist(lapply(1:4, \(h) sample(which(corpus$cluster == h), 5)))
  rated <- rate_each(corpus[drawn, ], c("D", "R"), n_raters)
  rated$rating <- rated$evokes + (rated$group == "D") + rnorm(nrow(rated))
  rated$item <- "angry"
  rated$N_h <- sizes[rated$cluster]
  rated$n_h <- 5
  rated$weight_cluster <- 1 / 5
  rated$weight_corpus <- rated$N_h / 5
  predictions <- tibble::tibble(
    image_id = corpus$image_id, item = "angry",
    prediction = corpus$evokes - 1 + rnorm(100, sd = error), split = NA_character_
  )
  list(corpus = corpus, ratings = rated, predictions = predictions)
}

# Every image by `n` respondents of each group, who rate four images each.
rate_each <- function(images, groups, n) {
  rounds <- expand.grid(round = seq_len(n), group = groups, stringsAsFactors = FALSE)
  dplyr::bind_rows(Map(\(round, group) {
    who <- (seq_len(nrow(images)) - 1) %% (nrow(images) / 4)
    dplyr::mutate(images, group = group, respondent_id = paste0(group, round, who))
  }, rounds$round, rounds$group))
}

test_that("corrected means are what a calculation by hand gives", {
  means <- rating_means(
    few_rated(),
    predictions = of_machine(), clustering = all_images(), variance = "image"
  )
  expect_equal(means$method, c("machine", "sample", "corrected"))
  # The machine: (4 + 3) / 2; people: (3 + 5) / 2.
  expect_equal(means$estimate[1:2], c(3.5, 4))
  # Lambda: products of distances from the means of clusters, 1 x 1 twice and 0 x 1 twice, divided
  # by the squares of the machine's, 1 four times.
  expect_equal(means$lambda, c(NA, NA, 0.5))
  # Rated images have a mean prediction of (2 + 3) / 2.
  expect_equal(means$estimate[3], 4 + 0.5 * (3.5 - 2.5))
  # Residuals are 0.5 away from the means of their clusters, with shares of 1/4; each image has a
  # quarter of the influence on lambda.
  expect_equal(means$std.error[3], sqrt(2 * 4 * (0.5 / 4 / (1 - 1 / 4))^2))
  expect_equal(means$df[2:3], c(2, 2))
  expect_equal(means$n_predicted, c(6, 6, 6))
  # With equal images the clusters count 4 and 2.
  corpus <- rating_means(
    few_rated(),
    weight = "corpus", predictions = of_machine(), clustering = all_images()
  )
  expect_equal(corpus$estimate[1:2], c(22 / 6, (4 * 3 + 2 * 5) / 6))
  # The squares of weights are 4 and 1: lambda = 4 / (4 + 1).
  expect_equal(corpus$lambda[3], 0.8)
  expect_equal(corpus$estimate[3], 22 / 6 + 0.8 * (22 / 6 - (4 * 2 + 2 * 3) / 6))
})

test_that("for ratings of 0 and 1 by one person each they are those of label_shares()", {
  set.seed(5)
  corpus <- tibble::tibble(image_id = sprintf("i%02d", 1:90), cluster = rep(1:3, each = 30))
  logit <- rnorm(90, c(-1, 0, 1)[corpus$cluster])
  corpus$truth <- rbinom(90, 1, plogis(logit))
  p <- plogis(2 * logit + rnorm(90))
  sample <- dplyr::slice_sample(dplyr::group_by(corpus, cluster), n = 10)
  sample <- dplyr::mutate(dplyr::ungroup(sample), N_h = 30, n_h = 10)
  ratings <- tibble::tibble(
    sample[c("image_id", "cluster", "N_h", "n_h")],
    respondent_id = sprintf("r%d", 1:30), item = "protest", rating = sample$truth,
    weight_corpus = 3, weight_cluster = 0.1
  )
  predictions <- tibble::tibble(
    image_id = corpus$image_id, code = "protest", label = "1", probability = p, split = NA
  )
  shares <- label_shares(
    tibble::tibble(image_id = sample$image_id, code = "protest", label = sample$truth),
    predictions, sample,
    clustering = corpus
  )
  predictions$label <- predictions$probability
  means <- rating_means(
    ratings,
    by = NULL, weight = "corpus", variance = "image", predictions = predictions,
    clustering = corpus
  )
  expect_equal(means$estimate[2:3], shares$estimate[2:3])
  expect_equal(means$lambda, shares$lambda)
  expect_gt(means$lambda[3], 0.1)
  expect_lt(means$lambda[3], 0.99)
  # label_shares() has a finite population correction, and centres residuals before it divides them
  # by one minus their influence on lambda.
  ours <- means$std.error * sqrt(1 - 1 / 3)
  expect_equal(ours[2], shares$std.error[2])
  expect_equal(ours[3], shares$std.error[3], tolerance = 0.003)
})

test_that("with lambda 1 they are the difference estimator of the survey package", {
  made <- corpus_and_ratings(n_raters = 1)
  # A machine that differs too little between images: lambda would be larger than 1.
  made$predictions$prediction <- made$predictions$prediction / 4
  means <- rating_means(
    made$ratings,
    by = NULL, weight = "corpus", variance = "image", predictions = made$predictions,
    clustering = made$corpus
  )
  expect_equal(means$lambda[3], 1)
  f <- made$predictions$prediction[match(made$ratings$image_id, made$predictions$image_id)]
  data <- dplyr::mutate(made$ratings, rest = rating - f)
  images <- dplyr::summarise(
    dplyr::group_by(data, image_id, cluster),
    rest = mean(rest), weight = weight_corpus[1], .groups = "drop"
  )
  design <- survey::svydesign(~image_id, strata = ~cluster, weights = ~weight, data = images)
  expected <- survey::svymean(~rest, design)
  expect_equal(means$estimate[3], coef(expected)[[1]] + mean(made$predictions$prediction))
  expect_equal(means$std.error[3], sqrt(vcov(expected)[[1]]))
  # By both respondents and images, the errors are those of ratings less predictions.
  both <- rating_means(
    made$ratings,
    by = NULL, weight = "corpus", predictions = made$predictions, clustering = made$corpus
  )
  plain <- rating_means(dplyr::mutate(data, rating = rest), by = NULL, weight = "corpus")
  same <- c("std.error", "df", "n_ratings", "n_images")
  expect_equal(tidy(both)[3, same], tidy(plain)[same])
})

test_that("a machine that always says the same leaves the sample's estimate", {
  made <- corpus_and_ratings()
  made$predictions$prediction <- 3
  means <- rating_means(
    made$ratings,
    predictions = made$predictions, clustering = made$corpus
  )
  rows <- tidy(means)[means$group == "D", ]
  expect_equal(rows$lambda[3], 0)
  same <- c("estimate", "std.error", "conf.low")
  expect_equal(rows[3, same], rows[2, same])
  expect_equal(rows$estimate[1], 3)
})

test_that("errors of the machine do not matter if images and clusters are known", {
  made <- corpus_and_ratings(error = 0)
  made$ratings$rating <- made$ratings$evokes
  means <- quietly(rating_means(
    made$ratings,
    by = c(group, cluster), predictions = made$predictions, clustering = made$corpus
  ))
  truth <- tapply(made$corpus$evokes, made$corpus$cluster, mean)
  corrected <- means[means$method == "corrected", ]
  expect_equal(corrected$estimate, as.vector(truth[corrected$cluster]))
  expect_equal(means$estimate[means$method == "machine"], corrected$estimate - 1)
  # Months are groups of images.
  by_month <- quietly(rating_means(
    made$ratings,
    by = month, weight = "corpus", predictions = made$predictions, clustering = made$corpus
  ))
  # In the first month, no image of one cluster was rated.
  first <- made$ratings[made$ratings$month == 1 & !duplicated(made$ratings$image_id), ]
  there <- made$corpus$month == 1 & made$corpus$cluster %in% first$cluster
  expect_equal(by_month$n_predicted[1], sum(there))
  means <- tapply(made$corpus$evokes[there], made$corpus$cluster[there], mean)
  expect_equal(
    by_month$estimate[3], weighted.mean(means, tapply(first$weight_corpus, first$cluster, sum))
  )
})

test_that("gaps are corrected by predictions for each group", {
  made <- corpus_and_ratings()
  each <- dplyr::bind_rows(
    dplyr::mutate(made$predictions, group = "R"),
    dplyr::mutate(made$predictions, group = "D", prediction = prediction + 2)
  )
  gaps <- rating_gaps(made$ratings, predictions = each, clustering = made$corpus)
  expect_equal(gaps$method, c("machine", "sample", "corrected"))
  expect_equal(gaps$estimate[1], 2)
  means <- rating_means(made$ratings, predictions = each, clustering = made$corpus)
  expect_length(unique(means$lambda[means$method == "corrected"]), 2)
  difference <- tapply(means$estimate, means$method, \(x) x[1] - x[2])
  expect_equal(gaps$estimate[1:2], as.vector(difference[c("machine", "sample")]))
  # Both groups rated the same images, whose predictions differ by 2 everywhere: they say nothing.
  expect_equal(gaps$lambda, c(NA, NA, 0))
  expect_equal(gaps$estimate[3], gaps$estimate[2])

  # One lambda for the gap minimises its variance, not those of the two means.
  set.seed(4)
  each$prediction <- each$prediction + ifelse(each$group == "D", 1, -1) *
    made$corpus$evokes[match(each$image_id, made$corpus$image_id)]
  made$ratings$rating <- made$ratings$rating +
    (made$ratings$group == "D") * made$ratings$evokes
  gaps <- rating_gaps(made$ratings, predictions = each, clustering = made$corpus)
  lambda <- gaps$lambda[3]
  expect_true(lambda > 0 && lambda < 1)
  key <- \(x) paste(x$image_id, x$group)
  made$ratings$f <- each$prediction[match(key(made$ratings), key(each))]
  at <- function(lambda) {
    quietly(rating_gaps(
      dplyr::mutate(made$ratings, rating = rating - lambda * f),
      variance = "image"
    ))
  }
  expect_equal(
    gaps$estimate[3], at(lambda)$estimate + lambda * gaps$estimate[1]
  )
  expect_equal(
    optimize(\(x) at(x)$std.error, c(0, 1), tol = 1e-6)$minimum, lambda,
    tolerance = 1e-4
  )
  expect_error(
    rating_gaps(made$ratings, predictions = made$predictions, clustering = made$corpus),
    "cancel out"
  )
  # Groups of images may have the same predictions.
  clusters <- rating_gaps(
    made$ratings, cluster,
    predictions = made$predictions, clustering = made$corpus
  )
  expect_equal(
    clusters$estimate[1],
    diff(-tapply(made$predictions$prediction, made$corpus$cluster, mean))[[1]]
  )
  expect_equal(nrow(clusters), 3 * choose(4, 2))
})

test_that("a dimension is predicted by the mean of its items", {
  made <- corpus_and_ratings()
  two <- dplyr::bind_rows(
    made$ratings, dplyr::mutate(made$ratings, item = "bitter", rating = rating / 2)
  )
  two$dimension <- "aversion"
  predictions <- dplyr::bind_rows(
    made$predictions, dplyr::mutate(made$predictions, item = "bitter", prediction = prediction / 2)
  )
  means <- rating_means(two, NULL, predictions = predictions, clustering = made$corpus)
  by_item <- split(means$estimate, means$item)
  expect_equal(by_item$aversion[1], (by_item$angry[1] + by_item$bitter[1]) / 2)
  # One that has predictions of its own needs none of its items.
  own <- dplyr::mutate(made$predictions, item = "aversion")
  expect_warning(
    means <- rating_means(two, NULL, predictions = own, clustering = made$corpus),
    "nothing about \"angry\" and \"bitter\""
  )
  expect_equal(means$method, c("machine", "sample", "corrected", "sample", "sample"))
})

test_that("respondents' weights do not move the machine's mean", {
  made <- corpus_and_ratings()
  made$ratings$w <- 1 + as.integer(factor(made$ratings$respondent_id)) %% 3
  weighted <- rating_means(
    made$ratings,
    respondent_weight = w, predictions = made$predictions, clustering = made$corpus
  )
  plain <- rating_means(made$ratings, predictions = made$predictions, clustering = made$corpus)
  machine <- weighted$method == "machine"
  expect_equal(weighted$estimate[machine], plain$estimate[machine])
  expect_true(all(abs(weighted$estimate - plain$estimate)[!machine] > 1e-6))
})

test_that("shares of images count within clusters", {
  made <- corpus_and_ratings()
  made$corpus$n_shares <- rep(c(1, 9), 50)
  at <- match(made$ratings$image_id, made$corpus$image_id)
  made$ratings$weight_share <- made$ratings$weight_corpus * made$corpus$n_shares[at]
  means <- rating_means(
    made$ratings, "cluster",
    weight = "share", predictions = made$predictions, clustering = made$corpus
  )
  first <- made$corpus$cluster == 1
  expect_equal(
    means$estimate[1],
    weighted.mean(made$predictions$prediction[first], made$corpus$n_shares[first])
  )
  made$corpus$n_shares <- 1
  expect_error(
    rating_means(
      made$ratings,
      weight = "share", predictions = made$predictions, clustering = made$corpus
    ),
    "numbers of shares differ"
  )
})

test_that("what does not fit together is refused, or reported", {
  few <- few_rated()
  made <- corpus_and_ratings()
  means <- function(..., ratings = few, predictions = of_machine(), clustering = all_images()) {
    rating_means(ratings, ..., predictions = predictions, clustering = clustering)
  }
  expect_snapshot(error = TRUE, {
    means(weight = "none")
    means(shrink = TRUE)
    means(clustering = NULL)
    rating_means(few, clustering = all_images())
    means(by = "image_id")
    means(clustering = all_images()[-1, ])
    means(clustering = dplyr::mutate(all_images(), cluster = rev(cluster)))
    means(clustering = all_images()[-3, ])
    means(predictions = of_machine()["image_id"])
    means(predictions = dplyr::mutate(of_machine(), prediction = c("no", 1:5)))
    means(predictions = of_machine()[c(1, 1:6), ] |> dplyr::mutate(prediction = 0:6))
    means(predictions = dplyr::mutate(of_machine(), item = "joyful"))
    means(predictions = dplyr::mutate(of_machine(), group = "R"))
    means(predictions = dplyr::mutate(of_machine(), split = "train"))
    rating_means(
      made$ratings, month,
      predictions = made$predictions, clustering = dplyr::select(made$corpus, -month)
    )
  })
  expect_snapshot({
    . <- means(predictions = dplyr::select(of_machine(), -split))
    . <- means(predictions = of_machine(c(1, 3, NA, 7, 2, 4)))
    . <- means(
      predictions = dplyr::bind_rows(of_machine(), of_machine() |> dplyr::mutate(image_id = "g")
        |> dplyr::slice(1)),
      clustering = dplyr::bind_rows(all_images(), tibble::tibble(image_id = "g", cluster = 3))
    )
  })
})

test_that("labels by a machine are predictions, too", {
  as_labels <- dplyr::rename(of_machine(), code = "item", label = "prediction")
  as_labels$label <- as.character(as_labels$label)
  as_labels$split <- NULL
  as_labels$annotator <- "model:m"
  expect_equal(
    rating_means(few_rated(), predictions = as_labels, clustering = all_images())$estimate,
    rating_means(few_rated(), predictions = of_machine(), clustering = all_images())$estimate
  )
})

test_that("figures show corrected rows", {
  made <- corpus_and_ratings()
  means <- rating_means(made$ratings, predictions = made$predictions, clustering = made$corpus)
  drawn <- ggplot2::layer_data(plot_rating_means(means), 1)
  expect_equal(sort(drawn$x), sort(means$estimate[means$method == "corrected"]))
  sample <- plot_rating_means(means[means$method == "sample", ])
  expect_equal(
    sort(ggplot2::layer_data(sample, 1)$x), sort(means$estimate[means$method == "sample"])
  )
  heading <- format(means)[[1]]
  expect_match(gsub("\\s+#?\\s*", " ", heading), "corrected by predictions")
})
