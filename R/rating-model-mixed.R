# Mixed models of ratings (lme4): respondents, images and clusters are random effects.

fit_mixed_models <- function(model, call = rlang::caller_env()) {
  rlang::check_installed(c("lme4", "Matrix"), "for mixed models.", call = call)
  fits <- lapply(model$which, fit_mixed_measure, model = model, call = call)
  tell_mixed(model, fits)
  fits
}

# The mixed model of a measure. Its fixed effects are those of the columns of the model matrix that
# are not collinear.
fit_mixed_measure <- function(measure, model, call) {
  answers <- model$answers
  rows <- which(answers$measure == measure & answers$weight > 0)
  weight <- answers$weight[rows] / sum(answers$weight[rows])
  x <- model$x[answers$row[rows], , drop = FALSE]
  basis <- turned_basis(x, rep(1 / length(rows), length(rows)))
  kept <- which(is.na(basis$lost))
  # Here the coordinates are the kept coefficients themselves.
  turn <- matrix(0, ncol(x), length(kept), dimnames = list(colnames(x), NULL))
  turn[cbind(kept, seq_along(kept))] <- 1
  fit <- list(rows = rows, weight = weight, turn = turn, lost = basis$lost, qr = basis$qr)
  if (length(rows) <= length(kept)) {
    fit$refused <- paste0(
      count_of(length(rows), "rating"), ", no more than the ",
      count_of(length(kept), "coefficient")
    )
    return(fit)
  }
  data <- list(
    rating = answers$rating[rows], .x = x[, kept, drop = FALSE],
    .respondent = factor(answers$respondent[rows]), .image = factor(answers$image[rows])
  )
  if (!is.null(answers$cluster)) data$.cluster <- factor(answers$cluster[rows])
  random <- random_parts(model, data, x)
  data$.slope <- random$slope
  data <- vctrs::new_data_frame(data)
  formula <- stats::as.formula(paste("rating ~ 0 + .x +", paste(random$parts, collapse = " + ")))
  control <- lme4::lmerControl(
    calc.derivs = model$satterthwaite, check.conv.singular = "ignore",
    check.conv.grad = "ignore", check.conv.hess = "ignore"
  )
  trouble <- character()
  mixed <- rlang::try_fetch(
    if (model$satterthwaite) {
      lmerTest::lmer(formula, data, control = control)
    } else {
      lme4::lmer(formula, data, control = control)
    },
    warning = function(warning) {
      trouble <<- c(trouble, conditionMessage(warning))
      rlang::cnd_muffle(warning)
    },
    error = function(error) {
      abort_imagestrata(
        "The mixed model of {.val {model$measures$item[match(measure, model$which)]}} cannot be
         fitted: {conditionMessage(error)}",
        hint = "It needs several respondents, images and clusters; otherwise use {.code method =
                \"design\"}.",
        call = call
      )
    }
  )
  fit$mixed <- mixed
  fit$left_out <- random$left_out
  fit$slopes <- colnames(random$slope)
  fit$sigma <- lme4::getME(mixed, "sigma")
  fit$singular <- lme4::isSingular(mixed)
  # A singular model has no maximum inside, which lmerTest reports as well.
  fit$trouble <- if (!fit$singular) c(trouble, unlist(mixed@optinfo$conv$lme4$messages))
  narrow <- model$target == "these images"
  part <- if (narrow) effects_of_images(mixed, x[, kept, drop = FALSE], weight)
  fit$gamma <- unname(lme4::fixef(mixed)) + if (narrow) part$estimate else 0
  fit$inner <- list(v = if (narrow) part$v else unname(as.matrix(stats::vcov(mixed))))
  fit$residual <- data$rating - drop(x[, kept, drop = FALSE] %*% fit$gamma)
  units <- c(
    nlevels(data$.respondent),
    if (!narrow) if (is.null(data$.cluster)) nlevels(data$.image) else nlevels(data$.cluster)
  )
  fit$df <- max(1, min(units) - length(kept))
  fit
}

# The random effects that the data can tell apart, in the language of lme4.
random_parts <- function(model, data, x) {
  n <- length(data$rating)
  fixed <- intersect(names(model$data), c("cluster", "cluster_name", "stratum"))
  has_clusters <- !is.null(data$.cluster) && length(fixed) == 0 && nlevels(data$.cluster) > 1
  images <- nlevels(data$.image) < n
  respondents <- nlevels(data$.respondent) < n
  slope <- slopes_of_clusters(model, x)
  # A cluster has more answers than random effects.
  if (!has_clusters || (ncol(slope) + 1) * nlevels(data$.cluster) >= n) slope <- slope[, 0]
  has_slope <- length(slope) > 0
  left_out <- c(
    "respondent: every respondent has one rating", "image: every image has one rating"
  )
  of_cluster <- if (has_slope) "(1 + .slope | .cluster)" else "(1 | .cluster)"
  parts <- c("(1 | .respondent)", "(1 | .image)", of_cluster)
  list(
    parts = parts[c(respondents, images, has_clusters)], slope = if (has_slope) slope,
    left_out = left_out[!c(respondents, images)]
  )
}

