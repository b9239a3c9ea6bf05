# From ratings to what is estimated: checks, the ratings of dimensions, and cells.
#
# A *measure* is an item or a dimension; a *cell* is a measure in a combination of the `by`
# columns. Everything below is kept as plain vectors over answers, so that a million ratings
# take seconds.

# Returns a list: `answers` (measure, cell, rating, weight, respondent, image, pair, cluster: all
# counted from 1), `measures` and `cells` (tables, in the order of the results), counts of the
# design, and the names of the `by` columns.
design_ratings <- function(ratings, by, weight, call = rlang::caller_env()) {
  check_ratings(ratings, call)
  by <- select_by(ratings, by, call)
  ratings <- leave_missing_out(plain_tibble(ratings), call)
  weights <- weights_of(ratings, weight, call)
  group <- group_by_columns(ratings, by, call)
  items <- items_of(ratings, call)
  respondent <- number_levels(ratings$respondent_id)
  image <- number_levels(ratings$image_id)
  cluster <- if ("cluster" %in% names(ratings)) number_levels(ratings$cluster)
  pair <- pair_up(respondent, image)
  check_once(ratings, pair, items$item, call)
  check_constant(ratings, pair, group$id, by, call)
  answers <- list(
    measure = items$item, group = group$id, rating = as.double(ratings$rating), weight = weights,
    respondent = respondent, image = image, pair = pair, cluster = cluster
  )
  answers <- add_dimensions(answers, items)
  design <- list(
    answers = answers, measures = items$measures, groups = group$table, by = names(by),
    n_respondents = max(respondent), n_images = max(image), n_ratings = nrow(ratings)
  )
  design <- number_cells(design)
  if ("cluster" %in% names(ratings) && !"cluster" %in% by) {
    warn_uneven_clusters(design, ratings)
  }
  split_weights(design, weight, call)
}

check_ratings <- function(ratings, call) {
  needed <- c("respondent_id", "image_id", "item", "rating")
  lacks <- setdiff(needed, names(ratings))
  if (!is.data.frame(ratings) || length(lacks) > 0) {
    abort_imagestrata(
      "{.arg ratings} must be a table with the columns {.field {needed}}, not {seen(ratings)}.",
      hint = if (is.data.frame(ratings)) {
        "{.field {lacks}} {?is/are} not there: {.fn read_ratings} makes such a table."
      } else {
        "{.fn read_ratings} makes one."
      },
      call = call
    )
  }
  if (nrow(ratings) == 0) {
    abort_imagestrata("{.arg ratings} has no rows.", call = call)
  }
  if (!is.numeric(ratings$rating)) {
    abort_imagestrata(
      "{.field rating} must hold numbers, not {.obj_type_friendly {ratings$rating}}.",
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
        hint = "Leave {cli::qty(n)}{?it/them} out, or use {.fn read_ratings}, which does and says
                so.",
        call = call
      )
    }
  }
}

# Columns by tidyselect; names are those of the results.
select_by <- function(ratings, by, call) {
  selected <- rlang::try_fetch(
    tidyselect::eval_select(by, ratings),
    error = function(error) {
      abort_imagestrata(
        "{.arg by} names a column that {.arg ratings} does not have: {rlang::as_label(by)}.",
        hint = "There {cli::qty(ncol(ratings))}{?is/are} {.field {names(ratings)}}.
                {.code by = NULL} takes all respondents together.",
        call = call
      )
    }
  )
  columns <- rlang::set_names(names(ratings)[selected], names(selected))
  wrong <- intersect(columns, c("item", "dimension", "rating", "respondent_id"))
  if (length(wrong) > 0) {
    abort_imagestrata(
      "{.arg by} must name groups of respondents or images, not {.field {wrong}}.",
      hint = "There is a row per item and dimension anyway.",
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
    cli::cli_inform(c("!" = "{sum(missing)} of {length(missing)} rating{?s} missing: left out."))
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
      hint = "Join the sample with {.code read_ratings(sample = )}; {.code weight = \"none\"} lets
              every rated image count the same.",
      call = call
    )
  }
  weights <- ratings[[column]]
  if (!is.numeric(weights)) {
    abort_imagestrata(
      "{.field {column}} must hold numbers, not {.obj_type_friendly {weights}}.",
      call = call
    )
  }
  missing <- sum(is.na(weights))
  if (missing > 0) {
    abort_imagestrata(
      "{.field {column}} is missing for {missing} of {length(weights)} rating{?s}, the first of image
       {.val {ratings$image_id[is.na(weights)][1]}}.",
      hint = "Were images rated that are not in the sample?",
      call = call
    )
  }
  # An image that nobody shared counts nothing where shares count; else zero is a mistake.
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
        hint = "Filter {cli::qty(n)}{?it/them} out first, or give {cli::qty(n)}{?it/them} a
                group of {cli::qty(n)}{?its/their} own.",
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
    cli::cli_inform(c("i" = "Nobody is {.val {unused}} in {.field {name}}: no rows for it."))
  }
}

