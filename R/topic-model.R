#' Model which posts show a topic
#'
#' For each topic a logistic regression of "the post shows the topic" on covariates of the posts,
#' with standard errors clustered on authors. The formula is the one that users of
#' `stm::estimateEffect()` know.
#'
#' @section Formula:
#' The left side has the topics: `c(1, 4) ~ party`, or their names; without a left side, all topics
#' are modelled, including the residual (cluster -1). The right side has columns of `linked`, which
#' must be the same in all rows of a post. `day`, `week`, `month` and `year`, the first days of
#' these periods, are made from the column of times if `linked` has no such columns. Text becomes a
#' factor with its values in the order of the alphabet. The first level of a factor is the
#' reference, also if the factor is ordered; [stats::relevel()] changes it.
#'
#' `s(x)` is a natural cubic spline, [splines::ns()], with the degrees of freedom of `s()` in stm:
#' ten, or one less than the number of distinct values if that is less; `s(x, df = 4)` sets
#' them. (stm itself uses B-splines without the natural conditions, which are `bs(x, 10)`.) Knots
#' are quantiles over posts, each taken once. `ns()`, `bs()` and [stats::poly()] can be used as
#' well. Dates and times are numbers of days in all of them.
#'
#' @section Standard errors:
#' Posts of one author resemble each other. `variance = "CR2"` (Bell and McCaffrey 2002;
#' Pustejovsky and Tipton 2018) corrects the clustered variance for the number of authors and for
#' their unequal numbers of posts; intervals and tests use the t distribution with Satterthwaite's
#' degrees of freedom, which differ between coefficients: few authors of one party, or one very
#' active author, count for less than all authors together. `variance = "sandwich"` has the
#' standard errors of [sandwich::vcovCL()] and `survey::svyglm()`, whose factor is G / (G - 1) for
#' G authors, with G - 1 degrees of freedom. Its intervals are too narrow if authors are few or
#' uneven; those of `"CR2"` cover about as often as they claim in simulations with 10 to 40 authors
#' (`docs/posts.md` in the repository). It is faster with many thousands of authors.
#'
#' If a coefficient cannot be estimated without one author (the only one of a party), its standard
#' error is missing, since nothing is known of how such authors differ.
#'
#' @section Rare topics:
#' A topic that fewer posts show (or do not show) than there are coefficients is not modelled. If no
#' post of a party shows the topic, or all of them do, the coefficients that compare the party are
#' infinite. They are missing; the others are estimated without the posts of that party, which is
#' the limit of the likelihood. `reason` says so for each coefficient, `tidy(x, "topics")` for each
#' topic, and a warning counts them. Put small groups together, or report
#' [topic_prevalence()], whose intervals have an upper bound for groups without any post
#' of the topic.
#'
#' @param linked The result of [link_posts()], or a data frame with its columns. A post shows a
#'   topic if one of its images belongs to it. Posts without a known image, an author or a covariate
#'   are left out; a message counts them.
#' @param formula The topics and covariates, as in `c(1, 4) ~ party * s(month) + followers` or
#'   `~ party`.
#' @param level What a topic is: `"cluster"`, or `"theme"` after [group_clusters()].
#' @param author,time The columns of `linked` with authors and times.
#' @param time_zone The time zone in which days begin.
#' @param weights The column of `linked` with weights of posts, such as those of a sample; by
#'   default (`NULL`) all posts count the same.
#' @param variance `"CR2"` or `"sandwich"`, see below.
#' @param conf_level Confidence level of intervals.
#' @inheritParams scan_images
#'
#' @returns An object of class `imagestrata_topic_model`. `summary()` prints a table of coefficients
#'   for each topic. [topic_effects()] has predicted prevalences and differences.
#'
#'   `tidy()` returns a tibble with the columns `cluster` and `cluster_name` (or `theme` and
#'   `theme_name`), `estimate`, `std.error`, `statistic`, `df`, `p.value`, `conf.low`, `conf.high`,
#'   `reason` (why a value is missing), and
#'
#'   - `tidy(x)`: `term`; the estimates are log odds, or odds ratios with `exponentiate = TRUE`
#'     (the standard errors remain those of log odds);
#'   - `tidy(x, "effects")`: average marginal effects on the probability that a post shows the
#'     topic, with `term` (the variable) and `contrast`. For a factor, they are mean differences
#'     between a level and the reference (`"B - A"`), for a number, the mean slope per unit, and for
#'     dates, per 30 days, always over all posts with their other covariates as they are;
#'   - `tidy(x, "predictions")`: for each variable (`term`) and `value`, the predicted prevalence of
#'     the topic if all posts had this value, and their other covariates as they are. Intervals are
#'     on the logit scale, so they stay between 0 and 1. Numbers and dates have 20 values from the
#'     lowest to the highest;
#'   - `tidy(x, "topics")`: instead of estimates, the numbers `n_posts` and `n_authors` that show
#'     the topic, their `share` of all (weighted) posts, and `reason`.
#'
#'   Standard errors of effects and predictions follow by the delta method from those of the
#'   coefficients; the covariates of the posts are taken as given.
#'
#'   `glance()` has one row: `n_topics`, `n_modelled`, `n_posts`, `n_authors`, `n_coefficients`,
#'   `n_left_out` (posts), `variance`, `conf_level`, and `nobs`, which is `n_posts`. `augment()` has
#'   a row per post and topic: `post_id`, the topic, `shown`, `.fitted` (the probability), `.resid`.
#'   `predict()` has a row per row of `newdata` and topic: `row`, the topic, `estimate` (a
#'   probability, or the log odds with `type = "link"`), `std.error`, `df`, `conf.low`, `conf.high`,
#'   `reason`.
#'
#' @references Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear
#'   regression with multi-stage samples. *Survey Methodology* 28(2).
#'
#'   Pustejovsky, J. E. and Tipton, E. (2018). Small-sample methods for cluster-robust variance
#'   estimation and hypothesis testing in fixed effects models. *Journal of Business & Economic
#'   Statistics* 36(4).
#' @family posts
#' @seealso [topic_effects()]
#' @export
#' @examples
#' model <- topic_model(simulated_posts, c(1, 4) ~ party + s(month, df = 4) + log1p(followers))
#' summary(model)
#' tidy(model, "effects")
#' topic_effects(model, "month")
topic_model <- function(linked,
                        formula,
                        level = "cluster",
                        author = "author",
                        time = "time",
                        time_zone = "UTC",
                        weights = NULL,
                        variance = "CR2",
                        conf_level = 0.95,
                        ...) {
  check_dots(...)
  check_choice(level, "level", c("cluster", "theme"), rlang::current_env())
  check_string(author, "author")
  check_string(time, "time")
  check_string(weights, "weights", null = TRUE)
  check_choice(variance, "variance", c("CR2", "sandwich"), rlang::current_env())
  check_share(conf_level, "conf_level", hint = "For 95% intervals it is 0.95.")
  check_formula(formula)
  posts <- model_posts(linked, formula, level, author, time, time_zone, weights)
  model <- c(
    list(formula = formula, level = level, variance = variance, conf_level = conf_level),
    design_model(posts)
  )
  fits <- lapply(seq_len(nrow(model$topics)), \(i) fit_topic(model, i))
  model$fits <- lapply(fits, `[[`, "fit")
  model$topics$reason <- vapply(fits, `[[`, "", "reason")
  model$coefficients <- dplyr::bind_rows(lapply(fits, `[[`, "coefficients"))
  tell_fits(model)
  new_object(model, "imagestrata_topic_model")
}

