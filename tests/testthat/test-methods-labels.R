# 12 images, two annotators. The test of Python, test_methods_labels.py, has the same tables, and
# fixtures/methods-labels.txt what both languages say of them.
told_labels <- function() {
  i <- 0:11
  parts <- lapply(list(c("protest", "binary", 1), c("anger", "scale", 3)), \(asked) {
    lapply(list(c("anna", 0), c("ben", 1)), \(who) {
      tibble::tibble(
        image_id = sprintf("i%02d", i), code = asked[1],
        label = as.character((i * as.numeric(asked[3]) + as.numeric(who[2])) %% 2),
        annotator = who[1], kind = asked[2], seconds = 2 + (i * 3) %% 7
      )
    })
  })
  table <- dplyr::bind_rows(parts)
  table$label[c(4, 41)] <- NA
  table[table$seconds < 8, ]
}

told_label_shares <- function() {
  made <- read_labelled()
  protest <- made$labels[made$labels$code == "protest", ]
  of <- \(labels, ...) label_shares(labels, made$predictions, made$sample, ...)
  list(
    shares = of(made$labels, clustering = made$images),
    clusters = of(made$labels, cluster, clustering = made$images),
    sample = label_shares(made$labels, sample = made$sample, conf_level = 0.9),
    months = of(protest, month, linked = made$posts),
    posts = of(protest, party, linked = made$posts, weight = "post")
  )
}

test_that("both languages say the same of labels and predictions, with their numbers", {
  local_core()
  given <- told_labels()
  once <- given[!duplicated(given[c("image_id", "code")]), ]
  alpha <- tibble::tibble(
    measure = c("cohen_kappa", "krippendorff_alpha_nominal", "krippendorff_alpha_ordinal"),
    annotators = "all", estimate = c(0.5, 0.914, 0.785), conf.low = c(0.4, 0.905, 0.7),
    conf.high = c(0.6, 0.956, 0.83)
  )
  predicted <- tibble::tibble(
    image_id = sprintf("i%02d", 0:11), label = "protest", probability = 0.5,
    split = c(rep("fold", 5), "train", rep(NA, 6))
  )
  judged <- tibble::tibble(
    pair_id = c("p1", "p2", "p1", "p1", "p2"),
    annotator = c("anna", "anna", "ben", "model:llava", "model:llava"),
    judgement = c(1, 0, 1, 1, NA)
  )
  results <- list(
    labels = given,
    plain = once[c("image_id", "code", "label")],
    one = dplyr::mutate(given[1, ], seconds = NA),
    consensus = dplyr::mutate(once[c("image_id", "code", "label")], n_annotators = 2),
    codes = dplyr::mutate(
      alpha, code = c("protest", "protest", "anger"), n_images = c(10L, 10L, 9L)
    ),
    pairs = dplyr::mutate(alpha, n_pairs = 1200),
    questions = dplyr::mutate(
      alpha, question = c("things", "things", "ideas"), n_pairs = c(10L, 10L, 9L)
    ),
    folds = predicted,
    other = dplyr::mutate(predicted, code = "protest", label = "1", split = NA),
    signed = dplyr::mutate(predicted, annotator = "model:fine-tuned resnet18"),
    machine = dplyr::mutate(
      given[1:3, ], label = c("1", NA, "0"), annotator = "model:llava", seconds = NA
    ),
    together = dplyr::bind_rows(
      dplyr::mutate(given[1:2, ], seconds = NA),
      dplyr::mutate(given[1, ], annotator = "model:llava")
    ),
    judged = judged,
    agreed = dplyr::mutate(judged[1:2, c("pair_id", "judgement")], judgement = c(1, NA)),
    corrected = tibble::tibble(
      measure = c(rep("precision", 3), "f1"),
      method = c("machine", "people", "corrected", "corrected"),
      estimate = c(0.5, 0.8, 0.814, 0.7), conf.low = c(0.4, 0.6, 0.75, NA),
      conf.high = c(0.6, 0.9, 0.87, NA), n_pairs = 150L, n_predicted = 2000L
    )
  )
  results <- c(results, quietly(told_label_shares()))
  told <- vapply(results, \(one) methods_paragraph(results = one), "")
  parts <- strsplit(told, " Labels were analysed with ", fixed = TRUE)
  lines <- readLines(test_path("..", "fixtures", "methods-labels.txt"), encoding = "UTF-8")
  golden <- rlang::set_names(sub("^[a-z_]+: ", "", lines), sub(":.*", "", lines))
  expect_equal(vapply(parts, `[[`, "", 1), golden)
  expect_match(vapply(parts, `[[`, "", 2), "^R [0-9.]+\\.\n\nReference: ")
})

test_that("posts and labels share a paragraph", {
  posts <- tibble::tibble(
    post_id = c("1", "2"), image_id = c("i1", NA), cluster = c(1L, NA),
    unmatched = c(NA, "no image")
  )
  text <- methods_paragraph(results = list(posts, told_labels()))
  expect_match(text, paste0(
    "^We linked posts.*We had 10 images labelled.*Posts and labels were analysed with R"
  ))
})

test_that("the method of shares is told once", {
  text <- methods_paragraph(results = quietly(told_label_shares()))
  told <- \(words) lengths(regmatches(text, gregexpr(words, text, fixed = TRUE)))
  expect_equal(told("Corrected estimates are"), 1)
  expect_equal(told("We estimated how often"), 4)
})

test_that("undefined agreement is said to be so", {
  table <- tibble::tibble(
    measure = "krippendorff_alpha_nominal", annotators = "all", estimate = NA_real_,
    conf.low = NA_real_, conf.high = NA_real_, n_pairs = 3L
  )
  expect_match(methods_paragraph(results = table), "could not be measured")
})
