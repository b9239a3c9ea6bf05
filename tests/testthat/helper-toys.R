# Small results made by hand, as Python would send them.

toy_table <- function(...) encode_table(tibble::tibble(...))

toy_images <- function() {
  new_images(tibble::tibble(
    image_id = c("a1", "b2", NA, "a1"),
    path = c("/p/1.jpg", "/p/2.png", "/p/3.jpg", "/p/4.jpg"),
    format = c("JPEG", "PNG", NA, "JPEG"),
    width = c(40L, 50L, NA, 40L),
    height = c(30L, 50L, NA, 30L),
    bytes = c(900L, 1200L, 3L, 900L),
    status = c("ok", "ok", "rejected", "duplicate"),
    reason = c(NA, NA, "not an image", "same bytes"),
    duplicate_of = c(NA, NA, NA, "a1"),
    n_copies = c(2L, 1L, 0L, 0L)
  ))
}

toy_embeddings <- function(folder = NULL) {
  matrix <- if (is.null(folder)) encode_matrix(matrix(1:6 / 2, nrow = 3))
  sent <- list(
    images = toy_table(
      image_id = c("a", "b", "c"), path = c("/p/a", "/p/b", "/p/c"), n_copies = 1L
    ),
    failures = toy_table(image_id = "d", path = "/p/d", reason = "it changed since the scan"),
    encoder = '{"name": "hog", "mean": [0.5], "resize": "crop"}',
    width = 2,
    matrix = matrix
  )
  new_embeddings(sent, folder)
}

# Six images in clusters of three and two, one in the residual.
toy_clustering <- function(trace = TRUE) {
  images <- tibble::tibble(
    image_id = letters[1:6],
    path = paste0("/p/", letters[1:6], ".jpg"),
    cluster = c(1L, 1L, 2L, 1L, -1L, 2L),
    iteration = c(1L, 1L, 2L, 1L, NA, 2L),
    silhouette = c(0.5, 0.4, 0.2, 0.6, -0.1, 0.3),
    distance = c(1, 2, 1.5, 0.5, 3, 1),
    n_copies = c(1L, 1L, 4L, 1L, 1L, 1L)
  )
  clusters <- tibble::tibble(
    cluster = 1:2, size = c(3L, 2L), share = c(3, 2) / 6, silhouette = c(0.5, 0.25), iteration = 1:2
  )
  steps <- tibble::tibble(
    iteration = 1:2, n_remaining = c(6L, 3L), k = c(3L, 2L), n_cohesive = c(1L, 1L),
    mean_size = c(3, 2), seconds = c(1.25, 0.75)
  )
  line <- tibble::tibble(
    n_images = 6L, n_clusters = 2L, n_residual = 1L, n_iterations = 2L, mean_silhouette = 0.4,
    method = "iterative", encoder = "hog", seed = 0L
  )
  searches <- tibble::tibble(
    iteration = c(1L, 1L, 1L, 2L, 2L), k = c(2L, 3L, 4L, 2L, 3L), fit = c(0.2, 0.5, 0.4, 0.3, 0.1),
    kept = c(FALSE, TRUE, FALSE, TRUE, FALSE), criterion = "cohesion"
  )
  if (!trace) {
    steps <- steps[0, ]
    searches <- searches[0, ]
  }
  tables <- list(
    images = images, clusters = clusters, trace = steps, searches = searches, summary = line
  )
  new_clustering(list(
    tables = lapply(tables, encode_table),
    centroids = encode_matrix(matrix(1:4, nrow = 2)),
    settings = '{"encoder": {"name": "hog"}, "seed": 0, "only": [1]}'
  ))
}

toy_sample <- function() {
  new_sample(tibble::tibble(
    image_id = c("a", "d", "c"), path = paste0("/p/", c("a", "d", "c"), ".jpg"),
    cluster = c(1L, 1L, 2L), N_h = c(3L, 3L, 2L), n_h = c(2L, 2L, 1L),
    inclusion_probability = c(2 / 3, 2 / 3, 1 / 2), weight_corpus = c(1.5, 1.5, 2),
    weight_cluster = c(0.5, 0.5, 1), weight_share = c(1.5, 1.5, 8)
  ))
}

