# Models of counts, their errors and average marginal effects.

# One outcome: `model` (glm.nb() or glm()), `vcov`, and tables `coefficients`, `effects`, `summary`.
fit_share <- function(side, data, options, name, frame = data$frame, call = rlang::caller_env(2)) {
  formula <- formula_of(side, name, options$exposure)
  model <- with_contrasts(in_one_order({
    check_design(formula, frame, name, options, call)
    fit_counts(formula, frame, options, name, call)
  }))
  errors <- errors_of(model, data$groups, options$variance)
  contrasts <- diag(length(stats::coef(model)))
  coefficients <- infer(stats::coef(model), contrasts, errors, options$conf_level)
  warn_inestimable(names(stats::coef(model)), contrasts, errors, data$groups)
  coefficients <- tibble::tibble(term = names(stats::coef(model)), coefficients)
  list(
    model = model, vcov = errors$vcov, coefficients = coefficients,
    effects = effects_of(side, model, frame, errors, options$conf_level),
    summary = summarise_share(model, data, options)
  )
}

# ---- Checks -----------------------------------------------------------------------------

check_design <- function(formula, frame, name, options, call) {
  y <- frame[[name]]
  if (all(y == 0)) {
    abort_imagestrata(
      "{.field {name}} is 0 for all {length(y)} {options$unit}{?s} of the model.",
      call = call
    )
  }
  for (variable in all.vars(rlang::f_rhs(formula))) {
    if (variable %in% names(frame) && length(unique(frame[[variable]])) == 1) {
      abort_imagestrata(
        "{.field {variable}} is constant: {.val {frame[[variable]][1]}} for all {length(y)}
         {options$unit}{?s} of the model.",
        hint = "Leave it out of {.arg formula}.",
        call = call
      )
    }
  }
  table <- stats::model.frame(formula, frame, na.action = stats::na.pass, drop.unused.levels = TRUE)
  x <- stats::model.matrix(stats::terms(table), table)
  wrong <- which(!is.finite(x), arr.ind = TRUE)
  if (nrow(wrong) > 0) {
    abort_imagestrata(
      "The term {.code {colnames(x)[wrong[1, 2]]}} is not a finite number for {nrow(wrong)} of
       {nrow(x)} {options$unit}{?s}.",
      hint = "{.code log1p()} is defined for 0, unlike {.fn log}.",
      call = call
    )
  }
  if (nrow(x) <= ncol(x)) {
    abort_imagestrata(
      "{nrow(x)} {options$unit}{?s} are too few for {ncol(x)} coefficient{?s}.",
      call = call
    )
  }
  if (options$variance == "CR2" && ncol(x) > 2 * most_levels) {
    abort_imagestrata(
      "With {ncol(x)} coefficients, {.code variance = \"CR2\"} takes too long.",
      hint = "Use {.code variance = \"sandwich\"}.",
      call = call
    )
  }
  scaled <- sweep(x, 2, pmax(sqrt(colMeans(x^2)), .Machine$double.xmin), "/")
  decomposed <- qr(scaled)
  if (decomposed$rank < ncol(x)) {
    alike <- colnames(x)[decomposed$pivot[-seq_len(decomposed$rank)]]
    abort_imagestrata(
      "The term{?s} {.code {alike}} {?is/are} a combination of the other terms (collinear).",
      hint = "Leave {cli::qty(length(alike))}{?it/them} out of {.arg formula}.",
      call = call
    )
  }
}

# ---- Fits -------------------------------------------------------------------------------

fit_counts <- function(formula, frame, options, name, call) {
  data <- as.data.frame(frame, optional = TRUE)
  control <- stats::glm.control(epsilon = 1e-11, maxit = 200)
  fit <- function(fun, ...) {
    # `data` is evaluated later, for the call of the model to stay short.
    written <- rlang::call2(
      fun, formula,
      data = quote(data), weights = as.name(weight_column), control = control, ...
    )
    rlang::try_fetch(
      withCallingHandlers(eval(written), warning = \(w) tryInvokeRestart("muffleWarning")),
      error = \(error) abort_unfitted(name, conditionMessage(error), call)
    )
  }
  model <- fit(quote(stats::glm), family = stats::poisson())
  check_fit(model, frame, name, call)
  if (options$family == "negative binomial") {
    mu <- stats::fitted(model)
    weight <- frame[[weight_column]]
    excess <- sum(weight * ((frame[[name]] - mu)^2 - frame[[name]]))
    if (excess > 0) {
      theta <- sum(weight * mu^2) / excess
      model <- fit(quote(MASS::glm.nb), init.theta = theta)
      check_fit(model, frame, name, call)
    } else {
      warn_imagestrata(
        "{.field {name}} varies no more than in a Poisson model, which is fitted instead of the
         negative binomial one."
      )
    }
  }
  model$call <- rlang::call2(
    if (inherits(model, "negbin")) quote(MASS::glm.nb) else quote(stats::glm), formula
  )
  model$data <- frame
  model
}

