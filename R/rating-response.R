#' Measure who answered, and correct for those who did not
#'
#' People who were asked to rate images give up, or skip some of them. `response_rates()` counts who
#' was asked and who answered. `response_weights()` gives more weight to answers of people like
#' those who often did not answer. `response_bounds()` says how far the missing answers could move a
#' mean or a gap at worst.
#'
#' @param ratings The result of [read_ratings()].
#' @param packets Who was asked to rate what: the packets of [assign_annotators()] with one row per
#'   packet and image, and the column `respondent_id`. Without it, both tables need the column
#'   `packet_id`. Packets that nobody took up count as asked.
#' @param by Columns of `packets` or `ratings` that define groups: one or more bare names as in
#'   [dplyr::select()], or `NULL` for all together. In `response_weights()` and as the first column
#'   in `response_bounds()`, groups of respondents.
#' @param conf_level Confidence level of the intervals.
#' @inheritParams scan_images
#'
#' @section Response rates:
#' An image counts as rated if the respondent rated at least one item of it. Standard errors are
#' clustered on respondents, because some skip much and others nothing; intervals are on the logit
#' scale. If everybody, or nobody, answered, the interval is the exact one of as many respondents.
#'
#' @returns `response_rates()`: a tibble with one row per group: the columns of `by`,
#'   `n_respondents` (who were asked), `n_silent` (who rated nothing), `n_asked` and `n_rated`
#'   (images, once for each respondent), `estimate` (the share that was rated), `std.error`,
#'   `conf.low`, `conf.high`, `n_items` (answers asked for in the rated images) and `skipped` (the
#'   share of them that is missing).
#' @family ratings
#' @export
#' @examples
#' response_rates(simulated_ratings, simulated_packets)
#' response_rates(simulated_ratings, simulated_packets, by = c(group, cluster)) |>
#'   dplyr::slice_min(estimate, n = 5)
response_rates <- function(ratings, packets, by = "group", conf_level = 0.95, ...) {
  check_dots(...)
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  asked <- asked_of(ratings, packets)
  groups <- groups_of_asked(asked, rlang::enquo(by))
  n <- nrow(groups$table)
  count <- function(x) as.integer(sum_by(x, groups$id, n))
  asks <- asked$asks
  unit <- pair_up(groups$id, number_values(asks$unit))
  of <- groups$id[match(seq_len(max(unit)), unit)]
  own <- sum_by(cbind(1, asks$rated), unit, max(unit))
  table <- tibble::tibble(
    n_respondents = tabulate(of, n), n_silent = tabulate(of[own[, 2] == 0], n),
    n_asked = count(rep(1, nrow(asks))), n_rated = count(asks$rated)
  )
  table$estimate <- table$n_rated / table$n_asked
  scores <- (own[, 2] - table$estimate[of] * own[, 1]) / table$n_asked[of]
  people <- table$n_respondents
  variance <- sum_by(scores^2, of, n) * people / (people - 1)
  table$std.error <- ifelse(people > 1, sqrt(variance), NA)
  limits <- limits_of_rates(table$estimate, table$std.error, people, conf_level)
  table$conf.low <- limits$low
  table$conf.high <- limits$high
  table$n_items <- count(asks$rated * length(asked$items))
  table$skipped <- 1 - sum_by(asks$n_answers, groups$id, n) / table$n_items
  table$skipped[table$n_items == 0] <- NA
  name_clusters(dplyr::bind_cols(groups$table, table), ratings)
}

limits_of_rates <- function(p, error, n, conf_level) {
  width <- suppressWarnings(stats::qt((1 + conf_level) / 2, n - 1)) * error / (p * (1 - p))
  least <- 1 - ((1 - conf_level) / 2)^(1 / n)
  low <- stats::plogis(stats::qlogis(p) - width)
  high <- stats::plogis(stats::qlogis(p) + width)
  list(
    low = ifelse(p == 0, 0, ifelse(p == 1, 1 - least, low)),
    high = ifelse(p == 1, 1, ifelse(p == 0, least, high))
  )
}

