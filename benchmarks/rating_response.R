# Means and gaps of ratings if answers are missing at random given covariates: of the given answers,
# with response weights, and if everybody had answered. Run it in the root of the repository:
# Rscript benchmarks/rating_response.R [surveys]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_surveys <- asked(sized(3, 60, 300))
n_clusters <- 40
truth <- c(D = 5, R = 4.5)

# Respondents of two groups differ in x, on which depend what they feel and whether they answer.
# Unpleasant clusters, with low means, are skipped more often. About a third of the answers are
# missing.
make_survey <- function(n_images, n_raters) {
  cluster <- rep(seq_len(n_clusters), each = n_images)
  evokes <- rnorm(n_clusters)
  evokes <- evokes - mean(evokes)
  effect <- evokes[cluster] + rnorm(length(cluster), sd = 0.6)
  dplyr::bind_rows(lapply(names(truth), function(group) {
    dplyr::bind_rows(lapply(seq_len(n_raters), function(round) {
      n_people <- length(cluster) / 8
      person <- (seq_along(cluster) - 1) %% n_people + 1
      x <- rnorm(n_people)
      feels <- (-0.6 * x + rnorm(n_people, sd = 0.5))[person]
      slope <- if (group == "D") 1.2 else 0.6
      p <- plogis(1 - slope * x[person] + 0.5 * evokes[cluster])
      tibble::tibble(
        respondent_id = paste0(group, round, "-", person), group = group, x = x[person],
        image_id = as.character(seq_along(cluster)), cluster = cluster, item = "angry",
        rating = truth[group] + effect + feels + rnorm(length(cluster)),
        answered = runif(length(cluster)) < p, n_h = n_images,
        weight_cluster = 1 / n_images, weight_corpus = 50 / n_images
      )
    }))
  }))
}

one_survey <- function(n_images, n_raters) {
  asked <- make_survey(n_images, n_raters)
  packets <- asked[c("respondent_id", "group", "image_id", "cluster")]
  people <- dplyr::distinct(asked, .data$respondent_id, .data$x)
  ratings <- asked[asked$answered, setdiff(names(asked), "x")]
  weighted <- response_weights(ratings, packets, ~ group * x, respondents = people)
  tables <- list(
    "given answers" = list(ratings), "response weights" = list(weighted, "response_weight"),
    "all answers" = list(asked)
  )
  dplyr::bind_rows(lapply(names(tables), function(name) {
    given <- tables[[name]]
    weight <- if (length(given) > 1) given[[2]]
    suppressWarnings(suppressMessages({
      means <- rating_means(given[[1]], respondent_weight = tidyselect::all_of(weight))
      gaps <- rating_gaps(given[[1]], respondent_weight = tidyselect::all_of(weight))
    }))
    kept <- c("estimate", "std.error", "conf.low", "conf.high")
    rows <- dplyr::bind_rows(plain_tibble(means)[kept], plain_tibble(gaps)[kept])
    rows$of <- c("mean, D", "mean, R", "gap")
    rows$truth <- c(truth, truth[["D"]] - truth[["R"]])
    rows$answers <- name
    rows$rate <- mean(asked$answered)
    rows
  }))
}

set.seed(5)
settings <- tibble::tribble(~images, ~raters, 5, 3, 5, 1, 2, 3, 1, 8)
results <- dplyr::bind_rows(lapply(seq_len(nrow(settings)), function(i) {
  design <- settings[i, ]
  rows <- dplyr::bind_rows(lapply(seq_len(n_surveys), function(j) {
    one_survey(design$images, design$raters)
  }))
  dplyr::bind_cols(design, rows)
}))
results$answers <- factor(results$answers, unique(results$answers))
results$of <- factor(results$of, unique(results$of))
table <- results |>
  dplyr::group_by(.data$images, .data$raters, .data$of, .data$answers) |>
  dplyr::summarise(
    bias = mean(.data$estimate - .data$truth), spread = stats::sd(.data$estimate),
    `error / spread` = mean(.data$std.error) / stats::sd(.data$estimate),
    holds = 100 * mean(.data$conf.low <= .data$truth & .data$truth <= .data$conf.high),
    .groups = "drop"
  )
write_result(
  "rating_response", table,
  title = "Means and gaps if answers are missing", digits = c(0, 0, 0, 0, 2, 2, 2, 1),
  simulations = n_surveys,
  notes = c(
    paste0(
      n_surveys, " simulated surveys per setting: ", n_clusters, " clusters with the given ",
      "number of images, each assigned to the given number of people of two groups, who were ",
      "asked to rate eight images. ", round(100 * mean(results$rate)),
      "% of what was asked for was rated. Percent of 95% intervals that hold the truth."
    ),
    paste(
      "Whether an image is rated depends on a covariate x of the respondent, more in group D, on",
      "which ratings depend as well, and on the mean of the cluster. Weights are those of",
      "`response_weights(~ group * x)`; clusters are not in the formula."
    ),
    paste(
      "Error / spread: the mean standard error divided by the standard deviation of the estimates."
    )
  )
)
