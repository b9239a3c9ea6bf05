# One rated image in each cluster: how often 95% intervals of means and gaps hold the truth. Run it
# in the root of the repository: Rscript benchmarks/rating_single.R [surveys per scenario]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

n_surveys <- asked(sized(6, 200, 1000))
n_models <- ceiling(n_surveys / 3)
n_clusters <- 60

# The design of surveys: clusters of different sizes, one or two rated images of each, `raters`
# ratings of each image in each of two groups by people who rate eight images.
make_design <- function(raters, n_h) {
  size <- round(exp(rnorm(n_clusters, 3, 0.7))) + 3
  cluster <- rep(seq_len(n_clusters), n_h)
  image <- rep(seq_along(cluster), times = raters)
  person <- ceiling(seq_along(image) / 8)
  ratings <- dplyr::bind_rows(lapply(c("D", "R"), function(group) {
    tibble::tibble(
      respondent_id = paste(group, person), group = group, image_id = image,
      cluster = cluster[image], item = "x", rating = 0, n_h = n_h[cluster], N_h = size[cluster],
      weight_cluster = 1 / n_h, weight_corpus = N_h / n_h
    )
  }))
  list(ratings = ratings, size = size)
}

# Ratings of `n` corpora by this design, a column for each, and the true means of both groups: the
# images of a cluster differ by the standard deviation `within` and clusters by `between`, and so
# does the gap between the groups, by a third of it. Images are drawn from many.
make_answers <- function(design, weight, between, within, n) {
  ratings <- design$ratings
  side <- ifelse(ratings$group == "D", 0.5, -0.5)
  draw <- function(k, sd) matrix(rnorm(k * n, sd = sd), k)
  common <- draw(n_clusters, between)
  gap <- draw(n_clusters, between / 3)
  n_images <- max(ratings$image_id)
  people <- match(ratings$respondent_id, unique(ratings$respondent_id))
  value <- common[ratings$cluster, ] + draw(n_images, within)[ratings$image_id, ] +
    side * (gap[ratings$cluster, ] + draw(n_images, within / 3)[ratings$image_id, ]) +
    draw(max(people), 0.8)[people, ] + draw(nrow(ratings), 1.5)
  share <- if (weight == "cluster") rep(1, n_clusters) else design$size
  of <- function(x) colSums(share / sum(share) * x)
  list(value = value, mean = of(common) + of(gap) / 2, gap = of(gap))
}

analyse <- function(setting, n) {
  n_h <- rep(1:2, c(n_clusters - setting$two, setting$two))
  made <- make_design(setting$raters, n_h)
  answers <- make_answers(made, setting$weight, setting$between, setting$within, n)
  design <- design_ratings(made$ratings, rlang::quo(group), setting$weight)
  design$answers$rating <- answers$value
  rows <- lapply(c("two-way", "respondent"), function(variance) {
    fit <- estimate_cells(design, variance, FALSE)
    mean <- fit$cells$estimate[1, ]
    gaps <- gaps_of_surveys(design, variance)
    dplyr::bind_rows(
      tibble::tibble(
        of = "mean", variance = variance, error = mean - answers$mean,
        std.error = sqrt(fit$variance(1)), df = fit$cells$df[1]
      ),
      tibble::tibble(
        of = "gap", variance = variance, error = gaps$error - answers$gap,
        std.error = gaps$std.error, df = gaps$df
      )
    )
  })
  dplyr::bind_rows(rows)
}

# The gap by a model with a control that does not matter.
analyse_model <- function(setting) {
  n_h <- rep(1:2, c(n_clusters - setting$two, setting$two))
  made <- make_design(setting$raters, n_h)
  answers <- make_answers(made, setting$weight, setting$between, setting$within, 1)
  made$ratings$rating <- answers$value[, 1]
  people <- unique(made$ratings$respondent_id)
  made$ratings$age <- rnorm(length(people))[match(made$ratings$respondent_id, people)]
  model <- suppressWarnings(rating_model(made$ratings, ~ group + age, weight = setting$weight))
  found <- tidy(model)[2, ]
  tibble::tibble(
    of = "gap, with a control", variance = "two-way", error = -found$estimate - answers$gap,
    std.error = found$std.error, df = found$df
  )
}

scenarios <- tibble::tribble(
  ~clusters, ~between, ~within, ~raters, ~two, ~models,
  "alike", 0, 1.25, 8, 0, TRUE,
  "differ as images do", 0.9, 0.9, 8, 0, FALSE,
  "differ twice as much", 1.2, 0.6, 8, 0, TRUE,
  "differ twice as much", 1.2, 0.6, 2, 0, FALSE,
  "differ twice as much; 6 have two images", 1.2, 0.6, 8, 6, FALSE,
  "differ twice as much; 20 have two images", 1.2, 0.6, 8, 20, FALSE
)

set.seed(7)
results <- dplyr::bind_rows(lapply(seq_len(nrow(scenarios)), function(i) {
  dplyr::bind_rows(lapply(c("cluster", "corpus"), function(weight) {
    setting <- tibble::add_column(scenarios[i, ], weight = weight)
    batches <- diff(unique(c(seq(0, n_surveys, by = 50), n_surveys)))
    surveys <- dplyr::bind_rows(lapply(batches, \(n) analyse(setting, n)))
    models <- if (setting$models && weight == "cluster") {
      dplyr::bind_rows(lapply(seq_len(n_models), \(j) analyse_model(setting)))
    }
    dplyr::bind_cols(setting[c("clusters", "raters", "weight")], rbind(surveys, models))
  }))
}))
order_of <- c("mean", "gap", "gap, with a control")
table <- results |>
  dplyr::mutate(of = factor(.data$of, order_of)) |>
  dplyr::group_by(.data$clusters, .data$raters, .data$weight, .data$of, .data$variance) |>
  dplyr::summarise(
    holds = mean(abs(.data$error) <= stats::qt(0.975, .data$df) * .data$std.error),
    ratio = mean(.data$std.error) / stats::sd(.data$error), .groups = "drop"
  )
table <- table[order(match(table$clusters, scenarios$clusters), -table$raters, table$weight), ]
wide <- table |>
  dplyr::mutate(cell = sprintf("%.1f%% (%.2f)", 100 * .data$holds, .data$ratio)) |>
  tidyr::pivot_wider(
    id_cols = c("clusters", "raters", "weight", "of"),
    names_from = "variance", values_from = "cell", values_fill = ""
  )
write_result(
  "rating_single", table,
  shown = wide[c(1:4, 6, 5)], title = "One rated image in each cluster", simulations = n_surveys,
  notes = c(
    paste0(
      n_surveys, " simulated surveys per setting (", n_models, " of models): ", n_clusters,
      " clusters of different sizes with one rated image each, rated by the given number of ",
      "people in each of two groups, who rate eight images each. Clusters differ by the standard ",
      "deviation 0, 0.9 or 1.2 and images within them by 1.25, 0.9 or 0.6; people by 0.8, and the ",
      "rest is 1.5."
    ),
    paste0(
      "Percent of 95% intervals that hold the truth, and in brackets the mean standard error as a ",
      "multiple of the true one."
    ),
    paste(
      "Two-way errors compare single images across clusters, except in the last setting, where",
      "they have the average of the clusters with two images."
    ),
    "Respondents alone do not know that other images could have been drawn.",
    paste0("For models: ", chance(n_models), ".")
  )
)
