#' Draw a corpus of example images
#'
#' Draws scenes like those in images that social scientists collect. As in real corpora, some kinds
#' are frequent and others rare, and some files have unusual formats, are copies or are damaged. The
#' package draws all images itself. The file `labels.csv` in the folder names the kind of each
#' image.
#'
#' @param out A new folder for the drawn images.
#' @param n_images Number of files, 20 to 10,000.
#' @param seed Seed: the same seed draws the same images.
#' @inheritParams scan_images
#'
#' @returns The path of the folder, invisibly.
#' @export
#' @examplesIf imagestrata_ready()
#' folder <- draw_demo_corpus(tempfile(), n_images = 20, progress = FALSE)
#' head(list.files(folder, recursive = TRUE))
draw_demo_corpus <- function(out, n_images = 600, seed = 0, progress = TRUE, ...) {
  invisible(call_verb("draw_demo_corpus"))
}

#' Use the small example in the package
#'
#' Returns a few drawn images and results of the verbs for them. You need no Python.
#'
#' @param name `"images"` for the folder of images, `"labels.csv"` for labels of them, `"model"` for
#'   the folder of a model trained on them. By default the folder of all examples.
#' @inheritParams scan_images
#'
#' @returns `imagestrata_example()` returns a path; `demo_topics()` the result of [cluster_images()]
#'   for these images, with the encoder `"hog"`; `demo_sample()` a sample that [sample_images()]
#'   drew from it; `demo_model()` the result of [fine_tune()] for the images and `"labels.csv"`.
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
    abort_imagestrata("The example {.val {name}} does not
                       exist.", hint = "The examples are {.val {known}}.")
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
