sent_embeddings <- function(matrix = encode_matrix(diag(2))) {
  list(
    images = toy_table(image_id = c("a", "b"), path = c("/a", "/b"), n_copies = 1L),
    failures = toy_table(image_id = character(), path = character(), reason = character()),
    encoder = "{\"name\": \"hog\"}", width = 2, matrix = matrix
  )
}

test_that("vectors stay with the object, or in the run folder if there is one", {
  calls <- local_core(
    embed_images = \(..., out) sent_embeddings(if (is.null(out)) encode_matrix(diag(2))),
    read_matrix = \(folder) list(
      ids = toy_table(image_id = c("b", "a")), matrix = encode_matrix(diag(c(3, 4)))
    )
  )
  folder <- withr::local_tempdir()
  here <- embed_images(folder, encoder = "hog", progress = FALSE)
  expect_equal(as.matrix(here), diag(2), ignore_attr = TRUE)
  there <- embed_images(folder, encoder = "hog", out = folder, progress = FALSE)
  expect_null(attr(there, "matrix"))
  expect_equal(as.matrix(there), rbind(a = c(0, 4), b = c(3, 0)))
  expect_equal(calls$read_matrix, list(absolute_path(folder)))
})

test_that("embeddings go back to Python as a folder, or whole", {
  folder <- withr::local_tempdir()
  stored <- send(toy_embeddings(folder), "images")
  expect_equal(stored$folder, folder)
  expect_null(stored$matrix)
  carried <- send(toy_embeddings(), "images")
  expect_equal(decode_matrix(carried$matrix), matrix(1:6 / 2, 3))
  expect_equal(carried$encoder, attr(toy_embeddings(), "encoder"))
})

test_that("the real core embeds, and a stored run gives the same vectors", {
  skip_if_no_core()
  images <- scan_images(imagestrata_example("images"), progress = FALSE)
  run <- withr::local_tempdir()
  here <- embed_images(images, encoder = "hog", progress = FALSE)
  there <- embed_images(images, encoder = "hog", out = run, progress = FALSE)
  expect_equal(nrow(here), sum(images$status == "ok"))
  expect_identical(as.matrix(here), as.matrix(there))
  expect_identical(as.matrix(read_embeddings(run)), as.matrix(here))
})

test_that("an unknown encoder is an error that names the known ones", {
  skip_if_no_core()
  expect_error(
    embed_images(imagestrata_example("images"), encoder = "nonsense", progress = FALSE),
    "nonsense",
    class = "imagestrata_error"
  )
  expect_true(all(c("hog", "bovw", "resnet18") %in% list_encoders()$name))
})

test_that("encoders of other libraries are reached by their prefix", {
  skip_if_no_core()
  expect_true(all(
    c("timm:legacy_xception", "clip:ViT-B-32", "blip2:vision", "blip2:qformer") %in%
      list_encoders()$name
  ))
  images <- imagestrata_example("images")
  expect_error(
    embed_images(images, "clip:ViT-B-32", weights = "no-such-tag", progress = FALSE),
    "open_clip"
  )
  expect_error(
    fine_tune(images, data.frame(path = "a", label = "b"), encoder = "clip:ViT-B-32"),
    "cannot be trained further"
  )
})
