test_that("shares of posts, images and authors are those worked by hand", {
  shares <- function(...) {
    x <- quietly(topic_prevalence(tiny_posts(), ...))
    rlang::set_names(x$estimate, paste(x$party, x$cluster))
  }
  expect_equal(
    shares(by = party),
    c("D 1" = 2 / 3, "R 1" = 0, "D 2" = 1 / 3, "R 2" = 1, "D -1" = 1 / 3, "R -1" = 0)
  )
  # Images of post 1 are x and y, although x has two rows.
  expect_equal(shares(by = party, unit = "image")[["D 1"]], 2 / 4)
  expect_equal(shares(by = party, unit = "author")[["D 1"]], 1 / 2)
  # With all posts, post 4 shows no topic.
  expect_equal(shares(by = party, denominator = "all")[["D 1"]], 2 / 4)
  expect_equal(shares(by = party, denominator = "all", unit = "image")[["D 1"]], 2 / 5)

  x <- quietly(topic_prevalence(tiny_posts(), by = party))
  expect_equal(x$cluster, rep(c(1, 2, -1), each = 2))
  expect_equal(x$n_shown, c(2, 0, 1, 1, 1, 0))
  expect_equal(x$n_posts, rep(c(3, 1), 3))
  expect_equal(x$n_images, rep(c(4, 1), 3))
  expect_equal(x$n_authors, rep(c(2, 1), 3))
  # Ann has 2 of 3 posts and shows topic 1 in both, Bob has 1: u is 2/9 and -2/9.
  expect_equal(x$std.error[1], sqrt(3 / 2 * 2 * (2 / 9)^2))
  # Without Ann the share is 0, without Bob 1.
  expect_equal(x$std.error.adjusted[1], sqrt(1 / 2 * ((2 / 3)^2 + (1 / 3)^2)))
  expect_equal(x$df[1], 1)
})

test_that("estimates and standard errors are those of survey", {
  skip_if_not_installed("survey")
  linked <- made_posts()
  linked$month <- format(linked$time, "%Y-%m")
  known <- dplyr::filter(linked, !is.na(.data$cluster))
  units <- list(
    post = c("post_id", "author", "party", "month"),
    image = c("post_id", "image_id", "author", "party", "month"),
    author = c("author", "party", "month")
  )
  for (unit in names(units)) {
    ours <- quietly(topic_prevalence(linked, by = c(party, month), unit = unit))
    for (topic in c(1:5, -1)) {
      data <- dplyr::summarise(
        dplyr::group_by(known, dplyr::across(dplyr::all_of(units[[unit]]))),
        y = as.numeric(any(.data$cluster == topic)), .groups = "drop"
      )
      theirs <- survey::svyby(
        ~y, ~ party + month, survey::svydesign(ids = ~author, weights = ~1, data = data),
        survey::svymean
      )
      theirs <- theirs[order(theirs$party, theirs$month), ]
      mine <- dplyr::filter(plain_tibble(ours), .data$cluster == topic)
      expect_equal(mine$estimate, unname(theirs$y), tolerance = 1e-12)
      expect_equal(mine$std.error, unname(theirs$se), tolerance = 1e-10)
    }
  }
})

test_that("the adjusted standard error is that of the jackknife", {
  linked <- made_posts(seed = 2)
  known <- dplyr::filter(linked, !is.na(.data$cluster))
  posts <- dplyr::summarise(
    dplyr::group_by(known, .data$post_id, .data$author), y = any(.data$cluster == 2),
    .groups = "drop"
  )
  authors <- unique(posts$author)
  without <- vapply(authors, \(one) mean(posts$y[posts$author != one]), 0)
  n <- length(authors)
  ours <- dplyr::filter(plain_tibble(quietly(topic_prevalence(linked))), .data$cluster == 2)
  expect_equal(ours$std.error.adjusted, sqrt((n - 1) / n * sum((without - mean(posts$y))^2)))
  expect_equal(
    c(ours$conf.low, ours$conf.high),
    plogis(qlogis(ours$estimate) + c(-1, 1) * qt(0.975, ours$df) * ours$std.error.adjusted /
      (ours$estimate * (1 - ours$estimate)))
  )
})

