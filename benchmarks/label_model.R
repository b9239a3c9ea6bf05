# How often the intervals of label_model() contain the truth, and how wide they are.
#
# Images come in clusters, of which 300 are labelled, 1, 2, 5 or 20 of each; authors of two parties
# post them with different tastes. The machine takes some images for violent that are not, more
# often those that party B posts. The truth is the coefficient in posts by very many authors of the
# same images.
#
#     Rscript benchmarks/label_model.R [corpora]

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)
n_corpora <- asked(sized(3, 150, 1000))

n_labelled <- 300
n_images <- 1500
n_worlds <- sized(2, 10)

# Images: their clusters, labels `y`, predictions `f`, how often they are posted, and by whom.
draw_images <- function(per, predictor) {
  n_clusters <- n_labelled / per
  size <- pmax(per + 1, round(n_images / n_clusters * stats::rgamma(n_clusters, 2, 2)))
  cluster <- rep(seq_len(n_clusters), size)
  n <- length(cluster)
  y <- stats::rbinom(n, 1, stats::plogis(stats::rnorm(n_clusters, -0.8, 1.2))[cluster])
  taste <- stats::plogis(stats::rnorm(n_clusters))[cluster]
  wrong <- switch(predictor, good = 0.03, mediocre = 0.2, useless = 0) + 0.15 * taste * (1 - y)
  f <- ifelse(stats::runif(n) < wrong, 1 - y, y)
  if (predictor == "useless") f <- stats::rbinom(n, 1, 0.4)
  data.frame(
    image_id = paste0("i", seq_len(n)), cluster = cluster, y = y, taste = taste,
    often = stats::rlnorm(n, 0, 0.8), f = stats::plogis((2 * f - 1) * stats::rgamma(n, 4, 1.6))
  )
}

draw_posts <- function(images, n_authors, n_posts) {
  author <- sort(sample(n_authors, n_posts, TRUE, stats::rlnorm(n_authors, 0, 0.7)))
  party <- author %% 2
  liking <- stats::rnorm(n_authors, 0, 0.5)
  image <- integer(n_posts)
  for (rows in split(seq_len(n_posts), author)) {
    one <- author[rows[1]]
    taste <- if (one %% 2 == 1) images$taste else 1 - images$taste
    chance <- images$often * taste * exp(liking[one] * images$y)
    image[rows] <- sample(nrow(images), length(rows), TRUE, chance)
  }
  reach <- stats::rnorm(n_authors, 0, 0.5)
  data.frame(
    post_id = seq_len(n_posts), image_id = images$image_id[image], author = paste0("a", author),
    party = c("A", "B")[1 + party], month = stats::runif(n_posts, -1, 1), y = images$y[image],
    likes = 2 + images$y[image] + 0.5 * party + reach[author] + stats::rnorm(n_posts)
  )
}

