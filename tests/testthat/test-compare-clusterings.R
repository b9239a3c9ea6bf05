toy_comparison <- function() {
  pairs <- tibble::tibble(
    a = c("one", "one", "two"), b = c("two", "three", "three"), n_images = 5L,
    adjusted_rand = 0.1, normalized_mutual_info = 0.2, adjusted_mutual_info = 0.3
  )
  flow <- function(a, b, cluster_a, cluster_b, n) {
    tibble::tibble(a, b, cluster_a, cluster_b, n, share_a = 0.5, share_b = 0.5)
  }
  flows <- dplyr::bind_rows(
    flow("one", "two", c("1", "2", "2", "-1"), c("1", "1", "2", "2"), c(2L, 1L, 1L, 1L)),
    flow("one", "three", c("1", "2", "-1"), c("x", "x", "y"), c(2L, 2L, 1L)),
    flow("two", "three", c("1", "2", "2"), c("x", "x", "y"), c(3L, 1L, 1L))
  )
  lines <- tibble::tibble(
    clustering = c("one", "two", "three"), n_images = 5L, n_left_out = 0L,
    n_clusters = 2L, n_residual = c(1L, 0L, 0L)
  )
  tables <- list(pairs = pairs, flows = flows, summary = lines)
  new_result(
    list(tables = lapply(tables, encode_table), settings = '{"residual": "drop"}'),
    "imagestrata_comparison", "pairs"
  )
}

test_that("clusterings go without their vectors, and values by position", {
  sent <- attr(toy_comparison(), "tables")
  calls <- local_core(compare_clusterings = \(...) {
    list(tables = lapply(sent, encode_table), settings = '{"residual": "alone"}')
  })
  found <- compare_clusterings(a = toy_clustering(), b = factor(letters[1:6]), truth = "kind")
  expect_s3_class(found, "imagestrata_comparison")
  received <- calls$compare_clusterings
  expect_equal(received$clusterings$names, list("a", "b"))
  expect_equal(received$clusterings$several[[1]]$kind, "labels")
  expect_named(decode_table(received$clusterings$several[[2]]$table), "cluster")
  expect_equal(received$truth, "kind")
  compare_clusterings(!!!list(a = 1:2, b = 1:2), truth = c("x", NA))
  expect_equal(calls$compare_clusterings$truth$kind, "labels")
})

test_that("clusterings without a name are called as what was given, or by their number", {
  first <- c(1, 1, 2)
  expect_named(check_clusterings(first, c(1, 2, 2)), c("first", "2"))
  expect_named(check_clusterings(!!!list(first, other = first)), c("1", "other"))
  skip_if_no_core()
  expect_equal(compare_clusterings(first, fine = c(1, 2, 3))[["a"]], "first")
  expect_error(compare_clusterings(first, fine = 1:3, residul = "drop"), "no argument .residul",
    class = "imagestrata_error"
  )
})

test_that("what is no clustering is told", {
  expect_error(compare_clusterings(a = 1:3), "Two or more", class = "imagestrata_error")
  expect_error(compare_clusterings(a = 1:3, a = 1:3), "name of its own",
    class = "imagestrata_error"
  )
  expect_error(compare_clusterings(a = 1:3, b = mean), "`b` must be the result of",
    class = "imagestrata_error"
  )
  expect_error(compare_clusterings(a = 1:3, b = data.frame(cluster = 1:3)), "image_id",
    class = "imagestrata_error"
  )
})

test_that("five images are compared as by hand", {
  skip_if_no_core()
  found <- compare_clusterings(
    first = c(1, 1, 2, 2, -1), second = c(1, 1, 1, 2, 2), truth = c("x", "x", "y", "y", NA)
  )
  flows <- tidy(found, "flows")
  expect_equal(flows$cluster_a, c(1, 2, 2, -1))
  expect_equal(flows$cluster_b, c(1, 1, 2, 2))
  expect_equal(flows$n, c(2, 1, 1, 1))
  expect_equal(flows$share_a, c(1, 0.5, 0.5, 1))
  expect_equal(found$adjusted_rand, (1 - 0.8) / (3 - 0.8))
  expect_equal(glance(found)$f1[[1]], 1)
  out <- compare_clusterings(
    first = c(1, 1, 2, 2, -1), second = c(1, 1, 1, 2, 2), residual = "drop"
  )
  expect_equal(out$n_images, 4)
  expect_match(tbl_sum(out)[["Comparison"]], "residual left out")
})

test_that("columns stand where their images come from", {
  counts <- count_flows(tidy(toy_comparison(), "flows"), "three", "one", 15)
  expect_equal(rownames(counts), c("x", "y"))
  expect_equal(colnames(counts), c("1", "2", "residual"))
  expect_equal(unname(counts), rbind(c(2, 2, 0), c(0, 0, 1)))
  counts <- count_flows(tidy(toy_comparison(), "flows"), "three", "one", 0)
  expect_equal(colnames(counts), c("others", "residual"))
  expect_equal(unname(counts), cbind(4, 1))
})

