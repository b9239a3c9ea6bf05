# Six ratings by two people of each of two parties, of three images in two clusters.
toy_ratings <- function() {
  tibble::tibble(
    respondent_id = c("a", "a", "b", "c", "c", "d"),
    group = c("D", "D", "D", "R", "R", "R"),
    image_id = c("1", "2", "3", "1", "3", "2"),
    cluster = c(1L, 2L, 2L, 1L, 2L, 2L),
    item = "angry",
    dimension = "aversion",
    rating = c(4, 8, 2, 1, 5, 3),
    weight_cluster = c(1, 0.5, 0.5, 1, 0.5, 0.5),
    weight_corpus = c(10, 3, 3, 10, 3, 3),
    weight_share = c(10, 6, 0, 10, 0, 6)
  )
}

# Some of the simulated study: clusters with one sampled image and with more, images with
# different numbers of raters, missing answers.
some_ratings <- function(items = c("hopeful", "proud", "angry")) {
  clusters <- c(1:6, 200:206, 290:299)
  ratings <- dplyr::filter(simulated_ratings, cluster %in% clusters, item %in% items)
  ratings$item <- factor(ratings$item, items)
  ratings[-seq(5, nrow(ratings), by = 41), ]
}

# The same with holes: images and whole clusters that a group did not rate, one image nobody.
ratings_with_holes <- function(items = c("hopeful", "proud", "angry")) {
  ratings <- some_ratings(items)
  image <- match(ratings$image_id, unique(ratings$image_id))
  democrat <- ratings$group == "Democrat"
  hole <- (democrat & image %% 3 == 0) | (!democrat & image %% 4 == 1) | image == 7 |
    (democrat & ratings$cluster == 2) | (!democrat & ratings$cluster %in% c(203, 292))
  ratings[!hole, ]
}

# Clusters of which both groups rated every sampled image.
whole_clusters <- function(ratings) {
  rated <- dplyr::distinct(ratings, .data$group, .data$image_id, .data$cluster, .data$n_h)
  rated <- dplyr::count(rated, .data$cluster, .data$n_h, name = "n_rated")
  dplyr::filter(ratings, .data$cluster %in% rated$cluster[rated$n_rated == 2 * rated$n_h])
}

# One measure's ratings with the weights that survey needs. Who did not answer this item is there
# without a rating, as a unit of the design.
for_survey <- function(ratings, item, weight, by = "group") {
  data <- as.data.frame(ratings[!duplicated(ratings[c("respondent_id", "image_id")]), ])
  pair <- function(x) paste(x$respondent_id, x$image_id)
  here <- ratings[ratings$item == item, ]
  data$rating <- here$rating[match(pair(data), pair(here))]
  data$cell <- do.call(paste, c(data[by], sep = "/"))
  known <- data[!duplicated(data$image_id), ]
  sampled <- if (weight == "none") 1 else known[[paste0("weight_", weight)]]
  data$w <- 1
  for (i in which(!is.na(data$rating))) {
    there <- !is.na(data$rating) & data$cell == data$cell[i]
    raters <- sum(data$image_id[there] == data$image_id[i])
    in_sample <- known$image_id[known$cluster == data$cluster[i]]
    rated <- intersect(in_sample, data$image_id[there])
    own <- sampled[match(data$image_id[i], known$image_id)]
    total <- switch(weight,
      none = NULL, cluster = 1, corpus = data$N_h[i],
      share = data$n_h[i] * mean(sampled[match(in_sample, known$image_id)])
    )
    image <- if (weight == "none") 1 else total * own / sum(sampled[match(rated, known$image_id)])
    data$w[i] <- image / raters
  }
  data
}

# What survey says of the means of cells: their estimates and covariances.
survey_means <- function(data, ids = ~respondent_id, strata = NULL) {
  design <- survey::svydesign(
    ids = ids, strata = strata, weights = ~w, data = data, nest = !is.null(strata)
  )
  answered <- subset(design, !is.na(rating))
  fit <- suppressWarnings(survey::svyby(~rating, ~cell, answered, survey::svymean, covmat = TRUE))
  list(estimate = coef(fit), vcov = vcov(fit))
}

