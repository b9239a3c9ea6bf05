# What rating_gaps() compares: the values of the first column of `by` (pairs, differences from a
# reference, a trend), or how such a gap changes over the values of the second.
#
# A comparison is a list: `contrast` and `change`, its names in the results; `coefficient`, a number
# for each row of `design$groups` (0 if the group is not in it); `n_values`, how many values of the
# first column are in it, and of the second if gaps change over it. The further columns of `by`
# separate comparisons.

comparisons_of <- function(design, reference = NULL, contrasts = "pairs", change = "none",
                           call = rlang::caller_env()) {
  if (length(design$by) == 0) {
    abort_imagestrata(
      "{.arg by} must name the groups to compare.",
      hint = "For example {.code by = group}.",
      call = call
    )
  }
  if (change != "none" && length(design$by) < 2) {
    abort_imagestrata(
      "{.arg change} needs a second column in {.arg by}, over whose values gaps change.",
      hint = "For example {.code by = c({design$by[1]}, month)}.",
      call = call
    )
  }
  groups <- design$groups
  first <- if (contrasts == "trend") {
    trend_of(groups[1], "contrasts", call)
  } else if (is.null(reference)) {
    pairs_of(groups[1], call = call)
  } else {
    differences_from(groups[1], reference, call)
  }
  if (change == "none") {
    return(lapply(first, \(one) list(
      contrast = one$name, coefficient = one$coefficient[number_levels(groups[[1]])],
      n_values = sum(one$coefficient != 0)
    )))
  }
  second <- if (change == "trend") {
    trend_of(groups[2], "change", call)
  } else {
    pairs_of(groups[2], later_first = TRUE, consecutive = change == "consecutive", call = call)
  }
  pairs <- expand.grid(first = first, second = second)
  Map(\(one, other) list(
    contrast = one$name, change = other$name,
    coefficient = one$coefficient[number_levels(groups[[1]])] *
      other$coefficient[number_levels(groups[[2]])],
    n_values = c(sum(one$coefficient != 0), sum(other$coefficient != 0))
  ), pairs$first, pairs$second)
}

name_of_comparison <- function(comparison) {
  paste(c(comparison$contrast, comparison$change), collapse = ", ")
}

# TRUE if every comparison is the difference of two means.
all_pairs <- function(comparisons) {
  all(vapply(comparisons, \(one) prod(one$n_values) == 2, NA))
}

# More values have more pairs than anybody reads, and take hours.
most_compared <- 100

# Every pair of the values of a column (a table with one column).
pairs_of <- function(column, later_first = FALSE, consecutive = FALSE, call = rlang::caller_env()) {
  values <- values_of(column, call)
  n <- length(values)
  if (!consecutive && n > most_compared) {
    abort_imagestrata(
      "{.field {names(column)}} has {n} values, so that there are {big(n * (n - 1) / 2)} pairs to
       compare; at most {most_compared} values are compared in pairs.",
      hint = if (later_first) {
        "Use {.code change = \"consecutive\"} or {.code change = \"trend\"}, or filter the ratings."
      } else {
        "Give one of the values as {.arg reference}, or filter the ratings. {.code by = c(group,
         cluster)} compares groups within each cluster."
      },
      call = call
    )
  }
  pairs <- if (consecutive) {
    lapply(seq_len(n - 1), \(i) c(i, i + 1L))
  } else {
    utils::combn(n, 2, simplify = FALSE)
  }
  lapply(pairs, \(pair) subtract_values(values, if (later_first) rev(pair) else pair))
}

differences_from <- function(column, reference, call) {
  values <- values_of(column, call)
  at <- if (length(reference) == 1) match(as.character(reference), as.character(values)) else NA
  if (is.na(at)) {
    abort_imagestrata(
      "{.arg reference} must be one value of {.field {names(column)}}, not {seen(reference)}.",
      hint = "Its values are {.val {as.character(values)}}.",
      call = call
    )
  }
  lapply(setdiff(seq_along(values), at), \(i) subtract_values(values, c(i, at)))
}

subtract_values <- function(values, pair) {
  list(
    name = paste(values[pair], collapse = " - "),
    coefficient = as.double(seq_along(values) == pair[1]) - (seq_along(values) == pair[2])
  )
}

# The slope of the least-squares line through the means of all values.
trend_of <- function(column, argument, call) {
  values <- values_of(column, call)
  if (!is.ordered(values) && !is.numeric(values)) {
    abort_imagestrata(
      "A trend needs numbers or an ordered factor, but {.field {names(column)}} is
       {.obj_type_friendly {values}}.",
      hint = "Order its values with {.code factor(levels = , ordered = TRUE)}, or use
              {.code {argument} = \"pairs\"}.",
      call = call
    )
  }
  score <- as.double(values) - mean(as.double(values))
  list(list(
    name = paste("trend of", names(column)),
    # The middle of an odd number of values has a score that is 0 except for rounding.
    coefficient = ifelse(abs(score) < 1e-12 * max(abs(score)), 0, score) / sum(score^2)
  ))
}

values_of <- function(column, call) {
  values <- sorted_values(column[[1]])
  if (length(values) < 2) {
    abort_imagestrata(
      "{.field {names(column)}} must have two or more values to compare, but is {.val
       {as.character(values)}} in all ratings.",
      call = call
    )
  }
  values
}

