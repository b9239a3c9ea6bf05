test_that("a tuning goes back to Python as it came", {
  calls <- local_core(best_clustering = function(...) {
    sent <- send_clustering(toy_clustering())
    sent$tables$summary <- encode_table(glance(toy_clustering()))
    sent
  })
  tuned <- dplyr::arrange(toy_tuning(), estimate)
  topics <- best_clustering(tuned, toy_vectors(), one_standard_error = TRUE, progress = FALSE)
  sent <- calls$best_clustering
  expect_identical(sent[[1]]$settings, "{\"grid\": {\"k\": [10]}}")
  expect_true("conf_low" %in% names(decode_table(sent[[1]]$tables$results)))
  expect_equal(decode_result(sent[[1]]$tables$results), tidy(toy_tuning()))
  expect_true(sent$one_standard_error)
  expect_identical(topics, toy_clustering())
  expect_error(best_clustering(tidy(toy_tuning()), toy_vectors()), "tune_clusters",
    class = "imagestrata_error"
  )
})