survey_gap <- function(fit, a, b) {
  contrast <- as.numeric(names(fit$estimate) == a) - as.numeric(names(fit$estimate) == b)
  c(sum(contrast * fit$estimate), sqrt(drop(contrast %*% fit$vcov %*% contrast)))
}

quietly <- function(code) suppressMessages(suppressWarnings(code))

# The golden tables of tests/fixtures; tools/golden-ratings.R makes them.
golden_ratings <- function() {
  ratings <- dplyr::filter(ratings_with_holes(), cluster %in% c(1:3, 200:203, 290:293))
  ratings$item <- as.character(ratings$item)
  ratings$dimension <- as.character(ratings$dimension)
  ratings
}

golden_options <- function() {
  expand.grid(
    variance = c("respondent", "two-way", "image"),
    weight = c("cluster", "corpus", "share", "none"),
    stringsAsFactors = FALSE
  )
}

# A table that the tests of both languages read.
read_golden <- function(name) {
  path <- testthat::test_path("..", "fixtures", paste0("golden-", name, ".csv"))
  tibble::as_tibble(utils::read.csv(path, na.strings = ""))
}

golden_means <- function(ratings) {
  options <- golden_options()
  quietly(dplyr::bind_rows(Map(
    \(weight, variance) plain_tibble(rating_means(ratings, weight = weight, variance = variance)),
    options$weight, options$variance
  )))
}

golden_gaps <- function(ratings) {
  options <- golden_options()
  quietly(dplyr::bind_rows(Map(
    \(weight, variance) plain_tibble(rating_gaps(ratings, weight = weight, variance = variance)),
    options$weight, options$variance
  )))
}

# A survey with everything that arguments of means and gaps can name: respondents' weights, three
# parties, an ideology of five values, gender, months of images; with images that were not rated.
golden_survey <- function() {
  withr::local_seed(23)
  clusters <- rep(1:8, c(5, 5, 4, 4, 3, 3, 2, 1))
  n_h <- tabulate(clusters)[clusters]
  images <- tibble::tibble(
    image_id = sprintf("i%02d", seq_along(clusters)), cluster = clusters,
    month = c("May", "June")[1 + seq_along(clusters) %% 2], N_h = 3L * n_h, n_h = n_h,
    weight_corpus = 3, weight_cluster = 1 / n_h,
    weight_share = 3 * sample(c(1, 2, 9), length(clusters), TRUE)
  )
  people <- tibble::tibble(
    respondent_id = sprintf("p%02d", 1:60), group = rep(c("D", "I", "R"), 20),
    ideology = sample(1:5, 60, TRUE), gender = sample(c("f", "m"), 60, TRUE),
    survey_weight = round(stats::rlnorm(60, 0, 0.5), 2)
  )
  rated <- lapply(1:60, \(i) tibble::tibble(
    people[i, ], images[sort(sample(nrow(images), 6)), ]
  ))
  rated <- dplyr::bind_rows(rated)
  effect <- stats::rnorm(8)
  ratings <- dplyr::bind_rows(lapply(c(proud = 1, angry = 2), \(i) {
    mean <- 5 + c(D = 1, I = 0, R = -1)[rated$group] * c(1, -1)[i] + effect[rated$cluster]
    tibble::tibble(
      rated,
      item = c("proud", "angry")[i], dimension = c("enthusiasm", "aversion")[i],
      rating = pmin(10, pmax(0, round(mean + stats::rnorm(nrow(rated), sd = 2))))
    )
  }))
  ratings[-seq(4, nrow(ratings), by = 37), ]
}