#' @param formula What the chance of an answer depends on, as `~ age + ideology`: columns of
#'   `packets`, of `respondents`, or of `ratings` that are about images.
#' @param respondents A table with the column `respondent_id` and what is known of everybody who was
#'   asked, also of those who rated nothing.
#' @param respondent_weight Survey weights: a column of `respondents`, `packets` or `ratings`, as in
#'   [rating_means()]. The result of `response_weights()` is multiplied by them. `response_bounds()`
#'   needs them of everybody who was asked, also of those who rated nothing.
#'
#' @section Response weights:
#' A logistic regression on `formula` estimates the probability p that a respondent rates an image,
#' from all that were asked for. Weights are inverse to it. With covariates that are groups and all
#' their interactions, this is weighting by response classes. The column `response_weight` is meant
#' for `respondent_weight` of [rating_means()], [rating_gaps()] and [rating_weights()]. These
#' already let the rated images of a cluster represent the others, and share the weight of an image
#' among those who rated it. So that this is not done twice, the weight is
#' (m / M) (r / R) (E - p + 1) / (O p): of M images of the cluster that the group was asked to rate,
#' m were rated, the image by r of R; O is the number of these ratings, and E the sum of p over
#' everything that the group was asked in the cluster. The response rate of a cluster thus need not
#' be in the formula: probabilities are multiplied by (1 + the other answers in the cluster) / (1 +
#' the sum of p of the other requests).
#'
#' Answers to single items that are missing in a rated image are not modelled. The weights are
#' right if, given the covariates, answers are missing at random; nobody can test that. Standard
#' errors of means treat the weights as known.
#'
#' @returns `response_weights()`: the ratings of what was asked, with the columns
#'   `response_probability` and `response_weight`.
#' @rdname response_rates
#' @export
#' @examples
#' weighted <- response_weights(
#'   simulated_ratings, simulated_packets, ~ age + ideology,
#'   respondents = simulated_respondents
#' )
#' rating_means(weighted, respondent_weight = response_weight)
response_weights <- function(ratings,
                             packets,
                             formula,
                             respondents = NULL,
                             by = "group",
                             respondent_weight = NULL,
                             ...) {
  check_dots(...)
  if (!rlang::is_formula(formula, lhs = FALSE)) {
    abort_imagestrata(
      "{.arg formula} must be a formula without a left side, such as {.code ~ age + ideology}, not
       {seen(formula)}."
    )
  }
  asked <- asked_of(ratings, packets)
  asks <- add_respondents(asked, respondents)
  asks$response_probability <- response_probability(asks, formula)
  groups <- groups_of_asked(replace(asked, "asks", list(asks)), rlang::enquo(by))
  asks$response_weight <- scaled_response_weights(asks, groups$id)
  at <- asked$place
  kept <- !is.na(at)
  ratings <- plain_columns(ratings)[kept, ]
  ratings$response_probability <- asks$response_probability[at[kept]]
  ratings$response_weight <- asks$response_weight[at[kept]]
  name <- name_of_weight(rlang::enquo(respondent_weight))
  if (!is.null(name)) {
    source <- if (name %in% names(asks)) asks[[name]][at[kept]] else ratings[[name]]
    if (!is.numeric(source) || anyNA(source)) {
      abort_imagestrata(
        "{.arg respondent_weight} must name a column of {.arg respondents} or {.arg ratings} with a
         number for everybody, unlike {.field {name}}."
      )
    }
    ratings$response_weight <- ratings$response_weight * source
  }
  ratings
}

