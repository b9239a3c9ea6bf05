# What must not matter does not: the order of rows, the kind of table, the types of columns, other
# columns, the unit of weights, the locale, and how missing values are written.

tables_of <- function(case) {
  labelled <- read_labelled()
  rated <- golden_share_ratings()
  switch(case,
    share_model = list(
      linked = golden_shares(), ratings = rated[c("image_id", "hopeful", "crowd")],
      sample = rated[c("image_id", "weight_corpus")]
    ),
    ratings = list(
      ratings = golden_survey(), packets = golden_packets(golden_survey()),
      predictions = dplyr::mutate(read_golden("predictions"), split = "fold"),
      clustering = read_golden("corpus")
    ),
    labels = labelled,
    topics = list(linked = golden_linked())
  )
}

computed <- function(case, t) {
  found <- quietly(switch(case,
    share_model = {
      formula <- likes ~ hopeful + crowd + party
      fit <- share_model(t$linked, formula, t$ratings, sample = t$sample, weight = "corpus")
      list(tidy(fit), tidy(fit, "effects"), tidy(fit, "left_out"))
    },
    ratings = list(
      rating_means(t$ratings, by = c("group", "month"), respondent_weight = "survey_weight"),
      rating_means(t$ratings, predictions = t$predictions, clustering = t$clustering),
      rating_gaps(t$ratings, weight = "corpus"),
      tidy(rating_model(t$ratings, proud ~ group + ideology, weight = "share")),
      response_bounds(t$ratings, t$packets)
    ),
    labels = list(
      label_shares(t$labels, t$predictions, t$sample, clustering = t$images),
      label_shares(t$labels, t$predictions, t$sample, party, linked = t$posts),
      label_model(protest ~ party, t$labels, t$predictions, t$posts, t$sample),
      plan_labels(
        t$labels, t$predictions, t$sample, clustering = t$images, width = 0.1, code = "protest"
      )
    ),
    topics = list(
      topic_prevalence(t$linked, party), topic_gaps(t$linked, party, unit = "author"),
      topic_odds(t$linked, party),
      tidy(topic_model(t$linked, ~ party * followers, weights = "size"))
    )
  ))
  lapply(found, function(table) {
    table <- as.data.frame(plain_tibble(table))
    table[] <- lapply(table, \(x) if (is.numeric(x)) as.double(x) else as.character(x))
    texts <- table[vapply(table, is.character, NA)]
    table <- table[do.call(order, c(unname(texts), list(method = "radix"))), sort(names(table))]
    rownames(table) <- NULL
    table
  })
}

each_column <- function(wanted, to) {
  function(table) {
    at <- vapply(table, wanted, NA)
    table[at] <- lapply(table[at], to)
    table
  }
}

# Columns as bit64 and haven make them.
whole_64 <- function(x) {
  bytes <- lapply(x, function(value) {
    if (is.na(value)) {
      return(as.raw(c(0, 0, 0, 0, 0, 0, 0, 0x80)))
    }
    half <- c(value %% 2^32, (value %/% 2^32) %% 2^32)
    half <- ifelse(half >= 2^31, half - 2^32, half)
    writeBin(as.integer(half), raw(), endian = "little")
  })
  structure(readBin(unlist(bytes), "double", length(x), endian = "little"), class = "integer64")
}

labelled_by_haven <- function(x) {
  structure(as.double(x), label = "x", class = c("haven_labelled", "vctrs_vctr", "double"))
}

is_plain <- function(x) is.numeric(x) && !is.object(x)

other_columns <- function(table) {
  n <- nrow(table)
  names <- c("weight", "n", "x", "file", "group", "w", "y", "value", "cell", "id", "row", "unit")
  for (name in setdiff(names, names(table))) {
    table[[name]] <- rep(if (name == "file") c("a", NA, "-1") else c(1.5, NA, -2), length.out = n)
  }
  table
}

changes <- list(
  "other order" = \(table) table[rev(seq_len(nrow(table))), ],
  "data frame" = \(table) {
    table <- as.data.frame(table)
    rownames(table) <- paste0("r", rev(seq_len(nrow(table))))
    table
  },
  "grouped" = \(table) dplyr::group_by(tibble::as_tibble(table), .data$image_id),
  "other columns" = other_columns,
  factors = each_column(is.character, \(x) {
    factor(x, c("0 never", sort(unique(x), method = "radix"), "zz never"))
  }),
  doubles = each_column(is.integer, as.double),
  "64 bits" = each_column(\(x) is_plain(x) && all(x %% 1 == 0, na.rm = TRUE), whole_64),
  "labels of haven" = each_column(is_plain, labelled_by_haven),
  "empty texts" = each_column(is.character, \(x) ifelse(is.na(x), "", x)),
  "other unit" = \(table) {
    at <- grepl("^(weight_|survey_weight|size)", names(table))
    table[at] <- lapply(table[at], \(x) x * 137.5)
    table
  }
)

