test_that("plots look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("trace", autoplot(toy_clustering()))
  vdiffr::expect_doppelganger("sizes", autoplot(toy_clustering(), "sizes"))
  vdiffr::expect_doppelganger("silhouettes", autoplot(toy_clustering(), "silhouettes"))
})

test_that("shares are reached where the running total reaches them", {
  expect_equal(
    clusters_to_reach(c(0.6, 0.2, 0.15), c(0.5, 0.75, 0.9)),
    tibble::tibble(cluster = 1:3, label = c("50%", "75%", "90%"))
  )
  expect_equal(clusters_to_reach(c(0.8, 0.05), c(0.5, 0.75, 0.9))$label, "50%, 75%")
})

test_that("a clustering without iterations has no trace to draw", {
  expect_snapshot(autoplot(toy_clustering(trace = FALSE)), error = TRUE)
  expect_error(autoplot(toy_clustering(), "pie"), "must be one of")
})
