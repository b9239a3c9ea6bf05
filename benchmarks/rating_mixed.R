# How often 95% intervals of the mixed models of rating_model() hold the truth, for both targets.
# Run it in the root of the repository:  Rscript benchmarks/rating_mixed.R [studies]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_studies <- asked(sized(3, 200, 500))
set.seed(1)

# Clusters with three images. Images of a cluster differ, the gap between the groups differs between
# clusters, and respondents differ; all of these are drawn anew in each study. Ideology goes with
# the group, and age with ideology.
truth <- c(groupR = 0.5, ideology = 0.1, age = 0.1, `groupR:ideology` = 0.1)

make_study <- function(clusters, people, raters = 2) {
  cluster <- rep(seq_len(clusters), each = 3)
  evokes <- rnorm(clusters, 5)[cluster] + rnorm(length(cluster), sd = 0.6)
  differs <- rnorm(clusters, sd = 0.5)[cluster]
  sides <- lapply(1:2, function(side) {
    ideology <- pmin(pmax(round(rnorm(people, c(3, 5)[side], 1.3)), 1), 7) - 4
    age <- pmin(pmax(rnorm(people, 4.5 + 0.2 * ideology, 1.5), 1.8), 8.5)
    feels <- rnorm(people, sd = 0.7)
    # Images, in a random order, go round the respondents of a group; every round begins with
    # another respondent.
    image <- rep(sample(seq_along(cluster)), raters)
    round <- rep(seq_len(raters), each = length(cluster))
    person <- sample.int(people)[(seq_along(image) - 1 + 7 * round) %% people + 1]
    expected <- evokes[image] + (side == 2) * (truth[["groupR"]] + differs[image]) +
      0.1 * side * ideology[person] + 0.1 * age[person]
    tibble::tibble(
      respondent_id = paste0(c("D", "R")[side], person), group = c("D", "R")[side],
      image_id = sprintf("i%03d", image), cluster = cluster[image], n_h = 3, N_h = 20,
      weight_cluster = 1 / 3, ideology = ideology[person], age = age[person], item = "angry",
      expected = expected,
      rating = expected + feels[person] + rnorm(length(image), sd = 1.2)
    )
  })
  dplyr::bind_rows(sides)
}

# What the coefficients of these images are: the weighted regression of what the average
# respondent with such covariates answers.
truth_of_images <- function(ratings, rows) {
  place <- vctrs::vec_match(
    rows[c("respondent_id", "image_id")], ratings[c("respondent_id", "image_id")]
  )
  fit <- stats::lm(
    expected ~ group * ideology + age, ratings[place, ],
    weights = rows$weight
  )
  stats::coef(fit)[names(truth)]
}

analyse <- function(ratings) {
  dplyr::bind_rows(lapply(c("images like these", "these images"), function(target) {
    model <- rating_model(
      ratings, ~ group * ideology + age,
      method = "mixed", target = target
    )
    table <- tidy(model)[-1, ]
    true <- if (target == "these images") truth_of_images(ratings, augment(model)) else truth
    error <- table$estimate - true[table$term]
    tibble::tibble(
      target = target, term = table$term, error = error, std.error = table$std.error,
      held = table$conf.low <= true[table$term] & true[table$term] <= table$conf.high
    )
  }))
}

settings <- expand.grid(people = c(15, 60), clusters = c(15, 40))

measure <- function(i) {
  setting <- settings[i, ]
  found <- suppressMessages(suppressWarnings(dplyr::bind_rows(lapply(
    seq_len(n_studies), \(j) analyse(make_study(setting$clusters, setting$people))
  ))))
  table <- dplyr::summarise(
    dplyr::group_by(found, .data$target, .data$term),
    coverage = mean(.data$held),
    ratio = sqrt(mean(.data$std.error^2) / mean(.data$error^2)), .groups = "drop"
  )
  tibble::tibble(setting[rep(1, nrow(table)), 2:1], table)
}

as_wide <- function(table) {
  table$cell <- sprintf("%.1f%% (%.2f)", 100 * table$coverage, table$ratio)
  wide <- tidyr::pivot_wider(
    table[c("clusters", "people", "target", "term", "cell")],
    names_from = "term", values_from = "cell"
  )
  wide <- wide[c("clusters", "people", "target", names(truth))]
  names(wide)[2] <- "respondents a group"
  wide
}

results <- dplyr::bind_rows(lapply(seq_len(nrow(settings)), measure))
rows <- dplyr::transmute(
  results, .data$clusters,
  `respondents a group` = .data$people, .data$target, .data$term,
  covers = 100 * .data$coverage, `error / spread` = .data$ratio
)
write_result(
  "rating_mixed", rows,
  shown = as_wide(results), simulations = n_studies, packages = c("lme4", "lmerTest"),
  title = "How often 95% intervals of mixed models of ratings hold the truth",
  notes = paste0(
    n_studies, " simulated studies a row: clusters with three images, two groups; every image is ",
    "rated by two respondents of each group. Effects of clusters, images and respondents, and of ",
    "groups in clusters, are drawn anew in each study. The model is `rating_model(~ group * ",
    "ideology + age, method = \"mixed\")`. For images like these the truth is that of all ",
    "clusters and images that could be drawn; for these images, that of those drawn. In brackets: ",
    "the standard error as a multiple of the true one (root mean squares)."
  )
)
