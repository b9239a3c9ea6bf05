#' Regress labels, or on labels, with machine labels corrected by labels of people
#'
#' Least squares or logistic regression in which a label of images is the outcome
#' (`violence ~ party + month`) or a predictor (`likes ~ violence + party`). A network or language
#' model labels all images, people label a sample. Coefficients of machine labels alone are biased,
#' also if the machine is accurate; coefficients of the sample alone are imprecise. The corrected
#' ones use both.
#'
#' @section Corrected coefficients:
#' The regression is fitted three times: to the labelled sample with the labels of people,
#' b(sample, people), to the same sample with predictions, b(sample, machine), and to all images
#' with predictions, b(all, machine). The corrected coefficient is
#'
#' b(sample, people) + lambda (b(all, machine) - b(sample, machine)).
#'
#' Whatever the errors of the machine, also if they differ by group, the difference in brackets has
#' a mean of about zero, so that the corrected coefficient estimates what the regression would be
#' if people had labelled all images. For least squares with equal weights and `tuning = 1` this is
#' the estimator of prediction-powered inference (Angelopoulos et al. 2023); with weights, and for
#' labels as predictors, that of Kluger et al. (2025). It serves the same purpose as design-based
#' supervised learning (Egami et al. 2023), and equals it where the sample has the covariates of
#' the corpus. By default `lambda` is the value between 0 and 1 with the smallest estimated
#' variance, for each coefficient: predictions that are useless cost nothing. Predictions are
#' probabilities if there are any; `"machine"` uses decisions, as one would count them.
#'
#' @section Standard errors:
#' An image is labelled once, but many posts can show it. The variance has two parts: how images
#' were drawn for labelling (by cluster, without replacement; strata with one labelled image are
#' collapsed), and how authors differ, whose posts resemble each other. The second is clustered on
#' authors, less the part of the first that it contains. Both allow for leverage: the variance
#' between authors by CR2 as in [topic_model()], that of images by the jackknife, which also
#' accounts for the choice of `lambda`. Intervals use the t distribution with Satterthwaite's
#' degrees of freedom, the smaller ones of authors and images. Without `linked`, each image is its
#' own author.
#' In simulations with 300 labelled images, intervals of corrected coefficients covered the truth
#' about as often as they claim (`docs/corrected-estimates.md` in the repository).
#'
#' @param formula The regression, as in [topic_model()], where `s()`, periods such as `month`, and
#'   factors are explained. The name of a code in `labels` stands for its label: as the left side,
#'   or as a term of the right side, also in interactions.
#' @param labels,predictions As in [label_shares()]. Labels must be yes or no (`"1"`, `"0"`), a
#'   scale (a number), or, with `answer`, one answer of a choice.
#' @param linked The result of [link_posts()], or a data frame with `image_id` and the variables.
#'   Every row, an image in a post, counts once. By default (`NULL`) every image of `clustering`
#'   does.
#' @param sample The result of [sample_images()] from which people labelled.
#' @param code The code that `label` in the formula stands for, if its name is not the name of a
#'   variable: `label_model(label ~ party, code = "violent scene", ...)`.
#' @param answer For a code with several answers: the one that is modelled.
#' @param family `"linear"`, least squares, or `"logit"`.
#' @param clustering The clustering from which the sample was drawn, or a data frame of all images
#'   with `image_id`, `cluster` and, without `linked`, the variables.
#' @param tuning How much the predictions count, from 0 to 1; by default (`NULL`) this lambda is
#'   estimated.
#' @inheritParams topic_model
#' @inheritParams scan_images
#'
#' @returns A tibble of class `imagestrata_label_model`, three rows per coefficient: `term`,
#'   `method` (`"machine"`, `"sample"`, `"corrected"`), `estimate` (of `"logit"`: log odds),
#'   `std.error`, `statistic`, `df`, `p.value`, `conf.low`, `conf.high`, `lambda`, `n_labelled`
#'   and `n_predicted`
#'   (different images in the model). `glance()` has one row: `n_rows`, `n_images`, `n_labelled`,
#'   `n_authors`, `family`, `code`, `answer`, `conf_level`.
#'
#' @references Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I. and Zrnic, T. (2023).
#'   Prediction-powered inference. *Science* 382.
#'
#'   Egami, N., Hinck, M., Stewart, B. M. and Wei, H. (2023). Using imperfect surrogates for
#'   downstream inference: design-based supervised learning for social science applications of large
#'   language models. *Advances in Neural Information Processing Systems* 36.
#'
#'   Kluger, D. M., Lu, K., Zrnic, T., Wang, S. and Bates, S. (2025). Prediction-powered inference
#'   with imputed covariates and nonuniform sampling. arXiv:2501.18577.
#' @family labels
#' @export
#' @examples
#' # 400 posted images in 40 clusters, of which people labelled 120.
#' set.seed(1)
#' images <- data.frame(image_id = paste0("i", 1:400), cluster = rep(1:40, each = 10))
#' truth <- rbinom(400, 1, plogis(rep(rnorm(40), each = 10)))
#' author <- sample(50, 400, replace = TRUE)
#' posts <- data.frame(
#'   post_id = 1:400, image_id = images$image_id, author = paste("author", author),
#'   party = c("D", "R")[1 + author %% 2]
#' )
#' predictions <- data.frame(
#'   image_id = images$image_id, label = "violence", split = NA,
#'   probability = plogis(3 * truth - 1 + rnorm(400))
#' )
#' drawn <- c(outer(1:3, 10 * (0:39), "+"))
#' sample <- data.frame(images[drawn, ], N_h = 10, n_h = 3)
#' labels <- data.frame(image_id = sample$image_id, code = "violence", label = truth[drawn])
#' label_model(violence ~ party, labels, predictions, posts, sample)
label_model <- function(formula,
                        labels,
                        predictions,
                        linked = NULL,
                        sample = NULL,
                        code = NULL,
                        answer = NULL,
                        family = "linear",
                        clustering = NULL,
                        author = "author",
                        time = "time",
                        time_zone = "UTC",
                        tuning = NULL,
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  check_formula(formula)
  check_string(code, "code", null = TRUE)
  check_string(answer, "answer", null = TRUE)
  check_choice(family, "family", c("linear", "logit"), rlang::current_env())
  check_string(author, "author")
  check_string(time, "time")
  check_tuning(tuning)
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  if (is.null(sample)) {
    abort_imagestrata(
      "{.arg sample} is needed: it says how the labelled images were drawn.",
      hint = "Give the result of {.fn sample_images}."
    )
  }
  observed <- observe_labels(labels, predictions, sample, clustering)
  target <- modelled_target(observed, formula, code, answer)
  rows <- rows_of_model(observed, target, formula, linked, author, time, time_zone)
  check_outcome(rows, target, family)
  plan <- plan_labelled(observed, list(target))
  fits <- fit_methods(rows, plan, family)
  found <- correct_fits(fits, rows, plan, tuning)
  table <- finish_label_model(found, rows, conf_level)
  summary <- tibble::tibble(
    n_rows = length(rows$author), n_images = length(unique(rows$image)),
    n_labelled = rows$n_labelled, n_authors = if (rows$posts) length(unique(rows$author)) else NA,
    n_left_out = rows$n_left_out, family = family, code = target$code,
    answer = if (target$kind == "choice") target$label else NA_character_, conf_level = conf_level
  )
  new_object(
    table, "imagestrata_label_model",
    tables = list(coefficients = table, summary = summary), formula = formula
  )
}

