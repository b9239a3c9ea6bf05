# How often joint tests of interactions reject, in simulated studies without and with differences.
# Run it in the root of the repository:  Rscript benchmarks/rating_terms.R [studies]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_studies <- asked(sized(3, 200, 1000))
set.seed(1)

# Clusters with the same number of images, in three themes. Images differ within clusters, the gap
# between the groups differs between images by `of_images` and between clusters by `of_clusters`.
make_study <- function(setting) {
  cluster <- rep(seq_len(setting$clusters), each = setting$images)
  n <- length(cluster)
  evokes <- rnorm(setting$clusters, 5)[cluster] + rnorm(n, sd = 0.6)
  gap <- 0.5 + setting$of_clusters * rnorm(setting$clusters)[cluster] +
    rnorm(n, sd = setting$of_images)
  sides <- lapply(1:2, function(side) {
    feels <- rnorm(setting$people, sd = 0.7)
    # Images, in a random order, go round the respondents of a group; every round begins with
    # another respondent.
    image <- rep(sample(n), 2)
    round <- rep(1:2, each = n)
    person <- (seq_along(image) - 1 + 7 * round) %% setting$people + 1
    tibble::tibble(
      respondent_id = paste0(c("D", "R")[side], person), group = c("D", "R")[side],
      image_id = sprintf("i%03d", image), cluster = cluster[image], theme = .data$cluster %% 3,
      n_h = setting$images, N_h = 20, weight_cluster = 1 / setting$images, item = "angry",
      rating = evokes[image] + (side == 2) * gap[image] + feels[person] +
        rnorm(length(image), sd = 1.2)
    )
  })
  dplyr::bind_rows(sides)
}

analyse <- function(ratings) {
  dplyr::bind_rows(lapply(c("cluster", "theme"), function(moderator) {
    model <- rating_model(ratings, stats::reformulate(paste0("group * ", moderator)))
    dplyr::bind_rows(lapply(c("two-way", "respondent"), function(variance) {
      model$variance <- variance
      model$fits <- fit_design_models(model)
      model$coefficients <- coefficients_of(model, 1)
      tibble::tibble(
        term = paste0("group:", moderator), variance = variance,
        p.value = tidy(model, "terms")$p.value[3]
      )
    }))
  }))
}

settings <- tibble::tibble(
  clusters = c(12, 12, 12, 12, 30), images = c(5, 5, 5, 20, 5), people = c(60, 60, 60, 60, 60),
  of_images = c(0, 0.6, 0, 0, 0), of_clusters = c(0, 0, 0.7, 0, 0)
)

measure <- function(i) {
  setting <- settings[i, ]
  found <- suppressMessages(suppressWarnings(dplyr::bind_rows(lapply(
    seq_len(n_studies), \(j) analyse(make_study(setting))
  ))))
  table <- dplyr::summarise(
    dplyr::group_by(found, .data$term, .data$variance),
    rejects = 100 * mean(.data$p.value < 0.05), .groups = "drop"
  )
  tibble::tibble(setting[rep(1, nrow(table)), ], table)
}

rows <- dplyr::bind_rows(lapply(seq_len(nrow(settings)), measure))

# Where clusters differ, so do the themes that were made of them.
rows <- rows[rows$term == "group:cluster" | rows$of_clusters == 0, ]
shown <- rows |>
  dplyr::mutate(
    test = paste0(.data$term, ", ", .data$variance), term = NULL, variance = NULL,
    rejects = sprintf("%.1f", .data$rejects)
  ) |>
  tidyr::pivot_wider(names_from = "test", values_from = "rejects", values_fill = "")
names(rows)[3:5] <- names(shown)[3:5] <- c(
  "respondents a group", "sd of gaps of images", "sd of gaps of clusters"
)
write_result(
  "rating_terms", rows,
  shown = shown,
  title = "How often joint tests of interactions reject, in percent",
  counts = list(studies = n_studies),
  notes = c(
    paste0(
      n_studies, " simulated studies a row: every image is rated by two respondents of each of ",
      "two groups. The gap between the groups differs between clusters and between images of a ",
      "cluster by the standard deviations given; themes are three sets of clusters. ",
      "`tidy(rating_model(~ group * cluster), \"terms\")`, and the same with `theme`, at the 5% ",
      "level."
    ),
    sprintf(
      paste(
        "Where clusters do not differ, a test that keeps its level rejects in %.1f to %.1f%% of so",
        "many studies, and where they do, a better test rejects more often."
      ),
      max(0, 5 - 196 * sqrt(0.0475 / n_studies)), 5 + 196 * sqrt(0.0475 / n_studies)
    )
  )
)
