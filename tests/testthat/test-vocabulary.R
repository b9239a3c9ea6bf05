# One concept, one word: docs/glossary.md. tests/python/test_vocabulary.py is the other half.

verbs <- Filter(\(name) is.function(getExportedValue("imagestrata", name)),
  getNamespaceExports("imagestrata")
)
methods <- c(
  ls(asNamespace("imagestrata"), pattern = "^autoplot[.]"),
  ls(asNamespace("imagestrata"), pattern = "^(tidy|glance|augment|predict|summary)[.]")
)
formals_of <- function(name) formals(get(name, asNamespace("imagestrata")))

test_that("arguments are called by our words", {
  others <- c(
    "account", "ci", "confidence", "directory", "force", "format", "include_residual", "n_jobs",
    "output", "outdir", "random_state", "range", "user", "verbose"
  )
  for (name in c(verbs, methods)) {
    arguments <- formals_of(name)
    expect_length(intersect(names(arguments), others), 0)
    if ("residual" %in% names(arguments)) {
      words <- c("together", "alone", "drop")
      expect_true(is.null(arguments$residual) || arguments$residual %in% words)
    }
    if ("conf_level" %in% names(arguments)) {
      # A figure of a model has the level of the model.
      expect_true(is.null(arguments$conf_level) || arguments$conf_level == 0.95)
    }
    if (identical(name, "read_ratings") || grepl("^(export_packets|label_ratings)$", name)) {
      expect_equal(eval(arguments$scale), c(0, 10))
    }
  }
})

test_that("every verb of Python is one of R, but for estimators and figures", {
  skip_if_no_core()
  python <- unique(python_signatures()$verb)
  figures <- c("plot_trace", "plot_map", "plot_training", "plot_confusion", "plot_tuning")
  expect_setequal(setdiff(python, verbs), figures)
})

test_that("every verb names the words for the residual that it takes", {
  skip_if_no_core()
  topics <- demo_topics()
  refused <- function(call, taken) {
    expect_error(call, paste0("must be ", taken), class = "imagestrata_error")
  }
  for (given in list(TRUE, "apart", "leave_out")) {
    refused(sample_images(topics, residual = given), '"together" or "drop"')
    refused(assign_annotators(demo_sample(), residual = given), '"together" or "alone"')
    refused(compare_clusterings(topics, b = topics, residual = given), '"alone" or "drop"')
    refused(score_clustering(topics, topics$cluster, residual = given), '"alone" or "drop"')
  }
})

# Names as Python has them, or as nobody has.
other_columns <- c(
  "std_error", "conf_low", "conf_high", "p_value", "p_adjusted", "lift_low", "lift_high",
  "residual_share", "p_chance", "account", "user", "se", "lower", "upper"
)

expect_our_words <- function(table) {
  columns <- names(table)
  expect_length(intersect(columns, other_columns), 0)
  expect_length(grep("_(share|count)$", setdiff(columns, "weight_share")), 0)
  low <- sub("[.]low$", "", grep("[.]low$", columns, value = TRUE))
  high <- sub("[.]high$", "", grep("[.]high$", columns, value = TRUE))
  expect_setequal(low, high)
}

expect_all_our_words <- function(result) {
  if (is.data.frame(result)) {
    expect_our_words(result)
  }
  tables <- Filter(is.data.frame, c(attr(result, "tables"), if (is.list(result)) unclass(result)))
  for (table in tables) {
    expect_our_words(table)
  }
}

test_that("columns of what R computes are called by our words", {
  ratings <- golden_ratings()
  means <- quietly(rating_means(ratings))
  gaps <- quietly(rating_gaps(ratings))
  results <- list(
    means, gaps, quietly(rating_reliability(ratings)), quietly(rating_weights(ratings)),
    quietly(plan_study(n_clusters = 10, n_simulations = 100)), demo_topics(), demo_sample(),
    demo_model(), readRDS(imagestrata_example("packets.rds"))
  )
  for (result in results) {
    expect_all_our_words(result)
  }
  for (estimates in list(means, gaps)) {
    expect_equal(tidy(estimates)$term, estimates$item)
    expect_true(all(c("estimate", "std.error", "conf.low", "conf.high") %in% names(estimates)))
  }
  expect_true(all(c("p.value", "p.adjusted") %in% names(gaps)))
})

test_that("columns of what Python computes are called by our words", {
  skip_if_no_core()
  topics <- demo_topics()
  pairs <- tibble::tibble(
    pair_id = paste0("p", 1:8), image_a = topics$image_id[1:8], image_b = topics$image_id[2:9]
  )
  judged <- dplyr::bind_rows(
    dplyr::mutate(pairs, annotator = "ann", judgement = rep(0:1, 4)),
    dplyr::mutate(pairs, annotator = "ben", judgement = rep(0:1, each = 4))
  )
  known <- tibble::tibble(image_id = topics$image_id, kind = rep_len(c("a", "b"), nrow(topics)))
  tags <- tibble::tibble(image_id = c("a", "b"), label = c("dog", "cat"))
  found <- quietly(list(
    agreement = agreement(judged, n_boot = 20),
    scores = score_clustering(topics, consensus(judged, "mean"), weighted = FALSE, n_boot = 20),
    metadata = cluster_metadata(topics, known, column = "kind"),
    tags = compare_tags(tags, data.frame(image_id = c("a", "b"), dog = c(1, 0)), c(dog = "dog")),
    comparison = compare_clusterings(topics, other = topics, truth = known$kind),
    costs = costs(assign_annotators(demo_sample(), n_images = 5))
  ))
  for (result in found) {
    expect_all_our_words(result)
  }
  for (result in found[c("agreement", "scores", "metadata", "tags")]) {
    expect_true(all(c("conf.low", "conf.high") %in% names(result)))
  }
})

test_that("estimates cross the border under the names of either side", {
  table <- tibble::tibble(estimate = 1, std_error = 2, conf_low = 3, conf_high = 4, p_value = 5)
  here <- decode_result(encode_table(table))
  expect_named(here, c("estimate", "std.error", "conf.low", "conf.high", "p.value"))
  expect_equal(decode_table(encode_result(here)), table)
  # A user's own columns keep their names.
  expect_equal(decode_table(encode_table(table)), table)
})
