# Bias, and how often 95% intervals of share_model() hold the true effect, in simulated posts.
# Run it in the root of the repository:  Rscript benchmarks/engagement.R [corpora]

pkgload::load_all(quiet = TRUE)

n_corpora <- as.integer(c(commandArgs(TRUE), 500)[1])
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

exact <- function(scenario, n_authors, n_images, n_posts) {
  made <- make_posts(n_authors, n_images, n_posts)
  fit <- \(...) tidy(quietly(share_model(made$posts, model, means_of(made$evokes), ...)))
  dplyr::bind_rows(
    judge(fit(), scenario, "author and image, CR2"),
    judge(fit(variance = "sandwich"), scenario, "author and image, sandwich"),
    judge(fit(cluster = "author"), scenario, "author, CR2"),
    judge(fit(cluster = "image"), scenario, "image, CR2"),
    judge(fit(family = "poisson"), scenario, "Poisson, author and image, CR2")
  )
}

noisy <- function(scenario, n_authors, n_images, n_posts, unit) {
  made <- make_posts(n_authors, n_images, n_posts)
  ratings <- rate(made$evokes)
  means <- aggregate(rating ~ image_id + item, ratings, mean)
  names(means)[3] <- "estimate"
  reliability <- quietly(rating_reliability(ratings))
  alone <- reliability
  attr(alone, "error_correlation") <- NULL
  fit <- function(reliability) {
    fit <- quietly(share_model(made$posts, model, means, unit = unit, reliability = reliability))
    tidy(fit, "corrected")
  }
  table <- fit(reliability)
  dplyr::bind_rows(
    judge(table[table$reliability == "none", ], scenario, "not corrected"),
    judge(table[table$reliability == "estimate", ], scenario, "corrected"),
    judge(table[table$reliability == "low", ], scenario, "corrected, lower end of reliability"),
    judge(table[table$reliability == "high", ], scenario, "corrected, upper end of reliability"),
    judge(
      dplyr::filter(fit(alone), .data$reliability == "estimate"), scenario,
      "corrected, correlation of errors unknown"
    )
  )
}

set.seed(21)
started <- Sys.time()
found <- dplyr::bind_rows(lapply(seq_len(n_corpora), function(i) {
  dplyr::bind_rows(
    exact("12 authors", 12, 300, 1000),
    exact("40 authors", 40, 300, 1000),
    exact("200 authors", 200, 600, 2000),
    noisy("200 authors, five ratings an image", 200, 600, 2000, "post"),
    noisy("images, five ratings an image", 200, 600, 2000, "image")
  )
}))
minutes <- as.double(Sys.time() - started, units = "mins")

table <- dplyr::summarise(
  dplyr::group_by(found, .data$scenario, .data$method, .data$term),
  bias = mean(.data$estimate) - slopes[[.data$term[1]]],
  covered = mean(.data$covered), ratio = mean(.data$std.error) / stats::sd(.data$estimate),
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
machine <- paste0("R ", getRversion(), ", ", round(minutes, 1), " minutes of one core")
text <- c(
  "# Bias and coverage of share_model()", "",
  paste0(
    format(n_corpora, big.mark = ","), " simulated corpora a scenario (`benchmarks/engagement.R`). ",
    "Authors post unequally often, differ in how much they are retweeted and in how this depends ",
    "on hope; images are shown unequally often. Cells: bias, share of 95% intervals that hold the ",
    "true effect, and in brackets the mean standard error as a multiple of the true one. Chance ",
    sprintf(
      "alone makes %.1f to %.1f%% of 95%%.", 100 * (0.95 - 1.96 * sqrt(0.95 * 0.05 / n_corpora)),
      100 * (0.95 + 1.96 * sqrt(0.95 * 0.05 / n_corpora))
    )
  ), "",
  knitr::kable(shown, format = "pipe"), "",
  "- Errors by author or by image alone are too small where posts share both.",
  paste0(
    "- Ratings by five people (reliability about 0.7, correlation of errors about 0.5) bias the ",
    "effect towards zero. The correction recovers it, if the correlation of errors is known, as ",
    "`rating_reliability()` returns it; without it, the wrong item has an effect."
  ),
  "", paste0("Measured with ", machine, ".")
)
folder <- Sys.getenv("IMAGESTRATA_RESULTS", file.path("benchmarks", "results"))
writeLines(text, file.path(folder, "engagement.md"))
jsonlite::write_json(
  list(machine = machine, corpora = n_corpora, results = table),
  file.path(folder, "engagement.json"), pretty = TRUE, auto_unbox = TRUE, digits = 4
)
writeLines(text)
