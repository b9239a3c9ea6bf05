#' Write the methods paragraph for a paper
#'
#' Describes the steps of a study from the records of its run folder: the number of files that are
#' usable, duplicates or rejected, with reasons; the encoder, with the SHA-256 of its weights; the
#' clustering method with all its settings, the number of clusters and of images outside clusters;
#' the sample; pairs, packets, texts and labels, if there are any; and the versions of the software.
#' A paragraph for each variant of the run follows, and one for labels, predictions and the analyses
#' of posts. The last line names what to cite.
#'
#' All numbers come from `run.json` and from the results. The paragraph says what was done, not why:
#' add your reasons, and remove details that your readers do not need. Unfinished steps are left
#' out, with a warning.
#'
#' @param run A run folder. For a variant (`run/variants/NAME`), the paragraph also describes the
#'   results of the run that the variant uses. With `NULL` it describes only `results`, which
#'   needs no Python.
#' @param results Analyses of posts to describe: a result of [link_posts()], [topic_prevalence()],
#'   [topic_gaps()], [topic_odds()], [topic_model()] or [share_model()]. Or labels and what became
#'   of them: labels of one or several annotators, the result of [agreement()] or [consensus()], of
#'   [predict_labels()], or of [label_shares()]. Or judged pairs by people or by a model, and their
#'   scores that [score_clustering()] corrected (`machine`). Or ratings: results of
#'   [rating_means()], [rating_gaps()] or [rating_model()]. Or a list of several, in the order of
#'   the text.
#' @inheritParams scan_images
#'
#' @returns A string. Print it with `cat()`.
#' @family verbs
#' @export
#' @examples
#' prevalence <- topic_prevalence(simulated_posts, by = party)
#' text <- methods_paragraph(results = list(simulated_posts, prevalence))
#' cat(strwrap(text), sep = "\n")
#' @examplesIf imagestrata_ready()
#' run <- tempfile()
#' cluster_images(imagestrata_example("images"), encoder = "hog", out = run, progress = FALSE)
#' cat(strwrap(methods_paragraph(run)), sep = "\n")
methods_paragraph <- function(run = NULL, results = NULL, ...) {
  check_dots(...)
  analyses <- describe_results(results)
  if (is.null(run)) {
    if (is.null(analyses)) {
      abort_imagestrata(
        "There is nothing to describe.",
        hint = "Give a run folder as {.arg run}, or results to describe as {.arg results}."
      )
    }
    return(paste(analyses, citation_line(), sep = "\n\n"))
  }
  run <- check_existing(run, "run")
  text <- call_core("methods_paragraph", run = run)
  if (is.null(analyses)) {
    return(text)
  }
  parts <- strsplit(text, "\n\n", fixed = TRUE)[[1]]
  paste(append(parts, analyses, length(parts) - 1), collapse = "\n\n")
}

# ---- Posts ------------------------------------------------------------------------------

# Python says the same (share/posts.py): tests/fixtures/methods-posts.txt holds both together.
describe_results <- function(results, call = rlang::caller_env()) {
  if (is.null(results)) {
    return(NULL)
  }
  if (inherits(results, describable) || !rlang::is_bare_list(results)) {
    results <- list(results)
  }
  labels <- lapply(results, describe_labelled)
  ratings <- lapply(results, describe_rated)
  of_labels <- !vapply(labels, is.null, NA)
  of_ratings <- !of_labels & !vapply(ratings, is.null, NA)
  of_posts <- !of_labels & !of_ratings
  said <- labels
  said[of_ratings] <- ratings[of_ratings]
  said[of_posts] <- lapply(results[of_posts], describe_result, call = call)
  what <- c("posts", "labels", "ratings")[c(any(of_posts), any(of_labels), any(of_ratings))]
  software <- paste0(sentence(and_words(what)), " were analysed with R ", getRversion(), ".")
  paste(c(unique(unlist(said)), software), collapse = " ")
}

describable <- c(
  "imagestrata_posts", "imagestrata_prevalence", "imagestrata_topic_model",
  "imagestrata_share_model", "imagestrata_rating_model"
)

