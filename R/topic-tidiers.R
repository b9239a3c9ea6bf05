# Methods of models of topics.

#' @rdname topic_model
#' @param x,object The result of `topic_model()`.
#' @param table `"coefficients"`, `"effects"`, `"predictions"` or `"topics"`.
#' @param conf.int,conf.level,exponentiate As in other packages that tidy models: whether to return
#'   intervals, their level (by default that of the model), and whether coefficients are odds
#'   ratios.
#' @export
tidy.imagestrata_topic_model <- function(x, table = "coefficients", conf.int = TRUE, # nolint
                                         conf.level = NULL, exponentiate = FALSE, ...) { # nolint
  # Packages that tabulate models hand on their own arguments, so the dots are not checked.
  check_choice(
    table, "table", c("coefficients", "effects", "predictions", "topics"), rlang::current_env()
  )
  check_flag(conf.int, "conf.int")
  check_flag(exponentiate, "exponentiate")
  level <- check_share(conf.level %||% x$conf_level, "conf.level")
  found <- switch(table,
    coefficients = add_tests(x$coefficients, level),
    effects = marginal_effects(x, level),
    predictions = predicted_prevalence(x, level),
    topics = return(x$topics)
  )
  if (exponentiate) {
    if (table != "coefficients") {
      abort_imagestrata("{.code exponentiate = TRUE} is for coefficients, which are log odds.")
    }
    values <- c("estimate", "conf.low", "conf.high")
    found[values] <- lapply(found[values], exp)
  }
  if (!conf.int) found$conf.low <- found$conf.high <- NULL
  found
}

#' @rdname topic_model
#' @export
glance.imagestrata_topic_model <- function(x, ...) {
  tibble::tibble(
    n_topics = nrow(x$topics),
    n_modelled = sum(!vapply(x$fits, is.null, NA)),
    n_posts = x$n_posts,
    n_authors = length(unique(x$author)),
    n_coefficients = ncol(x$z),
    n_left_out = x$n_left_out,
    variance = x$variance,
    conf_level = x$conf_level,
    nobs = x$n_posts
  )
}

#' @rdname topic_model
#' @param topics Numbers or names of topics, by default (`NULL`) all.
#' @export
augment.imagestrata_topic_model <- function(x, topics = NULL, ...) {
  check_dots(...)
  which <- pick_topics(x, topics)
  n <- length(x$post_id)
  if (n * length(which) > 5e7) {
    abort_imagestrata(
      "The table would have {big(n * length(which))} rows: {big(n)} posts times {length(which)}
       topics.",
      hint = "Name some of the {.arg topics}."
    )
  }
  dplyr::bind_rows(lapply(which, function(i) {
    fitted <- if (is.null(x$fits[[i]])) NA_real_ else logit_at(x$fits[[i]], x$z)$p[x$cell]
    shown <- seq_len(n) %in% x$shown[[i]]
    tibble::tibble(
      post_id = x$post_id, x$topics[rep(i, n), 1:2], shown = shown, .fitted = fitted,
      .resid = shown - fitted
    )
  }))
}

#' @rdname topic_model
#' @param newdata A data frame with the covariates of the model.
#' @param type `"response"`, probabilities, or `"link"`, log odds.
#' @export
predict.imagestrata_topic_model <- function(object, newdata, topics = NULL, type = "response",
                                            conf_level = 0.95, ...) {
  check_dots(...)
  check_choice(type, "type", c("response", "link"), rlang::current_env())
  level <- check_share(conf_level, "conf_level")
  check_data_frame(newdata, "newdata", needs = names(object$data))
  z <- rows_at(object, covariates_like(newdata, object$data))
  which <- pick_topics(object, topics)
  found <- dplyr::bind_rows(lapply(which, function(i) {
    fit <- object$fits[[i]]
    n <- nrow(z)
    table <- tibble::tibble(row = seq_len(n), object$topics[rep(i, n), 1:2])
    if (is.null(fit)) {
      table[c("estimate", "std.error", "df")] <- NA_real_
      table$reason <- object$topics$reason[i]
      return(table)
    }
    at <- logit_at(fit, z)
    errors <- estimate_contrasts(object, fit, sandwich_of(object, fit, i), z)
    lost <- at$infinite | !is.na(errors$alone)
    spread <- if (type == "response") at$p * (1 - at$p) else 1
    table$estimate <- if (type == "response") at$p else stats::qlogis(at$p)
    table$std.error <- ifelse(lost, NA, errors$std.error * spread)
    table$df <- ifelse(lost, NA, errors$df)
    table$reason <- rep(NA_character_, n)
    table$reason[lost] <- paste("rests on the author", errors$alone[lost])
    table$reason[at$infinite] <- "infinite"
    table
  }))
  found <- add_tests(found, level, if (type == "response") "logit" else "linear")
  found[setdiff(names(found), c("statistic", "p.value"))]
}

