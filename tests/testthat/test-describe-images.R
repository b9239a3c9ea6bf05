test_that("settings reach Python", {
  calls <- local_core(describe_images = \(...) toy_table(image_id = "a", description = "text"))
  local <- model_server("llava", "http://localhost:1/v1", price = c(1, 2))
  images <- withr::local_tempdir()
  described <- describe_images(images, local, out = images, budget = 3, progress = FALSE)
  expect_equal(described$description, "text")
  sent <- calls$describe_images
  expect_equal(sent[[2]]$price, list(1, 2))
  expect_equal(sent$budget, 3)
  expect_match(sent$prompt, "connotative meaning")
  expect_error(describe_images(images, "llava", images), "model_server",
    class = "imagestrata_error"
  )
})

test_that("costs are estimated, and nothing is sent without consent", {
  skip_if_no_core()
  folder <- imagestrata_example("images")
  server <- model_server("big", "https://models.example.org/v1", api_key = "k", price = c(1, 2))
  costs <- costs(folder, server, progress = FALSE)
  expect_equal(costs$cost, (costs$tokens_in + 2 * costs$tokens_out) / 1e6)
  expect_error(
    describe_images(folder, server, withr::local_tempdir(), progress = FALSE),
    "leave this machine",
    class = "imagestrata_error"
  )
})