describe_result <- function(x, call) {
  linked <- is.data.frame(x) && all(c("post_id", "image_id", "cluster", "unmatched") %in% names(x))
  if (inherits(x, "imagestrata_topic_model")) {
    describe_model(x)
  } else if (inherits(x, "imagestrata_share_model")) {
    describe_shares(x)
  } else if (inherits(x, "imagestrata_prevalence")) {
    switch(attr(x, "kind"),
      gaps = describe_gaps(x),
      odds = describe_odds(x),
      describe_prevalence(x)
    )
  } else if (linked) {
    describe_linked(x)
  } else {
    abort_imagestrata(
      "{.arg results} must be labels or predictions, or results of {.fn label_shares},
       {.fn rating_means}, {.fn rating_gaps}, {.fn rating_model}, {.fn link_posts},
       {.fn topic_prevalence}, {.fn topic_gaps}, {.fn topic_odds}, {.fn topic_model} or
       {.fn share_model}, not {seen_product(x)}.",
      call = call
    )
  }
}

describe_linked <- function(x) {
  n_posts <- length(unique(x$post_id))
  shown <- !is.na(x$image_id)
  n_shown <- length(unique(x$post_id[shown]))
  time <- x[["time"]][!is.na(x[["time"]])]
  days <- if (inherits(time, c("POSIXct", "Date")) && length(time) > 0) {
    format(range(time), "%Y-%m-%d")
  }
  clusters <- unique(x$cluster[shown])
  lost <- sort(table(x$unmatched), decreasing = TRUE)
  paste0(
    "We linked posts to the clusters of the images that they show, counting a copy as the image ",
    "that was kept. Of ", count_of(n_posts, "post"),
    if (!is.null(x[["author"]])) {
      paste0(" by ", count_of(length(unique(stats::na.omit(x$author))), "author"))
    },
    if (!is.null(days)) paste0(" (", days[1], " to ", days[2], ")"),
    ", ", comma(n_shown), " (", percent(n_shown / n_posts), ") show ",
    count_of(length(unique(x$image_id[shown])), "distinct image"), " of ",
    count_of(sum(clusters != -1), "cluster"), if (-1 %in% clusters) " and the residual", ".",
    if (length(lost) > 0) {
      reasons <- paste0(names(lost), ": ", comma(as.vector(lost)), collapse = "; ")
      paste0(" Nothing was linked in ", count_of(sum(lost), "row"), " of posts (", reasons, ").")
    }
  )
}

describe_prevalence <- function(x) {
  line <- glance(x)
  what <- c(
    post = "of posts that show it in at least one image",
    image = "of the images posted that belong to it",
    author = "of authors who showed it at least once"
  )
  paste0(
    "For each ", level_words[[line$level]], by_words(attr(x, "by")),
    ", we estimated the share ", what[[line$unit]], ", from ", count_of(line$n_posts, "post"),
    " by ", count_of(line$n_authors, "author"), ".", left_out_words(line),
    " Standard errors account for the dependence of posts of the same author. The ",
    100 * line$conf_level, "% intervals use the jackknife over authors and the t distribution on ",
    "the logit scale, limited by exact binomial intervals for the effective number of authors."
  )
}

describe_gaps <- function(x) {
  line <- glance(x)
  adjusted <- c(
    holm = "are adjusted by Holm's method",
    BH = "are adjusted by the method of Benjamini and Hochberg (1995)",
    none = "are not adjusted"
  )
  paste0(
    "We compared shares of ", line$unit, "s between groups", contrast_words(x),
    ", with posts clustered by author. Intervals of differences combine those of the two shares ",
    "(Zou and Donner 2008). The p values of the ", count_of(sum(!is.na(x$p.value)), "comparison"),
    " ", adjusted[[line$adjust]], "."
  )
}

describe_odds <- function(x) {
  line <- glance(x)
  paste0(
    "We compared the odds that ", line$unit, "s show each ", level_words[[line$level]],
    " between groups", contrast_words(x), " by log odds ratios with shrinkage (after Monroe, ",
    "Colaresi and Quinn 2008). Numbers of ", line$unit, "s are divided by the design effect of ",
    "posts of the same author, and the prior holds one effective post with the topic."
  )
}

contrast_words <- function(x) {
  found <- unique(x$contrast)
  listed <- paste(found, collapse = "; ")
  if (length(found) > 3) listed <- paste(length(found), "contrasts")
  paste0(" (", listed, ")", by_words(attr(x, "by")[-1]))
}

