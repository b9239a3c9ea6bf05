test_that("a model says first how little its test images say", {
  expect_snapshot({
    toy_model()
    summary(toy_model())
    toy_model(splits = c("train", "val"))
  })
})

test_that("a model that lies in the temporary folder says so", {
  lent <- absolute_path(tempfile(kept_for_session))
  expect_output(print(toy_model(lent)), "as long as this R session lasts")
  given <- absolute_path(tempfile("run"))
  expect_output(print(toy_model(given)), "Model folder:")
})

test_that("tidy, glance and augment give the tables of the contract", {
  fit <- toy_model()
  expect_named(
    tidy(fit), c("epoch", "split", "loss", "accuracy", "precision", "recall", "f1")
  )
  expect_named(
    tidy(fit, "scores"),
    c("split", "label", "measure", "estimate", "conf.low", "conf.high", "n")
  )
  expect_named(tidy(fit, "confusion"), c("split", "label", "truth", "decision", "n"))
  expect_named(
    augment(fit), c("image_id", "path", "split", "label", "truth", "probability", "decision")
  )
  expect_equal(glance(fit)$best_epoch, 2)
  expect_error(tidy(fit, "weights"), "must be one of")
})

test_that("a model with folds shows its out-of-fold scores", {
  fit <- toy_fold_model()
  expect_snapshot({
    fit
    summary(fit)
  })
  expect_named(
    tidy(fit, "folds"), c("label", "measure", "mean", "lowest", "highest", "n_folds")
  )
  expect_equal(unique(augment(fit)$split), "fold")
})

test_that("a model needs its folder, and says what to do where it is gone", {
  expect_snapshot(error = TRUE, {
    send_model(toy_model())
    send_model(data.frame(a = 1))
  })
  expect_error(send_model("no such folder"), "`model`.*no such", class = "imagestrata_error")
})

test_that("labels of a rule are a tibble with what was counted", {
  labels <- new_labels(list(
    labels = toy_table(image_id = c("a", "b"), anger = c(1L, 0L), fear = c(NA, 0L)),
    counts = toy_table(
      item = c("anger", "fear"), positive = c(1L, 0L), negative = 1L, weak = c(1L, 0L),
      unclear = c(1L, 0L)
    ),
    incomplete = 1
  ))
  expect_snapshot(labels)
  expect_equal(tidy(labels)$weak, c(1, 0))
  expect_s3_class(dplyr::mutate(labels, note = "x"), "imagestrata_labels")
  expect_null(attr(dplyr::filter(labels, anger == 1), "counts"))
})

test_that("the stored model needs no Python, and its images are there", {
  fit <- demo_model()
  expect_true(all(file.exists(augment(fit)$path)))
  expect_true(file.exists(file.path(fit$folder, "model.json")))
  labels <- utils::read.csv(imagestrata_example("labels.csv"))
  expect_true(all(basename(augment(fit)$path) %in% labels$path))
})

test_that("a stored model is read as it was made", {
  skip_if_no_core()
  fit <- demo_model()
  stored <- read_model(imagestrata_example("model"))
  for (table in c("history", "scores", "confusion")) {
    expect_equal(tidy(stored, table), tidy(fit, table))
  }
  expect_equal(augment(stored)$probability, augment(fit)$probability)
  expect_equal(glance(stored), glance(fit))
  expect_error(
    read_model(imagestrata_example("images")), "no fine-tuned model",
    class = "imagestrata_error"
  )
})
