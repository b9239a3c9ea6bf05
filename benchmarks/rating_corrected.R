# How often 95% intervals of corrected means and gaps of ratings hold the truth, and how wide they
# are, in simulated corpora. Run it in the root of the repository:
# Rscript benchmarks/rating_corrected.R [corpora]

pkgload::load_all(quiet = TRUE)

n_corpora <- as.integer(c(commandArgs(TRUE), 500)[1])
sizes <- c(rep(20, 8), rep(60, 8), rep(150, 6), 300, 400)
cluster <- rep(seq_along(sizes), sizes)
n_images <- length(cluster)
people_per_round <- sum(pmin(5, sizes)) / 8

# What images evoke in two groups, and what two machines predict for each group. The good one is
# wrong by a shift, which differs between clusters and groups; the useless one knows nothing.
make_corpus <- function() {
  common <- rnorm(length(sizes), 4, 1.25)[cluster] + rnorm(n_images, sd = 1)
  gap <- rnorm(length(sizes), 0.5, 0.5)[cluster] + rnorm(n_images, sd = 0.5)
  truth <- cbind(D = common + gap / 2, R = common - gap / 2)
  predictions <- lapply(c("D", "R"), function(group) {
    shift <- rnorm(length(sizes), if (group == "D") 1 else 0.4, 0.3)[cluster]
    right <- truth[, group] + shift
    values <- cbind(
      good = right + rnorm(n_images, sd = 0.5),
      useless = rnorm(n_images, 5, 1.5)
    )
    tibble::tibble(
      image_id = rep(as.character(seq_len(n_images)), 2), group = group,
      item = rep(colnames(values), each = n_images), prediction = as.vector(values),
      split = NA_character_
    )
  })
  list(truth = truth, predictions = dplyr::bind_rows(predictions))
}

# Five images of each cluster, each rated by `n_raters` people of each group. People rate eight
# images, no two of them of one cluster, and differ in how much they feel in general.
make_ratings <- function(corpus, n_raters) {
  drawn <- unlist(lapply(seq_along(sizes), \(h) sample(which(cluster == h), 5)))
  dplyr::bind_rows(lapply(c("D", "R"), function(group) {
    dplyr::bind_rows(lapply(seq_len(n_raters), function(round) {
      person <- (seq_along(drawn) - 1) %% people_per_round + 1
      feels <- rnorm(people_per_round, sd = 0.8)[person]
      rating <- corpus$truth[drawn, group] + feels + rnorm(length(drawn), sd = 1.3)
      tibble::tibble(
        respondent_id = paste0(group, round, "-", person), group = group,
        image_id = as.character(drawn), cluster = cluster[drawn], rating = rating,
        N_h = sizes[cluster], n_h = 5, weight_cluster = 1 / 5, weight_corpus = N_h / 5
      )
    }))
  }))
}

truth_of <- function(corpus, weight) {
  of_clusters <- colMeans(rowsum(corpus$truth, cluster) / sizes)
  if (weight == "corpus") colMeans(corpus$truth) else of_clusters
}

frame <- tibble::tibble(image_id = as.character(seq_len(n_images)), cluster = cluster)
machines <- c("good", "useless")

