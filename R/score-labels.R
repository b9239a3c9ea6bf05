#' Score predicted labels against labels by people, by subgroup
#'
#' Precision, recall and calibration of machine labels, for all images and for subgroups of them.
#' The predictions may come from a fine-tuned network, a tagger or a language model.
#'
#' @details An image of the sample stands for the images of its cluster, so that scores describe the
#' corpus and not the sample. Without `sample`, all labelled images count the same.
#'
#' Precision is the share of right answers among the images that the predictions give an answer
#' (such as `"1"`), recall the share that they find of the images that have it, specificity the
#' share that they leave out of those that lack it, and F1 is the harmonic mean of precision and
#' recall. `"brier"` is the mean squared difference of probability and label (0 is best), `"bias"`
#' the mean probability minus the share of images that people give the answer: above 0, the
#' predictions overstate it. Without probabilities, `"bias"` compares the decisions, and `"brier"`
#' and calibration are left out. `"calibration_error"` is the mean distance between the points of
#' the calibration table and the diagonal, weighted by images. Chance alone makes it larger than 0,
#' the more so the fewer images are labelled; it has no interval.
#'
#' @section Intervals:
#' Variances are linearised, stratified by cluster, with finite-population correction; those of
#' ratios equal `survey::svyratio()`. Strata with one labelled image are put together. Intervals
#' are Wilson's for as many images as would be as uncertain, after two half images, one right and
#' one wrong, are added. A precision of 1 from 12 images therefore has a lower bound below 1. If all
#' images are labelled, nothing is uncertain, and intervals have no width.
#'
#' @param labels Labels by people: the result of `read_labels()` or [consensus()], or a data frame
#'   with `image_id`, `code` and `label` (`"1"` and `"0"` for yes and no), one row per image and
#'   code.
#' @param predictions The result of [predict_labels()] for all images; or a data frame like
#'   `labels`, with `probability` if known, such as the answers of a language model.
#' @param sample The result of [sample_images()], if the labelled images were drawn that way.
#' @param by Columns of `images` with subgroups, such as `gender` or `c(gender, party)`. The groups
#'   of the first column are compared with each other, within each combination of the others.
#' @param images A data frame with `image_id` and the columns of `by`; by default `sample`. With
#'   [linked posts][link_posts()], an image belongs to all groups of posts that show it.
#' @param threshold Smallest probability at which an image gets an answer; by default (`NULL`) the
#'   decisions in `predictions` are scored, and 0.5 is used if it has only probabilities.
#' @param bins Number of bins of equal width in the calibration table.
#' @param adjust Adjustment of the p values of differences: `"holm"`, `"BH"` (Benjamini and
#'   Hochberg) or `"none"`. The differences of one code and measure are a family.
#' @param conf_level Confidence level of intervals.
#' @inheritParams scan_images
#'
#' @returns A tibble of class `imagestrata_label_scores` with a row per code, label, subgroup and
#'   measure: `code`, `label` (the answer; `"(all)"` for the accuracy of all answers of a code with
#'   several), the columns of `by`, `measure`, `estimate`, `std.error`, `conf.low`, `conf.high`, and
#'   `n`, the labelled images that the measure is based on. `glance()` has one row, and `tidy()` the
#'   further tables:
#'
#'   - `"differences"`: `code`, `label`, further columns of `by`, `measure`, `contrast` (`"A - B"`),
#'     `estimate`, `std.error` (with the added half images), `df`, `statistic`, `p.value`,
#'     `p.adjusted`, `conf.low`, `conf.high`;
#'   - `"calibration"`: for each bin of probabilities `bin_low`, `bin_high`, `mean_probability`,
#'     `estimate` (the share of images that have the label), `conf.low`, `conf.high`, `n`;
#'   - `"confusion"`: `truth`, `decision`, the number `n` of labelled images, and their `share` of
#'     the corpus.
#' @family labels
#' @seealso [compare_tags()] for taggers with many labels.
#' @export
#' @examples
#' set.seed(1)
#' truth <- rbinom(120, 1, 0.4)
#' ids <- paste0("i", 1:120)
#' labels <- data.frame(image_id = ids, code = "protest", label = truth)
#' predictions <- data.frame(
#'   image_id = ids, label = "protest", split = NA,
#'   probability = plogis(3 * truth - 1.5 + rnorm(120))
#' )
#' images <- data.frame(image_id = ids, place = c("indoors", "outdoors"))
#' scores <- score_labels(labels, predictions, by = place, images = images)
#' scores
#' tidy(scores, "differences")
#' autoplot(scores, "calibration")
score_labels <- function(labels,
                         predictions,
                         sample = NULL,
                         by = NULL,
                         images = NULL,
                         threshold = NULL,
                         bins = 10,
                         adjust = "holm",
                         conf_level = 0.95,
                         ...) {
  check_dots(...)
  if (!is.null(threshold)) {
    check_share(threshold, "threshold")
  }
  bins <- check_count(bins, "bins")
  check_choice(adjust, "adjust", c("holm", "BH", "none"), rlang::current_env())
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  observed <- observe_scored(labels, predictions, sample)
  codes <- scored_codes(observed, !is.null(sample), threshold)
  groups <- subgroups_of(rlang::enquo(by), images, sample, codes)
  parts <- lapply(codes, score_code, groups = groups, bins = bins, conf_level = conf_level)
  together <- \(name) dplyr::bind_rows(lapply(parts, `[[`, name))
  scores <- together("scores")
  differences <- together("differences")
  if (nrow(differences) > 0) {
    p <- stats::ave(
      differences$p.value, differences$code, differences$measure,
      FUN = \(p) stats::p.adjust(p, adjust)
    )
    differences <- tibble::add_column(differences, p.adjusted = p, .after = "p.value")
  }
  tell_few_scored(scores)
  summary <- tibble::tibble(
    n_labelled = length(unique(unlist(lapply(codes, `[[`, "image_id")))),
    n_codes = length(codes), weighted = !is.null(sample), adjust = adjust, conf_level = conf_level
  )
  new_object(
    scores, "imagestrata_label_scores",
    tables = list(
      scores = scores, differences = differences, calibration = together("calibration"),
      confusion = together("confusion"), summary = summary
    ),
    by = groups$by
  )
}

