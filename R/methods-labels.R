# Sentences on labels, predictions and estimates from both, for the methods paragraph.
# Python says the same (share/labelled.py): tests/fixtures/methods-labels.txt holds both together.

# NULL for a result of another kind.
describe_labelled <- function(x) {
  if (!is.data.frame(x)) {
    return(NULL)
  }
  given <- x
  of_shares <- inherits(x, "imagestrata_label_shares")
  x <- plain_tibble(x)
  columns <- names(x)
  if (of_shares) {
    describe_label_shares(given)
  } else if (all(c("measure", "method", "estimate", "conf.low", "n_predicted") %in% columns)) {
    describe_corrected_pairs(x)
  } else if (all(c("pair_id", "judgement") %in% columns)) {
    describe_judged(x)
  } else if (all(c("measure", "annotators", "estimate", "conf.low") %in% columns)) {
    describe_agreement(x)
  } else if (all(c("image_id", "label") %in% columns) &&
    any(c("split", "probability", "decision") %in% columns)) {
    describe_predictions(x)
  } else if (all(c("image_id", "code", "label") %in% columns)) {
    if ("n_annotators" %in% columns) describe_consensus(x) else describe_labels(x)
  }
}

describe_labels <- function(x) {
  machine <- is_by_machine(x)
  model <- x[machine, ]
  images <- length(unique(model$image_id[!is.na(model$label)]))
  paste(c(
    if (!all(machine)) describe_labels_of_people(x[!machine, ]),
    if (any(machine)) {
      paste0(
        models_in_words(model), " labelled ", count_of(images, "image"), ", for ",
        codes_in_words(model), "."
      )
    },
    unanswered_in_words(model$label, "label")
  ), collapse = " ")
}

describe_labels_of_people <- function(x) {
  given <- x[!is.na(x$label), ]
  images <- length(unique(given$image_id))
  annotator <- given[["annotator"]]
  named <- any(!is.na(annotator))
  several <- 0
  if (named) {
    pairs <- unique(given[!is.na(annotator), c("image_id", "annotator")])
    several <- sum(table(as.character(pairs$image_id)) > 1)
  }
  n <- sum(is.na(x$label))
  seconds <- x[!is.na(x[["seconds"]] %||% rep(NA, nrow(x))), ]
  paste0(
    "We had ", count_of(images, "image"), " labelled",
    if (named) paste0(" by ", count_of(length(unique(stats::na.omit(annotator))), "annotator")),
    ", for ", codes_in_words(x), ".",
    if (several > 0) {
      paste0(
        " ", count_of(several, "image"), " (", percent(several / images), ") ",
        if (several == 1) "has" else "have", " labels of more than one annotator."
      )
    },
    if (n > 0) {
      paste0(
        " ", count_of(n, "label"), " ", is_or_are(n),
        " missing, as annotators passed over the image."
      )
    },
    if (nrow(seconds) > 0) {
      each <- seconds[!duplicated(seconds[intersect(c("image_id", "annotator"), names(x))]), ]
      sprintf(" The median time for an image was %.1f seconds.", stats::median(each$seconds))
    }
  )
}

# Who judged how many pairs.
describe_judged <- function(x) {
  if (!"annotator" %in% names(x)) {
    undecided <- sum(is.na(x$judgement))
    return(paste0(
      "Judgements were combined to one for each of ", count_of(length(unique(x$pair_id)), "pair"),
      " of images.",
      if (undecided > 0) {
        paste0(
          " ", count_of(undecided, "judgement"), " ", is_or_are(undecided),
          " undecided and missing."
        )
      }
    ))
  }
  machine <- is_by_machine(x)
  model <- x[machine, ]
  judged <- function(who, rows) {
    given <- rows[!is.na(rows$judgement), ]
    paste0(who, " judged ", count_of(length(unique(given$pair_id)), "pair"), " of images.")
  }
  people <- x[!machine, ]
  paste(c(
    if (nrow(people) > 0) {
      n <- length(unique(people$annotator[!is.na(people$judgement)]))
      judged(count_of(n, "annotator"), people)
    },
    if (nrow(model) > 0) judged(models_in_words(model), model),
    unanswered_in_words(model$judgement, "judgement")
  ), collapse = " ")
}

