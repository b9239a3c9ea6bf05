# How often 95% intervals hold the truth, in simulated surveys of the shape of the published study.
# Run it in the root of the repository:  Rscript benchmarks/coverage.R [surveys]

pkgload::load_all(quiet = TRUE)

n_surveys <- as.integer(c(commandArgs(TRUE), 1000)[1])
respondent_sd <- c(0.5, 1.3)
sizes <- simulated_clusters$size
cluster <- rep(seq_along(sizes), sizes)
n_people <- 360

# A corpus: what each image evokes in each party, and how often it was shared.
make_corpus <- function() {
  evokes <- rnorm(length(sizes), 4, 1.25)[cluster] + rnorm(length(cluster), sd = 0.6)
  gap <- rnorm(length(sizes), 0.5, 0.5)[cluster]
  shares <- 1 + rnbinom(length(cluster), size = 0.8, mu = exp(0.3 + 0.3 * evokes))
  list(truth = cbind(D = evokes + gap / 2, R = evokes - gap / 2), shares = shares)
}

# The published rule: five images of a cluster, of small ones all but one.
draw_images <- function() {
  first <- cumsum(c(0, sizes[-length(sizes)]))
  unlist(lapply(seq_along(sizes), \(h) first[h] + sample.int(sizes[h], min(5, sizes[h] - 1))))
}

# Images go round the respondents of a party in the order of their clusters, eight for each.
deal <- function(images) {
  turned <- rep(images, 4)[sample.int(length(images), 1) + seq_len(n_people * 8) - 1]
  list(image = turned, person = rep(sample.int(n_people), 8))
}

# One item for each size of the differences between people: the same people, images and noise.
make_survey <- function(corpus) {
  images <- draw_images()
  n_h <- tabulate(cluster[images], length(sizes))
  sides <- lapply(c("D", "R"), function(party) {
    dealt <- deal(images)
    feels <- rnorm(n_people)[dealt$person]
    answer <- corpus$truth[dealt$image, party] + rnorm(n_people * 8, sd = 1.5)
    people <- tibble::tibble(
      respondent_id = paste0(party, dealt$person), group = party, image_id = dealt$image,
      cluster = cluster[dealt$image],
      weight_cluster = 1 / n_h[cluster], weight_corpus = sizes[cluster] / n_h[cluster],
      weight_share = weight_corpus * corpus$shares[dealt$image]
    )
    dplyr::bind_rows(lapply(respondent_sd, \(sd) {
      dplyr::mutate(people, item = format(sd), rating = answer + sd * feels)
    }))
  })
  dplyr::bind_rows(sides)
}

true_means <- function(corpus, weight) {
  counts <- switch(weight,
    cluster = 1 / sizes[cluster], corpus = rep(1, length(cluster)), share = corpus$shares
  )
  colSums(corpus$truth * counts) / sum(counts)
}

# The estimates of a survey, by the functions behind rating_means() and rating_gaps(). The work
# that options of the variance share is done once.
analyse <- function(survey, truth, weight) {
  design <- design_ratings(survey, rlang::quo("group"), weight)
  pairs <- contrasts_of(design)
  results <- lapply(c("respondent", "two-way", "image"), function(variance) {
    fit <- estimate_cells(design, variance, shrink = FALSE)
    cells <- fit$cells
    gaps <- gaps_of_pair(pairs[[1]], design, fit)
    tibble::tibble(
      weight = weight, variance = variance,
      what = rep(c("mean", "gap"), c(nrow(cells), nrow(gaps))),
      sd = design$measures$item[c(cells$measure, gaps$measure)],
      error = c(cells$estimate - truth[cells$group], gaps$estimate - (truth[1] - truth[2])),
      std.error = c(sqrt(fit$variance(cells$cell)), gaps$std.error),
      df = c(cells$df, gaps$df)
    )
  })
  dplyr::bind_rows(results)
}