#' @export
tbl_sum.imagestrata_label_scores <- function(x, ...) {
  line <- glance(x)
  c("Scores of predictions" = paste0(
    count_of(line$n_labelled, "labelled image"), "; ",
    if (line$weighted) "weighted to the corpus" else "not weighted", "; ",
    100 * line$conf_level, "% intervals"
  ))
}

# ---- Subgroups ---------------------------------------------------------------------------------

# `by` (names), `table` (a row per subgroup) and `member`: pairs of an image and a subgroup.
subgroups_of <- function(by, images, sample, codes, call = rlang::caller_env()) {
  ids <- unique(unlist(lapply(codes, `[[`, "image_id")))
  if (rlang::quo_is_null(by)) {
    if (!is.null(images)) {
      abort_imagestrata(
        "{.arg images} has an effect only with {.arg by}.",
        hint = "Name the columns of subgroups, as in {.code by = gender}.",
        call = call
      )
    }
    return(list(
      by = character(), table = tibble::new_tibble(list(), nrow = 1),
      member = data.frame(image_id = ids, group = 1L)
    ))
  }
  from <- if (is.null(images)) "sample" else "images"
  given <- if (is.null(images)) sample else images
  if (is.null(given)) {
    abort_imagestrata(
      "{.arg by} names columns of {.arg images}, which is missing.",
      hint = "Give a data frame with {.field image_id} and the columns of {.arg by}.",
      call = call
    )
  }
  given <- plain_columns(check_data_frame(given, from, call, needs = "image_id"))
  given$image_id <- id_text(given$image_id, "image_id", call)
  place <- rlang::try_fetch(
    tidyselect::eval_select(by, given),
    error = function(error) {
      abort_imagestrata(
        "{.arg by} must name columns of {.arg {from}}, not {.code {rlang::as_label(by)}}.",
        hint = "Its columns are {.field {names(given)}}.",
        call = call
      )
    }
  )
  taken <- intersect(names(place), c("image_id", score_columns))
  if (length(taken) > 0) {
    abort_imagestrata(
      "{.arg by} has {.field {taken[1]}}, which is a column of the results.",
      hint = "Give it another name: {.code by = c(my_{taken[1]} = {taken[1]})}.",
      call = call
    )
  }
  columns <- rlang::set_names(given[place], names(place))
  here <- given$image_id %in% ids
  complete <- stats::complete.cases(columns)
  lost <- setdiff(ids, given$image_id[complete])
  if (length(lost) == length(ids)) {
    abort_imagestrata(
      "None of {length(ids)} labelled image{?s} has a subgroup in {.arg {from}}.",
      hint = "Its {.field image_id} must be those of {.arg labels}.",
      call = call
    )
  }
  if (length(lost) > 0) {
    warn_imagestrata(paste(
      count_of(length(lost), "labelled image is", "labelled images are"),
      "left out, without a subgroup in {.arg {from}}."
    ))
  }
  rows <- tibble::add_column(columns, image_id = given$image_id)
  rows <- vctrs::vec_unique(rows[here & complete, ])
  # Text in the order of the alphabet on every computer.
  key <- lapply(rows[names(place)], \(x) {
    if (is.character(x)) factor(x, sort(unique(x), method = "radix")) else x
  })
  group <- number_rows(tibble::new_tibble(key, nrow = nrow(rows)))
  first <- match(seq_len(max(group)), group)
  list(
    by = names(place), table = rows[first, names(place)],
    rest = number_rows(tibble::new_tibble(key[-1], nrow = nrow(rows)))[first],
    member = data.frame(image_id = rows$image_id, group = group)
  )
}

