toy_drawn <- function() {
  tibble::tibble(
    image_id = c("i1", "i2", "i3"), path = image_id, cluster = c(1L, 1L, 2L), N_h = c(9L, 9L, 2L),
    n_h = c(2L, 2L, 1L), weight_corpus = c(4.5, 4.5, 2), weight_cluster = c(0.5, 0.5, 1),
    weight_share = c(9, 4.5, 2)
  )
}

two_items <- data.frame(item = c("proud", "angry"), dimension = c("enthusiasm", "aversion"))

# A survey with one row per respondent, packets of two images, two items, as Qualtrics exports it.
write_qualtrics <- function(rows, env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".csv", .local_envir = env)
  header <- c(
    "StartDate", "Status", "Duration (in seconds)", "ResponseId", "group", "image_1", "image_2",
    "1_rating_1", "1_rating_2", "2_rating_1", "2_rating_2"
  )
  texts <- c("Start Date", "Response Type", "Duration, \"all\"\nin seconds", header[-(1:3)])
  ids <- sprintf("{\"ImportId\":\"%s\"}", header)
  quoted <- function(x) paste0("\"", gsub("\"", "\"\"", x), "\"", collapse = ",")
  lines <- c(quoted(header), quoted(texts), quoted(ids), vapply(rows, quoted, ""))
  writeLines(enc2utf8(lines), path, useBytes = TRUE)
  path
}

test_that("a long table is joined to clusters and weights", {
  answers <- data.frame(
    respondent_id = c("r1", "r1", "r2"), group = c("D", "D", "R"), image_id = c("i1", "i1", "i3"),
    item = c("angry", "proud", "angry"), rating = c(3, 0, 10)
  )
  expect_message(ratings <- read_ratings(answers, toy_drawn(), two_items), "rating_problems")
  expect_s3_class(ratings, "imagestrata_ratings")
  expect_equal(
    names(ratings),
    c(
      "respondent_id", "group", "image_id", "cluster", "item", "dimension", "rating", "N_h", "n_h",
      "weight_corpus", "weight_cluster", "weight_share", "straight_lining", "too_fast"
    )
  )
  expect_equal(ratings$rating, c(3, 0, 10))
  expect_equal(ratings$cluster, c(1, 1, 2))
  expect_equal(ratings$weight_corpus, c(4.5, 4.5, 2))
  expect_equal(ratings$item, factor(answers$item, c("proud", "angry")))
  expect_equal(as.character(ratings$dimension), c("aversion", "enthusiasm", "aversion"))
})

test_that("every problem is found, and what is left is what can be used", {
  answers <- tibble::tribble(
    ~respondent_id, ~group, ~image_id, ~item, ~rating,
    "r1", "D", "i1", "angry", "3",
    "r1", "D", "i1", "angry", "3",
    "r1", "D", "i1", "angry", "4",
    "r1", "D", "i1", "proud", "",
    "r1", "D", "i9", "proud", "2",
    "r1", "D", "i2", "happy", "2",
    "r1", "D", "i2", "proud", "11",
    "r1", "D", "i2", "angry", "much",
    "", "D", "i2", "angry", "1",
    "r2", NA, "i2", "angry", "1",
    "r3", "R", "", "angry", "1",
    "r3", "R", "i3", "angry", "0"
  )
  expect_snapshot(ratings <- read_ratings(answers, toy_drawn(), two_items))
  expect_equal(ratings$rating, c(3, 0))
  problems <- rating_problems(ratings)
  left_out <- dplyr::filter(problems, problem != "unrated")
  expect_equal(
    left_out$problem,
    c(
      "duplicate", "contradiction", "missing", "unmatched image", "unknown item", "out of range",
      "not a number", "no respondent", "no group", "no image"
    )
  )
  expect_equal(left_out$row, 2:11)
  expect_equal(left_out$value[6:7], c("11", "much"))
  unrated <- dplyr::filter(problems, problem == "unrated")
  expect_equal(paste(unrated$group, unrated$image_id), c("D i2", "D i3", "R i1", "R i2"))
  expect_snapshot(summary(ratings))
  expect_output(print(ratings), "Problems")
})

test_that("answers and ratings add up", {
  set.seed(2)
  n <- 500
  answers <- tibble::tibble(
    respondent_id = sample(c(1:30, NA), n, TRUE), group = "D",
    image_id = sample(c("i1", "i2", "i3", "i4", NA), n, TRUE),
    item = sample(c("proud", "angry", "sad"), n, TRUE), rating = sample(c(-1:11, NA), n, TRUE)
  )
  ratings <- quietly(read_ratings(answers, toy_drawn(), two_items))
  problems <- rating_problems(ratings)
  expect_equal(nrow(ratings) + sum(!is.na(problems$row)), n)
  expect_false(anyDuplicated(ratings[c("respondent_id", "image_id", "item")]) > 0)
})