abort_unfitted <- function(name, reason, call) {
  abort_imagestrata(
    "The model of {.field {name}} could not be fitted: {reason}.",
    hint = "Use fewer predictors, transform skewed ones by {.fn log1p}, or use {.code family =
            \"poisson\"}.",
    call = call
  )
}

# A category without any count has an estimate of minus infinity (separation).
check_fit <- function(model, frame, name, call) {
  low <- stats::fitted(model) < 1e-8 * mean(frame[[name]])
  if (any(low)) {
    x <- stats::model.matrix(model)
    away <- abs(stats::coef(model)) * apply(x, 2, \(column) diff(range(column)))
    abort_imagestrata(
      "The term {.code {names(which.max(away))}} separates {sum(low)} {.field {name}} of 0 from the
       others: its effect has no finite estimate.",
      hint = "Leave it out, or combine its categories.",
      call = call
    )
  }
  if (!model$converged || !is.null(model$th.warn) || anyNA(stats::coef(model))) {
    abort_unfitted(name, model$th.warn %||% "the algorithm did not converge", call)
  }
}

# ---- Standard errors --------------------------------------------------------------------

# `vcov`, and the sandwiches of the groups, for degrees of freedom.
errors_of <- function(model, groups, variance) {
  x <- stats::model.matrix(model)
  weight <- stats::weights(model, "working")
  residual <- weight * stats::residuals(model, "working")
  root <- chol(crossprod(x * sqrt(weight)))
  sandwich_of <- function(group, variance) {
    # With thousands of groups the correction changes nothing, and takes long.
    if (max(group$part) > 20000) variance <- "sandwich"
    at <- group$unit
    author_sandwich(x[at, , drop = FALSE], residual[at], weight[at], group$part, variance, root)
  }
  several <- function(group, set) {
    # Rows of both are in the order of the first observation of a set.
    times <- tabulate(group$unit)[!duplicated(set)] - 1
    scores <- rowsum(x * residual, set, reorder = FALSE) * sqrt(times)
    tcrossprod(backsolve(root, backsolve(root, t(scores), transpose = TRUE)))
  }
  parts <- lapply(groups, sandwich_of, variance)
  vcov <- Reduce(`+`, lapply(parts, `[[`, "vcov"))
  set <- lapply(groups, set_of_parts)
  for (name in names(groups)) {
    vcov <- vcov - several(groups[[name]], set[[name]])
  }
  if (length(groups) == 2) {
    author <- groups$author$part
    both <- groups$image
    both$part <- pair_up(author[both$unit], both$part)
    common <- sandwich_of(both, "sandwich")$vcov
    vcov <- vcov - common + several(both, pair_up(author, set$image))
  }
  list(vcov = no_negative_variance(vcov), parts = parts)
}

# Numbers of observations with the same parts, from 1 in the order of observations. If these are
# several, the sum over parts counts the observations several times, also as pairs.
set_of_parts <- function(group) {
  if (!anyDuplicated(group$unit)) {
    return(group$part[order(group$unit)])
  }
  place <- order(group$unit, group$part)
  texts <- vapply(split(group$part[place], group$unit[place]), paste, "", collapse = " ")
  match(texts, unique(texts))
}

# A difference of covariance matrices can have negative eigenvalues, which become zero.
no_negative_variance <- function(vcov) {
  scale <- sqrt(pmax(abs(diag(vcov)), .Machine$double.xmin))
  parts <- eigen(vcov / tcrossprod(scale), symmetric = TRUE)
  if (all(parts$values >= 0)) {
    return(vcov)
  }
  fixed <- parts$vectors %*% (pmax(parts$values, 0) * t(parts$vectors)) * tcrossprod(scale)
  dimnames(fixed) <- dimnames(vcov)
  fixed
}

# Says why coefficients have no standard error.
warn_inestimable <- function(terms, contrasts, errors, groups) {
  for (name in names(groups)) {
    alone <- contrast_errors(errors$parts[[name]], contrasts)$alone
    at <- which(!is.na(alone))
    if (length(at) > 0) {
      who <- groups[[name]]$labels[as.integer(alone[at])]
      warn_imagestrata(
        "{.code {terms[at]}} cannot be estimated without the {name} {.val {unique(who)}}:
         {cli::qty(length(at))}{?it has/they have} no standard error{?s}."
      )
    }
  }
}

