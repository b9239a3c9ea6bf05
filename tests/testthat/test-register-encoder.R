mean_colour <- function(pictures) {
  apply(pictures, c(1, 4), mean)
}

test_that("an encoder of one's own is used like any other", {
  skip_if_no_core()
  expect_identical(expect_invisible(
    register_encoder("r_colour", mean_colour, input_size = 16, version = "1")
  ), "r_colour")
  line <- dplyr::filter(list_encoders(), name == "r_colour")
  expect_equal(line[c("input", "width", "ready")], tibble::tibble(
    input = 16L, width = 3L, ready = TRUE
  ))
  expect_equal(line$note, "registered by you, version 1")
  run <- withr::local_tempdir()
  folder <- imagestrata_example("images")
  embeddings <- embed_images(folder, encoder = "r_colour", out = run, progress = FALSE)
  expect_equal(dim(as.matrix(embeddings)), c(nrow(embeddings), 3L))
  again <- embed_images(folder, encoder = "r_colour", out = run, progress = FALSE)
  expect_identical(as.matrix(again), as.matrix(embeddings))
  topics <- cluster_images(
    folder, "kmeans", n_clusters = 3, encoder = "r_colour", out = run, progress = FALSE
  )
  expect_equal(glance(topics)$encoder, "r_colour")
})

test_that("pictures arrive as they are: pictures, rows, columns, colours", {
  skip_if_no_core()
  seen <- NULL
  register_encoder("watching", function(pictures) {
    seen <<- pictures
    mean_colour(pictures)
  }, input_size = 64)
  folder <- withr::local_tempdir()
  # The left half is red, the right half blue; the upper quarter is green.
  pixels <- array(0, c(64, 64, 3))
  pixels[, 1:32, 1] <- 1
  pixels[, 33:64, 3] <- 1
  pixels[1:16, , ] <- rep(c(0, 1, 0), each = 16 * 64)
  grDevices::png(file.path(folder, "a.png"), 64, 64)
  grid::grid.raster(pixels, width = 1, height = 1, interpolate = FALSE)
  grDevices::dev.off()
  made <- embed_images(folder, encoder = "watching", resize = "squish", progress = FALSE)
  expect_type(seen, "integer")
  expect_equal(dim(seen), c(1, 64, 64, 3))
  expect_equal(as.vector(seen), 255 * as.vector(pixels))
  expect_equal(as.vector(as.matrix(made)), 255 * c(3, 2, 3) / 8)
})

test_that("a changed encoder is refused: its code, or what it uses", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  run <- withr::local_tempdir()
  weights <- c(1, 1, 1)
  weighted <- function(pictures) {
    mean_colour(pictures) %*% diag(weights)
  }
  register_encoder("changing", weighted, input_size = 8)
  old <- embed_images(folder, encoder = "changing", out = run, progress = FALSE)
  weights <- c(1, 1, 1.05)
  expect_error(
    embed_images(folder, encoder = "changing", out = run, progress = FALSE),
    "already holds the step",
    class = "imagestrata_error"
  )
  weights <- c(1, 1, 1)
  expect_identical(
    as.matrix(embed_images(folder, encoder = "changing", out = run, progress = FALSE)),
    as.matrix(old)
  )
  register_encoder("changing", function(pictures) mean_colour(pictures), input_size = 8)
  expect_error(
    embed_images(folder, encoder = "changing", out = run, progress = FALSE),
    "already holds the step"
  )
})

test_that("comments and layout are no change", {
  same <- list(
    eval(parse(text = "function(x) { x + 1 }", keep.source = TRUE)),
    eval(parse(text = "function(x) {\n  # adds one\n  x   +   1\n}", keep.source = TRUE)),
    eval(parse(text = "function(x) {\n  x + 1\n}", keep.source = FALSE))
  )
  codes <- vapply(same, code_of_function, "")
  expect_length(unique(codes), 1)
  expect_false(code_of_function(function(x) { # nolint: brace_linter.
    x + 2
  }) %in% codes)
  expect_null(code_of_function(sum))
})

test_that("what an encoder cannot be is said at once", {
  skip_if_no_core()
  refused <- function(encode, ..., name = "mine") {
    gsub("\\s+", " ", conditionMessage(expect_error(
      register_encoder(name, encode, input_size = 8, ...), class = "imagestrata_error"
    )))
  }
  expect_match(refused(5), "`encode` must be a function of pictures")
  expect_match(refused(mean_colour, name = "hog"), "\"hog\" is the name of an encoder")
  expect_match(refused(mean_colour, name = "a b"), "must consist of letters")
  expect_match(refused(sum), "source of `encode` is not known.*version = \"1\"")
  expect_match(refused(\(x) stop("no model")), "\"mine\" stopped with an error: no model")
  expect_match(refused(\(x) mean_colour(x)[, 1]), "must return a numeric matrix.*drop = FALSE")
  expect_match(refused(\(x) t(mean_colour(x))), "seem to be exchanged|received 1 picture")
  expect_match(refused(\(x) mean_colour(x) * NA), "NaN or infinite numbers for a test picture")
  expect_match(refused(\(x) scale(mean_colour(x), scale = FALSE)), "came alone")
  expect_false("mine" %in% list_encoders()$name)
})

test_that("Ctrl-C in an encoder leaves a usable session", {
  skip_if_no_core()
  skip_on_os("windows")
  found <- fresh_r("
    encode <- function(pictures) {
      if (stopping && dim(pictures)[1] == 8) tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(0)
      apply(pictures, c(1, 4), mean)
    }
    stopping <- FALSE
    register_encoder('mine', encode, input_size = 8)
    stopping <- TRUE
    embed <- function() {
      embed_images(imagestrata_example('images'), encoder = 'mine', progress = FALSE)
    }
    caught <- tryCatch(embed(), interrupt = function(condition) 'interrupted')
    stopping <- FALSE
    list(caught, nrow(embed()))
  ")
  expect_equal(found, list("interrupted", 92L))
})

test_that("Python calls no function of R outside the main thread", {
  skip_if_no_core()
  register_encoder("mine", mean_colour, input_size = 8)
  reticulate::py_run_string("
def said_in_a_thread(folder):
    from concurrent.futures import ThreadPoolExecutor
    from imagestrata import embed_images

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(embed_images, folder, encoder='mine', progress=False)
        return str(work.exception())
")
  said <- reticulate::py$said_in_a_thread(imagestrata_example("images"))
  expect_match(said, "outside the main thread")
})
