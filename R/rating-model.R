#' Model ratings of images
#'
#' Regresses every item and every dimension on characteristics of respondents and images: groups,
#' moderators, controls, clusters and themes, with the weights and standard errors of
#' [rating_means()]; or by a mixed model with respondents, images and clusters as random effects.
#'
#' @section Formula:
#' The right side has columns of `ratings`, such as the respondents' `age` or the images'
#' `cluster_name`. All functions of formulas work, and `s(x)` is a spline, as in [topic_model()].
#' The left side chooses items and dimensions: `proud ~ group`, `c(proud, anxiety) ~ group`; without
#' a left side all are modelled.
#'
#' The first level of a factor is the reference: the coefficient `groupRepublican` is the mean of
#' Republicans minus that of the reference, Democrats. [stats::relevel()] changes the reference.
#' Text becomes a factor in the order of the alphabet, and so do the numbers `cluster` and `theme`.
#' Ordered factors have polynomial contrasts (`.L` is the linear trend), as in [stats::lm()].
#'
#' A covariate describes respondents (one value in all ratings of a respondent), images (one value
#' in all ratings of an image), or single answers (such as the position of the image). If a
#' covariate has one value for most respondents, but not for all, this is an error. Answers with a
#' missing covariate are left out, with a message.
#'
#' @section Weights:
#' An answer has the weight that [rating_weights()] gives it. Clusters have equal weight within each
#' group of respondents, whatever the other covariates. Therefore `~ group` gives the means of
#' [rating_means()], and a control changes neither the weights nor the images and clusters that the
#' coefficients describe. `weight_by` names other groups: with `~ group * month` and
#' `weight_by = c(group, month)`, a model has the means of `rating_means(by = c(group, month))`. If
#' the formula does not use `group`, all respondents are together, as with `by = NULL`.
#'
#' If survey weights of respondents are very unequal, intervals are too short and cover the truth
#' less often than they claim, as those of means and gaps (`docs/ratings-coverage.md` in the
#' repository). Trim the weights, and report `n_effective` of [rating_means()].
#'
#' If groups rated different clusters, differences between clusters are part of the coefficient. A
#' warning says so. [rating_gaps()] compares groups on the clusters that both rated; with `cluster`
#' among the covariates the model compares groups within clusters.
#'
#' @section Standard errors:
#' Estimates are those of weighted least squares. With `variance = "respondent"`, standard errors
#' are those of survey's `svydesign(ids = ~respondent_id, weights = )` and `svyglm()`. With
#' `"two-way"`, the default, the variance is, as in [rating_means()], that of the images' scores
#' within clusters, and the covariance of a respondent's answers to different images. The
#' score of an answer is its weight times its residual times its row of the model matrix. A cluster
#' with one rated image is given the average variance of the others. If these are too few, single
#' images are compared across clusters, as in [rating_means()]: their residuals are multiplied by
#' the inverse root of what the model leaves of their variance (CR2 by image). Coefficients that
#' single images determine, such as that of a cluster with one image, account for respondents
#' only. The clusters are those of the study; they are not a sample of clusters. `"image"`, for
#' comparison, ignores differences between respondents.
#'
#' Covariates fit respondents with extreme values too well, so that residuals are too small in small
#' studies. `"two-way"` corrects for this leverage of covariates as CR2 does (Bell and McCaffrey
#' 2002); with `~ group` nothing is corrected, and the standard errors are those of
#' [rating_means()]. In simulations with 15 to 100 respondents a group, its intervals covered the
#' truth about as often as they claim. The standard errors of `"respondent"` were too small with 15
#' respondents a group (`benchmarks/results/rating_model.md` in the repository).
#'
#' Intervals and tests use the t distribution with Satterthwaite's degrees of freedom (Bell and
#' McCaffrey 2002), which differ between coefficients: few respondents of one group, or with extreme
#' values, count for less than all respondents together. With `"two-way"` they are at most those of
#' the images within clusters. They are fewer than Welch's in [rating_gaps()], so that intervals of
#' `~ group` are slightly wider, above all with survey weights; where clusters have one rated image,
#' standard errors may differ, too (in the simulated study by less than 0.4%). If a coefficient
#' cannot be estimated without one respondent, its standard error is missing.
#'
#' With few images in a cluster, joint tests (`tidy(x, "terms")`) of `group:cluster` reject too
#' rarely with `"two-way"`, and with many (twenty) a little too often; `"respondent"`, which is about
#' the images that were rated, finds more (`benchmarks/results/rating_terms.md` in the repository).
#' Themes have more images, and their tests keep the level. With 300
#' clusters, `~ group * cluster` takes about half a minute for each item, and its joint tests take
#' longer: name the items on the left side.
#'
#' @section Mixed models:
#' `method = "mixed"` fits [lme4::lmer()] to each item and dimension. Respondents, images and
#' clusters have random intercepts, and clusters also random slopes of the variables in `weight_by`
#' (by default `group`), since the difference between groups differs between clusters. Clusters have
#' no random effects if `cluster` or `cluster_name` is in the formula. `target` says what the
#' coefficients are about (Judd, Westfall and Kenny 2012):
#'
#' - `"images like these"`: the images and clusters are a sample of many that could have been shown.
#'   These are the fixed effects and their standard errors as lme4 reports them. The design's
#'   weights are not used.
#' - `"these images"`: the images and clusters of the study, and no others; only respondents are a
#'   sample. The coefficients are those of the weighted regression of the predicted ratings (fixed
#'   effects and effects of images and clusters) on the covariates; standard errors are prediction
#'   errors from Henderson's equations (the "narrow" inference of McLean, Sanders and Stroup 1991).
#'   They are smaller, because other images would give other ratings.
#'
#' In simulations with 15 to 60 respondents a group and 15 to 40 clusters, intervals of both targets
#' covered the truth about as often as they claim (`benchmarks/results/rating_mixed.md` in the
#' repository).
#'
#' The design-based `"two-way"` variance lies between the two: images are a sample from their
#' clusters, and the clusters are those of the study.
#'
#' The degrees of freedom are Satterthwaite's if lmerTest is installed and the target is `"images
#' like these"`. Otherwise they are the number of the fewest random units (respondents; for images
#' like these also clusters, or images without clusters) minus the number of coefficients.
#' `glance()` says which. Variance components are treated as known otherwise. Messages report models
#' that are singular (a random effect has no variance) or did not converge.
#'
#' @section Other packages:
#' emmeans works on the result: `emmeans(model, ~ group | ideology, at = list(ideology = c(2, 6)))`
#' has all items and dimensions as the factor `item`; `item = "proud"` takes one. For the package
#' marginaleffects there are the methods that its documentation describes; name the class first,
#' `options(marginaleffects_model_classes = "imagestrata_rating_model")`, and give `newdata` and
#' `variables`. These methods are tested one by one, but not together with that package.
#' [rating_effects()] needs no other package.
#'
#' @inheritParams rating_means
#' @param formula The covariates, and optionally the items and dimensions: `~ group * ideology +
#'   age`, `c(proud, angry) ~ group`.
#' @param weight The unit that has equal weight, as in [rating_means()].
#' @param variance `"two-way"`, `"respondent"` or `"image"`: the units that are random, as in
#'   [rating_means()]. Mixed models do not use it.
#' @param method `"design"`, weighted least squares, or `"mixed"`, a mixed model (lme4).
#' @param weight_by Columns of `ratings` within whose combinations clusters have equal weight, as
#'   `by` of [rating_weights()]. By default (`NULL`) `group` if the formula uses it.
#' @param target For `method = "mixed"`: `"images like these"` or `"these images"`, see below.
#'
#' @returns An object of class `imagestrata_rating_model`. `summary()` prints a table of
#'   coefficients for each item and dimension, `autoplot()` draws them; [rating_effects()] has
#'   marginal means, differences and slopes.
#'
#'   `tidy()` returns a tibble with the columns `level` (`"item"` or `"dimension"`), `item` (for a
#'   dimension its name), `dimension`, and
#'
#'   - `tidy(x)`: `term`, `estimate`, `std.error`, `df`, `statistic`, `p.value`, `conf.low`,
#'     `conf.high`, `reason` (why a value is missing);
#'   - `tidy(x, "terms")`: a joint test of all coefficients of a term, such as an interaction of
#'     group and theme: `term`, `statistic` (F), `df` (the number of coefficients), `df.residual`,
#'     `p.value`. It is Wald's test with Hotelling's correction and the degrees of freedom of
#'     Pustejovsky and Tipton (2018). A main effect is tested as it is in `tidy(x)`, at the
#'     reference or at 0 of what it interacts with;
#'   - `tidy(x, "random")` of a mixed model: `unit` (respondent, image, cluster, residual), `term`,
#'     `estimate` (a standard deviation).
#'
#'   `glance()` has a row per item and dimension: `n_ratings`, `n_respondents`, `n_images`,
#'   `n_clusters`, `n_coefficients`, `r.squared` and `sigma` (of the weighted regression; `sigma` of
#'   a mixed model is the residual one), `n_left_out` (ratings of an image by a respondent without a
#'   covariate), `weight`, `variance`, `method`, `target`, `df_method`, `conf_level`, `nobs`.
#'   `augment()` has a row per answer:
#'   `respondent_id`, `image_id`, `cluster`, the covariates, `rating`, `weight` (on average 1),
#'   `.fitted`, `.resid`. `predict()` has a row per row of `newdata`, item and dimension: `row`,
#'   `estimate`, `std.error`, `df`, `conf.low`, `conf.high`. `coef()` is a matrix with a row per
#'   item and dimension; `vcov()` the covariance matrix of all their coefficients, or of those of
#'   one `item`.
#'
#' @references Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear
#'   regression with multi-stage samples. *Survey Methodology* 28(2).
#'
#'   Judd, C. M., Westfall, J. and Kenny, D. A. (2012). Treating stimuli as a random factor in
#'   social psychology. *Journal of Personality and Social Psychology* 103(1).
#'
#'   McLean, R. A., Sanders, W. L. and Stroup, W. W. (1991). A unified approach to mixed linear
#'   models. *The American Statistician* 45(1).
#'
#'   Pustejovsky, J. E. and Tipton, E. (2018). Small-sample methods for cluster-robust variance
#'   estimation and hypothesis testing in fixed effects models. *Journal of Business & Economic
#'   Statistics* 36(4).
#' @family ratings
#' @seealso [rating_effects()]
#' @export
#' @examples
#' ratings <- dplyr::left_join(
#'   simulated_ratings, simulated_respondents,
#'   by = c("respondent_id", "group")
#' )
#' model <- rating_model(ratings, c(proud, anxiety) ~ group * ideology + age)
#' tidy(model)
#' tidy(model, "terms")
#' rating_effects(model, "group", method = "difference", by = list(ideology = c(2, 4, 6)))
#' autoplot(model)
#'
#' # Respondents with their survey weights.
#' rating_model(ratings, proud ~ group, respondent_weight = survey_weight)
rating_model <- function(ratings,
                         formula,
                         weight = "cluster",
                         respondent_weight = NULL,
                         variance = "two-way",
                         method = "design",
                         weight_by = NULL,
                         target = "images like these",
                         conf_level = 0.95,
                         ...) {
  check_dots(...)
  options <- check_model_options(weight, variance, method, target, conf_level)
  check_formula(formula, "ratings")
  rows <- rows_of_ratings(check_ratings(ratings, rlang::current_env()), formula)
  by <- rlang::enquo(weight_by)
  if (rlang::quo_is_null(by)) {
    by <- rlang::quo(dplyr::all_of(!!intersect(names(rows$variables), "group")))
  }
  of_respondents <- rlang::enquo(respondent_weight)
  design <- design_ratings(rows$ratings, by, options$weight, of_respondents)
  check_mixed_weight(options, design)
  if (options$method == "design" || options$target == "these images") tell_unrated(design)
  if (options$method == "design") warn_single_images(design, variance)
  model <- c(list(formula = formula), options, model_answers(design, rows, formula))
  fits <- if (method == "mixed") fit_mixed_models(model) else fit_design_models(model)
  model$fits <- fits
  model$measures$reason <- vapply(fits, \(fit) fit$refused %||% NA_character_, "")
  model$coefficients <- dplyr::bind_rows(
    lapply(seq_along(fits), \(i) coefficients_of(model, i))
  )
  tell_rating_fits(model)
  new_object(model, "imagestrata_rating_model")
}

