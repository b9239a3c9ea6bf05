#' Plan the size of a study by its power
#'
#' Simulates surveys of two groups, analyses each as [rating_gaps()] does, and reports how often a
#' gap of a given size is significant. `autoplot()` draws the result. Vectors of `n_clusters`,
#' `images_per_cluster`, `raters_per_group` and `images_per_rater` give one design for each
#' combination, so that you can compare designs.
#'
#' @param n_clusters Number of clusters of images.
#' @param images_per_cluster Number of images drawn from each cluster. Real samples have fewer
#'   images of small clusters, which reduces precision: use `sample` to account for it.
#' @param raters_per_group Number of respondents of each group who rate an image.
#' @param images_per_rater Number of images that a respondent rates. No respondent rates two images
#'   of one cluster.
#' @param sample The sample that will be rated, in place of `n_clusters` and `images_per_cluster`:
#'   the result of [sample_images()], or the number of images of each cluster, as in `c(5, 5, 3,
#'   1)`.
#' @param unrated Share of the sampled images that a group does not rate, at random.
#' @param weight The unit that has equal weight in the analysis, as in [rating_gaps()]: every
#'   `"cluster"`, or every image of the `"corpus"` or `"share"` of an image, for which `sample` must
#'   be a table.
#' @param variance Method of the standard errors in the analysis, as in [rating_gaps()].
#' @param gap True gaps between the groups, in points of the scale.
#' @param sd Standard deviations of the random effects, in points of the scale; those that you do
#'   not name keep their defaults. `respondent`: between respondents. `cluster`: between clusters.
#'   `image`: between images of a cluster. `gap`: of the gap between clusters. `residual`: the
#'   remainder. The defaults are close to a mixed model of the simulated study (scale 0 to 10,
#'   [simulated_ratings]); estimates from your own pilot are better.
#' @param alpha Level of significance.
#' @param power Power at which `detectable` is computed.
#' @param n_simulations Number of simulated surveys per design. With 1,000, the 95% limits of a
#'   power of 80% are about 2.5 percentage points away.
#' @param seed Seed of the simulation.
#' @inheritParams scan_images
#'
#' @details Simulated ratings are not rounded or limited to the scale. The clusters are fixed, and
#' the gap is the average over the clusters that both groups rated, weighted by `weight`. The
#' simulation is about one item: for ten items and Holm's method, `alpha = 0.005` is a conservative
#' choice.
#'
#' @returns A tibble with one row per design and gap: the arguments, `n_respondents` (of both
#'   groups), `n_ratings` (of one item), `std.error` (mean over surveys), `power` with its 95%
#'   limits `power.low` and `power.high`, and `detectable`, the smallest gap that the design detects
#'   with the requested power, with its 95% limits `detectable.low` and `detectable.high`. The
#'   limits account for the random error of the simulation. With `sample`, `images_per_cluster` is a
#'   mean.
#' @family ratings
#' @export
#' @examples
#' plan <- plan_study(
#'   n_clusters = 60, raters_per_group = c(1, 3), gap = c(0.2, 0.4, 0.6), n_simulations = 200
#' )
#' plan
#' autoplot(plan)
#'
#' # The published study: 1,087 images of 309 clusters, many of which are small.
#' plan_study(sample = simulated_sample, gap = 0.3, n_simulations = 200)
plan_study <- function(n_clusters = 309,
                       images_per_cluster = 5,
                       raters_per_group = 1,
                       images_per_rater = 8,
                       sample = NULL,
                       unrated = 0,
                       weight = "cluster",
                       variance = "two-way",
                       gap = seq(0.1, 0.8, by = 0.1),
                       sd = c(
                         respondent = 0.8, cluster = 1.25, image = 0.6, gap = 0.5, residual = 1.5
                       ),
                       alpha = 0.05,
                       power = 0.8,
                       n_simulations = 1000,
                       seed = 0,
                       ...) {
  check_dots(...)
  given <- !missing(n_clusters) || !missing(images_per_cluster)
  sample <- check_planned_sample(sample, given, weight)
  check_choice(variance, "variance", c("two-way", "respondent", "image"), rlang::current_env())
  check_number(unrated, "unrated")
  designs <- expand.grid(
    images_per_rater = check_counts(images_per_rater, "images_per_rater"),
    raters_per_group = check_counts(raters_per_group, "raters_per_group"),
    images_per_cluster = check_counts(images_per_cluster, "images_per_cluster"),
    n_clusters = check_counts(n_clusters, "n_clusters")
  )
  designs <- tibble::as_tibble(designs[rev(names(designs))])
  if (!is.null(sample)) {
    designs$n_clusters <- max(sample$cluster)
    designs$images_per_cluster <- length(sample$cluster) / max(sample$cluster)
    designs <- unique(designs)
  }
  samples <- lapply(seq_len(nrow(designs)), \(i) sample %||% equal_sample(designs[i, ]))
  check_plan(designs, samples, gap, alpha, power, n_simulations, unrated)
  sd <- check_sd(sd)
  check_number(seed, "seed")
  plans <- lapply(seq_len(nrow(designs)), function(i) {
    drawn <- with_seed(
      seed, simulate_gaps(designs[i, ], samples[[i]], sd, n_simulations, unrated, variance)
    )
    dplyr::bind_cols(designs[i, ], power_of(drawn, sort(unique(gap)), alpha, power))
  })
  plan <- dplyr::bind_rows(plans)
  new_object(
    plan, "imagestrata_plan",
    sd = sd, alpha = alpha, wanted = power, n_simulations = n_simulations
  )
}

