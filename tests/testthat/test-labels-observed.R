# The same cases as tests/python/test_labels_observed.py.

# Six images in two clusters; two of the first and one of the second are in the sample.
six <- data.frame(image_id = letters[1:6], cluster = c(1, 1, 1, 1, 2, 2))
six_sample <- data.frame(
  image_id = c("a", "b", "e"), cluster = c(1, 1, 2), N_h = c(4, 4, 2), n_h = c(2, 2, 1)
)
six_labels <- data.frame(image_id = c("a", "b", "e"), code = "protest", label = c(1, 0, 1))
six_predictions <- data.frame(
  image_id = letters[1:6], label = "protest", probability = c(0.9, 0.2, 0.8, 0.1, 0.7, 0.3),
  decision = c(TRUE, FALSE), split = NA_character_
)
change <- function(data, ...) {
  new <- list(...)
  data[names(new)] <- new
  data
}
seen_as <- function(...) observe_labels(...)$targets[[1]]

test_that("each image has its label, prediction and stratum", {
  seen <- observe_labels(six_labels, six_predictions, six_sample, six)
  target <- seen$targets[[1]]
  expect_equal(seen$images$stratum, c(1, 1, 1, 1, 2, 2))
  expect_equal(target[c("code", "label", "kind")],
    list(code = "protest", label = "1", kind = "binary"))
  expect_equal(target$y, c(1, 0, NA, NA, 1, NA))
  expect_equal(target$f, six_predictions$probability)
  expect_equal(target$decided, c(1, 0, 1, 0, 1, 0))
  expect_true(seen$whole && seen$placed)
})

test_that("without a clustering only the strata of sampled images are known", {
  seen <- observe_labels(six_labels, six_predictions, six_sample)
  expect_equal(seen$images$stratum, c(1, 1, NA, NA, 2, NA))
  expect_true(seen$whole)
  expect_false(seen$placed)
  seen <- observe_labels(six_labels, NULL, six_sample)
  expect_false(seen$whole)
  expect_equal(sum(seen$strata$N_h), 6)
})

test_that("labels of a machine are no labels by people", {
  machine <- data.frame(
    image_id = letters[1:6], code = "protest", label = c("1", "0"), annotator = "model:m"
  )
  expect_snapshot(error = TRUE, label_shares(machine, machine, six_sample))
  both <- rbind(cbind(six_labels, annotator = "anna"), machine[4:6, ])
  expect_error(
    observe_labels(both, NULL, six_sample), "3 of 6 labels in `labels` are by",
    class = "imagestrata_error"
  )
  plan <- \(...) plan_labels(..., width = 0.1)
  for (verb in list(label_shares, plan, score_labels)) {
    expect_error(verb(machine, machine, six_sample), "a model", class = "imagestrata_error")
  }
  expect_error(
    label_model(protest ~ cluster, machine, machine, sample = six_sample), "a model",
    class = "imagestrata_error"
  )
})

test_that("predictions may be labels, choices have a target per answer, scales are numbers", {
  guesses <- data.frame(
    image_id = letters[1:6], code = "protest", label = c("1", "0"), annotator = "model:m"
  )
  expect_no_warning(target <- seen_as(six_labels, guesses, six_sample))
  expect_equal(target$f, c(1, 0, 1, 0, 1, 0))
  expect_warning(seen_as(six_labels, change(guesses, annotator = "m"), six_sample), "split")
  labels <- change(six_labels, code = "place", label = c("street", "square", "street"))
  guesses <- data.frame(
    image_id = rep(letters[1:6], each = 2), label = c("street", "square"),
    probability = c(0.9, 0.1, 0.2, 0.8), split = "fold"
  )
  targets <- observe_labels(labels, guesses, six_sample)$targets
  expect_equal(vapply(targets, \(target) target$label, ""), c("square", "street"))
  expect_equal(targets[[1]]$f + targets[[2]]$f, rep(1, 6))
  expect_equal(targets[[1]]$y[1:3], c(0, 1, NA))
  guesses <- data.frame(image_id = letters[1:6], code = "anger", label = 3:8)
  expect_warning(
    target <- seen_as(change(six_labels, code = "anger", label = c(3, 7, 10)), guesses, six_sample),
    "split"
  )
  expect_equal(target$kind, "scale")
  expect_equal(target$f, 3:8)
})

test_that("ids are compared as text, and labels may be numbers, text or logical", {
  number <- function(data) change(data, image_id = match(data$image_id, letters))
  target <- seen_as(number(six_labels), NULL, number(six_sample),
    change(number(six), image_id = as.character(1:6)))
  expect_equal(sum(!is.na(target$y)), 3)
  for (label in list(c(TRUE, FALSE, TRUE), c("1", "0", "1"), factor(c(1, 0, 1)))) {
    expect_equal(seen_as(change(six_labels, label = label), NULL, six_sample)$y, c(1, 0, 1))
  }
})

test_that("labels of copies are those of the kept image", {
  scan <- rbind(
    change(six, duplicate_of = NA), data.frame(image_id = "x", cluster = 1, duplicate_of = "a")
  )
  labels <- change(six_labels, image_id = c("x", "b", "e"))
  expect_equal(seen_as(labels, NULL, six_sample, scan)$y[1:2], c(1, 0))
  both <- rbind(six_labels, labels)
  expect_equal(sum(!is.na(seen_as(both, NULL, six_sample, scan)$y)), 3)
  both$label[4] <- 0
  expect_error(observe_labels(both, NULL, six_sample, scan), "several labels of one code")
})