# Scores by a model's judgements that those of people correct.
describe_corrected_pairs <- function(x) {
  rows <- x[x$method == "corrected", ]
  known <- c(mean_pr = "mean of precision and recall", f1 = "F1")
  name <- unname(ifelse(rows$measure %in% names(known), known[rows$measure], rows$measure))
  question <- if ("question" %in% names(x)) paste0(" for ", rows$question) else ""
  limits <- sprintf(" (%.2f to %.2f)", rows$conf.low, rows$conf.high)
  limits[is.na(rows$conf.low)] <- ""
  c(
    paste0(
      "A model judged ", count_of(x$n_predicted[1], "pair"), " of images, and people ",
      comma(x$n_pairs[1]), " of them, a random part of each stratum, whose judgements corrected ",
      "those of the model (sampling in two phases, Neyman 1938; Cochran 1977)."
    ),
    paste0(
      "Corrected scores, with intervals in brackets, are: ",
      paste0(name, question, sprintf(" %.2f", rows$estimate), limits, collapse = "; "), "."
    )
  )
}

# "The model llava", as the beginning of a sentence.
models_in_words <- function(x) {
  names <- unique(sub("^model:", "", trimws(as.character(x$annotator))))
  paste0("The model", if (length(names) > 1) "s", " ", and_words(names))
}

unanswered_in_words <- function(answers, noun) {
  n <- sum(is.na(answers))
  if (n > 0) {
    paste0(count_of(n, noun), " ", is_or_are(n), " missing, as the model gave no valid answer.")
  }
}

describe_consensus <- function(x) {
  undecided <- sum(is.na(x$label) & x$n_annotators > 0)
  paste0(
    "Labels of several annotators were combined to one for each image and code: ",
    count_of(nrow(x), "label"), " of ", count_of(length(unique(x$image_id)), "image"), ".",
    if (undecided > 0) {
      paste0(
        " ", count_of(undecided, "label"), " ", is_or_are(undecided), " undecided and missing."
      )
    }
  )
}

describe_agreement <- function(x) {
  rows <- x[startsWith(x$measure, "krippendorff_alpha") & !is.na(x$estimate), ]
  by <- intersect(c("code", "question"), names(x))
  rows <- if (length(by) > 0) rows[!duplicated(rows[[by[1]]]), ] else utils::head(rows, 1)
  if (nrow(rows) == 0) {
    return("Agreement between annotators could not be measured.")
  }
  unit <- if ("n_images" %in% names(x)) "image" else "pair"
  said <- sprintf(
    "%.2f (%.2f to %.2f; %s)%s", rows$estimate, rows$conf.low, rows$conf.high,
    sub("krippendorff_alpha_", "", rows$measure, fixed = TRUE),
    if (length(by) > 0) paste0(" for ", rows[[by[1]]]) else ""
  )
  n <- range(rows[[paste0("n_", unit, "s")]])
  paste0(
    "Agreement between annotators, from ", if (n[1] != n[2]) paste0(comma(n[1]), " to "),
    count_of(n[2], unit), " with answers of two or more, was measured by Krippendorff's alpha, ",
    "with a Bayesian bootstrap interval and the level of measurement in brackets: ",
    and_words(said), "."
  )
}

