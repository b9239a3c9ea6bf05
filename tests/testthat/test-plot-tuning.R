# Five clusterings by each of two encoders, with two settings, and one baseline.
tuning_of_settings <- function() {
  results <- tidyr::expand_grid(encoder = c("hog", "bovw"), k = c(5, 10), n_init = c(1, 2, 3))
  n <- nrow(results)
  results <- dplyr::mutate(
    results,
    candidate = seq_len(n), same_as = candidate, method = "iterative", baseline = FALSE,
    n_clusters = 12L, measure = "f1", estimate = seq(0.4, 0.95, length.out = n),
    may_be_best = candidate > 10, settings = "{\"k\": 1, \"n_init\": 1}"
  ) |>
    dplyr::relocate(candidate, same_as, encoder, method, baseline, k, n_init)
  extra <- dplyr::mutate(
    results[1, ],
    candidate = 13L, same_as = 13L, method = "kmeans", baseline = TRUE, k = NA, n_init = NA,
    estimate = 0.7, may_be_best = FALSE, settings = "{\"n_clusters\": 12}"
  )
  results <- dplyr::bind_rows(results, extra)
  differences <- tibble::tibble(
    candidate_a = c(1:11, 12L), candidate_b = c(rep(12L, 11), 13L), measure = "f1",
    estimate = c(results$estimate[1:11] - 0.95, 0.25), std_error = 0.1,
    conf_low = estimate - 0.2, conf_high = estimate + 0.1, n_differ = 20L
  )
  summary <- tibble::tibble(candidate = 12L, measure = "f1", n_may_be_best = 2L)
  tables <- list(results = results, differences = differences, summary = summary)
  new_result(
    list(tables = lapply(tables, encode_table), settings = "null"), "imagestrata_tuning", "results"
  )
}

test_that("settings have a point per candidate, and boxes of their quartiles", {
  tuned <- tuning_of_settings()
  plot <- autoplot(tuned, "settings")
  kinds <- vapply(plot$layers, \(layer) class(layer$geom)[[1]], "")
  expect_equal(
    kinds, c("GeomVline", "GeomRect", "GeomSegment", "GeomPoint", "GeomPoint", "GeomBlank")
  )
  expect_equal(levels(plot$data$setting), c("encoder", "k", "n_init"))
  of_encoder <- plot$data[plot$data$setting == "encoder", ]
  own <- tidy(tuned, "results")
  own <- own[!own$baseline, ]
  expect_equal(sort(of_encoder$x), sort(own$estimate))
  box <- plot$layers[[2]]$data[1, ]
  expect_equal(box$encoder, "hog")
  expect_equal(
    c(box$low, box$middle, box$high),
    unname(quantile(own$estimate[own$encoder == "hog"], c(0.25, 0.5, 0.75)))
  )
  # Three candidates are too few for a box.
  expect_false(any(plot$layers[[2]]$data$setting == "k"))
  expect_match(plot$labels$caption, "at least 4")
  expect_match(ggplot2::get_alt_text(plot), "12 candidates by the values of 3 settings")
  expect_no_error(ggplot2::ggplot_build(plot))
  expect_equal(levels(droplevels(autoplot(tuned, "settings", by = "k")$data$setting)), "k")
  expect_snapshot(error = TRUE, {
    autoplot(tuned, "settings", by = "neighbors")
    autoplot(tuned, "clusters", by = "k")
  })
})

test_that("differences from the best are turned towards it, whichever comes first", {
  plot <- autoplot(tuning_of_settings(), "differences")
  shown <- plot$data
  expect_equal(shown$estimate[1], -0.05)
  baseline <- shown[shown$kind == "baseline", ]
  expect_equal(baseline$estimate, -0.25)
  expect_equal(c(baseline$conf.low, baseline$conf.high), c(-0.35, -0.05))
  expect_equal(baseline$label, "hog | kmeans (12 clusters) | - | -")
  expect_equal(sum(shown$kind == "may"), 1)
  expect_match(plot$labels$caption, "The best candidate: bovw | iterative | 10 | 3", fixed = TRUE)
  expect_match(ggplot2::get_alt_text(plot), "2 candidates may be the best")
})