# The cluster of each sampled image, in order, counted from 1, and the weight of its cluster's share
# that it carries.
check_planned_sample <- function(sample, given, weight, call = rlang::caller_env()) {
  check_choice(weight, "weight", c("cluster", "corpus", "share"), call)
  if (is.null(sample)) {
    if (weight == "share") {
      abort_imagestrata(
        "{.code weight = \"share\"} needs a {.arg sample} with the column {.field weight_share}.",
        call = call
      )
    }
    return(NULL)
  }
  if (given) {
    abort_imagestrata(
      "{.arg sample} contains the numbers of clusters and images: use either it, or {.arg
       n_clusters} and {.arg images_per_cluster}.",
      call = call
    )
  }
  if (weight == "cluster" && is_count(sample)) {
    cluster <- rep(seq_along(sample), sample)
    return(list(cluster = cluster, stratum = cluster, weight = 1 / sample[cluster]))
  }
  column <- paste0("weight_", weight)
  if (!is_planned_table(sample, column)) {
    abort_imagestrata(
      "{.arg sample} must be the result of {.fn sample_images}, with the columns {.field cluster}
       and {.field {column}}{if (weight == 'cluster') ', or whole numbers of images per cluster'},
       not {seen(sample)}.",
      call = call
    )
  }
  cluster <- number_levels(sample$cluster)
  stratum <- number_levels(sample[["stratum"]] %||% cluster)
  sample <- list(cluster = cluster, stratum = stratum, weight = as.double(sample[[column]]))
  lapply(sample, \(x) x[order(cluster)])
}

is_count <- function(x) {
  is.numeric(x) && length(x) > 0 && !anyNA(x) && all(x >= 1 & x == round(x))
}

is_planned_table <- function(sample, column) {
  is.data.frame(sample) && all(c("cluster", column) %in% names(sample)) && nrow(sample) > 0 &&
    !anyNA(sample$cluster) && !anyNA(sample[[column]])
}

equal_sample <- function(design) {
  cluster <- rep(seq_len(design$n_clusters), each = design$images_per_cluster)
  list(cluster = cluster, stratum = cluster, weight = rep(1, length(cluster)))
}

