#' Estimate how often a label occurs in the corpus
#'
#' Estimates shares and means for the whole corpus from a labelled sample and a machine's
#' predictions. Three estimates stand side by side: what the machine says about all images, what
#' people say about the sample, and the estimate that corrects the machine's errors by the sample.
#'
#' @param labels What people said about the sampled images: a table with one row per image and code,
#'   with `image_id`, `code` and `label` (1 or 0, an answer, or a number on a scale). Several
#'   annotators are merged by [consensus()] first.
#' @param predictions What a machine says about all images: the result of [predict_labels()], or a
#'   table like the labels (a language model's). The model must not have learnt from the labels that
#'   it is compared with; see below. By default (`NULL`) there are only estimates from the sample.
#' @param sample The result of [sample_images()], of which the labelled images are a part.
#' @param by Columns that define groups: one or more bare names as in [dplyr::select()], or `NULL`
#'   for all images together. Columns of the clustering, such as `cluster` or `theme`; or, with
#'   `linked`, columns of posts and `day`, `week`, `month` and `year` as in [topic_prevalence()].
#' @param weight What counts the same. `"image"`: every image. `"post"`: every showing of an image
#'   in a post, so that an image counts as often as posts of the group show it. `"share"`: every
#'   copy in the corpus (the column `n_copies` of the clustering).
#' @param linked The result of [link_posts()], for groups of posts.
#' @param clustering The clustering from which the sample was drawn, or a data frame with the
#'   columns `image_id` and `cluster`. It is needed if the sample leaves out clusters, and for
#'   groups.
#' @param author With `weight = "post"`: the column of those who post, who are the units that were
#'   drawn. With `NULL`, intervals are about these posts only, not about others that these people
#'   might post.
#' @inheritParams topic_prevalence
#'
#' @section The three methods:
#' **Machine.** The share of images to which the machine gives the label, or its mean. Its interval
#' treats the machine's labels as a random sample of correct ones. It is what is published if labels
#' by a machine are taken at face value. It says nothing about errors of the machine, and does not
#' hold the truth as often as it claims.
#'
#' **Sample.** The mean of the labels, weighted by N / n of the strata, with the variance of a
#' stratified sample with finite population correction, as in the survey package. Images that were
#' sampled but not labelled are represented by those of their stratum, and strata without labels by
#' the stratum that is nearest in size. Strata with one labelled image are collapsed in pairs: of
#' similar mean prediction, or of similar size if the predictions of strata are not known.
#'
#' **Corrected.** The difference estimator: the mean of the labels plus lambda times the difference
#' between the mean prediction of all images and that of the labelled ones. It is unbiased whatever
#' the errors of the machine. Lambda is one number per code, between 0 and 1, that minimises the
#' variance over all strata: 1 takes predictions at full value, and 0 is the estimate from the
#' sample. A useless machine therefore costs almost nothing. Probabilities are used if there are
#' any. Lambda fits the labelled images better than others; their residuals are divided by one
#' minus their influence on lambda, as in HC3 standard errors.
#'
#' @section When not to trust them:
#' The labelled images must be drawn at random within strata. If annotators skipped images because
#' of what they show, the sample and the corrected estimate are biased. Predictions must not depend
#' on the labels with which they are compared: train on other images, or predict every fold of the
#' sample by a model that was fitted to the other folds. Predictions by a model that is known to
#' have seen the labels (`split` is `"train"` or `"val"`) are refused. Labels by people count as
#' the truth: their own errors are not corrected.
#'
#' @section Intervals:
#' Intervals of shares are those of the t distribution on the logit scale, with Satterthwaite's
#' degrees of freedom `df`, but never beyond the exact binomial interval of as many images as the
#' weights are worth. A share of 0 or 1 in the sample has that interval. No interval is narrower
#' than the exact one of a machine (or a clustering) without a single error in the labelled images,
#' or than that of a cluster whose labels are all the same, times the cluster's share of the images:
#' eight labels that agree do not say that a large cluster has no exceptions. No interval contains
#' shares that the labelled images exclude. Means of scales have t intervals.
#'
#' With `weight = "post"`, posts of one author are not independent: the variance between authors is
#' added to that of the labelling. It is estimated from the corrected values of their images by the
#' jackknife, less what the labelling adds to their differences. Its degrees of freedom are the
#' number of authors minus one, or 2 m - 1 with m authors of equal numbers of posts that would be
#' as uneven.
#'
#' In simulations, 95% intervals of the corrected estimates hold the truth about as often as they
#' claim; see `docs/corrected-estimates.md` in the repository.
#'
#' @returns A tibble with up to three rows per code, answer and group: `code`, `label` (the answer,
#'   `"1"` for binary codes; missing for the mean of a scale), the columns of `by`, `method`
#'   (`"machine"`, `"sample"`, `"corrected"`), `estimate`, `std.error`, `df`, `conf.low`,
#'   `conf.high`, `n_labelled` and `n_predicted` (images of the group with a label, and with a
#'   prediction), `lambda`. `glance()` returns one row: `n_images` that the sample represents,
#'   `n_sampled`, `n_labelled`, `n_strata`, `n_single` and `n_unlabelled` (strata with one label,
#'   and with none), `n_codes`, `n_groups`, `weight`, `conf_level`. `tidy()` adds a first column
#'   `term`.
#' @references Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), Prediction-powered
#'   inference, *Science* 382. Angelopoulos, Duchi and Zrnic (2023), PPI++: efficient
#'   prediction-powered inference, arXiv:2311.01453. Fisch et al. (2024), Stratified
#'   prediction-powered inference, arXiv:2406.04291. Egami, Hinck, Stewart and Wei (2023), Using
#'   imperfect surrogates for downstream inference: design-based supervised learning, *NeurIPS* 36.
#' @family labels
#' @export
#' @examples
#' labels <- data.frame(
#'   image_id = c("a", "b", "e"), code = "protest", label = c(1, 0, 1)
#' )
#' predictions <- data.frame(
#'   image_id = letters[1:6], code = "protest", label = c(1, 0, 1, 0, 1, 0), annotator = "a model"
#' )
#' sample <- data.frame(
#'   image_id = c("a", "b", "e"), cluster = c(1, 1, 2), N_h = c(4, 4, 2), n_h = c(2, 2, 1)
#' )
#' label_shares(labels, predictions, sample)
label_shares <- function(labels,
                         predictions = NULL,
                         sample = NULL,
                         by = NULL,
                         weight = "image",
                         linked = NULL,
                         clustering = NULL,
                         author = "author",
                         time = "time",
                         time_zone = "UTC",
                         conf_level = 0.95,
                         ...) {
  check_dots(...)
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  if (is.null(sample)) {
    abort_imagestrata(
      "{.arg sample} is needed: it says how the labelled images were drawn.",
      hint = "Give the result of {.fn sample_images}."
    )
  }
  observed <- observe_labels(labels, predictions, sample, clustering)
  cells <- group_labelled(observed, rlang::enquo(by), weight, linked, author, time, time_zone)
  everyone <- weights_in_cell(cells, NULL, nrow(observed$images))
  codes <- unique(vapply(observed$targets, \(target) target$code, ""))
  plans <- list()
  tables <- lapply(codes, function(code) {
    targets <- Filter(\(target) target$code == code, observed$targets)
    plan <- plan_labelled(observed, targets)
    tuned <- tune_lambda(plan, targets, everyone)
    tell_merged_strata(plan, observed, code)
    plans[[code]] <<- plan
    dplyr::bind_rows(Map(
      \(target, leverage) {
        share_rows(observed, cells, plan, target, tuned$value, leverage, conf_level)
      },
      targets, tuned$leverage
    ))
  })
  table <- dplyr::bind_rows(tables)
  tell_few_labels(table, cells)
  most <- function(number) as.integer(max(vapply(plans, number, 0)))
  summary <- tibble::tibble(
    n_images = sum(observed$strata$N_h), n_sampled = observed$n_sampled,
    n_labelled = most(\(plan) length(plan$at)), n_strata = nrow(observed$strata),
    n_single = most(\(plan) plan$n_single), n_unlabelled = most(\(plan) plan$n_merged),
    n_codes = length(codes), n_groups = nrow(cells$table), weight = weight, conf_level = conf_level
  )
  new_object(
    table, "imagestrata_label_shares",
    tables = list(summary = summary), by = cells$by
  )
}