check_model_options <- function(weight, variance, method, target, conf_level,
                                call = rlang::caller_env()) {
  check_weight(weight, call)
  check_choice(variance, "variance", c("two-way", "respondent", "image"), call)
  check_choice(method, "method", c("design", "mixed"), call)
  check_choice(target, "target", c("images like these", "these images"), call)
  check_share(conf_level, "conf_level", call, hint = "For 95% intervals it is 0.95.")
  mixed <- method == "mixed"
  if (mixed && target == "images like these" && weight %in% c("corpus", "share")) {
    abort_imagestrata(
      "A mixed model of images like these does not use {.code weight = \"{weight}\"}.",
      hint = "Use {.code method = \"design\"}, or {.code target = \"these images\"}.",
      call = call
    )
  }
  list(
    weight = if (mixed && target == "images like these") "none" else weight,
    variance = if (mixed) "mixed model" else variance, method = method,
    target = if (mixed) target else NA_character_, conf_level = conf_level,
    # lmerTest knows degrees of freedom of fixed effects only.
    satterthwaite = !mixed || (target == "images like these" && rlang::is_installed("lmerTest"))
  )
}

check_mixed_weight <- function(options, design, call = rlang::caller_env()) {
  if (options$method == "mixed" && !is.null(design$respondent_weight)) {
    abort_imagestrata(
      "{.arg respondent_weight} cannot be combined with {.code method = \"mixed\"}: the mixed model
       gives all ratings equal weight.",
      hint = "Use {.code method = \"design\"}.",
      call = call
    )
  }
}

