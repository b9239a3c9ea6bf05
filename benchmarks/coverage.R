# How often 95% intervals hold the truth, in simulated surveys of the shape of the published study.
# Run it in the root of the repository:  Rscript benchmarks/coverage.R [surveys]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_surveys <- asked(sized(3, 150, 1000))
respondent_sd <- c(0.5, 1.3)
sizes <- simulated_clusters$size
cluster <- rep(seq_along(sizes), sizes)

# A corpus: what each image evokes in each party, and how often it was shared.
make_corpus <- function() {
  evokes <- rnorm(length(sizes), 4, 1.25)[cluster] + rnorm(length(cluster), sd = 0.6)
  gap <- rnorm(length(sizes), 0.5, 0.5)[cluster]
  shares <- 1 + rnbinom(length(cluster), size = 0.8, mu = exp(0.3 + 0.3 * evokes))
  list(truth = cbind(D = evokes + gap / 2, R = evokes - gap / 2), shares = shares)
}

# The published rule: five images of a cluster, of small ones all but one.
first_image <- cumsum(c(0, sizes[-length(sizes)]))
draw_images <- function() {
  unlist(lapply(seq_along(sizes), \(h) {
    first_image[h] + sample.int(sizes[h], min(5, sizes[h] - 1))
  }))
}

# Images go round the respondents of a party in the order of their clusters, eight for each.
deal <- function(images, n_people) {
  turned <- rep(images, 4)[sample.int(length(images), 1) + seq_len(n_people * 8) - 1]
  list(image = turned, person = rep(sample.int(n_people), 8))
}

# How many people a party has, and which share of its images gets no rating.
scenarios <- tibble::tribble(
  ~scenario, ~people, ~empty_d, ~empty_r,
  "360 a party, none empty", 360, 0, 0,
  "one rating per image and party", 136, 0, 0,
  "10% empty at random", 360, 0.1, 0.1,
  "40% empty at random", 360, 0.4, 0.4,
  "10% empty, more often one party's", 360, 0.02, 0.18,
  "40% empty, more often one party's", 360, 0.2, 0.6,
  "one rating per image and party, 40% empty", 136, 0.4, 0.4
)

# A survey: the sampled images, and for each party the images that were rated, by whom, with a
# column of ratings for each size of the differences between people.
make_survey <- function(corpus, scenario) {
  images <- draw_images()
  sides <- lapply(c("D", "R"), function(party) {
    dealt <- deal(images, scenario$people)
    empty <- if (party == "D") scenario$empty_d else scenario$empty_r
    rated <- dealt$image %in% sample(images, round((1 - empty) * length(images)))
    dealt <- lapply(dealt, \(x) x[rated])
    feels <- rnorm(scenario$people)[dealt$person]
    answer <- corpus$truth[dealt$image, party] + rnorm(length(dealt$image), sd = 1.5)
    c(dealt, list(rating = answer + outer(feels, respondent_sd)))
  })
  list(images = images, sides = sides, people = sum(lengths(lapply(sides, \(side) {
    unique(side$person)
  }))))
}

# The same as a table for rating_means() and rating_gaps().
as_ratings <- function(survey, corpus) {
  n_h <- tabulate(cluster[survey$images], length(sizes))
  dplyr::bind_rows(lapply(1:2, \(i) dplyr::bind_rows(lapply(seq_along(respondent_sd), \(k) {
    with(survey$sides[[i]], tibble::tibble(
      respondent_id = paste0(c("D", "R")[i], person), group = c("D", "R")[i], image_id = image,
      cluster = cluster[image], n_h = n_h[cluster], item = format(respondent_sd[k]),
      rating = rating[, k], weight_cluster = 1 / n_h, weight_corpus = sizes[cluster] / n_h,
      weight_share = weight_corpus * corpus$shares[image]
    ))
  }))))
}

# The means of the corpus's clusters, and what each cluster weighs.
true_clusters <- function(corpus, weight) {
  counts <- if (weight == "share") corpus$shares else rep(1, length(cluster))
  total <- as.vector(rowsum(counts, cluster))
  list(
    mean = rowsum(corpus$truth * counts, cluster) / total,
    weight = switch(weight, cluster = rep(1, length(sizes)), corpus = sizes, share = total)
  )
}