check_formula <- function(formula, table = "linked", call = rlang::caller_env()) {
  if (!rlang::is_formula(formula)) {
    example <- if (table == "ratings") "group * age" else "party * s(month)"
    abort_imagestrata(
      "{.arg formula} must be a formula, not {seen(formula)}.",
      hint = "For example {.code ~ {example}}.",
      call = call
    )
  }
  wrong <- intersect(all.names(rlang::f_rhs(formula)), c(".", "offset", "|"))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg formula} must not contain {.code {wrong[1]}}.",
      hint = if (wrong[1] == ".") "Name the covariates: {.arg {table}} also has ids and texts.",
      call = call
    )
  }
}

# ---- Posts -------------------------------------------------------------------------------------

# Covariates, authors and topics of posts: `data` (the variables of the formula), `post_id`,
# `author`, `weight`, `topics` (a table), and `shown`, the pairs of a post and a topic (`post` and
# `topic` are their rows).
model_posts <- function(linked, formula, level, author, time, time_zone, weights,
                        call = rlang::caller_env()) {
  linked <- check_topics_linked(linked, level, author, call)
  topic <- linked[[level]]
  # Images of the residual have no theme.
  if (level == "theme") topic[is.na(topic) & !is.na(linked[["cluster"]])] <- -1
  topics <- topics_of(linked, topic, level)
  topics <- topics$table[choose_topics(formula, topics, level, call), ]
  data <- variables_of(linked, formula, time, time_zone, call)
  post <- number_values(linked$post_id)
  check_author(linked, post, number_values(linked[[author]]), author, call)
  weight <- if (!is.null(weights)) post_weights(linked, weights, call)
  constant <- c(data, weight[setdiff(weights, names(data))])
  for (name in names(constant)) check_in_post(constant[[name]], name, linked$post_id, post, call)
  lacks <- lapply(c(linked[author], constant[setdiff(names(constant), author)]), is.na)
  known <- !is.na(topic)
  first <- which(known & !duplicated(ifelse(known, post, NA)))
  complete <- !Reduce(`|`, lacks)[first]
  rows <- first[complete]
  n_left_out <- tell_left_out(lacks, first, length(unique(post)), call)
  tell_partly(linked, post, known)
  shown <- vctrs::new_data_frame(list(
    post = match(post, post[rows]), topic = match(topic, topics[[level]])
  ))
  shown <- vctrs::vec_unique(shown[!is.na(shown$post) & !is.na(shown$topic), ])
  weight <- if (is.null(weights)) rep(1, length(rows)) else weight[[1]][rows]
  list(
    data = prepare_variables(lapply(data, \(x) x[rows]), call), post_id = linked$post_id[rows],
    author = as.character(linked[[author]][rows]),
    weight = weight / mean(weight),
    topics = topics, shown = shown, n_left_out = n_left_out, formula = formula
  )
}

