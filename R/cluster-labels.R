# Names of clusters in figures: the twin of python/imagestrata/clustering/named.py.

# The texts of clusters by number: `labels`, else the names in the column `cluster_name` of a
# table. Other clusters have none. `known` are the clusters that `labels` may name.
texts_of_clusters <- function(labels, table, known = table$cluster, call = rlang::caller_env()) {
  texts <- c(check_labels(labels, known, call), names_of_clusters(table))
  texts[!duplicated(names(texts))]
}

# The names that clusters have, by number.
names_of_clusters <- function(table) {
  if (!all(c("cluster", "cluster_name") %in% names(table))) {
    return(character())
  }
  named <- !is.na(table$cluster_name) & !duplicated(table$cluster)
  rlang::set_names(as.character(table$cluster_name)[named], table$cluster[named])
}

# The columns of a table of ours that are names of clusters, not a `theme` of the user.
names_in <- function(table) {
  themes <- c("theme", "theme_name")
  known <- c("cluster_name", if (all(themes %in% names(table))) themes)
  intersect(known, names(table))
}

# A table with the names of its clusters after their numbers, if `source` has names.
name_clusters <- function(table, source) {
  if (!"cluster_name" %in% names(source) || !"cluster" %in% names(table) ||
    "cluster_name" %in% names(table)) {
    return(table)
  }
  texts <- names_of_clusters(source)
  tibble::add_column(
    table, cluster_name = unname(texts[as.character(table$cluster)]), .after = "cluster"
  )
}

# The text of each cluster in a figure: "Cluster 7" beside names, else the number alone.
label_clusters <- function(cluster, texts = character(), width = 1000) {
  number <- as.character(cluster)
  alone <- grepl("^[0-9]+$", number) & any(number %in% names(texts))
  usual <- ifelse(alone, paste("Cluster", number), number)
  usual[is_residual(cluster)] <- "residual"
  shorten(dplyr::coalesce(unname(texts[number]), usual), width)
}

# Texts by number. A table may contain clusters that are not in the figure.
check_labels <- function(labels, known, call = rlang::caller_env()) {
  if (is.null(labels)) {
    return(character())
  }
  if (is.data.frame(labels)) {
    check_data_frame(labels, "labels", call, needs = c("cluster", "cluster_name"))
    return(names_of_clusters(labels))
  }
  if (is.list(labels) && all(lengths(labels) == 1)) {
    labels <- unlist(labels)
  }
  if (!is.character(labels) || !rlang::is_named(labels)) {
    abort_imagestrata(
      "{.arg labels} must be a vector of names for clusters, such as {.code c(\"5\" = \"flags\")},
       or a table with the columns {.field cluster} and {.field cluster_name}, not {seen(labels)}.",
      call = call
    )
  }
  unknown <- setdiff(names(labels), c(known, -1))
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg labels} names {length(unknown)} cluster{?s} that {?is/are} not there:
       {.val {unknown}}.",
      hint = "The clusters are {.val {unique(known)}}.",
      call = call
    )
  }
  labels <- gsub("\\s+", " ", trimws(labels))
  labels[!is.na(labels) & nzchar(labels)]
}

# As Python receives them.
send_cluster_labels <- function(labels, clustering, call = rlang::caller_env()) {
  if (!is.null(labels) && inherits(clustering, "imagestrata_clustering")) {
    send_json(lapply(check_labels(labels, tidy(clustering)$cluster, call), jsonlite::unbox))
  }
}