check_tuning <- function(tuning, call = rlang::caller_env()) {
  check_number(tuning, "tuning", null = TRUE, minimum = 0, call = call)
  if (!is.null(tuning) && tuning > 1) {
    abort_imagestrata("{.arg tuning} must be at most 1, not {.val {tuning}}.", call = call)
  }
}

# The target that the formula has, with the name of its variable, `variable`.
modelled_target <- function(observed, formula, code, answer, call = rlang::caller_env()) {
  codes <- unique(vapply(observed$targets, \(target) target$code, ""))
  named <- all.vars(formula)
  if (is.null(code)) {
    variable <- intersect(named, codes)
    if (length(variable) != 1) {
      abort_imagestrata(
        if (length(variable) == 0) {
          "{.arg formula} has none of the codes of {.arg labels}, {.val {codes}}."
        } else {
          "{.arg formula} has the codes {.val {variable}}, but only one can be corrected."
        },
        hint = "Name one, as in {.code {codes[1]} ~ party}, or give {.arg code} and call it
                {.code label}: {.code label ~ party}.",
        call = call
      )
    }
    code <- variable
  } else {
    check_choice(code, "code", codes, call)
    variable <- intersect(named, c("label", code))[1]
    if (is.na(variable)) {
      abort_imagestrata(
        "With {.arg code}, {.arg formula} must have the variable {.code label}.",
        hint = "For example {.code label ~ party}.",
        call = call
      )
    }
  }
  own <- Filter(\(target) target$code == code, observed$targets)
  answers <- vapply(own, \(target) target$label, "")
  if (own[[1]]$kind != "choice" && !is.null(answer)) {
    abort_imagestrata(
      "{.arg answer} is for codes with several answers, unlike {.val {code}}.",
      hint = "Leave it out.", call = call
    )
  }
  if (own[[1]]$kind == "choice") {
    if (is.null(answer)) {
      abort_imagestrata(
        "The code {.val {code}} has more than two answers: {.val {answers}}.",
        hint = "Choose one: {.code answer = \"{answers[1]}\"} models whether it is given.",
        call = call
      )
    }
    check_choice(answer, "answer", answers, call)
    own <- own[answers == answer]
  }
  target <- own[[1]]
  if (!is_predicted(target)) {
    abort_imagestrata("{.arg predictions} has nothing about {.val {code}}.", call = call)
  }
  check_label_terms(formula, variable, call)
  c(target, list(variable = variable))
}

