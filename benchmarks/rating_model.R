# How often 95% intervals of rating_model() hold the truth, in simulated studies.
# Run it in the root of the repository:  Rscript benchmarks/rating_model.R [studies] [seed]

pkgload::load_all(quiet = TRUE)

arguments <- as.integer(commandArgs(TRUE))
n_studies <- c(arguments, 500)[1]
set.seed(c(arguments[-1], 1)[1])

# A corpus of clusters: what an image evokes, how the groups differ, and how much ideology matters,
# which differ between clusters as well. The truth is the mean over clusters.
make_study <- function(people, raters, sd, n_clusters) {
  size <- rep(c(1, 3, 5), length.out = n_clusters)
  cluster <- rep(seq_len(n_clusters), size)
  level <- rnorm(n_clusters, 5, 1)
  gap <- 0.5 + (seq_len(n_clusters) %% 5 - 2) / 4
  image <- level[cluster] + rnorm(length(cluster), sd = 0.6)
  images <- tibble::tibble(
    image_id = sprintf("i%04d", seq_along(cluster)), cluster = cluster, n_h = size[cluster],
    N_h = 20, weight_cluster = 1 / n_h, weight_corpus = 20 / n_h
  )
  sides <- lapply(1:2, function(side) {
    # Ideology goes with the group, and age with ideology.
    ideology <- pmin(pmax(round(rnorm(people, c(3, 5)[side], 1.3)), 1), 7)
    age <- round(pmin(pmax(rnorm(people, 45 + 2 * (ideology - 4), 15), 18), 85))
    feels <- rnorm(people, sd = sd)
    # Images go round the respondents of a group; in each round they begin with another one.
    turned <- rep(seq_along(cluster), raters)
    round <- rep(seq_len(raters), each = length(cluster))
    person <- sample.int(people)[(seq_along(turned) - 1 + 7 * round) %% people + 1]
    effect <- (side == 2) * gap[cluster[turned]] +
      (0.1 + 0.1 * (side == 2)) * (ideology[person] - 4) + 0.01 * (age[person] - 45)
    tibble::tibble(
      respondent_id = paste0(c("D", "R")[side], person), group = c("D", "R")[side],
      image_id = images$image_id[turned], ideology = ideology[person] - 4,
      age = (age[person] - 45) / 10, item = "angry",
      rating = image[turned] + feels[person] + effect + rnorm(length(turned), sd = 1.2)
    )
  })
  list(
    ratings = dplyr::left_join(dplyr::bind_rows(sides), images, "image_id"), gap = mean(gap),
    level = mean(level)
  )
}

# The coefficients of ~ group * ideology + age (per 10 years).
truth_of <- function(study) {
  c(groupR = study$gap, ideology = 0.1, age = 0.1, `groupR:ideology` = 0.1)
}

settings <- expand.grid(
  people = c(15, 40, 100), raters = c(1, 3), sd = c(0, 1), n_clusters = 80
)

analyse <- function(study, variance) {
  model <- suppressMessages(suppressWarnings(
    rating_model(study$ratings, ~ group * ideology + age, variance = variance)
  ))
  table <- tidy(model)[-1, ]
  truth <- truth_of(study)[table$term]
  tibble::tibble(
    variance = variance, term = table$term, error = table$estimate - truth,
    std.error = table$std.error, df = table$df,
    held = abs(table$estimate - truth) <= qt(0.975, table$df) * table$std.error
  )
}

run <- function(i) {
  setting <- settings[i, ]
  found <- lapply(seq_len(n_studies), function(j) {
    study <- make_study(setting$people, setting$raters, setting$sd, setting$n_clusters)
    dplyr::bind_rows(lapply(c("two-way", "respondent"), \(variance) analyse(study, variance)))
  })
  dplyr::bind_rows(found) |>
    dplyr::group_by(.data$variance, .data$term) |>
    dplyr::summarise(
      coverage = mean(.data$held, na.rm = TRUE), n = sum(!is.na(.data$held)),
      ratio = sqrt(mean(.data$std.error^2, na.rm = TRUE)) / sd(.data$error),
      df = stats::median(.data$df, na.rm = TRUE), .groups = "drop"
    ) |>
    tibble::add_column(people = setting$people, raters = setting$raters, sd = setting$sd)
}
if (sys.nframe() == 0) {
results <- dplyr::bind_rows(lapply(seq_len(nrow(settings)), run))
print(as.data.frame(tidyr::pivot_wider(results[c("people","raters","sd","variance","term","coverage","ratio","df")], names_from="term", values_from=c("coverage","ratio","df")), digits=3))
}
