# Means and gaps of ratings for all images of the corpus, from the rated ones and a machine's
# predictions of every image.
#
# The corrected mean of a cell is lambda * F + sum(share * (y - lambda * f)), with the prediction f
# of the image of an answer y, the shares of answers in the mean (they add up to 1), and the mean
# prediction F of all images of the clusters that were rated in the cell, which have the same
# weights there as their answers. It is thus the mean of y - lambda * (f - F): corrected answers
# take the place of the ratings, and their variance is computed as that of ratings, see
# ratings-variance.R. Because F describes all images, it has no variance.
#
# Lambda minimises the variance between the images of strata, between 0 and 1, as in
# labels-variance.R: one for each measure, and for each group of respondents if predictions are by
# group. That of gaps between groups of respondents minimises the variance of the gap: one for each
# measure and pair of groups. It fits the rated images better than others, so that their distances
# from the mean of the stratum are divided by one minus their influence on lambda, as in HC3
# standard errors.

# The predictions of a design's measures for all images of its clusters, or NULL without
# predictions. Returns a list: `images` (vectors with a place per image: `cluster` and `domain`, as
# in the design, and `size`, its weight within the cluster), `f` (for each measure a matrix with a
# row per image and a column per series of predictions; NULL if there are none), `series` and
# `domain` (of each group of the design), `at` (the place of each rated image).
predict_ratings <- function(predictions, clustering, ratings, design, by, shrink,
                            call = rlang::caller_env()) {
  if (is.null(predictions)) {
    check_unused(FALSE, "predictions", clustering = clustering, .call = call)
    return(NULL)
  }
  by <- select_by(ratings, by, call)
  ratings <- plain_columns(ratings)
  check_predictable(clustering, design, by, shrink, call)
  given <- images_of_clustering(clustering, call)
  images <- given$images
  of_people <- by[!design$of_images]
  guesses <- check_rating_predictions(predictions, given$copies, of_people, call)
  at <- match(of_kept(as.character(design$ids$image), given$copies), images$image_id)
  check_placed(at, images, ratings, design, call)
  check_unseen(guesses, images$image_id[at], call, "rated image")
  domains <- domains_of(images, by[design$of_images], design, call)
  cluster <- match(as.character(images$cluster), as.character(design$ids$cluster))
  tell_never_rated(cluster, images)
  series <- series_of(guesses, of_people, design, call)
  guesses$series <- series$guesses
  kept <- !is.na(cluster) & !is.na(domains$images)
  f <- lapply(seq_len(nrow(design$measures)), \(measure) {
    predictions_of_measure(guesses, design$measures, measure, images$image_id[kept], series$n)
  })
  list(
    images = list(
      cluster = cluster[kept], domain = domains$images[kept],
      size = sizes_of(images, ratings, design, at, call)[kept]
    ),
    f = fill_measures(f, design, call), series = series$groups, domain = domains$groups,
    at = cumsum(kept)[at]
  )
}

# ---- Checks --------------------------------------------------------------------------------

check_predictable <- function(clustering, design, by, shrink, call) {
  if (shrink) {
    abort_imagestrata(
      "{.arg predictions} cannot be combined with {.code shrink = TRUE}.",
      hint = "Use {.code shrink = FALSE}.",
      call = call
    )
  }
  if (design$weight == "none") {
    abort_imagestrata(
      "{.arg predictions} are about all images of the corpus, but {.code weight = \"none\"} is about
       the rated images alone.",
      hint = "Use {.code weight = \"cluster\"}, {.code \"corpus\"} or {.code \"share\"}.",
      call = call
    )
  }
  if (is.null(design$answers$cluster)) {
    abort_imagestrata(
      "{.arg predictions} need ratings with a column {.field cluster}: it says which images the
       rated ones represent.",
      hint = "Join the sample with {.code read_ratings(sample = )}.",
      call = call
    )
  }
  if (is.null(clustering)) {
    abort_imagestrata(
      "{.arg predictions} need the clusters of all images as {.arg clustering}.",
      hint = "Give the clustering from which the sample was drawn, or a data frame with the columns
              image_id and cluster.",
      call = call
    )
  }
  if ("image_id" %in% by) {
    abort_imagestrata(
      "{.arg predictions} correct means of many images, but {.arg by} names {.field image_id}.",
      call = call
    )
  }
}

