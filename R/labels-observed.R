# Labels, predictions and a sample joined into observations: what is known about which image.
#
# An *image* is one of the corpus that the sample represents; a *target* is a code, or one answer of
# a code with several. A stratum is a set of images from which a simple random sample was drawn.

# Returns a list: `images` (a table with `image_id`, `stratum`, the row in `strata`, NA if it is not
# known, and the columns of the clustering or of the sample), `strata` (`cluster`, `wave`, `N_h`,
# `n_h`), `targets` (a list of `code`, `label` (NA for scales), `kind`, and vectors with a place per
# image: the label `y`, the prediction `f`, and the machine's own label `decided`), `whole` (whether
# the images are all that the sample represents, or only the sampled ones), `placed` (whether the
# strata of all images are known), `n_sampled`.
observe_labels <- function(labels, predictions, sample, clustering = NULL,
                           call = rlang::caller_env()) {
  given <- images_of_clustering(clustering, call)
  drawn <- check_drawn(sample, call)
  labels <- check_labels_table(labels, given$copies, call)
  guesses <- if (!is.null(predictions)) check_predictions(predictions, given$copies, call)
  frame <- represented_images(drawn, given$images, guesses, call)
  labels <- labels_in_sample(labels, drawn, call)
  kinds <- kinds_of_codes(labels, call)
  if (!is.null(guesses)) check_unseen(guesses, labels$image_id, call)
  targets <- targets_of_codes(labels, kinds, guesses, frame$images, call)
  tell_unlabelled(targets, nrow(drawn))
  if (!is.null(guesses)) tell_unpredicted(targets)
  c(
    frame,
    list(targets = targets, placed = !anyNA(frame$images$stratum), n_sampled = nrow(drawn))
  )
}

# ---- The corpus --------------------------------------------------------------------------

# The images of a clustering, and for each copy the image that is kept in its place.
images_of_clustering <- function(clustering, call) {
  if (is.null(clustering)) {
    return(list(images = NULL, copies = NULL))
  }
  images <- check_data_frame(
    clustering, "clustering", call, "cluster_images", c("image_id", "cluster")
  )
  images <- with_text_ids(plain_columns(images), call)
  copies <- NULL
  if ("duplicate_of" %in% names(images)) {
    kept <- id_text(images$duplicate_of, "duplicate_of", call)
    copy <- !is.na(kept) & kept != images$image_id
    copies <- rlang::set_names(kept[copy], images$image_id[copy])
    images <- images[!copy, ]
  }
  images <- images[!is.na(images$cluster) & !duplicated(images$image_id), ]
  list(images = images, copies = copies)
}

# The ids of images; a copy has the id of the image that is kept in its place.
of_kept <- function(ids, copies) {
  kept <- unname(copies[ids])
  if (length(copies) == 0) ids else ifelse(is.na(kept), ids, kept)
}

check_drawn <- function(sample, call) {
  needed <- c("image_id", "cluster", "N_h", "n_h")
  sample <- check_data_frame(sample, "sample", call, "sample_images", needed)
  sample <- with_text_ids(plain_columns(sample), call)
  if (nrow(sample) == 0) {
    abort_imagestrata("{.arg sample} has no rows.", call = call)
  }
  gaps <- !stats::complete.cases(sample[needed])
  if (any(gaps)) {
    abort_imagestrata(
      "{sum(gaps)} of {nrow(sample)} rows of {.arg sample} have missing values in {.field
       {needed}}.",
      call = call
    )
  }
  if (anyDuplicated(sample$image_id) > 0) {
    abort_imagestrata(
      "{.arg sample} has the image {.val {sample$image_id[anyDuplicated(sample$image_id)]}} twice.",
      hint = "Give the sample as {.fn sample_images} returned it.",
      call = call
    )
  }
  if (!"wave" %in% names(sample)) sample$wave <- 1
  sample$stratum <- stratum_ids(sample)
  check_whole_strata(sample, call)
  sample
}