# Means of single clusters, each against what its own images evoke.
analyse_clusters <- function(survey, corpus) {
  means <- suppressWarnings(rating_means(survey, by = c(group, cluster)))
  truth <- rowsum(corpus$truth, cluster) / as.vector(sizes)
  tibble::tibble(
    people = cut(means$n_respondents, c(1, 4, 9, Inf), c("2 to 4", "5 to 9", "10 or more")),
    sd = means$item,
    held = abs(means$estimate - truth[cbind(means$cluster, match(means$group, c("D", "R")))]) <=
      means$conf.high - means$estimate
  )
}

set.seed(6)
started <- proc.time()[["elapsed"]]
found <- lapply(seq_len(n_surveys), function(i) {
  corpus <- make_corpus()
  survey <- make_survey(corpus)
  whole <- lapply(c("cluster", "corpus", "share"), \(weight) {
    analyse(survey, true_means(corpus, weight), weight)
  })
  list(
    whole = dplyr::bind_rows(whole),
    clusters = if (i <= n_surveys / 20) analyse_clusters(survey, corpus)
  )
})
minutes <- (proc.time()[["elapsed"]] - started) / 60

whole <- dplyr::bind_rows(lapply(found, \(survey) survey$whole)) |>
  dplyr::group_by(weight, variance, what, sd) |>
  dplyr::summarise(
    covered = mean(abs(error) <= qt(0.975, df) * std.error),
    ratio = mean(std.error) / sd(error), .groups = "drop"
  )
cell <- sprintf("%.1f%% (%.2f)", 100 * whole$covered, whole$ratio)
column <- paste0(whole$what, ", sd ", whole$sd)
rows <- paste(whole$weight, whole$variance)
order <- c(outer(c("respondent", "two-way", "image"), c("cluster", "corpus", "share"), \(v, w) {
  paste(w, v)
}))
columns <- c("mean, sd 0.5", "mean, sd 1.3", "gap, sd 0.5", "gap, sd 1.3")
table <- matrix(cell[match(outer(order, columns, paste), paste(rows, column))], length(order))
table <- data.frame(sub(" .*", "", order), sub("^\\S+ ", "", order), table)
names(table) <- c("weight", "variance", columns)

clusters <- dplyr::bind_rows(lapply(found, \(survey) survey$clusters)) |>
  dplyr::filter(!is.na(people)) |>
  dplyr::group_by(`respondents of the cluster and party` = people) |>
  dplyr::summarise(
    `sd 0.5` = sprintf("%.1f%%", 100 * mean(held[sd == "0.5"])),
    `sd 1.3` = sprintf("%.1f%%", 100 * mean(held[sd == "1.3"]))
  )

machine <- paste0("R ", getRversion(), ", one core, ", round(minutes, 1), " minutes")
text <- c(
  "# How often 95% intervals hold the truth", "",
  paste0(
    format(n_surveys, big.mark = ","), " simulated surveys, each of a corpus of its own: 309 ",
    "clusters of 18,096 images, 1,087 sampled, two parties of 360 people, eight images each. sd: ",
    "how much people differ in what they feel at all. In brackets: the mean standard error as a ",
    "multiple of the true one."
  ), "",
  knitr::kable(table, format = "pipe"), "",
  "- With 1,000 surveys, chance alone makes 93.6 to 96.4% of a true coverage of 95%.",
  paste0(
    "- Standard errors that only know images (`variance = \"image\"`) fail, the more so the more ",
    "people differ."
  ),
  "", "Means of single clusters, `variance = \"respondent\"`:", "",
  knitr::kable(clusters, format = "pipe"), "",
  paste0("Measured with ", machine, ".")
)
folder <- file.path("benchmarks", "results")
writeLines(text, file.path(folder, "coverage.md"))
jsonlite::write_json(
  list(machine = machine, surveys = n_surveys, whole = whole, clusters = clusters),
  file.path(folder, "coverage.json"), pretty = TRUE, auto_unbox = TRUE, digits = 4
)
writeLines(text)