# A row per image, item and group of respondents: `image_id`, `item`, `prediction`, the columns
# `of_people` that the table has, and `split`, if it is known.
check_rating_predictions <- function(predictions, copies, of_people, call) {
  table <- check_data_frame(predictions, "predictions", call, "predict_labels", "image_id")
  table <- plain_columns(table)
  value <- intersect(c("prediction", "label"), names(table))[1]
  name <- setdiff(intersect(c("item", "code", "label"), names(table)), value)[1]
  if (is.na(value) || is.na(name)) {
    abort_imagestrata(
      "{.arg predictions} must have the columns {.field image_id}, {.field item} and {.field
       prediction}; it has {.field {names(table)}}.",
      hint = "The name of the item may also be in {.field code} or {.field label}, and with {.field
              code} the prediction in {.field label}, as in labels by a machine.",
      call = call
    )
  }
  ready <- all(is_by_machine(table))
  own <- intersect(unname(of_people), names(table))
  numbers <- as_numbers_only(label_texts(table[[value]]))
  table <- vctrs::new_data_frame(c(
    list(
      image_id = of_kept(id_text(table$image_id, "image_id", call), copies),
      item = id_text(table[[name]], name, call), prediction = numbers,
      given = label_texts(table[[value]])
    ),
    lapply(table[own], as.character), as.list(table[intersect("split", names(table))])
  ))
  needed <- c("image_id", "item", own)
  if (nrow(table) == 0 || anyNA(table[needed])) {
    abort_imagestrata(
      "{.arg predictions} must have rows, without missing values in {.field
       {c('image_id', name, own)}}.",
      call = call
    )
  }
  wrong <- which(!is.na(table$given) & !is.finite(table$prediction))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.field {value}} of {.arg predictions} must hold numbers on the scale of the ratings, not
       {.val {table$given[wrong[1]]}}.",
      call = call
    )
  }
  table$given <- NULL
  table <- vctrs::vec_unique(table)
  twice <- which(vctrs::vec_duplicate_detect(table[needed]))
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg predictions} has several predictions of {.val {table$item[twice[1]]}} for the image
       {.val {table$image_id[twice[1]]}}.",
      hint = "Give the predictions of one model, one row per image and item. Predictions by group of
              respondents need the column of the group, which {.arg by} must name.",
      call = call
    )
  }
  if (!"split" %in% names(table) && !ready) {
    warn_unknown_split("rated image")
  }
  table
}

# Every rated image is in the clustering, in the same cluster, and clusters have as many images as
# the sample says.
check_placed <- function(at, images, ratings, design, call) {
  if (anyNA(at)) {
    n <- sum(is.na(at))
    abort_imagestrata(
      "{n} of {count_of(length(at), 'rated image')} {cli::qty(n)}{?is/are} not in {.arg clustering},
       {.val {as.character(design$ids$image)[is.na(at)][1]}} for one.",
      hint = "Give the clustering from which the sample was drawn.",
      call = call
    )
  }
  ours <- as.character(design$ids$cluster)[design$images$cluster]
  theirs <- as.character(images$cluster)[at]
  differs <- which(ours != theirs)
  if (length(differs) > 0) {
    one <- differs[1]
    abort_imagestrata(
      "{length(differs)} rated image{?s} {?is/are} in another cluster of {.arg clustering} than in
       {.arg ratings}: {.val {as.character(design$ids$image)[one]}} is in {theirs[one]}, not
       {ours[one]}.",
      hint = "Give the clustering that the ratings were joined to. After {.fn edit_clusters}, read
              them again with {.code read_ratings(clustering = )}.",
      call = call
    )
  }
  if (!"N_h" %in% names(ratings)) {
    return(invisible())
  }
  first <- match(as.character(design$ids$image), as.character(ratings$image_id))
  strata <- tibble::tibble(
    cluster = design$images$cluster, stratum = design$images$stratum, n = ratings$N_h[first]
  )
  strata <- strata[!duplicated(strata$stratum) & !is.na(strata$n), ]
  expected <- sum_by(strata$n, strata$cluster, length(design$ids$cluster))
  found <- tabulate(
    match(as.character(images$cluster), as.character(design$ids$cluster)),
    length(design$ids$cluster)
  )
  # Strata without ratings are not known.
  parts <- tabulate(strata$cluster, length(expected))
  whole <- parts == 1 & !"stratum" %in% names(ratings)
  wrong <- which(found < expected | (whole & found != expected))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg ratings} says that cluster {as.character(design$ids$cluster)[wrong[1]]} has
       {count_of(expected[wrong[1]], 'image')} ({.field N_h}), but it has {big(found[wrong[1]])} in
       {.arg clustering}.",
      hint = "Give the clustering from which the sample was drawn.",
      call = call
    )
  }
}

