# How often 95% intervals of corrected means and gaps of ratings hold the truth, and how wide they
# are, in simulated corpora. Run it in the root of the repository:
# Rscript benchmarks/rating_corrected.R [corpora]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_corpora <- asked(sized(4, 100, 500))
sizes <- c(rep(20, 8), rep(60, 8), rep(150, 6), 300, 400)
cluster <- rep(seq_along(sizes), sizes)
n_images <- length(cluster)
n_items <- n_corpora
items <- sprintf("corpus %04d", seq_len(n_items))
people_per_round <- sum(pmin(5, sizes)) / 8

# Every item is a corpus of its own: what its images evoke in two groups, and what a machine
# predicts for each group. The good machine is wrong by a shift, which differs between clusters and
# groups; the useless one knows nothing. Images of a cluster are interchangeable, so that the first
# five of each are a random sample.
draw <- function(n, sd) matrix(rnorm(n * n_items, sd = sd), n)
make_corpora <- function(machine) {
  common <- 4 + draw(length(sizes), 1.25)[cluster, ] + draw(n_images, 1)
  gap <- 0.5 + draw(length(sizes), 0.5)[cluster, ] + draw(n_images, 0.5)
  truth <- list(D = common + gap / 2, R = common - gap / 2)
  predicted <- lapply(c(D = "D", R = "R"), function(group) {
    shift <- if (group == "D") 1 else 0.4
    if (machine == "useless") {
      return(5 + draw(n_images, 1.5))
    }
    truth[[group]] + shift + draw(length(sizes), 0.3)[cluster, ] + draw(n_images, 0.5)
  })
  list(truth = truth, predicted = predicted)
}

as_predictions <- function(corpora) {
  dplyr::bind_rows(lapply(c("D", "R"), \(group) tibble::tibble(
    image_id = rep(as.character(seq_len(n_images)), n_items),
    item = rep(items, each = n_images), prediction = as.vector(corpora$predicted[[group]]),
    split = NA_character_, group = group
  )))
}

# Five images of each cluster, each rated by `n_raters` people of each group. People rate eight
# images, no two of them of one cluster, and differ in how much they feel in general.
make_ratings <- function(corpora, n_raters) {
  drawn <- as.vector(t(outer(cumsum(c(0, sizes[-length(sizes)])), 1:5, "+")))
  dplyr::bind_rows(lapply(c("D", "R"), function(group) {
    dplyr::bind_rows(lapply(seq_len(n_raters), function(round) {
      person <- (seq_along(drawn) - 1) %% people_per_round + 1
      rating <- corpora$truth[[group]][drawn, ] + draw(people_per_round, 0.8)[person, ] +
        draw(length(drawn), 1.3)
      n_h <- 5
      of <- cluster[drawn]
      tibble::tibble(
        respondent_id = rep(paste0(group, round, "-", person), n_items), group = group,
        image_id = rep(as.character(drawn), n_items), cluster = rep(of, n_items),
        item = rep(items, each = length(drawn)), rating = as.vector(rating),
        N_h = rep(sizes[of], n_items), n_h = n_h, weight_cluster = 1 / n_h,
        weight_corpus = N_h / n_h
      )
    }))
  }))
}

truth_of <- function(truth, weight) {
  if (weight == "corpus") colMeans(truth) else colMeans(rowsum(truth, cluster) / sizes)
}

frame <- tibble::tibble(image_id = as.character(seq_len(n_images)), cluster = cluster)
kept <- c("item", "method", "estimate", "std.error", "conf.low", "conf.high")

simulate <- function(machine, n_raters) {
  corpora <- make_corpora(machine)
  ratings <- make_ratings(corpora, n_raters)
  each <- as_predictions(corpora)
  common <- each[each$group == "D", names(each) != "group"]
  rows <- lapply(c("cluster", "corpus"), function(weight) {
    means <- rating_means(
      ratings[ratings$group == "D", ],
      by = NULL, weight = weight, predictions = common, clustering = frame
    )
    gaps <- rating_gaps(ratings, weight = weight, predictions = each, clustering = frame)
    truth <- lapply(corpora$truth, truth_of, weight)
    at <- \(table) match(table$item, items)
    dplyr::bind_rows(
      dplyr::mutate(
        plain_tibble(means)[c(kept, "lambda")],
        what = "mean", weight = weight, truth = truth$D[at(means)]
      ),
      dplyr::mutate(
        plain_tibble(gaps)[c(kept, "lambda")],
        what = "gap", weight = weight, truth = (truth$D - truth$R)[at(gaps)]
      )
    )
  })
  some <- items[seq_len(min(n_items, 50))]
  single <- rating_means(
    ratings[ratings$group == "D" & ratings$item %in% some, ],
    by = "cluster", predictions = common, clustering = frame
  )
  within <- rowsum(corpora$truth$D, cluster) / sizes
  rows <- c(rows, list(dplyr::mutate(
    plain_tibble(single)[c(kept, "lambda")],
    what = "mean of a cluster", weight = "",
    truth = within[cbind(single$cluster, match(single$item, items))]
  )))
  dplyr::mutate(dplyr::bind_rows(rows), machine = machine, raters = n_raters)
}

set.seed(23)
results <- dplyr::bind_rows(lapply(c("good", "useless"), function(machine) {
  dplyr::bind_rows(lapply(c(1, 3), \(n_raters) simulate(machine, n_raters)))
}))
table <- results |>
  dplyr::group_by(.data$what, .data$weight, .data$raters, .data$machine, .data$method) |>
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
  of = sample$what, weight = sample$weight, raters = sample$raters, machine = sample$machine,
  `machine holds` = by_machine$holds, `sample holds` = sample$holds,
  `corrected holds` = corrected$holds, bias = corrected$bias,
  `error / spread` = corrected$error / corrected$spread, lambda = corrected$lambda,
  width = corrected$width / sample$width, spread = corrected$spread / sample$spread
)
place <- match(shown$of, c("mean", "gap", "mean of a cluster"))
shown <- shown[order(place, shown$weight, shown$raters, shown$machine), ]
digits <- c(0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2)
write_result(
  "rating_corrected", shown,
  title = "Intervals of corrected means and gaps of ratings", digits = digits,
  simulations = n_corpora,
  notes = c(
    paste0(
      format(n_corpora, big.mark = ","), " simulated corpora of ",
      format(n_images, big.mark = ","), " images in ", length(sizes),
      " clusters, of which five images each are rated by one or three people of two groups, each ",
      "of whom rates eight images. Percent of 95% intervals that hold the truth. Means of single ",
      "clusters are those of ", min(50, n_corpora), " corpora."
    ),
    paste(
      "The good machine is wrong by a shift, which differs between clusters and groups, and by 0.5",
      "for each image (a standard deviation), where images of a cluster differ by 1; the useless",
      "one draws numbers. Means use the predictions for the group, gaps those for each."
    ),
    paste(
      "Error / spread: the mean standard error of corrected estimates divided by their standard",
      "deviation. Width and spread: the median width of the corrected intervals, and the standard",
      "deviation of the estimates, divided by those of the sample."
    )
  )
)
