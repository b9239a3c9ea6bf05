test_that("bad images are named with argument, value and remedy", {
  withr::local_dir(withr::local_tempdir())
  dir.create("photos/cats", recursive = TRUE)
  withr::local_envvar(HOME = "/nobody")
  expect_snapshot(error = TRUE, {
    scan_images(NULL)
    scan_images(character())
    scan_images(12)
    scan_images(factor("photos"))
    scan_images(c("photos", NA, NA))
    scan_images("photos\\cats")
    scan_images("photos\\dogs")
    scan_images(data.frame(file = "a.jpg", when = 1))
    scan_images(data.frame(path = factor("a.jpg")))
    scan_images(data.frame(path = c("a.jpg", NA)))
  })
})

test_that("a missing folder is named, with the working directory", {
  expect_error(
    scan_images("nowhere"), "file or folder .*nowhere.* does not exist",
    class = "imagestrata_error"
  )
  expect_error(scan_images("nowhere"), "working directory", class = "imagestrata_error")
  expect_error(scan_images(c("no", "nix", "nada")), "and 2 more", class = "imagestrata_error")
  expect_error(scan_images("~/nowhere"), "~/nowhere", class = "imagestrata_error")
})

test_that("bad arguments are named", {
  folder <- withr::local_tempdir()
  expect_snapshot(error = TRUE, {
    scan_images(folder, min_side = "big")
    scan_images(folder, min_bytes = c(1, 2))
    scan_images(folder, overwrite = NA)
    scan_images(folder, progress = "yes")
    scan_images(folder, out = factor("run"))
    embed_images(folder, encoder = NULL)
    embed_images(folder, encoder = c("hog", "bovw"))
    sample_images("run")
    sample_images(toy_clustering(), n_per_cluster = NA)
    find_images(toy_images())
    find_images(toy_clustering(), clusters = "first")
    image_gallery(toy_clustering(), out = NULL)
    image_gallery(toy_clustering(), out = folder, sample = "sample.csv")
    augment(toy_clustering(), data.frame(name = "a"))
    score_clustering(mean, "cat")
    imagestrata_example("nothing")
  })
})

test_that("a run folder that has moved is an error with a remedy", {
  stale <- toy_embeddings(folder = "/gone/run")
  expect_snapshot(error = TRUE, {
    as.matrix(stale)
    cluster_images(stale)
  })
})

test_that("paths become absolute, with ~ expanded and forward slashes", {
  withr::local_dir(withr::local_tempdir())
  expect_equal(absolute_path("a/b"), file.path(normalizePath(getwd(), "/"), "a/b"))
  expect_equal(absolute_path("~"), normalizePath(path.expand("~"), "/"))
  expect_equal(absolute_path("/x/y"), "/x/y")
  # A drive or a server of Windows is no relative path, whatever the system.
  expect_equal(chartr("\\", "/", absolute_path("C:/x")), "C:/x")
  expect_equal(chartr("\\", "/", absolute_path("\\\\server\\x")), "//server/x")
})

test_that("weights are a path, or the name of published ones", {
  withr::local_dir(withr::local_tempdir())
  file.create("net")
  here <- normalizePath(getwd(), "/")
  expect_null(check_weights(NULL))
  for (name in c("IMAGENET1K_V2", "laion2b_s34b_b79k", "Salesforce/blip2-itm-vit-g")) {
    expect_equal(check_weights(name), name)
  }
  for (path in c("net", "gone.pth", "models/gone.safetensors")) {
    expect_equal(check_weights(path), file.path(here, path))
  }
  expect_equal(check_weights("/gone/folder"), "/gone/folder")
  expect_match(check_weights("./gone"), here, fixed = TRUE)
  expect_error(check_weights(1), "weights")
})

test_that("files with accents are found in the C locale", {
  folder <- withr::local_tempdir()
  name <- "b\u00e4ume"
  dir.create(file.path(folder, name))
  file.create(file.path(folder, name, "\u00f6.png"))
  withr::local_locale(c(LC_CTYPE = "C"))
  skip_if_not(in_c_locale(), "this system has no C locale")
  listed <- list.files(folder, recursive = TRUE, full.names = TRUE)
  expect_equal(Encoding(listed), "unknown")
  for (path in list(listed, known_text(listed))) {
    expect_no_warning(check_exist(path, "images"))
    expect_equal(Encoding(absolute_path(path)), "UTF-8")
    expect_true(file.exists(on_disk(absolute_path(path))))
    expect_equal(Encoding(check_string(on_disk(path), "x")), "UTF-8")
  }
  expect_error(check_exist(file.path(folder, "n\u00f6"), "images"), "does not exist")
  expect_equal(known_text(c("a", NA)), c("a", NA))
  expect_equal(read_strings(write_text("who", listed, NULL)), known_text(listed))
})