# The rows of a code or answer: groups by methods.
share_rows <- function(observed, cells, plan, target, lambda, leverage, conf_level) {
  n_images <- nrow(observed$images)
  whole <- observed$whole && !cells$authors
  rows <- lapply(seq_len(nrow(cells$table)), function(number) {
    w <- weights_in_cell(cells, number, n_images)
    means <- list(sample = mean_of_labels(plan, target, w, whole = whole))
    if (is_predicted(target)) {
      corrected <- mean_of_labels(plan, target, w, lambda, leverage, whole)
      means <- c(
        list(machine = mean_of_machine(target, w)), means, list(corrected = corrected)
      )
    }
    rows <- lapply(names(means), function(method) {
      mean <- means[[method]]
      used <- if (method == "corrected") lambda else NA_real_
      if (cells$authors) mean <- add_authors(mean, cells, number, plan, target, w, method, lambda)
      limits <- limits_of_labels(mean, target$kind, conf_level)
      tibble::tibble(
        code = target$code, label = target$label, cells$table[number, ], method = method,
        estimate = mean$estimate, std.error = sqrt(mean$variance), df = mean$df,
        conf.low = limits[1], conf.high = limits[2],
        n_labelled = sum(!is.na(target$y) & w > 0), n_predicted = sum(!is.na(target$f) & w > 0),
        lambda = used
      )
    })
    dplyr::bind_rows(rows)
  })
  dplyr::bind_rows(rows)
}