# New data with the types of the covariates of the model.
covariates_like <- function(newdata, data, call = rlang::caller_env()) {
  newdata <- plain_columns(newdata)[names(data)]
  for (name in names(data)) {
    x <- data[[name]]
    if (is.factor(x)) {
      wrong <- setdiff(as.character(newdata[[name]]), c(levels(x), NA))
      if (length(wrong) > 0) {
        abort_imagestrata(
          "{.field {name}} of {.arg newdata} has {.val {wrong}}, which no post of the model has.",
          call = call
        )
      }
      newdata[[name]] <- factor(as.character(newdata[[name]]), levels(x))
    } else if (!identical(class(x)[1], class(newdata[[name]])[1]) &&
      !(is.numeric(x) && is.numeric(newdata[[name]]) && !is.object(newdata[[name]]))) {
      abort_imagestrata(
        "{.field {name}} of {.arg newdata} must be {.cls {class(x)[1]}} as in the model, not {.cls
         {class(newdata[[name]])[1]}}.",
        call = call
      )
    }
    if (anyNA(newdata[[name]])) {
      abort_imagestrata("{.field {name}} of {.arg newdata} has missing values.", call = call)
    }
  }
  newdata
}

model_heading <- function(x) {
  line <- glance(x)
  paste0(
    "Logistic model of ", count_of(line$n_topics, if (x$level == "theme") "theme" else "topic"),
    " in ", count_of(line$n_posts, "post"), " by ", count_of(line$n_authors, "author"), ": ",
    paste(deparse(rlang::new_formula(NULL, rlang::f_rhs(x$formula))), collapse = " ")
  )
}

#' @export
print.imagestrata_topic_model <- function(x, ...) {
  write_heading(c(model_heading(x), errors_sentence(x)))
  print(tidy(x), ...)
  invisible(x)
}

errors_sentence <- function(x) {
  errors <- c(
    CR2 = "corrected for few and uneven authors (CR2)",
    sandwich = "not corrected for few authors"
  )
  paste0(
    "Standard errors clustered on authors, ", errors[[x$variance]], "; ", 100 * x$conf_level,
    "% intervals"
  )
}

#' @rdname topic_model
#' @export
summary.imagestrata_topic_model <- function(object, topics = NULL, ...) {
  check_dots(...)
  structure(
    list(model = object, topics = pick_topics(object, topics)),
    class = "imagestrata_topic_summary"
  )
}

# As stm prints summaries of estimateEffect().
#' @export
print.imagestrata_topic_summary <- function(x, ...) {
  model <- x$model
  writeLines(c(model_heading(model), errors_sentence(model)))
  table <- tidy(model)
  for (i in x$topics) {
    about <- model$topics[i, ]
    name <- if (about[[1]] == -1) "residual" else about[[2]]
    writeLines(c("", paste0(
      sentence(model$level), " ", about[[1]], if (!is.na(name)) paste0(" (", name, ")"), ", ",
      count_of(about$n_posts, "post"), " by ", count_of(about$n_authors, "author"), ":"
    )))
    if (is.null(model$fits[[i]])) {
      writeLines(paste("Not modelled:", about$reason))
      next
    }
    writeLines(c("", "Coefficients:"))
    rows <- table[table[[1]] == about[[1]], ]
    columns <- rows[c("estimate", "std.error", "df", "statistic", "p.value")]
    shown <- as.matrix(columns)
    dimnames(shown) <- list(rows$term, c("Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"))
    stats::printCoefmat(shown, P.values = TRUE, has.Pvalue = TRUE, cs.ind = 1:2, tst.ind = 4)
    for (reason in unique(rows$reason[!is.na(rows$reason)])) {
      cat(paste0(sentence(reason), ": ", toString(rows$term[rows$reason %in% reason])), fill = TRUE)
    }
  }
  invisible(x)
}
