# The products of verbs, and the errors for verbs that get the wrong one.

# The product of each verb, and the product that it is made from (`of`): python/imagestrata/verbs.py
# has the same table.
products <- list(
  imagestrata_images = list(called = "a scan", maker = "scan_images", of = NULL),
  imagestrata_embeddings = list(called = "embeddings", maker = "embed_images", of = NULL),
  imagestrata_clustering = list(
    called = "a clustering", maker = "cluster_images", of = "imagestrata_embeddings"
  ),
  imagestrata_sample = list(
    called = "a sample", maker = "sample_images", of = "imagestrata_clustering"
  ),
  imagestrata_posts = list(called = "linked posts", maker = "link_posts", of = "posts"),
  imagestrata_topic_model = list(
    called = "a model of topics", maker = "topic_model", of = "imagestrata_posts"
  ),
  posts = list(called = "posts", maker = "read_posts", of = NULL),
  imagestrata_ratings = list(called = "ratings", maker = "read_ratings", of = NULL),
  imagestrata_model = list(called = "a fine-tuned model", maker = "fine_tune", of = NULL),
  imagestrata_tuning = list(called = "a tuning", maker = "tune_clusters", of = NULL),
  imagestrata_stability = list(
    called = "a test of stability", maker = "cluster_stability", of = "imagestrata_clustering"
  ),
  imagestrata_comparison = list(
    called = "a comparison", maker = "compare_clusterings", of = "imagestrata_clustering"
  ),
  imagestrata_cluster_test = list(
    called = "results of a test of clusters", maker = "read_test", of = NULL
  ),
  imagestrata_tags = list(called = "a comparison of tags", maker = "compare_tags", of = NULL)
)

# What tables of read_posts(), which have no class, have in common.
columns_of_posts <- c("post_id", "author", "time", "text", "media")

product_of <- function(x) {
  if (inherits(x, "imagestrata_estimates")) {
    kind <- attr(x, "kind")
    return(list(called = kind, maker = paste0("rating_", kind)))
  }
  if (inherits(x, "imagestrata_prevalence")) {
    kind <- attr(x, "kind")
    return(list(called = kind, maker = paste0("topic_", kind)))
  }
  known <- intersect(class(x), names(products))
  if (length(known) > 0) {
    products[[known[[1]]]]
  } else if (is.data.frame(x) && all(columns_of_posts %in% names(x))) {
    products$posts
  }
}

# The name of a result, for messages.
what_is <- function(x) {
  product_of(x)$called %||% switch(class(x)[[1]],
    imagestrata_classifiers = "tuned classifiers",
    imagestrata_training = "training sets",
    imagestrata_labels = "labels made by a rule",
    imagestrata_label_scores = "scores of predictions",
    imagestrata_label_model = "a model of labels",
    imagestrata_plan = "a plan",
    imagestrata_sweep = "a sweep",
    imagestrata_share_model = "a model of shares",
    imagestrata_label_shares = "shares of labels",
    imagestrata_label_plan = "a plan of labels",
    imagestrata_improvement = "an improvement",
    "a result"
  )
}

# The verbs that lead from an object to a class; none if there is no such sequence.
makers_between <- function(x, class) {
  makers <- character()
  while (!is.null(class) && !identical(product_of(x), products[[class]])) {
    makers <- c(products[[class]]$maker, makers)
    class <- products[[class]]$of
  }
  if (is.null(class)) character() else makers
}

check_class <- function(x, class, name, made_by, call = rlang::caller_env()) {
  if (!inherits(x, class)) {
    abort_product(x, class, name, made_by, call)
  }
  x
}

abort_product <- function(x, class, name, made_by, call) {
  abort_imagestrata(
    "{.arg {name}} must be the result of {.fn {made_by}}, not {seen_product(x)}.",
    hint = "{remedy_for_product(x, class, made_by)}",
    class = "wrong_step",
    call = call
  )
}

seen_product <- function(x) {
  product <- product_of(x)
  if (!is.null(product)) {
    format_text("{product$called}, which {.fn {product$maker}} returns")
  } else if (is.data.frame(x) && !inherits(x, "imagestrata_result")) {
    format_text("a plain data frame with {ncol(x)} column{?s}")
  } else {
    seen(x)
  }
}

remedy_for_product <- function(x, class, made_by) {
  makers <- makers_between(x, class)
  if (length(makers) > 0) {
    then <- paste0(makers, "()", collapse = ", then ")
    last <- if (length(makers) == 1) "it" else "the last"
    return(format_text("Call {then}, and give what {last} returns."))
  }
  if (rlang::is_string(x) && class %in% names(readers)) {
    return(format_text("Read the run folder with {.fn {readers[[class]]}}."))
  }
  paste0(what_was_lost(x, class), format_text("Give what {.fn {made_by}} returned."))
}

# The reason why a data frame lost the class of a product; empty if it never had it.
what_was_lost <- function(x, class) {
  needs <- table_rules[[class]]$needs
  lacking <- setdiff(needs, names(x))
  if (!is.data.frame(x) || !is.null(product_of(x)) || setequal(lacking, needs)) {
    ""
  } else if (length(lacking) > 0) {
    format_text("It lacks the column{?s} {.var {lacking}}. ")
  } else {
    "It has the columns, but its rows or values were changed, or it comes from a file. "
  }
}

# The verb that reads a product from its run folder.
readers <- c(
  imagestrata_clustering = "read_clustering",
  imagestrata_embeddings = "read_embeddings",
  imagestrata_model = "read_model"
)