# Values as 1, 2, ...: in the order of the values, or of the levels of a factor.
number_levels <- function(x) {
  if (is.factor(x)) {
    x <- as.integer(x)
  }
  match(x, sort(unique(x)))
}

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
      "{length(again)} rating{?s} {?is/are} there twice, the first by
       {.val {ratings$respondent_id[row]}} of image {.val {ratings$image_id[row]}} on
       {.val {as.character(ratings$item[row])}}.",
      hint = "{.fn read_ratings} keeps the first and lists the others.",
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

number_cells <- function(design) {
  answers <- design$answers
  n_groups <- nrow(design$groups)
  key <- (answers$measure - 1) * n_groups + answers$group
  cells <- sort(unique(key))
  design$answers$cell <- match(key, cells)
  design$cells <- tibble::tibble(
    cell = seq_along(cells),
    measure = (cells - 1) %/% n_groups + 1,
    group = (cells - 1) %% n_groups + 1
  )
  design
}

# An image counts once in a cell, however many have rated it there.
split_weights <- function(design, weight, call) {
  answers <- design$answers
  unit <- pair_up(answers$cell, answers$image)
  answers$weight <- answers$weight / tabulate(unit)[unit]
  total <- sum_by(answers$weight, answers$cell, nrow(design$cells))
  if (any(total == 0)) {
    empty <- design$groups[design$cells$group[total == 0][1], ]
    abort_imagestrata(
      "All weights {.field weight_{weight}} of {label_of(empty)} are zero.",
      hint = "No image in it was shared: choose another {.arg weight}.",
      call = call
    )
  }
  answers$share <- answers$weight / total[answers$cell]
  design$answers <- answers
  design
}

label_of <- function(row) {
  values <- vapply(row, as.character, "")
  if (ncol(row) == 0) "all respondents" else toString(paste(names(row), values))
}

sum_by <- function(x, group, n) {
  total <- numeric(n)
  sums <- rowsum(x, group, reorder = FALSE)
  total[as.integer(rownames(sums))] <- sums
  total
}

# Groups of images, unlike groups of people, have no images in common.
share_images <- function(answers) {
  first <- match(answers$image, answers$image)
  any(answers$group != answers$group[first])
}

# Where groups rated different clusters their means are about different things.
warn_uneven_clusters <- function(design, ratings) {
  n_groups <- nrow(design$groups)
  answers <- design$answers
  if (!share_images(answers)) {
    return()
  }
  seen <- !duplicated((answers$group - 1) * max(answers$cluster) + answers$cluster)
  times <- tabulate(answers$cluster[seen])
  partly <- sort(unique(ratings$cluster))[times < n_groups]
  if (length(partly) > 0) {
    cli::cli_warn(
      c(
        "{length(partly)} cluster{?s} {?was/were} not rated by every group, so that means of groups
         are not about the same clusters: {.val {partly}}.",
        i = "They stay in. To compare like with like, filter {cli::qty(length(partly))}{?it/them}
             out of all groups."
      ),
      class = "imagestrata_warning"
    )
  }
}
