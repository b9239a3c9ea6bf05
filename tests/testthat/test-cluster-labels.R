labels <- c(`5` = "Protest  marches", `8` = "\u00c9lections")

axis_of <- function(plot, side = "x") {
  ggplot2::ggplot_build(plot)$layout$panel_params[[1]][[side]]$get_labels()
}

named_clustering <- function() {
  topics <- toy_clustering()
  tables <- attr(topics, "tables")
  tables$clusters <- tibble::add_column(
    tables$clusters, cluster_name = c("Cats", NA), .after = "cluster"
  )
  attr(topics, "tables") <- tables
  topics
}

test_that("labels come from a vector, a list, a table or names, and may be partial", {
  table <- tibble::tibble(cluster = c(5, 8, 9), cluster_name = c("Own", NA, "Ninth"))
  expect_equal(label_clusters(c(5, 8, 9, -1), names_of_clusters(table)), c(
    "Own", "Cluster 8", "Ninth", "residual"
  ))
  expect_equal(label_clusters(c(5, 8, -1)), c("5", "8", "residual"))
  # Labels replace names; others keep theirs.
  texts <- texts_of_clusters(labels, table)
  expect_equal(label_clusters(c(5, 8, 9), texts), c("Protest marches", "\u00c9lections", "Ninth"))
  expect_equal(texts_of_clusters(as.list(labels), table), texts)
  expect_equal(unname(check_labels(table, 5)), c("Own", "Ninth"))
  expect_equal(label_clusters(-1, c(`-1` = "Rest")), "Rest")
  expect_equal(label_clusters(7, c(`7` = strrep("a", 50)), 10), paste0(strrep("a", 7), "..."))
  expect_length(check_labels(c(`5` = "", `8` = NA), c(5, 8)), 0)
})

test_that("wrong labels are refused", {
  refused <- function(labels, message) {
    expect_error(check_labels(labels, c(5, 8)), message, class = "imagestrata_error")
  }
  refused(c(`5` = "x", `7` = "y"), "1 cluster that is not there")
  refused("x", "must be a vector of names")
  refused(c(`5` = 1), "must be a vector of names")
  refused(list(`5` = c("a", "b")), "must be a vector of names")
  refused(data.frame(cluster = 1), "cluster_name")
})

test_that("plots of a clustering show names", {
  topics <- named_clustering()
  for (type in c("sizes", "silhouettes")) {
    expect_equal(axis_of(autoplot(topics, type)), c("Cats", "Cluster 2"))
    expect_equal(axis_of(autoplot(topics, type, labels = c(`2` = "Dogs"))), c("Cats", "Dogs"))
    expect_equal(axis_of(autoplot(toy_clustering(), type)), c("1", "2"))
    expect_error(autoplot(topics, type, labels = c(`9` = "x")), "not there")
  }
  expect_error(autoplot(topics, "trace", labels = labels), "only with", class = "imagestrata_error")
})

test_that("the map shows names if they fit, or numbers and a key", {
  points <- tibble::tibble(
    image_id = letters[6:1], x = c(10, 5, 0, 9, 1, 0), y = c(10, 5, 1, 10, 0, 0), method = "pca"
  )
  topics <- named_clustering()
  direct <- autoplot(topics, "map", points = points)
  expect_equal(ggplot2::layer_data(direct, 2)$label, c("Cats", "2"))
  long <- autoplot(topics, "map", points = points, labels = c(`2` = strrep("dog ", 20)))
  expect_equal(ggplot2::layer_data(long, 2)$label, c("1", "2"))
  key <- long$scales$get_scales("colour")
  entries <- ggplot2::ggplot_build(long)$plot$scales$get_scales("colour")$get_labels()
  expect_match(entries, "^1  Cats$|^2  dog dog .*[.]{3}$|^in no cluster$")
  expect_equal(unname(key$palette(2))[1:2], unname(group_colours[1:2]))
  # The same cases as in tests/python/test_named.py.
  set.seed(1)
  centres <- cbind(rep(1:12, 10) / 12, rep(1:10, each = 12) / 10)
  texts <- rlang::set_names(paste("A rather long name", 1:119), 1:119)
  shown <- map_labels(centres, 1:120, texts, rep(NA, 120))
  expect_equal(sum(!is.na(shown)), 120)
  expect_equal(shown[1], "1")
  sizes <- c(rep(1:120, 129:10), -1)
  key <- map_key(sizes, 1:120, texts, "cluster")
  expect_equal(key$entries[1], "1  A rather long name 1")
  expect_equal(utils::tail(key$entries, 2), c("113 smaller clusters", "in no cluster"))
  expect_length(unique(key$coloured), 7)
  # Names at the edge are moved inside.
  expect_equal(inside_map(c(0, 1, 0.5), rep(strrep("a", 20), 3), 1), c(0.105, 0.895, 0.5))
})

