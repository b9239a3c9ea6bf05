# Methods by which emmeans and marginaleffects work on models of ratings. R registers them when
# these packages are loaded, so that neither is needed. All items and dimensions are one vector of
# coefficients, named "item:term".

# ---- emmeans ---------------------------------------------------------------------------------

#' @exportS3Method emmeans::recover_data
recover_data.imagestrata_rating_model <- function(object, item = NULL, ...) { # nolint
  # emmeans shows text that is returned as an error.
  wrong <- tryCatch({
    pick_measures(object, item)
    NULL
  }, imagestrata_error = conditionMessage)
  if (!is.null(wrong)) {
    return(wrong)
  }
  terms <- stats::delete.response(object$terms)
  data <- as.data.frame(tibble::new_tibble(object$data, nrow = nrow(object$x)))
  emmeans::recover_data(rlang::call2("rating_model"), terms, na.action = NULL, data = data)
}

#' @exportS3Method emmeans::emm_basis
emm_basis.imagestrata_rating_model <- function(object, trms, xlev, grid, item = NULL, ...) { # nolint
  which <- pick_measures(object, item)
  refused <- vapply(object$fits[which], \(fit) !is.null(fit$refused), NA)
  which <- which[!refused]
  lost <- unique(lapply(object$fits[which], `[[`, "lost"))
  if (length(lost) != 1) {
    abort_imagestrata(
      "Items and dimensions lack different coefficients.",
      hint = "Name one: {.code item = \"{object$measures$item[which[1]]}\"}."
    )
  }
  x <- matrix_at(object, grid[names(object$data)])
  fit <- object$fits[[which[1]]]
  kept <- is.na(lost[[1]])
  estimates <- vapply(object$fits[which], coefficient_estimates, numeric(ncol(x)))
  v <- vcov_of_measures(object, which)
  misc <- list()
  if (length(which) > 1) {
    misc$ylevs <- list(item = measure_labels(object$measures)[which])
    x <- kronecker(diag(length(which)), x)
  }
  list(
    X = x, bhat = as.numeric(estimates),
    nbasis = if (all(kept)) matrix(NA) else kronecker(diag(length(which)), null_space(fit)),
    V = v[!is.na(diag(v)), !is.na(diag(v)), drop = FALSE],
    dffun = function(k, dfargs) dfargs$df(k),
    dfargs = list(df = df_of_stacked(object, which)), misc = misc
  )
}

vcov_of_measures <- function(object, which) {
  if (length(which) == 1) {
    covariance_of_fit(object, object$fits[[which]])
  } else {
    joint_covariance(object, which)
  }
}

# Degrees of freedom of a combination of the coefficients of several measures: the fewest of them.
df_of_stacked <- function(object, which) {
  force(object)
  force(which)
  known <- rep(is.na(object$fits[[which[1]]]$lost), length(which))
  function(k) {
    # emmeans leaves coefficients that are missing out.
    by_measure <- matrix(replace(numeric(length(known)), known, k), ncol(object$x))
    acts <- which(colSums(by_measure != 0) > 0)
    df <- vapply(acts, function(j) {
      fit <- object$fits[[which[j]]]
      row <- t(by_measure[, j])
      found <- if (object$method == "mixed") {
        errors_of_mixed(object, fit, row)
      } else {
        errors_of_design(object, fit, t(fit$turn) %*% t(row))
      }
      found$df
    }, 0)
    min(df, Inf)
  }
}

# ---- marginaleffects -------------------------------------------------------------------------

#' @exportS3Method marginaleffects::get_coef
get_coef.imagestrata_rating_model <- function(model, ...) { # nolint
  stacked_coefficients(model)
}

#' @exportS3Method marginaleffects::set_coef
set_coef.imagestrata_rating_model <- function(model, coefs, ...) { # nolint
  model$stacked <- coefs
  model
}

#' @exportS3Method marginaleffects::get_vcov
get_vcov.imagestrata_rating_model <- function(model, vcov = NULL, ...) { # nolint
  v <- joint_or_blocks(model)
  v[!is.na(diag(v)), !is.na(diag(v)), drop = FALSE]
}

# A row for each row of `newdata` and measure, which is the `group`.
#' @exportS3Method marginaleffects::get_predict
get_predict.imagestrata_rating_model <- function(model, newdata, type = "response", ...) { # nolint
  which <- seq_along(model$fits)
  x <- new_rows(model, newdata)
  estimates <- stacked_coefficients(model)
  names <- colnames(model$x)
  labels <- measure_labels(model$measures)
  dplyr::bind_rows(lapply(which, function(i) {
    own <- estimates[paste(labels[i], names, sep = ":")]
    own[is.na(own)] <- 0
    table <- data.frame(rowid = seq_len(nrow(x)), estimate = drop(x %*% own))
    if (length(which) > 1) table$group <- labels[i]
    table
  }))
}

stacked_coefficients <- function(model) {
  if (!is.null(model$stacked)) {
    return(model$stacked)
  }
  found <- rlang::set_names(
    model$coefficients$estimate, joint_names(model, seq_along(model$fits))
  )
  found[!is.na(found)]
}

# Mixed models of items are fitted one by one: between them, there are no covariances.
joint_or_blocks <- function(model) {
  which <- seq_along(model$fits)
  if (length(which) > 1) {
    return(joint_covariance(model, which))
  }
  v <- covariance_of_fit(model, model$fits[[1]])
  dimnames(v) <- list(joint_names(model, 1), joint_names(model, 1))
  v
}
