#' Estimate how often posts show each topic
#'
#' Estimates the share of posts, of images or of authors that show each topic, by groups and over
#' time, with intervals that account for posts of the same author.
#'
#' @param linked The result of [link_posts()], to which columns may have been added, or a table with
#'   the same columns: one row per post and image.
#' @param by Columns that define the groups: one or more bare names as in [dplyr::select()], or
#'   `NULL` for all posts together. `day`, `week`, `month` and `year` are made from the times of
#'   posts if `linked` has no column of that name: `c(party, month)` gives a row for each party and
#'   month. They are the first day of the period; weeks begin on Monday.
#' @param unit The unit that is counted. `"post"`: the share of posts with the topic in at least one
#'   of their images. `"image"`: the share of all images posted; an image of a post counts once,
#'   and again in every other post. `"author"`: the share of the authors in the group who showed the
#'   topic at least once.
#' @param level `"cluster"`, or `"theme"` if [group_clusters()] grouped the clusters into themes.
#' @param denominator The posts among which shares are computed. `"known"`: those that show at least
#'   one image of the clustering (or these images, or authors of such posts). `"all"`: also posts
#'   without images and with images that are not in the clustering, which then show no topic. A
#'   message says how many posts this concerns.
#' @param author The column of those who post.
#' @param time The column of times (`POSIXct`) or days (`Date`) from which periods are made.
#' @param time_zone The time zone in which days begin, such as `"Europe/Berlin"`.
#' @param conf_level Confidence level of the intervals.
#' @inheritParams scan_images
#'
#' @details Topics that a group did not show have a row with `estimate` 0. So do topics of the
#' clustering that no post shows, if `linked` comes from [link_posts()]. The residual is cluster -1,
#' the last.
#'
#' **Time.** From the first to the last period of all posts, every period has a row for every
#' combination of the other columns that occurs. If a group has posts in a period but none shows
#' the topic, its share is 0. If it has no posts, there is nothing to take a share of: `n_posts` is
#' 0 and the estimate is missing (`NA`).
#'
#' **Missing values.** Posts without an author, a time or a value of `by` are left out, with a
#' warning that counts them.
#'
#' **Standard errors.** Posts of one author are not independent, so authors are the units that were
#' drawn (with replacement). `std.error` is that of survey's `svydesign(ids = ~author)` and
#' `svyby(..., svymean)`, in which authors outside of a group count as zero. If few authors write
#' many of the posts, it is too small. `std.error.adjusted` is that of the jackknife, which leaves
#' out one author at a time, and at least that of independent posts (the design effect is at least
#' 1). It makes the intervals. A group of
#' one author has no standard error, where survey's is 0.
#'
#' **Intervals** are those of the t distribution on the logit scale. The degrees of freedom `df`
#' are the number of authors minus one, or 2 m - 1 if that is smaller. Here m is the effective
#' number of authors who show the topic (or, if smaller, of those who do not): so many authors with
#' equal numbers of such posts would be as uneven. So a topic that few authors show has a wide
#' interval even among many authors. No interval reaches beyond the exact binomial interval for as
#' many posts as there are effective authors in the group: it holds even if every author shows
#' either nothing but the topic or nothing of it. It is the bound of shares of 0 and 1, and of
#' topics that a single author shows.
#'
#' In simulated corpora with 10 to 40 authors of very different activity, who favour few topics and
#' post in bursts, intervals held the truth about as often as they claim. Those of rare topics hold
#' it more often, since many corpora do not show these topics at all; so do those of five authors,
#' which are very wide. See `docs/posts.md` in the repository. With fewer than five authors in a
#' group there is a warning; with one, only shares of 0 and 1 have an interval.
#'
#' @returns A tibble with one row per topic and group: `cluster` and `cluster_name` (or `theme` and
#'   `theme_name`), the columns of `by`, `estimate`, `std.error`, `std.error.adjusted`, `df`,
#'   `conf.low`, `conf.high`, `n_shown` (the posts, images or authors that show the topic),
#'   `n_posts`, `n_images` and `n_authors` of the group (those that are counted), `unit`.
#'   `glance()` returns one row: `n_posts` and `n_authors` that are counted, `n_topics`,
#'   `n_groups`, `n_unknown` (posts without a known image), `n_partly` (posts of which some images
#'   are not in the clustering), `n_left_out` (posts with missing values), `n_repeated` (rows that
#'   repeat an image of a post), `unit`, `level`, `denominator`, `conf_level`. `tidy()` adds the
#'   name of the topic as the first column, `term`.
#' @family posts
#' @export
#' @examples
#' posts <- data.frame(
#'   post_id = 1:60, image_id = 1:60, cluster = rep(c(1, 1, 2, 1, 2, -1), 10),
#'   author = rep(letters[1:12], each = 5), party = rep(c("A", "B"), each = 30),
#'   time = as.Date("2024-01-01") + 0:59
#' )
#' topic_prevalence(posts, by = c(party, month))
#' topic_prevalence(posts, by = party, unit = "author")
topic_prevalence <- function(linked,
                             by = NULL,
                             unit = "post",
                             level = "cluster",
                             denominator = "known",
                             author = "author",
                             time = "time",
                             time_zone = "UTC",
                             conf_level = 0.95,
                             ...) {
  check_dots(...)
  options <- check_prevalence(unit, level, denominator, author, time, conf_level)
  design <- design_posts(
    linked, rlang::enquo(by), unit, level, denominator, author, time, time_zone
  )
  shares <- estimate_shares(design)
  t <- stats::qt((1 + conf_level) / 2, shares$df)
  limits <- limits_of(shares, t)
  shares$conf.low <- limits$low
  shares$conf.high <- limits$high
  shares <- shares[order(shares$topic), ]
  tell_few_authors(design)
  table <- dplyr::bind_cols(
    design$topics[shares$topic, ],
    design$cells[shares$cell, ],
    shares[c(
      "estimate", "std.error", "std.error.adjusted", "df", "conf.low", "conf.high", "n_shown"
    )],
    design$counts[shares$cell, ]
  )
  table$unit <- unit
  new_prevalence(table, "prevalence", design, options)
}