for (case in c("share_model", "ratings", "labels", "topics")) {
  test_that(paste("what must not matter does not:", case), {
    given <- tables_of(case)
    expected <- computed(case, given)
    for (change in names(changes)) {
      found <- computed(case, lapply(given, changes[[change]]))
      expect_equal(found, expected, tolerance = 1e-7, info = change)
    }
  })
}

test_that("results do not depend on the locale", {
  posts <- golden_shares()
  posts$party <- c(D = "a", R = "B", I = "c")[posts$party]
  survey <- golden_survey()
  survey$group <- c(D = "a", R = "B", I = "c")[survey$group]
  linked <- golden_linked()
  linked$party <- c(A = "a", B = "B", C = "c")[linked$party]
  found <- function(locale) {
    withr::local_collate(locale)
    quietly(list(
      share_model(posts, likes ~ party)$term, tidy(share_model(posts, likes ~ party), "effects"),
      rating_gaps(survey)$contrast, topic_gaps(linked, party)$contrast,
      response_bounds(survey, dplyr::distinct(survey, respondent_id, group, image_id))$contrast
    ))
  }
  plain <- found("C")
  expect_equal(plain[[1]], c("(Intercept)", "partya", "partyc"))
  expect_equal(as.character(plain[[3]][1:3]), c("B - a", "B - c", "a - c"))
  # Alphabets of languages, if this computer has them.
  for (locale in c("en_US.UTF-8", "de_DE.UTF-8")) {
    known <- suppressWarnings(withr::with_collate(locale, Sys.getlocale("LC_COLLATE"))) == locale
    if (known) expect_equal(found(locale), plain, info = locale)
  }
})

test_that("contrasts of the session and the order of levels do not change the counts", {
  posts <- golden_shares()
  plain <- quietly(share_model(posts, likes ~ party + log(followers)))
  withr::local_options(contrasts = c("contr.sum", "contr.poly"))
  expect_equal(quietly(share_model(posts, likes ~ party + log(followers))), plain)
  posts$party <- factor(posts$party, ordered = TRUE)
  ordered <- quietly(share_model(posts, likes ~ party + log(followers)))
  expect_equal(tidy(ordered), tidy(plain))
  expect_equal(tidy(ordered, "effects"), tidy(plain, "effects"))
})

test_that("sampled images without weight are like others that were not drawn", {
  t <- tables_of("share_model")
  lost <- seq_len(nrow(t$sample)) %% 4 == 1
  zero <- dplyr::mutate(t$sample, weight_corpus = ifelse(lost, 0, weight_corpus))
  found <- lapply(list(t$sample[!lost, ], zero), \(sample) quietly(share_model(
    t$linked, likes ~ hopeful, t$ratings, sample = sample, weight = "corpus"
  )))
  expect_equal(tidy(found[[2]]), tidy(found[[1]]))
  expect_equal(glance(found[[2]]), glance(found[[1]]))
})

test_that("an empty text is a missing value", {
  linked <- golden_linked()
  lost <- linked$post_id %in% utils::tail(unique(linked$post_id), 20)
  there <- quietly(topic_prevalence(linked[!lost, ], party))
  model <- quietly(tidy(topic_model(linked[!lost, ], ~party)))
  for (blank in list("", NA)) {
    for (column in c("party", "author")) {
      gaps <- linked
      gaps[[column]][lost] <- blank
      expect_warning(found <- topic_prevalence(gaps, party), "20 of 400 posts are left out")
      expect_equal(found, there, ignore_attr = TRUE)
      expect_message(
        again <- suppressWarnings(topic_model(gaps, ~party)), "20 of 400 posts are left out"
      )
      expect_equal(tidy(again), model)
    }
    ratings <- golden_survey()
    ratings$group[3] <- blank
    expect_error(rating_means(ratings), "no group", class = "imagestrata_error")
    ratings$respondent_id[3] <- blank
    expect_error(rating_means(ratings), "no respondent_id", class = "imagestrata_error")
  }
  expect_identical(without_blanks(factor(c("a", "", NA))), factor(c("a", NA, NA)))
  ids <- with_text_ids(data.frame(image_id = c("a", ""), group = c(0.5, 2)))
  expect_identical(ids, data.frame(image_id = c("a", NA), group = c(0.5, 2)))
})