check_counts <- function(x, name, call = rlang::caller_env()) {
  if (!is_count(x)) {
    abort_imagestrata("{.arg {name}} must be whole numbers of at least 1, not
                       {seen(x)}.", call = call)
  }
  unique(x)
}

check_plan <- function(designs, samples, gap, alpha, power, n_simulations, unrated,
                       call = rlang::caller_env()) {
  if (unrated < 0 || unrated >= 1) {
    abort_imagestrata(
      "{.arg unrated} must be a share, at least 0 and below 1, not {.val {unrated}}.",
      call = call
    )
  }
  if (!is_numbers(gap) || any(gap < 0)) {
    abort_imagestrata(
      "{.arg gap} must be gaps in points of the scale, 0 or more, not {seen(gap)}.",
      call = call
    )
  }
  check_share(alpha, "alpha", call)
  check_share(power, "power", call)
  if (length(check_counts(n_simulations, "n_simulations", call)) != 1 || n_simulations < 100) {
    abort_imagestrata(
      "{.arg n_simulations} must be one number, at least 100, not {seen(n_simulations)}.",
      hint = "With fewer simulations, powers cannot be distinguished.",
      call = call
    )
  }
  check_designs(designs, samples, call)
}

is_numbers <- function(x) is.numeric(x) && length(x) > 0 && !anyNA(x)

check_designs <- function(designs, samples, call) {
  wide <- designs$images_per_rater > designs$n_clusters
  if (any(wide)) {
    abort_imagestrata(
      "{.arg images_per_rater} is {.val {designs$images_per_rater[wide][1]}}, but there are only
       {.val {designs$n_clusters[wide][1]}} clusters, and no respondent rates two images of one
       cluster.",
      hint = "Let each respondent rate fewer images.",
      call = call
    )
  }
  people <- mapply(\(i, sample) respondents_of(designs[i, ], sample), seq_along(samples), samples)
  if (any(people < 2)) {
    abort_imagestrata(
      "A design has {.val {min(people)}} respondent in each group, which is too few to compare
       groups.",
      hint = "Use more images, or let each respondent rate fewer of them.",
      call = call
    )
  }
}

check_sd <- function(sd, call = rlang::caller_env()) {
  default <- eval(formals(plan_study)$sd)
  unknown <- setdiff(names(sd), names(default))
  if (!is_numbers(sd) || any(sd < 0) || !rlang::is_named(sd) || length(unknown) > 0) {
    abort_imagestrata(
      "{.arg sd} must be numbers of at least 0 with names among {.val {names(default)}}, not
       {seen(sd)}.",
      hint = if (length(unknown) > 0) "{.val {unknown}} {?is/are} unknown.",
      call = call
    )
  }
  default[names(sd)] <- sd
  if (default[["residual"]] == 0) {
    abort_imagestrata(
      "The {.code residual} in {.arg sd} must be greater than 0: nobody answers the same twice.",
      call = call
    )
  }
  default
}

respondents_of <- function(design, sample) {
  ratings <- length(sample$cluster) * design$raters_per_group
  # No respondent rates two images of one cluster, however few images there are.
  least <- max(tabulate(sample$cluster)) * design$raters_per_group
  max(ceiling(ratings / design$images_per_rater), least)
}

# Results of surveys without a gap: the `error` of the gap, its standard error and degrees of
# freedom, as rating_gaps() computes them. Surveys are columns, so that a hundred are analysed at
# once; they share the assignment of images to respondents.
simulate_gaps <- function(design, sample, sd, n, unrated = 0, variance = "two-way",
                          at_once = 100) {
  n_images <- length(sample$cluster)
  n_clusters <- max(sample$cluster)
  people <- respondents_of(design, sample)
  draw <- function(n, times, sd) matrix(stats::rnorm(n * times, sd = sd), n)
  surveys <- lapply(split(seq_len(n), (seq_len(n) - 1) %/% at_once), function(batch) {
    times <- length(batch)
    survey <- plan_answers(design, sample, people, unrated)
    answers <- survey$answers
    shared <- draw(n_clusters, times, sd[["cluster"]])[sample$cluster, , drop = FALSE] +
      draw(n_images, times, sd[["image"]])
    own <- draw(n_clusters, times, sd[["gap"]] / 2)
    # The gap of the clusters that both groups rated is 0.
    rated <- seq_len(n_clusters) %in% answers$cluster
    total <- as.vector(rowsum(sample$weight, sample$cluster)) * rated
    own <- sweep(own, 2, colSums(own * total) / sum(total))[sample$cluster, , drop = FALSE]
    survey$answers$rating <- do.call(rbind, lapply(1:2, function(i) {
      side <- answers$group == i
      (shared + c(1, -1)[i] * own)[answers$image[side], , drop = FALSE] +
        draw(people, times, sd[["respondent"]])[answers$person[side], , drop = FALSE] +
        draw(sum(side), times, sd[["residual"]])
    }))
    gaps_of_surveys(survey, variance)
  })
  surveys <- dplyr::bind_rows(surveys)
  attr(surveys, "respondents") <- 2 * people
  attr(surveys, "ratings") <- round(2 * n_images * design$raters_per_group * (1 - unrated))
  surveys
}

gaps_of_surveys <- function(survey, variance) {
  fit <- estimate_cells(survey, variance, shrink = FALSE)
  cells <- fit$cells
  estimate <- as.matrix(cells$estimate)
  both <- cbind(1, 2)
  most <- min(sum(cells$n_respondents) - 1, fit$most_df(both))
  variance <- cbind(fit$variance(1), fit$variance(2))
  tibble::tibble(
    error = estimate[1, ] - estimate[2, ],
    std.error = sqrt(fit$variance(both, cbind(1, -1))),
    df = degrees_of_gap(variance, matrix(cells$df, nrow(variance), 2, byrow = TRUE), most)
  )
}

# The assignment of images to respondents, as design_ratings() returns it for the gap between two
# groups; each group leaves a share of the images unrated. Images, in the order of their clusters,
# go to the respondents in turn: neighbours have different raters.
plan_answers <- function(design, sample, people, unrated) {
  n_images <- length(sample$cluster)
  image <- rep(seq_len(n_images), each = design$raters_per_group)
  dealt <- list(image = image, person = (seq_along(image) - 1) %% people + 1)
  rated <- lapply(1:2, \(i) {
    if (unrated == 0) seq_len(n_images) else sample.int(n_images, ceiling(n_images * (1 - unrated)))
  })
  sides <- lapply(rated, \(images) lapply(dealt, \(x) x[dealt$image %in% images]))
  answers <- do.call(Map, c(list(c), sides))
  answers$group <- rep(1:2, lengths(lapply(sides, `[[`, "image")))
  answers$respondent <- answers$person + people * (answers$group - 1)
  answers$cluster <- sample$cluster[answers$image]
  answers$stratum <- sample$stratum[answers$image]
  answers$pair <- seq_along(answers$image)
  answers$measure <- answers$pairing <- rep(1L, length(answers$image))
  survey <- list(
    answers = answers, measures = tibble::tibble(level = "item"),
    groups = tibble::tibble(group = 1:2), of_images = FALSE, weight = "corpus",
    images = c(sample, list(domain = rep(1L, n_images), of_all = 1)), n_respondents = 2 * people
  )
  compare_alike(weigh(number_cells(survey)), list(list(coefficient = c(1, -1), n_values = 2)))
}

power_of <- function(surveys, gap, alpha, wanted) {
  limit <- stats::qt(1 - alpha / 2, surveys$df) * surveys$std.error
  power <- function(gap) mean(abs(gap + surveys$error) > limit)
  found <- vapply(gap, power, 0)
  n <- nrow(surveys)
  # Wilson's limits: they stay between 0 and 1.
  z <- stats::qnorm(0.975)
  centre <- (found + z^2 / (2 * n)) / (1 + z^2 / n)
  half <- z / (1 + z^2 / n) * sqrt(found * (1 - found) / n + z^2 / (4 * n^2))
  tibble::tibble(
    n_respondents = attr(surveys, "respondents"), n_ratings = attr(surveys, "ratings"),
    gap = gap, std.error = mean(surveys$std.error),
    power = found, power.low = centre - half, power.high = centre + half,
    # A positive gap is found where gap + error > limit; the interval is made of order statistics.
    detectable = stats::quantile(limit - surveys$error, wanted, names = FALSE),
    detectable.low = sort(limit - surveys$error)[max(stats::qbinom(0.025, n, wanted), 1)],
    detectable.high = sort(limit - surveys$error)[min(stats::qbinom(0.975, n, wanted) + 1, n)]
  )
}

# Evaluates `code` with a seed, and restores the random numbers of the session.
with_seed <- function(seed, code) {
  old <- get0(".Random.seed", globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) {
    rm(".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", old, globalenv())
  })
  set.seed(seed)
  force(code)
}

