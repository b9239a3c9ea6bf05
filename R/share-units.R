# The observations of share_model(): posts, or images over all their posts.

# Returns a list: `frame`, with a row per observation, its outcomes, predictors, exposure and
# weight; `id`, its post or image; `groups`, numbers of the authors, images or topics on which it
# may depend; `n_rated`, its number of images; `images`, the values of image-level predictors;
# `summary`, counts; and `left_out`.
share_units <- function(linked, sides, ratings, sample, options, call = rlang::caller_env()) {
  check_data_frame(linked, "linked", call, "link_posts", needs = c(
    "post_id", "image_id", if (options$cluster %in% c("author", "both")) options$author,
    if (options$cluster == "topic") "cluster"
  ))
  linked <- plain_columns(linked)
  linked[c("post_id", "image_id")] <- Map(
    id_text, linked[c("post_id", "image_id")], c("post_id", "image_id"), list(call)
  )
  where <- place_variables(sides, linked, ratings, options, call)
  outcomes <- lapply(names(sides), \(name) counts_of(sides[[name]], name, linked, call))
  names(outcomes) <- names(sides)
  rated <- ratings[match(linked$image_id, ratings$image_id), where$rated]
  values <- tibble::tibble(tibble::as_tibble(outcomes), linked[where$own], rated)
  weight <- weights_of_sample(linked, sample, options, call)
  why <- why_left_out(linked, values, names(sides), where, weight, options)
  kept <- which(is.na(why))
  tell_lost_posts(why, linked, call)
  id_column <- c(post = "post_id", image = "image_id")[[options$unit]]
  unit <- linked[[id_column]][kept]
  id <- unique(unit)
  unit <- match(unit, id)
  frame <- collapse_rows(values[kept, ], unit, names(sides), options, call)
  known <- !is.na(linked$image_id) & !why %in% "repeated"
  frame[[weight_column]] <- weigh_units(weight, kept, unit, linked$post_id[known], linked, options)
  author <- linked[[options$author]][kept]
  list(
    frame = frame, id = rlang::set_names(list(id), id_column),
    groups = groups_of_units(
      unit, author, linked$image_id[kept], linked[["cluster"]][kept], options, call
    ),
    n_rated = if (options$unit == "post") tabulate(unit) else rep(1, length(id)),
    images = images_with(linked[known, ], where$own, ratings),
    summary = list(
      n_posts = length(unique(linked$post_id[kept])),
      n_authors = if (is.null(author)) NA_integer_ else length(unique(author)),
      n_images = length(unique(linked$image_id[kept]))
    ),
    left_out = count_left_out(why, linked)
  )
}

# A name that no column has.
weight_column <- "weight of observation"

# ---- Ratings and variables --------------------------------------------------------------

# Ratings or labels with a row per image and a column per item.
share_ratings <- function(ratings, call = rlang::caller_env()) {
  if (is.null(ratings)) {
    return(NULL)
  }
  if (is.data.frame(ratings) && all(c("respondent_id", "rating") %in% names(ratings))) {
    abort_imagestrata(
      "{.arg ratings} has one row per answer; the model needs means of images.",
      hint = "Give {.code rating_means(ratings, by = image_id)}.",
      call = call
    )
  }
  check_data_frame(
    ratings, "ratings", call,
    needs = "image_id",
    hint = "{.code rating_means(ratings, by = image_id)} makes such a table."
  )
  ratings <- plain_columns(ratings)
  ratings$image_id <- id_text(ratings$image_id, "image_id", call)
  if (all(c("item", "estimate") %in% names(ratings))) {
    ratings <- widen_means(ratings, call)
  }
  twice <- ratings$image_id[duplicated(ratings$image_id)]
  if (length(twice) > 0 || anyNA(ratings$image_id)) {
    abort_imagestrata(
      "{.arg ratings} must have one row per image, but {.val {c(twice, NA)[1]}} has several, or an
       id is missing.",
      hint = "{.fn consensus} combines the labels of several annotators.",
      call = call
    )
  }
  ratings
}

