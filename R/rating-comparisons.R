# What figures of means need besides the means: standard errors of differences, and the scale.

# The differences between the groups (values of the first `by` column) within each measure and the
# further columns: the keys of the two cells and their standard errors, `std.error` and `df` of the
# difference. Nothing for many groups.
compare_means <- function(design, fits, most = 12) {
  none <- tibble::tibble(
    a = character(), b = character(), error_a = numeric(), error_b = numeric(),
    std.error = numeric(), df = numeric()
  )
  values <- if (length(design$by) > 0) sorted_values(design$groups[[1]])
  if (length(values) < 2 || length(values) > most) {
    return(none)
  }
  found <- lapply(fits[setdiff(seq_along(fits), match("machine", names(fits)))], function(fit) {
    lapply(utils::combn(length(values), 2, simplify = FALSE), compare_pair, values, design, fit)
  })
  dplyr::bind_rows(none, unlist(found, recursive = FALSE))
}

# The differences between two values of the first `by` column.
compare_pair <- function(pair, values, design, fit) {
  cells <- fit$cells
  place <- paste(cells$measure, number_rows(design$groups[-1])[cells$group])
  side <- match(design$groups[[1]][cells$group], values)
  first <- which(side == pair[1])
  second <- which(side == pair[2])
  second <- second[match(place[first], place[second])]
  first <- first[!is.na(second)]
  second <- second[!is.na(second)]
  pairs <- cbind(cells$cell[first], cells$cell[second])
  n <- nrow(pairs)
  if (n == 0) {
    return(NULL)
  }
  by <- matrix(c(1, -1), n, 2, byrow = TRUE)
  own <- cbind(fit$variance(pairs[, 1]), fit$variance(pairs[, 2]))
  people <- people_of_rows(design$answers, as.vector(pairs), rep(seq_len(n), 2))
  keys <- key_cells(design$measures[cells$measure, ], design$groups[cells$group, ])
  tibble::tibble(
    a = keys[first], b = keys[second], error_a = sqrt(own[, 1]), error_b = sqrt(own[, 2]),
    std.error = sqrt(fit$variance(pairs, by)),
    df = degrees_of_gap(
      own, cbind(cells$df[first], cells$df[second]), pmin(people - 1, fit$most_df(pairs))
    )
  )
}

# A text for each row that stays the same if rows are left out or put into another order.
key_cells <- function(measures, groups) {
  columns <- c(
    list(as.character(measures$level), as.character(measures$item)),
    lapply(groups, as.character)
  )
  do.call(paste, c(unname(columns), sep = "\r"))
}

# The lowest and highest possible rating, as read_ratings() was told; else those that were given.
scale_of_ratings <- function(ratings) {
  known <- attr(ratings, "scale")
  if (is.numeric(known) && length(known) == 2) {
    return(list(ends = known, known = TRUE))
  }
  list(ends = range(ratings$rating, na.rm = TRUE), known = FALSE)
}

# Half widths of intervals of which two overlap if and only if the difference of their groups is
# not significant: those of `a` and `b` add up to the half width of the interval of the difference.
# Two groups share it in proportion to their standard errors; of three groups there is one solution;
# of more, that of least squares (Goldstein and Healy 1995 choose one multiplier for all).
half_widths <- function(error, difference) {
  n <- length(error)
  if (n == 1) {
    return(NA_real_)
  }
  if (n == 2) {
    parts <- if (sum(error) > 0) error / sum(error) else c(0.5, 0.5)
    return(parts * difference[1, 2])
  }
  diag(difference) <- 0
  sums <- rowSums(difference)
  pmax((sums - sum(sums) / (2 * (n - 1))) / (n - 2), 0)
}

# Adds `compare.low` and `compare.high` to means; `wrong` counts the pairs that they misjudge, and
# `exact` says whether covariances of the groups are known. NULL if there is nothing to compare.
add_comparisons <- function(means, by, level, known) {
  if (length(by) == 0 || is.null(level) || !"std.error" %in% names(means)) {
    return(NULL)
  }
  key <- key_cells(means, means[by])
  place <- key_cells(means, means[by[-1]])
  half <- rep(NA_real_, nrow(means))
  pairs <- wrong <- unknown <- 0
  for (rows in split(seq_len(nrow(means)), factor(place, unique(place)))) {
    rows <- rows[!is.na(means$std.error[rows]) & !is.na(means$estimate[rows])]
    if (length(rows) < 2) next
    limits <- limits_of_differences(means[rows, ], key[rows], level, known)
    half[rows] <- half_widths(means$std.error[rows], limits$difference)
    gap <- abs(outer(means$estimate[rows], means$estimate[rows], "-"))
    above <- upper.tri(gap)
    sure <- gap > limits$difference
    apart <- gap > outer(half[rows], half[rows], "+") * (1 - 1e-9)
    pairs <- pairs + sum(above)
    wrong <- wrong + sum((sure != apart)[above], na.rm = TRUE)
    unknown <- unknown + limits$unknown
  }
  if (pairs == 0) {
    return(NULL)
  }
  means$compare.low <- means$estimate - half
  means$compare.high <- means$estimate + half
  list(means = means, pairs = pairs, wrong = wrong, exact = unknown == 0)
}

# The smallest significant difference of each pair of groups.
limits_of_differences <- function(means, key, level, known) {
  n <- nrow(means)
  error <- sqrt(outer(means$std.error^2, means$std.error^2, "+"))
  df <- means[["df"]] %||% rep(Inf, n)
  df <- outer(df, df, pmin)
  unknown <- 0
  for (i in seq_len(n - 1)) {
    for (j in (i + 1):n) {
      found <- find_comparison(known, key[c(i, j)], means$std.error[c(i, j)])
      if (is.na(found)) {
        unknown <- unknown + 1
      } else {
        error[i, j] <- error[j, i] <- known$std.error[found]
        df[i, j] <- df[j, i] <- known$df[found]
      }
    }
  }
  list(difference = stats::qt((1 + level) / 2, df) * error, unknown = unknown)
}

# The row of `known` about two cells; NA if there is none, or if it is about other means, as after
# tables were bound.
find_comparison <- function(known, key, error) {
  for (order in list(1:2, 2:1)) {
    for (found in which(known$pair == paste(key[order[1]], key[order[2]]))) {
      own <- c(known$error_a[found], known$error_b[found])
      if (isTRUE(all.equal(own, error[order])) && !is.na(known$std.error[found])) {
        return(found)
      }
    }
  }
  NA
}

# The confidence level of a table of estimates, also after it was saved as text.
confidence_of <- function(estimates) {
  level <- attr(estimates, "tables")$summary$conf_level
  if (!is.null(level)) {
    return(level)
  }
  if (!all(c("std.error", "conf.high") %in% names(estimates))) {
    return(NULL)
  }
  ratio <- (estimates$conf.high - estimates$estimate) / estimates$std.error
  df <- estimates[["df"]] %||% rep(Inf, nrow(estimates))
  level <- stats::median(2 * stats::pt(ratio, df) - 1, na.rm = TRUE)
  if (is.finite(level) && level > 0 && level < 1) signif(level, 6)
}