# ---- Rows and covariates -----------------------------------------------------------------------

# The ratings whose covariates are known, `variables` of their rows, and how many pairs of a
# respondent and an image are left out.
rows_of_ratings <- function(ratings, formula, call = rlang::caller_env()) {
  variables <- covariates_of(ratings, formula, call)
  unit <- list(
    respondent = number_values(ratings$respondent_id), image = number_values(ratings$image_id)
  )
  for (name in names(variables)) check_covariate(variables[[name]], name, ratings, unit, call)
  lacks <- lapply(variables, is.na)
  complete <- !Reduce(`|`, lacks, rep(FALSE, nrow(ratings)))
  n_left_out <- tell_answers_out(lacks, complete, unit, call)
  list(
    ratings = ratings[complete, ], variables = lapply(variables, \(x) x[complete]),
    n_left_out = n_left_out
  )
}

covariates_of <- function(ratings, formula, call) {
  named <- all.vars(rlang::f_rhs(formula))
  env <- rlang::f_env(formula)
  # Constants of the user's session may be used in functions.
  absent <- setdiff(named, names(ratings))
  absent <- absent[vapply(absent, \(name) length(get0(name, env)) != 1, NA)]
  if (length(absent) > 0) {
    abort_imagestrata(
      "{.arg formula} has {.field {absent[1]}}, which is not a column of {.arg ratings}.",
      hint = "Its columns are {.field {names(ratings)}}. Columns of respondents, such as their age,
              are joined by {.code dplyr::left_join(ratings, respondents, by =
              \"respondent_id\")}.",
      call = call
    )
  }
  wrong <- intersect(named, c("rating", "item", "dimension"))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg formula} must not have {.field {wrong[1]}} on its right side.",
      hint = "Every item and dimension is modelled, with {.field rating} as the outcome.",
      call = call
    )
  }
  variables <- as.list(ratings[intersect(named, names(ratings))])
  lists <- names(variables)[vapply(variables, \(x) is.list(x) || is.matrix(x), NA)]
  if (length(lists) > 0) {
    abort_imagestrata("{.field {lists[1]}} must be one value per rating.", call = call)
  }
  # Their numbers are names.
  numbers <- intersect(names(variables), c("cluster", "theme"))
  variables[numbers] <- lapply(variables[numbers], \(x) if (is.numeric(x)) factor(x) else x)
  variables
}

