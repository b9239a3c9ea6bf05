# Bias, and how often 95% intervals of share_model() hold the true effect, in simulated posts.
# Run it in the root of the repository:  Rscript benchmarks/engagement.R [corpora]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_corpora <- asked(sized(10, 60, 500))
slopes <- c(hopeful = 0.3, angry = 0)

# Images evoke hope and anger, which are correlated. Authors differ in how much they post, in their
# followers and in how much they are retweeted; images differ in how much they are retweeted, and
# some are shown by many posts.
make_posts <- function(n_authors, n_images, n_posts) {
  common <- rnorm(n_images)
  evokes <- cbind(
    hopeful = 4 + sqrt(0.4) * common + sqrt(0.6) * rnorm(n_images),
    angry = 4 + sqrt(0.4) * common + sqrt(0.6) * rnorm(n_images)
  )
  author <- sample(n_authors, n_posts, TRUE, exp(rnorm(n_authors)))
  image <- sample(n_images, n_posts, TRUE, exp(rnorm(n_images)))
  followers <- exp(rnorm(n_authors, 8))[author]
  liking <- rnorm(n_authors, sd = 0.4)
  # Some authors like hopeful images more, so errors that ignore authors are too small.
  taste <- rnorm(n_authors, sd = 0.1)[author] * (evokes[image, "hopeful"] - 4)
  mean <- drop(evokes[image, ] %*% slopes) + 0.5 * log(followers) - 4 + taste + liking[author] +
    rnorm(n_images, sd = 0.3)[image]
  posts <- data.frame(
    post_id = as.character(seq_len(n_posts)), image_id = paste0("i", image),
    author = paste0("a", author), followers = followers, day = runif(n_authors)[author],
    retweets = rnbinom(n_posts, mu = exp(mean), size = 1)
  )
  list(posts = posts, evokes = evokes)
}

# Five people rate each image on both items. People differ in how strongly they feel anything.
rate <- function(evokes, raters = 5, each = 20) {
  n_images <- nrow(evokes)
  image <- rep(seq_len(n_images), raters)
  person <- unlist(lapply(seq_len(raters), \(r) {
    sample(rep(seq_len(ceiling(n_images / each)), length.out = n_images)) + 10000 * r
  }))
  strength <- rnorm(max(person), sd = 0.7)[person] + rnorm(length(person), sd = 0.7)
  dplyr::bind_rows(lapply(colnames(evokes), \(item) data.frame(
    respondent_id = person, image_id = paste0("i", image), item = item,
    rating = evokes[image, item] + strength + rnorm(length(person), sd = 1)
  )))
}

judge <- function(table, scenario, method) {
  rows <- table[match(names(slopes), table$term), ]
  tibble::tibble(
    scenario, method, term = names(slopes), estimate = rows$estimate, std.error = rows$std.error,
    covered = rows$conf.low < slopes & rows$conf.high > slopes
  )
}

means_of <- function(evokes) data.frame(image_id = paste0("i", seq_len(nrow(evokes))), evokes)
model <- retweets ~ hopeful + angry + log(followers)
quietly <- function(code) suppressMessages(suppressWarnings(code))

exact <- function(scenario, n_authors, methods) {
  made <- make_posts(n_authors, 300, 1000)
  dplyr::bind_rows(lapply(names(methods), function(method) {
    given <- list(linked = made$posts, formula = model, ratings = means_of(made$evokes))
    judge(quietly(do.call(share_model, c(given, methods[[method]]))), scenario, method)
  }))
}

noisy <- function(scenario) {
  made <- make_posts(200, 600, 2000)
  ratings <- rate(made$evokes)
  means <- aggregate(rating ~ image_id + item, ratings, mean)
  names(means)[3] <- "estimate"
  found <- quietly(rating_reliability(ratings))
  alone <- rlang::set_names(found$icc_average, found$item)
  known <- structure(alone, error_correlation = attr(found, "error_correlation"))
  fit <- function(reliability) {
    tidy(quietly(share_model(made$posts, model, means, reliability = reliability)), "corrected")
  }
  table <- fit(known)
  corrected <- \(table) table[table$reliability == "estimate", ]
  dplyr::bind_rows(
    judge(table[table$reliability == "none", ], scenario, "not corrected"),
    judge(corrected(table), scenario, "corrected"),
    judge(corrected(fit(alone)), scenario, "corrected, correlation of errors unknown")
  )
}

cr2 <- list("author and image, CR2" = list())
sandwich <- list("author and image, sandwich" = list(variance = "sandwich"))
author <- list("author, CR2" = list(cluster = "author"))
image <- list("image, CR2" = list(cluster = "image"))

report <- function(found) {
  n_corpora <- nrow(unique(found["corpus"]))
  table <- dplyr::summarise(
    dplyr::group_by(found, .data$scenario, .data$method, .data$term),
    bias = mean(.data$estimate) - slopes[[.data$term[1]]], covered = mean(.data$covered),
    ratio = mean(.data$std.error) / stats::sd(.data$estimate),
    .groups = "drop"
  )
  place <- unique(found[c("scenario", "method", "term")])
  table <- table[vctrs::vec_match(place, table[names(place)]), ]
  shown <- tidyr::pivot_wider(
    dplyr::transmute(
      table, .data$scenario, .data$method, .data$term,
      shown = sprintf("%+.3f, %.1f%% (%.2f)", .data$bias, 100 * .data$covered, .data$ratio)
    ),
    names_from = "term", values_from = "shown"
  )
  names(shown)[3:4] <- sprintf("%s (true %s)", names(slopes), slopes)
  write_result(
    "engagement", table,
    shown = shown, title = "Bias and coverage of share_model()", simulations = n_corpora,
    notes = paste0(
      format(n_corpora, big.mark = ","), " simulated corpora a scenario ",
      "(`benchmarks/engagement.R`). Authors post unequally often, differ in how much they are ",
      "retweeted and in how this depends on hope; images are shown unequally often. Cells: bias, ",
      "share of 95% intervals that hold the true effect, and in brackets the mean standard error ",
      "as a multiple of the true one."
    )
  )
}

set.seed(21)
found <- NULL
for (i in seq_len(n_corpora)) {
  new <- dplyr::bind_rows(
    exact("12 authors, ratings without error", 12, c(cr2, sandwich)),
    exact("40 authors, ratings without error", 40, c(cr2, sandwich, author, image)),
    noisy("200 authors, five ratings an image")
  )
  found <- dplyr::bind_rows(found, tibble::tibble(corpus = i, new))
  if (i %% 10 == 0) report(found)
}
