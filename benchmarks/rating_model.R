# How often 95% intervals of rating_model() hold the truth, in simulated studies.
# Run it in the root of the repository:  Rscript benchmarks/rating_model.R [studies]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_studies <- asked(sized(3, 100, 500))
set.seed(1)

# 80 clusters, of which one, three or five images are sampled. Images of a cluster differ, the gap
# between the groups differs between clusters, and respondents differ by `sd`. Ideology goes with
# the group, and age with ideology. The truth is the mean over clusters.
size <- rep(c(1, 3, 5), length.out = 80)
cluster <- rep(seq_along(size), size)
gap <- 0.5 + (seq_along(size) %% 5 - 2) / 4
truth <- c(groupR = mean(gap), ideology = 0.1, age = 0.1, `groupR:ideology` = 0.1)
images <- tibble::tibble(
  image_id = sprintf("i%03d", seq_along(cluster)), cluster = cluster, n_h = size[cluster],
  N_h = 20, weight_cluster = 1 / n_h
)

make_study <- function(people, raters, sd) {
  evokes <- rnorm(length(size), 5)[cluster] + rnorm(length(cluster), sd = 0.6)
  sides <- lapply(1:2, function(side) {
    ideology <- pmin(pmax(round(rnorm(people, c(3, 5)[side], 1.3)), 1), 7) - 4
    age <- pmin(pmax(rnorm(people, 4.5 + 0.2 * ideology, 1.5), 1.8), 8.5)
    feels <- rnorm(people, sd = sd)
    # Images, in a random order, go round the respondents of a group; every round begins with
    # another respondent.
    image <- rep(sample(seq_along(cluster)), raters)
    round <- rep(seq_len(raters), each = length(cluster))
    person <- sample.int(people)[(seq_along(image) - 1 + 7 * round) %% people + 1]
    rating <- evokes[image] + feels[person] + (side == 2) * gap[cluster[image]] +
      0.1 * side * ideology[person] + 0.1 * age[person] + rnorm(length(image), sd = 1.2)
    tibble::tibble(
      respondent_id = paste0(c("D", "R")[side], person), group = c("D", "R")[side],
      images[image, ], ideology = ideology[person], age = age[person], item = "angry",
      rating = rating
    )
  })
  dplyr::bind_rows(sides)
}

# One study by both variances.
analyse <- function(ratings) {
  model <- rating_model(ratings, ~ group * ideology + age)
  dplyr::bind_rows(lapply(c("two-way", "respondent"), function(variance) {
    model$variance <- variance
    model$fits <- fit_design_models(model)
    table <- coefficients_of(model, 1)[-1, ]
    tibble::tibble(
      variance = variance, term = table$term, error = table$estimate - truth[table$term],
      std.error = table$std.error, df = table$df,
      held = abs(.data$error) <= qt(0.975, .data$df) * .data$std.error
    )
  }))
}

settings <- expand.grid(sd = c(0.3, 1), raters = c(1, 3), people = c(15, 40, 100))[
  c(1, 2, 4, 5, 6, 8, 9, 10),
]

measure <- function(i) {
  setting <- settings[i, ]
  found <- suppressMessages(suppressWarnings(dplyr::bind_rows(lapply(
    seq_len(n_studies), \(j) analyse(make_study(setting$people, setting$raters, setting$sd))
  ))))
  table <- dplyr::summarise(
    dplyr::group_by(found, .data$variance, .data$term),
    coverage = mean(.data$held), ratio = mean(.data$std.error) / sd(.data$error),
    df = stats::median(.data$df), .groups = "drop"
  )
  tibble::tibble(setting[rep(1, nrow(table)), 3:1], table)
}

as_wide <- function(table) {
  table$cell <- sprintf("%.1f%% (%.2f)", 100 * table$coverage, table$ratio)
  wide <- tidyr::pivot_wider(
    table[c("people", "raters", "sd", "variance", "term", "cell")],
    names_from = "term", values_from = "cell"
  )
  wide <- wide[c("people", "raters", "sd", "variance", names(truth))]
  names(wide)[1:3] <- c("respondents a group", "raters an image", "sd of respondents")
  wide
}

results <- dplyr::bind_rows(lapply(seq_len(nrow(settings)), measure))
rows <- dplyr::transmute(
  results, `respondents a group` = .data$people, `raters an image` = .data$raters,
  `sd of respondents` = .data$sd, .data$variance, .data$term, covers = 100 * .data$coverage,
  `error / spread` = .data$ratio
)
write_result(
  "rating_model", rows,
  shown = as_wide(results), simulations = n_studies,
  title = "How often 95% intervals of models of ratings hold the truth",
  notes = paste0(
    n_studies, " simulated studies a row: 80 clusters, 240 sampled images (one, three or five of ",
    "a cluster), two groups; every image is rated by one or three respondents of each group. The ",
    "model is `~ group * ideology + age` with `weight = \"cluster\"`; ideology and age differ ",
    "between respondents and go with the group. In brackets: the mean standard error as a ",
    "multiple of the true one."
  )
)