test_that("plots of ratings show names", {
  gaps <- few_gaps(by = c(group, cluster))
  wanted <- c("Protest marches", "\u00c9lections", "Cluster 2")
  axis <- function(plot) plot$scales$get_scales("y")$labels
  expect_equal(axis(plot_cluster_gaps(gaps, c(5, 8, 2), labels = labels)), wanted)
  means <- few_means(by = cluster)
  few <- dplyr::filter(simulated_clusters, cluster %in% 1:12)
  for (plot in list(
    plot_rating_heatmap(means, labels = labels), plot_rating_heatmap(means, few, labels = labels)
  )) {
    expect_equal(axis_of(plot)[c(2, 5, 8)], wanted[c(3, 1, 2)])
  }
  expect_error(plot_rating_heatmap(means, labels = c(`99` = "x")), "not there")
  some <- means[means$cluster %in% c(2, 5, 8), ]
  expect_equal(levels(plot_rating_means(some, labels = labels)$data$side), wanted[c(3, 1, 2)])
  both <- dplyr::filter(gaps, cluster %in% c(2, 5, 8))
  plot <- plot_rating_gaps(both, labels = labels)
  expect_equal(levels(plot$data$cluster), wanted[c(3, 1, 2)])
  strips <- function(plot) {
    layout <- ggplot2::ggplot_build(plot)$layout$layout
    unlist(name_panels(layout["cluster"]))
  }
  expect_equal(strips(plot), wanted[c(3, 1, 2)])
  expect_equal(strips(plot_rating_gaps(both)), paste("cluster:", c(2, 5, 8)))
  expect_error(plot_rating_means(few_means(), labels = labels), "only with")
  two <- dplyr::filter(simulated_ratings, cluster %in% c(5, 8))
  pairs <- quietly(rating_gaps(two, by = cluster))
  expect_equal(levels(plot_rating_gaps(pairs)$data$contrast), "5 - 8")
  shown <- plot_rating_gaps(pairs, labels = labels)
  expect_equal(levels(shown$data$contrast), "Protest marches - \u00c9lections")
  expect_match(ggplot2::get_alt_text(shown), "Protest marches - \u00c9lections", fixed = TRUE)
})

test_that("names in ratings travel to means, gaps and weights, and to their plots", {
  rated <- dplyr::filter(simulated_ratings, cluster <= 12)
  rated$cluster_name <- unname(labels[as.character(rated$cluster)])
  means <- quietly(rating_means(rated, by = c(group, cluster)))
  expect_equal(match("cluster_name", names(means)), match("cluster", names(means)) + 1)
  expect_equal(unique(means$cluster_name[means$cluster == 5]), "Protest  marches")
  expect_true(all(is.na(means$cluster_name[means$cluster == 2])))
  expect_equal(by_of(means), c("group", "cluster"))
  expect_equal(by_of(tibble::as_tibble(plain_tibble(means))), c("group", "cluster"))
  gaps <- quietly(rating_gaps(rated, by = c(group, cluster)))
  shown <- plot_cluster_gaps(gaps, c(5, 2))$scales$get_scales("y")$labels
  # Axes show a single space.
  expect_equal(shown, c("Protest marches", "Cluster 2"))
  expect_true("cluster_name" %in% names(quietly(rating_weights(rated))))
  expect_true("cluster_name" %in% names(quietly(rating_reliability(rated, by = cluster))))
  expect_false("cluster_name" %in% names(quietly(rating_means(rated))))
  same <- c("estimate", "std.error", "df")
  bare <- quietly(rating_means(dplyr::select(rated, -"cluster_name"), by = c(group, cluster)))
  expect_equal(means[same], bare[same])
})

