#' Plan how many images to label
#'
#' Plans how many images to label for an interval of a given width, and from which clusters. The
#' first labels (a pilot) say how much images of a cluster differ, and how well a machine predicts
#' them.
#'
#' @inheritParams label_shares
#' @param width The width of the interval that you want, from its lower to its upper limit: 0.1 for
#'   a share of .30 with limits of about .25 and .35. For a scale, in its points.
#' @param code The code to plan for, if the labels have several.
#' @param by A column of the clustering, such as `"theme"` or `"cluster"`, of which each group shall
#'   have an interval of this width. By default (`NULL`), the whole corpus shall.
#'
#' @details **Allocation** is Neyman's: from each cluster as many images as are proportional to its
#' size times the standard deviation of labels, or of labels minus lambda times predictions. Images
#' that are labelled already stay, and no cluster gives more images than it has.
#'
#' **Standard deviations** of few images are not reliable: five images without the label do not show
#' that a cluster has none. The variance of a cluster is a mean of its own, which counts n - 1, and
#' that of all clusters, which counts 4.
#'
#' **The width** that is planned uses the t distribution with the degrees of freedom of the plan. It
#' is never less than that of the exact interval without any error. The interval that you will get
#' differs, since the pilot is a sample: plan again with the new labels. A choice is planned for the
#' answer with the widest interval.
#'
#' @returns A tibble with one row per stratum, which [sample_images()] takes as `n_per_cluster`,
#'   with the sample as `keep`: `cluster` (and its name; `wave` if images were added in waves),
#'   `N_h`, `n_h` (drawn so far), `n_labelled`, `sd` (the standard deviation of what the machine
#'   leaves unexplained), `n_next` (images to draw and label next). `tidy(x, "needed")` has a row
#'   per group and method (`"sample"`, `"corrected"`): `n_labelled`, the `width` of the interval
#'   now, the number of labels `n_needed` for the width that you want, the width `width_planned`
#'   that they should give. `glance()` returns one row: `code`, `label`, `width`, `conf_level`,
#'   `lambda`, `n_labelled`, `n_next`.
#' @family labels
#' @export
#' @examples
#' sample <- data.frame(
#'   image_id = letters[1:8], cluster = rep(1:2, each = 4), N_h = rep(c(300, 100), each = 4), n_h =
#' 4 )
#' labels <- data.frame(
#'   image_id = letters[1:8], code = "protest", label = c(1, 0, 0, 1, 0, 0, 0, 0)
#' )
#' plan <- plan_labels(labels, sample = sample, width = 0.2)
#' plan
#' tidy(plan, "needed")
plan_labels <- function(labels,
                        predictions = NULL,
                        sample = NULL,
                        width,
                        code = NULL,
                        by = NULL,
                        clustering = NULL,
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  if (is.null(sample)) {
    abort_imagestrata(
      "{.arg sample} is needed: it says how the labelled images were drawn.",
      hint = "Give the result of {.fn sample_images}."
    )
  }
  check_number(width, "width")
  if (width <= 0) {
    abort_imagestrata("{.arg width} must be above 0, not {width}.")
  }
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  observed <- observe_labels(labels, predictions, sample, clustering)
  code <- planned_code(observed, code)
  targets <- Filter(\(target) target$code == code, observed$targets)
  plan <- plan_labelled(observed, targets)
  tell_merged_strata(plan, observed, code)
  w <- rep(1, nrow(observed$images))
  tuned <- tune_lambda(plan, targets, w)
  now <- vapply(targets, \(target) mean_of_labels(plan, target, w)$variance, 0)
  pick <- which.max(ifelse(is.na(now), 0, now))
  target <- targets[[pick]]
  groups <- groups_of_strata(observed, by)
  size <- as.double(observed$strata$N_h)
  labelled <- tabulate(plan$stratum, length(size))
  methods <- c("sample", if (is_predicted(target)) "corrected")
  plans <- lapply(rlang::set_names(methods), function(method) {
    lambda <- if (method == "corrected") tuned$value else 0
    leverage <- if (lambda > 0) tuned$leverage[[pick]] else 0
    sd <- deviations_of_strata(plan, target, lambda, leverage, labelled, size)
    chosen <- labelled
    rows <- lapply(seq_len(nrow(groups$table)), function(number) {
      inside <- groups$id == number
      n <- numbers_to_label(
        size[inside], sd[inside], labelled[inside], width, conf_level, target$kind == "scale"
      )
      chosen[inside] <<- n
      cell <- if (is.null(by)) w else as.double(inside[observed$images$stratum])
      mean <- mean_of_labels(plan, target, cell, lambda, leverage, observed$whole)
      limits <- limits_of_labels(mean, target$kind, conf_level)
      tibble::tibble(
        groups$table[number, ],
        method = method, n_labelled = sum(labelled[inside]), width = limits[2] - limits[1],
        n_needed = sum(n), width_planned = planned_width(
          size[inside], sd[inside], n, conf_level, target$kind == "scale"
        )
      )
    })
    list(needed = dplyr::bind_rows(rows), sd = sd, chosen = chosen)
  })
  needed <- dplyr::bind_rows(lapply(plans, \(one) one$needed))
  last <- plans[[length(plans)]]
  tell_short(last$needed, width)
  table <- plan_table(observed, labelled, last$sd, last$chosen)
  summary <- tibble::tibble(
    code = code, label = target$label, width = width, conf_level = conf_level,
    lambda = if (is_predicted(target)) tuned$value else NA_real_, n_labelled = sum(labelled),
    n_next = sum(table$n_next)
  )
  new_object(
    table, "imagestrata_label_plan",
    tables = list(needed = needed, summary = summary)
  )
}

