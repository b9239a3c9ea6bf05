#' What gap can a study find?
#'
#' Simulates surveys of two groups, analyses each as [rating_gaps()] does, and counts how often a
#' gap of a given size is found. `autoplot()` draws the result. Arguments that are vectors are
#' crossed, so that designs can be compared.
#'
#' @param n_clusters Clusters of images.
#' @param images_per_cluster Images drawn from each.
#' @param raters_per_group How many respondents of each group rate an image.
#' @param images_per_rater How many images a respondent rates. Nobody rates two of one cluster.
#' @param gap True gaps between the groups, in points of the scale.
#' @param sd Standard deviations, in points of the scale, of a random part of each kind; those
#'   that are not named keep their default. `respondent`: how much people differ in what they feel
#'   at all. `cluster`, `image`: how much clusters, and images of a cluster, differ. `gap`: how much
#'   the gap differs between clusters. `residual`: all else. The defaults are about those of a mixed
#'   model of the simulated study (scale 0 to 10, [simulated_ratings]); a pilot of your own is
#'   better.
#' @param alpha Level of significance.
#' @param power The power that counts as enough for `detectable`.
#' @param n_simulations Simulated surveys per design. With 1,000, a power of 80% is known to about
#'   2.5 percentage points.
#' @param seed A seed.
#'
#' @details
#' Ratings are simulated without rounding or the limits of the scale. Clusters are those of the
#' study, every one counts the same, and the gap is the average over them. Adjustment for several
#' items is left out: with ten items and Holm's method, take `alpha = 0.005` to be on the safe side.
#'
#' @returns A tibble with one row per design and gap: the arguments, `respondents` (of both groups),
#'   `ratings` (of one item), `std.error` (mean over surveys), `power`, `power.low` and `power.high`
#'   (95% limits of what chance in the simulation leaves open), and `detectable`, the smallest gap
#'   that the design finds with the wanted power.
#' @family ratings
#' @export
#' @examples
#' plan <- plan_study(
#'   n_clusters = 60, raters_per_group = c(1, 3), gap = c(0.2, 0.4, 0.6), n_simulations = 200
#' )
#' plan
#' autoplot(plan)
plan_study <- function(n_clusters = 309,
                       images_per_cluster = 5,
                       raters_per_group = 1,
                       images_per_rater = 8,
                       gap = seq(0.1, 0.8, by = 0.1),
                       sd = c(
                         respondent = 0.8, cluster = 1.25, image = 0.6, gap = 0.5, residual = 1.5
                       ),
                       alpha = 0.05,
                       power = 0.8,
                       n_simulations = 1000,
                       seed = 0) {
  designs <- expand.grid(
    images_per_rater = check_counts(images_per_rater, "images_per_rater"),
    raters_per_group = check_counts(raters_per_group, "raters_per_group"),
    images_per_cluster = check_counts(images_per_cluster, "images_per_cluster"),
    n_clusters = check_counts(n_clusters, "n_clusters")
  )
  designs <- tibble::as_tibble(designs[rev(names(designs))])
  check_plan(designs, gap, alpha, power, n_simulations)
  sd <- check_sd(sd)
  check_number(seed, "seed")
  plans <- lapply(seq_len(nrow(designs)), function(i) {
    design <- designs[i, ]
    drawn <- with_seed(seed, simulate_gaps(design, sd, n_simulations))
    dplyr::bind_cols(design, power_of(drawn, sort(unique(gap)), alpha, power))
  })
  plan <- dplyr::bind_rows(plans)
  new_image_table(
    plan, "imagestrata_plan",
    sd = sd, alpha = alpha, wanted = power, n_simulations = n_simulations
  )
}

check_counts <- function(x, name, call = rlang::caller_env()) {
  if (!is.numeric(x) || length(x) == 0 || anyNA(x) || any(x < 1 | x != round(x))) {
    abort_imagestrata(
      "{.arg {name}} must hold whole numbers from 1, not {seen(x)}.",
      call = call
    )
  }
  unique(x)
}

check_plan <- function(designs, gap, alpha, power, n_simulations, call = rlang::caller_env()) {
  if (!is_numbers(gap) || any(gap < 0)) {
    abort_imagestrata(
      "{.arg gap} must hold gaps in points of the scale, 0 or more, not {seen(gap)}.",
      call = call
    )
  }
  check_share(alpha, "alpha", call)
  check_share(power, "power", call)
  if (length(check_counts(n_simulations, "n_simulations", call)) != 1 || n_simulations < 100) {
    abort_imagestrata(
      "{.arg n_simulations} must be one number, at least 100, not {seen(n_simulations)}.",
      hint = "With fewer a power cannot be told from another.",
      call = call
    )
  }
  check_designs(designs, call)
}

is_numbers <- function(x) is.numeric(x) && length(x) > 0 && !anyNA(x)

check_share <- function(x, name, call) {
  check_number(x, name, call = call)
  if (x <= 0 || x >= 1) {
    abort_imagestrata("{.arg {name}} must lie between 0 and 1, not {.val {x}}.", call = call)
  }
}