# Estimates of contrasts (rows) with errors, tests and intervals.
infer <- function(estimate, contrasts, errors, conf_level) {
  parts <- lapply(errors$parts, contrast_errors, contrasts)
  known <- Reduce(`&`, lapply(parts, \(part) !is.na(part$std.error)))
  error <- sqrt(pmax(rowSums((contrasts %*% errors$vcov) * contrasts), 0))
  table <- tibble::tibble(
    estimate = unname(estimate), std.error = ifelse(known, unname(error), NA),
    statistic = .data$estimate / .data$std.error,
    df = do.call(pmin, lapply(parts, `[[`, "df"))
  )
  table$p.value <- 2 * stats::pt(-abs(table$statistic), table$df)
  add_interval(table, conf_level)
}

# ---- Effects ----------------------------------------------------------------------------

# The model matrix and offset for new data.
design_of <- function(model, data) {
  terms <- stats::delete.response(stats::terms(model))
  table <- stats::model.frame(terms, data, na.action = stats::na.pass, xlev = model$xlevels)
  offset <- stats::model.offset(table)
  list(
    x = stats::model.matrix(terms, table, contrasts.arg = model$contrasts),
    offset = if (is.null(offset)) rep(0, nrow(table)) else offset
  )
}

# Categories of more levels have no average effects, and CR2 takes long with as many coefficients.
most_levels <- 50

# Average marginal effects on expected counts.
effects_of <- function(side, model, frame, errors, conf_level) {
  weight <- frame[[weight_column]] / sum(frame[[weight_column]])
  mean_of <- function(data) {
    design <- design_of(model, data)
    mu <- weight * exp(drop(design$x %*% stats::coef(model)) + design$offset)
    list(value = sum(mu), gradient = drop(mu %*% design$x))
  }
  with <- function(name, value) {
    frame[[name]] <- value
    mean_of(frame)
  }
  rows <- unlist(lapply(predictors_of(side, frame), function(name) {
    x <- frame[[name]]
    values <- if (is.factor(x)) levels(droplevels(x)) else sorted_values(x)
    is_number <- is.numeric(x) || inherits(x, c("Date", "POSIXt"))
    if (is_number && !all(values %in% c(0, 1))) {
      step <- 1e-5 * stats::sd(as.double(x))
      pairs <- list(list(high = x + step, low = x - step, by = 2 * step, contrast = "slope"))
    } else if (length(values) > most_levels) {
      pairs <- list()
    } else {
      pairs <- lapply(values[-1], \(value) list(
        high = like(x, value), low = like(x, values[1]), by = 1,
        contrast = paste(value, "-", values[1])
      ))
    }
    lapply(pairs, function(pair) {
      high <- with(name, pair$high)
      low <- with(name, pair$low)
      list(
        term = name, contrast = pair$contrast, estimate = (high$value - low$value) / pair$by,
        gradient = (high$gradient - low$gradient) / pair$by
      )
    })
  }), recursive = FALSE)
  if (length(rows) == 0) {
    return(tibble::tibble(term = character(), contrast = character()))
  }
  gradient <- do.call(rbind, lapply(rows, `[[`, "gradient"))
  tibble::tibble(
    term = vapply(rows, `[[`, "", "term"), contrast = vapply(rows, `[[`, "", "contrast"),
    infer(vapply(rows, `[[`, 0, "estimate"), gradient, errors, conf_level)
  )
}

like <- function(x, value) {
  if (is.factor(x)) factor(rep(value, length(x)), levels(x), ordered = is.ordered(x)) else
    rep(value, length(x))
}

summarise_share <- function(model, data, options) {
  weighted <- options$weight != "none"
  likelihood <- stats::logLik(model)
  negative_binomial <- inherits(model, "negbin")
  tibble::tibble(
    unit = options$unit, family = if (negative_binomial) "negative binomial" else "poisson",
    nobs = length(model$y), tibble::as_tibble(data$summary), mean = mean(model$y),
    theta = if (negative_binomial) model$theta else Inf,
    logLik = if (weighted) NA_real_ else as.double(likelihood),
    AIC = if (weighted) NA_real_ else stats::AIC(likelihood),
    BIC = if (weighted) NA_real_ else stats::BIC(likelihood),
    deviance = stats::deviance(model), df.residual = stats::df.residual(model),
    cluster = options$cluster, variance = options$variance,
    n_groups = min(lengths(lapply(data$groups, `[[`, "labels"))),
    weight = options$weight, conf_level = options$conf_level
  )
}