response_probability <- function(asks, formula, call = rlang::caller_env()) {
  needed <- all.vars(formula)
  lacks <- setdiff(needed, names(asks))
  if (length(lacks) > 0) {
    abort_imagestrata(
      "{.arg formula} names {.field {lacks}}, which neither {.arg packets} nor {.arg respondents}
       have.",
      hint = "It must be known of everybody who was asked, also of those who did not answer: give a
              table of all respondents as {.arg respondents}.",
      call = call
    )
  }
  unknown <- needed[vapply(asks[needed], anyNA, NA)]
  if (length(unknown) > 0) {
    n <- sum(is.na(asks[[unknown[1]]]))
    abort_imagestrata(
      "{.field {unknown[1]}} is missing for {big(n)} of {count_of(nrow(asks), 'image')} that
       respondents were asked to rate: their chance of an answer cannot be estimated.",
      hint = "Complete it, or make the missing values a group of their own.",
      call = call
    )
  }
  x <- stats::model.matrix(formula, stats::model.frame(formula, asks))
  fit <- suppressWarnings(stats::glm.fit(x, asks$rated, family = stats::binomial()))
  if (!fit$converged) {
    warn_imagestrata("The model of answers did not converge: use fewer covariates.")
  }
  unname(fit$fitted.values)
}

# Weights that are inverse to the probability of an answer, divided by what means do themselves: see
# the help page.
scaled_response_weights <- function(asks, group) {
  cluster <- if (is.null(asks[["cluster"]])) rep(1L, nrow(asks)) else number_values(asks$cluster)
  part <- pair_up(group, cluster)
  image <- pair_up(part, number_values(asks$image_id))
  in_part <- function(x) sum_by(x, part, max(part))[part]
  in_image <- function(x) sum_by(x, image, max(image))[image]
  requests <- in_image(rep(1, nrow(asks)))
  answers <- in_image(asks$rated)
  first <- !duplicated(image)
  images <- in_part(as.numeric(first))
  rated <- in_part(as.numeric(first & answers > 0))
  expected <- in_part(asks$response_probability)
  p <- asks$response_probability
  weight <- rated / images * answers / requests * (expected - p + 1) / (in_part(asks$rated) * p)
  ifelse(asks$rated == 1, weight, NA)
}

