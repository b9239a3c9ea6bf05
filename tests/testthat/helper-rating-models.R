# Models of ratings whose tables the tests of both languages read; tests/python/test_rating_model.py
# repeats the arguments.
golden_model_cases <- function() {
  moderated <- "~ group * ideology + gender"
  list(
    group = list("~ group"),
    moderated = list(moderated, respondent_weight = "survey_weight"),
    respondent = list(moderated, weight = "corpus", variance = "respondent"),
    image = list(moderated, weight = "share", variance = "image"),
    clusters = list("~ group + cluster", weight = "none"),
    interaction = list("~ group * cluster"),
    months = list("c(proud, aversion) ~ group * month", weight_by = c("group", "month")),
    spline = list("proud ~ 0 + gender + ns(ideology, df = 2)", conf_level = 0.9),
    holes = list("~ group"),
    collinear = list("angry ~ group + month + cluster", weight = "none", variance = "respondent")
  )
}

golden_effect_cases <- function() {
  list(
    mean = list("group"),
    difference = list("group", method = "difference", by = list(ideology = c(1, 5))),
    continuous = list("ideology", n_points = 3),
    slope = list("ideology", method = "slope", by = "group", items = "proud")
  )
}

# A list of tables.
golden_rating_models <- function() {
  cases <- golden_model_cases()
  models <- lapply(rlang::set_names(names(cases)), function(case) {
    ratings <- read_golden(if (case == "holes") "ratings" else "survey")
    given <- cases[[case]]
    given[[1]] <- stats::as.formula(given[[1]], globalenv())
    quietly(do.call(rating_model, c(list(ratings), given)))
  })
  effects <- lapply(golden_effect_cases(), function(given) {
    table <- do.call(rating_effects, c(list(models$moderated), given))
    dplyr::mutate(table, dplyr::across(dplyr::any_of(c("group", "contrast")), as.character))
  })
  newdata <- data.frame(group = c("D", "R"), ideology = c(2, 4.5), gender = "f")
  list(
    coefficients = dplyr::bind_rows(lapply(models, tidy), .id = "model"),
    terms = dplyr::bind_rows(lapply(models, tidy, "terms"), .id = "model"),
    summary = dplyr::bind_rows(lapply(models, glance), .id = "model"),
    effects = dplyr::bind_rows(effects, .id = "effects"),
    predictions = predict(models$moderated, newdata)
  )
}
