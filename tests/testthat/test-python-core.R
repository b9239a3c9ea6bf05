test_that("values come through, with arguments as they are", {
  calls <- local_core(verb = function(...) 42)
  expect_equal(call_core("verb", list(1, "a"), seed = 0), 42)
  expect_equal(calls$verb, list(list(1, "a"), seed = 0))
})

test_that("an error of Python is a condition with message, hint and traceback", {
  local_core(
    scan_images = \(...) failing_answer("ImagestrataError", "There {is} no {.val x}.", "Look."),
    embed_images = \(...) failing_answer("MissingWeightsError", "No weights.", "Use \"hog\"."),
    list_encoders = \(...) failing_answer("ValueError", "Unforeseen", traceback = "Traceback: x")
  )
  folder <- withr::local_tempdir()
  expect_snapshot(scan_images(folder), error = TRUE)
  expect_snapshot(embed_images(folder), error = TRUE)
  error <- expect_error(embed_images(folder), class = "imagestrata_error")
  expect_s3_class(error, "MissingWeightsError")
  expect_equal(error$hint, "Use \"hog\".")
  error <- expect_error(list_encoders(), class = "imagestrata_error")
  expect_equal(error$traceback, "Traceback: x")
})

test_that("warnings of Python are warnings of R, also before an error", {
  local_core(
    good = \(...) structure(list(value = 1, warnings = "slow {disk}"), class = "answer"),
    bad = \(...) failing_answer("ImagestrataError", "No.", warnings = list("one", "two"))
  )
  expect_warning(expect_equal(call_core("good"), 1), "slow {disk}", fixed = TRUE)
  expect_error(
    expect_warning(expect_warning(call_core("bad"), "one"), "two"),
    class = "imagestrata_error"
  )
})

test_that("an interrupt of Python is one of R", {
  local_core(scan_images = \(...) failing_answer("interrupt", "Interrupted."))
  caught <- tryCatch(scan_images(withr::local_tempdir()), interrupt = identity)
  expect_s3_class(caught, "interrupt")
})

test_that("loading the package does not start Python", {
  started <- fresh_r("reticulate::py_available()")
  expect_false(started)
})

test_that("printing, plotting and saving results does not start Python", {
  started <- fresh_r("
    topics <- demo_topics()
    path <- tempfile()
    saveRDS(topics, path)
    capture.output(print(readRDS(path)), print(summary(topics)), print(demo_sample()))
    pdf(NULL)
    print(ggplot2::autoplot(topics))
    tidy(topics); glance(topics); augment(topics)
    reticulate::py_available()
  ")
  expect_false(started)
})

test_that("without any Python the package loads, and functions say what to do", {
  found <- fresh_r(
    "
      folder <- tempfile(); dir.create(folder)
      error <- tryCatch(scan_images(folder), error = identity)
      list(class = class(error), message = conditionMessage(error), ready = imagestrata_ready(),
           doctor = capture.output(print(imagestrata_doctor())))
    ",
    env = c(
      RETICULATE_PYTHON = "", PATH = "/nonexistent", WORKON_HOME = "/nonexistent",
      RETICULATE_MINICONDA_PATH = "/nonexistent", HOME = "/nonexistent", R_USER = "/nonexistent"
    )
  )
  expect_true("imagestrata_error" %in% found$class)
  expect_match(found$message, "install_imagestrata()", fixed = TRUE)
  expect_false(found$ready)
  expect_match(found$doctor, "install_imagestrata()", fixed = TRUE, all = FALSE)
})

test_that("a Python without the packages is named, and RETICULATE_PYTHON blamed", {
  skip_if_no_core()
  bare <- withr::local_tempdir()
  run_python(find_pythons()[[1]], c("-m", "venv", "--without-pip", bare), "make an environment")
  error <- fresh_r(
    "tryCatch(list_encoders(), error = identity)",
    env = c(RETICULATE_PYTHON = environment_python(bare))
  )
  expect_s3_class(error, "imagestrata_no_core")
  expect_match(conditionMessage(error), "It lacks")
  expect_match(conditionMessage(error), "RETICULATE_PYTHON")
})

test_that("a new reticulate is told what is needed, an old one which environment to take", {
  withr::local_envvar(WORKON_HOME = withr::local_tempdir())
  local_replaced("has_py_require", \() TRUE)
  local_replaced("py_require", \(...) list(...))
  wanted <- choose_environment()
  expect_equal(wanted[[1]], core_requirements())
  expect_equal(wanted$python_version, ">=3.11")
  local_replaced("has_py_require", \() FALSE)
  expect_null(choose_environment())
})

test_that("conflicts of threads are seen at load", {
  expect_length(thread_conflicts("/usr/lib/libopenblas.so", "stats"), 0)
  expect_match(thread_conflicts("/opt/libmkl_rt.so", "stats")$mkl, "MKL", all = FALSE)
  expect_match(thread_conflicts("libblas.so", c("stats", "torch"))$torch, "two copies", all = FALSE)
})

test_that("R and torch compute with many threads in one session", {
  skip_if_no_core()
  product <- fresh_r("
    folder <- imagestrata_example('images')
    m <- crossprod(matrix(runif(4e5), 1000))
    embeddings <- embed_images(folder, encoder = 'hog', progress = FALSE)
    torch <- reticulate::import('torch')
    x <- torch$rand(500L, 500L)
    y <- torch$mm(x, x)$sum()$item()
    m <- crossprod(m)
    is.finite(y) && all(is.finite(m))
  ")
  expect_true(product)
})

test_that("messages of the core name arguments and values as R does", {
  skip_if_no_core()
  images <- list(kind = "path", path = imagestrata_example("images"))
  error <- rlang::catch_cnd(call_core("scan_images", images, min_bytes = NULL))
  expect_equal(error$hint, NULL)
  expect_match(conditionMessage(error), "`min_bytes` must be a whole number, not NULL")
  expect_equal(error$code, "invalid_input")
  expect_equal(error$names, "min_bytes")
})