# The columns of the model matrix that are main effects of the groups.
slopes_of_clusters <- function(model, x) {
  labels <- attr(model$terms, "term.labels")
  columns <- which(model$assign %in% match(model$weight_by, labels))
  slope <- x[, columns, drop = FALSE]
  # Without an intercept, the first group has a column as well.
  if (ncol(slope) > 0 && all(abs(rowSums(slope) - 1) < 1e-12)) slope <- slope[, -1, drop = FALSE]
  slope
}

# What images and clusters add to the coefficients, if these describe the images of the study: the
# weighted regression of their predicted effects on the covariates. `v` is the variance of the
# prediction errors, from Henderson's mixed-model equations (see errors_of_clusters()).
effects_of_images <- function(mixed, x, weight) {
  get <- function(name) lme4::getME(mixed, name)
  start <- get("Gp")
  about <- names(get("cnms"))
  own <- unlist(lapply(which(about != ".respondent"), \(i) seq(start[i] + 1, start[i + 1])))
  z <- Matrix::t(get("Zt"))[, own, drop = FALSE]
  to <- as.matrix(solve(crossprod(x, weight * x), as.matrix(Matrix::crossprod(x, weight * z))))
  random <- matrix(0, nrow(get("Zt")), ncol(x))
  random[own, ] <- t(to)
  factor <- get("L")
  solve_by <- function(x, system) Matrix::solve(factor, x, system = system)
  random <- as.matrix(solve_by(solve_by(get("Lambdat") %*% random, "P"), "L"))
  left <- forwardsolve(t(get("RX")), diag(ncol(x)) - crossprod(as.matrix(get("RZX")), random))
  list(
    estimate = drop(to %*% as.numeric(get("b"))[own]),
    v = get("sigma")^2 * (crossprod(random) + crossprod(left))
  )
}

errors_of_mixed <- function(model, fit, contrasts) {
  at <- t(fit$turn) %*% t(contrasts)
  variance <- colSums(at * (fit$inner$v %*% at))
  df <- rep(fit$df, nrow(contrasts))
  if (inherits(fit$mixed, "lmerModLmerTest") && variance[1] >= 0) {
    df <- apply(at, 2, function(one) {
      if (all(one == 0)) NA_real_ else lmerTest::contest1D(fit$mixed, one)$df
    })
  }
  tibble::tibble(std.error = sqrt(pmax(variance, 0)), df = unname(df), reason = NA_character_)
}

random_effects_of <- function(model) {
  dplyr::bind_rows(lapply(seq_along(model$fits), function(i) {
    fit <- model$fits[[i]]
    if (!is.null(fit$refused)) {
      return(NULL)
    }
    found <- as.data.frame(lme4::VarCorr(fit$mixed))
    found <- found[is.na(found$var2), ]
    # lme4 does not name the column of a matrix that has only one.
    own <- sub("^[.]slope", "", found$var1)
    own[own %in% ""] <- fit$slopes[1]
    tibble::tibble(
      model$measures[rep(i, nrow(found)), 1:3],
      unit = sub("^[.]", "", ifelse(found$grp == "Residual", "residual", found$grp)),
      term = ifelse(is.na(own), "(Intercept)", own),
      estimate = found$sdcor
    )
  }))
}

tell_mixed <- function(model, fits) {
  fits_of <- Filter(\(i) is.null(fits[[i]]$refused), seq_along(fits))
  item <- model$measures$item
  left_out <- unique(unlist(lapply(fits, `[[`, "left_out")))
  singular <- Filter(\(i) fits[[i]]$singular, fits_of)
  trouble <- Filter(\(i) length(fits[[i]]$trouble) > 0, fits_of)
  if (length(left_out) > 0) {
    cli::cli_inform(c("!" = "A random effect is left out. {.val {left_out}}."))
  }
  if (length(singular) > 0) {
    cli::cli_inform(c(
      "!" = "{length(singular)} of {length(fits)} mixed model{?s} {?is/are} singular (first {.val
             {item[singular[1]]}}): a random effect has no variance, or effects are perfectly
             correlated.",
      i = "{.code tidy(x, \"random\")} has the standard deviations. The fixed effects can be used."
    ))
  }
  if (length(trouble) > 0) {
    warn_imagestrata(
      "{length(trouble)} of {length(fits)} mixed models may not have converged (first {.val
       {item[trouble[1]]}}: {fits[[trouble[1]]]$trouble[1]}).",
      "Compare them with {.code method = \"design\"}."
    )
  }
}
