teach <- function(..., epochs = 5) {
  fine_tune(..., encoder = "hog", freeze = "backbone", epochs = epochs, progress = FALSE)
}

test_that("arguments reach Python as it wants them", {
  calls <- local_core(fine_tune = \(...) toy_model_sent())
  folder <- withr::local_tempdir()
  labels <- tibble::tibble(path = "1.jpg", class = factor("crowd", c("none", "crowd")))
  fit <- fine_tune(
    folder, labels, freeze = 2, preset = "element", bias = "shares", max_gradient_norm = NULL,
    split = c(0.6, 0.2, 0.2), out = folder, progress = FALSE
  )
  sent <- calls$fine_tune
  expect_equal(decode_table(sent[[2]]$table), tibble::tibble(path = "1.jpg", class = "crowd"))
  expect_null(sent[[3]])
  expect_equal(sent$freeze, 2)
  expect_equal(sent$split, list(0.6, 0.2, 0.2))
  expect_equal(sent[c("preset", "bias")], list(preset = "element", bias = "shares"))
  expect_null(sent$max_gradient_norm)
  expect_null(sent$keep)
  expect_equal(fit, toy_model(absolute_path(folder)))
  temporary <- fine_tune(folder, task = "binary", progress = FALSE)
  expect_null(calls$fine_tune[[2]])
  expect_equal(calls$fine_tune[[3]], "binary")
  expect_null(calls$fine_tune$split)
  expect_equal(calls$fine_tune$max_gradient_norm, "auto")
  expect_equal(temporary$folder, calls$fine_tune$keep)
  expect_equal(dirname(temporary$folder), absolute_path(tempdir()))
})

test_that("what cannot be meant is an error before Python is looked for", {
  folder <- withr::local_tempdir()
  expect_snapshot(error = TRUE, {
    fine_tune(folder, labels = 5)
    fine_tune(folder, split = c(0.8, 0.2))
    fine_tune(folder, freeze = c("none", "backbone"))
    fine_tune(folder, freeze = TRUE)
    fine_tune(folder, class_weights = "yes")
    fine_tune(folder, out = 3)
  })
  expect_error(
    fine_tune(folder, labels = "no such.csv"), "`labels`.*no such",
    class = "imagestrata_error"
  )
})

test_that("a table and a file of labels teach the same; the model outlives Python's object", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  file <- imagestrata_example("labels.csv")
  fit <- teach(folder, file)
  table <- utils::read.csv(file)
  again <- teach(folder, dplyr::mutate(table, people = people == 1))
  expect_equal(augment(again), augment(fit))
  expect_equal(fit$task, "multilabel")
  expect_equal(fit$labels, c("people", "writing", "outdoors"))
  expect_gt(glance(fit)$test_accuracy, 0.7)
  reticulate::import("gc")$collect()
  found <- predict(fit, folder, progress = FALSE)
  both <- dplyr::inner_join(found, augment(fit), by = c("image_id", "label"))
  expect_equal(both$probability.x, both$probability.y, tolerance = 1e-5)
})

test_that("R and Python teach the same", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  file <- imagestrata_example("labels.csv")
  out <- withr::local_tempfile(fileext = ".csv")
  reticulate::py_run_string(sprintf("
from imagestrata import fine_tune
fine_tune(%s, %s, encoder='hog', freeze='backbone', epochs=5, seed=3, split=(0.5, 0.3, 0.2),
          progress=False).scores.to_csv(%s, index=False)
", shQuote(folder), shQuote(file), shQuote(out)))
  fit <- teach(folder, file, seed = 3, split = c(0.5, 0.3, 0.2))
  expected <- utils::read.csv(out)
  names(expected) <- sub("^conf_", "conf.", names(expected))
  expect_equal(as.data.frame(tidy(fit, "scores")), expected)
})

test_that("classes may be folders, and a finished model is loaded", {
  skip_if_no_core()
  labels <- utils::read.csv(imagestrata_example("labels.csv"))
  corpus <- withr::local_tempdir()
  side <- ifelse(labels$writing == 1, "positive", "negative")
  split <- rep_len(c("train", "train", "val"), nrow(labels))
  target <- file.path(corpus, split, side, labels$path)
  for (folder in unique(dirname(target))) dir.create(folder, recursive = TRUE)
  file.copy(file.path(imagestrata_example("images"), labels$path), target)
  out <- withr::local_tempdir()
  fit <- suppressWarnings(teach(corpus, out = out))
  expect_equal(fit$task, "binary")
  expect_equal(fit$labels, "positive")
  expect_equal(glance(fit)$n_test, 0)
  expect_equal(suppressWarnings(teach(corpus, out = out)), fit)
  expect_equal(tidy(read_model(out)), tidy(fit))
  expect_error(
    suppressWarnings(teach(corpus, out = out, epochs = 6)), "epochs",
    class = "imagestrata_error"
  )
})

test_that("warnings and errors of Python arrive as those of R", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  labels <- utils::read.csv(imagestrata_example("labels.csv"))[c("path", "people")]
  unknown <- rbind(labels, data.frame(path = "elsewhere.jpg", people = 1))
  expect_warning(teach(folder, unknown, epochs = 1), "elsewhere.jpg")
  expect_error(
    teach(folder, dplyr::mutate(labels, people = 1)), "never 0",
    class = "imagestrata_error"
  )
  expect_error(
    teach(folder, dplyr::mutate(labels, people = people + 1), task = "binary"),
    "must hold 1, 0 or empty cells",
    class = "imagestrata_error"
  )
  expect_error(
    fine_tune(folder, labels, encoder = "hog", progress = FALSE), "backbone",
    class = "imagestrata_error"
  )
})

test_that("the model makes vectors to cluster", {
  skip_if_no_core()
  vectors <- embed_images(
    imagestrata_example("images"),
    model = demo_model(), progress = FALSE
  )
  expect_equal(glance(vectors)$encoder, "hog")
  by_folder <- embed_images(
    imagestrata_example("images"),
    model = imagestrata_example("model"), progress = FALSE
  )
  expect_equal(as.matrix(by_folder), as.matrix(vectors))
  topics <- cluster_images(vectors, "kmeans", n_clusters = 5, progress = FALSE)
  expect_equal(glance(topics)$n_clusters, 5)
})

test_that("images cannot be placed without the network that made the clusters", {
  taught <- toy_clustering()
  attr(taught, "settings") <- '{"encoder": {"name": "resnet18", "fine_tuned": ["crowd"]}}'
  expect_snapshot(predict(taught, "photos"), error = TRUE)
})