score_columns <- c(
  "code", "label", "measure", "estimate", "std.error", "df", "statistic", "p.value", "p.adjusted",
  "conf.low", "conf.high", "n", "contrast", "bin", "bin_low", "bin_high", "mean_probability",
  "truth", "decision", "share"
)

# ---- One code ----------------------------------------------------------------------------------

# The tables of one code: scores, differences, calibration, confusion.
score_code <- function(one, groups, bins, conf_level) {
  n_groups <- nrow(groups$table)
  member <- groups$member[groups$member$image_id %in% one$image_id, ]
  within <- matrix(FALSE, length(one$image_id), n_groups)
  within[cbind(match(member$image_id, one$image_id), member$group)] <- TRUE
  found <- lapply(seq_along(one$answers), function(k) {
    truth <- one$truth[, k]
    decision <- one$decision[, k]
    probability <- if (!is.null(one$probability)) one$probability[, k]
    measured <- lapply(
      seq_len(n_groups), \(g) measures_of(truth, decision, probability, within[, g], one$plan, bins)
    )
    about <- tibble::tibble(code = one$code, label = one$answers[k])
    list(
      scores = scores_of(about, measured, groups, conf_level),
      differences = differences_of(about, measured, groups, one$plan, conf_level),
      calibration = if (!is.null(probability)) {
        calibration_of(about, truth, probability, within, groups, one$plan, bins, conf_level)
      }
    )
  })
  if (length(one$answers) > 1) {
    about <- tibble::tibble(code = one$code, label = "(all)")
    right <- rowSums(one$truth & one$decision)
    measured <- lapply(seq_len(n_groups), \(g) {
      list(accuracy = ratio_of(right * within[, g], within[, g] + 0, one$plan))
    })
    found <- c(list(list(
      scores = scores_of(about, measured, groups, conf_level),
      differences = differences_of(about, measured, groups, one$plan, conf_level)
    )), found)
  }
  together <- \(name) dplyr::bind_rows(lapply(found, `[[`, name))
  list(
    scores = together("scores"), differences = together("differences"),
    calibration = together("calibration"), confusion = confusion_of(one, within, groups)
  )
}