test_that("a missing group column is said, and not taken for a group that rated nothing", {
  answers <- data.frame(
    respondent_id = c("r1", "r2"), image_id = c("i1", "i3"), item = "angry", rating = c(3, 4)
  )
  said <- function(answers) {
    paste(testthat::capture_messages(read_ratings(answers, toy_drawn(), two_items)), collapse = " ")
  }
  text <- said(answers)
  expect_match(text, "have no column group: all respondents form one group")
  expect_match(text, "Sampled images without a rating: 1\\.")
  problems <- rating_problems(quietly(read_ratings(answers, toy_drawn(), two_items)))
  expect_equal(problems$image_id, "i2")
  text <- said(data.frame(answers, group = c("D", "R")))
  expect_no_match(text, "no column")
  expect_match(text, "Sampled images without a rating: 2 \\(D\\), 2 \\(R\\)\\.")
  expect_no_match(said(data.frame(answers, party = "D")[0:2, ]), "by a group")
})

test_that("items that nobody rated are named, ids that lost their zeros are told from others", {
  answers <- data.frame(
    respondent_id = c("r1", "r2"), group = c("D", "R"), image_id = c("i1", "i3"), item = "angry",
    rating = c(3, 4)
  )
  said <- function(...) {
    paste(testthat::capture_messages(read_ratings(answers, ...)), collapse = " ")
  }
  expect_match(said(items = two_items), "No ratings for 1 of 2 items")
  expect_no_match(said(items = two_items[two_items$item == "angry", ]), "No ratings")
  drawn <- dplyr::mutate(tibble::as_tibble(toy_drawn()), image_id = c("001", "002", "003"))
  answers$image_id <- 1:2
  expect_error(read_ratings(answers, drawn, two_items), "has it with other leading zeros")
  answers$image_id <- 8:9
  expect_error(read_ratings(answers, drawn, two_items), "the sample has ids like \"001\"")
})

test_that("a wide table needs only a map of its columns", {
  answers <- data.frame(
    PID = c(1, 2), party = c("D", "R"), img = c("i1", "i1"), angry = c(3, NA), Stolz = c(1, 2),
    years = c(30, 40)
  )
  items <- data.frame(two_items, column = c("Stolz", "angry"))
  ratings <- quietly(read_ratings(
    answers, toy_drawn(), items,
    columns = c(respondent_id = "PID", group = "party", image_id = "img", age = "years")
  ))
  expect_equal(as.character(ratings$item), c("proud", "angry", "proud"))
  expect_equal(ratings$rating, c(1, 3, 2))
  expect_equal(ratings$age, c(30, 30, 40))
})

test_that("files may have commas, semicolons, tabs, a byte order mark, and lie in a folder", {
  folder <- withr::local_tempdir()
  lines <- c("respondent_id,image_id,item,rating", "r1,i1,angry,3", "r1,i2,angry,4")
  writeLines(c(paste0("\ufeff", lines[1]), lines[-1]), file.path(folder, "a.csv"), useBytes = TRUE)
  writeLines(gsub(",", ";", sub("r1", "r2", lines)), file.path(folder, "b.csv"))
  writeLines(gsub(",", "\t", sub("r1", "r3", lines)), file.path(folder, "c.tsv"))
  ratings <- quietly(read_ratings(folder, toy_drawn()))
  expect_equal(ratings$respondent_id, rep(c("r1", "r2", "r3"), each = 2))
  expect_equal(ratings$rating, rep(c(3, 4), 3))
  expect_false("group" %in% names(ratings))
})

test_that("Qualtrics: two more header rows, packets of different lengths, trial runs", {
  path <- write_qualtrics(list(
    c("2026-01-01", "IP Address", "300", "R_1", "D", "i1", "i3", "3", "0", "10", "1"),
    c("2026-01-01", "IP Address", "50", "R_2", "R", "i2", "", "2", "", "", ""),
    c("2026-01-01", "Survey Preview", "300", "R_3", "R", "i1", "i2", "1", "1", "1", "1"),
    c("2026-01-01", "0", "280", "R_4", "R", "i3", "i1", "5", "5", "4", "4")
  ))
  ratings <- quietly(read_ratings(path, toy_drawn(), two_items))
  one <- ratings[ratings$respondent_id == "R_1", ]
  expect_equal(one$rating[order(one$image_id, one$item)], c(3, 0, 10, 1))
  problems <- rating_problems(ratings)
  expect_equal(sum(problems$problem == "preview"), 4)
  missing <- problems[problems$problem == "missing", ]
  expect_equal(missing[c("respondent_id", "item", "row")], tibble::tibble(
    respondent_id = "R_2", item = "angry", row = 5
  ))
  expect_equal(unique(ratings$respondent_id[ratings$straight_lining]), "R_4")
  expect_equal(unique(ratings$respondent_id[ratings$too_fast]), "R_2")
  expect_equal(ratings$duration[ratings$respondent_id == "R_1"][1], 300)
  expect_true(all(problems$kept == problems$problem %in% c("straight-lining", "too fast")))
})

