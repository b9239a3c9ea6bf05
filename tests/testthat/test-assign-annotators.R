test_that("names of groups cross as a list, and numbers as they are", {
  calls <- local_core(
    assign_annotators = \(sample, ...) toy_table(packet_id = "p001"),
    costs = \(...) toy_table(group = "Democrat", n_ratings = 20L)
  )
  packets <- assign_annotators(toy_sample(), "all", n_images = 2, residual = "alone")
  expect_equal(packets, tibble::tibble(packet_id = "p001"))
  sent <- calls$assign_annotators
  expect_equal(decode_table(sent[[1]])$image_id, toy_sample()$image_id)
  expect_equal(sent[[2]], list("all"))
  expect_equal(sent$n_images, 2)
  expect_equal(sent$residual, "alone")
  expect_null(sent$out)
  expect_equal(costs(packets, n_items = 5)$n_ratings, 20L)
  expect_equal(calls$costs$n_items, 5)
  expect_equal(decode_table(calls$costs$x), packets)
  expect_error(assign_annotators("here"), "data frame", class = "imagestrata_error")
  expect_error(assign_annotators(toy_sample(), 1:2), "groups", class = "imagestrata_error")
  expect_error(costs(1), "paths as text", class = "imagestrata_error")
})

test_that("packets keep the rules, and what cannot be is refused", {
  skip_if_no_core()
  packets <- assign_annotators(demo_sample(), n_images = 5, raters_per_group = 2)
  expect_equal(
    names(packets),
    c("packet_id", "group", "position", "image_id", "cluster", "path", "file")
  )
  expect_false(anyDuplicated(packets[c("packet_id", "cluster")]) > 0)
  times <- dplyr::count(packets, group, image_id)
  expect_true(all(times$n == 2))
  expect_setequal(times$image_id, demo_sample()$image_id)
  sizes <- dplyr::count(packets, packet_id)$n
  expect_lte(max(sizes) - min(sizes), 1)
  asked <- costs(packets)
  expect_equal(asked$group, c("Democrat", "Republican"))
  expect_equal(asked$n_images_rated, rep(2L * nrow(demo_sample()), 2))
  expect_equal(asked$n_ratings, 10L * asked$n_images_rated)
  expect_error(
    assign_annotators(demo_sample(), n_images = 60), "n_images = 10",
    class = "imagestrata_error"
  )
})