# The label must be a term as it is: a function of it has other values for predictions.
check_label_terms <- function(formula, variable, call) {
  left <- rlang::f_lhs(formula)
  right <- rlang::f_rhs(formula)
  wrong <- if (is.null(left)) {
    "{.arg formula} must have an outcome on its left side."
  } else if (variable %in% all.vars(left) && variable %in% all.vars(right)) {
    "{.code {variable}} is on both sides of {.arg formula}."
  } else if (!is_bare(left, variable) || !in_terms(right, variable)) {
    "{.arg formula} must have {.code {variable}} as it is, not in a function."
  }
  if (!is.null(wrong)) {
    abort_imagestrata(
      wrong,
      hint = "For example {.code {variable} ~ party} or {.code likes ~ {variable} * party}.",
      call = call
    )
  }
}

is_bare <- function(part, variable) {
  identical(part, as.name(variable)) || !variable %in% all.vars(part)
}

# TRUE if a variable is used by the operators of formulas only.
in_terms <- function(part, variable) {
  operators <- c("+", "-", "*", ":", "(", "^", "%in%", "/")
  if (!rlang::is_call(part, operators)) {
    return(is_bare(part, variable))
  }
  all(vapply(as.list(part)[-1], in_terms, NA, variable = variable))
}

# ---- Rows --------------------------------------------------------------------------------------