check_whole_strata <- function(sample, call) {
  first <- match(seq_len(max(sample$stratum)), sample$stratum)
  rows <- tabulate(sample$stratum)
  differs <- sample$n_h != sample$n_h[first][sample$stratum] |
    sample$N_h != sample$N_h[first][sample$stratum]
  wrong <- which(rows != sample$n_h[first] | seq_along(rows) %in% sample$stratum[differs])
  if (length(wrong) > 0) {
    one <- first[wrong[1]]
    abort_imagestrata(
      "{.arg sample} has {count_of(rows[wrong[1]], 'image')} of cluster {sample$cluster[one]}, but
       {.field n_h} says that {big(sample$n_h[one])} were drawn.",
      hint = "Give the whole sample as {.fn sample_images} returned it. Images that nobody labelled
              stay in it.",
      call = call
    )
  }
  wrong <- which(sample$N_h[first] < sample$n_h[first])
  if (length(wrong) > 0) {
    one <- first[wrong[1]]
    abort_imagestrata(
      "{.arg sample} has more images of cluster {sample$cluster[one]} ({big(sample$n_h[one])}) than
       the cluster has ({big(sample$N_h[one])}).",
      call = call
    )
  }
}

# The stratum of each row as 1, 2, ...: those of a cluster by wave, the residual last.
stratum_ids <- function(sample) {
  key <- vctrs::new_data_frame(list(
    cluster = sample$cluster, wave = sample$wave,
    key = as.character(sample[["stratum"]] %||% rep("", nrow(sample)))
  ))
  strata <- vctrs::vec_unique(key)
  last <- as.character(strata$cluster) == "-1"
  strata <- strata[order(last, strata$cluster, strata$wave, strata$key, method = "radix"), ]
  vctrs::vec_match(key, strata)
}

# All images that the sample represents, and its strata.
represented_images <- function(sample, given, guesses, call) {
  first <- match(seq_len(max(sample$stratum)), sample$stratum)
  strata <- sample[first, c("cluster", "wave", "N_h", "n_h")]
  if (!is.null(given)) {
    images <- place_images(sample, given, strata, call)
    return(list(images = images, strata = strata, whole = TRUE))
  }
  if (is.null(guesses)) {
    own <- sample[setdiff(names(sample), c("N_h", "n_h"))]
    return(list(images = own, strata = strata, whole = FALSE))
  }
  known <- unique(guesses$image_id)
  images <- c(known, setdiff(sample$image_id, known))
  n <- sum(strata$N_h)
  if (length(images) != n) {
    abort_imagestrata(
      "{.arg predictions} are of {count_of(length(known), 'image')}, but {.arg sample} represents
       {big(n)}.",
      hint = "Give the clustering as {.arg clustering}: it says which images the sample
      represents.",
      call = call
    )
  }
  images <- tibble::tibble(
    image_id = images, stratum = sample$stratum[match(images, sample$image_id)]
  )
  list(images = images, strata = strata, whole = TRUE)
}