# As Python sends it: a binary model that saw ten images and takes one test image for what it
# is not.
toy_model_sent <- function(splits = c("train", "val", "test")) {
  history <- tibble::tibble(
    epoch = rep(1:3, each = 2), split = rep(c("train", "val"), 3),
    loss = c(0.7, 0.6, 0.5, 0.45, 0.4, 0.5), accuracy = c(0.5, 0.5, 0.75, 0.5, 1, 0.5),
    precision = 0.5, recall = 0.75, f1 = 0.6
  )
  measures <- c("accuracy", "precision", "recall", "f1")
  scores <- tibble::tibble(
    split = rep(c("train", "val", "test"), each = 4), label = "crowd",
    measure = rep(measures, 3), estimate = c(1, 1, 1, 1, 0.5, 0.5, 1, 2 / 3, 0.5, 0.5, 1, 2 / 3),
    conf_low = 0.25, conf_high = 1, n = rep(c(6L, 2L, 2L), each = 4)
  )
  cells <- tibble::tibble(
    split = rep(c("train", "val", "test"), each = 4), label = "crowd",
    truth = rep(c("yes", "yes", "no", "no"), 3), decision = rep(c("yes", "no"), 6),
    n = c(3L, 0L, 0L, 3L, 1L, 0L, 1L, 0L, 1L, 0L, 1L, 0L)
  )
  predictions <- tibble::tibble(
    image_id = letters[1:10], path = paste0("/p/", letters[1:10], ".jpg"),
    split = rep(c("train", "val", "test"), c(6, 2, 2)), label = "crowd",
    truth = rep(c(1L, 0L), 5), probability = c(rep(c(0.9, 0.2), 3), 0.8, 0.6, 0.75, 0.7),
    decision = c(rep(c(TRUE, FALSE), 3), rep(TRUE, 4))
  )
  line <- tibble::tibble(
    task = "binary", encoder = "hog", n_labels = 1L, n_train = 6L, n_val = 2L,
    n_test = if ("test" %in% splits) 2L else 0L, epochs = 3L, best_epoch = 2L, val_accuracy = 0.5,
    val_f1 = 2 / 3, test_accuracy = 0.5, test_f1 = 2 / 3
  )
  shown <- function(table) encode_table(table[table$split %in% splits, ])
  list(
    task = "binary",
    labels = "crowd",
    tables = list(
      history = encode_table(history), scores = shown(scores), confusion = shown(cells),
      predictions = shown(predictions), summary = encode_table(line)
    ),
    encoder = '{"name": "hog"}',
    training = paste0(
      '{"settings": {"encoder": "hog", "learning_rate": 0.001, "split": [0.6, 0.2, 0.2],',
      ' "early_stopping": null}, "best_epoch": 2}'
    )
  )
}

toy_model <- function(folder = "/models/crowd", ...) {
  new_model(toy_model_sent(...), folder)
}

# A model of two folds of four images.
toy_fold_model <- function(folder = "/models/folds") {
  measures <- c("accuracy", "precision", "recall", "f1")
  history <- tibble::tibble(
    epoch = rep(rep(1:3, each = 2), 2), split = rep(c("train", "val"), 6),
    loss = c(0.7, 0.6, 0.5, 0.45, 0.4, 0.5, 0.8, 0.7, 0.6, 0.6, 0.5, 0.4),
    accuracy = c(0.5, 0.5, 0.75, 0.5, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1),
    precision = 0.5, recall = 0.75, f1 = 0.6, fold = rep(1:2, each = 6)
  )
  scores <- tibble::tibble(
    split = "fold", label = "crowd", measure = measures, estimate = c(0.75, 0.5, 1, 2 / 3),
    conf_low = 0.3, conf_high = 0.95, n = c(4L, 2L, 1L, 2L)
  )
  confusion <- tibble::tibble(
    split = "fold", label = "crowd", truth = c("yes", "yes", "no", "no"),
    decision = rep(c("yes", "no"), 2), n = c(1L, 0L, 1L, 2L)
  )
  predictions <- tibble::tibble(
    image_id = letters[1:4], path = paste0("/p/", letters[1:4], ".jpg"), split = "fold",
    fold = c(1L, 1L, 2L, 2L), label = "crowd", truth = c(1L, 0L, 0L, 0L),
    probability = c(0.9, 0.6, 0.2, 0.1), decision = c(TRUE, TRUE, FALSE, FALSE)
  )
  folds <- tibble::tibble(
    label = "crowd", measure = measures, mean = c(0.75, 0.5, 1, 2 / 3),
    lowest = c(0.5, 0.5, 1, 2 / 3), highest = c(1, 0.5, 1, 2 / 3), n_folds = c(2L, 1L, 1L, 1L)
  )
  line <- tibble::tibble(
    task = "binary", encoder = "hog", n_labels = 1L, n_folds = 2L, n_images = 4L, epochs = 3L,
    fold_accuracy = 0.75, fold_f1 = 2 / 3
  )
  sent <- list(
    task = "binary", labels = "crowd",
    tables = lapply(
      list(
        history = history, scores = scores, confusion = confusion, predictions = predictions,
        folds = folds, summary = line
      ),
      encode_table
    ),
    encoder = '{"name": "hog"}',
    training = '{"settings": {"encoder": "hog", "folds": 2}, "best_epoch": [2, 3]}'
  )
  new_model(sent, folder)
}

toy_label_ratings <- function() {
  data.frame(
    image_id = c("a", "b", "c", "d", "d", "e"),
    annotator = c("1", "1", "1", "1", "2", "1"),
    anger = c(8, 0, 5, 2, 2, NA),
    fear = c(1, 0, 4, 0, 2, 3)
  )
}

# Sixty images in three groups, as vectors.
toy_vectors <- function() {
  group <- rep(c(0, 5, 10), each = 20)
  vectors <- cbind(group + sin(1:60), group + cos(1:60))
  dimnames(vectors) <- NULL
  vectors
}

# Two groups in corners and the residual between them: images a, b, d; c, f; e.
toy_points <- function() {
  tibble::tibble(
    image_id = letters[6:1], x = c(10, 5, 0, 9, 1, 0), y = c(10, 5, 1, 10, 0, 0), method = "pca"
  )
}