#' @param of `"gaps"` or `"means"`.
#' @param scale Lowest and highest possible rating.
#' @param weight,variance As in [rating_means()].
#'
#' @section Bounds:
#' Nothing is assumed about the missing answers, except that they are on the scale (Manski 2003).
#' A mean is lowest if all missing answers are the lowest rating, highest if all are the highest;
#' a gap is lowest if the first group's missing answers are the lowest and the second group's the
#' highest, and the other way round. `low` and `high` are the estimates in these two cases, and
#' `conf.low` and `conf.high` an interval that holds the true mean or gap with the given confidence,
#' wherever between the bounds it is (Imbens and Manski 2004). Missing are images that were not
#' rated and items that were skipped.
#'
#' Bounds are often wide. The tipping point is more informative: by how many points the missing
#' answers of the group with the higher mean would have to be lower than the given ones of the same
#' group and cluster, and those of the other group higher, for the gap to vanish. A tipping point
#' of several points on a scale from 0 to 10 is hardly plausible; one of half a point is.
#'
#' With `respondent_weight`, missing answers have the weights of the people who were asked for them.
#'
#' @returns `response_bounds()`: a tibble with one row per measure and group or contrast: `level`,
#'   `item`, `dimension`, the columns of `by` or `contrast`, `estimate` (of the given answers, as
#'   [rating_means()] or [rating_gaps()] have it), `low`, `high`, `conf.low`, `conf.high`,
#'   `missing` (the share of the answers that is missing) and, for gaps, `tipping_point`.
#' @references Manski (2003), *Partial identification of probability distributions*. Imbens and
#'   Manski (2004), Confidence intervals for partially identified parameters, *Econometrica* 72.
#'   Seaman and White (2013), Review of inverse probability weighting for dealing with missing data,
#'   *Statistical Methods in Medical Research* 22.
#' @rdname response_rates
#' @export
#' @examples
#' \donttest{
#' response_bounds(simulated_ratings, simulated_packets)
#' }
response_bounds <- function(ratings,
                            packets,
                            by = "group",
                            of = "gaps",
                            scale = c(0, 10),
                            weight = "cluster",
                            respondent_weight = NULL,
                            variance = "two-way",
                            respondents = NULL,
                            conf_level = 0.95,
                            ...) {
  check_dots(...)
  check_choice(of, "of", c("gaps", "means"), rlang::current_env())
  check_estimate(weight, variance, FALSE, conf_level)
  scale <- check_scale(scale)
  asked <- asked_of(ratings, packets)
  given <- ratings
  ratings <- plain_columns(ratings)[!is.na(asked$place), ]
  asked$place <- asked$place[!is.na(asked$place)]
  column <- name_of_weight(rlang::enquo(respondent_weight))
  asked$asks <- add_respondents(asked, respondents)
  if (!is.null(column)) {
    asked$asks[[column]] <- survey_weights_of(asked, ratings, column)
    ratings[[column]] <- asked$asks[[column]][asked$place]
  }
  columns <- select_by(ratings, rlang::enquo(by), rlang::current_env())
  asked$columns <- c(
    "respondent_id", "image_id", "item", "dimension", "rating", sample_columns, columns, column
  )
  asked$missing <- missing_answers(asked, ratings, columns, weight)
  outside <- range(ratings$rating, na.rm = TRUE)
  if (outside[1] < scale[1] || outside[2] > scale[2]) {
    abort_imagestrata(
      "{.arg ratings} go from {outside[1]} to {outside[2]}, beyond {.arg scale}, which is {scale[1]}
       to {scale[2]}."
    )
  }
  complete <- function(rating) complete_ratings(ratings, asked, rating)
  options <- list(
    weight = weight, respondent_weight = column, variance = variance, conf_level = conf_level
  )
  if (of == "means") {
    estimate <- function(ratings) rlang::inject(rating_means(ratings, by = !!columns, !!!options))
    table <- bounds_of(ratings, estimate, complete(scale[1]), complete(scale[2]), conf_level)
    keys <- c("level", "item", "dimension", names(columns))
  } else {
    table <- bounds_of_gaps(ratings, asked, columns, scale, options)
    keys <- c("level", "item", "dimension", names(columns)[-1], "contrast")
  }
  found <- c(
    keys, "estimate", "low", "high", "conf.low", "conf.high", "missing",
    if (of == "gaps") "tipping_point"
  )
  name_clusters(table[found], given)
}

# The table of an estimate with the bounds that two completed tables of ratings give it.
bounds_of <- function(ratings, estimate, lowest, highest, conf_level) {
  given <- estimate(ratings)
  values <- setdiff(estimate_columns, c("level", "item", "dimension", "contrast"))
  keys <- setdiff(names(given), values)
  quiet <- function(ratings) {
    suppressMessages(suppressWarnings(estimate(ratings), classes = "imagestrata_warning"))
  }
  low <- quiet(lowest)
  high <- quiet(highest)
  at <- function(table) vctrs::vec_match(plain_tibble(given)[keys], plain_tibble(table)[keys])
  low <- low[at(low), ]
  high <- high[at(high), ]
  limits <- interval_of_bounds(low, high, conf_level)
  table <- plain_tibble(given)[c(keys, "estimate")]
  table$low <- low$estimate
  table$high <- high$estimate
  table$conf.low <- limits$low
  table$conf.high <- limits$high
  table$missing <- 1 - given$n_ratings / low$n_ratings
  table
}

# The interval of Imbens and Manski (2004), with quantiles of the t distribution.
interval_of_bounds <- function(low, high, conf_level) {
  df <- pmin(low$df, high$df)
  width <- pmax(high$estimate - low$estimate, 0) / pmax(low$std.error, high$std.error)
  c <- vapply(seq_along(width), function(i) {
    if (is.na(width[i]) || is.na(df[i])) {
      return(NA_real_)
    }
    # Two-sided without any distance between the bounds, one-sided with a large one.
    miss <- function(c) stats::pt(c + width[i], df[i]) - stats::pt(-c, df[i]) - conf_level
    stats::uniroot(miss, c(0, stats::qt((1 + conf_level) / 2, df[i]) + 1), tol = 1e-10)$root
  }, 0)
  list(low = low$estimate - c * low$std.error, high = high$estimate + c * high$std.error)
}

