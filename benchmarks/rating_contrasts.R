# Weights of respondents, trends and changes of gaps: how biased estimates are, and how often 95%
# intervals hold the truth, in simulated surveys. Run it in the root of the repository:
# Rscript benchmarks/rating_contrasts.R [surveys per scenario]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_surveys <- asked(sized(3, 100, 400))
n_clusters <- 60
size <- 20

groups <- c(1, 2, 4)

# What the images of a corpus evoke on average in the population of three groups, which are numbers
# for the trend; half of the images of a cluster are of the first month.
make_corpus <- function() {
  cluster <- rep(seq_len(n_clusters), each = size)
  month <- rep(rep(1:2, each = size / 2), n_clusters)
  evokes <- rnorm(n_clusters, 4, 1.25)[cluster] + rnorm(length(cluster), sd = 0.8)
  gap <- rnorm(n_clusters, 0.5, 0.5)[cluster] + 0.3 * (month - 1.5)
  list(cluster = cluster, month = month, truth = evokes + outer(gap, c(0.5, 0.2, -0.5)))
}

# Six images of each cluster. People rate eight images each; those who feel less are more likely to
# take part, by `sd`, and their weights correct for it.
make_ratings <- function(corpus, people, sd) {
  drawn <- unlist(lapply(seq_len(n_clusters), \(h) (h - 1) * size + sample.int(size, 6)))
  dplyr::bind_rows(lapply(groups, function(group) {
    feels <- rnorm(people, -sd)
    # Neighbours are of one cluster: the images of a person are `people` places apart, and every
    # round through the images begins half as many places later.
    place <- seq_len(8 * people) - 1
    place <- place + (place %/% length(drawn)) * people %/% 2 + sample.int(length(drawn), 1)
    image <- drawn[place %% length(drawn) + 1]
    person <- rep(seq_len(people), 8)
    gender <- 1 + seq_len(people) %% 2
    tibble::tibble(
      respondent_id = paste0(group, "-", person), group = group, gender = gender[person],
      image_id = image, cluster = corpus$cluster[image], month = corpus$month[image],
      item = "x", survey_weight = exp(sd * feels)[person],
      rating = corpus$truth[cbind(image, match(group, groups))] + 0.8 * feels[person] +
        0.2 * (group - 2.5) * (gender[person] - 1.5) + rnorm(length(image), sd = 1.5),
      N_h = size, n_h = 6, weight_cluster = 1 / 6, weight_corpus = size / 6
    )
  }))
}

estimates <- list(
  "mean" = \(...) rating_means(..., by = group)[1, ],
  "gap" = \(...) rating_gaps(..., by = group, reference = 4)[1, ],
  "trend over three groups" = \(...) rating_gaps(..., by = group, contrasts = "trend"),
  "change of the gap over months" = \(...) {
    rating_gaps(..., by = c(group, month), reference = 4, change = "pairs")[1, ]
  },
  "change of the gap by gender" = \(...) {
    rating_gaps(..., by = c(group, gender), reference = 4, change = "pairs")[1, ]
  }
)

# The truth for the clusters that an estimate is about.
truths_of <- function(corpus, ratings) {
  rated <- function(data, unit) {
    pairs <- dplyr::distinct(data[c("cluster", unit)])
    which(tabulate(pairs$cluster, n_clusters) == max(tabulate(pairs$cluster)))
  }
  mean_of <- function(columns, clusters, months = 1:2) {
    images <- corpus$month %in% months
    means <- rowsum(corpus$truth[images, columns, drop = FALSE], corpus$cluster[images]) /
      (size / 2 * length(months))
    colMeans(means[clusters, , drop = FALSE])
  }
  first <- mean_of(1, rated(ratings[ratings$group == 1, ], "group"))
  sides <- ratings[ratings$group != 2, ]
  gap <- function(clusters, months = 1:2) {
    drop(mean_of(c(1, 3), clusters, months) %*% c(1, -1))
  }
  of_month <- function(month) {
    gap(rated(sides[sides$month == month, ], "group"), month)
  }
  all <- rated(ratings, "group")
  c(
    first, gap(rated(sides, "group")), stats::coef(stats::lm(mean_of(1:3, all) ~ groups))[[2]],
    of_month(2) - of_month(1), -0.6
  )
}

analyse <- function(corpus, ratings, variance, weighted) {
  given <- list(ratings, variance = variance)
  if (weighted) given$respondent_weight <- "survey_weight"
  found <- lapply(estimates, \(estimate) suppressMessages(suppressWarnings(
    do.call(estimate, given)
  )))
  tibble::tibble(
    estimate = names(estimates), variance = variance,
    error = vapply(found, `[[`, 0, "estimate") - truths_of(corpus, ratings),
    std.error = vapply(found, `[[`, 0, "std.error"), df = vapply(found, `[[`, 0, "df")
  )
}