test_that("a misspelt argument names the one that is meant", {
  meant <- function(code) {
    said <- rlang::catch_cnd(code, "imagestrata_error")
    expect_equal(said$code, "unknown_argument")
    gsub("`", "", said$hint)
  }
  expect_equal(meant(sample_images(demo_topics(), sed = 1)), "Did you mean seed?")
  expect_equal(meant(sample_images(random_state = 1)), "Did you mean seed?")
  expect_equal(meant(embed_images("x", verbose = TRUE)), "Did you mean progress?")
  expect_equal(meant(scan_images("x", n_jobs = 4)), "Did you mean engine?")
  expect_equal(meant(plot_rating_means(1, colors = "red")), "Did you mean colours?")
  # No argument of this verb is meant by it.
  expect_match(meant(rating_means(1, n_jobs = 4)), "The arguments are ratings, by, ")
  expect_match(meant(list_encoders(seed = 1)), "has no arguments")
  # Methods as well, and what they hand on.
  expect_equal(meant(autoplot(demo_topics(), tipe = "sizes")), "Did you mean type?")
  expect_equal(meant(predict(demo_model(), "x", treshold = 0.4)), "Did you mean threshold?")
})

test_that("values too many are counted, and nothing of them is evaluated", {
  said <- rlang::catch_cnd(read_model("a", stop("evaluated"), 3), "imagestrata_error")
  expect_match(said$message, "2 values without a name belong")
  expect_match(said$hint, "folder")
  expect_match(rlang::catch_cnd(tag_frequencies(1, 2))$message, "1 value without a name belongs")
  # A name tells more than a surplus value does.
  expect_match(rlang::catch_cnd(tag_frequencies(1, 2, sed = 1))$message, "sed")
})

test_that("names are near as they are in Python", {
  expect_equal(meant_argument("seeed", c("n", "seed")), "seed")
  # 2 * 2 of 6 letters are the same, and then 2 * 1 of 6.
  expect_equal(meant_argument("abx", c("q", "aby")), "aby")
  expect_null(meant_argument("axx", c("q", "ayy")))
  expect_null(meant_argument("seed", character()))
  skip_if_no_core()
  there <- reticulate::import("imagestrata.verbs")[["_ELSEWHERE"]]
  expect_equal(elsewhere, unlist(there)[names(elsewhere)])
  expect_setequal(names(elsewhere), names(there))
})

test_that("names of arguments and of a model's parts are written out", {
  topics <- toy_clustering()
  begun <- rlang::catch_cnd(tidy(topics, tab = "trace"), "imagestrata_error")
  expect_match(begun$message, "There is no argument `?tab`?[.]")
  expect_match(begun$hint, "Did you mean `?table")
  expect_error(autoplot(topics, ty = "sizes"), "no argument", class = "imagestrata_error")
  expect_null(toy_model()$lab)
  expect_equal(toy_model()$labels, "crowd")
})

test_that("tidy(), glance() and augment() refuse what they do not take", {
  results <- list(
    toy_images(), toy_embeddings(), toy_clustering(), toy_sample(), toy_model(), toy_tuning(),
    few_means()
  )
  for (result in results) {
    expect_error(tidy(result, colour = 1), "no argument", class = "imagestrata_error")
    expect_error(glance(result, colour = 1), "no argument", class = "imagestrata_error")
  }
  for (result in list(toy_clustering(), toy_model())) {
    expect_error(augment(result, colour = 1), "no argument", class = "imagestrata_error")
  }
  expect_error(glance(toy_sample()), "no row for a sample", class = "imagestrata_error")
  expect_equal(tidy(toy_sample()), tibble::as_tibble(toy_sample()))
})

test_that("a wrong choice is answered with the choices, whatever its type", {
  for (wrong in list("median", TRUE, NA, NULL, 3, c("mean", "mode"))) {
    expect_error(
      check_choice(wrong, "rule", c("mean", "mode"), rlang::current_env()),
      'must be one of "mean" or "mode"',
      class = "imagestrata_error"
    )
  }
})

test_that("an argument without a default must be given", {
  for (wrong in list(
    quote(cluster_images()), quote(rating_means()), quote(autoplot.imagestrata_sweep()),
    quote(image_gallery("run"))
  )) {
    said <- rlang::catch_cnd(eval(wrong), "imagestrata_error")
    expect_match(said$message, "`(images|ratings|object|out)` must be given", info = deparse(wrong))
    expect_equal(said$call[[1]], wrong[[1]])
  }
  passed_on <- function(images, ...) cluster_images(images, ...)
  expect_error(passed_on(), "`images` must be given", class = "imagestrata_error")
})
