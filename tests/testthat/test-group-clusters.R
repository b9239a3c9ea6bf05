# Two pairs of clusters in the plane, and one image apart.
places <- rbind(
  c(0, 0), c(0, 0), c(0, 0), c(9, 0), c(9, 0), c(0, 1), c(0, 1), c(9, 2), c(50, 50)
)
rownames(places) <- letters[1:9]

found <- function() as_clustering(places, c(1, 1, 1, 2, 2, 3, 3, 4, -1))

test_that("clusters are grouped into themes", {
  skip_if_no_core()
  topics <- group_clusters(found(), n = 2, names = c("2" = "Traffic"))
  expect_s3_class(topics, "imagestrata_clustering")
  expect_identical(topics$theme, c(1L, 1L, 1L, 2L, 2L, 1L, 1L, 2L, NA))
  expect_identical(topics$theme_name[c(1, 4, 9)], c("1, 3", "Traffic", NA))
  expect_identical(tidy(topics)$theme, c(1L, 2L, 1L, 2L))
  themes <- tidy(topics, "themes")
  expect_identical(themes$theme, 1:2)
  expect_identical(themes$size, c(5L, 3L))
  expect_identical(themes$clusters, c("1 3", "2 4"))
  tree <- tidy(topics, "tree")
  expect_identical(tree$left, c(-1L, -2L, 1L))
  expect_identical(tree$right, c(-3L, -4L, 2L))
  expect_equal(tree$height[1:2], c(1, 2))
  expect_true(any(grepl("2 themes", format(topics))))
  expect_identical(nrow(tidy(group_clusters(found()), "themes")), 2L)
  expect_null(attr(found(), "tables")[["themes"]])
})

test_that("the tree is that of hclust()", {
  skip_if_no_core()
  set.seed(1)
  centres <- matrix(rnorm(12 * 15), 12)
  topics <- group_clusters(as_clustering(centres, seq_len(12)), n = 4)
  unit <- centres / sqrt(rowSums(centres^2))
  away <- sweep(unit, 2, colMeans(unit))
  away <- away / sqrt(rowSums(away^2))
  theirs <- hclust(as.dist(1 - tcrossprod(away)), "average")
  expect_equal(tidy(topics, "tree")$height, theirs$height, tolerance = 1e-5)
  both <- table(cutree(theirs, 4), tidy(topics)$theme)
  expect_true(all(rowSums(both > 0) == 1) && all(colSums(both > 0) == 1))
})

test_that("themes are renamed, follow edits and cross the border again", {
  skip_if_no_core()
  topics <- group_clusters(found(), n = 2)
  renamed <- group_clusters(topics, names = c("1" = "Animals"))
  expect_identical(tidy(renamed, "tree"), tidy(topics, "tree"))
  expect_identical(tidy(renamed, "themes")$theme_name, c("Animals", "2, 4"))
  expect_warning(merged <- edit_clusters(renamed, places, merge = c(2, 3)), "several themes")
  expect_identical(tidy(merged)$theme, c(1L, 1L, 2L))
  expect_identical(merged$theme_found, c(1L, 1L, 1L, 2L, 2L, 1L, 1L, 2L, NA))
  named <- edit_clusters(renamed, names = c("1" = "Dogs"))
  expect_identical(tidy(named, "themes"), tidy(renamed, "themes"))
  keywords <- data.frame(cluster = 1:4, rank = 1, term = c("dog", "bus", "cat", "car"))
  expect_identical(
    tidy(group_clusters(found(), 2, keywords = keywords), "themes")$theme_name,
    c("dog, cat", "bus, car")
  )
})

test_that("a run folder keeps the themes", {
  skip_if_no_core()
  run <- withr::local_tempdir()
  embeddings <- embed_images(
    imagestrata_example("images"), "hog", out = run, progress = FALSE
  )
  topics <- cluster_images(
    embeddings, "kmeans", n_clusters = 4, neighbors = NULL, out = run, progress = FALSE
  )
  grouped <- group_clusters(topics, n = 2, out = run)
  expect_identical(plain_tibble(read_clustering(run)), plain_tibble(grouped))
  expect_identical(tidy(read_clustering(run), "tree"), tidy(grouped, "tree"))
  drawn <- sample_images(grouped, n_per_cluster = 2)
  expect_true(all(c("theme", "theme_name") %in% names(drawn)))
})