# Arguments of rating_means() and rating_gaps(), which the Python test repeats.
golden_survey_cases <- function() {
  options <- golden_options()
  # Every weight with every variance.
  every <- function(name = NULL, ...) {
    cases <- Map(
      \(weight, variance) list(weight = weight, variance = variance, ...),
      options$weight, options$variance
    )
    rlang::set_names(cases, vapply(
      Map(c, options$weight, options$variance, list(name)), paste, "", collapse = " "
    ))
  }
  list(
    means = c(
      every(), every("all", by = NULL, conf_level = 0.8), every("cluster", by = "cluster"),
      every("gender", by = c("group", "gender")), list(month = list(by = c("group", "month")))
    ),
    gaps = c(every(), every("change", by = c("group", "month"), change = "pairs"),
      every("change by gender", by = c("group", "gender"), change = "pairs", reference = "D"),
      every("trend", by = c("ideology", "gender"), contrasts = "trend", adjust = "BH"),
      every("months", by = "month", conf_level = 0.9), list(
      month = list(by = c("group", "month")),
      reference = list(reference = "I", adjust = "BH"),
      change = list(by = c("group", "month"), change = "pairs"),
      "change of respondents" = list(
        by = c("group", "month"), change = "pairs", weight = "share", variance = "respondent"
      ),
      "change of images" = list(
        by = c("group", "month"), change = "consecutive", variance = "image"
      ),
      "change by gender" = list(by = c("group", "gender"), change = "pairs", weight = "corpus"),
      "change of months" = list(by = c("month", "group"), change = "pairs", adjust = "none"),
      trend = list(by = "ideology", contrasts = "trend"),
      "trend of images" = list(by = "cluster", contrasts = "trend", weight = "none"),
      "trend by month" = list(by = c("ideology", "month"), contrasts = "trend", weight = "corpus"),
      "change of trend" = list(by = c("ideology", "month"), contrasts = "trend", change = "pairs"),
      "trend of gaps" = list(
        by = c("gender", "ideology"), change = "trend", variance = "respondent"
      ),
      "three columns" = list(
        by = c("group", "month", "gender"), reference = "D", change = "consecutive"
      )
    ))
  )
}

# golden_survey() with one rated image in each cluster, and two in the first ("few"), or without the
# second of these ("one").
golden_single <- function(ratings) {
  images <- dplyr::distinct(ratings, image_id, cluster)
  images <- images[order(images$image_id), ]
  kept <- c(images$image_id[!duplicated(images$cluster)], images$image_id[2])
  ratings <- ratings[ratings$image_id %in% kept, ]
  shares <- ratings$weight_share / ratings$weight_corpus
  ratings$n_h <- ifelse(ratings$cluster == 1, 2L, 1L)
  ratings$weight_cluster <- 1 / ratings$n_h
  ratings$weight_corpus <- ratings$N_h / ratings$n_h
  ratings$weight_share <- ratings$weight_corpus * shares
  few <- dplyr::bind_cols(design = "few", ratings)
  one <- ratings[ratings$image_id != images$image_id[2], ]
  one <- dplyr::mutate(one, n_h = 1L, weight_cluster = 1, weight_corpus = N_h)
  dplyr::bind_rows(few, dplyr::bind_cols(design = "one", one))
}

# Arguments of rating_means() and rating_gaps(), and covariates, which the Python test repeats.
golden_single_cases <- function() {
  options <- golden_options()[golden_options()$variance != "respondent", ]
  every <- Map(\(weight, variance) list(weight = weight, variance = variance), options$weight,
    options$variance
  )
  names(every) <- paste(options$weight, options$variance)
  list(
    means = c(every, list(month = list(by = c("group", "month")), all = list(by = NULL))),
    gaps = c(every, list(
      change = list(by = c("group", "gender"), change = "pairs"),
      trend = list(by = "ideology", contrasts = "trend"), months = list(by = "month")
    )),
    models = list(
      group = list("~ group"), moderated = list("~ group * ideology", weight = "corpus"),
      image = list("~ group * ideology + month", variance = "image"),
      clusters = list("~ group + cluster"), interaction = list("~ group * cluster")
    )
  )
}