level_words <- c(cluster = "topic", theme = "theme")

by_words <- function(by) {
  if (length(by) > 0) paste0(" by ", paste(by, collapse = " and ")) else ""
}

left_out_words <- function(line) {
  n <- line$n_unknown
  paste0(
    if (n > 0 && line$denominator == "known") {
      paste0(" ", count_of(n, "post"), " without a known image ", is_or_are(n), " left out.")
    } else if (n > 0) {
      paste0(
        " This includes ", count_of(n, "post"), " without a known image, as ",
        if (n == 1) "a post" else "posts", " without topics."
      )
    },
    if (line$n_left_out > 0) {
      n <- line$n_left_out
      paste0(" ", count_of(n, "post"), " with missing values ", is_or_are(n), " left out.")
    }
  )
}

is_or_are <- function(n) if (n == 1) "is" else "are"

comma <- function(n) format(n, big.mark = ",", trim = TRUE)

describe_model <- function(x) {
  line <- glance(x)
  level <- level_words[[x$level]]
  right <- formula_words(x$formula)
  absent <- line$n_topics - line$n_modelled
  paste0(
    "For ", if (line$n_topics > 1) "each of ", count_of(line$n_topics, level),
    ", we fitted a logistic regression of whether a post shows it on ", right,
    if (grepl("\\bs\\(", right)) ", where s() is a natural cubic spline",
    ", to ", count_of(line$n_posts, "post"), " by ", count_of(line$n_authors, "author"), ".",
    if (line$n_left_out > 0) {
      paste0(
        " ", count_of(line$n_left_out, "post"), " without a known image or with missing values ",
        is_or_are(line$n_left_out), " left out."
      )
    },
    " Standard errors are clustered on authors, ", variance_words[[line$variance]], ".",
    if (absent > 0) {
      paste0(
        " ", count_of(absent, level), " that too few posts show (or do not show) ",
        is_or_are(absent), " not modelled."
      )
    }
  )
}

describe_shares <- function(x) {
  lines <- glance(x)
  by <- c(
    author = "posts of the same author", image = "posts with the same image",
    both = paste(
      "posts of the same author and of posts with the same image",
      "(Cameron, Gelbach and Miller 2011)"
    ),
    topic = "images of the same topic"
  )
  models <- attr(x, "models")
  said <- vapply(seq_len(nrow(lines)), function(i) {
    line <- lines[i, ]
    paste0(
      "We fitted a ", sub("^poisson", "Poisson", line$family), " model of ", line$outcome, " on ",
      formula_words(stats::formula(models[[line$outcome]])), " to ", count_of(line$nobs, line$unit),
      if (line$unit == "post") paste0(" by ", count_of(line$n_authors, "author")),
      if (line$unit == "post") paste0(" with ", count_of(line$n_images, "rated image")),
      if (line$weight != "none") paste0(", weighted to represent the ", line$weight), "."
    )
  }, "")
  alone <- lines$unit[1] == "image" && lines$cluster[1] == "image"
  paste0(
    paste(said, collapse = " "), " Standard errors ",
    if (alone) "are robust" else paste("account for the dependence of", by[[lines$cluster[1]]]),
    ", ", variance_words[[lines$variance[1]]], ".",
    if (!is.null(attr(x, "tables")$corrected)) {
      " Estimates corrected for the measurement error of ratings come from regression calibration."
    }
  )
}

variance_words <- c(
  CR2 = paste(
    "with the correction CR2 for few and uneven groups and Satterthwaite's degrees of freedom",
    "(Bell and McCaffrey 2002; Pustejovsky and Tipton 2018)"
  ),
  sandwich = "with G - 1 degrees of freedom for G groups"
)

formula_words <- function(formula) {
  words <- paste(deparse(rlang::f_rhs(formula), 500), collapse = " ")
  sub(" \\+ offset\\((log\\(.*\\))\\)$", " (offset \\1)", words)
}

citation_line <- function() {
  about <- utils::packageDescription("imagestrata")
  # Installed packages have long fields in several lines.
  title <- gsub("\\s+", " ", about$Title)
  paste0(
    "Reference: The imagestrata authors. imagestrata: ", sentence(tolower(title)),
    ". Version ", about$Version, " [computer software]."
  )
}