# The images of a clustering that the sample represents, with their strata.
place_images <- function(sample, given, strata, call) {
  lost <- setdiff(sample$image_id, given$image_id)
  if (length(lost) > 0) {
    abort_imagestrata(
      "{length(lost)} of {count_of(nrow(sample), 'sampled image')} are not in {.arg clustering},
       {.val {lost[1]}} for one.",
      hint = "Give the clustering from which the sample was drawn.",
      call = call
    )
  }
  # After edits, the strata are the clusters before them.
  for (column in c("cluster", "cluster_found")) {
    if (!column %in% names(given)) next
    stratum <- strata_of_images(sample, given, column)
    n <- tabulate(stratum, nrow(strata))
    found <- all(n == strata$N_h)
    if (found) break
    if (column == "cluster") first <- n
  }
  if (!found) {
    wrong <- which(first != strata$N_h)[1]
    abort_imagestrata(
      "{.arg sample} says that cluster {strata$cluster[wrong]} has
       {count_of(strata$N_h[wrong], 'image')}, but it has {big(first[wrong])} in {.arg
       clustering}.",
      hint = "Give the clustering from which the sample was drawn. If images have joined it since,
              draw some of them: {.code sample_images(keep = sample)}.",
      call = call
    )
  }
  out <- is.na(stratum)
  if (any(out)) {
    n_clusters <- length(unique(given$cluster[out]))
    warn_imagestrata(
      "{big(sum(out))} of {count_of(length(out), 'image')} are in
       {count_of(n_clusters, 'cluster')} from which none was drawn: estimates are for the other
       {big(sum(!out))}.",
      "{.fn sample_images} draws from clusters of one image with {.code singles = TRUE}, and from
       the
       residual with {.code residual = \"together\"}."
    )
  }
  images <- given[!out, ]
  images$stratum <- stratum[!out]
  images
}

# The stratum of each image: of its cluster, the first wave that could draw it; NA if none could.
strata_of_images <- function(sample, given, column) {
  drawn <- sample[!duplicated(sample$stratum), c("stratum", "wave", "image_id")]
  drawn$cluster <- given[[column]][match(drawn$image_id, given$image_id)]
  drawn <- drawn[order(-drawn$wave), ]
  wave <- given[["wave"]] %||% rep(1, nrow(given))
  found <- rep(NA_integer_, nrow(given))
  members <- split(seq_len(nrow(given)), given[[column]])
  for (i in seq_len(nrow(drawn))) {
    rows <- members[[as.character(drawn$cluster[i])]]
    found[rows[wave[rows] <= drawn$wave[i]]] <- drawn$stratum[i]
  }
  found
}

# ---- Labels ------------------------------------------------------------------------------

check_labels_table <- function(labels, copies, call) {
  needed <- c("image_id", "code", "label")
  labels <- check_data_frame(labels, "labels", call, "consensus", needed)
  refuse_machine_labels(labels, call)
  labels <- plain_columns(labels)
  if (nrow(labels) == 0) {
    abort_imagestrata("{.arg labels} has no rows.", call = call)
  }
  for (name in c("image_id", "code")) {
    labels[[name]] <- id_text(labels[[name]], name, call)
    if (anyNA(labels[[name]])) {
      abort_imagestrata(
        "{sum(is.na(labels[[name]]))} of {nrow(labels)} rows of {.arg labels} have missing values in
         {.field {name}}.",
        call = call
      )
    }
  }
  labels$image_id <- of_kept(labels$image_id, copies)
  labels$label <- label_texts(labels$label)
  labels <- labels[!is.na(labels$label), ]
  if (nrow(labels) == 0) {
    abort_imagestrata("All labels in {.arg labels} are missing.", call = call)
  }
  labels <- labels[!duplicated(labels[needed]), intersect(c(needed, "kind"), names(labels))]
  twice <- vctrs::vec_duplicate_detect(labels[c("image_id", "code")])
  if (any(twice)) {
    one <- labels[which(twice)[1], ]
    both <- labels$label[labels$image_id == one$image_id & labels$code == one$code]
    n <- nrow(unique(labels[twice, c("image_id", "code")]))
    abort_imagestrata(
      "{n} image{?s} {?has/have} several labels of one code: {.val {one$image_id}} has {.val {both}}
       for {.val {one$code}}.",
      hint = "If they are by several annotators, use {.fn consensus} first.",
      call = call
    )
  }
  tell_alike(labels)
  labels
}

# Warn if two labels of a code differ only in capitals or spaces: they would count as two.
tell_alike <- function(labels) {
  pairs <- unique(labels[!(labels[["kind"]] %||% "") %in% "text", c("code", "label")])
  spelled <- data.frame(
    code = pairs$code, label = tolower(trimws(gsub("[[:space:]]+", " ", pairs$label)))
  )
  alike <- vctrs::vec_duplicate_detect(spelled)
  if (!any(alike)) {
    return(invisible())
  }
  first <- which(alike)[1]
  same <- pairs$label[vctrs::vec_equal(spelled, spelled[first, ])]
  n <- nrow(unique(spelled[alike, ])) - 1
  code <- pairs$code[first]
  warn_imagestrata(
    "Labels of {.val {code}} differ only in capitals or spaces and count as different:
     {.val {same}}{if (n > 0) paste0(', and ', n, ' more')}.",
    hint = "Write them alike if they mean the same."
  )
}

# Whether each row has a model as its annotator: tables of labels, tags, predictions or judgements
# by a machine say so there, and nowhere else.
is_by_machine <- function(table) {
  startsWith(trimws(as.character(table[["annotator"]] %||% rep("", nrow(table)))), "model:") %in%
    TRUE
}

# Labels of a model are no labels by people.
refuse_machine_labels <- function(labels, call) {
  machine <- is_by_machine(labels)
  if (any(machine)) {
    which <- if (all(machine)) "All" else paste(sum(machine), "of")
    abort_imagestrata(
      "{which} {count_of(nrow(labels), 'label')} in {.arg labels} are by
       {.val {labels$annotator[machine][1]}}, a model. Nobody knows how often it is wrong about
       these images.",
      hint = "Give the labels of the model as {.arg predictions}, and those that people gave to a
              random sample of the images as {.arg labels}.",
      call = call
    )
  }
}

# Labels as text: 1 and TRUE are "1".
label_texts <- function(x) {
  if (is.logical(x)) x <- as.integer(x)
  if (is.numeric(x) && !is.object(x)) {
    text <- plain_text(x)
    text[is.na(x)] <- NA
    return(text)
  }
  without_blanks(as.character(x))
}

labels_in_sample <- function(labels, sample, call) {
  known <- labels$image_id %in% sample$image_id
  n <- length(unique(labels$image_id))
  lost <- unique(labels$image_id[!known])
  if (length(lost) == n) {
    abort_imagestrata(
      "None of the {count_of(n, 'labelled image')} is in {.arg sample}, such as {.val {lost[1]}}.",
      hint = "Labels of other images say nothing about the corpus, since nobody knows how they were
              chosen. Give the sample that was labelled, of {.fn sample_images}.",
      call = call
    )
  }
  if (length(lost) > 0) {
    warn_imagestrata(
      "{big(length(lost))} of {count_of(n, 'labelled image')} are not in {.arg sample}, {.val
       {lost[1]}} for one: they are left out, since nobody knows how they were chosen."
    )
  }
  labels[known, ]
}