# An estimate whose variance is also that between authors.
add_authors <- function(mean, cells, number, plan, target, w, method, lambda) {
  if (is.na(mean$estimate)) {
    return(mean)
  }
  rows <- which(cells$cell == number)
  image <- cells$image[rows]
  count <- cells$count[rows]
  author <- number_values(cells$author[rows])
  n <- max(author)
  every <- sum(w)
  score <- noise <- numeric(length(w))
  if (method == "machine") {
    known <- !is.na(target$decided)
    score[known] <- (target$decided[known] - mean$estimate) / sum(w[known])
  } else {
    weight <- plan$a * w[plan$at]
    y <- target$y[plan$at]
    error <- y - sum(weight * y) / sum(weight)
    if (method == "corrected" && lambda > 0) {
      f <- fill_predictions(target$f)
      error <- error - lambda * (f[plan$at] - sum(weight * f[plan$at]) / sum(weight))
      score <- lambda * (f - sum(w * f) / every) / every
    }
    expanded <- plan$a * error / sum(weight)
    score[plan$at] <- score[plan$at] + expanded
    noise[plan$at] <- (1 - plan$fraction) * expanded^2
  }
  by_author <- sum_by(count * score[image], author, n)
  sizes <- sum_by(count, author, n)
  # The jackknife, which leaves out one author at a time, as in topic_prevalence().
  between <- NA_real_
  if (n > 1) {
    factor <- sqrt((n - 1) / n) / (1 - sizes / every)
    noisy <- (factor[author] * count)^2 * noise[image]
    between <- max(sum((factor * by_author)^2) - sum(noisy), 0)
  }
  of_labels <- if (method == "machine") 0 else mean$variance
  mean$variance <- between + of_labels
  effective <- every^2 / sum(sizes^2)
  freedom <- max(min(n - 1, 2 * effective - 1), 1)
  parts <- between^2 / freedom + if (of_labels %in% 0) 0 else of_labels^2 / mean$df
  mean$df <- if (isTRUE(parts > 0)) max(mean$variance^2 / parts, 1) else freedom
  if (method != "machine") effective <- 1 / (1 / effective + 1 / mean$effective)
  mean$effective <- if (n > 1) effective else NA_real_
  mean
}

tell_merged_strata <- function(plan, observed, code) {
  n <- plan$n_merged
  if (n > 0) {
    warn_imagestrata(
      "{big(n)} of {count_of(nrow(observed$strata), 'stratum', 'strata')} {cli::qty(n)}{?has/have}
       no
       label of {.val {code}}: the labelled strata that are nearest in size represent
       {cli::qty(n)}{?it/them}.",
      "Label some of their images: nothing but the predictions is known about them."
    )
  }
}

# Groups with so few labels that intervals say little.
tell_few_labels <- function(table, cells) {
  if (length(cells$by) == 0) {
    return(invisible())
  }
  group <- number_rows(table[cells$by])
  least <- tapply(table$n_labelled, group, min)
  few <- as.integer(names(least))[least < 2]
  if (length(few) > 0) {
    first <- match(group[group %in% few][1], group)
    warn_imagestrata(
      "{length(few)} of {count_of(length(least), 'group')} {cli::qty(length(few))}{?has/have} fewer
       than 2 labelled images, the first of them {.val {label_of(table[first, cells$by])}}: their
       intervals are as wide as can be, or missing."
    )
  }
}