# The bounds of the gaps of each pair of groups, and how far missing answers must be from given ones
# for the gap to vanish.
bounds_of_gaps <- function(ratings, asked, columns, scale, options) {
  group <- columns[[1]]
  values <- sorted_values(ratings[[group]])
  if (length(values) < 2) {
    abort_imagestrata(
      "{.field {group}} must have two or more values to compare.",
      call = rlang::caller_env()
    )
  }
  pairs <- utils::combn(length(values), 2, \(i) values[i], simplify = FALSE)
  dplyr::bind_rows(lapply(pairs, function(pair) {
    ratings <- ratings[ratings[[group]] %in% pair, ]
    ratings[[group]] <- droplevels_of(ratings[[group]])
    asked$missing <- asked$missing[asked$missing[[group]] %in% pair, ]
    first <- asked$missing[[group]] %in% pair[1]
    complete <- function(rating) {
      completed <- complete_ratings(ratings, asked, rating)
      completed[[group]] <- droplevels_of(completed[[group]])
      completed
    }
    estimate <- function(ratings) rlang::inject(rating_gaps(ratings, by = !!columns, !!!options))
    table <- bounds_of(
      ratings, estimate, complete(ifelse(first, scale[1], scale[2])),
      complete(ifelse(first, scale[2], scale[1])), options$conf_level
    )
    like_given <- typical_answers(ratings, asked$missing, group, options$respondent_weight)
    moved <- lapply(c(0, 1), function(by) {
      suppressMessages(suppressWarnings(
        estimate(complete(like_given + ifelse(first, -by, by))),
        classes = "imagestrata_warning"
      ))
    })
    keys <- intersect(names(table), c("level", "item", names(columns)[-1]))
    at <- lapply(moved, \(one) vctrs::vec_match(table[keys], plain_tibble(one)[keys]))
    start <- moved[[1]]$estimate[at[[1]]]
    step <- start - moved[[2]]$estimate[at[[2]]]
    table$tipping_point <- ifelse(step > 1e-9, abs(start) / step, NA_real_)
    table
  }))
}

droplevels_of <- function(x) if (is.factor(x)) droplevels(x) else x

# The mean of the given answers of the same group to the item in the same cluster, or else overall.
typical_answers <- function(ratings, missing, group, column) {
  ratings <- ratings[!is.na(ratings$rating), ]
  weight <- if (is.null(column)) rep(1, nrow(ratings)) else ratings[[column]]
  mean_in <- function(names) {
    key <- \(table) do.call(paste, c(lapply(table[names], as.character), sep = "\r"))
    sums <- rowsum(cbind(weight * ratings$rating, weight), key(ratings))
    at <- match(key(missing), rownames(sums))
    unname(sums[at, 1] / sums[at, 2])
  }
  found <- dplyr::coalesce(mean_in(c("item", group)), mean_in("item"))
  if ("cluster" %in% names(ratings)) {
    found <- dplyr::coalesce(mean_in(c("item", group, "cluster")), found)
  }
  found
}

# ---- Survey weights ---------------------------------------------------------------------------

# The name of a column: given bare or as text; NULL if there is none.
name_of_weight <- function(column, call = rlang::caller_env()) {
  if (rlang::quo_is_null(column)) {
    return(NULL)
  }
  if (rlang::quo_is_symbol(column)) {
    return(rlang::as_name(column))
  }
  check_string(rlang::eval_tidy(column), "respondent_weight", call = call)
}

