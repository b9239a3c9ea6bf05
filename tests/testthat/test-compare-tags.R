tagged <- data.frame(
  image_id = c("a", "a", "b", "c", "d"),
  label = factor(c("Crowd", "Flag", "Flag", "Parade", NA)),
  confidence = c(0.9, 0.6, 0.8, 0.7, NA)
)
by_hand <- data.frame(
  image_id = c("a", "b", "c", "d"), protest = c(1, 0, 1, 1), flag = c(1, 1, 0, 0)
)

test_that("taggers, labels and matches are sent as Python expects them", {
  calls <- local_core(compare_tags = \(...) {
    list(tables = list(scores = toy_table(tagger = "one")), settings = "null")
  })
  compare_tags(list(one = tagged, two = tagged), by_hand, list(protest = "Crowd"))
  sent <- calls$compare_tags
  expect_equal(sent[[1]]$kind, "several")
  expect_equal(sent[[1]]$names, list("one", "two"))
  expect_equal(sent[[2]]$kind, "table")
  expect_equal(sent[[3]]$text, '{"protest":["Crowd"]}')
  compare_tags(tagged)
  expect_null(calls$compare_tags[[2]])
  expect_null(calls$compare_tags[[3]])
})

test_that("what is no tagger or no match is told", {
  expect_error(compare_tags("a"), "must be a data frame", class = "imagestrata_error")
  expect_error(compare_tags(list(tagged)), "with the taggers' names", class = "imagestrata_error")
  expect_error(compare_tags(tagged, by_hand, "Crowd"), "list with names and words",
    class = "imagestrata_error"
  )
})

test_that("the published tables come out, with intervals", {
  skip_if_no_core()
  published <- list(
    list(cells = c(321, 48, 72, 374), measures = c(.853, .839, .886)),
    list(cells = c(779, 5, 0, 31), measures = c(.994, 1, .861))
  )
  for (one in published) {
    truth <- rep(c(0, 1, 0, 1), one$cells)
    found <- rep(c(0, 0, 1, 1), one$cells)
    ids <- paste0("i", seq_along(truth))
    compared <- compare_tags(
      data.frame(image_id = ids, label = ifelse(found == 1, "Protest", NA)),
      data.frame(image_id = ids, protest = truth)
    )
    expect_equal(round(compared$estimate[1:3], 3), one$measures)
    expect_true(all(compared$conf.low <= compared$estimate))
    expect_true(all(compared$estimate <= compared$conf.high))
    expect_equal(tidy(compared, "confusion")$n, one$cells[c(4, 2, 3, 1)])
  }
})

test_that("images that could not be read are no observations, and counted", {
  skip_if_no_core()
  read <- data.frame(
    image_id = c("a", "b", "c", "d", "e"), label = c("Crowd", "Flag", NA, NA, NA),
    confidence = NA_real_, reason = c(NA, NA, "below min_confidence", "damaged", "damaged")
  )
  compared <- compare_tags(read)
  expect_equal(glance(compared)[c("n_images", "n_unreadable")], tibble::tibble(
    n_images = 3L, n_unreadable = 2L
  ))
  expect_equal(glance(compared)$share_tagged, 2 / 3)
  expect_equal(tidy(compared, "frequencies")$share, c(1, 1) / 3)
  expect_equal(tag_frequencies(read)$share, c(1, 1) / 3)
  expect_match(tibble::tbl_sum(compared)[["Tags"]], "^3 images \\(and 2 not readable\\), 2 diff")
})

test_that("a tag that never comes has no precision, which counts as 0", {
  skip_if_no_core()
  matches <- list(protest = "march", flag = "flag")
  expect_warning(
    expect_warning(
      compared <- compare_tags(tagged, by_hand, matches), "No image has a tag for .protest."
    ),
    "undefined measures count as 0: precision of 1 label \\(protest\\)"
  )
  expect_equal(compared$estimate[compared$label == "(all)"][2], (0 + 1) / 2)
})

test_that("a comparison prints, is glanced at and drawn", {
  skip_if_no_core()
  compared <- compare_tags(
    list(one = tagged, two = tagged), by_hand,
    list(protest = c("crowd", "parade"), flag = "flag")
  )
  expect_match(names(tibble::tbl_sum(compared)), "^Tags of (one|two)$")
  expect_match(tibble::tbl_sum(compared)[[1]], "4 images, 3 different tags; 4 with labels by hand")
  expect_equal(glance(compared)$tagger, c("one", "two"))
  expect_equal(tidy(compared, "images")$decision[1:4], c(1, 0, 1, 0))
  bars <- ggplot2::ggplot_build(autoplot(compared, n = 2))
  expect_equal(nrow(bars$data[[1]]), 4)
  expect_equal(bars$data[[1]]$x, rep(c(2, 1) / 4, 2))
  cells <- ggplot2::ggplot_build(autoplot(compared, "confusion"))
  expect_equal(cells$data[[2]]$label[1:4], c("2", "1", "0", "1"))
  expect_equal(autoplot(compared)$labels$caption, "Lines: 95% intervals.")
  confusion <- autoplot(compared, "confusion")
  expect_equal(confusion$labels$caption, "Numbers: images. Shade: share of the row.")
  expect_match(ggplot2::get_alt_text(confusion), "Equal decisions: protest, one 3 of 4")
  expect_match(ggplot2::get_alt_text(autoplot(compared)), "one: Flag 50.0%, Crowd 25.0%")
  expect_error(autoplot(compare_tags(tagged), "confusion"), "needs labels by hand",
    class = "imagestrata_error"
  )
  expect_match(tibble::tbl_sum(compare_tags(tagged))[["Tags"]], "^4 images, 3 different tags$")
})

test_that("answers of a model are compared with labels by people", {
  skip_if_no_core()
  coded <- tibble::tibble(
    image_id = rep(letters[1:4], 2), path = "x.png",
    code = rep(c("protest", "place"), each = 4),
    label = c("1", "0", "0", NA, "street", "indoors", "street", "street"),
    annotator = "model:llava", kind = rep(c("binary", "choice"), each = 4),
    reason = c(NA, NA, NA, "not one of the answers: ?", NA, NA, NA, NA)
  )
  people <- data.frame(
    image_id = coded$image_id, code = coded$code,
    label = c("1", "0", "1", "1", "street", "street", "street", "indoors")
  )
  compared <- compare_tags(coded, people)
  confusion <- tidy(compared, "confusion")
  protest <- confusion[confusion$label == "protest", ]
  expect_equal(sum(protest$n), 3)
  expect_equal(protest$n[protest$truth == "yes" & protest$decision == "yes"], 1)
  counted <- tag_frequencies(coded)
  expect_equal(counted$share[counted$label == "protest"], 1 / 3)
})