run <- function(per, predictor, family, role) {
  formula <- if (role == "outcome") violence ~ party + month else likes ~ violence + party
  true_formula <- if (role == "outcome") y ~ party + month else likes ~ y + party
  model_family <- if (family == "logit") stats::binomial() else stats::gaussian()
  set.seed(per)
  worlds <- lapply(seq_len(n_worlds), \(i) draw_images(per, predictor))
  truths <- lapply(worlds, \(images) {
    posts <- draw_posts(images, 3000, sized(6000, 60000))
    stats::coef(stats::glm(true_formula, model_family, posts))
  })
  found <- lapply(seq_len(n_corpora), function(i) {
    set.seed(10000 + i)
    world <- (i - 1) %% n_worlds + 1
    images <- worlds[[world]]
    posts <- draw_posts(images, 80, 1500)
    order <- sample(nrow(images))
    rank <- stats::ave(order, images$cluster, FUN = rank)
    drawn <- rank <= per
    size <- stats::ave(rank, images$cluster, FUN = length)
    sample <- data.frame(images[c("image_id", "cluster")], N_h = size, n_h = per)[drawn, ]
    labels <- data.frame(image_id = sample$image_id, code = "violence", label = images$y[drawn])
    predictions <- data.frame(
      image_id = images$image_id, label = "violence", probability = images$f,
      decision = images$f >= 0.5, split = NA
    )
    posts$y <- NULL
    table <- try(suppressWarnings(suppressMessages(label_model(
      formula, labels, predictions, posts, sample,
      family = family, clustering = images[c("image_id", "cluster")]
    ))), silent = TRUE)
    if (inherits(table, "try-error")) return(NULL)
    table <- as.data.frame(tibble::as_tibble(table))
    table$truth <- truths[[world]][rep(seq_along(truths[[world]]), each = 3)]
    table
  })
  n_failed <- sum(vapply(found, is.null, NA))
  all <- dplyr::bind_rows(found, .id = "corpus")
  all$covered <- all$conf.low <= all$truth & all$truth <= all$conf.high
  all$width <- all$conf.high - all$conf.low
  # All slopes together; the intercept apart.
  all$which <- ifelse(all$term == "(Intercept)", "intercept", all$term)
  by <- dplyr::group_by(all, .data$which, .data$method)
  rows <- dplyr::summarise(
    by,
    covered = mean(.data$covered), width = mean(.data$width),
    bias = mean(.data$estimate - .data$truth) / stats::sd(.data$estimate - .data$truth),
    ratio = sqrt(mean(.data$std.error^2)) / sqrt(mean((.data$estimate - .data$truth)^2)),
    lambda = mean(.data$lambda), .groups = "drop"
  )
  sampled <- rows[rows$method == "sample", ]
  rows$relative <- rows$width / sampled$width[match(rows$which, sampled$which)] - 1
  cbind(
    family = family, label = role, predictor = predictor, per = per,
    n_corpora = n_corpora - n_failed, rows
  )
}

designs <- tibble::tribble(
  ~family, ~label, ~predictor, ~per,
  "linear", "outcome", "good", 1,
  "linear", "outcome", "good", 2,
  "linear", "outcome", "good", 20,
  "linear", "outcome", "useless", 5,
  "linear", "predictor", "good", 1,
  "linear", "predictor", "good", 2,
  "linear", "predictor", "good", 20,
  "linear", "predictor", "useless", 5,
  "logit", "outcome", "good", 1,
  "logit", "outcome", "good", 2
)
rows <- dplyr::bind_rows(lapply(seq_len(nrow(designs)), function(i) {
  with(designs[i, ], run(per, predictor, family, label))
}))
rows$place <- paste(rows$family, rows$label, rows$predictor, rows$per)
shown <- dplyr::bind_rows(lapply(unique(rows$place), function(place) {
  of <- function(column, method, format = "%.1f") {
    found <- range(100 * rows[[column]][rows$method == method & rows$place == place])
    paste0(paste(sprintf(format, found), collapse = " to "), "%")
  }
  first <- rows[match(place, rows$place), ]
  tibble::tibble(
    regression = paste0(first$family, ", label as ", first$label), first["predictor"],
    `images per cluster` = first$per, corpora = first$n_corpora,
    `machine covers` = of("covered", "machine"), `sample covers` = of("covered", "sample"),
    `corrected covers` = of("covered", "corrected"),
    `corrected width against sample` = of("relative", "corrected", "%+.1f")
  )
}))
rows$place <- NULL
write_result(
  "label_model", rows,
  shown = shown, title = "How often do intervals of label_model() contain the truth?",
  simulations = n_corpora,
  notes = c(
    "Nominal coverage 95%. Each row has the range over the three coefficients; JSON has each.",
    paste(
      "300 labelled images of about 1,500, 1,500 posts by 80 authors. The truth is the coefficient",
      "in 60,000 posts by 3,000 authors of the same images."
    ),
    "The machine's errors are more frequent for images that party B posts."
  )
)
