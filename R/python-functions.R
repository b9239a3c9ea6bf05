# Functions of users that Python calls: encoders and methods of clustering of their own. Their
# counterpart is python/imagestrata/bridge/functions.py. Neither errors nor interrupts may pass
# through Python, so a function answers with its value, or with what stopped it.

answering <- function(code) {
  tryCatch(
    list(value = code),
    interrupt = function(condition) {
      the$failure <- NULL
      list(interrupted = TRUE)
    },
    imagestrata_wrong_answer = \(condition) condition[c("wrong", "hint")],
    error = \(condition) list(error = paste(conditionMessage(condition), collapse = "\n"))
  )
}

# What a function returned is not what Python needs.
refuse_answer <- function(wrong, hint = "", .envir = parent.frame()) {
  stop(structure(
    class = c("imagestrata_wrong_answer", "error", "condition"),
    list(
      message = "wrong answer", call = NULL,
      wrong = format_text(wrong, .envir), hint = format_text(hint, .envir)
    )
  ))
}

send_encoder <- function(encode) {
  function(pixels, dim) {
    answering(encode_matrix(as_vectors(encode(
      array(as.integer(pixels), as.integer(unlist(dim)))
    ))))
  }
}

# A vector is a matrix of one column, which Python refuses if it has more than one picture.
as_vectors <- function(made) {
  if (is.data.frame(made)) {
    made <- as.matrix(made)
  }
  if (!is.matrix(made) || !(is.numeric(made) || is.logical(made))) {
    refuse_answer(
      "must return a numeric matrix with one row per picture, not {seen(made)}.",
      "A single picture needs a matrix of one row, too: use {.code drop = FALSE}."
    )
  }
  made
}

send_clusterer <- function(method) {
  list(kind = "clusterer", run = function(matrix) {
    answering(encode_matrix(as.matrix(as_clusters(method(decode_matrix(matrix))))))
  })
}

# R's functions write 0 for noise (dbscan, mclust), which would be a cluster.
as_clusters <- function(labels) {
  if (is.factor(labels) || !(is.numeric(labels) || all(is.na(labels))) || !is.null(dim(labels))) {
    refuse_answer("must return a whole number for each row of the matrix, not {seen(labels)}.")
  }
  if (any(labels == 0, na.rm = TRUE)) {
    refuse_answer(
      "returned the cluster 0, which many functions use for noise.",
      "Number clusters from 1, and write -1 or {.code NA} for the residual."
    )
  }
  labels <- as.double(labels)
  replace(labels, is.na(labels), -1)
}

# The code of a function without comments and layout; NULL for functions that are not written in R.
code_of_function <- function(f) {
  if (!is.primitive(f)) {
    rlang::hash(deparse(list(formals(f), body(f)), control = c("keepNA", "keepInteger")))
  }
}
