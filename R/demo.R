#' Draw a corpus of images to try things on
#'
#' Scenes of many kinds like those that social scientists collect, as unbalanced as real
#' piles of images, with unusual formats, copies and broken files among them. All are drawn
#' by the package itself. `labels.csv` in the folder says what is what.
#'
#' @param out A new folder for the drawn images.
#' @param n_images How many files, 20 to 10,000.
#' @param seed The same seed draws the same images.
#' @inheritParams scan_images
#'
#' @returns The path of the folder, invisibly.
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- draw_demo_corpus(tempfile(), n_images = 20, progress = FALSE)
#' head(list.files(folder, recursive = TRUE))
draw_demo_corpus <- function(out, n_images = 600, seed = 0, progress = TRUE, ...) {
  check_dots(...)
  invisible(call_verb("draw_demo_corpus"))
}

#' The small example that comes with the package
#'
#' A few drawn images, and what the verbs made of them. It needs no Python.
#'
#' @param name `"images"` for the folder of images, `"labels.csv"` for labels of them,
#'   `"model"` for the folder of a model that has learnt them; without it, the folder of all
#'   examples.
#' @inheritParams scan_images
#'
#' @returns `imagestrata_example()` a path; `demo_topics()` what [cluster_images()] returned
#'   for these images, with the encoder `"hog"`; `demo_sample()` what [sample_images()] drew
#'   from it; `demo_model()` what [fine_tune()] made of them and of `"labels.csv"`.
#' @export
#' @examples
#' imagestrata_example("images")
#' demo_topics()
#' demo_sample()
#' demo_model()
imagestrata_example <- function(name = "", ...) {
  check_dots(...)
  name <- check_string(name, "name")
  path <- system.file("extdata", name, package = "imagestrata")
  if (!nzchar(path)) {
    known <- list.files(system.file("extdata", package = "imagestrata"))
    abort_imagestrata("There is no example {.val {name}}.", hint = "There is {.val {known}}.")
  }
  path
}

#' @rdname imagestrata_example
#' @export
demo_topics <- function(...) {
  check_dots(...)
  read_example("topics.rds")
}

#' @rdname imagestrata_example
#' @export
demo_sample <- function(...) {
  check_dots(...)
  read_example("sample.rds")
}

#' @rdname imagestrata_example
#' @export
demo_model <- function(...) {
  check_dots(...)
  model <- readRDS(imagestrata_example("model.rds"))
  paths <- augment(model)$path
  attr(model, "tables")$predictions$path <- file.path(imagestrata_example(), paths)
  model$folder <- imagestrata_example("model")
  model
}

# Paths are stored relative to the examples.
read_example <- function(name) {
  example <- readRDS(imagestrata_example(name))
  example$path <- file.path(imagestrata_example(), example$path)
  example
}