golden_single_estimates <- function(verb, cases, single) {
  quietly(dplyr::bind_rows(lapply(unique(single$design), function(design) {
    ratings <- single[single$design == design, names(single) != "design"]
    table <- dplyr::bind_rows(lapply(names(cases), function(case) {
      given <- cases[[case]]
      of_models <- identical(verb, rating_model)
      if (of_models) given[[1]] <- stats::as.formula(given[[1]], globalenv())
      found <- do.call(verb, c(list(ratings), given, list(respondent_weight = "survey_weight")))
      found <- plain_tibble(if (of_models) tidy(found) else found)
      tibble::add_column(found, case = case, .before = 1)
    }))
    tibble::add_column(table, design = design, .before = 1)
  })))
}

golden_single_corrected <- function(single, corpus, predictions) {
  predictions$split <- "fold"
  given <- list(predictions = predictions, clustering = corpus)
  dplyr::bind_rows(
    golden_single_estimates(rating_means, list(means = given), single),
    golden_single_estimates(rating_gaps, list(gaps = given), single)
  )
}

golden_survey_estimates <- function(verb, cases, ratings) {
  quietly(dplyr::bind_rows(lapply(names(cases), function(case) {
    given <- c(list(ratings, respondent_weight = "survey_weight"), cases[[case]])
    tibble::add_column(plain_tibble(do.call(verb, given)), case = case, .before = 1)
  })))
}

# All images of the corpus from which the images of golden_survey() were drawn, and predictions of
# their ratings for each group: none of the item "angry" for an image.
golden_corpus <- function(ratings) {
  withr::local_seed(24)
  rated <- ratings[!duplicated(ratings$image_id), ]
  drawn <- tibble::tibble(
    rated[c("image_id", "cluster", "month")],
    n_shares = rated$weight_share / rated$weight_corpus
  )
  drawn <- drawn[order(drawn$image_id), ]
  sizes <- tapply(rated$N_h, rated$cluster, max)
  rest <- rep(as.integer(names(sizes)), sizes - tabulate(drawn$cluster, 8))
  dplyr::bind_rows(drawn, tibble::tibble(
    image_id = sprintf("j%02d", seq_along(rest)), cluster = rest,
    month = sample(c("May", "June"), length(rest), TRUE), n_shares = sample(1:5, length(rest), TRUE)
  ))
}

golden_predictions <- function(ratings, corpus) {
  withr::local_seed(25)
  each <- expand.grid(
    image_id = corpus$image_id, item = c("proud", "angry"), group = c("D", "I", "R"),
    stringsAsFactors = FALSE
  )
  key <- \(x) paste(x$image_id, x$item, x$group)
  means <- tapply(ratings$rating, key(ratings), mean)
  seen <- as.vector(means[key(each)])
  noise <- stats::rnorm(nrow(each), sd = 2)
  each$prediction <- round(dplyr::coalesce(seen, 5) + noise, 3)
  tibble::as_tibble(each[each$image_id != "j05" | each$item != "angry", ])
}

# Arguments of rating_means() and rating_gaps(), which the Python test repeats; `common` predictions
# are those of one group.
golden_corrected_cases <- function() {
  both <- list(
    cluster = list(), corpus = list(weight = "corpus"), share = list(weight = "share"),
    image = list(variance = "image"), respondent = list(variance = "respondent"),
    weighted = list(respondent_weight = "survey_weight"),
    month = list(by = c("group", "month"), weight = "corpus"),
    clusters = list(by = c("cluster", "group"))
  )
  common <- list(common = list(by = c("month", "group")))
  list(
    means = c(both, list(alone = list(by = NULL)), common),
    gaps = c(both, list(gender = list(by = c("group", "gender"))), common)
  )
}

golden_corrected <- function(verb, cases, ratings, corpus, predictions) {
  predictions$split <- "fold"
  quietly(dplyr::bind_rows(lapply(names(cases), function(case) {
    if (case %in% c("common", "alone")) {
      predictions <- predictions[predictions$group == "D", names(predictions) != "group"]
    }
    given <- c(list(ratings, predictions = predictions, clustering = corpus), cases[[case]])
    table <- plain_tibble(do.call(verb, given))
    tibble::add_column(table, case = case, .before = 1)
  })))
}