one_corpus <- function(i) {
  corpus <- make_corpus()
  # The same predictions for both groups: those for one of them.
  common <- corpus$predictions[corpus$predictions$group == "D", ]
  common$group <- NULL
  dplyr::bind_rows(lapply(c(1, 3), function(n_raters) {
    # The same ratings for both machines.
    ratings <- make_ratings(corpus, n_raters)
    ratings <- dplyr::bind_rows(lapply(machines, \(item) dplyr::mutate(ratings, item = item)))
    kept <- c("item", "method", "estimate", "std.error", "conf.low", "conf.high")
    dplyr::bind_rows(lapply(c("cluster", "corpus"), function(weight) {
      means <- rating_means(
        ratings,
        weight = weight, predictions = common, clustering = frame
      )
      gaps <- rating_gaps(
        ratings,
        weight = weight, predictions = corpus$predictions, clustering = frame
      )
      truth <- truth_of(corpus, weight)
      rows <- dplyr::bind_rows(
        dplyr::mutate(
          plain_tibble(means)[c(kept, "group", "lambda")],
          what = "mean", truth = truth[.data$group]
        ),
        dplyr::mutate(plain_tibble(gaps)[kept], what = "gap", truth = truth[["D"]] - truth[["R"]])
      )
      if (weight == "corpus") {
        within <- rowsum(corpus$truth, cluster) / sizes
        single <- plain_tibble(rating_means(
          ratings[ratings$group == "D", ],
          by = "cluster", predictions = common, clustering = frame
        ))
        rows <- dplyr::bind_rows(rows, dplyr::mutate(
          single[c(kept, "cluster", "lambda")],
          what = "mean of a cluster", truth = within[.data$cluster, "D"]
        ))
      }
      dplyr::mutate(rows, weight = weight, raters = n_raters)
    }))
  }))
}

set.seed(23)
results <- dplyr::bind_rows(lapply(seq_len(n_corpora), one_corpus))
results$weight[results$what == "mean of a cluster"] <- ""
table <- results |>
  dplyr::group_by(.data$what, .data$weight, .data$raters, .data$item, .data$method) |>
  dplyr::summarise(
    holds = 100 * mean(.data$conf.low <= .data$truth & .data$truth <= .data$conf.high),
    bias = mean(.data$estimate - .data$truth), spread = stats::sd(.data$estimate - .data$truth),
    error = mean(.data$std.error), width = stats::median(.data$conf.high - .data$conf.low),
    lambda = mean(.data$lambda),
    .groups = "drop"
  )
of <- function(method) table[table$method == method, ]
sample <- of("sample")
corrected <- of("corrected")
by_machine <- of("machine")
shown <- tibble::tibble(
  of = sample$what, weight = sample$weight, raters = sample$raters, machine = sample$item,
  `machine holds` = by_machine$holds, `sample holds` = sample$holds,
  `corrected holds` = corrected$holds, bias = corrected$bias,
  `error / spread` = corrected$error / corrected$spread, lambda = corrected$lambda,
  width = corrected$width / sample$width, spread = corrected$spread / sample$spread
)
place <- match(shown$of, c("mean", "gap", "mean of a cluster"))
shown <- shown[order(place, shown$weight, shown$raters, shown$machine), ]
digits <- c(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2)
text <- c(
  "# Intervals of corrected means and gaps of ratings", "",
  knitr::kable(shown, format = "pipe", digits = digits), "",
  paste0(
    "- ", format(n_corpora, big.mark = ","), " simulated corpora of ",
    format(n_images, big.mark = ","), " images in ", length(sizes),
    " clusters, of which five images each are rated by one or three people of two groups, each of ",
    "whom rates eight images. Percent of 95% intervals that hold the truth; two means per corpus, ",
    "and ", length(sizes), " means of clusters."
  ),
  paste(
    "- The good machine is wrong by a shift, which differs between clusters and groups, and by 0.5",
    "for each image (a standard deviation), where images of a cluster differ by 1; the useless one",
    "draws numbers. Means use the predictions for one group, gaps those for each."
  ),
  paste(
    "- Error / spread: the mean standard error of corrected estimates divided by their standard",
    "deviation. Width and spread: the median width of the corrected intervals, and the standard",
    "deviation of the estimates, divided by those of the sample."
  ),
  "",
  paste0("Measured once with R ", getRversion(), " on one core: `benchmarks/rating_corrected.R`.")
)
folder <- file.path("benchmarks", "results")
writeLines(text, file.path(folder, "rating_corrected.md"))
jsonlite::write_json(shown, file.path(folder, "rating_corrected.json"), pretty = TRUE, digits = 4)
writeLines(text)