test_that("no colour stands for two clusters of a flow", {
  counts <- seq(30, 8, by = -2)
  flows <- tibble::tibble(
    a = "one", b = "two", cluster_a = as.character(1:12), cluster_b = rep(c("1", "2"), each = 6),
    n = counts, share_a = 1, share_b = 0.5
  )
  found <- toy_comparison()
  attr(found, "tables")$flows <- flows
  attr(found, "tables")$summary <- glance(found)[1:2, ]
  plot <- autoplot(found)
  bars <- ggplot2::layer_data(plot, 2)
  first <- bars$fill[bars$xmin < 1.5]
  expect_equal(first, c(flow_colours, rep(flow_grey, 4)))
  # Each cluster has the colour of the one from which most of its images come.
  expect_equal(bars$fill[bars$xmin > 1.5], flow_colours[c(1, 7)])
  expect_match(gsub("\n", " ", plot$labels$caption), "Dark grey: smaller clusters")
  expect_match(ggplot2::get_alt_text(plot), "one .12 bars: 1, 2, 3, ...., two .2 bars")
})

test_that("figures show what is asked for", {
  found <- toy_comparison()
  heat <- autoplot(found, "heatmap")
  expect_match(gsub("\n", " ", heat$labels$caption), "percent of the images of a row")
  expect_equal(heat$labels$y, "Cluster of one (images)")
  expect_match(ggplot2::get_alt_text(heat), "Largest shares: 1 in 1 100%; 2 in 1 50%")
  built <- ggplot2::ggplot_build(autoplot(found))
  # Four flows from one to two, three from two to three.
  expect_equal(length(unique(built$data[[1]]$group)), 7)
  expect_equal(nrow(built$data[[2]]), 3 + 2 + 2)
  expect_setequal(built$data[[3]]$label, c("1", "2", "residual", "x", "y"))
  # Ribbons stay between the bars and within the height.
  expect_equal(range(built$data[[1]]$y), c(-1, 0))
  heat <- autoplot(found, "heatmap", clusterings = c("three", "one"))
  built <- ggplot2::ggplot_build(heat)
  expect_equal(built$data[[2]]$label, c(50, 50, 100))
  expect_equal(levels(heat$data$row), c("y  (1)", "x  (4)"))
  one <- new_result(
    list(
      tables = lapply(
        list(
          pairs = tidy(found)[1, ],
          flows = tibble::tibble(
            a = "one", b = "two", cluster_a = 1L, cluster_b = 1:2, n = 2:1, share_a = 1, share_b = 1
          ),
          summary = glance(found)[1:2, ]
        ),
        encode_table
      ),
      settings = '{"residual": "alone"}'
    ),
    "imagestrata_comparison", "pairs"
  )
  expect_equal(nrow(ggplot2::ggplot_build(autoplot(one))$data[[2]]), 3)
})

test_that("a clustering is cut in the same way on both sides, also where clusters tie", {
  flows <- tibble::tibble(
    cluster_a = rep(c(1:9, 10L), 2), cluster_b = c(2:10, 1L, 5:10, 1:4), n = 1L
  )
  flows <- dplyr::bind_rows(
    dplyr::mutate(flows, a = "one", b = "two"),
    dplyr::mutate(flows[20:1, ], a = "two", b = "three")
  )
  left <- count_flows(flows, "one", "two", 4)
  right <- count_flows(flows, "two", "three", 4)
  expect_setequal(colnames(left), rownames(right))
  expect_equal(rownames(right), c("1", "2", "3", "4", "others"))
  plot <- plot_flows(flows, c("one", "two", "three"), 4)
  expect_equal(nrow(ggplot2::ggplot_build(plot)$data[[2]]), 15)
})

test_that("a clustering without clusters can be drawn", {
  flows <- tibble::tibble(
    a = "one", b = "two", cluster_a = -1L, cluster_b = 1:2, n = c(2L, 1L)
  )
  expect_equal(rownames(count_flows(flows, "one", "two", 15)), "residual")
  bars <- ggplot2::ggplot_build(plot_flows(flows, c("one", "two"), 15))$data[[2]]
  expect_equal(nrow(bars), 3)
})

test_that("figures refuse what is not there", {
  found <- toy_comparison()
  expect_error(autoplot(found, "pie"), "must be one of")
  expect_error(autoplot(found, clusterings = c("one", "four")), "four", class = "imagestrata_error")
  expect_error(autoplot(found, "heatmap", clusterings = c("one", "two", "three")), "two different",
    class = "imagestrata_error"
  )
})

test_that("a named vector goes by its names", {
  skip_if_no_core()
  first <- c(a = 1, b = 1, c = 2, d = 2)
  compared <- compare_clusterings(first = first, second = rev(first))
  expect_equal(compared$adjusted_rand, 1)
})