# The measures of one answer in one subgroup, each with its estimate and scores.
measures_of <- function(truth, decision, probability, within, plan, bins) {
  inside <- within + 0
  ratio <- \(a, b) ratio_of(a * b * inside, b * inside, plan)
  found <- list(
    accuracy = ratio(truth == decision, rep(1, length(truth))),
    precision = ratio(truth, decision),
    recall = ratio(decision, truth),
    specificity = ratio(!decision, !truth),
    f1 = f1_of(ratio(truth & decision, truth | decision))
  )
  guess <- probability %||% decision
  found$bias <- mean_of_scores(guess - truth, inside, plan)
  if (!is.null(probability)) {
    found$brier <- mean_of_scores((probability - truth)^2, inside, plan)
    found$calibration_error <- calibration_error(probability, truth, inside, plan, bins)
  }
  found
}

# Bins include their upper end, and the first one 0, as in scikit-learn's calibration_curve().
bin_of <- function(probability, bins) {
  findInterval(probability, seq_len(bins - 1) / bins, left.open = TRUE) + 1
}

calibration_error <- function(probability, truth, inside, plan, bins) {
  w <- plan$a * inside
  far <- abs(sum_by(w * (probability - truth), bin_of(probability, bins), bins))
  n <- sum(inside)
  list(row = score_row(if (n > 0) sum(far) / sum(w) else NA_real_, n = n))
}

scores_of <- function(about, measured, groups, conf_level) {
  rows <- lapply(seq_along(measured), function(g) {
    table <- dplyr::bind_rows(lapply(measured[[g]], `[[`, "row"))
    limits <- limits_of_scores(names(measured[[g]]), table, conf_level)
    dplyr::bind_cols(
      about, groups$table[g, ], measure = names(measured[[g]]),
      table[c("estimate", "std.error")], conf.low = limits$low, conf.high = limits$high,
      n = table$n
    )
  })
  dplyr::bind_rows(rows)
}

# Shares: Wilson's. Differences and squares: t; squares on the logit scale, since they end at 0.
limits_of_scores <- function(measure, table, conf_level) {
  t <- stats::qt((1 + conf_level) / 2, table$df)
  limits <- wilson_interval(table$share, table$effective, t)
  squared <- \(limit) ifelse(measure == "f1", 2 * limit / (1 + limit), limit)
  half <- t * table$std.error
  p <- ifelse(measure == "brier", table$estimate, 0.5)
  logit <- t * table$std.error / (p * (1 - p))
  at <- \(sign) ifelse(
    measure == "bias", table$estimate + sign * half, stats::plogis(stats::qlogis(p) + sign * logit)
  )
  mean <- measure %in% c("bias", "brier")
  list(
    low = ifelse(mean, at(-1), squared(limits$low)),
    high = ifelse(mean, at(1), squared(limits$high))
  )
}

# Every pair of groups of the first column of `by` within the others.
differences_of <- function(about, measured, groups, plan, conf_level) {
  if (length(groups$by) == 0) {
    return(NULL)
  }
  n <- nrow(groups$table)
  pairs <- if (n > 1) utils::combn(n, 2, simplify = FALSE)
  pairs <- Filter(\(pair) groups$rest[pair[1]] == groups$rest[pair[2]], pairs)
  pairs <- pairs[order(groups$rest[vapply(pairs, `[`, 1, 1)])]
  measures <- setdiff(names(measured[[1]]), "calibration_error")
  rows <- lapply(pairs, function(pair) {
    names <- as.character(groups$table[[1]][pair])
    found <- lapply(measures, \(measure) {
      difference_of(measured[[pair[1]]][[measure]], measured[[pair[2]]][[measure]], plan)
    })
    dplyr::bind_cols(
      about, groups$table[pair[1], -1], measure = measures,
      contrast = paste(names, collapse = " - "), dplyr::bind_rows(found)
    )
  })
  table <- dplyr::bind_rows(rows)
  if (nrow(table) == 0) {
    return(NULL)
  }
  half <- stats::qt((1 + conf_level) / 2, table$df) * table$std.error
  table$statistic <- ifelse(table$std.error > 0, table$estimate / table$std.error, NA)
  table$p.value <- 2 * stats::pt(-abs(table$statistic), table$df)
  most <- ifelse(table$measure == "bias", 2, 1)
  table$conf.low <- pmax(table$estimate - half, -most)
  table$conf.high <- pmin(table$estimate + half, most)
  table[order(match(table$measure, measures)), ]
}