scenarios <- tibble::tribble(
  ~scenario, ~people, ~sd,
  "90 a group, equal weights", 90, 0,
  "90 a group, weights of sd 1", 90, 1,
  "one rating per image and group, weights of sd .6", 45, 0.6
)

run_scenario <- function(i) {
  set.seed(i)
  surveys <- lapply(seq_len(n_surveys), function(n) {
    corpus <- make_corpus()
    ratings <- make_ratings(corpus, scenarios$people[i], scenarios$sd[i])
    dplyr::bind_rows(lapply(c("two-way", "respondent"), \(variance) {
      analyse(corpus, ratings, variance, scenarios$sd[i] > 0)
    }))
  })
  dplyr::bind_rows(surveys) |>
    dplyr::mutate(estimate = factor(estimate, names(estimates))) |>
    dplyr::group_by(estimate, variance) |>
    dplyr::summarise(
      bias = mean(error), covered = mean(abs(error) <= stats::qt(0.975, df) * std.error),
      ratio = mean(std.error) / stats::sd(error), .groups = "drop"
    ) |>
    dplyr::mutate(scenario = scenarios$scenario[i], .before = 1)
}

# Three ways to use the weights of respondents, for one group: divided within images, divided within
# clusters, and as a product.
compare_weights <- function(people, times) {
  errors <- replicate(times, {
    sizes <- sample(c(1, 2, 4, 5, 5, 5, 5), n_clusters, TRUE)
    cluster <- rep(seq_len(n_clusters), sizes)
    means <- rnorm(n_clusters, sd = 1.25)
    evokes <- means[cluster] + rnorm(length(cluster), sd = 0.8)
    feels <- rnorm(people, -0.8)
    image <- rep(seq_along(cluster), 50)[sample.int(length(cluster), 1) + seq_len(8 * people) - 1]
    person <- rep(sample.int(people), 8)
    rating <- evokes[image] + 0.8 * feels[person] + rnorm(length(image), sd = 1.5)
    own <- exp(0.8 * feels)[person]
    rated <- tabulate(cluster[unique(image)], n_clusters)
    of_image <- 1 / rated[cluster[image]]
    product <- of_image / tabulate(image)[image] * own
    weights <- list(
      none = product / own, image = of_image * own / stats::ave(own, image, FUN = sum),
      cluster = product / stats::ave(product, cluster[image], FUN = sum), product = product
    )
    truth <- mean(means[rated > 0])
    vapply(weights, \(weight) sum(weight * rating) / sum(weight) - truth, 0)
  })
  tibble::tibble(
    respondents = people, weights = rownames(errors), bias = rowMeans(errors),
    rmse = sqrt(rowMeans(errors^2))
  )
}

n_weighted <- sized(20, 2000)
set.seed(1)
ways <- dplyr::bind_rows(lapply(c(28, 90, 270), compare_weights, n_weighted))
found <- dplyr::bind_rows(lapply(seq_len(nrow(scenarios)), run_scenario))

# ---- Tables -----------------------------------------------------------------------------

ways$weights <- c(
  none = "no weights", image = "divided within images", cluster = "divided within clusters",
  product = "product (ours)"
)[ways$weights]
table <- tidyr::pivot_wider(
  dplyr::mutate(
    found, cell = sprintf("%.1f%% (%.2f)", 100 * covered, ratio), bias = sprintf("%.3f", bias)
  )[c("scenario", "estimate", "bias", "variance", "cell")],
  names_from = variance, values_from = cell
)
write_result(
  "rating_weights", ways,
  title = "Three ways to use respondents' weights", digits = 2,
  counts = list(simulations = n_weighted),
  notes = paste(
    format(n_weighted, big.mark = ","), "simulated surveys in each row: 60 clusters with one to",
    "five sampled images, eight images per respondent; people who feel less are more likely to",
    "take part. Bias and root mean squared error."
  )
)
write_result(
  "rating_contrasts", found,
  shown = table, title = "Trends and changes of gaps", simulations = n_surveys,
  notes = paste(
    n_surveys, "simulated surveys per scenario, each with a corpus of its own (60 clusters of 20",
    "images, six of each sampled, three groups of respondents, eight images each). Coverage of",
    "95% intervals; in brackets, the mean standard error as a multiple of the true one."
  )
)
