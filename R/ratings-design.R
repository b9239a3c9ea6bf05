# From ratings to a design: checks, the ratings of dimensions, and cells.
#
# A *measure* is an item or a dimension; a *cell* is a measure in a combination of the `by`
# columns. Everything below is kept as plain vectors over answers, so that a million ratings
# take seconds.

# Returns a list: `answers` (measure, cell, rating, weight, share, respondent, image, pair, cluster,
# stratum: all counted from 1), `images` (vectors with a place per image: cluster, stratum, domain,
# weight, of_all),
# `measures` and `cells` (tables, in the order of the results), counts of the design, the names of
# the `by` columns, and whether each of them tells images apart (`of_images`).
design_ratings <- function(ratings, by, weight, respondent_weight = rlang::quo(NULL),
                           call = rlang::caller_env()) {
  ratings <- check_ratings(ratings, call)
  by <- select_by(ratings, by, call)
  ratings <- leave_missing_out(ratings, call)
  weights <- weights_of(ratings, weight, call)
  group <- group_by_columns(ratings, by, call)
  items <- items_of(ratings, call)
  respondent <- number_levels(ratings$respondent_id)
  image <- number_levels(ratings$image_id)
  cluster <- clusters_of(ratings, weight, call)
  stratum <- strata_of(ratings, image, cluster)
  pair <- pair_up(respondent, image)
  check_once(ratings, pair, items$item, call)
  check_constant(ratings, pair, group$id, by, call)
  of_images <- vapply(by, tells_images_apart, NA, ratings, image, respondent, cluster)
  answers <- list(
    measure = items$item, group = group$id, rating = as.double(ratings$rating),
    respondent = respondent, image = image, pair = pair, cluster = cluster,
    stratum = stratum
  )
  column <- select_respondent_weight(ratings, respondent_weight, call)
  answers$respondent_weight <- respondent_weights_of(ratings, column, respondent, call)
  answers <- add_dimensions(answers, items)
  answers$pairing <- rep(1L, length(answers$rating))
  design <- list(
    answers = answers, measures = items$measures, groups = group$table, by = names(by),
    of_images = of_images, weight = weight, respondent_weight = column,
    images = images_of(
      ratings, image, cluster, stratum, group$table[of_images][group$id, ], weights, weight
    ),
    ids = list(
      respondent = sorted_values(ratings$respondent_id), image = sorted_values(ratings$image_id),
      cluster = if (!is.null(cluster)) sorted_values(ratings$cluster)
    ),
    n_respondents = max(respondent), n_images = max(image), n_ratings = nrow(ratings)
  )
  design <- weigh(number_cells(design), call)
  tell_unequal(design)
  design
}

# The ratings as a plain table.
check_ratings <- function(ratings, call) {
  needed <- c("respondent_id", "image_id", "item", "rating")
  lacks <- setdiff(needed, names(ratings))
  if (!is.data.frame(ratings) || length(lacks) > 0) {
    abort_imagestrata(
      "{.arg ratings} must be a table with the columns {.field {needed}}, not
       {seen_product(ratings)}.",
      hint = if (is.data.frame(ratings)) {
        "It lacks {.field {lacks}}: {.fn read_ratings} makes such a table."
      } else {
        "{.fn read_ratings} makes one."
      },
      call = call
    )
  }
  if (nrow(ratings) == 0) {
    abort_imagestrata("{.arg ratings} has no rows.", call = call)
  }
  ratings <- plain_columns(ratings)
  if (!is.numeric(ratings$rating)) {
    abort_imagestrata(
      "The column {.field rating} must be numeric, not {.obj_type_friendly {ratings$rating}}.",
      hint = "Use {.fn read_ratings}, or {.code as.numeric()}.",
      call = call
    )
  }
  for (column in c("respondent_id", "image_id", "item")) {
    n <- sum(is.na(ratings[[column]]))
    if (n > 0) {
      abort_imagestrata(
        "{n} rating{?s} {?has/have} no {.field {column}}, the first in row
         {which(is.na(ratings[[column]]))[1]}.",
        hint = "Remove {cli::qty(n)}{?it/them}, or use {.fn read_ratings}, which removes and reports
                {cli::qty(n)}{?it/them}.",
        call = call
      )
    }
  }
  ratings
}