#' @export
tbl_sum.imagestrata_plan <- function(x, ...) {
  c("Power" = paste0(
    count_of(attr(x, "n_simulations"), "simulated survey"), " per design, alpha ",
    format(attr(x, "alpha"))
  ))
}

#' @export
autoplot.imagestrata_plan <- function(object, ...) {
  check_dots(...)
  varies <- Filter(\(name) !one_of_a_kind(object[[name]]), names(design_labels))
  table <- plain_tibble(object)
  table$design <- label_designs(table, varies)
  n <- nlevels(table$design)
  plot <- ggplot2::ggplot(
    table,
    ggplot2::aes(.data$gap, .data$power, colour = .data$design, shape = .data$design)
  ) +
    ggplot2::geom_hline(
      yintercept = attr(object, "wanted"), linetype = "dashed", colour = colours[["soft"]]
    ) +
    ggplot2::geom_line() +
    ggplot2::geom_linerange(ggplot2::aes(ymin = .data$power.low, ymax = .data$power.high)) +
    ggplot2::geom_point(size = 2) +
    ggplot2::scale_colour_manual(values = distinct_colours(n)) +
    ggplot2::scale_shape_manual(values = rep_len(c(16, 17, 15, 18, 1, 2, 0, 5), n)) +
    ggplot2::scale_y_continuous(limits = c(0, 1), labels = \(x) paste0(100 * x, "%")) +
    ggplot2::labs(
      x = "True gap, points of the scale", y = "Power", colour = NULL, shape = NULL,
      caption = caption_text(
        paste0("Dashed line: the wanted power, ", 100 * attr(object, "wanted"), "%"),
        paste0(
          "Vertical lines: 95% intervals of ",
          count_of(attr(object, "n_simulations"), "simulated survey")
        ),
        paste("Alpha:", format(attr(object, "alpha")))
      ),
      alt = plan_in_words(object, table)
    ) +
    theme_estimates() +
    ggplot2::theme(legend.direction = "vertical")
  if (n == 1) plot + ggplot2::guides(colour = "none", shape = "none") else plot
}

plan_in_words <- function(object, table) {
  found <- table[!duplicated(table$design), ]
  detectable <- paste0(
    ifelse(levels(table$design) == "", "", paste0(found$design, ": ")),
    sprintf("%.2f", found$detectable)
  )
  paste0(
    "Lines with points for the power to find gaps from ", min(table$gap), " to ", max(table$gap),
    " points. The gap that is found with a power of ", 100 * attr(object, "wanted"), "%: ",
    paste(detectable, collapse = "; "), "."
  )
}

design_labels <- c(
  n_clusters = "clusters", images_per_cluster = "images per cluster",
  raters_per_group = "raters per group", images_per_rater = "images per rater"
)

label_designs <- function(table, varies) {
  parts <- lapply(varies, \(name) paste0(design_labels[[name]], ": ", table[[name]]))
  label <- if (length(parts) == 0) rep("", nrow(table)) else do.call(paste, c(parts, sep = ", "))
  factor(label, unique(label))
}