# The kind of each code that has labels: given, or that of its labels.
kinds_of_codes <- function(labels, call) {
  codes <- unique(labels$code)
  kinds <- vapply(codes, \(code) kind_of_code(labels[labels$code == code, ], code, call), "")
  texts <- codes[kinds == "text"]
  if (length(texts) == length(codes)) {
    abort_imagestrata(
      "{.arg labels} holds free text only ({.val {texts}}), of which there are no shares.",
      hint = "Code the answers into categories first.",
      call = call
    )
  }
  if (length(texts) > 0) {
    warn_imagestrata("Codes of free text are left out: {.val {texts}}.")
  }
  kinds[kinds != "text"]
}

kind_of_code <- function(rows, code, call) {
  numbers <- as_numbers_only(rows$label)
  given <- unique(as.character(rows[["kind"]]))
  given <- given[!is.na(given)]
  if (length(given) > 1) {
    abort_imagestrata(
      "The code {.val {code}} has several kinds: {.val {given}}.",
      hint = "Give each code one kind.", call = call
    )
  }
  if (length(given) == 1) {
    kind <- check_choice(given, "kind", c("binary", "choice", "scale", "text"), call)
  } else if (all(rows$label %in% c("0", "1"))) {
    kind <- "binary"
  } else {
    kind <- if (anyNA(numbers)) "choice" else "scale"
  }
  wrong <- switch(kind,
    binary = rows$label[!rows$label %in% c("0", "1")],
    scale = rows$label[is.na(numbers)]
  )
  if (length(wrong) > 0) {
    what <- if (kind == "binary") "{.val 1} or {.val 0}" else "numbers"
    abort_imagestrata(
      paste0(
        "Labels of the code {.val {code}} must be ", what, ", since it is {.val {kind}}, not
         {.val {wrong[1]}}."
      ),
      call = call
    )
  }
  kind
}

as_numbers_only <- function(x) suppressWarnings(as.numeric(x))

# ---- Predictions -------------------------------------------------------------------------

check_predictions <- function(predictions, copies, call) {
  table <- check_data_frame(
    predictions, "predictions", call, "predict_labels", c("image_id", "label")
  )
  table <- plain_columns(table)
  # As tag_images() returns it.
  if (all(c("confidence", "decision") %in% names(table)) && !"probability" %in% names(table)) {
    names(table)[names(table) == "confidence"] <- "probability"
  }
  if (!any(c("code", "probability", "decision") %in% names(table))) {
    abort_imagestrata(
      "{.arg predictions} must have a column {.field probability} or {.field decision}, or a column
       {.field code}; it has {.field {names(table)}}.",
      hint = "Give the result of {.fn predict_labels}, or labels by a machine with the columns
              image_id, code and label.",
      call = call
    )
  }
  table$image_id <- id_text(table$image_id, "image_id", call)
  if (nrow(table) == 0 || anyNA(table$image_id)) {
    abort_imagestrata(
      "{.arg predictions} must have rows, each with an {.field image_id}.",
      call = call
    )
  }
  table$image_id <- of_kept(table$image_id, copies)
  table$label <- label_texts(table$label)
  if ("code" %in% names(table)) {
    table$code <- id_text(table$code, "code", call)
    keys <- c("image_id", "code")
    values <- c("label", intersect("probability", names(table)))
  } else {
    keys <- c("image_id", "label")
    values <- intersect(c("probability", "decision"), names(table))
  }
  ready <- "code" %in% names(table) && all(is_by_machine(table))
  table <- table[c(keys, values, intersect("split", names(table)))]
  table <- table[!duplicated(table), ]
  twice <- vctrs::vec_duplicate_detect(table[keys])
  if (any(twice)) {
    one <- table[which(twice)[1], ]
    abort_imagestrata(
      "{.arg predictions} has several predictions of {.val {one[[keys[2]]]}} for the image {.val
       {one$image_id}}.",
      hint = "Give the predictions of one model, one row per image and label.",
      call = call
    )
  }
  if (!"split" %in% names(table) && !ready) {
    warn_unknown_split()
  }
  table
}