# A covariate is one of respondents, of images, or of single answers.
check_covariate <- function(x, name, ratings, unit, call) {
  value <- as.integer(vctrs::vec_group_id(x))
  pair <- pair_up(unit$respondent, unit$image)
  differs <- function(id) value != value[match(id, id)]
  within <- which(differs(pair))
  if (length(within) > 0) {
    row <- within[1]
    abort_imagestrata(
      "{.field {name}} must be the same in all ratings that a respondent gives an image, but differs
       for {.val {ratings$respondent_id[row]}} and {.val {ratings$image_id[row]}}.",
      hint = "Items have no covariates: choose items on the left side of {.arg formula}.",
      call = call
    )
  }
  within <- which(differs(unit$respondent))
  if (length(within) == 0 || !any(differs(unit$image))) {
    return()
  }
  several <- unit$respondent[unit$image != unit$image[match(unit$respondent, unit$respondent)]]
  changed <- unique(unit$respondent[within])
  if (2 * length(changed) < length(unique(several))) {
    id <- ratings$respondent_id[within[1]]
    abort_imagestrata(
      "{.field {name}} must have one value per respondent, but {length(changed)} respondent{?s}
       {?has/have} several: {.val {id}} has {.val {as.character(unique(x[ratings$respondent_id ==
       id]))}}.",
      hint = "A covariate describes respondents, images, or single answers; the latter differ within
              most respondents.",
      call = call
    )
  }
}