check_designs <- function(designs, call) {
  wide <- designs$images_per_rater > designs$n_clusters
  if (any(wide)) {
    abort_imagestrata(
      "{.arg images_per_rater} is {.val {designs$images_per_rater[wide][1]}}, but there are only
       {.val {designs$n_clusters[wide][1]}} clusters, and nobody rates two images of one cluster.",
      hint = "Let everybody rate fewer images.",
      call = call
    )
  }
  people <- respondents_of(designs)
  if (any(people < 2)) {
    abort_imagestrata(
      "A design needs {.val {min(people)}} respondent in each group: too few to compare groups.",
      hint = "Take more images, or let everybody rate fewer of them.",
      call = call
    )
  }
}

check_sd <- function(sd, call = rlang::caller_env()) {
  default <- eval(formals(plan_study)$sd)
  unknown <- setdiff(names(sd), names(default))
  if (!is_numbers(sd) || any(sd < 0) || !rlang::is_named(sd) || length(unknown) > 0) {
    abort_imagestrata(
      "{.arg sd} must hold numbers from 0 with names among {.val {names(default)}}, not
       {seen(sd)}.",
      hint = if (length(unknown) > 0) "There is no part {.val {unknown}}.",
      call = call
    )
  }
  default[names(sd)] <- sd
  if (default[["residual"]] == 0) {
    abort_imagestrata(
      "{.arg sd} must leave a {.code residual} of more than 0: nobody answers the same twice.",
      call = call
    )
  }
  default
}

respondents_of <- function(design) {
  ratings <- design$n_clusters * design$images_per_cluster * design$raters_per_group
  # Nobody rates two images of one cluster, however few images there are.
  least <- design$images_per_cluster * design$raters_per_group
  pmax(ceiling(ratings / design$images_per_rater), least)
}

# What surveys without a gap find: `error` of the gap, its standard error, degrees of freedom.
# Surveys are columns, so that all are analysed at once.
simulate_gaps <- function(design, sd, n, at_once = 100) {
  n_images <- design$n_clusters * design$images_per_cluster
  people <- respondents_of(design)
  # Images in the order of their clusters are dealt round: neighbours go to different people.
  image <- rep(seq_len(n_images), each = design$raters_per_group)
  person <- (seq_along(image) - 1) %% people + 1
  cluster <- (image - 1) %/% design$images_per_cluster + 1
  draw <- function(n, times, sd) matrix(stats::rnorm(n * times, sd = sd), n)
  surveys <- lapply(split(seq_len(n), (seq_len(n) - 1) %/% at_once), function(batch) {
    times <- length(batch)
    shared <- draw(design$n_clusters, times, sd[["cluster"]])[cluster, ] +
      draw(n_images, times, sd[["image"]])[image, ]
    own <- draw(design$n_clusters, times, sd[["gap"]] / 2)
    own <- sweep(own, 2, colMeans(own))[cluster, ]
    sides <- lapply(c(1, -1), function(side) {
      rating <- shared + side * own + draw(people, times, sd[["respondent"]])[person, ] +
        draw(length(image), times, sd[["residual"]])
      mean <- colMeans(rating)
      scores <- rowsum(sweep(rating, 2, mean), person) / length(image)
      list(mean = mean, variance = colSums(scores^2) * 2 * people / (2 * people - 1))
    })
    variances <- lapply(sides, \(side) side$variance)
    tibble::tibble(
      error = sides[[1]]$mean - sides[[2]]$mean,
      std.error = sqrt(variances[[1]] + variances[[2]]),
      df = degrees_of_gap(variances, list(people - 1, people - 1), 2 * people - 1)
    )
  })
  surveys <- dplyr::bind_rows(surveys)
  attr(surveys, "respondents") <- 2 * people
  attr(surveys, "ratings") <- 2 * length(image)
  surveys
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
    respondents = attr(surveys, "respondents"), ratings = attr(surveys, "ratings"),
    gap = gap, std.error = mean(surveys$std.error),
    power = found, power.low = centre - half, power.high = centre + half,
    # Of a positive gap, found where gap + error > limit.
    detectable = stats::quantile(limit - surveys$error, wanted, names = FALSE)
  )
}

# Leaves the random numbers of the session as they were.
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
  rlang::check_dots_empty()
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
    ggplot2::geom_point(size = 2) +
    ggplot2::scale_colour_manual(
      values = if (n <= length(group_colours)) group_colours else grDevices::hcl.colors(n)
    ) +
    ggplot2::scale_shape_manual(values = rep_len(c(16, 17, 15, 18, 1, 2, 0, 5), n)) +
    ggplot2::scale_y_continuous(limits = c(0, 1), labels = \(x) paste0(100 * x, "%")) +
    ggplot2::labs(
      x = "True gap, points of the scale", y = "Power", colour = NULL, shape = NULL
    ) +
    theme_estimates() +
    ggplot2::theme(legend.direction = "vertical")
  if (n == 1) plot + ggplot2::guides(colour = "none", shape = "none") else plot
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