# Columns by tidyselect; names are those of the results.
select_by <- function(ratings, by, call) {
  selected <- rlang::try_fetch(
    tidyselect::eval_select(by, ratings),
    error = function(error) {
      absent <- setdiff(all.vars(rlang::quo_get_expr(by)), names(ratings))
      if (length(absent) == 0) absent <- rlang::as_label(by)
      abort_imagestrata(
        "{.arg by} names {cli::qty(length(absent))}{?a column/columns} that {.arg ratings} does
         not have: {.field {absent}}.",
        hint = "Its columns are {.field {names(ratings)}}. {.code by = NULL} takes all respondents
                together.",
        call = call
      )
    }
  )
  columns <- rlang::set_names(names(ratings)[selected], names(selected))
  wrong <- intersect(columns, c("item", "dimension", "rating", "respondent_id"))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg by} must name groups of respondents or images, not {.field {wrong}}.",
      hint = "The result always has a row for each item and dimension.",
      call = call
    )
  }
  taken <- intersect(names(columns), estimate_columns)
  if (length(taken) > 0) {
    abort_imagestrata(
      "{.arg by} has {.field {taken}}, which is a column of the results.",
      hint = "Give it another name: {.code by = c(my_{taken[1]} = {taken[1]})}.",
      call = call
    )
  }
  columns
}

leave_missing_out <- function(ratings, call) {
  missing <- is.na(ratings$rating)
  if (all(missing)) {
    abort_imagestrata("All {length(missing)} rating{?s} {?is/are} missing.", call = call)
  }
  if (any(missing)) {
    cli::cli_inform(c(
      "!" = "{sum(missing)} of {length(missing)} rating{?s}
             {cli::qty(sum(missing))}{?is/are} missing and left out."
    ))
  }
  ratings[!missing, ]
}

weights_of <- function(ratings, weight, call) {
  if (weight == "none") {
    return(rep(1, nrow(ratings)))
  }
  column <- paste0("weight_", weight)
  if (!column %in% names(ratings)) {
    abort_imagestrata(
      "{.arg ratings} has no column {.field {column}}, which {.code weight = \"{weight}\"} needs.",
      hint = "Join the sample with {.code read_ratings(sample = )}; {.code weight = \"none\"} gives
              every rated image equal weight.",
      call = call
    )
  }
  weights <- ratings[[column]]
  if (!is.numeric(weights)) {
    abort_imagestrata(
      "{.field {column}} must be numeric, not {.obj_type_friendly {weights}}.",
      call = call
    )
  }
  missing <- sum(is.na(weights))
  if (missing > 0) {
    abort_imagestrata(
      "{.field {column}} is missing for {missing} of {length(weights)} rating{?s}, the first of
       image {.val {ratings$image_id[is.na(weights)][1]}}.",
      hint = "Were images rated that are not in the sample?",
      call = call
    )
  }
  # A weight of zero is valid only for shares: an image that nobody shared.
  wrong <- if (weight == "share") weights < 0 else weights <= 0
  if (any(wrong)) {
    abort_imagestrata(
      "{.field {column}} must be positive, but is {.val {weights[wrong][1]}} for {sum(wrong)}
       rating{?s}, the first of image {.val {ratings$image_id[wrong][1]}}.",
      call = call
    )
  }
  as.double(weights)
}