# The rows of the topics on the left side of the formula.
choose_topics <- function(formula, topics, level, call) {
  left <- rlang::f_lhs(formula)
  if (is.null(left)) {
    return(seq_along(topics$topic))
  }
  wanted <- tryCatch(eval(left, rlang::f_env(formula)), error = \(error) NULL)
  known <- if (is.character(wanted)) topics$table[[2]] else topics$topic
  if (!(is.character(wanted) || is.numeric(wanted)) || length(wanted) == 0) {
    abort_imagestrata(
      "The left side of {.arg formula} must be numbers or names of topics, not {.code
       {rlang::as_label(left)}}.",
      hint = "For example {.code c(1, 4) ~ party}; without a left side all topics are modelled.",
      call = call
    )
  }
  place <- match(unique(wanted), known)
  if (anyNA(place)) {
    abort_imagestrata(
      "{.arg linked} has no {level} {.val {unique(wanted)[is.na(place)]}}, which is on the left side
       of {.arg formula}.",
      hint = "It has {.val {known[!is.na(known)]}}.",
      call = call
    )
  }
  place
}

# The columns that the formula names, and periods made from times.
variables_of <- function(linked, formula, time, time_zone, call) {
  named <- all.vars(rlang::f_rhs(formula))
  env <- rlang::f_env(formula)
  made <- intersect(setdiff(named, names(linked)), names(periods))
  absent <- setdiff(named, c(names(linked), made))
  absent <- absent[vapply(absent, \(name) is.function(get0(name, env) %||% c), NA)]
  if (length(absent) > 0 || (length(made) > 0 && !time %in% names(linked))) {
    abort_imagestrata(
      "{.arg formula} has {.field {c(absent, made)[1]}}, which is not a column of {.arg linked}.",
      hint = if (length(absent) == 0) {
        "It would be made from times, but there is no column {.field {time}}: name it in {.arg
         time}."
      } else {
        "Its columns are {.field {names(linked)}}."
      },
      call = call
    )
  }
  data <- as.list(linked[intersect(named, names(linked))])
  if (length(made) > 0) {
    day <- days_of(linked[[time]], time, time_zone, call)
    days <- sort(unique(day))
    data[made] <- lapply(periods[made], \(begin) begin(days)[match(day, days)])
  }
  lists <- names(data)[vapply(data, is.list, NA)]
  if (length(lists) > 0) {
    abort_imagestrata("{.field {lists[1]}} must be one value per post, not a list.", call = call)
  }
  data
}