# Returns a list: the model matrices `machine` (with decisions), `f` (with predictions) of all rows
# and `y` of those `sampled`; the outcomes `out_machine`, `out_f`, `out_y`; for each row `author`
# and `image` (its place among the observed images).
rows_of_model <- function(observed, target, formula, linked, author, time, time_zone,
                          call = rlang::caller_env()) {
  if (!observed$whole) {
    abort_imagestrata("{.arg predictions} must be of all images.", call = call)
  }
  posts <- !is.null(linked)
  data <- if (posts) {
    check_data_frame(linked, "linked", call, "link_posts", "image_id")
  } else {
    observed$images
  }
  data <- plain_columns(data)
  # A post that shows an image twice shows it.
  if ("post_id" %in% names(data)) data <- data[!duplicated(data[c("post_id", "image_id")]), ]
  if (target$variable %in% names(data)) {
    abort_imagestrata(
      "{.arg {if (posts) 'linked' else 'clustering'}} has a column {.field {target$variable}}, which
       is also the label in {.arg formula}.",
      hint = "Remove or rename the column.",
      call = call
    )
  }
  image <- match(id_text(data$image_id, "image_id", call), observed$images$image_id)
  if (posts && !author %in% names(data)) {
    abort_imagestrata(
      "{.arg linked} has no column {.field {author}}; it has {.field {names(data)}}.",
      hint = "Name the column of those who post in {.arg author}.",
      call = call
    )
  }
  f <- fill_predictions(target$f)
  data[[target$variable]] <- f[image]
  both <- rlang::new_formula(NULL, call("+", rlang::f_lhs(formula), rlang::f_rhs(formula)),
    env = rlang::f_env(formula)
  )
  variables <- variables_of(data, both, time, time_zone, call)
  who <- if (posts) as.character(data[[author]]) else as.character(seq_along(image))
  lacks <- lapply(variables[setdiff(names(variables), target$variable)], is.na)
  if (posts) lacks[[author]] <- is.na(who)
  complete <- !is.na(image) & !Reduce(`|`, lacks, rep(FALSE, length(image)))
  n_left_out <- tell_rows_out(image, lacks, complete, if (posts) "row" else "image", call)
  variables <- lapply(variables, \(x) x[complete])
  others <- setdiff(names(variables), target$variable)
  right <- intersect(others, all.vars(rlang::f_rhs(formula)))
  variables[right] <- prepare_variables(variables[right], call)
  image <- image[complete]
  matrices <- matrices_of(variables, formula, target, image, f, call)
  labelled <- unique(image[matrices$sampled])
  c(matrices, list(
    author = who[complete], image = image, posts = posts, n_left_out = n_left_out,
    n_labelled = length(labelled), n_predicted = length(unique(image[!is.na(target$f[image])]))
  ))
}

matrices_of <- function(variables, formula, target, image, f, call) {
  env <- formula_functions(rlang::f_env(formula))
  terms <- stats::terms(rlang::new_formula(NULL, rlang::f_rhs(formula), env))
  data <- tibble::new_tibble(variables, nrow = length(image))
  evaluate <- function(code) {
    rlang::try_fetch(code, error = function(error) {
      abort_imagestrata(
        "{.arg formula} cannot be evaluated: {conditionMessage(error)}",
        call = call
      )
    })
  }
  frame <- evaluate(
    stats::model.frame(terms, data, na.action = stats::na.pass, drop.unused.levels = TRUE)
  )
  frame[] <- lapply(frame, in_days)
  matrix_with <- function(value, rows = seq_along(image)) {
    own <- frame[rows, , drop = FALSE]
    if (target$variable %in% names(own)) own[[target$variable]] <- value
    x <- with_contrasts(stats::model.matrix(attr(frame, "terms"), own))
    rownames(x) <- NULL
    x
  }
  outcome <- evaluate(eval(rlang::f_lhs(formula), data, env))
  outcome_with <- function(value, rows = seq_along(image)) {
    if (target$variable %in% names(frame)) outcome[rows] else value
  }
  decided <- ifelse(is.na(target$decided), f, target$decided)
  sampled <- which(!is.na(target$y[image]))
  y <- target$y[image][sampled]
  found <- list(
    machine = matrix_with(decided[image]), f = matrix_with(f[image]), y = matrix_with(y, sampled),
    out_machine = outcome_with(decided[image]), out_f = outcome_with(f[image]),
    out_y = outcome_with(y, sampled), sampled = sampled
  )
  if (ncol(found$f) == 0) {
    abort_imagestrata("{.arg formula} has neither an intercept nor covariates.", call = call)
  }
  check_finite(frame, found$f, call)
  found
}