# What images represent within their cluster: themselves, or their shares.
sizes_of <- function(images, ratings, design, at, call) {
  if (design$weight != "share") {
    return(rep(1, nrow(images)))
  }
  size <- if ("n_shares" %in% names(images)) {
    as.double(images$n_shares)
  } else {
    shares_of_images(images, call)
  }
  first <- match(as.character(design$ids$image), as.character(ratings$image_id))
  if ("weight_corpus" %in% names(ratings)) {
    own <- (ratings$weight_share / ratings$weight_corpus)[first]
    differs <- which(abs(own - size[at]) > 1e-6 * pmax(own, size[at]))
    if (length(differs) > 0) {
      one <- differs[1]
      abort_imagestrata(
        "The numbers of shares differ: the image {.val {as.character(design$ids$image)[one]}} has
         {own[one]} in {.arg ratings} ({.field weight_share} / {.field weight_corpus}) and
         {size[at][one]} in {.arg clustering}.",
        hint = "Give {.arg clustering} the column {.field n_shares} of the sample's draw.",
        call = call
      )
    }
  }
  size
}

# ---- Images and groups ------------------------------------------------------------------------

# The domain of each image of the corpus and of each group of the design: its values in the columns
# of `by` that are about images.
domains_of <- function(images, of_images, design, call) {
  lacks <- setdiff(of_images, names(images))
  if (length(lacks) > 0) {
    abort_imagestrata(
      "{.arg by} names {.field {lacks}}, which {.arg clustering} does not have: it must be known of
       all images, not of the rated ones alone.",
      hint = "Join the column to the images of the clustering by {.field image_id}.",
      call = call
    )
  }
  if (length(of_images) == 0) {
    return(list(images = rep(1L, nrow(images)), groups = rep(1L, nrow(design$groups))))
  }
  texts <- function(columns) do.call(paste, c(lapply(unname(columns), as.character), sep = "\r"))
  of_groups <- texts(design$groups[design$of_images])
  known <- unique(of_groups)
  list(images = match(texts(images[unname(of_images)]), known), groups = match(of_groups, known))
}

# The series of predictions of each group (`groups`) and of each prediction (`guesses`): one for
# all, or one for each group of respondents.
series_of <- function(guesses, of_people, design, call) {
  own <- of_people[of_people %in% names(guesses)]
  if (length(own) == 0) {
    return(list(groups = rep(1L, nrow(design$groups)), guesses = rep(1L, nrow(guesses)), n = 1L))
  }
  groups <- vctrs::new_data_frame(lapply(design$groups[names(own)], as.character))
  theirs <- rlang::set_names(guesses[unname(own)], names(own))
  known <- vctrs::vec_unique(groups)
  lacks <- which(!vctrs::vec_in(known, theirs))
  if (length(lacks) > 0) {
    abort_imagestrata(
      "{.arg predictions} has none for {.val {label_of(known[lacks[1], , drop = FALSE])}}.",
      hint = "Give predictions for each group of respondents; or leave out the column
              {.field {unname(own)}}, if predictions are the same for all groups.",
      call = call
    )
  }
  list(
    groups = vctrs::vec_match(groups, known), guesses = vctrs::vec_match(theirs, known),
    n = nrow(known)
  )
}

# Predictions of an item, or of a dimension: a matrix with a row per image and a column per series,
# or NULL. That of a dimension is the mean of those of its items.
predictions_of_measure <- function(guesses, measures, measure, image_ids, n_series) {
  name <- measures$item[measure]
  items <- name
  if (measures$level[measure] == "dimension") {
    items <- measures$item[measures$level == "item" & measures$dimension %in% name]
    if (!any(guesses$item %in% items)) items <- name
  }
  place <- match(guesses$image_id, image_ids)
  own <- guesses$item %in% items & !is.na(guesses$prediction) & !is.na(guesses$series) &
    !is.na(place)
  f <- matrix(NA_real_, length(image_ids), n_series)
  if (!any(own)) {
    return(NULL)
  }
  key <- (guesses$series[own] - 1) * nrow(f) + place[own]
  sums <- rowsum(cbind(guesses$prediction[own], 1), key, reorder = FALSE)
  f[as.integer(rownames(sums))] <- sums[, 1] / sums[, 2]
  f
}

