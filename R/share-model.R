#' Model how often posts or images are shared
#'
#' Regresses counts of engagement (retweets, likes, replies) on ratings or labels of images and on
#' controls, with standard errors that account for authors and images that occur repeatedly. This is
#' the analysis of Figure 5.1 of *Images as Data* (Williams, Casas and Wilkerson 2020).
#'
#' @section Ratings of images and rows of posts:
#' A rating belongs to an image and a count to a post. With `unit = "post"`, a post has the mean
#' rating of its rated images; labels with 1 and 0 become shares of its images. With `unit =
#' "image"`, the count of an image is the sum over the posts that show it, as in *Images as Data*,
#' and numeric controls are means over these posts. Posts without a rated image, without a known
#' image, or with a missing outcome or control are left out of all models; a warning counts them, as
#' does `tidy(x, "left_out")`.
#'
#' The rows of an unrated image are left out, so a post with one rated image and one unrated image
#' has the rating of the former.
#'
#' @section Models:
#' The negative binomial model (NB2, [MASS::glm.nb()]) has a variance of `mu + mu^2 / theta`. If
#' counts vary no more than in a Poisson model, `theta` is infinite; the Poisson model is then
#' fitted, with a warning. `family = "poisson"` estimates the same rate ratios by quasi-likelihood,
#' whatever the variance is, since the standard errors are robust. Use `log1p(followers)` rather
#' than `followers`: the expected count is the exponential of the sum of all terms.
#'
#' @section Standard errors:
#' An image is rated once however many posts show it, and posts of one author resemble each other.
#' With `cluster = "both"`, the variance is the sum of the variances by author and by image less
#' that by their combinations (Cameron, Gelbach and Miller 2011). Errors by author alone are too
#' small if posts share images. Posts with several images depend on all posts that show one of
#' them: the variance by image sums over the pairs of such posts. (Posts with different images that
#' have two or more in common are counted as often as that, which makes errors a little too large.)
#'
#' With `variance = "CR2"`, the default, the variances by author and by image are corrected for
#' small numbers of groups and unequal groups, and intervals are of the t distribution with
#' Satterthwaite's degrees of freedom, the smaller of the two (Bell and McCaffrey 2002; Pustejovsky
#' and Tipton 2018). `"sandwich"` has the errors of [sandwich::vcovCL()], each part times
#' G / (G - 1) for G groups, with G - 1 degrees of freedom for the smaller G; with few groups its
#' intervals are too narrow. Both use the expected information. More than 20,000 groups have the
#' second kind, which is then the same in practice; CR2 is refused for more than 100 coefficients.
#'
#' If a few authors write most posts and effects differ between authors, intervals are too narrow
#' even with CR2, as in simulations with 12 very unequal authors
#' (`benchmarks/results/engagement.md` in the repository).
#'
#' @section Samples of images:
#' If images were sampled, `sample` and `weight` make the model describe the posts (or images) of
#' the corpus. The weight of a post is the sum of the weights of its rated, sampled images, divided
#' by the number of all its images (the weight share method: Lavallee 2007), so every post counts
#' the same in expectation.
#'
#' @section Measurement error:
#' Means of few ratings are noisy, which biases their effects, usually towards zero. With
#' `reliability`, `tidy(x, "corrected")` has estimates that are corrected by regression calibration
#' (Carroll and others 2006): every rated predictor is replaced by its expected true value, given
#' all rated predictors and controls. The covariance matrix of the errors has the variances
#' (1 - reliability) times the variance between images, divided by the number of rated images of a
#' post. The result of [rating_reliability()] also holds the correlations of errors, which are
#' considerable if the same people answer several items; single numbers are taken as uncorrelated
#' errors. `reliability` in the table says which one was used: `"estimate"` or the ends of its
#' confidence interval (`"low"`, `"high"`) for all predictors together. Read the table as a
#' sensitivity analysis. It assumes classical error (independent of the true rating, the outcome and
#' the controls, and of equal size for all images) and roughly normal ratings. It is exact, under
#' these assumptions, for terms that are linear in a rating, and approximate for products, squares
#' and splines. Standard errors treat the reliability as known.
#'
#' @param linked The result of [link_posts()], or a data frame with `post_id`, `image_id` and one
#'   row per post and image.
#' @param formula The outcomes and predictors: `retweets ~ hopeful + angry + log1p(followers)`.
#'   `cbind(retweets, likes) ~ ...` has several outcomes, and so has a list of formulas. Names are
#'   columns of `linked` or of `ratings`. All functions of formulas work, such as `hopeful * party`
#'   and [splines::ns()]. The reference of a text is its first value in the order of the alphabet,
#'   that of a factor, ordered or not, its first level.
#' @param ratings Ratings or labels of images: the result of [rating_means()] with `by = image_id`,
#'   whose items and dimensions become predictors; or a table with one row per image, `image_id` and
#'   one column per predictor, such as [label_ratings()] or [consensus()] return. By default
#'   (`NULL`), all predictors are columns of `linked`.
#' @param unit `"post"`, one observation per post; or `"image"`, one per image.
#' @param family `"negative binomial"`, or `"poisson"` with robust errors.
#' @param cluster Observations that may depend on each other: those of an `"author"`, of an
#'   `"image"`, or of `"both"`, the default for posts. Images are independent by default; with
#'   `"topic"` images (or posts) of one cluster are not.
#' @param variance `"CR2"`, corrected for small numbers of authors and images; or `"sandwich"`, the
#'   usual robust errors.
#' @param author The column with the authors of posts.
#' @param exposure The column with the number of opportunities (followers, views, `n_posts` of an
#'   image), whose logarithm has the coefficient 1: rates of shares per opportunity are then
#'   modelled.
#' @param sample The result of [sample_images()], if images were sampled.
#' @param weight With `sample`, the unit with equal weight: `"corpus"`, `"cluster"` or `"share"`, as
#'   in [rating_means()]. `"none"`: every observation.
#' @param reliability The result of [rating_reliability()], or numbers between 0 and 1 with names:
#'   `c(hopeful = 0.6)`. It is the reliability of an image's mean rating (`icc_average`).
#' @param conf_level Confidence level of the intervals.
#' @inheritParams scan_images
#'
#' @returns A tibble with one row per outcome and term: `outcome`, `term`, `estimate` (of the
#'   logarithm of the expected count), `std.error`, `statistic`, `df`, `p.value`, `conf.low`,
#'   `conf.high`. The attribute `models` has the models, fitted by [MASS::glm.nb()] or
#'   [stats::glm()].
#'
#'   - `tidy(x, exponentiate = TRUE)` has rate ratios: what one point more multiplies the expected
#'     count by. `std.error` remains that of the logarithm.
#'   - `tidy(x, "effects")` has average marginal effects in counts: of one point more (the
#'     derivative) or, for categories and 1 or 0, of the difference between two values (`contrast`).
#'     Categories of more than 50 levels have none.
#'   - `tidy(x, "corrected")` has the corrected estimates; `reliability` `"none"` are those without
#'     correction.
#'   - `tidy(x, "left_out")` counts what was left out, by `reason`.
#'   - `glance()` has one row per outcome: `outcome`, `unit`, `family`, `nobs`, `n_posts`,
#'     `n_authors`, `n_images`, `mean` (of the counts), `theta`, `logLik`, `AIC` and `BIC` (missing
#'     with weights), `deviance`, `df.residual`, `cluster`, `variance`,
#'     `n_groups`, `weight`, `conf_level`.
#'   - `augment()` has the observations with `.observed`, `.fitted` and `.resid` (Pearson).
#'   - `predict()` has expected counts for new observations, with intervals.
#' @references Cameron, A. C., Gelbach, J. B., and Miller, D. L. (2011). Robust inference with
#'   multiway clustering. *Journal of Business and Economic Statistics*, 29(2).
#'
#'   Carroll, R. J., Ruppert, D., Stefanski, L. A., and Crainiceanu, C. M. (2006). *Measurement
#'   Error in Nonlinear Models*, 2nd ed., chapter 4.
#'
#'   Lavallee, P. (2007). *Indirect Sampling*.
#' @family posts
#' @export
#' @examples
#' # Twenty authors show 200 rated images.
#' set.seed(1)
#' images <- data.frame(image_id = paste0("i", 1:200), hopeful = rnorm(200), angry = rnorm(200))
#' posts <- data.frame(
#'   post_id = paste0("p", 1:600), image_id = sample(images$image_id, 600, replace = TRUE),
#'   author = paste0("a", sample(50, 600, replace = TRUE)), followers = round(exp(rnorm(600, 6)))
#' )
#' mean <- exp(0.3 * images$hopeful[match(posts$image_id, images$image_id)]) * posts$followers / 100
#' posts$retweets <- rnbinom(600, mu = mean, size = 1)
#'
#' fit <- share_model(posts, retweets ~ hopeful + angry + log(followers), ratings = images)
#' tidy(fit, exponentiate = TRUE)
#' tidy(fit, "effects")
#' autoplot(fit)
share_model <- function(linked,
                        formula,
                        ratings = NULL,
                        unit = "post",
                        family = "negative binomial",
                        cluster = NULL,
                        variance = "CR2",
                        author = "author",
                        exposure = NULL,
                        sample = NULL,
                        weight = "none",
                        reliability = NULL,
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  sides <- outcomes_of(formula)
  options <- check_share_options(
    unit, family, cluster, variance, author, exposure, sample, weight, conf_level
  )
  data <- share_units(linked, sides, share_ratings(ratings), sample, options)
  reliability <- share_reliability(reliability, sides, data)
  fits <- Map(\(side, name) fit_share(side, data, options, name), sides, names(sides))
  corrected <- correct_share(fits, sides, data, options, reliability)
  new_share_model(fits, data, options, corrected, reliability$table$name)
}

