pairs <- tibble::tibble(pair_id = "p1", image_a = "a", image_b = "b", path_a = "a", path_b = "b")

test_that("settings and questions reach Python", {
  calls <- local_core(judge_pairs = \(...) toy_table(pair_id = "p1", judgement = 1))
  local <- model_server("llava", "http://localhost:1/v1", price = c(1, 2))
  out <- withr::local_tempdir()
  judged <- judge_pairs(pairs, local, out, graded = TRUE, budget = 3, progress = FALSE)
  expect_equal(judged$judgement, 1)
  sent <- calls$judge_pairs
  expect_equal(sent[[2]]$price, list(1, 2))
  expect_equal(sent$budget, 3)
  expect_true(sent$graded)
  expect_null(sent$questions)
  judge_pairs(pairs, local, out, questions = "Alike?", progress = FALSE)
  expect_equal(calls$judge_pairs$questions, "Alike?")
  judge_pairs(pairs, local, out, questions = c(things = "Same?", idea = "Alike?"), progress = FALSE)
  expect_equal(calls$judge_pairs$questions$several, list("Same?", "Alike?"))
  expect_equal(calls$judge_pairs$questions$names, list("things", "idea"))
  expect_error(judge_pairs(pairs, "llava", out), "model_server", class = "imagestrata_error")
  expect_error(judge_pairs(pairs, local, out, questions = 7), "questions",
    class = "imagestrata_error"
  )
})

test_that("nothing is sent without consent", {
  skip_if_no_core()
  embeddings <- embed_images(imagestrata_example("images"), "hog", progress = FALSE)
  pairs <- sample_pairs(embeddings, n = 10, k = 5)
  server <- model_server("big", "https://models.example.org/v1", api_key = "k", price = c(1, 2))
  out <- withr::local_tempdir()
  expect_error(
    judge_pairs(pairs, server, out, progress = FALSE),
    "leave this machine in 10 pairs",
    class = "imagestrata_error"
  )
  asked <- costs(pairs, server, graded = TRUE)
  expect_equal(c(asked$n_pairs, asked$n_answered, asked$tokens_out), c(10, 0, 3000))
  expect_equal(asked$cost, (asked$tokens_in + 2 * asked$tokens_out) / 1e6)
})

test_that("people's judgements correct those of a model", {
  skip_if_no_core()
  # As in test_by_hand() of Python's test_proxy_scores.py.
  clusters <- tibble::tibble(image_id = letters[1:9], cluster = rep(1:3, each = 3))
  pairs <- tibble::tibble(
    pair_id = paste0("p", 1:18),
    image_a = strsplit("aabddeggaabcdefbca", "")[[1]],
    image_b = strsplit("bccefhhidefgghhghi", "")[[1]],
    stratum = rep(c("within", "between"), c(8, 10)),
    N_h = rep(c(20, 100), c(8, 10)),
    probability = rep(c(8 / 20, 10 / 100), c(8, 10))
  )
  pairs$image_b[6] <- "f"
  pairs$image_b[15] <- "i"
  pairs$image_a[15] <- "f"
  pairs$image_a[14] <- "e"
  machine <- dplyr::mutate(pairs,
    annotator = "model:m", judgement = rep(c(1, 0, 1, 0), c(6, 2, 4, 6))
  )
  people <- pairs[c(1, 2, 3, 7, 8, 9, 10, 13, 14, 15, 16), ]
  people$judgement <- c(1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0)
  scores <- score_clustering(clusters, people, machine = machine)
  expect_equal(scores$method, rep(c("machine", "people", "corrected"), 4))
  precision <- scores[scores$measure == "precision", ]
  expect_equal(precision$estimate, c(6 / 8, 2 / 5, 6 / 8 * 2 / 3))
  recall <- scores$estimate[scores$measure == "recall" & scores$method == "corrected"]
  expect_equal(recall, 10 / (10 + 20))
  expect_true(all(scores$conf.low <= scores$estimate & scores$estimate <= scores$conf.high))
  expect_error(score_clustering(clusters, machine), "a model", class = "imagestrata_error")
  expect_error(score_clustering(clusters, people, machine = 7), "machine",
    class = "imagestrata_error"
  )
  kappas <- agreement(dplyr::bind_rows(dplyr::mutate(people, annotator = "anna"), machine))
  expect_equal(unique(kappas$annotators), c("anna, model:m", "people and models"))
})