describe_predictions <- function(x) {
  images <- length(unique(x$image_id))
  what <- if ("code" %in% names(x)) "code" else "label"
  names <- unique(x[[what]][!is.na(x[[what]])])
  splits <- x[["split"]][!duplicated(x$image_id)]
  folds <- sum(splits %in% "fold")
  seen <- sum(splits %in% c("train", "val"))
  machine <- is_by_machine(x)
  paste0(
    count_of(images, "image"), if (images == 1) " has" else " have", " predictions of ",
    count_of(length(names), what), if (length(names) <= 8) paste0(" (", and_words(names), ")"),
    if (any(machine)) paste0(" by ", sub("The", "the", models_in_words(x[machine, ]))), ".",
    if (folds > 0) {
      paste0(
        " Labels of ", count_of(folds, "image"), " trained the model in folds: a model that had ",
        "not seen the label of an image predicted this image."
      )
    },
    if (seen > 0) paste0(" The model had seen the labels of ", count_of(seen, "image"), ".")
  )
}

# With more estimates than that, a paragraph does not list them.
most_estimates_told <- 6

describe_label_shares <- function(x) {
  line <- glance(x)
  by <- attr(x, "by")
  x <- plain_tibble(x)
  level <- paste0(100 * line$conf_level, "% intervals")
  weights <- c(
    image = "every image counts once", post = "an image counts as often as posts show it",
    share = "an image counts as often as it was shared"
  )
  text <- paste0(
    "We estimated how often labels for ", and_words(unique(x$code)), " occur",
    if (length(by) > 0) paste0(" by ", paste(by, collapse = " and ")), " among ",
    count_of(line$n_images, "image"), " (", weights[[line$weight]], "), from labels of ",
    comma(line$n_labelled), " of them, a random sample stratified by cluster (",
    count_of(line$n_strata, "stratum", "strata"), ")."
  )
  # A paragraph says this once, however many tables it describes.
  how <- c(
    if ("corrected" %in% x$method) {
      paste0(
        "Corrected estimates are the weighted means of these labels plus the difference between ",
        "the mean prediction of all images and that of the labelled ones, times a factor between ",
        "0 and 1 that minimises the variance (prediction-powered inference, Angelopoulos et al. ",
        "2023, for a stratified sample, Fisch et al. 2024)."
      )
    },
    if (line$weight == "post") {
      "Standard errors also account for the dependence of posts of the same author."
    }
  )
  groups <- vctrs::vec_group_loc(x[c("code", "label", by)])
  if (nrow(groups) > most_estimates_told) {
    return(c(text, how, paste0("We report ", level, ".")))
  }
  said <- vapply(seq_len(nrow(groups)), function(i) {
    key <- groups$key[i, ]
    name <- if (key$label %in% c(NA, "1")) key$code else paste(key$code, key$label)
    values <- vapply(key[by], \(one) format(one, trim = TRUE), "")
    rows <- x[groups$loc[[i]], ]
    paste0(paste(c(name, values), collapse = ", "), ": ", estimates_in_words(rows))
  }, "")
  c(text, how, paste0("Estimates, with ", level, ", are: ", paste(said, collapse = "; "), "."))
}

estimates_in_words <- function(rows) {
  shown <- if (all(is.na(rows$label))) \(x) sprintf("%.2f", x) else percent
  ways <- c(
    machine = "by predictions alone", sample = "by the sample alone", corrected = "corrected"
  )
  interval <- ifelse(
    rows$method == "machine" | is.na(rows$conf.low), "",
    paste0(" (", shown(rows$conf.low), " to ", shown(rows$conf.high), ")")
  )
  estimate <- ifelse(is.na(rows$estimate), "unknown", shown(rows$estimate))
  and_words(paste0(estimate, interval, " ", ways[rows$method]))
}

# Codes in their order, with their kinds.
codes_in_words <- function(x) {
  first <- x[!duplicated(x$code), ]
  words <- c(binary = "yes or no", choice = "a choice", scale = "a scale", text = "free text")
  kind <- unname(words[as.character(first[["kind"]] %||% rep(NA, nrow(first)))])
  and_words(paste0(first$code, ifelse(is.na(kind), "", paste0(" (", kind, ")"))))
}

and_words <- function(words) {
  n <- length(words)
  if (n < 2) words else paste(paste(words[-n], collapse = ", "), "and", words[n])
}