group_by_columns <- function(ratings, by, call) {
  columns <- rlang::set_names(ratings[by], names(by))
  for (name in names(by)) {
    n <- sum(is.na(columns[[name]]))
    if (n > 0) {
      abort_imagestrata(
        "{n} rating{?s} {?has/have} no {.field {name}}.",
        hint = "Filter {cli::qty(n)}{?it/them} out first, or replace the missing values by a group
                of {cli::qty(n)}{?its/their} own.",
        call = call
      )
    }
    tell_unused_levels(columns[[name]], name)
  }
  id <- number_rows(columns)
  list(id = id, table = columns[match(seq_len(max(id)), id), ])
}

# Rows as 1, 2, ... in the order of their values, the first column first; equal rows alike.
number_rows <- function(columns) {
  if (ncol(columns) == 0) {
    return(rep(1L, nrow(columns)))
  }
  Reduce(pair_up, lapply(columns, number_levels))
}

tell_unused_levels <- function(column, name) {
  unused <- if (is.factor(column)) setdiff(levels(column), as.character(unique(column)))
  if (length(unused) > 0) {
    cli::cli_inform(c("i" = "No rating has the value {.val {unused}} of {.field {name}}: the result
                             has no rows for it."))
  }
}

# Values as 1, 2, ...: in the order of the values, or of the levels of a factor.
number_levels <- function(x) {
  if (is.factor(x)) {
    x <- as.integer(x)
  }
  match(x, sorted_values(x))
}

# The values of a column in the order of factor levels, numbers or the alphabet, the latter on every
# computer the same: it decides which group gaps are differences from.
sorted_values <- function(x) sort(unique(x), method = "radix")

# One number for each combination of two numberings, in order.
pair_up <- function(x, y) {
  key <- (x - 1) * max(y) + y
  match(key, sort(unique(key)))
}

# Items and dimensions in the order of factor levels, else of first appearance; a dimension
# comes before its items, as in the paper's Figure 10.
items_of <- function(ratings, call) {
  name <- as.character(ratings$item)
  item <- if (is.factor(ratings$item)) intersect(levels(ratings$item), name) else unique(name)
  of_item <- ratings[["dimension"]][match(item, name)]
  dimension <- as.character(of_item %||% rep(NA, length(item)))
  known <- if (is.factor(of_item)) levels(of_item) else unique(dimension)
  id <- match(name, item)
  if (!is.null(of_item)) {
    wrong <- which(!as.character(ratings$dimension) %in% NA &
      as.character(ratings$dimension) != dimension[id])
    if (length(wrong) > 0) {
      abort_imagestrata(
        "The item {.val {name[wrong[1]]}} belongs to more than one dimension.",
        hint = "Give every item one dimension.",
        call = call
      )
    }
  }
  dimensions <- intersect(known, dimension[!is.na(dimension)])
  measures <- tibble::tibble(
    level = rep(c("item", "dimension"), c(length(item), length(dimensions))),
    item = c(item, dimensions),
    dimension = c(dimension, dimensions)
  )
  place <- order(match(measures$dimension, dimensions), measures$level != "dimension")
  list(
    measures = measures[place, ],
    # Numbers of the items of answers, and of each item's dimension, among the measures.
    item = order(place)[id],
    dimension = order(place)[length(item) + match(dimension, dimensions)][id]
  )
}

check_once <- function(ratings, pair, item, call) {
  again <- which(duplicated((pair - 1) * max(item) + item))
  if (length(again) > 0) {
    row <- again[1]
    abort_imagestrata(
      "{length(again)} rating{?s} {?is/are} repeated, the first by {.val
       {ratings$respondent_id[row]}} of image {.val {ratings$image_id[row]}} on {.val
       {as.character(ratings$item[row])}}.",
      hint = "{.fn read_ratings} keeps the first of them and lists the others.",
      call = call
    )
  }
}

# A respondent's ratings of one image are in one group.
check_constant <- function(ratings, pair, group, by, call) {
  differs <- which(group != group[match(pair, pair)])
  if (length(differs) > 0) {
    abort_imagestrata(
      "{.field {by}} must be the same in all ratings that a respondent gives an image, unlike in
       row {differs[1]}.",
      call = call
    )
  }
}

# A dimension's rating is the mean of its items' ratings by the same respondent of the same image.
add_dimensions <- function(answers, items) {
  has <- !is.na(items$dimension)
  if (!any(has)) {
    return(answers)
  }
  measure <- items$dimension[has]
  unit <- pair_up(answers$pair[has], measure)
  first <- which(has)[!duplicated(unit)]
  total <- rowsum(cbind(answers$rating[has], 1), unit, reorder = FALSE)
  added <- lapply(answers, \(x) x[first])
  added$measure <- items$dimension[first]
  added$rating <- unname(total[, 1] / total[, 2])
  Map(c, answers, added)
}

# The answers to a measure in a group are a cell; so are those by which groups are compared
# (`pairing`, the number of the comparison).
number_cells <- function(design) {
  answers <- design$answers
  n_groups <- nrow(design$groups)
  n_measures <- nrow(design$measures)
  key <- ((answers$pairing - 1) * n_measures + answers$measure - 1) * n_groups + answers$group
  cells <- sort(unique(key))
  design$answers$cell <- match(key, cells)
  design$cells <- tibble::tibble(
    cell = seq_along(cells),
    pairing = (cells - 1) %/% (n_groups * n_measures) + 1,
    measure = (cells - 1) %/% n_groups %% n_measures + 1,
    group = (cells - 1) %% n_groups + 1
  )
  design
}

# ---- Weights ----------------------------------------------------------------------------

clusters_of <- function(ratings, weight, call) {
  cluster <- ratings[["cluster"]]
  missing <- if (is.null(cluster)) nrow(ratings) else sum(is.na(cluster))
  if (missing == 0) {
    return(number_levels(cluster))
  }
  if (weight != "none" && is.null(cluster)) {
    warn_imagestrata(
      "{.arg ratings} has no column {.field cluster}: {.field weight_{weight}} is taken as it is,
       so that a cluster counts for less if some of its sampled images were not rated.",
      "Join the sample with {.code read_ratings(sample = )}."
    )
  } else if (weight != "none") {
    abort_imagestrata(
      "{missing} of {nrow(ratings)} ratings {cli::qty(missing)}{?has/have} no {.field cluster}.",
      hint = "Were images rated that are not in the sample?",
      call = call
    )
  }
  NULL
}

# The stratum from which the image of each rating was drawn: a part of its cluster, by default all
# of it.
strata_of <- function(ratings, image, cluster) {
  stratum <- ratings[["stratum"]]
  if (is.null(cluster) || is.null(stratum) || anyNA(stratum)) {
    return(cluster)
  }
  stratum <- number_levels(stratum)
  of_image <- all(stratum == stratum[match(image, image)])
  nested <- all(cluster == cluster[match(stratum, stratum)])
  if (of_image && nested) stratum else cluster
}

# TRUE if a column of `by` is about images (their cluster, their month), FALSE if it is about
# respondents (their party). If no respondent rated images of two values, both are possible: a
# column that is constant within clusters is then about images, except the respondents' `group`.
tells_images_apart <- function(column, ratings, image, respondent, cluster) {
  value <- number_levels(ratings[[column]])
  constant <- function(unit) all(value == value[match(unit, unit)])
  if (!constant(image)) {
    return(FALSE)
  }
  column == "image_id" || !constant(respondent) ||
    (column != "group" && !is.null(cluster) && constant(cluster))
}

# For each image its `cluster` and `stratum`, its `domain` (the values of `by` that are about
# images), its `weight` in the sample, `of_all`, the number of sampled images of its stratum
# that it represents, including those without ratings, and `size`, the number of images of the
# stratum in the corpus, if it is known.
images_of <- function(ratings, image, cluster, stratum, columns, weights, weight,
                      call = rlang::caller_env(2)) {
  first <- match(seq_len(max(image)), image)
  images <- list(
    cluster = cluster[first], stratum = stratum[first], domain = number_rows(columns[first, ]),
    weight = weights[first], size = ratings[["N_h"]][first]
  )
  if (is.null(cluster)) {
    return(images)
  }
  if (weight != "none") {
    check_alike(ratings, weights, image, paste0("weight_", weight), call)
    check_alike(ratings, cluster, image, "cluster", call)
  }
  rated <- tabulate(images$stratum)[images$stratum]
  sampled <- ratings[["n_h"]] %||% (1 / ratings[["weight_cluster"]] %||% NA)
  images$of_all <- dplyr::coalesce(pmax(1, sampled[first] / rated), 1)
  images
}

check_alike <- function(ratings, x, image, name, call) {
  differs <- which(x != x[match(image, image)])
  if (length(differs) > 0) {
    id <- ratings$image_id[differs[1]]
    abort_imagestrata(
      "{.field {name}} must be the same in all ratings of an image, but differs for
       {.val {id}}: {.val {unique(ratings[[name]][ratings$image_id == id])}}.",
      hint = "{.fn read_ratings} joins clusters and weights by {.field image_id}.",
      call = call
    )
  }
}

# In a cell each cluster has the weight that `weight` gives it. Its strata with ratings share it in
# proportion to what they represent, the rated images of a stratum in proportion to their weights in
# the sample, and the ratings of an image share its weight equally. Respondents' own weights
# multiply the result: divided within images, or within clusters, they would cancel out where an
# image, or a cluster, has one rating.
weigh <- function(design, call) {
  answers <- design$answers
  images <- design$images
  unit <- pair_up(answers$cell, answers$image)
  weight <- images$weight[answers$image]
  if (design$weight != "none" && !is.null(images$cluster)) {
    first <- !duplicated(unit)
    divide <- function(weight, part, total) {
      place <- pair_up(answers$cell, part)
      rated <- sum_by(weight[first], place[first], max(place))[place]
      ifelse(rated > 0, total[answers$image] * weight / rated, 0)
    }
    weight <- divide(weight, answers$stratum, totals_of(images, "stratum"))
    weight <- divide(weight, answers$cluster, cluster_totals(design))
  }
  answers$weight <- weight / tabulate(unit)[unit] * (answers$respondent_weight %||% 1)
  total <- sum_by(answers$weight, answers$cell, nrow(design$cells))
  if (any(total == 0)) {
    empty <- design$groups[design$cells$group[total == 0][1], ]
    abort_imagestrata(
      "All weights {.field weight_{design$weight}} of {label_of(empty)} are zero.",
      hint = "None of its images was shared: choose another {.arg weight}.",
      call = call
    )
  }
  answers$share <- answers$weight / total[answers$cell]
  design$answers <- answers
  design
}

# The column of respondents' weights, or NULL.
select_respondent_weight <- function(ratings, column, call) {
  selected <- rlang::try_fetch(
    names(ratings)[tidyselect::eval_select(column, ratings)],
    error = function(error) {
      absent <- setdiff(all.vars(rlang::quo_get_expr(column)), names(ratings))
      if (length(absent) == 0) absent <- rlang::as_label(column)
      abort_imagestrata(
        "{.arg respondent_weight} names a column that {.arg ratings} does not have: {.field
         {absent}}.",
        hint = "Its columns are {.field {names(ratings)}}. Join the table of respondents by {.field
                respondent_id} first.",
        call = call
      )
    }
  )
  if (length(selected) > 1) {
    abort_imagestrata(
      "{.arg respondent_weight} must be one column, not {length(selected)}: {.field {selected}}.",
      call = call
    )
  }
  if (length(selected) == 1) selected
}