check_share_options <- function(unit, family, cluster, variance, author, exposure, sample, weight,
                                conf_level, call = rlang::caller_env()) {
  check_choice(unit, "unit", c("post", "image"), call)
  check_choice(family, "family", c("negative binomial", "poisson"), call)
  cluster <- cluster %||% c(post = "both", image = "image")[[unit]]
  check_choice(cluster, "cluster", c("author", "image", "both", "topic"), call)
  if (unit == "image" && cluster %in% c("author", "both")) {
    abort_imagestrata(
      "With {.code unit = \"image\"}, {.arg cluster} must be {.val image} or {.val topic}, not
       {.val {cluster}}: an image may have several authors.",
      hint = "Use {.code unit = \"post\"} for errors by author.",
      call = call
    )
  }
  check_choice(variance, "variance", c("CR2", "sandwich"), call)
  check_choice(weight, "weight", c("none", "corpus", "cluster", "share"), call)
  check_unused(weight != "none", "weight = \"corpus\"", sample = sample, .call = call)
  if (weight != "none") {
    check_data_frame(
      sample, "sample", call, "sample_images",
      needs = c("image_id", paste0("weight_", weight))
    )
  }
  check_share(conf_level, "conf_level", call, hint = "For 95% intervals it is 0.95.")
  list(
    unit = unit, family = family, cluster = cluster, variance = variance,
    author = check_string(author, "author", call = call),
    exposure = check_string(exposure, "exposure", null = TRUE, call = call),
    weight = weight, conf_level = conf_level
  )
}