test_that("wrong arguments are refused", {
  skip_if_no_core()
  expect_error(group_clusters(found(), 9), "more than the 4 clusters", class = "imagestrata_error")
  expect_error(group_clusters(found(), names = "North"), "names are numbers of themes")
  expect_error(group_clusters(found(), 2, names = c("7" = "North")), "the themes are 1 to 2")
  expect_error(group_clusters(places), "cluster_images")
})

test_that("the tree is drawn", {
  skip_if_no_core()
  topics <- group_clusters(found(), n = 2)
  file <- withr::local_tempfile(fileext = ".png")
  plot <- plot_themes(topics, file, n_images = 0)
  expect_s3_class(plot, "ggplot")
  expect_gt(file.size(file), 5000)
  # A cut between the two themes, and three lines for each of three merges.
  expect_equal(nrow(ggplot2::layer_data(plot, 1)), 9)
  cut <- ggplot2::layer_data(plot, 2)$xintercept
  expect_true(cut < 0 && cut > -7)
  headings <- ggplot2::layer_data(plot, 4)
  expect_setequal(headings$label, unique(tidy(topics)$theme_name))
  expect_match(gsub("\n", " ", plot$labels$caption), "Dashed line: where the tree was cut")
  expect_match(ggplot2::get_alt_text(plot), "^A tree over 4 clusters, cut into 2 themes")
  # Leaves are where their rows are; colours are those of themes.
  lines <- ggplot2::layer_data(plot, 1)
  leaves <- lines[lines$x == 0, ]
  expect_setequal(leaves$y, plot$scales$get_scales("y")$breaks)
  expect_setequal(leaves$colour, group_colours[1:2])
  expect_error(plot_themes(found()), "group_clusters", class = "imagestrata_error")
})

test_that("the map has colours and names of themes", {
  skip_if_no_core()
  topics <- group_clusters(found(), n = 2, names = c("1" = "Animals"))
  points <- data.frame(image_id = topics$image_id, x = seq_len(9), y = seq_len(9))
  plot <- autoplot(topics, "map", points = points, by = "theme")
  built <- ggplot2::ggplot_build(plot)
  expect_length(unique(built$data[[1]]$colour), 3)
  expect_setequal(built$data[[2]]$label, c("Animals", "2, 4"))
  expect_equal(
    gsub("\n", " ", plot$labels$caption),
    "9 images, 4 clusters in 2 themes. Labels: above the median of a theme's images."
  )
  expect_length(unique(ggplot2::ggplot_build(autoplot(topics, "map", points))$data[[1]]$colour), 5)
  expect_error(autoplot(found(), "map", points, by = "theme"), "group_clusters")
  expect_error(autoplot(topics, by = "theme"), "by")
  expect_error(autoplot(topics, "map", points, labels = c("1" = "x"), by = "theme"), "labels")
})

test_that("ratings are estimated by theme", {
  skip_if_no_core()
  topics <- group_clusters(found(), n = 2, names = c("1" = "Animals"))
  drawn <- sample_images(topics, n_per_cluster = 2, seed = 1)
  rows <- expand.grid(
    respondent_id = c("r1", "r2", "r3"), image_id = drawn$image_id, stringsAsFactors = FALSE
  )
  rows$group <- c("a", "b", "a")[match(rows$respondent_id, c("r1", "r2", "r3"))]
  rows$anger <- seq_len(nrow(rows)) %% 5
  items <- data.frame(item = "anger", dimension = "feelings")
  ratings <- read_ratings(rows, drawn, items = items)
  expect_true(all(c("theme", "theme_name") %in% names(ratings)))
  expect_error(rating_means(ratings, by = "theme_name"), "have no theme_name")
  means <- rating_means(ratings[!is.na(ratings$theme_name), ], by = "theme_name")
  expect_true(all(c("Animals", "2, 4") %in% means$theme_name))
})