post_weights <- function(linked, weights, call) {
  weight <- linked[[weights]]
  if (!is.numeric(weight) || any(weight <= 0 | is.infinite(weight), na.rm = TRUE)) {
    wrong <- if (is.numeric(weight)) weight[which(weight <= 0 | is.infinite(weight))[1]] else weight
    abort_imagestrata(
      "{.arg weights} must be a column of positive numbers of {.arg linked}, unlike {.field
       {weights}}{if (!is.null(weight)) ', which has '}{.val {wrong[1]}}.",
      call = call
    )
  }
  linked[weights]
}

# A covariate of a post has one value.
check_in_post <- function(x, name, post_id, post, call) {
  value <- vctrs::vec_group_id(x)
  differs <- which(value != value[match(post, post)])
  if (length(differs) > 0) {
    id <- post_id[differs[1]]
    abort_imagestrata(
      "{.field {name}} must be the same in all rows of a post, but post {.val {id}} has {.val
       {as.character(unique(x[post_id %in% id]))}}.",
      hint = "Covariates describe posts, not images. Summarise columns of images first, for
              instance by their mean.",
      call = call
    )
  }
}

# Reports posts that are left out, and returns their number.
tell_left_out <- function(lacks, first, n_posts, call) {
  incomplete <- vapply(lacks, \(missing) sum(missing[first]), 0)
  n_out <- sum(Reduce(`|`, lacks)[first])
  n_unknown <- n_posts - length(first)
  parts <- c(
    if (n_unknown > 0) paste(big(n_unknown), "without a known image"),
    paste0(
      big(incomplete[incomplete > 0]), " without {.field ", names(lacks)[incomplete > 0], "}",
      recycle0 = TRUE
    )
  )
  if (n_unknown + n_out == n_posts) {
    abort_imagestrata(
      paste0("None of ", big(n_posts), " posts is complete: ", toString(parts), "."),
      call = call
    )
  }
  if (length(parts) > 0) {
    cli::cli_inform(c("!" = paste0(
      big(n_unknown + n_out), " of ", big(n_posts), " posts are left out: ", toString(parts), "."
    )))
  }
  n_unknown + n_out
}

# Reports posts whose topics are known in part.
tell_partly <- function(linked, post, known) {
  lost <- !known & !(linked[["unmatched"]] %||% rep(NA, length(known))) %in% "no image"
  n <- length(intersect(post[known], post[lost]))
  if (n > 0) {
    cli::cli_inform(c("!" = paste0(
      count_of(n, "post shows", "posts show"), " known images and images that are not in the ",
      "clustering. The topics of the latter are not counted."
    )))
  }
}

# Text becomes a factor, in the order of the alphabet on every computer.
prepare_variables <- function(data, call, rows = "posts", ordered = FALSE) {
  data <- lapply(data, function(x) {
    if (is.character(x)) {
      factor(x, sort(unique(x), method = "radix"))
    } else if (is.factor(x)) {
      factor(x, setdiff(levels(x), setdiff(levels(x), x)), ordered = ordered && is.ordered(x))
    } else {
      x
    }
  })
  for (name in names(data)) {
    if (length(unique(data[[name]])) < 2) {
      abort_imagestrata(
        "{.field {name}} is {.val {as.character(data[[name]][1])}} in all {rows} of the
         model.",
        hint = "Leave it out of {.arg formula}.",
        call = call
      )
    }
  }
  data
}