# ---- Formulas ---------------------------------------------------------------------------

# For each outcome, named by it: `outcome` (an expression), `rhs` and the environment `env`.
outcomes_of <- function(formula, call = rlang::caller_env()) {
  formulas <- if (rlang::is_formula(formula)) list(formula) else formula
  right <- is.list(formulas) && length(formulas) > 0 &&
    all(vapply(formulas, rlang::is_formula, NA, lhs = TRUE))
  if (!right) {
    abort_imagestrata(
      "{.arg formula} must be a formula with an outcome, or a list of them, not {seen(formula)}.",
      hint = "For example {.code retweets ~ hopeful + angry + log1p(followers)}.",
      call = call
    )
  }
  sides <- unlist(lapply(formulas, one_formula, call), recursive = FALSE)
  twice <- names(sides)[duplicated(names(sides))]
  if (length(twice) > 0) {
    abort_imagestrata(
      "{.arg formula} has the outcome {.field {twice[1]}} twice.",
      hint = "Call {.fn share_model} once for each set of predictors.",
      call = call
    )
  }
  sides
}

one_formula <- function(formula, call) {
  rhs <- rlang::f_rhs(formula)
  used <- all.names(rhs)
  unfit <- intersect(c(".", "offset", "|"), used)
  if (length(unfit) > 0) {
    abort_imagestrata(
      "{.arg formula} has {.code {unfit[1]}} among its predictors, which {.fn share_model} does not
       support.",
      hint = switch(unfit[1],
        . = "Name the predictors.",
        offset = "Name the column in {.arg exposure}; its logarithm is the offset.",
        `|` = "Dependence of posts is a matter of {.arg cluster}; fixed effects are factors."
      ),
      call = call
    )
  }
  lhs <- rlang::f_lhs(formula)
  outcomes <- if (rlang::is_call(lhs, "cbind")) as.list(lhs[-1]) else list(lhs)
  label <- vapply(outcomes, \(x) paste(deparse(x, 500), collapse = " "), "")
  label <- ifelse(rlang::names2(outcomes) == "", label, rlang::names2(outcomes))
  rlang::set_names(
    lapply(outcomes, \(x) list(outcome = x, rhs = rhs, env = rlang::f_env(formula))),
    label
  )
}

# `outcome ~ rhs`, with the offset of the exposure.
formula_of <- function(side, label, exposure = NULL) {
  rhs <- side$rhs
  if (!is.null(exposure)) {
    rhs <- rlang::call2("+", rhs, rlang::call2("offset", rlang::call2("log", as.name(exposure))))
  }
  rlang::new_formula(as.name(label), rhs, env = side$env)
}

predictors_of <- function(side, data) intersect(all.vars(side$rhs), names(data))

# ---- Result -----------------------------------------------------------------------------