# The weight of each request: the one that is known of everybody who was asked, or that of the
# respondent's own ratings.
survey_weights_of <- function(asked, ratings, column, call = rlang::caller_env()) {
  asks <- asked$asks
  given <- ratings[[column]]
  weight <- asks[[column]]
  if (is.null(weight) && is.null(given)) {
    abort_imagestrata(
      "{.arg respondent_weight} names {.field {column}}, which is not a column of {.arg
       respondents}, {.arg packets} or {.arg ratings}.",
      call = call
    )
  }
  who <- as.character(ratings$respondent_id)
  if (is.null(weight)) {
    differs <- which(!given %in% NA & given != given[match(who, who)])
    if (length(differs) > 0) {
      one <- who[differs[1]]
      abort_imagestrata(
        "{.field {column}} must be the same in all ratings by a respondent, but differs for {.val
         {one}}: {.val {unique(given[who == one])}}.",
        hint = "Weights for non-response, see {.fn response_weights}, are not meant for bounds,
                which assume nothing about missing answers.",
        call = call
      )
    }
    weight <- given[match(asks$respondent_id, who)]
  }
  if (!is.numeric(weight)) {
    abort_imagestrata(
      "{.field {column}} must hold numbers, not {.obj_type_friendly {weight}}.",
      call = call
    )
  }
  weight <- as.double(weight)
  wrong <- !is.finite(weight) | weight <= 0
  if (any(wrong)) {
    people <- unique(asks$unit[wrong])
    abort_imagestrata(
      "{.field {column}} must be a positive number for everybody who was asked, but is {.val
       {weight[wrong][1]}} for {length(people)} of {length(unique(asks$unit))} of them, {.val
       {people[1]}} for one.",
      hint = "Give the weights of all, also of those who rated nothing, as a column of {.arg
              respondents}.",
      call = call
    )
  }
  own <- weight[asked$place]
  if (!is.null(given) && any(abs(own - given) > 1e-6 * own, na.rm = TRUE)) {
    one <- which(abs(own - given) > 1e-6 * own)[1]
    abort_imagestrata(
      "{.field {column}} of {.val {who[one]}} is {.val {as.double(given[one])}} in {.arg ratings},
       but {.val {own[one]}} in {.arg respondents} or {.arg packets}.",
      hint = "Use one set of weights.",
      call = call
    )
  }
  weight
}

# ---- Who was asked ----------------------------------------------------------------------------

# Returns a list: `asks`, a row per respondent (or packet that nobody took up) and image, with
# `unit`, `respondent_id`, `n_answers`, `rated` (1 or 0) and the columns of the packets; `items`;
# and `place`, the row of each rating in it.
asked_of <- function(ratings, packets, call = rlang::caller_env()) {
  ratings <- check_ratings(ratings, call)
  packets <- check_data_frame(packets, "packets", call, "assign_annotators", "image_id")
  packets <- plain_columns(packets)
  if (nrow(packets) == 0) {
    abort_imagestrata("{.arg packets} has no rows.", call = call)
  }
  packets$image_id <- id_text(packets$image_id, "image_id", call)
  packets <- name_respondents(packets, ratings, call)
  who <- as.character(ratings$respondent_id)
  image <- as.character(ratings$image_id)
  key <- paste(packets$unit, packets$image_id, sep = "\r")
  packets <- packets[!duplicated(key), ]
  place <- match(paste(who, image, sep = "\r"), unique(key))
  lost <- is.na(place)
  if (all(lost)) {
    abort_imagestrata(
      "No rating is of an image that {.arg packets} assigns to its respondent.",
      hint = "Do both tables have the same {.field respondent_id} and {.field image_id}?",
      call = call
    )
  }
  if (any(lost)) {
    warn_imagestrata(
      "{big(sum(lost))} of {count_of(length(lost), 'rating')} are of images that {.arg packets} does
       not assign to the respondent, the first by {.val {who[lost][1]}}: they are left out."
    )
  }
  given <- !lost & !is.na(ratings$rating)
  packets$n_answers <- tabulate(place[given], nrow(packets))
  packets$rated <- as.numeric(packets$n_answers > 0)
  first <- match(packets$image_id, image)
  # What ratings know of images and respondents.
  of_images <- setdiff(images_columns(ratings), names(packets))
  packets[of_images] <- lapply(ratings[of_images], \(x) x[first])
  items <- if (is.factor(ratings$item)) levels(droplevels(ratings$item)) else unique(ratings$item)
  list(asks = tibble::as_tibble(packets), items = as.character(items), place = place)
}

