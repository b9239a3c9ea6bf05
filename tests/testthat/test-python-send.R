test_that("a verb's arguments are sent by name, in its order, as what their defaults are", {
  calls <- local_core(reassign = \(...) list(...))
  verb <- function(a = 1, b = "x", c = TRUE, d = NULL, e = NULL, label = NULL, ...) {
    call_verb("reassign", e = "as it is")
  }
  expect_identical(
    verb(d = 2, label = "y"),
    list(a = 1, b = "x", c = TRUE, d = 2L, e = "as it is", label = "y")
  )
  expect_identical(
    verb(a = 5), list(a = 5, b = "x", c = TRUE, d = NULL, e = "as it is", label = NULL)
  )
  for (wrong in list(quote(verb(a = "1")), quote(verb(b = 2)), quote(verb(c = 1)),
                     quote(verb(d = "2")), quote(verb(label = 3)))) {
    said <- rlang::catch_cnd(eval(wrong), "imagestrata_error")
    expect_match(said$message, "must be", info = deparse(wrong))
    expect_equal(said$call[[1]], quote(verb))
  }
  required <- function(column) call_verb("reassign")
  expect_identical(required("x"), list(column = "x"))
  expect_error(required(2), "one piece of text", class = "imagestrata_error")
  expect_error(required(), "`column` must be given", class = "imagestrata_error")
})

test_that("what may be left out is checked for what Python says that it holds", {
  skip_if_no_core()
  hints <- reticulate::py_run_string("
import inspect, imagestrata
rows = [
    (verb, parameter.name, str(parameter.annotation))
    for verb in imagestrata.__all__ if inspect.isfunction(getattr(imagestrata, verb))
    for parameter in inspect.signature(getattr(imagestrata, verb)).parameters.values()
    if parameter.default is None
]
verbs, names, hints = (list(column) for column in zip(*rows))
")
  hints <- data.frame(
    verb = unlist(hints$verbs), name = unlist(hints$names), hint = unlist(hints$hints)
  )
  listed <- names(as.list(body(send_argument)[[2]]))
  calls_verb <- function(verb) {
    exists(verb, asNamespace("imagestrata"), inherits = FALSE) &&
      any(all.names(body(get(verb, asNamespace("imagestrata")))) == "call_verb")
  }
  hints <- hints[vapply(hints$verb, calls_verb, NA) & !hints$name %in% listed, ]
  kind <- ifelse(grepl("^str|\\bstr \\|", hints$hint), "text", NA)
  kind[grepl("\\bbool\\b", hints$hint)] <- "flag"
  kind[grepl("\\b(int|float)\\b", hints$hint)] <- "number"
  ours <- ifelse(hints$name %in% text_arguments, "text", "number")
  ours[hints$name %in% flag_arguments] <- "flag"
  # Whatever is sent in a form of its own stands in the verb itself.
  own <- mapply(function(verb, name) {
    text <- paste(deparse(body(get(verb, asNamespace("imagestrata")))), collapse = " ")
    grepl(paste0("\\b", name, " = "), text)
  }, hints$verb, hints$name)
  known <- !is.na(kind) & !own
  expect_gt(sum(known), 40)
  expect_equal(
    paste(hints$verb, hints$name, ours)[known], paste(hints$verb, hints$name, kind)[known]
  )
})