new_share_model <- function(fits, data, options, corrected, rated) {
  rows <- \(part) dplyr::bind_rows(lapply(fits, \(fit) fit[[part]]), .id = "outcome")
  coefficients <- rows("coefficients")
  new_object(
    coefficients, "imagestrata_share_model",
    tables = list(
      coefficients = coefficients, effects = rows("effects"), corrected = corrected,
      left_out = data$left_out, summary = rows("summary")
    ),
    models = lapply(fits, \(fit) fit$model),
    vcov = lapply(fits, \(fit) fit$vcov),
    units = data$id, rated = rated
  )
}

#' @export
tbl_sum.imagestrata_share_model <- function(x, ...) {
  line <- glance(x)[1, ]
  by <- c(author = "author", image = "image", both = "author and image", topic = "topic")
  c("Model of counts" = paste0(
    toString(unique(line$family)), "; ", count_of(line$nobs, line$unit),
    "; errors by ", by[[line$cluster]], " (", paste(line$n_groups, "groups"), ")"
  ))
}

#' @rdname share_model
#' @param x,object The result of `share_model()`.
#' @param table `"coefficients"` (the default), `"effects"`, `"corrected"` or `"left_out"`.
#' @param exponentiate Return rate ratios instead of coefficients? Not for `"effects"`.
#' @export
tidy.imagestrata_share_model <- function(x, table = "coefficients", exponentiate = FALSE, ...) {
  check_dots(...)
  tables <- attr(x, "tables")
  rlang::arg_match0(table, setdiff(names(tables), "summary"))
  check_flag(exponentiate, "exponentiate")
  if (is.null(tables[[table]])) {
    abort_imagestrata(
      "There are no corrected estimates.",
      hint = "Call {.fn share_model} with {.arg reliability}."
    )
  }
  # Rows of the tibble may have been filtered.
  found <- if (table == "coefficients") plain_tibble(x) else tables[[table]]
  if (exponentiate && table %in% c("coefficients", "corrected")) {
    found[c("estimate", "conf.low", "conf.high")] <-
      exp(found[c("estimate", "conf.low", "conf.high")])
  }
  found
}

#' @rdname share_model
#' @export
augment.imagestrata_share_model <- function(x, ...) {
  check_dots(...)
  units <- tibble::as_tibble(attr(x, "units"))
  dplyr::bind_rows(lapply(attr(x, "models"), function(model) {
    own <- model$data[setdiff(names(model$data), c(names(units), weight_column))]
    tibble::tibble(
      units, own,
      .observed = unname(model$y), .fitted = unname(stats::fitted(model)),
      .resid = unname(stats::residuals(model, "pearson"))
    )
  }), .id = "outcome")
}

#' @rdname share_model
#' @param newdata A data frame with the predictors of the formula; by default (`NULL`) the
#'   observations of the model.
#' @param type `"response"`, expected counts; or `"link"`, their logarithms.
#' @export
predict.imagestrata_share_model <- function(object, newdata = NULL, type = "response", ...) {
  check_dots(...)
  check_choice(type, "type", c("response", "link"), rlang::current_env())
  models <- attr(object, "models")
  summary <- glance(object)
  dplyr::bind_rows(lapply(names(models), function(outcome) {
    model <- models[[outcome]]
    new <- newdata %||% model$data
    line <- summary[summary$outcome == outcome, ]
    design <- design_of(model, check_new(new, model))
    variance <- attr(object, "vcov")[[outcome]]
    table <- add_interval(
      tibble::tibble(
        estimate = unname(drop(design$x %*% stats::coef(model)) + design$offset),
        std.error = unname(sqrt(rowSums((design$x %*% variance) * design$x))),
        df = min(object$df[object$outcome == outcome], na.rm = TRUE)
      ),
      line$conf_level
    )
    if (type == "response") {
      table$std.error <- exp(table$estimate) * table$std.error
      bounds <- c("estimate", "conf.low", "conf.high")
      table[bounds] <- exp(table[bounds])
    }
    given <- plain_tibble(newdata %||% tibble::as_tibble(attr(object, "units")))
    taken <- c("outcome", names(table))
    tibble::tibble(
      outcome = outcome, given[setdiff(names(given), taken)], table[setdiff(names(table), "df")]
    )
  }))
}

check_new <- function(new, model, call = rlang::caller_env(2)) {
  needs <- all.vars(stats::delete.response(stats::terms(model)))
  check_data_frame(new, "newdata", call, needs = intersect(needs, names(model$data)))
  for (name in names(model$xlevels)) {
    other <- setdiff(as.character(new[[name]]), c(model$xlevels[[name]], NA))
    if (name %in% names(new) && length(other) > 0) {
      abort_imagestrata(
        "{.arg newdata} has the value {.val {other[1]}} of {.field {name}}, which the model does not
         know; it knows {.val {model$xlevels[[name]]}}.",
        call = call
      )
    }
  }
  new
}