test_that("no interval is wider than that of authors who show a topic always or never", {
  # Each of ten authors shows one topic only, three of them the first.
  posts <- data.frame(
    post_id = 1:40, image_id = 1:40, author = rep(letters[1:10], each = 4),
    cluster = rep(c(1, 2), c(12, 28))
  )
  x <- topic_prevalence(posts, unit = "author")
  expect_equal(x$estimate, c(0.3, 0.7))
  exact <- binom.test(3, 10)$conf.int
  expect_true(all(x$conf.low >= c(exact[1], 1 - exact[2]) - 1e-12))
  expect_true(all(x$conf.high <= c(exact[2], 1 - exact[1]) + 1e-12))
  # A single author with a topic does not make it likelier that all have it: one post of 400.
  posts <- data.frame(
    post_id = 1:400, image_id = 1:400, author = rep(letters[1:20], each = 20), cluster = 1
  )
  posts$cluster[1] <- 2
  once <- topic_prevalence(posts)[2, ]
  expect_equal(once$conf.high, qbeta(0.975, 20 / 400 + 1, 20 - 20 / 400))
  expect_lt(once$conf.high, 0.2)
  expect_gt(once$conf.low, 0)
})

test_that("a share of 0 has an upper bound, from the effective number of authors", {
  posts <- data.frame(
    post_id = 1:40, image_id = 1:40, author = rep(letters[1:10], each = 4), cluster = 1,
    party = rep(c("A", "B"), each = 20)
  )
  posts$cluster[1:2] <- 2
  x <- topic_prevalence(posts, by = party)
  none <- dplyr::filter(x, .data$party == "B", .data$cluster == 2)
  expect_equal(none$estimate, 0)
  expect_equal(none$std.error, 0)
  expect_equal(c(none$conf.low, none$conf.high), binom.test(0, 5)$conf.int, ignore_attr = TRUE)
  all <- dplyr::filter(x, .data$party == "B", .data$cluster == 1)
  expect_equal(c(all$conf.low, all$conf.high), binom.test(5, 5)$conf.int, ignore_attr = TRUE)
  # Uneven authors tell less.
  uneven <- data.frame(
    post_id = 1:25, image_id = 1:25, author = c(rep("a", 20), letters[2:6]), cluster = 1
  )
  uneven$cluster[25] <- NA
  uneven <- quietly(topic_prevalence(uneven))
  expect_equal(uneven$conf.low, 0.025^(404 / 24^2))
  # One author does not tell how authors differ.
  alone <- data.frame(
    post_id = 1:6, image_id = 1:6, cluster = c(1, 1, 2), author = rep(c("a", "b"), each = 3),
    party = rep(c("A", "B"), each = 3)
  )
  alone <- quietly(topic_prevalence(alone, by = party))
  expect_equal(alone$std.error, rep(NA_real_, 4))
  expect_equal(alone$conf.low, rep(NA_real_, 4))
  # All authors alike: the standard error is at least that of independent posts.
  alike <- data.frame(
    post_id = 1:20, image_id = 1:20, author = rep(letters[1:10], each = 2), cluster = c(1, 2)
  )
  alike <- topic_prevalence(alike)
  expect_equal(alike$std.error, c(0, 0))
  expect_equal(alike$std.error.adjusted, rep(sqrt(0.25 / 20), 2))
})

test_that("periods are made from times, and those without posts are told from shares of 0", {
  posts <- data.frame(
    post_id = 1:4, image_id = 1:4, author = c("a", "b", "c", "d"), cluster = c(1, 1, 2, 2),
    party = c(1, 2, 1, 2),
    time = as.POSIXct(
      c("2024-01-01 03:00", "2024-01-31 23:30", "2024-03-10 12:00", "2024-03-11 00:00"), "UTC"
    )
  )
  by_month <- quietly(topic_prevalence(posts, by = month))
  expect_equal(by_month$month, rep(as.Date(c("2024-01-01", "2024-02-01", "2024-03-01")), 2))
  expect_equal(by_month$estimate, c(1, NA, 0, 0, NA, 1))
  expect_equal(by_month$n_posts, rep(c(2, 0, 2), 2))
  expect_equal(is.na(by_month$conf.high), is.na(by_month$estimate))
  # In Berlin the second post is of February, in New York the first of December.
  berlin <- quietly(topic_prevalence(posts, by = month, time_zone = "Europe/Berlin"))
  expect_equal(berlin$n_posts[1:3], c(1, 1, 2))
  york <- quietly(topic_prevalence(posts, by = c(when = month), time_zone = "America/New_York"))
  expect_equal(york$when[1], as.Date("2023-12-01"))
  weeks <- quietly(topic_prevalence(posts, by = week))$week
  expect_equal(unique(format(weeks, "%u")), "1")
  expect_equal(range(weeks), as.Date(c("2024-01-01", "2024-03-11")))
  expect_length(unique(weeks), 11)
  days <- quietly(topic_prevalence(posts, by = c(party, day)))
  expect_equal(nrow(days), 2 * 2 * 71)
  # A column of that name is used as it is.
  posts$month <- factor(c("b", "b", "a", "a"), c("b", "a"))
  expect_equal(as.character(quietly(topic_prevalence(posts, by = month))$month[1:2]), c("b", "a"))
})