planned_code <- function(observed, code, call = rlang::caller_env()) {
  known <- unique(vapply(observed$targets, \(target) target$code, ""))
  if (is.null(code) && length(known) == 1) {
    return(known)
  }
  if (!rlang::is_string(code) || !code %in% known) {
    abort_imagestrata(
      "{.arg code} must be one of the codes {.val {known}}, not {.val {code %||% 'NULL'}}.",
      call = call
    )
  }
  code
}

# The group of each stratum, and the groups.
groups_of_strata <- function(observed, by, call = rlang::caller_env()) {
  n <- nrow(observed$strata)
  if (is.null(by)) {
    return(list(id = rep(1L, n), table = tibble::new_tibble(list(), nrow = 1)))
  }
  check_string(by, "by", call = call)
  images <- observed$images
  if (!by %in% setdiff(names(images), "image_id") || !observed$placed) {
    abort_imagestrata(
      "{.arg by} must be a column of the clusters of all images, not {.val {by}}.",
      hint = "Give the clustering as {.arg clustering}.",
      call = call
    )
  }
  of <- unique(images[c("stratum", by)])
  if (anyDuplicated(of$stratum) > 0 || anyNA(of[[by]])) {
    abort_imagestrata(
      "{.arg by} must be the same for all images of a cluster, unlike {.field {by}}.",
      hint = "Plan for the whole corpus, or for groups of clusters.",
      call = call
    )
  }
  values <- sort(unique(of[[by]]), method = "radix")
  list(
    id = match(of[[by]][match(seq_len(n), of$stratum)], values),
    table = rlang::set_names(tibble::tibble(values), by)
  )
}

# The standard deviation in each stratum of what is to be estimated: a mean of its own variance and
# of that of all strata, which counts as much as 4 images.
deviations_of_strata <- function(plan, target, lambda, leverage, labelled, size, prior = 4) {
  z <- target$y[plan$at]
  if (lambda > 0) z <- z - lambda * fill_predictions(target$f)[plan$at]
  difference <- centre_scores(plan, z) / plan$a / (1 - pmin(leverage, 0.9))
  # The factors n / (n - 1), also of strata that are compared with others.
  factor <- ifelse(is.na(plan$k), 0, plan$k) / ifelse(plan$fraction < 1, 1 - plan$fraction, 1)
  own <- sum_by(factor * difference^2, plan$stratum, length(size)) / pmax(labelled, 1)
  weight <- size * (labelled > 0) * (size > 1)
  pooled <- if (sum(weight) > 0) sum(weight * own) / sum(weight) else 0
  freedom <- pmax(labelled - 1, 0)
  sqrt((freedom * own + prior * pooled) / (freedom + prior))
}

# The smallest Neyman allocation, beyond the labels that exist, of which intervals are short; all
# images if no allocation is enough.
numbers_to_label <- function(size, sd, labelled, width, conf_level, scale) {
  least <- pmax(labelled, 1)
  at <- function(factor) pmin(pmax(ceiling(factor * size * sd - 1e-9), least), size)
  short <- function(n) planned_width(size, sd, n, conf_level, scale) <= width
  if (short(least)) {
    return(least)
  }
  low <- 0
  high <- 1
  while (!short(at(high)) && any(at(high) < size)) {
    low <- high
    high <- 2 * high
    if (high > 1e12) {
      return(size)
    }
  }
  for (step in 1:100) {
    middle <- (low + high) / 2
    if (short(at(middle))) high <- middle else low <- middle
  }
  at(high)
}

# The expected width of the interval.
planned_width <- function(size, sd, n, conf_level, scale) {
  share <- size / sum(size)
  parts <- share^2 * sd^2 * (1 / n - 1 / size)
  variance <- sum(parts)
  if (variance <= 0) {
    return(0)
  }
  df <- max(variance^2 / sum(parts^2 / pmax(n - 1, 1)), 1)
  tail <- (1 - conf_level) / 2
  width <- 2 * stats::qt(1 - tail, df) * sqrt(variance)
  if (scale) {
    return(width)
  }
  effective <- 1 / sum(share^2 / n * (1 - n / size))
  min(max(width, 1 - tail^(1 / effective)), 1)
}

plan_table <- function(observed, labelled, sd, chosen) {
  strata <- observed$strata
  table <- strata["cluster"]
  names <- intersect(c("cluster_name", "theme", "theme_name"), names(observed$images))
  if ("cluster" %in% names(observed$images)) {
    table[names] <- observed$images[match(table$cluster, observed$images$cluster), names]
  }
  if (length(unique(strata$wave)) > 1) table$wave <- strata$wave
  dplyr::mutate(
    tibble::as_tibble(table),
    N_h = as.integer(strata$N_h), n_h = as.integer(strata$n_h), n_labelled = as.integer(labelled),
    sd = sd, n_next = as.integer(pmin(pmax(chosen - labelled, 0), strata$N_h - strata$n_h))
  )
}

tell_short <- function(needed, width) {
  short <- sum(needed$width_planned > width)
  if (short > 0) {
    warn_imagestrata(
      "{short} of {count_of(nrow(needed), 'group')} cannot have an interval of width {width}: there
       are too few images."
    )
  }
}

#' @export
tbl_sum.imagestrata_label_plan <- function(x, ...) {
  plan <- glance(x)
  heading <- paste0(
    count_of(plan$n_next, "more image"), " for an interval of width ", plan$width, " of ",
    plan$code, if (!plan$label %in% c("1", NA)) paste0(": ", plan$label), "; ",
    big(plan$n_labelled), " are labelled"
  )
  c("A plan of labels" = heading)
}