# ---- Design ------------------------------------------------------------------------------------

# Functions of formulas, in which dates are numbers of days.
formula_functions <- function(env) {
  rlang::new_environment(
    list(
      s = spline_of,
      ns = function(x, ...) splines::ns(in_days(x), ...),
      bs = function(x, ...) splines::bs(in_days(x), ...),
      poly = function(x, ...) stats::poly(in_days(x), ...)
    ),
    parent = env
  )
}

in_days <- function(x) {
  if (inherits(x, "POSIXct")) {
    as.double(x) / 86400
  } else if (inherits(x, "Date")) {
    as.double(x)
  } else {
    x
  }
}

spline_of <- function(x, df = NULL, knots = NULL, Boundary.knots = NULL) { # nolint
  x <- in_days(x)
  if (!is.numeric(x)) {
    abort_imagestrata(
      "{.code s()} takes numbers, dates or times, not {.obj_type_friendly {x}}.",
      call = NULL
    )
  }
  if (is.null(Boundary.knots)) {
    values <- unique(x)
    if (length(values) < 2) {
      abort_imagestrata("{.code s()} needs two or more distinct values.", call = NULL)
    }
    df <- df %||% min(10, length(values) - 1)
    if (df < 1 || df > length(values) - 1 || df != round(df)) {
      abort_imagestrata(
        "{.arg df} of {.code s()} must be a whole number from 1 to {length(values) - 1}, one less
         than the number of distinct values, not {.val {df}}.",
        call = NULL
      )
    }
    Boundary.knots <- range(values) # nolint: object_name_linter.
    knots <- stats::quantile(x, seq_len(df - 1) / df, names = FALSE)
    knots <- unique(knots[knots > Boundary.knots[1] & knots < Boundary.knots[2]])
  }
  basis <- splines::ns(x, knots = knots, Boundary.knots = Boundary.knots)
  structure(
    basis,
    class = c("imagestrata_spline", "matrix"), knots = knots, Boundary.knots = Boundary.knots
  )
}

# New data get the knots of the model.
#' @importFrom stats makepredictcall
#' @export
makepredictcall.imagestrata_spline <- function(var, call) {
  as.call(c(
    as.list(call)[1:2],
    list(knots = as.numeric(attr(var, "knots")), Boundary.knots = attr(var, "Boundary.knots"))
  ))
}

# Treatment contrasts, whatever the options of the session; by default also for ordered factors.
with_contrasts <- function(code, ordered = "contr.treatment") {
  old <- options(contrasts = c("contr.treatment", ordered))
  on.exit(options(old))
  force(code)
}

# Text sorts in the order of the alphabet on every computer, so that the first value of a text, the
# reference of a model, is the same everywhere.
in_one_order <- function(code) {
  old <- Sys.getlocale("LC_COLLATE")
  on.exit(Sys.setlocale("LC_COLLATE", old))
  Sys.setlocale("LC_COLLATE", "C")
  force(code)
}