widen_means <- function(means, call) {
  twice <- duplicated(means[c("image_id", "item")])
  if (any(twice)) {
    first <- means[twice, ][1, ]
    abort_imagestrata(
      "{.arg ratings} has several estimates of {.val {as.character(first$item)}} for the image
       {.val {first$image_id}}.",
      hint = "Give {.code rating_means(ratings, by = image_id)}: of all respondents together, or
              filter the rows of one group or {.field level}.",
      call = call
    )
  }
  id <- unique(means$image_id)
  items <- unique(as.character(means$item))
  wide <- lapply(rlang::set_names(items), function(item) {
    own <- means[as.character(means$item) == item, ]
    own$estimate[match(id, own$image_id)]
  })
  tibble::tibble(image_id = id, tibble::as_tibble(wide))
}

# The names of predictors (and of the exposure) that are columns of `linked` (`own`) or of ratings.
place_variables <- function(sides, linked, ratings, options, call) {
  own <- names(linked)
  rated <- setdiff(names(ratings), "image_id")
  for (side in sides) {
    outcome <- all.vars(side$outcome)
    check_known(outcome, own, character(), side$env, "an outcome", call)
    check_known(all.vars(side$rhs), own, rated, side$env, "a predictor", call)
  }
  wanted <- unique(unlist(lapply(sides, \(side) all.vars(side$rhs))))
  wanted <- union(wanted, options$exposure)
  check_known(options$exposure, own, rated, emptyenv(), "the exposure", call)
  both <- intersect(wanted, intersect(own, rated))
  if (length(both) > 0) {
    abort_imagestrata(
      "{.field {both}} {?is a column/are columns} of {.arg linked} and of {.arg ratings}.",
      hint = "Remove {cli::qty(length(both))}{?it/them} from one of them.",
      call = call
    )
  }
  ids <- intersect(wanted, c("post_id", "image_id"))
  if (length(ids) > 0) {
    abort_imagestrata("The id {.field {ids[1]}} cannot be a predictor.", call = call)
  }
  list(own = intersect(wanted, own), rated = intersect(wanted, rated))
}

# Values of the environment, such as knots of splines, need not be columns.
check_known <- function(names, own, rated, env, role, call) {
  in_env <- vapply(names, \(name) {
    exists(name, envir = env, mode = "numeric") && length(get(name, env, mode = "numeric")) <= 20
  }, NA)
  unknown <- setdiff(names[!in_env], c(own, rated))
  if (length(unknown) > 0) {
    has <- if (length(rated) > 0) format_text("; {.arg ratings} has {.field {rated}}") else ""
    abort_imagestrata(
      "There is no column {.field {unknown[1]}}, {role} of {.arg formula}. {.arg linked} has {.field
       {own}}{has}.",
      hint = if (role == "a predictor" && length(rated) == 0) {
        "Ratings of images are joined by {.arg ratings}."
      },
      call = call
    )
  }
}

counts_of <- function(side, name, linked, call) {
  counts <- rlang::eval_tidy(rlang::new_quosure(side$outcome, side$env), linked)
  if (!(is.numeric(counts) || is.logical(counts)) || length(counts) != nrow(linked)) {
    abort_imagestrata(
      "The outcome {.field {name}} must be numeric, not {.obj_type_friendly {counts}}.",
      call = call
    )
  }
  counts <- as.double(counts)
  wrong <- !is.na(counts) & (counts < 0 | counts != round(counts) | is.infinite(counts))
  if (any(wrong)) {
    abort_imagestrata(
      "The outcome {.field {name}} must hold counts (0, 1, 2, ...), but {sum(wrong)} of
       {length(wrong)} row{?s} {cli::qty(sum(wrong))}{?does/do} not; the first is {.val
       {counts[wrong][1]}}.",
      hint = "Model a rate, such as shares per view, as a count with {.arg exposure}.",
      call = call
    )
  }
  counts
}