# Reports rows that are left out, and returns their number.
tell_rows_out <- function(image, lacks, complete, unit, call) {
  known <- !is.na(image)
  counts <- vapply(lacks, \(missing) sum(missing & known), 0)
  counts <- counts[counts > 0]
  parts <- c(
    if (any(!known)) paste(big(sum(!known)), "with images that the sample does not represent"),
    paste0(big(counts), " without {.field ", names(counts), "}", recycle0 = TRUE)
  )
  if (!any(complete)) {
    abort_imagestrata(
      paste0("None of ", count_of(length(image), unit), " is complete: ", toString(parts), "."),
      call = call
    )
  }
  if (length(parts) > 0) {
    cli::cli_inform(c("!" = paste0(
      big(sum(!complete)), " of ", count_of(length(image), unit), " are left out: ",
      toString(parts), "."
    )))
  }
  sum(!complete)
}

check_outcome <- function(rows, target, family, call = rlang::caller_env()) {
  k <- ncol(rows$f)
  n <- rows$n_labelled
  if (n < k + 2) {
    abort_imagestrata(
      "Only {n} labelled image{?s} {?is/are} in the model, which has {k} coefficient{?s}.",
      hint = "Label more images, or use fewer covariates.",
      call = call
    )
  }
  is_label <- identical(rows$out_f, rows$out_machine) && !is.null(rows$out_y)
  outcome <- rows$out_y
  if (!is.numeric(outcome) && !is.logical(outcome)) {
    abort_imagestrata(
      "The outcome must be numbers, not {.obj_type_friendly {outcome}}.",
      call = call
    )
  }
  if (family == "logit") {
    wrong <- setdiff(c(outcome, if (is_label) rows$out_f), c(0, 1))
    if (length(wrong) > 0) {
      abort_imagestrata(
        "The outcome of {.code family = \"logit\"} must be 0 or 1, not {.val {wrong[1]}}.",
        hint = "Use {.code family = \"linear\"}.",
        call = call
      )
    }
    of_image <- rows$image[rows$sampled]
    counts <- vapply(0:1, \(value) length(unique(of_image[outcome == value])), 0L)
    if (min(counts) < k) {
      value <- c("0", "1")[which.min(counts)]
      abort_imagestrata(
        "Only {min(counts)} labelled image{?s} {?has/have} the outcome {value}, fewer than the
         {k} coefficient{?s}.",
        hint = "Label more images, use fewer covariates, or {.code family = \"linear\"}.",
        call = call
      )
    }
  }
}

finish_label_model <- function(found, rows, conf_level) {
  table <- dplyr::bind_rows(found, .id = "method")
  table$term <- rep(colnames(rows$f), length(found))
  half <- stats::qt((1 + conf_level) / 2, table$df) * table$std.error
  table$statistic <- ifelse(table$std.error > 0, table$estimate / table$std.error, NA)
  table$p.value <- 2 * stats::pt(-abs(table$statistic), table$df)
  table$conf.low <- table$estimate - half
  table$conf.high <- table$estimate + half
  table$n_labelled <- ifelse(table$method == "machine", 0L, rows$n_labelled)
  table$n_predicted <- ifelse(table$method == "sample", 0L, rows$n_predicted)
  table <- table[order(match(table$term, colnames(rows$f))), c(
    "term", "method", "estimate", "std.error", "statistic", "df", "p.value", "conf.low",
    "conf.high", "lambda", "n_labelled", "n_predicted"
  )]
  lost <- unique(table$term[is.na(table$std.error)])
  if (length(lost) > 0) {
    warn_imagestrata(
      "Some standard errors of {.val {lost}} are missing: without one author the coefficient cannot
       be estimated.",
      "Put small groups together."
    )
  }
  table
}

#' @export
tbl_sum.imagestrata_label_model <- function(x, ...) {
  line <- glance(x)
  c("Model of labels" = paste0(
    if (line$family == "logit") "logistic" else "linear", ", ", rlang::as_label(attr(x, "formula")),
    "; ", count_of(line$n_rows, if (is.na(line$n_authors)) "image" else "posted image"),
    if (!is.na(line$n_authors)) paste(" by", count_of(line$n_authors, "author")), ", ",
    big(line$n_labelled), " labelled; ", 100 * line$conf_level, "% intervals"
  ))
}