test_that("what is not counted is said", {
  linked <- made_posts()
  said <- capture_messages(topic_prevalence(linked))
  expect_match(paste(said, collapse = ""), "no known image do not\\s+count: 21 of 600 posts")
  expect_match(paste(said, collapse = ""), "images\\s+that\\s+are\\s+not\\s+in")
  linked$author[linked$post_id %in% c("p0001", "p0002")] <- NA
  linked$party[linked$post_id == "p0003"] <- NA
  expect_warning(
    x <- suppressMessages(topic_prevalence(linked, by = party)),
    "3 of 600 posts are left out: 2 without author, 1 without party"
  )
  expect_equal(glance(x)$n_left_out, 3)
  expect_message(suppressWarnings(topic_prevalence(tiny_posts())), "1 row repeats an image")
  expect_warning(
    suppressMessages(topic_prevalence(tiny_posts(), by = party)), "fewer than 5 authors"
  )
})

test_that("topics that no post shows have rows, if link_posts() saw them", {
  linked <- tiny_posts()
  attr(linked, "topics") <- tibble::tibble(
    cluster = c(1, 2, 3), cluster_name = c("a", "b", "c"), n_rows = c(4, 2, 0)
  )
  x <- quietly(topic_prevalence(linked))
  expect_equal(x$cluster, c(1, 2, 3, -1))
  expect_equal(x$estimate[3], 0)
  expect_equal(x$cluster_name[3], "c")
  # Rows of topic 2 were left out later: a share of 0 would be wrong.
  left <- dplyr::filter(linked, .data$cluster != 2)
  expect_equal(quietly(topic_prevalence(left))$cluster, c(1, 3, -1))
})

test_that("themes are counted as topics", {
  linked <- tiny_posts()
  linked$theme <- c(1, 1, 1, 1, NA, NA, 1)
  linked$theme_name <- "people"
  x <- quietly(topic_prevalence(linked, level = "theme"))
  expect_equal(x$theme, c(1, -1))
  expect_equal(x$estimate, c(3 / 4, 1 / 4))
})

test_that("results are tibbles that other packages understand", {
  x <- quietly(topic_prevalence(made_posts(), by = party))
  expect_s3_class(x, "imagestrata_prevalence")
  expect_s3_class(dplyr::filter(x, .data$cluster == 1), "imagestrata_prevalence")
  expect_equal(tidy(x)$term[c(1, 5, 11)], c("flags", "cluster 3", "residual"))
  expect_equal(glance(x)$n_topics, 6)
  expect_match(cli::ansi_strip(format(x)[1]), "Prevalence: 6 clusters in")
})

test_that("wrong input is refused with a remedy", {
  linked <- made_posts()
  refused <- function(text, ...) {
    expect_error(quietly(topic_prevalence(...)), text, class = "imagestrata_error")
  }
  refused("no column", linked, author = "account")
  refused("made from the column of times", dplyr::select(linked, -"time"), by = month)
  refused("does not\\s+have", linked, by = state)
  refused("groups of posts", linked, by = cluster)
  refused("must be times", dplyr::mutate(linked, time = format(.data$time)), by = month)
  refused("time zone", linked, by = month, time_zone = "Berlin")
  refused("unit", linked, unit = "posts")
  refused("the same in all rows", dplyr::mutate(linked, author = seq_along(.data$author)))
  refused("the same in all rows", dplyr::mutate(linked, x = seq_along(.data$author)), by = x)
  refused("has no rows", linked[0, ])
  refused("one value per row", dplyr::mutate(linked, x = list(1:2)), by = x)
  refused("No row", dplyr::mutate(linked, cluster = NA_real_))
  linked$time[1] <- as.POSIXct("0970-01-01", tz = "UTC")
  refused("are all of them right", linked, by = c(party, author, day))
})
