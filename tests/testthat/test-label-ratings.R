test_that("the clear cases become labels, and all others are counted", {
  skip_if_no_core()
  labels <- label_ratings(toy_label_ratings())
  # c is angry, but hardly more than afraid; d is not much of either; e is rated for one only.
  expect_equal(
    tibble::as_tibble(labels),
    tibble::tibble(image_id = c("a", "b"), anger = c(1L, 0L), fear = c(NA, 0L))
  )
  expect_equal(
    tidy(labels),
    tibble::tibble(
      item = c("anger", "fear"), positive = c(1L, 0L), negative = c(1L, 1L), weak = c(1L, 0L),
      unclear = c(1L, 0L)
    )
  )
  expect_equal(attr(labels, "incomplete"), 1)
  expect_equal(nrow(label_ratings(toy_label_ratings(), margin = 1)), 3)
  alone <- label_ratings(toy_label_ratings(), items = "fear")
  expect_equal(alone$fear, c(0, 1, 1))
})

test_that("what read_ratings() returns is taken as it is, items in their order", {
  skip_if_no_core()
  wide <- data.frame(image_id = c("a", "b", "c"), proud = c(1, 0, 2), angry = c(9, 0, 1))
  long <- data.frame(
    respondent_id = "r1", image_id = rep(wide$image_id, each = 2), item = c("proud", "angry"),
    rating = as.vector(t(wide[-1]))
  )
  read <- suppressMessages(read_ratings(long))
  labels <- label_ratings(read)
  expect_equal(labels, label_ratings(wide))
  expect_named(labels, c("image_id", "proud", "angry"))
  turned <- dplyr::mutate(read, item = factor(item, c("angry", "proud")))
  expect_named(label_ratings(turned), c("image_id", "angry", "proud"))
  for (type in c("number", "together", "clear")) {
    shown <- plot_label_ratings(read, type = type)$data
    expect_equal(shown, plot_label_ratings(wide, type = type)$data)
  }
})

test_that("the scale says what evokes nothing", {
  skip_if_no_core()
  seven <- data.frame(image_id = c("a", "b"), anger = c(7, 1), fear = c(1, 1))
  expect_warning(label_ratings(seven), "None of 2 images has the lowest rating, 0")
  expect_equal(label_ratings(seven, scale = c(1, 7))$anger, c(1, 0))
  number <- function(...) plot_label_ratings(seven, ...)$data$share
  expect_equal(number(scale = c(1, 7)), c(0.5, 0.5, 0))
  expect_error(label_ratings(seven, scale = c(1, 5)), "1 to 5", class = "imagestrata_error")
  expect_error(plot_label_ratings(seven, scale = c(1, 5)), "1 to 5", class = "imagestrata_error")
  expect_error(label_ratings(seven, scale = 7), "`scale`", class = "imagestrata_error")
})

test_that("one scale is the default of every export, reader and rule", {
  for (verb in c(
    "export_packets", "read_ratings",
    "label_ratings", "plot_label_ratings"
  )) {
    expect_equal(eval(formals(verb)$scale), c(0, 10))
  }
})

test_that("what is no ratings is an error", {
  expect_snapshot(error = TRUE, {
    label_ratings("ratings.csv")
    label_ratings(toy_label_ratings(), items = 2)
    label_ratings(toy_label_ratings(), margin = "much")
  })
  skip_if_no_core()
  expect_error(label_ratings(data.frame(anger = 1)), "image_id", class = "imagestrata_error")
  expect_error(
    label_ratings(toy_label_ratings(), items = "joy"), "joy",
    class = "imagestrata_error"
  )
})