# Cells are the posts of an author that have the same covariates. `x` is the model matrix of cells,
# and `z` = x %*% turn has orthogonal columns: crossprod(z * sqrt(n)) is sum(n) times I.
design_model <- function(posts, call = rlang::caller_env()) {
  env <- formula_functions(rlang::f_env(posts$formula))
  terms <- stats::terms(rlang::new_formula(NULL, rlang::f_rhs(posts$formula), env))
  data <- tibble::new_tibble(posts$data, nrow = length(posts$author))
  frame <- rlang::try_fetch(
    stats::model.frame(terms, data, na.action = stats::na.pass, drop.unused.levels = TRUE),
    error = function(error) {
      abort_imagestrata(
        "{.arg formula} cannot be evaluated: {conditionMessage(error)}",
        call = call
      )
    }
  )
  frame[] <- lapply(frame, in_days)
  x <- with_contrasts(stats::model.matrix(attr(frame, "terms"), frame))
  if (ncol(x) == 0) {
    abort_imagestrata("{.arg formula} has neither an intercept nor covariates.", call = call)
  }
  check_finite(frame, x, call)
  keys <- c(list(.author = posts$author), posts$data)
  cell <- as.integer(vctrs::vec_group_id(vctrs::new_data_frame(keys)))
  first <- which(!duplicated(cell))
  check_same_cell(x, first[cell], call)
  n <- sum_by(posts$weight, cell, length(first))
  contrasts <- attr(x, "contrasts")
  x <- x[first, , drop = FALSE]
  rownames(x) <- NULL
  basis <- qr(x * sqrt(n))
  kept <- basis$pivot[seq_len(basis$rank)]
  turn <- matrix(0, ncol(x), basis$rank, dimnames = list(colnames(x), NULL))
  turn[kept, ] <- backsolve(qr.R(basis), diag(sqrt(sum(n)), basis$rank), basis$rank)
  author <- posts$author[first]
  if (length(unique(author)) < 2) {
    abort_imagestrata(
      "All posts are by {.val {author[1]}}, and nothing is known of differences between authors.",
      call = call
    )
  }
  shown <- posts$shown
  of_topic <- split(shown$post, factor(shown$topic, seq_len(nrow(posts$topics))))
  topics <- posts$topics
  topics$n_posts <- lengths(of_topic, use.names = FALSE)
  n_authors <- vapply(of_topic, \(of) length(unique(posts$author[of])), 0L)
  topics$n_authors <- unname(n_authors)
  topics$share <- vapply(of_topic, \(of) sum(posts$weight[of]), 0, USE.NAMES = FALSE) / sum(n)
  list(
    topics = topics, terms = attr(frame, "terms"), xlevels = stats::.getXlevels(terms, frame),
    contrasts = contrasts, categorical = categorical_variables(frame, names(data)),
    data = vctrs::vec_slice(data, first), coefficient_names = colnames(x),
    z = x %*% turn, turn = turn, n = n, author = author, cell = cell, post_id = posts$post_id,
    weight = posts$weight, shown = of_topic,
    n_posts = length(cell), n_left_out = posts$n_left_out
  )
}

# Variables that only occur as factors, such as `month` in factor(month).
categorical_variables <- function(frame, variables) {
  is_factor <- vapply(frame, \(x) is.factor(x) || is.character(x) || is.logical(x), NA)
  named <- lapply(names(frame), \(name) all.vars(str2lang(name)))
  variables[vapply(variables, \(name) any(is_factor[vapply(named, \(x) name %in% x, NA)]), NA)]
}

check_finite <- function(frame, x, call, unit = "post") {
  if (all(is.finite(x))) {
    return()
  }
  wrong <- vapply(frame, function(column) {
    if (!is.numeric(column)) sum(is.na(column)) else sum(rowSums(!is.finite(as.matrix(column))) > 0)
  }, 0)
  name <- names(frame)[wrong > 0][1]
  abort_imagestrata(
    "{.code {name}} is infinite or missing for {wrong[name]} of {count_of(nrow(x), unit)}.",
    hint = if (grepl("log\\(", name)) "The logarithm of 0 is infinite: use {.fn log1p}.",
    call = call
  )
}

check_same_cell <- function(x, first, call) {
  differs <- abs(x - x[first, , drop = FALSE]) > 1e-9 * max(abs(x))
  if (any(differs)) {
    abort_imagestrata(
      "Posts with the same covariates have different values in {.arg formula}.",
      hint = "It must use columns of {.arg linked}, not other vectors or random numbers.",
      call = call
    )
  }
}