# Missing predictions are the mean of the others: corrected estimates are unbiased for any
# predictions that do not depend on the ratings.
fill_measures <- function(f, design, call) {
  lacks <- vapply(f, is.null, NA)
  if (all(lacks)) {
    abort_imagestrata(
      "{.arg predictions} are of none of the items {.val
       {design$measures$item[design$measures$level == 'item']}}.",
      hint = "The column {.field item} of both tables must have the same names.",
      call = call
    )
  }
  if (any(lacks)) {
    warn_imagestrata(
      "{.arg predictions} has nothing about {.val {design$measures$item[lacks]}}: there are only
       estimates from the sample."
    )
  }
  n <- vapply(f, \(one) if (is.null(one)) 0 else max(colSums(is.na(one))), 0)
  some <- which(n > 0 & design$measures$level == "item")
  if (length(some) > 0) {
    most <- some[which.max(n[some])]
    warn_imagestrata(
      "{big(n[most])} of {count_of(nrow(f[[most]]), 'image')} {cli::qty(n[most])}{?has/have} no
       prediction of {.val {design$measures$item[most]}}{if (length(some) > 1) ', the item with
       fewest'}: they get the mean of the others."
    )
  }
  lapply(f, function(one) {
    if (is.null(one)) {
      return(NULL)
    }
    apply(one, 2, fill_predictions)
  })
}

tell_never_rated <- function(rated, images) {
  out <- is.na(rated)
  if (any(out)) {
    n <- length(unique(images$cluster[out]))
    warn_imagestrata(
      "{big(sum(out))} of {count_of(length(out), 'image')} are in {count_of(n, 'cluster')} without
       ratings: estimates are for the other {big(sum(!out))}."
    )
  }
}

# ---- Estimates -------------------------------------------------------------------------------

# The predictions of answers: of their images, in the series of their groups.
predictions_of_answers <- function(answers, predicted) {
  f <- rep(NA_real_, length(answers$rating))
  place <- predicted$at[answers$image]
  series <- predicted$series[answers$group]
  for (measure in which(!vapply(predicted$f, is.null, NA))) {
    of <- answers$measure == measure
    f[of] <- predicted$f[[measure]][cbind(place[of], series[of])]
  }
  f
}

# Lambda for each answer (`answers`) and cell (`cells`) of a design, and the influence of its image
# on it (`leverage`).
tune_ratings <- function(design, predicted, gaps) {
  pooled <- pool_images(design)
  totals <- distances_of_images(pooled, predicted)
  at <- slots_of(design, predicted, gaps)
  cell <- pooled$cells[totals$cell, ]
  totals$slot <- at(cell$pairing, cell$measure, cell$group)
  if (gaps) {
    # Of each image the difference between its totals in the two groups.
    value <- number_levels(design$groups[[1]])
    value <- value[cell$group]
    sign <- ifelse(value == lowest_in(value, cell$pairing), 1, -1)
    rest <- number_rows(design$groups[!design$of_images][-1])[cell$group]
    key <- pair_up(pair_up(totals$slot, rest), totals$image)
    one <- match(seq_len(max(key)), key)
    totals <- list(
      slot = totals$slot[one], image = totals$image[one],
      y = sum_by(sign * totals$y, key, max(key)), f = sum_by(sign * totals$f, key, max(key))
    )
  }
  n <- at(max(design$cells$pairing), nrow(design$measures), NULL)
  square <- sum_by(totals$f^2, totals$slot, n)
  lambda <- ifelse(square > 1e-24, sum_by(totals$f * totals$y, totals$slot, n) / square, 0)
  inside <- lambda > 0 & lambda < 1
  influence <- ifelse(inside[totals$slot], totals$f^2 / square[totals$slot], 0)
  place <- function(slot, image) (slot - 1) * design$n_images + image
  leverage <- sum_by(influence, place(totals$slot, totals$image), n * design$n_images)
  lambda <- pmin(pmax(lambda, 0), 1)
  answers <- design$answers
  slot <- at(answers$pairing, answers$measure, answers$group)
  list(
    answers = lambda[slot], leverage = leverage[place(slot, answers$image)],
    cells = lambda[at(design$cells$pairing, design$cells$measure, design$cells$group)]
  )
}