# The truth for the clusters that a mean, or both means of a gap, are about.
truth_for <- function(clusters, rated, party) {
  sum((clusters$mean[, party] * clusters$weight)[rated]) / sum(clusters$weight[rated])
}

# The errors of a survey's means and gap, and their standard errors, by what rating_means() and
# rating_gaps() compute with: all sizes of differences at once. The verbs are compared below.
analyse <- function(survey, corpus, weight) {
  ratings <- as_ratings(survey, corpus)
  ratings <- ratings[ratings$item == ratings$item[1], ]
  rating <- do.call(rbind, lapply(survey$sides, `[[`, "rating"))
  design <- suppressMessages(design_ratings(ratings, rlang::quo(group), weight))
  design$answers$row <- seq_along(design$answers$rating)
  alike <- compare_alike(design, comparisons_of(design))
  with_ratings <- function(design) {
    design$answers$rating <- rating[design$answers$row, , drop = FALSE]
    design
  }
  rated <- lapply(survey$sides, \(side) unique(cluster[side$image]))
  both <- intersect(rated[[1]], rated[[2]])
  clusters <- true_clusters(corpus, weight)
  true_gap <- truth_for(clusters, both, "D") - truth_for(clusters, both, "R")
  results <- lapply(c("respondent", "two-way", "image"), function(variance) {
    fit <- estimate_cells(with_ratings(design), variance, shrink = FALSE)
    estimate <- as.matrix(fit$cells$estimate)
    side <- function(i, party) {
      tibble::tibble(
        what = "mean", sd = respondent_sd,
        error = estimate[i, ] - truth_for(clusters, rated[[i]], party),
        std.error = sqrt(fit$variance(i)), df = fit$cells$df[i]
      )
    }
    gap <- gaps_of_surveys(with_ratings(alike), variance)
    gaps <- tibble::tibble(
      what = "gap", sd = respondent_sd, error = gap$error - true_gap,
      std.error = gap$std.error, df = gap$df
    )
    dplyr::bind_cols(
      weight = weight, variance = variance,
      dplyr::bind_rows(side(1, "D"), side(2, "R"), gaps)
    )
  })
  dplyr::bind_rows(results)
}

# Stops where the fast way and the package's verbs do not agree.
compare_with_verbs <- function(survey, corpus) {
  ratings <- as_ratings(survey, corpus)
  for (weight in c("cluster", "corpus", "share")) {
    fast <- analyse(survey, corpus, weight)
    for (which in c("respondent", "two-way", "image")) {
      means <- suppressMessages(suppressWarnings(
        rating_means(ratings, weight = weight, variance = which)
      ))
      gaps <- suppressMessages(rating_gaps(ratings, weight = weight, variance = which))
      means <- means[order(means$group, means$item), ]
      rows <- fast[fast$variance == which, ]
      stopifnot(
        all.equal(rows$std.error, c(means$std.error, gaps$std.error)),
        all.equal(rows$df, c(means$df, gaps$df))
      )
    }
  }
}

# Means and gaps of single clusters, each against what its own images evoke.
analyse_clusters <- function(survey, corpus) {
  ratings <- as_ratings(survey, corpus)
  truth <- rowsum(corpus$truth, cluster) / as.vector(sizes)
  n_h <- tabulate(cluster[survey$images], length(sizes))
  dplyr::bind_rows(lapply(c("respondent", "two-way"), function(variance) {
    table <- function(x, what, truth) {
      tibble::tibble(
        what = what, variance = variance, sd = as.numeric(x$item), cluster = x$cluster,
        held = abs(x$estimate - truth) <= x$conf.high - x$estimate,
        width = x$conf.high - x$conf.low
      )
    }
    means <- suppressWarnings(rating_means(ratings, by = c(group, cluster), variance = variance))
    gaps <- suppressWarnings(rating_gaps(ratings, by = c(group, cluster), variance = variance))
    dplyr::bind_rows(
      table(means, "mean", truth[cbind(means$cluster, match(means$group, c("D", "R")))]),
      table(gaps, "gap", (truth[, "D"] - truth[, "R"])[gaps$cluster])
    )
  })) |>
    dplyr::mutate(images = n_h[cluster])
}

