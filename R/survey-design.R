#' Turn ratings into a design of the survey package
#'
#' Returns a design object of the survey package, whose functions then compute means, tables,
#' quantiles and regressions with the weights of [rating_means()] or [rating_gaps()]. Dimensions are
#' computed. Needs the package survey.
#'
#' @inheritParams rating_weights
#' @param shape `"long"`: a row for each answer to an item or a dimension, with the columns `item`
#'   and `rating`. `"wide"`: a row for each respondent and image, with a column for each item and
#'   dimension.
#' @param variance The units that are random, as in [rating_means()]. `"respondent"`: clusters of
#'   the design are respondents. `"image"`: they are images, and strata are clusters of images.
#'   Two-way errors are not those of one design: [rating_means()] and [rating_gaps()] compute them.
#' @inheritParams scan_images
#'
#' @details The variables are those of [rating_weights()], and all columns of `ratings` that are the
#' same in all answers of a respondent to an image, such as the respondent's age or the month of the
#' image. Columns of weights of the sample are left out: `weight` takes their place.
#'
#' **Which results agree.** With `variance = "respondent"`, `subset()` for an item and
#' `svyby(~rating, ~group, ..., svymean)` give the estimates and standard errors of
#' `rating_means(variance = "respondent")`, and with `of = "gaps"` the coefficient of the group in
#' `svyglm(rating ~ group)` is the gap of `rating_gaps(variance = "respondent")`. Take subsets of
#' the design, not of the ratings: respondents outside of a subset still count as respondents of the
#' survey. With `variance = "image"` the same holds if every image has a rating in every cell.
#' survey stops at strata with one image, unless `options(survey.lonely.psu = )` is set. `"average"`
#' gives such an image the average variance of the other clusters' means, [rating_means()] that of
#' their images, because it stands for its cluster alone: standard errors of [rating_means()] are
#' larger (in the simulated study by a third). `"adjust"` is similar where no cluster has several
#' images (its standard errors are smaller by the root of (K - 1) / K for K clusters of equal
#' weight).
#' Degrees of freedom differ: survey takes all respondents of the survey, and [rating_means()] those
#' of the cell.
#'
#' Weights belong to a cell, an item or a dimension in a group of `by`. Name all groups in `by` that
#' have means of their own; covariates of a regression need not be named.
#'
#' **Wide designs** need the same weight for all items of a respondent and image. If answers to some
#' items are missing, the weights of other answers take their place and differ between items: such
#' ratings are refused.
#'
#' **srvyr.** `srvyr::as_survey(rating_survey(ratings))` makes a design on which the verbs of srvyr
#' work. If srvyr is installed, `srvyr::as_survey_design(ratings)` does the same in one step for the
#' result of [read_ratings()]; with arguments of srvyr, such as `ids` and `weights`, it remains that
#' for data frames. (That method was tested without srvyr.)
#'
#' @returns An object of survey's class `survey.design2`. With `of = "gaps"` it has the variable
#'   `contrast`; with more than two groups, take the subset of one contrast, because an answer is
#'   there once for every comparison of its group.
#' @family ratings
#' @export
#' @examplesIf rlang::is_installed("survey")
#' design <- rating_survey(simulated_ratings)
#' proud <- subset(design, item == "proud")
#' survey::svyby(~rating, ~group, proud, survey::svymean)
#' survey::svyquantile(~rating, proud, 0.5)
rating_survey <- function(ratings,
                          by = "group",
                          weight = "cluster",
                          respondent_weight = NULL,
                          of = "means",
                          shape = "long",
                          variance = "respondent",
                          ...) {
  check_dots(...)
  rlang::check_installed("survey", "for designs of the survey package.")
  check_weight(weight)
  check_choice(of, "of", c("means", "gaps"), rlang::current_env())
  check_choice(shape, "shape", c("long", "wide"), rlang::current_env())
  check_choice(
    variance, "variance", c("respondent", "image"), rlang::current_env(),
    hint = "survey's designs have units of one kind. {.fn rating_means} computes two-way errors."
  )
  if (of == "gaps" && shape == "wide") {
    abort_imagestrata(
      "{.code of = \"gaps\"} needs {.code shape = \"long\"}: groups are compared on other clusters
       for each item.",
      hint = "Leave {.arg shape} out."
    )
  }
  design <- design_ratings(ratings, rlang::enquo(by), weight, rlang::enquo(respondent_weight))
  used <- answers_of(design, of)
  answers <- used$answers
  table <- table_of_answers(answers, design, ratings)
  table <- add_own_columns(table, ratings)
  table$stratum <- answers$stratum
  if (shape == "wide") {
    table <- widen_answers(table, answers, design)
  }
  if (!is.null(answers$comparable)) {
    table <- add_contrast(table, answers, used$comparisons)
  }
  in_survey(table, variance, respondents_outside(table, design, ratings))
}