check_prevalence <- function(unit, level, denominator, author, time, conf_level,
                             call = rlang::caller_env()) {
  check_choice(unit, "unit", c("post", "image", "author"), call)
  check_choice(level, "level", c("cluster", "theme"), call)
  check_choice(denominator, "denominator", c("known", "all"), call)
  check_string(author, "author", call = call)
  check_string(time, "time", call = call)
  check_share(conf_level, "conf_level", call, hint = "For 95% intervals it is 0.95.")
  list(unit = unit, level = level, denominator = denominator, conf_level = conf_level)
}

# Cells with so few authors that intervals say little.
tell_few_authors <- function(design, fewest = 5) {
  n <- design$counts$n_authors
  few <- which(n > 0 & n < fewest)
  empty <- which(n == 0)
  if (length(empty) > 0) {
    cli::cli_inform(c(
      "!" = "{length(empty)} of {length(n)} groups have no post that counts, the first of them
             {.val {label_cell(design, empty[1])}}: their shares are missing ({.code NA})."
    ))
  }
  if (length(few) > 0) {
    warn_imagestrata(
      "{length(few)} of {length(n)} group{?s} {cli::qty(length(few))}{?has/have} fewer than {fewest}
       authors, the first of them {.val {label_cell(design, few[1])}}
       ({count_of(n[few[1]], 'author')}).",
      "Their intervals rest on differences between a handful of people: they are wide, and may still
       miss the share more often than they should."
    )
  }
}

label_cell <- function(design, cell) {
  if (length(design$by) == 0) "all posts" else label_of(design$cells[cell, ])
}