test_that("columns of a survey may be called otherwise", {
  survey <- data.frame(
    ResponseId = "R_1", party = "D", pic.1 = "i1", Q7_proud_loop1 = "2", Q7_angry_loop1 = "9"
  )
  ratings <- quietly(read_ratings(
    survey, toy_drawn(), two_items,
    source = "qualtrics", columns = c(group = "party"), image_columns = "pic.{position}",
    rating_columns = "Q7_{item}_loop{position}"
  ))
  expect_equal(ratings$rating, c(2, 9))
  expect_snapshot(error = TRUE, {
    read_ratings(survey, source = "qualtrics")
    read_ratings(survey, source = "qualtrics", rating_columns = "Q7_{item}_loop{position}")
    read_ratings(survey, source = "qualtrics", rating_columns = "Q7_{item}")
  })
})

test_that("Label Studio: tasks, annotators, skipped tasks, time", {
  result <- function(item, value) {
    list(from_name = item, to_name = "image", type = "number", value = list(number = value))
  }
  tasks <- list(
    list(
      id = 1, data = list(image = "a.jpg", image_id = "i1", group = "D"),
      annotations = list(
        list(
          completed_by = 7, lead_time = 12.5,
          result = list(result("proud", 3), result("angry", 0))
        ),
        list(completed_by = list(id = 8, email = "b@example.org"), lead_time = 2, result = list())
      )
    ),
    list(
      id = 2, data = list(image = "b.jpg", image_id = "i3", group = "D"),
      annotations = list(list(
        completed_by = 7, lead_time = 7.5,
        result = list(list(
          from_name = "angry", type = "choices", value = list(choices = list("10"))
        ))
      ))
    )
  )
  path <- withr::local_tempfile(fileext = ".json")
  jsonlite::write_json(tasks, path, auto_unbox = TRUE)
  ratings <- quietly(read_ratings(path, toy_drawn(), two_items))
  expect_equal(ratings$respondent_id, rep("7", 3))
  expect_equal(ratings$rating, c(3, 0, 10))
  expect_equal(ratings$group, rep("D", 3))
  expect_equal(ratings$duration, rep(20, 3))
  problems <- rating_problems(ratings)
  expect_equal(problems$respondent_id[problems$problem == "missing"], "b@example.org")

  writeLines("[{\"id\": 1, \"image\": \"a.jpg\", \"proud\": 3}]", path)
  expect_error(read_ratings(path), "not an export of Label Studio", class = "imagestrata_error")
  writeLines("[{\"data\": {\"image\": \"a.jpg\"}, \"annotations\": []}]", path)
  expect_error(read_ratings(path), "does not name its image", class = "imagestrata_error")
  writeLines("{oops", path)
  expect_error(read_ratings(path), "not JSON", class = "imagestrata_error")
})

test_that("time per image is summed", {
  answers <- data.frame(
    respondent_id = rep(c("r1", "r2"), each = 4), image_id = rep(c("i1", "i1", "i2", "i2"), 2),
    item = c("proud", "angry"), rating = 1:8, seconds = rep(c(5, 5, 7, 7, 1, 1, 2, 2))
  )
  ratings <- quietly(read_ratings(answers, toy_drawn(), two_items))
  expect_equal(unique(ratings$duration), c(12, 3))
  # Three seconds are less than half, and more than a third, of the median of 7.5.
  expect_false(any(ratings$too_fast))
  ratings <- quietly(read_ratings(answers, toy_drawn(), two_items, too_fast = 0.5))
  expect_equal(unique(ratings$respondent_id[ratings$too_fast]), "r2")
})