# The rows of the model matrix for new data, in the coordinates of `z`.
rows_at <- function(model, data) {
  data <- tibble::new_tibble(as.list(data), nrow = vctrs::vec_size_common(!!!data))
  frame <- stats::model.frame(
    model$terms, data,
    na.action = stats::na.pass, xlev = model$xlevels
  )
  frame[] <- lapply(frame, in_days)
  x <- with_contrasts(stats::model.matrix(model$terms, frame, contrasts.arg = model$contrasts))
  x %*% model$turn
}

# ---- Estimates ---------------------------------------------------------------------------------

shown_in_cells <- function(model, i) {
  posts <- model$shown[[i]]
  y <- numeric(length(model$n))
  if (length(posts) > 0) {
    sums <- rowsum(model$weight[posts], model$cell[posts], reorder = FALSE)
    y[as.integer(rownames(sums))] <- sums
  }
  y
}

# The regression of one topic: `fit` (NULL if there is none), `reason` and `coefficients`.
fit_topic <- function(model, i) {
  names <- model$coefficient_names
  rank <- ncol(model$z)
  table <- tibble::tibble(
    model$topics[rep(i, length(names)), 1:2],
    term = names, estimate = NA_real_, std.error = NA_real_, df = NA_real_,
    reason = unname(ifelse(rowSums(model$turn != 0) == 0, "collinear", NA))
  )
  n_shown <- model$topics$n_posts[i]
  n_rarer <- min(n_shown, model$n_posts - n_shown)
  refused <- if (n_rarer < rank) {
    paste(
      count_of(n_rarer, "post"), if (n_rarer < n_shown) "without it, fewer than the" else
        "with it, fewer than the", count_of(rank, "coefficient")
    )
  }
  fit <- if (is.null(refused)) fit_logit(model$z, model$n, shown_in_cells(model, i))
  if (is.null(fit)) {
    reason <- refused %||% "the estimates did not converge"
    table$reason <- reason
    return(list(fit = NULL, reason = reason, coefficients = table))
  }
  turn <- model$turn
  found <- estimate_contrasts(model, fit, sandwich_of(model, fit, i), turn)
  at <- is.na(table$reason)
  table$estimate[at] <- (turn %*% (fit$basis %*% fit$gamma))[at]
  infinite <- at & found$infinite
  table$reason[infinite] <- "infinite"
  table$estimate[infinite] <- NA
  fine <- at & !infinite
  table$std.error[fine] <- found$std.error[fine]
  table$df[fine] <- found$df[fine]
  rests <- fine & !is.na(found$alone)
  table$reason[rests] <- paste("rests on the author", found$alone[rests])
  list(fit = fit, reason = reason_of(model, fit, i, table), coefficients = table)
}

# The clustered variance of the coefficients of a topic, from the rows with finite predictors.
sandwich_of <- function(model, fit, i) {
  kept <- fit$kept
  author <- model$author[kept]
  if (ncol(fit$basis) == 0 || length(unique(author)) < 2) {
    return(NULL)
  }
  z <- model$z[kept, , drop = FALSE]
  n <- model$n[kept]
  p <- stats::plogis(drop(z %*% (fit$basis %*% fit$gamma)))
  author_sandwich(
    z %*% fit$basis, shown_in_cells(model, i)[kept] - n * p, n * p * (1 - p), author,
    model$variance
  )
}

# `std.error`, `df`, `alone` of linear contrasts in the coordinates of `z`, and whether they are
# `infinite` because the finite part of the likelihood does not determine them.
estimate_contrasts <- function(model, fit, sandwich, contrasts) {
  inside <- contrasts %*% fit$basis
  rest <- contrasts - inside %*% t(fit$basis)
  infinite <- sqrt(rowSums(rest^2)) > 1e-6 * sqrt(rowSums(contrasts^2))
  errors <- if (is.null(sandwich)) {
    tibble::tibble(
      std.error = rep(NA_real_, nrow(contrasts)), df = NA_real_,
      alone = model$author[fit$kept[1]]
    )
  } else {
    contrast_errors(sandwich, inside)
  }
  tibble::add_column(errors, infinite = infinite)
}