tell_answers_out <- function(lacks, complete, unit, call) {
  pair <- pair_up(unit$respondent, unit$image)
  counted <- \(of, which) length(unique(of[which]))
  n_all <- counted(pair, TRUE)
  n_out <- counted(pair, !complete)
  if (n_out == 0) {
    return(0L)
  }
  parts <- vapply(lacks, \(missing) counted(pair, missing), 0L)
  parts <- parts[parts > 0]
  text <- toString(paste0(big(parts), " without {.field ", names(parts), "}"))
  if (n_out == n_all) {
    abort_imagestrata(
      paste0("None of ", count_of(n_all, "rated image"), " has all covariates: ", text, "."),
      hint = "Were the covariates joined by the right ids?",
      call = call
    )
  }
  n_people <- counted(unit$respondent, !complete)
  cli::cli_inform(c("!" = paste0(
    big(n_out), " of ", count_of(n_all, "answer"), " (by ", count_of(n_people, "respondent"),
    " of ", big(counted(unit$respondent, TRUE)), ") ", if (n_out == 1) "is" else "are",
    " left out: ", text, "."
  )))
  n_out
}

# ---- Answers and the model matrix --------------------------------------------------------------

# `answers` with the row of the model matrix `x` that belongs to each; `data`, the covariates of its
# rows (a row for each respondent and image).
model_answers <- function(design, rows, formula, call = rlang::caller_env()) {
  if (design$n_respondents < 2) {
    abort_imagestrata(
      "All ratings are by {.val {design$ids$respondent}}, and nothing is known of differences
       between respondents.",
      call = call
    )
  }
  answers <- design$answers
  respondent <- match(rows$ratings$respondent_id, design$ids$respondent)
  image <- match(rows$ratings$image_id, design$ids$image)
  key <- (respondent - 1) * design$n_images + image
  of_answers <- (answers$respondent - 1) * design$n_images + answers$image
  keys <- unique(of_answers)
  first <- match(keys, key)
  answers$row <- match(of_answers, keys)
  data <- prepare_variables(
    lapply(rows$variables, \(x) x[first]), call, rows = "ratings", ordered = TRUE
  )
  for (name in names(data)) tell_unused_levels(rows$variables[[name]], name)
  matrix <- rating_matrix(data, formula, length(first), call)
  wanted <- choose_measures(formula, design$measures, call)
  list(
    measures = design$measures[wanted, ], which = wanted, answers = answers, data = data,
    terms = matrix$terms, xlevels = matrix$xlevels, contrasts = matrix$contrasts, x = matrix$x,
    assign = matrix$assign, categorical = matrix$categorical, ids = design$ids,
    weight_by = design$by, respondent_weight = design$respondent_weight,
    n_respondents = design$n_respondents, n_left_out = rows$n_left_out
  )
}

