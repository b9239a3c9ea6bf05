test_that("plots look as they did", {
  skip_if_not_installed("vdiffr")
  vdiffr::expect_doppelganger("number", plot_label_ratings(toy_label_ratings()))
  vdiffr::expect_doppelganger(
    "together", plot_label_ratings(toy_label_ratings(), type = "together")
  )
  vdiffr::expect_doppelganger("clear", plot_label_ratings(toy_label_ratings(), type = "clear"))
})

test_that("images are counted by what they evoke", {
  # Means of a, b, c, d: (8, 1), (0, 0), (5, 4), (2, 1); e is not rated for anger.
  expect_equal(plot_label_ratings(toy_label_ratings())$data$share, c(0.25, 0, 0.75))
  together <- plot_label_ratings(toy_label_ratings(), type = "together")$data
  expect_equal(together$share, c(1, 1))
  clear <- plot_label_ratings(toy_label_ratings(), type = "clear")$data
  expect_equal(clear$n, c(3, 0, 1, 0))
  alone <- plot_label_ratings(toy_label_ratings(), items = "fear", type = "clear")$data
  expect_equal(alone$n, c(4, 2))
})

test_that("the figures are described in words", {
  text <- \(type) ggplot2::get_alt_text(plot_label_ratings(toy_label_ratings(), type = type))
  expect_match(text("number"), "share of 4 images by the number of items.*highest share is 75.0%")
  expect_match(text("together"), "anger and fear.*highest share is 100.0%")
  expect_match(text("clear"), "of 4, in which an item.*highest number is 3 \\(anger, highest\\)")
})

test_that("clear cases are those of label_ratings()", {
  skip_if_no_core()
  set.seed(2)
  ratings <- data.frame(
    path = as.character(1:100), anger = sample(0:10, 100, TRUE), fear = sample(0:10, 100, TRUE),
    hope = sample(0:10, 100, TRUE)
  )
  ratings[1, -1] <- 0
  drawn <- plot_label_ratings(ratings, type = "clear", at_least = 5, margin = 2)$data
  counted <- tidy(label_ratings(ratings, at_least = 5, margin = 2))
  expect_equal(drawn$n[drawn$way == "clearly highest"], counted$positive)
  expect_equal(
    drawn$n[drawn$way == "highest"], counted$positive + counted$weak + counted$unclear
  )
})

test_that("what is no ratings is an error", {
  expect_snapshot(error = TRUE, {
    plot_label_ratings(1:3)
    plot_label_ratings(data.frame(anger = 1))
    plot_label_ratings(data.frame(path = "a"))
    plot_label_ratings(toy_label_ratings(), items = "joy")
    plot_label_ratings(toy_label_ratings(), items = "annotator")
    plot_label_ratings(data.frame(path = "a", anger = NA_real_))
    plot_label_ratings(toy_label_ratings()[0, ])
    plot_label_ratings(toy_label_ratings(), at_least = -1)
  })
})