# The respondent of each row of the packets: `unit` is the packet where nobody is known.
name_respondents <- function(packets, ratings, call) {
  known <- packets[["respondent_id"]] %||% rep(NA_character_, nrow(packets))
  known <- id_text(known, "respondent_id", call)
  if (anyNA(known)) {
    both <- "packet_id" %in% names(packets) && "packet_id" %in% names(ratings)
    if (all(is.na(known)) && !both) {
      abort_imagestrata(
        "{.arg packets} does not say who was asked: it has no column {.field respondent_id}.",
        hint = "Add it; or give {.arg ratings} the column {.field packet_id}, as {.code
                read_ratings(columns = c(packet_id = \"packet_id\"))} keeps it.",
        call = call
      )
    }
    if (both) {
      taken <- match(as.character(packets$packet_id), as.character(ratings$packet_id))
      known <- dplyr::coalesce(known, as.character(ratings$respondent_id)[taken])
    }
  }
  packets$respondent_id <- known
  nobody <- is.na(known)
  packets$unit <- known
  if (any(nobody)) {
    if (!"packet_id" %in% names(packets)) {
      abort_imagestrata(
        "{sum(nobody)} row{?s} of {.arg packets} {?has/have} neither a {.field respondent_id} nor a
         {.field packet_id}.",
        call = call
      )
    }
    packets$unit[nobody] <- paste("packet", packets$packet_id[nobody])
  }
  packets
}

# The columns that are about images: their cluster, their weights, their month. If every image has
# one rating, columns about respondents are the same in all ratings of an image too.
images_columns <- function(ratings) {
  image <- number_values(as.character(ratings$image_id))
  respondent <- number_values(as.character(ratings$respondent_id))
  cluster <- if ("cluster" %in% names(ratings)) number_values(as.character(ratings$cluster))
  others <- setdiff(names(ratings), c(
    "respondent_id", "group", "image_id", "item", "dimension", "rating", "packet_id"
  ))
  others[vapply(others, function(name) {
    x <- as.character(ratings[[name]])
    constant <- function(unit) {
      first <- x[match(unit, unit)]
      all((x == first) %in% TRUE | (is.na(x) & is.na(first)))
    }
    constant(image) && (name %in% sample_columns || !constant(respondent) ||
      (!is.null(cluster) && constant(cluster)))
  }, NA)]
}

# The groups of what was asked: `id`, `table`.
groups_of_asked <- function(asked, by, call = rlang::caller_env()) {
  asks <- asked$asks
  selected <- rlang::try_fetch(
    tidyselect::eval_select(by, asks),
    error = function(error) {
      absent <- setdiff(all.vars(rlang::quo_get_expr(by)), names(asks))
      if (length(absent) == 0) absent <- rlang::as_label(by)
      abort_imagestrata(
        "{.arg by} names {.field {absent}}, which is not known of what was asked.",
        hint = "Columns of {.arg packets}, and those of {.arg ratings} that are about images, can be
                used: {.field {setdiff(names(asks), c('unit', 'n_answers', 'rated'))}}.",
        call = call
      )
    }
  )
  columns <- rlang::set_names(asks[selected], names(selected))
  if (anyNA(columns)) {
    abort_imagestrata(
      "{.field {names(columns)}} {?is/are} missing in {sum(!stats::complete.cases(columns))} row{?s}
       of what was asked.",
      call = call
    )
  }
  id <- number_rows(columns)
  list(id = id, table = columns[match(seq_len(max(id)), id), ])
}

add_respondents <- function(asked, respondents, call = rlang::caller_env()) {
  asks <- asked$asks
  if (is.null(respondents)) {
    return(asks)
  }
  respondents <- plain_columns(
    check_data_frame(respondents, "respondents", call, needs = "respondent_id")
  )
  id <- id_text(respondents$respondent_id, "respondent_id", call)
  if (anyDuplicated(id) > 0) {
    abort_imagestrata(
      "{.arg respondents} has {.val {id[anyDuplicated(id)]}} twice.",
      hint = "Keep one row for each respondent.",
      call = call
    )
  }
  at <- match(asks$respondent_id, id)
  if (anyNA(at)) {
    lost <- unique(asks$unit[is.na(at)])
    abort_imagestrata(
      "{length(lost)} of {length(unique(asks$unit))} who were asked are not in {.arg respondents},
       {.val {lost[1]}} for one.",
      hint = "Give everybody who was asked, also those who rated nothing; or leave out the packets
              that nobody took up.",
      call = call
    )
  }
  new <- setdiff(names(respondents), names(asks))
  asks[new] <- respondents[at, new]
  asks
}

# A row per missing answer to an item, with what ratings of the image say about it.
missing_answers <- function(asked, ratings, columns, weight, call = rlang::caller_env()) {
  asks <- asked$asks
  n_items <- length(asked$items)
  given <- !is.na(asked$place) & !is.na(ratings$rating)
  there <- (match(as.character(ratings$item)[given], asked$items) - 1) * nrow(asks) +
    asked$place[given]
  open <- setdiff(seq_len(nrow(asks) * n_items), there)
  row <- (open - 1) %% nrow(asks) + 1
  item <- (open - 1) %/% nrow(asks) + 1
  missing <- asks[row, setdiff(names(asks), c("n_answers", "rated"))]
  missing$respondent_id <- missing$unit
  missing$item <- asked$items[item]
  if ("dimension" %in% names(ratings)) {
    missing$dimension <- ratings$dimension[match(missing$item, as.character(ratings$item))]
  }
  needed <- c(unname(columns), if (weight != "none") paste0("weight_", weight))
  lacks <- setdiff(needed, names(missing))
  if (length(lacks) > 0) {
    abort_imagestrata(
      "{.field {lacks}} {?is/are} not known of the missing answers.",
      hint = "{.arg by} must name columns of {.arg packets}, or columns of {.arg ratings} that are
              about images.",
      call = call
    )
  }
  unknown <- !stats::complete.cases(missing[needed])
  if (any(unknown)) {
    n <- length(unique(missing$image_id[unknown]))
    warn_imagestrata(
      "{count_of(n, 'image')} that nobody rated {cli::qty(n)}{?is/are} not in the bounds, because
       {.field {needed}} {?is/are} not known of {cli::qty(n)}{?it/them}.",
      "Add these columns to {.arg packets}."
    )
  }
  missing[!unknown, ]
}

# Ratings of all that was asked, where missing answers are `rating`.
complete_ratings <- function(ratings, asked, rating) {
  ratings <- plain_tibble(ratings)
  given <- ratings[!is.na(ratings$rating) & !is.na(asked_place(asked, ratings)), ]
  # Other columns do not matter, and may be of other types among those who were asked.
  given <- given[intersect(names(given), asked$columns)]
  added <- asked$missing[intersect(names(given), names(asked$missing))]
  added$rating <- rep_len(rating, nrow(added))
  for (name in names(added)[vapply(given[names(added)], is.factor, NA)]) {
    levels <- union(levels(given[[name]]), unique(as.character(added[[name]])))
    given[[name]] <- factor(given[[name]], levels, ordered = is.ordered(given[[name]]))
    added[[name]] <- factor(added[[name]], levels, ordered = is.ordered(given[[name]]))
  }
  given$respondent_id <- as.character(given$respondent_id)
  given$image_id <- as.character(given$image_id)
  dplyr::bind_rows(given, added)
}

asked_place <- function(asked, ratings) {
  key <- paste(asked$asks$unit, asked$asks$image_id, sep = "\r")
  match(paste(as.character(ratings$respondent_id), as.character(ratings$image_id), sep = "\r"), key)
}