# Predictions by a model that has seen the labels, or ratings, of images are refused.
check_unseen <- function(guesses, image_ids, call, noun = "labelled image") {
  seen <- guesses$image_id[guesses[["split"]] %in% c("train", "val")]
  judged <- unique(image_ids)
  both <- intersect(judged, seen)
  if (length(both) > 0) {
    abort_imagestrata(
      "The model was trained on {big(length(both))} of the
       {count_of(length(judged), noun)} ({.field split} is {.val train} or {.val val}),
       {.val {both[1]}} for one: its errors for these say nothing about its errors for others.",
      hint = "Use predictions out of fold, in which each image is predicted by a model that has not
              seen its {if (noun == 'rated image') 'ratings' else 'label'}, or train on images
              outside of {.arg sample}.",
      call = call
    )
  }
}

warn_unknown_split <- function(noun = "labelled image") {
  seen <- if (noun == "rated image") "ratings" else "labels"
  warn_imagestrata(
    "{.arg predictions} has no column {.field split}: it is not known whether the model was trained
     on {noun}s. If it was, it seems more accurate than it is, and the corrected estimates are
     wrong.",
    "Use predictions of models that have not seen the {seen} of these images."
  )
}

targets_of_codes <- function(labels, kinds, guesses, images, call) {
  own <- lapply(rlang::set_names(names(kinds)), function(code) {
    if (!is.null(guesses)) {
      predictions_of_code(guesses, code, kinds[[code]], labels$label[labels$code == code], call)
    }
  })
  lacks <- names(kinds)[vapply(own, is.null, NA)]
  if (!is.null(guesses) && length(lacks) == length(kinds)) {
    found <- unique(guesses[[if ("code" %in% names(guesses)) "code" else "label"]])
    abort_imagestrata(
      "{.arg predictions} are of none of the codes {.val {lacks}}; they are of {.val
       {utils::head(found, 12)}}.",
      hint = "Rename one or the other: for a binary code, the label of the predictions is the code;
              for a choice, the labels are its answers.",
      call = call
    )
  }
  if (!is.null(guesses) && length(lacks) > 0) {
    warn_imagestrata(
      "{.arg predictions} has nothing about {.val {lacks}}: there are only estimates from the
       sample."
    )
  }
  targets <- lapply(names(kinds), function(code) {
    rows <- labels[labels$code == code, ]
    kind <- kinds[[code]]
    answers <- switch(kind, binary = "1", scale = NA_character_, choice = {
      open <- "code" %in% names(own[[code]]) || (!is.null(own[[code]]) && length(kinds) == 1)
      found <- unique(c(rows$label, if (open) own[[code]]$label))
      sort(found[!is.na(found)], method = "radix")
    })
    at <- match(rows$image_id, images$image_id)
    lapply(answers, function(answer) {
      y <- rep(NA_real_, nrow(images))
      y[at] <- if (kind == "scale") as.numeric(rows$label) else as.double(rows$label == answer)
      predicted <- predictions_of_answer(own[[code]], answer, code, kind, images, call)
      c(list(code = code, label = answer, kind = kind, y = y), predicted)
    })
  })
  do.call(c, targets)
}

# The predictions of a code; NULL if there are none.
predictions_of_code <- function(guesses, code, kind, labels, call) {
  if ("code" %in% names(guesses)) {
    own <- guesses[guesses$code %in% code, ]
    wrong <- switch(kind,
      binary = setdiff(own$label, c("0", "1", NA)),
      scale = own$label[!is.na(own$label) & is.na(as_numbers_only(own$label))]
    )
    if (length(wrong) > 0) {
      abort_imagestrata(
        "{.arg predictions} of the code {.val {code}} must be as its labels are ({.val {kind}}), not
         {.val {wrong[1]}}.",
        call = call
      )
    }
  } else {
    own <- switch(kind,
      binary = guesses[guesses$label %in% code, ],
      choice = if (any(guesses$label %in% labels)) guesses else guesses[0, ],
      guesses[0, ]
    )
  }
  if (nrow(own) > 0) own
}

