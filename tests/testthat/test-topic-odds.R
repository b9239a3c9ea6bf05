test_that("a tiny case is worked by hand", {
  # A: ann shows the topic in 2 of 4 posts, amy in none of 4. B: bob in 1 of 2, bea in none of 6.
  linked <- data.frame(
    post_id = 1:16, image_id = 1:16, author = rep(c("ann", "amy", "bob", "bea"), c(4, 4, 2, 6)),
    party = rep(c("A", "B"), each = 8), cluster = c(1, 1, rep(2, 6), 1, rep(2, 7))
  )
  odds <- quietly(topic_odds(linked, by = party))
  # Without one author each, the shares are 0 and 1/2 in A, and 0 and 1/2 in B.
  jackknife <- 64 * c(1 / 2 * (2 * 1 / 16), 1 / 2 * (1 / 64 + 9 / 64))
  d <- sum(jackknife) / sum(8 * c(1 / 4 * 3 / 4, 1 / 8 * 7 / 8))
  # In both groups together, 3 of 16 posts show it: the prior is 1 post with and 13 / 3 without.
  with <- c(2, 1) / d + 1
  without <- c(6, 7) / d + 13 / 3
  expect_equal(odds$estimate[1], log(with[1] / without[1]) - log(with[2] / without[2]))
  expect_equal(odds$std.error[1], sqrt(sum(1 / with + 1 / without)))
  # One effective author of each party shows it: 2 * 2 - 1 is more than the 4 authors minus 2.
  expect_equal(odds$df[1], 2)
  expect_equal(odds$conf.high[1], odds$estimate[1] + stats::qt(0.975, 2) * odds$std.error[1])
  expect_equal(odds$statistic[1], odds$estimate[1] / odds$std.error[1])
  expect_equal(c(odds$share[1], odds$share_other[1]), c(2, 1) / 8)
  expect_equal(odds$contrast, rep("A - B", 2))
  expect_equal(c(odds$n_shown[1], odds$n_posts[1], odds$n_authors[1]), c(3, 16, 4))
  # The other topic is the complement of the first one.
  expect_equal(odds$estimate[2], -odds$estimate[1])
  expect_equal(odds$std.error[2], odds$std.error[1])
  turned <- transform(linked, party = factor(party, c("B", "A")))
  expect_equal(quietly(topic_odds(turned, party))$estimate, -odds$estimate)
})

test_that("independent posts have the log odds ratio of logistic regression", {
  withr::local_seed(1)
  n <- 20000
  linked <- tibble::tibble(
    post_id = seq_len(n), image_id = post_id, author = post_id,
    party = rep(c("A", "B"), n / 2),
    cluster = 1 + stats::rbinom(n, 1, ifelse(party == "A", 0.4, 0.2))
  )
  odds <- topic_odds(linked, by = party)
  fit <- stats::glm(cluster == 2 ~ party == "A", stats::binomial, linked)
  expect_equal(odds$estimate[2], unname(stats::coef(fit)[2]), tolerance = 1e-3)
  expect_equal(odds$std.error[2], sqrt(stats::vcov(fit)[2, 2]), tolerance = 1e-3)
})

test_that("estimates are finite and shrink with few posts", {
  linked <- tibble::tibble(
    post_id = seq_len(2000), image_id = post_id, author = paste(post_id %% 100),
    party = ifelse(as.integer(author) %% 2 == 0, "A", "B"),
    cluster = dplyr::case_when(
      post_id %in% c(1, 3) ~ 5, party == "A" & post_id > 1400 ~ 4, party == "B" ~ 2, TRUE ~ 3
    )
  )
  linked <- dplyr::bind_rows(linked, tibble::tibble(
    post_id = 1:2000, image_id = post_id, author = paste(post_id %% 100),
    party = ifelse(post_id %% 2 == 0, "A", "B"), cluster = 1
  ))
  odds <- topic_odds(linked, by = party)
  expect_equal(odds$cluster, 1:5)
  # All posts show topic 1: nothing can be compared.
  expect_true(is.na(odds$estimate[1]))
  expect_true(all(is.finite(odds$estimate[-1])))
  expect_true(all(is.finite(odds$conf.low[-1])))
  # Only B shows topic 5, in two posts, and only A topic 4, in 300.
  expect_equal(odds$share[5], 0)
  expect_lt(odds$estimate[5], 0)
  expect_gt(odds$conf.high[5], 0)
  expect_gt(odds$conf.low[4], 2)
})