# ---- Rows that are left out -------------------------------------------------------------

# For each row of `linked` why it is not in the model; missing if it is.
why_left_out <- function(linked, values, outcomes, where, weight, options) {
  why <- rep(NA_character_, nrow(linked))
  leave <- function(rows, reason) ifelse(is.na(why) & rows, reason, why)
  why <- leave(is.na(linked$image_id), "no known image")
  why <- leave(duplicated(linked[c("post_id", "image_id")]), "repeated")
  if (options$cluster %in% c("author", "both")) {
    why <- leave(is.na(linked[[options$author]]), paste("no", options$author))
  }
  for (name in c(outcomes, where$own)) {
    why <- leave(is.na(values[[name]]), paste("no", name))
  }
  why <- leave(rowSums(is.na(values[where$rated])) > 0, "no rated image")
  leave(is.na(weight), "no sampled image")
}

# Posts (and images) of which nothing is in the model, by the reason of their last row.
count_left_out <- function(why, linked) {
  reasons <- setdiff(unique(why), c(NA, "repeated"))
  lost <- function(id, reason) {
    length(setdiff(id[why %in% reason & !is.na(id)], id[is.na(why)]))
  }
  table <- tibble::tibble(
    reason = as.character(reasons),
    n_posts = vapply(reasons, \(reason) lost(linked$post_id, reason), 0L, USE.NAMES = FALSE),
    n_images = vapply(reasons, \(reason) lost(linked$image_id, reason), 0L, USE.NAMES = FALSE)
  )
  table[order(-table$n_posts, table$reason), ]
}

tell_lost_posts <- function(why, linked, call) {
  n <- length(unique(linked$post_id))
  lost <- n - length(unique(linked$post_id[is.na(why)]))
  table <- count_left_out(why, linked)
  table <- table[table$n_posts > 0, ]
  reasons <- paste0(table$reason, ", ", vapply(table$n_posts, count_of, "", "post"))
  reasons <- paste(reasons, collapse = "; ")
  if (lost == n) {
    abort_imagestrata(
      "No post is left for the model: {reasons}.",
      hint = "Do {.field image_id} in {.arg linked} and in {.arg ratings} name the same images?",
      call = call
    )
  }
  if (lost > 0) {
    warn_imagestrata(
      "{format(lost, big.mark = ',')} of {count_of(n, 'post')} {cli::qty(lost)}{?is/are} not in the
       model: {reasons}."
    )
  }
}

# ---- Observations -----------------------------------------------------------------------

# Values of observations: counts are summed over the posts of an image, numbers are averaged.
collapse_rows <- function(values, unit, outcomes, options, call) {
  first <- which(!duplicated(unit))
  n <- length(first)
  counted <- c(outcomes, options$exposure)
  of_image <- options$unit == "image"
  frame <- lapply(rlang::set_names(names(values)), function(name) {
    x <- values[[name]]
    if (of_image && name == "n_posts") {
      tabulate(unit)
    } else if (of_image && name %in% counted) {
      sum_by(as.double(x), unit, n)
    } else {
      constant_or_mean(x, unit, first, name, name %in% outcomes, options, call)
    }
  })
  check_exposure(tibble::as_tibble(frame), options, call)
}

constant_or_mean <- function(x, unit, first, name, outcome, options, call) {
  same <- x == x[first][unit]
  if (all(same)) {
    return(x[first])
  }
  if (outcome || !(is.numeric(x) || is.logical(x))) {
    abort_differing(name, length(unique(unit[!same])), outcome, options, call)
  }
  sum_by(as.double(x), unit, length(first)) / tabulate(unit)
}