# Who was asked in golden_survey(): its ratings, two more images for each of its people, and
# somebody who rated nothing.
golden_packets <- function(ratings) {
  withr::local_seed(26)
  images <- dplyr::distinct(ratings, image_id, cluster, month)
  people <- dplyr::distinct(ratings, respondent_id, group)
  rated <- dplyr::distinct(ratings, respondent_id, group, image_id)
  more <- dplyr::bind_rows(lapply(seq_len(nrow(people)), function(i) {
    own <- rated$image_id[rated$respondent_id == people$respondent_id[i]]
    tibble::tibble(people[i, ], image_id = sample(setdiff(images$image_id, own), 2))
  }))
  silent <- tibble::tibble(respondent_id = "p61", group = "D", image_id = images$image_id[c(1, 9)])
  dplyr::left_join(dplyr::bind_rows(rated, more, silent), images, "image_id")
}

golden_people <- function(ratings) {
  people <- dplyr::distinct(ratings, respondent_id, ideology, gender, survey_weight)
  silent <- tibble::tibble(respondent_id = "p61", ideology = 3L, gender = "f", survey_weight = 1.2)
  dplyr::bind_rows(people, silent)
}

golden_response <- function(ratings, packets, people) {
  rates <- quietly(dplyr::bind_rows(
    response_rates(ratings, packets), response_rates(ratings, packets, c(group, month))
  ))
  weights <- quietly(response_weights(
    ratings, packets, ~ group + ideology * gender, people,
    respondent_weight = survey_weight
  ))
  kept <- c("respondent_id", "image_id", "item", "response_probability", "response_weight")
  bounds <- quietly(dplyr::bind_rows(
    response_bounds(ratings, packets), response_bounds(ratings, packets, c(group, month)),
    response_bounds(ratings, packets, of = "means", weight = "corpus", scale = c(-1, 12)),
    response_bounds(
      ratings, packets, month,
      respondent_weight = survey_weight, respondents = people
    )
  ))
  list(rates = rates, weights = weights[kept], bounds = bounds)
}

# Posts with one or two images, some of them without ratings or unknown, of authors who differ.
golden_shares <- function() {
  withr::local_seed(21)
  n <- 240
  images <- golden_share_ratings()
  image <- sample(c(images$image_id, "u1", "u2", NA), n, TRUE, prob = c(rep(1, 60), 3, 3, 4))
  author <- sample(25, n, TRUE, prob = 1 / seq_len(25))
  effect <- stats::rnorm(25)[author]
  posts <- tibble::tibble(
    post_id = sprintf("p%03d", seq_len(n)), image_id = image,
    followers = as.integer(signif(exp(5 + stats::qnorm((author - 0.5) / 25)), 2)),
    party = c("D", "R", "I")[1 + author %% 3], author = sprintf("a%02d", author)
  )
  hopeful <- dplyr::coalesce(images$hopeful[match(image, images$image_id)], 3)
  mean <- exp(0.25 * hopeful + 0.5 * log(posts$followers) - 3 + 0.4 * effect)
  posts$retweets <- stats::rnbinom(n, mu = mean, size = 1.2)
  posts$likes <- stats::rnbinom(n, mu = 2 * mean, size = 2)
  twice <- posts[seq(1, n, by = 9), ]
  twice$image_id <- sample(images$image_id, nrow(twice), TRUE)
  posts <- dplyr::bind_rows(posts, twice)
  posts$cluster <- images$cluster[match(posts$image_id, images$image_id)]
  posts[order(posts$post_id), ]
}

golden_share_ratings <- function() {
  withr::local_seed(5)
  n <- 60
  common <- stats::rnorm(n)
  tibble::tibble(
    image_id = sprintf("i%02d", seq_len(n)), hopeful = round(4 + common + stats::rnorm(n), 2),
    angry = round(3 - common + stats::rnorm(n), 2), crowd = rep(c(1, 0, 0), length.out = n),
    cluster = rep(c(1:14, -1), length.out = n), weight_corpus = rep(c(3, 5.5, 8, 1), length.out = n)
  )
}

