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

# The images of the vignette "Do evoked emotions predict sharing?", and its model.
golden_shares <- function() {
  images <- quietly(tidy(rating_means(simulated_ratings, by = image_id, weight = "none")))
  images <- dplyr::filter(images, level == "dimension")
  images <- dplyr::select(images, image_id, dimension, estimate)
  images <- tidyr::pivot_wider(images, names_from = dimension, values_from = estimate)
  images[-1] <- round(images[-1], 4)
  at <- match(images$image_id, simulated_sample$image_id)
  images$cluster <- simulated_sample$cluster[at]
  images$shares <- simulated_sample$n_shares[at] - 1L
  images[-1]
}

golden_sharing <- function(images) {
  model <- MASS::glm.nb(shares ~ enthusiasm + aversion + anxiety, images)
  tibble::tibble(
    term = names(stats::coef(model)), estimate = unname(stats::coef(model)),
    std.error = unname(sqrt(diag(sandwich::vcovCL(model, cluster = ~cluster)))),
    theta = model$theta
  )
}