check_exposure <- function(frame, options, call) {
  exposure <- if (!is.null(options$exposure)) frame[[options$exposure]] else 1
  wrong <- if (is.numeric(exposure)) exposure <= 0 else rep(TRUE, length(exposure))
  if (any(wrong)) {
    abort_imagestrata(
      "The exposure {.field {options$exposure}} must be positive numbers, but is {.val
       {exposure[wrong][1]}} for {sum(wrong)} of {length(wrong)} {options$unit}{?s}.",
      hint = "Leave them out, or use {.code log1p({options$exposure})} as a predictor.",
      call = call
    )
  }
  frame
}

abort_differing <- function(name, n, outcome, options, call) {
  within <- c(post = "images of a post", image = "posts of an image")[[options$unit]]
  abort_imagestrata(
    "{.field {name}} differs between the {within}, for {n} {options$unit}{?s}.",
    hint = if (outcome) {
      "A post has one count, the same in all its rows."
    } else {
      "Only numbers can be averaged: use one column of 1 and 0 for each category, or another
       {.arg unit}."
    },
    call = call
  )
}

# The weights of the images of rows; missing for images that were not sampled.
weights_of_sample <- function(linked, sample, options, call) {
  if (options$weight == "none") {
    return(rep(1, nrow(linked)))
  }
  column <- paste0("weight_", options$weight)
  sample <- plain_columns(sample)
  weight <- sample[[column]]
  if (!is.numeric(weight) || any(weight < 0, na.rm = TRUE)) {
    abort_imagestrata("{.field {column}} of {.arg sample} must hold positive numbers.", call = call)
  }
  # An image without weight represents nothing, as if it had not been drawn.
  weight[weight == 0] <- NA
  weight[match(linked$image_id, id_text(sample$image_id, "image_id", call))]
}

# The weight of a post is shared by all its images; weights have the mean 1.
weigh_units <- function(weight, kept, unit, posts, linked, options) {
  if (options$weight == "none") {
    return(rep(1, max(unit)))
  }
  total <- sum_by(weight[kept], unit, max(unit))
  if (options$unit == "image") {
    total <- total / tabulate(unit)
  } else {
    post <- unique(linked$post_id[kept])
    total <- total / tabulate(match(posts, post), length(post))
  }
  total / mean(total)
}

# Image-level predictors: columns of ratings, and those of `linked` that are constant by image.
images_with <- function(linked, own, ratings) {
  first <- !duplicated(linked$image_id)
  at <- match(linked$image_id, linked$image_id[first])
  of_images <- vapply(own, \(name) {
    x <- linked[[name]]
    is.numeric(x) && all(x == x[first][at] | (is.na(x) & is.na(x[first][at])), na.rm = TRUE)
  }, NA)
  c(as.list(linked[first, own[of_images]]), as.list(ratings[setdiff(names(ratings), "image_id")]))
}

# ---- Groups -----------------------------------------------------------------------------

# For each kind of group its members: the observations `unit` and their groups `part`, numbered. An
# observation with several images is in several groups. `labels` are the names of groups.
groups_of_units <- function(unit, author, image, topic, options, call) {
  grouped <- function(by) {
    part <- match(by, unique(by))
    once <- !duplicated(cbind(unit, part))
    list(unit = unit[once], part = part[once], labels = unique(by))
  }
  groups <- list()
  if (options$cluster %in% c("author", "both")) {
    groups$author <- grouped(author)
  }
  if (options$cluster %in% c("image", "both")) {
    groups$image <- grouped(image)
  }
  if (options$cluster == "topic") {
    # An image of the residual resembles no other.
    groups$topic <- grouped(ifelse(topic %in% c(NA, -1), image, topic))
  }
  single <- names(groups)[lengths(lapply(groups, `[[`, "labels")) < 2]
  if (length(single) > 0) {
    abort_imagestrata(
      "Standard errors need at least two groups, but all {options$unit}s are of one {single[1]}.",
      hint = "Choose another {.arg cluster}.",
      call = call
    )
  }
  groups
}