# The predictions `f` of a target for each image, and the labels that the machine decides on.
predictions_of_answer <- function(own, answer, code, kind, images, call) {
  f <- rep(NA_real_, nrow(images))
  if (is.null(own)) {
    return(list(f = f, decided = f))
  }
  if ("code" %in% names(own)) {
    value <- if (kind == "scale") as.numeric(own$label) else as.double(own$label == answer)
    decision <- value
    if (kind == "binary" && "probability" %in% names(own)) {
      value <- probability_of_yes(as.double(own$probability), value)
    }
  } else {
    if (kind == "choice") {
      # A class that is never predicted has the probability 0.
      known <- own$image_id[!is.na(own[["probability"]] %||% own$decision)]
      f[images$image_id %in% known] <- 0
    }
    own <- own[own$label %in% (if (kind == "binary") code else answer), ]
    decision <- as_flags(own[["decision"]] %||% rep(NA, nrow(own)))
    value <- as.double(own[["probability"]] %||% decision)
    if (!"decision" %in% names(own)) {
      # Without decisions, a binary label is given from a half on; classes compete.
      decision <- if (kind == "binary") as.double(value >= 0.5) else value
    }
  }
  wrong <- value[!is.na(value) & (value < 0 | value > 1)]
  if (kind != "scale" && length(wrong) > 0) {
    abort_imagestrata(
      "Probabilities in {.arg predictions} must be between 0 and 1, not {.val {wrong[1]}}.",
      call = call
    )
  }
  at <- match(own$image_id, images$image_id)
  known <- !is.na(at)
  decided <- f
  f[at[known]] <- value[known]
  decided[at[known]] <- decision[known]
  decided[is.na(f)] <- NA
  list(f = f, decided = decided)
}

# Decisions as 1 or 0, also if they are text, as in files.
as_flags <- function(x) {
  flags <- c("1" = 1, true = 1, "0" = 0, false = 0)
  unname(flags[tolower(as.character(x))])
}

# Probabilities of "1"; those of the answer that was given are at least a half also for "0".
probability_of_yes <- function(probability, label) {
  no <- label %in% 0 & !is.na(probability)
  if (any(no) && all(probability[no] >= 0.5)) {
    probability <- ifelse(label == 0, 1 - probability, probability)
  }
  ifelse(is.na(probability), label, probability)
}

# ---- What is reported --------------------------------------------------------------------

tell_unlabelled <- function(targets, n_sampled) {
  n <- vapply(targets, \(target) sum(!is.na(target$y)), 0)
  lacks <- counts_by_code(targets, n_sampled - n)
  if (length(lacks) > 0) {
    warn_imagestrata(
      paste0(
        "Not every one of the {count_of(n_sampled, 'sampled image')} has a label: missing are ",
        lacks, ". The labelled images of the same cluster represent the others."
      ),
      "If images were skipped because of what they show, estimates are biased."
    )
  }
}

tell_unpredicted <- function(targets) {
  n <- vapply(targets, \(target) if (is_predicted(target)) sum(is.na(target$f)) else 0, 0)
  lacks <- counts_by_code(targets, n)
  if (length(lacks) > 0) {
    warn_imagestrata(paste0(
      "Not every one of the {count_of(length(targets[[1]]$f), 'image')} has a prediction: missing
       are ", lacks, ". The machine's estimates leave them out, the corrected ones do not."
    ))
  }
}

counts_by_code <- function(targets, n) {
  codes <- vapply(targets, \(target) target$code, "")
  some <- which(n > 0 & !duplicated(codes))
  some <- utils::head(some, 12)
  codes <- gsub("([{}])", "\\1\\1", codes)
  if (length(some) > 0) paste0(big(n[some]), " of \"", codes[some], "\"", collapse = ", ")
}

is_predicted <- function(target) any(!is.na(target$f))

# Predictions, where a missing one is the mean of the others: corrected estimates are unbiased for
# any predictions that do not depend on the labels.
fill_predictions <- function(f) {
  f[is.na(f)] <- mean(f, na.rm = TRUE)
  f
}