test_that("it works without library(imagestrata)", {
  read <- fresh_r("
    answers <- data.frame(respondent_id = 'r', image_id = 'x', item = 'angry', rating = 9)
    if ('package:imagestrata' %in% search()) detach('package:imagestrata')
    as.character(imagestrata::read_ratings(answers)$dimension)
  ")
  expect_equal(read, "aversion")
})

test_that("ratings that bring their own weights need no sample", {
  answers <- dplyr::select(simulated_ratings, -dimension)
  ratings <- read_ratings(answers)
  expect_equal(
    tidy(rating_means(ratings)), tidy(rating_means(simulated_ratings)),
    ignore_attr = TRUE
  )
})

test_that("files and arguments that cannot be are refused", {
  empty <- withr::local_tempfile(fileext = ".csv")
  file.create(empty)
  answers <- data.frame(respondent_id = "r", image_id = "x", item = "angry", rating = 99)
  expect_error(read_ratings(empty), "is empty", class = "imagestrata_error")
  expect_error(read_ratings("nowhere.csv"), "nowhere", class = "imagestrata_error")
  expect_error(read_ratings(withr::local_tempdir()), "no file that", class = "imagestrata_error")
  expect_snapshot(error = TRUE, {
    read_ratings(answers)
    read_ratings(answers, toy_drawn())
    read_ratings(answers[0, ])
    read_ratings(answers[-1])
    read_ratings(answers[-4])
    read_ratings(answers, columns = c(group = "party"))
    read_ratings(answers, columns = "party")
    read_ratings(answers, columns = c(age = "years"))
    read_ratings(answers, items = c("proud", "angry"))
    read_ratings(answers, items = two_items[c(1, 1), ])
    read_ratings(answers, scale = 10)
    read_ratings(answers, source = "surveymonkey")
    read_ratings(answers, sample = toy_drawn()[c(1, 1), ])
    read_ratings(answers, sample = "sample.csv")
    read_ratings(data.frame(
      respondent_id = "r", group = c("D", "R"), image_id = c("a", "b"), item = "angry", rating = 1
    ))
  })
})

test_that("guards against formulas are taken off", {
  path <- withr::local_tempfile(fileext = ".csv")
  ids <- c("@handle", "=x", "-1a", "'=y", "plain", "'tis", "a;=x", "a;'=y", "b|\"-1", "a;b")
  guarded <- c(
    "'@handle", "'=x", "'-1a", "''=y", "plain", "'tis", "a;'=x", "a;''=y", "b|'\"-1", "a;b"
  )
  answers <- data.frame(
    respondent_id = "r1", group = "D", image_id = guarded, item = "angry", rating = 3
  )
  utils::write.csv(answers, path, row.names = FALSE)
  ratings <- suppressMessages(read_ratings(path, items = two_items))
  expect_equal(ratings$image_id, ids)
})

test_that("groups of a given table stand in the order of their levels", {
  answers <- data.frame(
    respondent_id = c("r1", "r2"), party = factor(c("Dem", "Rep"), c("Rep", "Dem", "none")),
    image_id = "a", item = "proud", rating = c(1, 2), mood = factor(c("x", "y"), c("y", "x"))
  )
  read <- suppressMessages(read_ratings(answers, columns = c(group = "party", mood = "mood")))
  expect_equal(levels(read$group), c("Rep", "Dem", "none"))
  expect_equal(as.character(read$group), c("Dem", "Rep"))
  expect_equal(levels(read$mood), c("y", "x"))
  expect_s3_class(read, "imagestrata_ratings")
})

# ---- Who counts, and whose ids ------------------------------------------------------------

status_file <- function(status) {
  file <- withr::local_tempfile(fileext = ".csv", .local_envir = parent.frame())
  header <- c("Status", "ResponseId", "1_rating_1", "image_1")
  rows <- paste(status, paste0("R_", seq_along(status)), 3, "a", sep = ",")
  writeLines(c(paste(header, collapse = ","), rows), file)
  file
}

test_that("all statuses of Qualtrics, as numbers and as texts, say who is a respondent", {
  codes <- c(0, 4, 16, 32, 48, 1, 2, 8, 9, 12, 17, 40)
  texts <- c(
    "IP Address", "Imported", "Offline", "EX", "EX Offline", "Survey Preview", "Survey Test",
    "Spam", "Survey Preview Spam", "Imported Spam", "Offline Survey Preview", "EX Spam"
  )
  why <- c("preview", "test", "spam", "preview", "spam", "preview", "spam")
  for (status in list(codes, texts)) {
    ratings <- suppressMessages(read_ratings(
      status_file(status),
      source = "qualtrics", items = emotion_items[1, ]
    ))
    expect_setequal(ratings$respondent_id, paste0("R_", 1:5))
    expect_equal(rating_problems(ratings)$problem, why)
  }
  odd <- suppressMessages(read_ratings(
    status_file(c("0", "Klingon")),
    source = "qualtrics", items = emotion_items[1, ]
  ))
  expect_equal(rating_problems(odd)$problem, "unknown status")
})

label_studio <- function(annotations, image_id = "a") {
  file <- withr::local_tempfile(fileext = ".json", .local_envir = parent.frame())
  task <- list(list(data = list(image_id = image_id), annotations = annotations))
  jsonlite::write_json(task, file, auto_unbox = TRUE, digits = NA)
  file
}

annotation_of <- function(who, ..., skipped = FALSE) {
  result <- list(list(from_name = "hopeful", value = list(choices = list(...))))
  list(completed_by = who, was_cancelled = skipped, result = result)
}

test_that("skipped tasks are no answers, and several ticked choices are a problem", {
  file <- label_studio(list(
    annotation_of(2, "10", skipped = TRUE), annotation_of(2, "3"), annotation_of(5, "3", "8")
  ))
  ratings <- suppressMessages(read_ratings(file, items = emotion_items[1, ]))
  expect_equal(ratings$rating, 3)
  expect_equal(rating_problems(ratings)$problem, c("skipped", "several answers"))
  expect_equal(rating_problems(ratings)$value, c("10", "3, 8"))
  several <- label_studio(list(annotation_of(5, "3", "8")))
  alone <- suppressMessages(read_ratings(several, items = emotion_items[1, ]))
  expect_equal(nrow(alone), 0)
  expect_equal(rating_problems(alone)$problem, "several answers")
  expect_error(
    read_ratings(label_studio(list()), items = emotion_items[1, ]), "no annotation",
    class = "imagestrata_error"
  )
})

test_that("ids survive every road, exactly", {
  ids <- c("001", "300000", "1e5", "TRUE", "NA", "1_000", "98765432109876543210")
  answers <- data.frame(respondent_id = ids, image_id = ids, item = "hopeful", rating = 5)
  file <- withr::local_tempfile(fileext = ".csv")
  write.csv(answers, file, row.names = FALSE)
  sample <- data.frame(image_id = ids, cluster = 1)
  ratings <- suppressMessages(read_ratings(file, sample, items = emotion_items[1, ]))
  expect_identical(ratings$image_id, ids)
  expect_identical(ratings$respondent_id, ids)
  # Numbers on both sides: in the table, in the sample, in the file.
  numbers <- data.frame(
    respondent_id = 1, image_id = c(100000, 300000), item = "hopeful", rating = 5
  )
  write.csv(format(numbers, scientific = FALSE, trim = TRUE), file, row.names = FALSE)
  sample <- data.frame(image_id = c(100000, 300000), cluster = 1)
  for (given in list(file, numbers)) {
    ratings <- suppressMessages(read_ratings(given, sample, items = emotion_items[1, ]))
    expect_identical(ratings$image_id, c("100000", "300000"))
  }
  json <- label_studio(list(annotation_of(1, "3")), image_id = 100000L)
  ratings <- suppressMessages(read_ratings(json, items = emotion_items[1, ]))
  expect_identical(ratings$image_id, "100000")
})

test_that("decimal commas are numbers where commas separate nothing", {
  file <- withr::local_tempfile(fileext = ".csv")
  writeLines(c("respondent_id;image_id;item;rating", "r;a;hopeful;3,5", "r;b;hopeful;4"), file)
  expect_equal(suppressMessages(read_ratings(file, items = emotion_items[1, ]))$rating, c(3.5, 4))
})

test_that("columns of yours are kept under other names where the sample says otherwise", {
  answers <- data.frame(
    respondent_id = "r", image_id = c("a", "b"), item = "hopeful", rating = 5, cluster = c(7, 8)
  )
  sample <- data.frame(image_id = c("a", "b"), cluster = 1:2)
  expect_warning(
    ratings <- suppressMessages(read_ratings(answers, sample, items = emotion_items[1, ])),
    "cluster_given"
  )
  expect_equal(ratings$cluster, 1:2)
  expect_equal(ratings$cluster_given, c(7, 8))
})

test_that("ratings follow clusters that were edited after the draw", {
  skip_if_no_core()
  # Clusters 1 (6 images), 2 (3 images) and 3; all but one image of each are drawn.
  vectors <- cbind(rep(c(0, 9, 20), c(6, 3, 3)), seq_len(12) / 10)
  rownames(vectors) <- sprintf("i%02d", 1:12)
  found <- as_clustering(vectors, rep(1:3, c(6, 3, 3)))
  sample <- sample_images(found, n_per_cluster = 2)
  topics <- edit_clusters(found, vectors, merge = list(Both = c(1, 2)))
  answers <- data.frame(
    respondent_id = rep(c("r1", "r2"), each = 6), group = rep(c("D", "R"), each = 6),
    image_id = sample$image_id, item = "angry", rating = c(1, 4, 9)[sample$cluster]
  )
  items <- data.frame(item = "angry", dimension = NA)
  read <- \(...) suppressMessages(read_ratings(..., items = items))
  ratings <- read(answers, sample, clustering = topics)
  expect_equal(unique(ratings$cluster_name[ratings$cluster == 1]), "Both")
  means <- quietly(rating_means(ratings, by = c(group, cluster), variance = "respondent"))
  # The means 1 and 4 of clusters with 6 and 3 images are 2 together.
  expect_equal(means$estimate, c(2, 9, 2, 9))
  expect_equal(quietly(rating_means(ratings))$estimate, c(5.5, 5.5))
  gaps <- quietly(rating_gaps(ratings, by = c(group, cluster)))
  expect_equal(gaps$estimate, c(0, 0))
  # Ratings that were read before the edits, and the sample that followed.
  before <- read(answers, sample)
  expect_equal(before$cluster, rep(sample$cluster, 2))
  expect_no_warning(again <- read(before, sample, clustering = topics))
  expect_equal(plain_tibble(again)[names(ratings)], plain_tibble(ratings))
  followed <- sample_images(topics, n_per_cluster = 2, keep = sample)
  expect_equal(followed$stratum, sample$stratum)
  expect_equal(followed$cluster, c(1L, 1L, 1L, 1L, 3L, 3L))
  expect_equal(followed$weight_cluster[1:4], c(3, 3, 1.5, 1.5) / 9)
  expect_equal(plain_tibble(read(before, followed))[names(ratings)], plain_tibble(ratings))
  # A second edit after the draw from edited clusters.
  later <- edit_clusters(topics, vectors, merge = list(All = c(1, 3)))
  late <- sample_images(topics, n_per_cluster = 2)
  one <- read(answers[answers$image_id %in% late$image_id, ], late, clustering = later)
  expect_equal(unique(one$cluster), 1L)
  expect_setequal(one$stratum, c("w1c1", "w1c3"))
  expect_equal(sample_images(later, n_per_cluster = 2, keep = late)$cluster, rep(1L, 4))
  # Refused.
  split <- edit_clusters(found, vectors, split = list("1" = 2))
  expect_error(read(answers, sample, clustering = split), "divided", class = "imagestrata_error")
  expect_error(read(answers, clustering = topics), "needs the `sample`")
  expect_error(read(answers, sample, clustering = sample), "clustering")
})

# ---- Packets, respondents, and columns of users --------------------------------------------

toy_packets <- function() {
  tibble::tibble(
    packet_id = c("p001", "p001", "p002", "p002"),
    group = factor(c("R", "R", "D", "D"), c("R", "D")), position = c(1L, 2L, 1L, 2L),
    image_id = c("i1", "i3", "i2", "i3"), cluster = c(1L, 2L, 1L, 2L)
  )
}

test_that("further columns of the sample and named ones of the survey come along", {
  drawn <- dplyr::mutate(
    toy_drawn(),
    party = factor(c("L", "C", "L"), c("L", "C")), day = as.Date("2018-06-01") + 0:2,
    group = c("x", "y", "z"), silhouette = 0.3
  )
  answers <- data.frame(
    respondent_id = c("r1", "r2"), group = c("D", "R"), image_id = c("i1", "i3"), item = "angry",
    rating = c(3, 4), Q12 = c(30, 61), gender = factor(c("w", "m"), c("w", "m")), ip = "10.0.0.1",
    since = as.Date(c("2020-01-01", NA))
  )
  expect_message(
    ratings <- suppressMessages(
      read_ratings(answers, drawn, two_items, columns = c(age = "Q12", "gender", "since")),
      "imagestrata_problems"
    ),
    "that of the sample is now group_of_image"
  )
  expect_equal(
    names(ratings),
    c(
      "respondent_id", "group", "image_id", "cluster", "item", "dimension", "rating", "N_h", "n_h",
      "weight_corpus", "weight_cluster", "weight_share", "straight_lining", "too_fast", "age",
      "gender", "since", "party", "day", "group_of_image"
    )
  )
  expect_equal(ratings$group, c("D", "R"))
  expect_equal(ratings$group_of_image, c("x", "z"))
  expect_equal(ratings$party, factor(c("L", "L"), c("L", "C")))
  expect_equal(ratings$day, as.Date(c("2018-06-01", "2018-06-03")))
  expect_equal(ratings$gender, answers$gender)
  expect_equal(ratings$since, answers$since)
  gaps <- quietly(rating_means(ratings, by = party, weight = "none"))
  expect_equal(gaps$estimate[1], 3.5)

  # Ratings that were read before keep what was kept, and take the new sample's columns.
  newer <- dplyr::mutate(drawn, party = c("C", "L", "C"), weight_corpus = 7)
  again <- quietly(read_ratings(ratings, newer, two_items))
  expect_setequal(names(again), names(ratings))
  expect_equal(again$party, c("C", "C"))
  expect_equal(again$weight_corpus, c(7, 7))
  expect_equal(again[c("age", "gender", "since")], ratings[c("age", "gender", "since")],
               ignore_attr = TRUE)
})

test_that("the packet tells the group, in tables and exports of all tools", {
  answers <- data.frame(
    respondent_id = c("r1", "r1", "r2"), packet_id = c("p001", "p001", "p002"),
    position = 1:3, image_id = c("i1", "i3", "i2"), item = "angry", rating = c(3, 4, 5)
  )
  expected <- factor(c("R", "R", "D"), c("R", "D"))
  ratings <- quietly(read_ratings(answers, toy_drawn(), two_items, packets = toy_packets()))
  expect_equal(ratings$group, expected)
  expect_equal(ratings$packet_id, answers$packet_id)
  expect_equal(ratings$position, c(1L, 2L, 1L))

  # A file that a page saved, and the key beside the export.
  folder <- withr::local_tempdir()
  utils::write.csv(answers, file.path(folder, "r1.csv"), row.names = FALSE)
  key <- file.path(withr::local_tempdir(), "pages-key.csv")
  utils::write.csv(toy_packets(), key, row.names = FALSE)
  dir.create(sub("-key.csv", "", key))
  for (packets in c(key, sub("-key.csv", "", key))) {
    ratings <- quietly(read_ratings(folder, toy_drawn(), two_items, packets = packets))
    expect_equal(ratings$group, as.character(expected))
  }

  # Qualtrics: embedded data.
  survey <- data.frame(
    ResponseId = c("R_1", "R_2"), packet_id = c("p001", "p002"), image_1 = c("i1", "i2"),
    "1_rating_1" = c(2, 9), age = c("20", "30"), check.names = FALSE
  )
  file <- withr::local_tempfile(fileext = ".csv")
  utils::write.csv(survey, file, row.names = FALSE)
  ratings <- quietly(read_ratings(
    file, toy_drawn(), two_items, packets = toy_packets(), source = "qualtrics", columns = "age"
  ))
  expect_equal(ratings$group, factor(c("R", "D"), c("R", "D")))
  expect_equal(ratings$age, c(20, 30))

  # Label Studio: data of the task.
  task <- function(packet, image) {
    list(data = list(image_id = image, packet_id = packet, wave = 2), annotations = list(list(
      completed_by = packet,
      result = list(list(from_name = "angry", type = "number", value = list(number = 4)))
    )))
  }
  path <- withr::local_tempfile(fileext = ".json")
  jsonlite::write_json(list(task("p001", "i1"), task("p002", "i2")), path, auto_unbox = TRUE)
  ratings <- quietly(read_ratings(
    path, toy_drawn(), two_items, packets = toy_packets(), columns = "wave"
  ))
  expect_equal(as.character(ratings$group), c("R", "D"))
  expect_equal(ratings$wave, c(2, 2))
  expect_error(
    read_ratings(path, toy_drawn(), two_items, columns = c(age = "years")), "no field years",
    class = "imagestrata_error"
  )
})

test_that("packets that know their respondents need no packet_id in the files", {
  answers <- dplyr::select(simulated_ratings, respondent_id, image_id, item, rating)
  ratings <- read_ratings(answers, simulated_sample, packets = simulated_packets)
  expect_equal(ratings$group, simulated_ratings$group)
  of <- match(
    paste(ratings$respondent_id, ratings$image_id),
    paste(simulated_packets$respondent_id, simulated_packets$image_id)
  )
  expect_equal(ratings$position, simulated_packets$position[of])
  expect_equal(ratings$packet_id, simulated_packets$packet_id[of])
  expect_equal(ratings$n_shares, simulated_sample$n_shares[
    match(ratings$image_id, simulated_sample$image_id)
  ])
})

test_that("clusters that nobody rated are counted", {
  answers <- dplyr::select(simulated_ratings, respondent_id, image_id, item, rating)
  lacking <- simulated_sample$image_id[simulated_sample$cluster %in% c(1, 2)]
  expect_message(
    read_ratings(
      dplyr::filter(answers, !image_id %in% lacking), simulated_sample, packets = simulated_packets
    ),
    paste0("No ratings for 2 of 309 clusters, with ", length(lacking), " sampled images")
  )
  expect_no_message(
    suppressMessages(
      read_ratings(answers, simulated_sample, packets = simulated_packets),
      classes = "imagestrata_problems"
    ),
    message = "No ratings for"
  )
})

test_that("answers to other packets are listed, and other groups told", {
  answers <- data.frame(
    respondent_id = c("r1", "r1", "r2", "r3"), packet_id = c("p001", "p001", "p009", "p002"),
    image_id = c("i1", "i2", "i2", "i2"), item = "angry", rating = 1:4
  )
  expect_snapshot(ratings <- read_ratings(answers, toy_drawn(), two_items, packets = toy_packets()))
  expect_equal(ratings$rating, c(1, 4))
  problems <- rating_problems(ratings)
  expect_equal(problems$problem[1:2], c("not in the packet", "unknown packet"))
  expect_false(any(problems$kept))
  expect_snapshot(error = TRUE, {
    read_ratings(answers[3, ], toy_drawn(), two_items, packets = toy_packets())
    read_ratings(answers[-2], toy_drawn(), two_items, packets = toy_packets())
    read_ratings(answers, toy_drawn(), two_items, packets = toy_packets()[-1])
    read_ratings(answers, packets = dplyr::mutate(toy_packets(), packet_id = "p001"))
    read_ratings(answers, packets = dplyr::mutate(toy_packets(), group = NA))
  })
  expect_error(
    read_ratings(answers, packets = "nowhere-key.csv"), "packets.*nowhere-key.csv",
    class = "imagestrata_error"
  )
  answers$group <- c("R", "R", "D", "R")
  expect_warning(
    ratings <- suppressMessages(read_ratings(
      answers, toy_drawn(), two_items,
      packets = toy_packets()
    )),
    "1 respondent has another group in the files than in .packets., the first \"r3\""
  )
  expect_equal(as.character(ratings$group), c("R", "R"))
})

test_that("a table of respondents is joined by id", {
  answers <- data.frame(
    respondent_id = c("1", "2", "2"), image_id = c("i1", "i3", "i2"), item = "angry",
    rating = c(3, 4, 5)
  )
  people <- tibble::tibble(
    respondent_id = c(2, 1), group = factor(c("R", "D"), c("R", "D")), age = c(61L, 30L),
    day = as.Date(c("2020-01-02", "2020-01-01")), gender = factor(c("m", "w"), c("w", "m", "x"))
  )
  ratings <- quietly(read_ratings(answers, toy_drawn(), two_items, respondents = people))
  expect_equal(ratings$group, factor(c("D", "R", "R"), c("R", "D")))
  expect_equal(ratings$age, c(30L, 61L, 61L))
  expect_equal(ratings$day, people$day[c(2, 1, 1)])
  expect_equal(ratings$gender, people$gender[c(2, 1, 1)])
  # Read again, with later values.
  people$age <- people$age + 1L
  again <- quietly(read_ratings(ratings, respondents = people, items = two_items))
  expect_equal(again$age, c(31L, 62L, 62L))

  # Who is unknown, and who did not answer.
  more <- dplyr::bind_rows(people[1, ], tibble::tibble(respondent_id = 7:8, age = 40L))
  expect_snapshot(
    ratings <- read_ratings(
      data.frame(answers, group = c("D", "R", "R")), toy_drawn(), two_items,
      respondents = more
    )
  )
  expect_equal(ratings$age, c(NA, 62L, 62L))
  expect_equal(ratings$group, factor(c("D", "R", "R"), c("R", "D")))
})

test_that("tables of respondents that do not fit are refused", {
  answers <- data.frame(
    respondent_id = c("r1", "r2"), group = c("D", "R"), image_id = c("i1", "i3"), item = "angry",
    rating = c(3, 4), age = c(30, 40)
  )
  read <- function(...) {
    read_ratings(answers, toy_drawn(), two_items, respondents = data.frame(...), columns = "age")
  }
  expect_snapshot(error = TRUE, {
    read(respondent_id = c("r1", "r1"))
    read(respondent_id = c("r1", NA))
    read(respondent_id = character())
    read(id = "r1")
    read(respondent_id = c("R1", "R2"))
    read(respondent_id = c("r1", "r2"), group = c("D", "D"))
    read(respondent_id = c("r1", "r2"), age = c(30, 41))
    read(respondent_id = c("r1", "r2"), cluster = 1)
    read_ratings(answers, respondents = "people.csv")
    read_ratings(answers, columns = c(file = "age"))
    read_ratings(answers, columns = c(x = "age", x = "group"))
  })
  # Where all is known, nothing is said of respondents.
  expect_no_message(
    suppressMessages(read(respondent_id = c("r1", "r2"), age = c(30, 40)), "imagestrata_problems"),
    class = "imagestrata_respondents"
  )
})

test_that("a census needs no other road: every image stands for itself", {
  census <- tibble::tibble(
    image_id = paste0("i", 1:6), cluster = c(1L, 1L, 1L, 2L, 2L, 3L),
    N_h = c(3L, 3L, 3L, 2L, 2L, 1L), n_h = N_h,
    inclusion_probability = 1, weight_corpus = 1, weight_cluster = 1 / N_h,
    weight_share = 1
  )
  answers <- tidyr::expand_grid(respondent_id = paste0("r", 1:4), image_id = census$image_id)
  answers$group <- rep(c("D", "R"), each = 12)
  answers$item <- "angry"
  answers$rating <- rep(0:7, 3)
  ratings <- suppressMessages(read_ratings(answers, census, two_items[2, ]))
  means <- rating_means(ratings, weight = "corpus")
  of <- tapply(answers$rating, answers$group, mean)
  expect_equal(means$estimate, rep(as.vector(of), 2))
  expect_true(all(is.finite(means$std.error) & means$std.error > 0))
  means <- rating_means(ratings, weight = "cluster")
  by_cluster <- tapply(
    answers$rating, list(answers$group, census$cluster[match(answers$image_id, census$image_id)]),
    mean
  )
  expect_equal(means$estimate, rep(as.vector(rowMeans(by_cluster)), 2))
})