# Why estimates of a topic are missing; missing if none is.
reason_of <- function(model, fit, i, table) {
  if (length(fit$directions) == 0) {
    rests <- grep("rests on", table$reason, value = TRUE)
    return(if (length(rests) > 0) paste("an estimate", rests[1]) else NA_character_)
  }
  found <- lapply(names(model$data), level_apart, model, shown_in_cells(model, i))
  terms <- table$term[table$reason %in% "infinite"]
  more <- if (length(terms) > 1) paste(" and", count_of(length(terms) - 1, "more coefficient"))
  found <- unlist(found)[1] %||% paste0(
    terms[1], more, ", since combinations of covariates separate the posts that show it"
  )
  paste0("infinite: ", found)
}

# A level of a covariate of which no post or all posts show a topic, as a sentence.
level_apart <- function(name, model, y) {
  x <- model$data[[name]]
  if (!is.factor(x) && !is.logical(x)) {
    return(NULL)
  }
  n <- rowsum(cbind(y, model$n), as.character(x))
  none <- rownames(n)[n[, 1] == 0]
  all <- rownames(n)[n[, 2] - n[, 1] < 1e-9 * n[, 2]]
  if (length(none) > 0) {
    paste0("no post with ", name, " ", toString(none), " shows it")
  } else if (length(all) > 0) {
    paste0("all posts with ", name, " ", toString(all), " show it")
  }
}

# Warns of missing estimates.
tell_fits <- function(model, call = rlang::caller_env()) {
  reason <- model$topics$reason
  none <- vapply(model$fits, is.null, NA)
  some <- !none & !is.na(reason)
  example <- function(which) {
    paste0(model$level, " ", model$topics[[1]][which][1], ": ", reason[which][1])
  }
  if (all(none)) {
    abort_imagestrata(
      "No {model$level} can be modelled ({example(none)}).",
      hint = "Use fewer covariates, fewer degrees of freedom in {.code s()}, or themes.",
      call = call
    )
  }
  if (any(none)) {
    warn_imagestrata(
      "{sum(none)} of {length(none)} {model$level}s {cli::qty(sum(none))}{?is/are} not modelled
       ({example(none)}).",
      "Use fewer covariates, or put small topics together with {.fn group_clusters}."
    )
  }
  if (any(some)) {
    warn_imagestrata(
      "Some estimates of {sum(some)} of {length(some)} {model$level}s are missing
       ({example(some)}).",
      "The column {.field reason} of {.code tidy(x)} and {.code tidy(x, \"topics\")} says why. Put
       small groups together, or report {.code topic_prevalence()}, which has an upper bound for
       groups without any post of a topic."
    )
  }
  collinear <- unique(model$coefficients$term[model$coefficients$reason %in% "collinear"])
  if (length(collinear) > 0) {
    warn_imagestrata(
      "{length(collinear)} coefficient{?s} {?is/are} missing because other terms determine
       {cli::qty(length(collinear))}{?it/them}: {.field {collinear}}."
    )
  }
}

# Adds tests and intervals to `estimate`, `std.error`, `df`.
add_tests <- function(table, conf_level, scale = "linear") {
  statistic <- ifelse(table$std.error > 0, table$estimate / table$std.error, NA)
  half <- stats::qt((1 + conf_level) / 2, table$df)
  if (scale == "logit") {
    p <- table$estimate
    half <- half * table$std.error / (p * (1 - p))
    limits <- list(stats::plogis(stats::qlogis(p) - half), stats::plogis(stats::qlogis(p) + half))
  } else {
    limits <- list(table$estimate - half * table$std.error, table$estimate + half * table$std.error)
    table <- tibble::add_column(table, statistic = statistic, .after = "std.error")
    table <- tibble::add_column(
      table, p.value = 2 * stats::pt(-abs(statistic), table$df), .after = "df"
    )
  }
  reason <- table$reason
  table$reason <- NULL
  table$conf.low <- limits[[1]]
  table$conf.high <- limits[[2]]
  table$reason <- reason
  table
}