respondent_weights_of <- function(ratings, column, respondent, call) {
  if (is.null(column)) {
    return(NULL)
  }
  weights <- ratings[[column]]
  if (!is.numeric(weights)) {
    abort_imagestrata(
      "{.field {column}} must hold numbers, not {.obj_type_friendly {weights}}.",
      call = call
    )
  }
  wrong <- which(!is.finite(weights) | weights <= 0)
  if (length(wrong) > 0) {
    people <- unique(ratings$respondent_id[wrong])
    abort_imagestrata(
      "{.field {column}} must be a positive number for every respondent, but is {.val
       {weights[wrong[1]]}} for {length(people)} of {max(respondent)} respondent{?s}, the first
       {.val {people[1]}}.",
      hint = "Complete the weights, or leave the ratings of {cli::qty(length(people))}{?this/these}
              respondent{?s} out with {.fn dplyr::filter}.",
      call = call
    )
  }
  # Weights for non-response, see response_weights(), differ between images.
  image <- pair_up(respondent, number_levels(ratings$image_id))
  differs <- which(weights != weights[match(image, image)])
  if (length(differs) > 0) {
    id <- ratings$respondent_id[differs[1]]
    own <- image == image[differs[1]]
    abort_imagestrata(
      "{.field {column}} must be the same in all ratings that a respondent gives an image, but
       differs for {.val {id}}: {.val {unique(weights[own])}}.",
      hint = "The weights of images are in {.arg weight}.",
      call = call
    )
  }
  as.double(weights)
}