# A function that returns the places of lambdas: by measure and series of predictions, or for gaps
# by measure and pair of groups. Without a group, it returns the last of them.
slots_of <- function(design, predicted, gaps) {
  n <- nrow(design$measures)
  function(pairing, measure, group) {
    series <- if (is.null(group)) max(predicted$series) else predicted$series[group]
    ((if (gaps) pairing else series) - 1) * n + measure
  }
}

lowest_in <- function(x, group) stats::ave(x, group, FUN = min)

# For each image of a cell the totals of the scores of its ratings (`y`) and predictions (`f`), as
# distances from the mean of the stratum.
distances_of_images <- function(design, predicted) {
  f <- predictions_of_answers(design$answers, predicted)
  answers <- lapply(design$answers, \(x) x[!is.na(f)])
  answers$stratum <- join_single_strata(answers)
  f <- f[!is.na(f)]
  n <- nrow(design$cells)
  scores <- function(x) {
    x <- from_first(x, answers$cell)
    as.matrix(answers$share * (x - sum_by(answers$share * x, answers$cell, n)[answers$cell]))
  }
  totals <- image_totals(scores(answers$rating), answers)
  list(
    cell = totals$cell, image = totals$unit, y = totals$total[, 1],
    f = image_totals(scores(f), answers)$total[, 1]
  )
}

# The strata of answers; images that are alone in their stratum have one together if they are
# compared across strata, see compare_across().
join_single_strata <- function(answers) {
  place <- pair_up(answers$cell, answers$stratum)
  unit <- pair_up(answers$cell, answers$image)
  alone <- tabulate(place[!duplicated(unit)])[place] == 1
  share <- sum_by(answers$share, unit, max(unit))
  first <- match(seq_along(share), unit)
  of_cells <- function(x) sum_by(x, answers$cell[first], max(answers$cell))
  few <- of_cells(share^2 * !alone[first]) < least_of_others * of_cells(share^2)
  ifelse(alone & few[answers$cell], max(answers$stratum) + 1L, answers$stratum)
}

# The design with groups of respondents only: the first of the groups with these respondents stands
# for all of them.
pool_images <- function(design) {
  group <- number_rows(design$groups[!design$of_images])
  design$answers$group <- match(group, group)[design$answers$group]
  design$images$domain <- rep(1L, length(design$images$weight))
  weigh(number_cells(design), rlang::caller_env())
}

# All images that the cells of a design are about, with their predictions: `cell`, `image`, `share`
# (its weight in the mean; that of a cluster is the weight of its answers), `f`.
machine_answers <- function(design, predicted) {
  images <- predicted$images
  # Which respondents rated a cluster does not matter for the weight of its images.
  design$answers$respondent_weight <- NULL
  answers <- weigh(design, rlang::caller_env())$answers
  n_clusters <- length(design$ids$cluster)
  here <- (images$domain - 1) * n_clusters + images$cluster
  order <- order(here)
  n_places <- max(images$domain) * n_clusters
  n <- tabulate(here, n_places)
  start <- cumsum(c(1L, n))[seq_len(n_places)]
  size <- sum_by(images$size, here, n_places)

  part <- pair_up(answers$cell, answers$cluster)
  first <- match(seq_len(max(part)), part)
  share <- sum_by(answers$share, part, max(part))
  group <- answers$group[first]
  place <- (predicted$domain[group] - 1) * n_clusters + answers$cluster[first]
  row <- rep(seq_along(first), n[place])
  image <- order[sequence(n[place], start[place])]
  own <- ifelse(size[place][row] > 0, images$size[image] / size[place][row], 1 / n[place][row])
  measure <- answers$measure[first][row]
  series <- predicted$series[group][row]
  f <- rep(NA_real_, length(row))
  for (one in which(!vapply(predicted$f, is.null, NA))) {
    of <- measure == one
    f[of] <- predicted$f[[one]][cbind(image[of], series[of])]
  }
  list(cell = answers$cell[first][row], image = image, share = share[row] * own, f = f)
}

# The machine's means, as if its predictions were a random sample of correct ratings.
fit_machine <- function(fit, machine) {
  n <- nrow(fit$cells)
  mean <- sum_by(machine$share * machine$f, machine$cell, n)
  scores <- machine$share * (machine$f - mean[machine$cell])
  totals <- unit_totals(as.matrix(scores), machine$cell, machine$image)
  fit$cells$estimate <- mean
  fit$cells$df <- Inf
  fit$variance <- function(at, by = 1) drop(variance_of(totals, sums_of_cells(at, by)))
  fit$most_df <- function(at) rep(Inf, nrow(at))
  fit
}