rating_matrix <- function(data, formula, n, call) {
  env <- formula_functions(rlang::f_env(formula))
  terms <- stats::terms(rlang::new_formula(NULL, rlang::f_rhs(formula), env))
  frame <- rlang::try_fetch(
    stats::model.frame(
      terms, tibble::new_tibble(data, nrow = n),
      na.action = stats::na.pass, drop.unused.levels = TRUE
    ),
    error = function(error) {
      abort_imagestrata(
        "{.arg formula} cannot be evaluated: {conditionMessage(error)}",
        call = call
      )
    }
  )
  # Without covariates, model.frame() has no rows.
  x <- if (length(frame) == 0) {
    structure(matrix(1, n, attr(terms, "intercept")), assign = rep(0L, attr(terms, "intercept")),
      dimnames = list(NULL, rep("(Intercept)", attr(terms, "intercept")))
    )
  } else {
    frame[] <- lapply(frame, in_days)
    with_contrasts(stats::model.matrix(attr(frame, "terms"), frame), ordered = "contr.poly")
  }
  if (ncol(x) == 0) {
    abort_imagestrata("{.arg formula} has neither an intercept nor covariates.", call = call)
  }
  check_finite(frame, x, call, unit = "rated image")
  rownames(x) <- NULL
  list(
    terms = attr(frame, "terms") %||% terms, xlevels = stats::.getXlevels(terms, frame), x = x,
    contrasts = attr(x, "contrasts"), assign = attr(x, "assign"),
    categorical = categorical_variables(frame, names(data))
  )
}

# The rows of the model matrix at other values of the covariates.
matrix_at <- function(model, data) {
  data <- tibble::new_tibble(as.list(data), nrow = vctrs::vec_size_common(!!!data, .size = NULL))
  if (length(model$data) == 0) {
    return(model$x[rep(1, nrow(data)), , drop = FALSE])
  }
  frame <- stats::model.frame(
    model$terms, data,
    na.action = stats::na.pass, xlev = model$xlevels
  )
  frame[] <- lapply(frame, in_days)
  x <- with_contrasts(
    stats::model.matrix(model$terms, frame, contrasts.arg = model$contrasts),
    ordered = "contr.poly"
  )
  rownames(x) <- NULL
  x
}

# The items and dimensions on the left side of the formula.
choose_measures <- function(formula, measures, call) {
  left <- rlang::f_lhs(formula)
  if (is.null(left) || identical(left, quote(rating))) {
    return(seq_len(nrow(measures)))
  }
  parts <- if (rlang::is_call(left, c("c", "cbind"))) as.list(left)[-1] else list(left)
  named <- vapply(parts, \(part) is.symbol(part) || rlang::is_string(part), NA)
  if (!all(named)) {
    abort_imagestrata(
      "The left side of {.arg formula} must be names of items or dimensions, not {.code
       {rlang::as_label(left)}}.",
      hint = "For example {.code c({measures$item[1]}) ~ group}; without a left side all are
              modelled.",
      call = call
    )
  }
  find_measures(vapply(parts, as.character, ""), measures, "formula", call)
}

# The places of items and dimensions by name; a name of both means both.
find_measures <- function(names, measures, argument, call = rlang::caller_env()) {
  absent <- setdiff(names, measures$item)
  if (length(absent) > 0) {
    abort_imagestrata(
      "{.arg {argument}} names {.val {absent}}, but the ratings have no such item or dimension.",
      hint = "They have {.val {unique(measures$item)}}.",
      call = call
    )
  }
  which(measures$item %in% names)
}