# Kish's effective number of respondents in groups 1 to `n`, which `of` has for each answer: so many
# respondents with equal weights would make a mean equally precise.
effective_respondents <- function(answers, of, n) {
  counts <- answers$weight > 0
  of <- of[counts]
  person <- pair_up(of, answers$respondent[counts])
  weight <- sum_by(answers$respondent_weight[counts], person, max(person)) / tabulate(person)
  of <- of[match(seq_along(weight), person)]
  sum_by(weight, of, n)^2 / sum_by(weight^2, of, n)
}

tell_unequal <- function(design) {
  if (is.null(design$respondent_weight)) {
    return()
  }
  answers <- design$answers
  groups <- design$groups[!design$of_images]
  of_group <- number_rows(groups)
  n_groups <- max(of_group)
  people <- n_in_cells(answers$respondent, of_group[answers$group], n_groups)
  effective <- effective_respondents(answers, of_group[answers$group], n_groups)
  uneven <- which(effective < people / 2)
  if (length(uneven) > 0) {
    worst <- uneven[which.min((effective / people)[uneven])]
    cli::cli_inform(c("i" = "The weights {.field {design$respondent_weight}} are very unequal in
      {length(uneven)} group{?s}, most so for {label_of(groups[match(worst, of_group), ])}:
      {people[worst]} respondents are as informative as {round(effective[worst])} with equal
      weights."))
  }
}

# For each image the total weight of its cluster: 1, or the number of its images or shares in the
# corpus, within the groups of images in `by`.
cluster_totals <- function(design) {
  images <- design$images
  if (design$weight %in% c("cluster", "none")) {
    return(rep(1, length(images$weight)))
  }
  totals_of(images, "cluster")
}

# For each image what all images of its cluster or stratum, within `domain`, represent.
totals_of <- function(images, part) {
  place <- pair_up(images[[part]], images$domain)
  sum_by(images$weight * images$of_all, place, max(place))[place]
}

label_of <- function(row) {
  values <- vapply(row, as.character, "")
  if (ncol(row) == 0) "all respondents" else toString(paste(names(row), values))
}

# Sums within groups 1 to n of a vector, or of each column of a matrix.
sum_by <- function(x, group, n) {
  sums <- rowsum(x, group, reorder = FALSE)
  total <- matrix(0, n, ncol(sums))
  total[as.integer(rownames(sums)), ] <- sums
  if (is.matrix(x)) total else as.vector(total)
}

# ---- Images without ratings -------------------------------------------------------------------

# Reports the clusters and sampled images that means, or gaps, do not include. Items may differ: the
# item with most missing images decides. `compared` is the design of gaps.
tell_unrated <- function(design, compared = NULL, comparisons = NULL) {
  if (is.null(design$images$cluster)) {
    return()
  }
  counts <- count_unrated(design)
  some <- which(counts$images + counts$clusters > 0)
  if (length(some) == 0) {
    return()
  }
  lines <- vapply(utils::head(some, 3), function(i) {
    where <- if (length(design$by) > 0) paste0(" (", label_of(design$groups[i, ]), ")")
    clusters <- if (counts$clusters[i] > 0) paste(" and", unrated_of(counts[i, ], "cluster"))
    paste0(unrated_of(counts[i, ], "image"), clusters, where)
  }, "")
  if (length(some) > 3) {
    lines <- c(lines, paste("and more in", count_of(length(some) - 3, "further group")))
  }
  left_out <- left_out_of(compared, comparisons)
  uneven <- is.null(compared) && any(counts$clusters > 0)
  text <- c(
    "No rating for {paste(lines, collapse = '; ')}.",
    i = if (design$weight != "none") "The rated images of a cluster represent the others.",
    i = if (length(left_out) > 0) {
      "A gap includes the clusters that {if (all_pairs(comparisons)) 'both' else 'all its'} groups
       rated, without {paste(left_out, collapse = '; ')}."
    },
    i = if (uneven) {
      "A mean includes the clusters with ratings; {.fn rating_gaps} compares groups on the clusters
       that both rated."
    }
  )
  if (uneven) {
    cli::cli_warn(text, class = "imagestrata_warning")
  } else {
    names(text)[1] <- "!"
    cli::cli_inform(text)
  }
}

# The clusters and images that each comparison leaves out.
left_out_of <- function(compared, comparisons) {
  out <- compared$left_out
  all <- which(out$cluster > 0)
  some <- utils::head(all, 3)
  lines <- paste0(
    vapply(out$cluster[some], count_of, "", "cluster"), " (",
    vapply(out$image[some], count_of, "", "image"), ")",
    if (length(comparisons) > 1) {
      paste(" in", vapply(comparisons[some], name_of_comparison, ""))
    } else {
      ""
    },
    recycle0 = TRUE
  )
  more <- length(all) - length(some)
  c(lines, if (more > 0) paste("and more in", count_of(more, "further comparison")))
}

unrated_of <- function(counts, noun) {
  paste(
    format(counts[[paste0(noun, "s")]], big.mark = ","), "of",
    count_of(counts[[paste0("all_", noun, "s")]], if (noun == "image") "sampled image" else noun)
  )
}

# For each group of `by`: `images` and `clusters` without a rating, out of `all_images` and
# `all_clusters`.
count_unrated <- function(design) {
  images <- design$images
  answers <- design$answers
  domain <- images$domain
  n_domains <- max(domain)
  cells <- design$cells
  n_groups <- nrow(design$groups)
  of_group <- domain[answers$image[match(seq_len(n_groups), answers$group)]]
  # Images without ratings have a known cluster only.
  apart <- n_domains > 1 && max(n_in_cells(domain, images$cluster, max(images$cluster))) > 1
  stands_for <- if (apart) rep(1, length(domain)) else images$of_all
  all_images <- round(sum_by(stands_for, domain, n_domains))
  # With weights by shares, clusters that nobody shared are not missing.
  asked <- cluster_totals(design) > 0
  all_clusters <- n_in_cells(images$cluster[asked], domain[asked], n_domains)
  counts <- answers$weight > 0
  most <- function(all, rated) {
    lacking <- all[of_group[cells$group]] - rated
    vapply(split(lacking, factor(cells$group, seq_len(n_groups))), max, 0)
  }
  tibble::tibble(
    images = most(all_images, n_in_cells(answers$image, answers$cell, nrow(cells))),
    clusters = most(
      all_clusters, n_in_cells(answers$cluster[counts], answers$cell[counts], nrow(cells))
    ),
    all_images = all_images[of_group], all_clusters = all_clusters[of_group]
  )
}