# A row per answer to a measure, with its weight.
table_of_answers <- function(answers, design, ratings) {
  # `by` may name the image or the cluster, which are columns already.
  groups <- design$groups[setdiff(design$by, c("image_id", "cluster"))]
  table <- dplyr::bind_cols(
    design$measures[answers$measure, ],
    groups[answers$group, ],
    respondent_id = design$ids$respondent[answers$respondent],
    image_id = design$ids$image[answers$image],
    cluster = if (!is.null(answers$cluster)) design$ids$cluster[answers$cluster],
    rating = answers$rating, weight = answers$weight
  )
  name_clusters(table, ratings)
}

# The comparison of each answer; answers that are not compared are left out.
add_contrast <- function(table, answers, comparisons) {
  table$contrast <- vapply(comparisons, `[[`, "", "contrast")[answers$pairing]
  table[answers$comparable, ]
}

# The columns of ratings that are the same in all answers of a respondent to an image.
add_own_columns <- function(table, ratings) {
  ratings <- plain_tibble(ratings)
  ratings <- ratings[!is.na(ratings$rating), ]
  key <- c("respondent_id", "image_id")
  first <- vctrs::vec_match(ratings[key], ratings[key])
  others <- setdiff(
    names(ratings),
    c(names(table), "stratum", "weight_cluster", "weight_corpus", "weight_share")
  )
  same <- vapply(ratings[others], \(x) {
    all(vctrs::vec_equal(x, vctrs::vec_slice(x, first), na_equal = TRUE))
  }, NA)
  place <- vctrs::vec_match(table[key], ratings[key])
  dplyr::bind_cols(table, ratings[place, others[same]])
}

# A row per respondent and image, a column per measure.
widen_answers <- function(table, answers, design) {
  measures <- design$measures
  twice <- measures$item[duplicated(measures$item) | measures$item %in% names(table)]
  if (length(twice) > 0) {
    abort_imagestrata(
      "A wide design needs a column {.field {twice[1]}}, but this is also the name of another column
       or measure.",
      hint = "Use {.code shape = \"long\"}, or give the item another name.",
      call = rlang::caller_env()
    )
  }
  first <- match(answers$pair, answers$pair)
  differs <- abs(answers$weight - answers$weight[first]) > 1e-9 * answers$weight[first]
  if (any(differs)) {
    one <- table[which(differs)[1], ]
    abort_imagestrata(
      "A wide design needs one weight for all items of a respondent and image, but weights differ
       in {length(unique(first[differs]))} of {length(unique(first))} rows, for {.val {one$item}} of
       the image {.val {as.character(one$image_id)}} for one: not every item was answered.",
      hint = "Use {.code shape = \"long\"}, or leave out images with missing answers.",
      call = rlang::caller_env()
    )
  }
  at <- unique(first)
  wide <- table[at, setdiff(names(table), c("level", "item", "dimension", "rating"))]
  values <- matrix(NA_real_, length(at), nrow(measures), dimnames = list(NULL, measures$item))
  values[cbind(match(first, at), answers$measure)] <- answers$rating
  dplyr::bind_cols(wide, tibble::as_tibble(values))
}

# Respondents who rated nothing that is compared are respondents of the survey nevertheless.
respondents_outside <- function(table, design, ratings) {
  absent <- setdiff(design$ids$respondent, table$respondent_id)
  rows <- plain_tibble(ratings)[match(absent, ratings$respondent_id), ]
  rows <- rows[intersect(c("respondent_id", "image_id"), names(rows))]
  rows$weight <- rep(1, nrow(rows))
  rows
}

in_survey <- function(table, variance, outside) {
  whole <- dplyr::bind_rows(table, outside)
  inside <- seq_len(nrow(whole)) <= nrow(table)
  if (variance == "respondent") {
    whole$stratum <- NULL
    design <- survey::svydesign(
      ids = ~respondent_id, weights = ~weight, data = as.data.frame(whole)
    )
    return(if (all(inside)) design else subset(design, inside))
  }
  # Images that are not compared are in no stratum.
  images <- as.data.frame(table)
  if (is.null(table[["stratum"]])) {
    survey::svydesign(ids = ~image_id, weights = ~weight, data = images)
  } else {
    survey::svydesign(ids = ~image_id, strata = ~stratum, weights = ~weight, data = images)
  }
}

# srvyr's generic finds this method when srvyr is loaded. Arguments of srvyr mean a design of one's
# own.
#' @exportS3Method srvyr::as_survey_design
as_survey_design.imagestrata_ratings <- function(.data, ...) { # nolint
  theirs <- c("ids", "probs", "strata", "variables", "fpc", "nest", "weights", "pps")
  if (any(names(rlang::enquos(...)) %in% theirs)) {
    return(srvyr_verb("as_survey_design")(plain_tibble(.data), ...))
  }
  srvyr_verb("as_survey")(rating_survey(.data, ...))
}

# The method above runs only if srvyr called it.
srvyr_verb <- function(name) getExportedValue("srvyr", name)