test_that("what does not fit is refused, with the remedy", {
  expect_snapshot(error = TRUE, {
    observe_labels(
      rbind(six_labels, change(six_labels, label = 1)), NULL, six_sample
    )
    observe_labels(change(six_labels[1, ], image_id = "c"), NULL, six_sample)
    observe_labels(change(six_labels, label = NA), NULL, six_sample)
    observe_labels(six_labels, six_predictions[1:3, ], six_sample)
    observe_labels(
      six_labels, change(six_predictions, split = c("train", "val", "train", NA, "test", NA)),
      six_sample
    )
    observe_labels(change(six_labels, code = "flag"), six_predictions, six_sample)
    observe_labels(six_labels, NULL, change(six_sample[1:2, ], n_h = 3))
    observe_labels(six_labels, NULL, change(six_sample, N_h = 1))
    observe_labels(six_labels, NULL, rbind(six_sample, six_sample))
    observe_labels(six_labels, NULL, change(six_sample, N_h = c(5, 5, 2)), six)
    observe_labels(six_labels, NULL, change(six_sample, image_id = c("a", "b", "z")), six)
    observe_labels(six_labels["image_id"], NULL, six_sample)
    observe_labels(change(six_labels, kind = "binary", label = c(1, 2, 0)), NULL, six_sample)
    observe_labels(change(six_labels, kind = "scale", label = c(1, "x", 0)), NULL, six_sample)
    observe_labels(change(six_labels, kind = c("binary", "scale", "scale")), NULL, six_sample)
    observe_labels(change(six_labels, kind = "text"), NULL, six_sample)
    observe_labels(six_labels, six_predictions[c("image_id", "label")], six_sample)
    observe_labels(six_labels, change(six_predictions, probability = 2), six_sample)
    observe_labels(
      six_labels, rbind(six_predictions, change(six_predictions, probability = 0.5)), six_sample
    )
    observe_labels(
      six_labels, change(six_predictions, code = "protest", label = "yes"), six_sample
    )
  })
})

test_that("what is left out or represented by others is reported", {
  expect_snapshot({
    x <- observe_labels(
      rbind(six_labels, change(six_labels[1, ], image_id = "c")), NULL, six_sample, six
    )
    x <- observe_labels(change(six_labels, label = c(1, NA, 1)), NULL, six_sample)
    x <- observe_labels(six_labels, six_predictions[1:4, ], six_sample, six)
    x <- observe_labels(six_labels, six_predictions[1:4], six_sample)
    x <- observe_labels(
      rbind(six_labels, change(six_labels, code = "flag")), six_predictions, six_sample
    )
    x <- observe_labels(
      six_labels, NULL, six_sample,
      rbind(six, data.frame(image_id = c("g", "h"), cluster = c(3, -1)))
    )
  })
})

test_that("strata are clusters by wave, also of a sample before edits", {
  clustering <- change(six, wave = c(1, 1, 2, 2, 1, 1))
  sample <- data.frame(
    image_id = c("a", "c", "d", "e"), cluster = c(1, 1, 1, 2), wave = c(1, 2, 2, 1), N_h = 2,
    n_h = c(1, 2, 2, 1)
  )
  seen <- suppressWarnings(observe_labels(six_labels, NULL, sample, clustering))
  expect_equal(seen$images$stratum, c(1, 1, 2, 2, 3, 3))
  edited <- change(six, cluster = 1, cluster_found = six$cluster)
  sample <- change(six_sample, cluster = 1, stratum = c("w1c1", "w1c1", "w1c2"))
  expect_equal(observe_labels(six_labels, NULL, sample, edited)$images$stratum, c(1, 1, 1, 1, 2, 2))
})

test_that("tags with a decision are predictions", {
  sample <- data.frame(image_id = letters[1:4], cluster = 1, N_h = 6, n_h = 4)
  labels <- data.frame(image_id = letters[1:4], code = "protest", label = c(1, 0, 1, 0))
  tags <- data.frame(
    image_id = rep(letters[1:6], each = 2), label = c("protest", "other"),
    confidence = c(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.1, 0.9, 0.6, 0.4, 0.3, 0.7),
    decision = c(TRUE, FALSE, FALSE, TRUE, TRUE, FALSE, FALSE, TRUE, TRUE, FALSE, FALSE, TRUE),
    split = NA_character_
  )
  named <- tags
  names(named)[names(named) == "confidence"] <- "probability"
  expect_equal(label_shares(labels, tags, sample), label_shares(labels, named, sample))
})

test_that("labels that differ only in capitals or spaces are told", {
  sample <- data.frame(image_id = letters[1:4], cluster = 1, N_h = 9, n_h = 4)
  labels <- data.frame(
    image_id = letters[1:4], code = "scene", label = c("march", "March", "vigil", "vigil")
  )
  expect_warning(
    observe_labels(labels, NULL, sample),
    'capitals or spaces and count as different: "march" and "March".',
    fixed = TRUE, class = "imagestrata_warning"
  )
  labels$label[2] <- "march"
  expect_no_warning(observe_labels(labels, NULL, sample))
})