test_that("repeated posts of one author are one witness", {
  many <- tibble::tibble(
    post_id = 1:400, image_id = post_id,
    author = paste0(rep(c("a", "b"), each = 200), post_id %% 20),
    party = rep(c("A", "B"), each = 200), cluster = 2
  )
  spam <- many
  spam$cluster[spam$author == "a1"] <- 1
  spread <- many
  spread$cluster[1:10] <- 1
  few <- topic_odds(dplyr::filter(spam, cluster == 1 | cluster == 2), by = party)
  witnesses <- topic_odds(spread, by = party)
  expect_equal(few$n_shown[1], witnesses$n_shown[1])
  expect_lt(few$conf.low[1], 0)
  expect_gt(witnesses$conf.low[1], 0)
  expect_lt(few$estimate[1], witnesses$estimate[1])
})

test_that("groups are compared with all others, or in pairs, within other columns", {
  linked <- made_posts()
  linked$month <- format(linked$time, "%m")
  others <- quietly(topic_odds(linked, month))
  expect_equal(unique(others$contrast), paste(sort(unique(linked$month)), "- others"))
  binary <- quietly(topic_odds(transform(linked, late = month == "04"), late))
  expect_equal(-binary$estimate, others$estimate[others$contrast == "04 - others"])
  expect_equal(binary$std.error, others$std.error[others$contrast == "04 - others"])
  pairs <- quietly(topic_odds(linked, month, compare = "pairs"))
  two <- quietly(topic_odds(dplyr::filter(linked, month %in% c("01", "03")), month))
  expect_equal(pairs$estimate[pairs$contrast == "01 - 03"], two$estimate)
  within <- quietly(topic_odds(linked, c(party, month)))
  alone <- quietly(topic_odds(dplyr::filter(linked, month == "02"), party))
  expect_equal(within$estimate[within$month == "02"], alone$estimate)
  expect_equal(within$conf.low[within$month == "02"], alone$conf.low)
  expect_error(topic_odds(linked), "by")
  expect_error(topic_odds(linked, NULL), "groups to compare", class = "imagestrata_error")
  expect_error(topic_odds(linked, party, compare = "all"), "compare", class = "imagestrata_error")
  expect_error(topic_odds(data.frame(a = 1), a), class = "imagestrata_error")
})

test_that("the figure ranks topics and names both sides", {
  odds <- quietly(topic_odds(made_posts(), party))
  plot <- autoplot(odds, n = 3)
  expect_s3_class(plot, "ggplot")
  expect_match(ggplot2::get_alt_text(plot), "3 topics.*more by [DR]\\)")
  expect_equal(odds_labels(log(c(1 / 4, 1, 8))), c("1/4", "1", "8"))
  expect_equal(odds_breaks(log(c(0.2, 5))), log(c(1 / 4, 1 / 2, 1, 2, 4)))
  expect_lte(length(odds_breaks(c(-20, 20))), 7)
  expect_error(plot_topic_odds(quietly(topic_gaps(made_posts(), party))), "topic_odds",
    class = "imagestrata_error"
  )
  expect_error(plot_topic_gaps(odds), "plot_topic_odds", class = "imagestrata_error")
  expect_error(plot_prevalence(odds), "plot_topic_odds", class = "imagestrata_error")
  # Full points have the colour of the side that they are on.
  parties <- dplyr::filter(simulated_posts, party != "Independent", cluster <= 6)
  points <- ggplot2::layer_data(plot_topic_odds(quietly(topic_odds(parties, party))), 4)
  full <- points$fill != "white"
  expect_setequal(points$x[full] > 0, c(TRUE, FALSE))
  expect_equal(points$fill[full], points$colour[full])
  vdiffr::expect_doppelganger("odds", plot_topic_odds(odds, c(flags = 1, 3)))
})