run_scenario <- function(i) {
  set.seed(i)
  found <- lapply(seq_len(n_surveys), function(n) {
    corpus <- make_corpus()
    survey <- make_survey(corpus, scenarios[i, ])
    if (n == 1) {
      compare_with_verbs(survey, corpus)
    }
    dplyr::bind_rows(lapply(c("cluster", "corpus", "share"), \(weight) {
      analyse(survey, corpus, weight)
    }))
  })
  dplyr::bind_rows(found) |>
    dplyr::group_by(weight, variance, what, sd) |>
    dplyr::summarise(
      covered = mean(abs(error) <= qt(0.975, df) * std.error),
      ratio = mean(std.error) / sqrt(mean(error^2)), bias = mean(error), .groups = "drop"
    ) |>
    dplyr::mutate(scenario = scenarios$scenario[i], .before = 1)
}

whole <- dplyr::bind_rows(lapply(seq_len(nrow(scenarios)), run_scenario))
set.seed(6)
clusters <- dplyr::bind_rows(lapply(seq_len(ceiling(n_surveys / 40)), \(i) {
  corpus <- make_corpus()
  analyse_clusters(make_survey(corpus, scenarios[1, ]), corpus)
})) |>
  dplyr::filter(!is.na(held)) |>
  dplyr::group_by(what, variance, images, sd) |>
  dplyr::summarise(covered = mean(held), width = stats::median(width), .groups = "drop")

# ---- Tables -----------------------------------------------------------------------------

pivot <- function(table, rows, column, cell) {
  table$cell <- cell
  table$column <- column
  tidyr::pivot_wider(table[c(rows, "column", "cell")], names_from = column, values_from = cell)
}
whole <- dplyr::mutate(
  whole,
  variance = factor(variance, c("two-way", "respondent", "image")),
  scenario = factor(scenario, scenarios$scenario), what = factor(what, c("mean", "gap"))
) |>
  dplyr::arrange(scenario, weight, variance, what, sd)
table <- pivot(
  dplyr::filter(whole, variance != "image" | scenario == scenarios$scenario[1]),
  c("scenario", "weight", "variance"), paste0(whole$what, ", sd ", whole$sd)[
    whole$variance != "image" | whole$scenario == scenarios$scenario[1]
  ],
  with(
    dplyr::filter(whole, variance != "image" | scenario == scenarios$scenario[1]),
    sprintf("%.1f%% (%.2f)", 100 * covered, ratio)
  )
)
clusters <- dplyr::arrange(clusters, what != "mean", images)
single <- pivot(
  clusters, c("what", "images"), paste0(clusters$variance, ", sd ", clusters$sd),
  sprintf("%.1f%% (%.1f)", 100 * clusters$covered, clusters$width)
)
write_result(
  "coverage", whole,
  shown = table, title = "How often 95% intervals hold the truth", simulations = n_surveys,
  notes = c(
    paste0(
      format(n_surveys, big.mark = ","), " simulated surveys a scenario, each of a corpus of its ",
      "own: 309 clusters of 18,096 images, 1,087 sampled, two parties, eight images each. ",
      "\"Empty\" are images without any rating of a party; the truth is then that of the clusters ",
      "that have one. sd: how much people differ in what they feel at all. In brackets: the mean ",
      "standard error as a multiple of the true one."
    ),
    paste0(
      "Standard errors that only know images (`variance = \"image\"`) fail, the more so the more ",
      "people differ."
    )
  )
)
write_result(
  "coverage_clusters", clusters,
  shown = single, title = "How often 95% intervals of single clusters hold the truth",
  notes = paste0(
    ceiling(n_surveys / 40), " simulated surveys; clusters by the number of their sampled images ",
    "(360 a party, none empty); in brackets the median width of the interval."
  )
)
