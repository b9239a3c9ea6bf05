# Embeddings of the example images, and pairs judged by what the files show.

example_embeddings <- function() {
  embed_images(imagestrata_example("images"), "hog", progress = FALSE)
}

judged_pairs <- function(embeddings, n = 60) {
  pairs <- sample_pairs(embeddings, n = n, k = 8)
  pairs$judgement <- as.integer(pairs$stratum == "within")
  pairs
}

answer_file <- function(folder, annotator, set_id, judgement) {
  path <- file.path(folder, paste0(annotator, ".csv"))
  answers <- data.frame(set_id = set_id, annotator = annotator, judgement = judgement)
  utils::write.csv(answers[rev(seq_len(nrow(answers))), ], path, row.names = FALSE)
  path
}

toy_tuning <- function() {
  results <- tibble::tibble(
    candidate = rep(1:3, each = 2),
    same_as = candidate,
    encoder = rep(c("hog", "bovw", "hog"), each = 2),
    method = rep(c("iterative", "iterative", "kmeans"), each = 2),
    baseline = rep(c(FALSE, FALSE, TRUE), each = 2),
    k = rep(c(10, 15, NA), each = 2),
    n_clusters = rep(c(12L, 30L, 12L), each = 2),
    share_residual = 0,
    measure = rep(c("precision", "recall"), 3),
    weighting = "design",
    estimate = c(0.8, 0.6, 0.5, 0.4, 0.7, 0.3),
    std_error = 0.02, conf_low = estimate - 0.05, conf_high = estimate + 0.05,
    n_pairs = 300L, may_be_best = rep(c(TRUE, FALSE, FALSE), each = 2), settings = "{}"
  )
  summary <- tibble::tibble(
    n_candidates = 2L, n_different = 2L, n_baselines = 1L, n_pairs = 300L, n_missing = 0L,
    folds = 5L, measure = "precision", weighting = "design",
    candidate = 1L, encoder = "hog", n_clusters = 12L, estimate = 0.8, std_error = 0.02,
    n_may_be_best = 1L, heldout = 0.78, best_baseline = 0.7
  )
  differences <- tibble::tibble(
    candidate_a = rep(c(1L, 1L, 2L), each = 2), candidate_b = rep(c(2L, 3L, 3L), each = 2),
    measure = rep(c("precision", "recall"), 3), estimate = c(0.3, 0.2, 0.1, 0.3, -0.2, 0.1),
    std_error = 0.02, conf_low = estimate - 0.04, conf_high = estimate + 0.04, n_differ = 20L
  )
  tables <- list(
    results = results, heldout = results[1:2, ], differences = differences, summary = summary
  )
  new_result(
    list(tables = lapply(tables, encode_table), settings = "{\"grid\": {\"k\": [10]}}"),
    "imagestrata_tuning", "results"
  )
}

# Two images from each of two clusters of the examples, whose files exist.
demo_packets_sample <- function() {
  topics <- demo_topics()
  rows <- lapply(1:2, \(cluster) utils::head(topics[topics$cluster == cluster, ], 2))
  drawn <- dplyr::bind_rows(lapply(rows, \(x) tibble::as_tibble(x)))
  drawn[c("image_id", "path", "cluster")]
}