difference_of <- function(a, b, plan) {
  if (a$row$n == 0 || b$row$n == 0) {
    return(tibble::tibble(estimate = NA_real_, std.error = NA_real_, df = NA_real_))
  }
  variances <- c(
    variance_of_scores(plan, a$smooth) + a$row$added,
    variance_of_scores(plan, b$smooth) + b$row$added
  )
  both <- variance_of_scores(plan, a$smooth - b$smooth) + a$row$added + b$row$added
  df <- degrees_of_gap(
    matrix(variances, 1), cbind(a$row$df, b$row$df), a$row$n + b$row$n - 2
  )
  tibble::tibble(
    estimate = a$row$estimate - b$row$estimate, std.error = sqrt(both), df = pmax(df, 1)
  )
}

calibration_of <- function(about, truth, probability, within, groups, plan, bins, conf_level) {
  bin <- bin_of(probability, bins)
  rows <- lapply(seq_len(nrow(groups$table)), function(g) {
    some <- sort(unique(bin[within[, g]]))
    found <- lapply(some, function(i) {
      inside <- within[, g] & bin == i
      w <- plan$a * inside
      observed <- ratio_of(truth * inside, inside + 0, plan)$row
      observed$mean_probability <- sum(w * probability) / sum(w)
      observed
    })
    table <- dplyr::bind_rows(found)
    limits <- wilson_interval(
      table$estimate, table$effective, stats::qt((1 + conf_level) / 2, table$df)
    )
    dplyr::bind_cols(
      about, groups$table[g, ], bin_low = (some - 1) / bins, bin_high = some / bins,
      table[c("mean_probability", "estimate", "std.error")],
      conf.low = limits$low, conf.high = limits$high, n = table$n
    )
  })
  dplyr::bind_rows(rows)
}

confusion_of <- function(one, within, groups) {
  answers <- if (identical(one$answers, "1")) c("1", "0") else one$answers
  side <- function(yes) if (ncol(yes) == 1) ifelse(yes[, 1], 1, 2) else max.col(yes, "first")
  # An image may have none of the answers.
  none <- function(yes, at) ifelse(ncol(yes) > 1 & rowSums(yes) == 0, NA, at)
  truth <- none(one$truth, side(one$truth))
  decision <- none(one$decision, side(one$decision))
  cells <- expand.grid(decision = seq_along(answers), truth = seq_along(answers))
  rows <- lapply(seq_len(nrow(groups$table)), function(g) {
    here <- within[, g]
    at <- (truth[here] - 1) * length(answers) + decision[here]
    known <- !is.na(at)
    weight <- one$plan$a[here]
    dplyr::bind_cols(
      code = one$code, groups$table[g, ], truth = answers[cells$truth],
      decision = answers[cells$decision], n = tabulate(at[known], nrow(cells)),
      share = sum_by(weight[known], at[known], nrow(cells)) / sum(weight)
    )
  })
  dplyr::bind_rows(rows)
}

# ---- What is scored ----------------------------------------------------------------------------

