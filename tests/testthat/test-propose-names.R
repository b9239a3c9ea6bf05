test_that("names are proposed by keywords, shown, and accepted by a person", {
  skip_if_no_core()
  vectors <- diag(2)[c(1, 1, 2, 2), ]
  rownames(vectors) <- c("a", "b", "c", "d")
  found <- cluster_images(vectors, method = "kmeans", n_clusters = 2, progress = FALSE)
  words <- data.frame(
    image_id = c("a", "b", "c", "d"),
    description = c("a grey cat", "one cat, asleep", "the dog barks", "dog and ball")
  )
  proposed <- propose_names(found, keywords = cluster_keywords(found, words))
  expect_equal(tidy(proposed, "proposals")$proposal, c("cat", "dog"))
  expect_equal(tidy(proposed, "edits")$action, c("propose", "propose"))
  expect_equal(tidy(proposed, "edits")$editor, c("keywords", "keywords"))
  expect_true(all(is.na(tidy(proposed)$cluster_name)))
  expect_match(tibble::tbl_sum(proposed)[["Proposed"]], "2 names")
  expect_false("Edited" %in% names(tibble::tbl_sum(proposed)))
  expect_named(summary(proposed)$tables, c("Clusters", "Proposed names", "Iterations"))

  every <- edit_clusters(proposed, accept = TRUE, editor = "Ada")
  expect_equal(tidy(every)$cluster_name, c("cat", "dog"))
  expect_match(tibble::tbl_sum(every)[["Edited"]], "2 edits")
  some <- edit_clusters(proposed, accept = 2)
  expect_equal(tidy(some)$cluster_name, c(NA, "dog"))
  expect_equal(tidy(some, "proposals")$cluster, 1L)

  ledger <- tidy(proposed, "edits")
  ledger$action[1] <- "name"
  expect_equal(tidy(edit_clusters(found, edits = ledger))$cluster_name, c("cat", NA))
  expect_error(edit_clusters(found, accept = TRUE), "No name", class = "imagestrata_error")
  expect_error(edit_clusters(proposed, accept = 9), "9", class = "imagestrata_error")
  expect_error(edit_clusters(proposed, accept = "all"), "accept", class = "imagestrata_error")
})

test_that("a model crosses as for describe_images(), and its answers need a run folder", {
  skip_if_no_core()
  found <- cluster_images(
    diag(2)[c(1, 1, 2, 2), ], method = "kmeans", n_clusters = 2, progress = FALSE
  )
  server <- model_server("stub", base_url = "http://localhost:1/v1")
  expect_error(propose_names(found, server), "out", class = "imagestrata_error")
  expect_error(propose_names(found, "gpt"), "keywords", class = "imagestrata_error")
  expect_error(propose_names(found, 3), "model_server", class = "imagestrata_error")
})