# The design with corrected answers in the place of ratings.
correct_answers <- function(design, predicted, tuned, mean) {
  answers <- design$answers
  f <- predictions_of_answers(answers, predicted)
  lambda <- ifelse(is.na(f), 0, tuned$answers)
  value <- answers$rating - ifelse(lambda > 0, lambda * (f - mean[answers$cell]), 0)
  # Distances from the mean of the cell's answers in the stratum.
  part <- pair_up(answers$cell, join_single_strata(answers))
  total <- sum_by(answers$share, part, max(part))
  centre <- function(x) {
    ifelse(total > 0, sum_by(answers$share * x, part, max(part)) / total, 0)[part]
  }
  apart <- (value - centre(value)) / (1 - pmin(tuned$leverage, 0.9))
  design$answers$rating <- centre(value) + apart - centre(apart)
  design
}

# The fits of the three methods, or of ratings alone.
fits_of <- function(design, variance, shrink, predicted, gaps = FALSE,
                    call = rlang::caller_env()) {
  sample <- estimate_cells(design, variance, shrink, call)
  if (is.null(predicted)) {
    return(list(sample))
  }
  machine <- machine_answers(design, predicted)
  by_machine <- fit_machine(sample, machine)
  tuned <- tune_ratings(design, predicted, gaps && !design$of_images[1])
  mean <- by_machine$cells$estimate
  corrected <- suppressWarnings(
    estimate_cells(correct_answers(design, predicted, tuned, mean), variance, FALSE),
    classes = "imagestrata_warning"
  )
  cells <- sample$cells
  known <- !vapply(predicted$f, is.null, NA)
  fits <- list(machine = by_machine, sample = sample, corrected = corrected)
  fits <- lapply(fits, function(fit) {
    fit$cells$n_predicted <- ifelse(known[cells$measure], tabulate(machine$cell, nrow(cells)), 0L)
    fit$cells$lambda <- NA_real_
    fit$measures <- which(known)
    fit
  })
  fits$corrected$cells$lambda <- tuned$cells
  fits$sample$measures <- seq_along(known)
  fits
}

# The tables that a function makes of each fit, one below the other, in the order of their rows.
bind_methods <- function(fits, table_of) {
  if (length(fits) == 1) {
    return(table_of(fits[[1]]))
  }
  tables <- lapply(names(fits), function(method) {
    table <- table_of(fits[[method]])
    table$method <- rep(method, nrow(table))
    table[table$measure %in% fits[[method]]$measures, ]
  })
  dplyr::bind_rows(tables)
}

# Predictions that are the same for two groups of respondents say nothing about their gap.
check_comparable <- function(predicted, design, call = rlang::caller_env()) {
  if (!is.null(predicted) && !design$of_images[1] && max(predicted$series) == 1) {
    abort_imagestrata(
      "{.arg predictions} are the same for all values of {.field {design$by[1]}}: they cancel out in
       a gap.",
      hint = "Give predictions for each group, with the column {.field {design$by[1]}}, or leave
              them out. {.fn rating_means} takes predictions that are the same for all groups.",
      call = call
    )
  }
}

# Standard errors of 0, by method.
warn_flat <- function(table, design) {
  if (is.null(table[["method"]])) {
    return(warn_no_spread(table, design))
  }
  warn_no_spread(table[table$method == "sample", ], design)
  rows <- table[table$method == "corrected", ]
  exact <- rows$std.error %in% 0
  if (any(exact)) {
    warn_imagestrata(
      "In {sum(exact)} of {length(exact)} corrected row{?s} the predictions explain all differences
       between the ratings: the standard error is 0, which is too small.",
      "Were the predictions made from these ratings?"
    )
  }
}

# The rows that figures show: corrected ones, or those of the sample where there are no predictions.
corrected_rows <- function(estimates) {
  method <- estimates[["method"]]
  if (is.null(method) || length(unique(method)) < 2) {
    return(estimates)
  }
  measure <- paste(estimates$level, estimates$item)
  corrected <- measure %in% measure[method == "corrected"]
  estimates[method == ifelse(corrected, "corrected", "sample"), ]
}