# Labels and predictions of the sampled, or else the labelled, images.
observe_scored <- function(labels, predictions, sample, call = rlang::caller_env()) {
  drawn <- if (!is.null(sample)) check_drawn(sample, call)
  labels <- check_labels_table(labels, NULL, call)
  guesses <- check_predictions(predictions, NULL, call)
  if (is.null(drawn)) {
    images <- tibble::tibble(image_id = unique(labels$image_id))
    frame <- list(images = images, strata = tibble::tibble(N_h = nrow(images)))
  } else {
    frame <- represented_images(drawn, NULL, NULL, call)
    labels <- labels_in_sample(labels, drawn, call)
  }
  check_unseen(guesses, labels$image_id, call)
  kinds <- kinds_of_codes(labels, call)
  frame$targets <- targets_of_codes(labels, kinds, guesses, frame$images, call)
  if (!is.null(drawn)) tell_unlabelled(frame$targets, nrow(drawn))
  c(frame, list(placed = !is.null(drawn)))
}

# For each code the images that have a label and a prediction: `image_id`, `truth`, `probability`
# (NULL if there are decisions only) and `decision`, with a column per answer, and their `plan`.
scored_codes <- function(observed, weighted, threshold, call = rlang::caller_env()) {
  of_target <- vapply(observed$targets, \(target) target$code, "")
  codes <- lapply(unique(of_target), function(code) {
    scored_code(observed, observed$targets[of_target == code], weighted, threshold, call)
  })
  scales <- unique(of_target[vapply(observed$targets, \(target) target$kind == "scale", NA)])
  codes <- Filter(Negate(is.null), codes)
  if (length(codes) == 0 && length(scales) > 0) {
    abort_imagestrata(
      "Ratings have no precision or recall; left out: {.val {scales}}.",
      hint = "Score codes with the answers yes and no, or choices.",
      call = call
    )
  }
  if (length(codes) == 0) {
    abort_imagestrata(
      "No image with a label has a prediction.",
      hint = "Their {.field image_id} must be the same in {.arg labels} and {.arg predictions}.",
      call = call
    )
  }
  if (length(scales) > 0) {
    warn_imagestrata("Ratings have no precision or recall; left out: {.val {scales}}.")
  }
  codes
}

scored_code <- function(observed, targets, weighted, threshold, call) {
  code <- targets[[1]]$code
  if (targets[[1]]$kind == "scale" || !is_predicted(targets[[1]])) {
    return(NULL)
  }
  column <- \(name) vapply(targets, \(target) target[[name]], numeric(nrow(observed$images)))
  values <- lapply(c(y = "y", f = "f", decided = "decided"), \(name) {
    matrix(column(name), nrow(observed$images))
  })
  known <- !is.na(rowSums(values$y + values$f))
  if (!any(known)) {
    return(NULL)
  }
  targets <- lapply(targets, function(target) {
    target$y[!known] <- NA
    target
  })
  plan <- if (weighted) plan_labelled(observed, targets) else plan_of_alone(sum(known))
  values <- lapply(values, \(x) x[known, , drop = FALSE])
  certain <- all(values$f %in% 0:1) && identical(values$f, values$decided)
  if (!is.null(threshold) && certain) {
    abort_imagestrata(
      "{.arg threshold} needs probabilities, but {.arg predictions} of {.val {code}} has decisions
       only.",
      hint = "Leave {.arg threshold} out.",
      call = call
    )
  }
  decision <- if (!is.null(threshold)) {
    values$f >= threshold
  } else if (all(values$decided %in% 0:1)) {
    values$decided == 1
  } else {
    col(values$f) == max.col(values$f, "first")
  }
  list(
    code = code, answers = vapply(targets, \(target) target$label, ""),
    image_id = observed$images$image_id[known], truth = values$y == 1,
    probability = if (!certain) values$f, decision = decision, plan = plan
  )
}

tell_few_scored <- function(scores) {
  few <- scores[scores$n < 10 & scores$measure %in% c("precision", "recall"), ]
  if (nrow(few) > 0) {
    warn_imagestrata(
      "{nrow(few)} of {sum(scores$measure %in% c('precision', 'recall'))} scores of precision and
       recall rest on fewer than 10 labelled images.",
      "Look at their intervals and {.field n}. Label more images of these groups, or put groups
       together."
    )
  }
}