# Groups of respondents are compared on the clusters that all of them rated, whatever the weight;
# each comparison then has cells of its own. If there are none, `comparable` is FALSE. Groups of
# images have different images anyway: where gaps change over months, the clusters of each month are
# those that all groups rated in that month.
compare_alike <- function(design, comparisons, call = rlang::caller_env()) {
  sides <- seq_along(comparisons[[1]]$n_values)
  of_images <- design$of_images[sides]
  if (is.null(design$images$cluster) || all(of_images)) {
    return(design)
  }
  rest <- number_rows(design$groups[-sides])
  part <- number_rows(design$groups[sides[of_images]])
  parts <- lapply(seq_along(comparisons), function(i) {
    comparison <- comparisons[[i]]
    inside <- comparison$coefficient[design$answers$group] != 0
    answers <- lapply(design$answers, \(x) x[inside])
    answers$pairing <- rep(i, sum(inside))
    unit <- pair_up(answers$measure, rest[answers$group])
    of_part <- pair_up(unit, part[answers$group])
    place <- pair_up(of_part, answers$cluster)
    counted <- place[answers$weight > 0]
    rated <- n_in_cells(answers$group[answers$weight > 0], counted, max(place))
    both <- rated[place] == prod(comparison$n_values[!of_images])
    complete <- n_in_cells(of_part[both], unit[both], max(unit)) ==
      prod(comparison$n_values[of_images])
    answers$comparable <- complete[unit]
    list(answers = answers, kept = both | !answers$comparable)
  })
  left_out <- lapply(parts, \(part) lapply(part$answers[c("cluster", "image")], \(x) {
    length(unique(x[!part$kept]))
  }))
  kept <- lapply(parts, \(part) lapply(part$answers, \(x) x[part$kept]))
  design$answers <- do.call(Map, c(list(c), kept))
  design <- weigh(number_cells(design), call)
  design$cells$comparable <- design$answers$comparable[
    match(design$cells$cell, design$answers$cell)
  ]
  design$left_out <- dplyr::bind_rows(left_out)
  design
}

# The estimates of a comparison, in all measures and values of the further columns where one of its
# groups was rated.
estimate_comparison <- function(i, comparisons, design, fit) {
  comparison <- comparisons[[i]]
  groups <- design$groups
  rest <- groups[-seq_along(comparison$n_values)]
  other <- number_rows(rest)
  cells <- fit$cells
  # Without cells of their own, all comparisons share those of the groups.
  alike <- "comparable" %in% names(cells)
  cells <- cells[comparison$coefficient[cells$group] != 0 & (!alike | cells$pairing == i), ]
  row <- pair_up(cells$measure, other[cells$group])
  n <- max(row)
  first <- match(seq_len(n), row)
  complete <- tabulate(row, n) == prod(comparison$n_values) &
    (if (alike) cells$comparable[first] else TRUE)
  known <- complete[row]
  estimates <- tibble::tibble(
    measure = cells$measure[first], other = other[cells$group[first]],
    contrast = comparison$contrast, change = comparison$change,
    estimate = NA_real_, std.error = NA_real_, df = NA_real_,
    n_ratings = sum_by(cells$n_ratings, row, n), lambda = cells[["lambda"]][first],
    n_respondents = people_of_rows(design$answers, cells$cell, row)
  )
  if (any(known)) {
    cells <- cells[known, ][order(row[known], cells$group[known]), ]
    in_rows <- function(x) matrix(x, sum(complete), byrow = TRUE)
    at <- in_rows(cells$cell)
    by <- in_rows(comparison$coefficient[cells$group])
    estimates$estimate[complete] <- rowSums(by * in_rows(cells$estimate))
    estimates$std.error[complete] <- sqrt(fit$variance(at, by))
    estimates$df[complete] <- degrees_of_gap(
      by^2 * in_rows(fit$variance(cells$cell)), in_rows(cells$df),
      pmin(estimates$n_respondents[complete] - 1, fit$most_df(at))
    )
  }
  dplyr::bind_cols(estimates, rest[match(estimates$other, other), ])
}

# The respondents in all cells of a row together.
people_of_rows <- function(answers, cell, row) {
  of_row <- row[match(answers$cell, cell)]
  counts <- answers$weight > 0 & !is.na(of_row)
  n_in_cells(answers$respondent[counts], of_row[counts], max(row))
}

# Welch's degrees of freedom, from variances and degrees of means in the columns of matrices;
# without any variance, the sum of those of the means.
degrees_of_gap <- function(variance, df, most) {
  welch <- rowSums(variance)^2 / rowSums(variance^2 / df)
  welch <- ifelse(is.nan(welch), rowSums(df), welch)
  ifelse(is.infinite(df[, 1]), Inf, pmin(welch, most))
}