# Arguments of share_model(), which the Python test repeats.
golden_share_cases <- function() {
  both <- cbind(retweets, likes) ~ hopeful + angry + log(followers) + party
  list(
    post = list(formula = both, reliability = c(hopeful = 0.7, angry = 0.8)),
    sandwich = list(formula = both, variance = "sandwich"),
    author = list(formula = retweets ~ hopeful * party, cluster = "author", family = "poisson"),
    exposure = list(formula = retweets ~ hopeful + crowd, exposure = "followers"),
    topic = list(formula = likes ~ hopeful + angry, unit = "image", cluster = "topic"),
    weighted = list(formula = likes ~ hopeful + log(followers), weight = "corpus"),
    image = list(
      formula = retweets ~ hopeful + angry + log(followers) + n_posts, unit = "image",
      reliability = c(hopeful = 0.7, angry = 0.8)
    ),
    each = list(formula = retweets ~ hopeful, unit = "image", exposure = "n_posts")
  )
}

golden_share_models <- function(posts, ratings) {
  posts$n_posts <- 1L
  predictors <- ratings[setdiff(names(ratings), c("cluster", "weight_corpus"))]
  cases <- golden_share_cases()
  dplyr::bind_rows(lapply(names(cases), function(case) {
    given <- c(list(linked = posts, ratings = predictors), cases[[case]])
    if (!is.null(given$weight)) given$sample <- ratings
    fit <- quietly(do.call(share_model, given))
    tables <- list(coefficients = tidy(fit), effects = tidy(fit, "effects"))
    if (!is.null(given$reliability)) tables$corrected <- tidy(fit, "corrected")
    found <- dplyr::bind_rows(tables, .id = "table")
    line <- glance(fit)[c("outcome", "theta", "logLik", "deviance", "n_posts", "n_images")]
    dplyr::left_join(tibble::add_column(found, case = case, .before = 1), line, by = "outcome")
  }))
}

# Tables for papers from the golden means and gaps, as lines of text that Python's test writes too.
paper_tables <- function() {
  one <- function(table, variance) {
    kept <- table$variance == variance & table$weight == "cluster"
    if ("adjust" %in% names(table)) kept <- kept & table$adjust == "holm"
    table[kept, ]
  }
  means <- one(read_golden("means"), "two-way")
  gaps <- one(read_golden("gaps"), "respondent")
  months <- dplyr::bind_rows(May = means, June = means, .id = "month")
  months$estimate[1:3] <- c(NA, -0.001, -2)
  tables <- list(
    rating_table(means),
    rating_table(means, level = "item", uncertainty = "standard error", digits = 3),
    rating_table(gaps, labels = c(angry = "Angry")),
    rating_table(gaps[c(1, 1, 2), ], uncertainty = "standard error"),
    rating_table(months, labels = c(June = "6")),
    rating_table(dplyr::filter(means, group == "Democrat") |> dplyr::mutate(group = NULL))
  )
  unlist(lapply(tables, function(table) {
    lines <- do.call(paste, c(plain_tibble(table), sep = " | "))
    c(attr(table, "caption"), paste(names(table), collapse = " | "), lines, attr(table, "note"), "")
  }))
}

# What the methods paragraph says of ratings, by name; Python's test has the same cases.
told_ratings <- function() {
  means <- read_golden("means")
  means <- means[means$variance == "two-way" & means$weight == "corpus", ]
  gaps <- read_golden("gaps")
  gaps <- gaps[gaps$variance == "respondent" & gaps$weight == "cluster", ]
  weighted <- dplyr::mutate(means, respondent_weight = "survey_weight", month = "May")
  weighted$method <- rep(c("sample", "corrected"), length.out = nrow(means))
  ratings <- read_golden("ratings")
  model <- quietly(rating_model(ratings, c(angry, hopeful) ~ group, variance = "respondent"))
  results <- list(
    means = means, weighted = weighted, gaps = gaps,
    adjusted = dplyr::mutate(gaps, adjust = "BH"), plain = dplyr::mutate(gaps, adjust = "none"),
    model = model
  )
  vapply(results, \(x) describe_rated(x), "")
}