test_that("comparisons have labels for each clustering", {
  skip_if_no_core()
  first <- tibble::tibble(
    image_id = letters[1:6], cluster = c(1, 1, 1, 2, 2, -1),
    cluster_name = c("Cats", "Cats", "Cats", NA, NA, NA)
  )
  second <- tibble::tibble(image_id = letters[1:6], cluster = c(1, 1, 2, 2, 2, 1))
  found <- compare_clusterings(first = first, second = second)
  flows <- tidy(found, "flows")
  expect_equal(unique(flows$cluster_name_a[flows$cluster_a == 1]), "Cats")
  expect_true(all(is.na(flows$cluster_name_b)))
  names <- function(plot) unique(plot$layers[[3]]$data$name)
  expect_equal(names(autoplot(found)), c("Cats", "Cluster 2", "residual", "1", "2"))
  named <- autoplot(found, labels = list(second = c(`2` = "Dogs"), first = c(`2` = "Birds")))
  expect_setequal(names(named), c("Cats", "Birds", "residual", "Cluster 1", "Dogs"))
  cells <- autoplot(found, "heatmap", labels = list(second = c(`2` = "Dogs")))$data
  expect_setequal(as.character(cells$column), c("Cluster 1", "Dogs"))
  expect_true("Cats  (3)" %in% cells$row)
  for (wrong in list(c(`1` = "x"), list(third = c(`1` = "x")), list(first = c(`9` = "x")))) {
    expect_error(autoplot(found, labels = wrong), "labels", class = "imagestrata_error")
  }
})

test_that("tests and stability show names", {
  clusters <- tibble::tibble(
    cluster = c(1L, 2L), cluster_name = c("Cats", NA), size = c(3, 2), n_sets = 3L,
    share_found = c(1, 0.5), conf.low = 0, conf.high = 1, kind = "seed", jaccard = 0.8,
    jaccard_low = 0.5, description = c("small", "large")
  )
  made <- function(class, ...) {
    new_object(clusters, class, tables = list(clusters = clusters, ...))
  }
  stable <- made("imagestrata_stability")
  expect_equal(axis_of(autoplot(stable)), c("Cats", "Cluster 2"))
  expect_equal(axis_of(autoplot(stable, labels = c(`2` = "Dogs"))), c("Cats", "Dogs"))
  intruders <- made("imagestrata_cluster_test", summary = tibble::tibble(chance = 0.2))
  expect_equal(axis_of(autoplot(intruders)), c("Cats", "Cluster 2"))
  matching <- made(
    "imagestrata_cluster_test", summary = tibble::tibble(accuracy = 1),
    confusion = tibble::tibble(cluster = 1:2, label = 2:1, n = 1L)
  )
  plot <- autoplot(matching, labels = c(`2` = "Dogs"))
  expect_equal(levels(plot$data$column), c("Cats", "Dogs"))
  expect_equal(levels(plot$data$row), c("Dogs: large", "Cats: small"))
})

test_that("labels reach the montage", {
  calls <- local_core(rows_of_montage = \(...) stop("enough"))
  expect_error(plot_montage(toy_clustering(), labels = c(`2` = "Dogs")), "enough")
  expect_equal(from_json(calls$rows_of_montage$labels$text), list(`2` = "Dogs"))
  expect_error(plot_montage(toy_clustering(), labels = c(`9` = "x")), "not there")
})

test_that("the core draws and returns names", {
  skip_if_no_core()
  corners <- rbind(c(0, 0), c(0, 1), c(9, 0), c(9, 1), c(0, 9), c(1, 9), c(5, 5))
  rownames(corners) <- letters[1:7]
  found <- as_clustering(corners, c(1, 1, 2, 2, 3, 3, -1))
  topics <- edit_clusters(found, corners, names = c("3" = "North", "2" = "East"))
  expect_equal(predict(topics, corners)$cluster_name[c(5, 3)], c("North", "East"))
  captions <- tibble::tibble(image_id = letters[1:7], description = "sky")
  words <- cluster_keywords(topics, captions, stop_words = NULL)
  expect_equal(words$cluster_name[words$cluster == 3], "North")
  metadata <- cluster_metadata(topics, captions, column = "description")
  expect_equal(names(metadata)[1:2], c("cluster", "cluster_name"))
  expect_true(is.na(metadata$cluster_name[metadata$cluster == -1]))
  drawn <- sample_images(topics, n_per_cluster = 1)
  expect_equal(drawn$cluster_name[drawn$cluster == 3], "North")
  packets <- assign_annotators(drawn, n_images = 2)
  expect_setequal(packets$cluster_name[packets$cluster == 3], "North")
  expect_output(print(summary(topics)), "2 edits: 2 names")
  expect_output(print(summary(topics)), "3 clusters with a name: 1; East; North", fixed = TRUE)
})
