test_that("gaps and standard errors are those of survey", {
  skip_if_not_installed("survey")
  linked <- made_posts()
  linked$month <- format(linked$time, "%m")
  known <- dplyr::filter(linked, !is.na(.data$cluster))
  parties <- quietly(topic_gaps(linked, by = c(party, month)))
  months <- quietly(topic_gaps(linked, by = c(month, party)))
  for (topic in c(1, 3, -1)) {
    data <- dplyr::summarise(
      dplyr::group_by(known, .data$post_id, .data$author, .data$party, .data$month),
      y = as.numeric(any(.data$cluster == topic)), .groups = "drop"
    )
    data$cell <- paste(data$party, data$month)
    theirs <- survey::svyby(
      ~y, ~cell, survey::svydesign(ids = ~author, weights = ~1, data = data), survey::svymean,
      covmat = TRUE
    )
    compare <- function(first, second) {
      found <- survey::svycontrast(theirs, rlang::set_names(c(1, -1), c(first, second)))
      c(stats::coef(found), survey::SE(found))
    }
    ours <- function(gaps, ...) {
      unlist(dplyr::filter(plain_tibble(gaps), ...)[c("estimate", "std.error")])
    }
    expect_equal(
      ours(parties, .data$cluster == topic, .data$month == "02"), compare("D 02", "R 02"),
      ignore_attr = TRUE, tolerance = 1e-10
    )
    expect_equal(
      ours(months, .data$cluster == topic, .data$party == "D", .data$contrast == "01 - 03"),
      compare("D 01", "D 03"), ignore_attr = TRUE, tolerance = 1e-10
    )
  }
  expect_equal(nrow(months), 6 * 2 * choose(4, 2))
})

test_that("the interval ends at 0 where the p value is 1 minus its level", {
  linked <- made_posts(seed = 3)
  gaps <- quietly(topic_gaps(linked, by = party))
  expect_equal(gaps$p.adjusted, p.adjust(gaps$p.value, "holm"))
  for (i in c(1, 2, 4)) {
    again <- quietly(topic_gaps(linked, by = party, conf_level = 1 - gaps$p.value[i]))
    near <- if (gaps$estimate[i] > 0) again$conf.low[i] else again$conf.high[i]
    expect_equal(near, 0, tolerance = 1e-8)
  }
  expect_equal(gaps$n_authors, rep(glance(gaps)$n_authors, 6))
})

test_that("with many even authors gaps are those of a plain t test", {
  shows <- c(rep(1:2, c(400, 600)), rep(1:2, c(450, 550)))
  posts <- tibble::tibble(
    post_id = 1:4000, image_id = 1:4000, author = rep(1:2000, each = 2),
    party = rep(c("A", "B"), each = 2000), cluster = rep(shows, each = 2)
  )
  gap <- topic_gaps(posts, by = party)[1, ]
  expect_equal(gap$statistic, gap$estimate / gap$std.error, tolerance = 0.01)
  expect_equal(
    c(gap$conf.low, gap$conf.high), gap$estimate + c(-1.96, 1.96) * gap$std.error,
    tolerance = 0.01
  )
})

test_that("gaps of topics that a group does not show have intervals, but not without any post", {
  posts <- data.frame(
    post_id = 1:40, image_id = 1:40, author = rep(letters[1:10], each = 4), cluster = c(1, 1, 1, 2),
    party = rep(c("A", "B"), each = 20), time = as.Date("2024-01-01")
  )
  posts$cluster[posts$party == "B"] <- 1
  gaps <- topic_gaps(posts, by = party)
  expect_equal(gaps$estimate, c(-0.25, 0.25))
  expect_lt(gaps$conf.low[2], 0)
  attr(posts, "topics") <- tibble::tibble(cluster = 9, cluster_name = "never", n_rows = 0)
  never <- topic_gaps(posts, by = party)[3, ]
  expect_equal(never$estimate, 0)
  expect_equal(c(never$conf.low, never$conf.high), c(-1, 1) * (1 - 0.025^(1 / 5)))
  expect_equal(never$p.value, NA_real_)

  posts$time[posts$party == "B"] <- as.Date("2024-02-03")
  expect_error(
    quietly(topic_gaps(posts, by = c(party, month))), "nothing to compare",
    class = "imagestrata_error"
  )
  posts$time[1:20] <- as.Date(c("2024-02-03", "2024-01-01"))
  said <- capture_messages(months <- topic_gaps(posts, by = c(party, month)))
  expect_match(said[1], "In 1 of 2 comparisons a group has no posts")
  expect_equal(is.na(months$estimate), rep(c(TRUE, FALSE), 3))
  expect_equal(months$month[1:2], as.Date(c("2024-01-01", "2024-02-01")))
})

test_that("wrong groups are refused", {
  linked <- made_posts()
  expect_error(
    quietly(topic_gaps(linked, by = NULL)), "groups to compare", class = "imagestrata_error"
  )
  expect_error(
    quietly(topic_gaps(linked[linked$party == "D", ], by = party)), "two or more values",
    class = "imagestrata_error"
  )
})
