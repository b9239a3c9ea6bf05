# Arguments of verbs, in the form that python/imagestrata/bridge/calls.py receives.

# All arguments of the R function that calls this, as call_verb() sends them.
check_arguments <- function(..., call = rlang::caller_env()) {
  refuse_dots(call, rlang::caller_fn(), rlang::caller_call())
  send_arguments(rlang::list2(...), rlang::caller_fn(), call)
}

send_arguments <- function(given, verb, call) {
  defaults <- formals(verb)
  others <- setdiff(names(defaults), c("...", names(given)))
  sent <- lapply(rlang::set_names(others), function(name) {
    x <- get(name, call)
    default <- defaults[[name]]
    if (is.null(x) && is.null(defaults[[name]])) {
      return(NULL)
    }
    send_argument(x, name, if (rlang::is_missing(default)) "" else eval(default), call)
  })
  sent <- c(given, sent)
  sent[order(match(names(sent), names(defaults)))]
}

# Arguments of the same name have the same type in every verb; all others are one value of the type
# of their default.
send_argument <- function(x, name, default, call) {
  switch(name,
    images = ,
    videos = send(x, name, call),
    embeddings = send_vectors(x, call),
    clustering = send_clustering(
      check_class(x, "imagestrata_clustering", name, "cluster_images", call), call
    ),
    model = send_model(x, name, call),
    labels = send_labels(x, name, call),
    metadata = ,
    texts = send_texts(x, name, call),
    descriptions = ,
    keywords = ,
    keep = ,
    points = encode_table(check_data_frame(x, name, call), call),
    sample = encode_table(check_data_frame(x, name, call, "sample_images"), call),
    packets = encode_table(check_data_frame(x, name, call, "assign_annotators"), call),
    pairs = encode_table(check_data_frame(x, name, call, "sample_pairs"), call),
    ratings = encode_table(check_data_frame(x, name, call, "read_ratings"), call),
    clusters = check_clusters(x, name, call),
    exclude = check_exclude(x, call),
    anchors = ,
    columns = ,
    drop = ,
    groups = ,
    languages = ,
    measures = ,
    respondents = check_texts(x, name, call),
    freeze = ,
    k_max = ,
    neighbors = if (is.numeric(x)) {
      as_whole(check_number(x, name, call = call))
    } else {
      check_string(x, name, null = name == "neighbors", call = call)
    },
    error_rate = if (is.character(x)) {
      check_string(x, name, call = call)
    } else {
      check_number(x, name, call = call)
    },
    max_gradient_norm = if (identical(x, "auto")) {
      x
    } else {
      check_number(x, name, null = TRUE, call = call)
    },
    every = ,
    max_tokens = check_number(x, name, null = TRUE, call = call),
    scene_changes = if (is.numeric(x)) {
      check_number(x, name, call = call)
    } else {
      check_flag(x, name, call)
    },
    split = check_split(x, call),
    grid = check_grid(x, call),
    weights = check_weights(x, call),
    folder = ,
    key = ,
    out = check_path(x, name, call = call),
    progress = progress_bar(x, call),
    residual = check_residual(x, call),
    method = if (is.function(x)) send_clusterer(x) else send_value(x, name, default, call),
    send_value(x, name, default, call)
  )
}

# Arguments that are one text, or TRUE or FALSE, although their default is NULL.
text_arguments <- c(
  "address", "allocation", "base_url", "batch_norm", "bias", "by", "completion_code", "editor",
  "encoder", "encoding",
  "endpoint_url", "engine", "k_criterion", "label", "level", "noise", "normalize", "note",
  "period", "preset", "profile", "question", "return_address", "selection", "sep", "separator",
  "silhouette", "task", "version", "warning"
)
flag_arguments <- c("exact", "weighted")

send_value <- function(x, name, default, call) {
  if (is.character(default) || is.null(default) && name %in% text_arguments) {
    check_string(x, name, call = call)
  } else if (is.logical(default) || name %in% flag_arguments) {
    check_flag(x, name, call)
  } else {
    # Most numbers that can be NULL are counts.
    number <- check_number(x, name, call = call)
    if (is.null(default)) as_whole(number) else number
  }
}

as_whole <- function(x) {
  whole <- is.double(x) && length(x) == 1 && is.finite(x) && x == trunc(x)
  if (whole && abs(x) < .Machine$integer.max) as.integer(x) else x
}

send <- function(x, name, call = rlang::caller_env()) {
  if (inherits(x, "imagestrata_clustering")) {
    send_clustering(x, call)
  } else if (inherits(x, "imagestrata_embeddings")) {
    send_embeddings(x, name, call)
  } else if (is_vectors(x)) {
    send_rows(x, name, call)
  } else if (is.data.frame(x)) {
    send_table(x, name, call)
  } else {
    paths <- check_paths(x, name, call)
    check_exist(paths, name, call)
    list(kind = "paths", paths = as.list(absolute_path(paths)))
  }
}

# TRUE for a user's own vectors: a matrix, or a data frame of numbers without paths. For verbs that
# take only vectors, one column of numbers is enough (`any`), so that the error names the others.
is_vectors <- function(x, holds = all) {
  if (!is.data.frame(x)) {
    return(is.matrix(x) && is.numeric(x))
  }
  numbers <- vapply(x[setdiff(names(x), "image_id")], is.numeric, NA)
  !inherits(x, "imagestrata_result") && !"path" %in% names(x) && any(numbers) && holds(numbers)
}

# Rows are identified by image_id, or by their names.
send_rows <- function(x, name, call) {
  ids <- rownames(x)
  if (is.data.frame(x)) {
    ids <- x[["image_id"]] %||% ids
    x <- x[setdiff(names(x), "image_id")]
    words <- names(x)[!vapply(x, is.numeric, NA)]
    if (length(words) > 0) {
      abort_imagestrata(
        "{.arg {name}} must be vectors, but {?this column is/these columns are} not numeric: {.var
         {words}}.",
        hint = "Keep only {.var image_id} and the columns of the vectors.",
        call = call
      )
    }
    x <- as.matrix(x)
  }
  ids <- if (!is.null(ids)) encode_table(tibble::tibble(image_id = as.character(ids)), call)
  list(kind = "matrix", matrix = encode_matrix(x), ids = ids)
}

send_table <- function(x, name, call) {
  check_data_frame(
    x, name, call,
    needs = "path",
    hint = "Rename the column that holds the files: {.code dplyr::rename(path = ...)}."
  )
  # Videos without frames, which extract_frames() lists with the reason.
  if (all(c("video_id", "video", "time", "scene", "reason") %in% names(x))) {
    x <- x[!is.na(x$path) | is.na(x$reason), ]
  }
  x$path <- absolute_path(check_paths(x$path, paste0(name, "$path"), call))
  list(kind = "table", table = encode_table(x, call))
}

send_embeddings <- function(x, name, call) {
  sent <- list(kind = "embeddings", images = encode_table(x, call), folder = NULL)
  if (is.null(attr(x, "folder"))) {
    sent$matrix <- encode_matrix(as.matrix(x))
    sent$encoder <- as.character(attr(x, "encoder"))
  } else {
    sent$folder <- check_folder(x, name, call)
  }
  sent
}

send_clustering <- function(x, call = rlang::caller_env()) {
  check_whole(x, call)
  # Results that an older version saved have no searches.
  tables <- attr(x, "tables")[c("clusters", "trace", "searches", "renumbered", "edits", "tree")]
  tables <- c(list(images = x), Filter(Negate(is.null), tables))
  list(
    kind = "clustering",
    tables = lapply(tables, encode_table, call = call),
    centroids = encode_matrix(attr(x, "centroids")),
    settings = as.character(attr(x, "settings")),
    source = attr(x, "source")
  )
}

# Some functions change a table without restore(): tibble::add_row(), those of data.table.
check_whole <- function(x, call = rlang::caller_env()) {
  clusters <- tidy(x)
  sizes <- tabulate(match(x$cluster, clusters$cluster), nrow(clusters))
  if (nrow(x) != glance(x)$n_images || !all(sizes == clusters$size)) {
    abort_imagestrata(
      "The {nrow(x)} images of the clustering, or their clusters, have changed since it was made.",
      hint = "Use the clustering as {.fn cluster_images} returned it.",
      call = call
    )
  }
}

# A model is sent as the folder of its weights.
send_model <- function(x, name = "model", call = rlang::caller_env()) {
  if (inherits(x, "imagestrata_model")) {
    folder <- x[["folder"]]
    if (!dir.exists(on_disk(folder))) {
      abort_imagestrata(
        "The weights of this model were in {.file {folder}}, which no longer exists.",
        hint = "If the folder was moved, use {.code read_model(<new folder>)}. Without {.arg out},
                {.fn fine_tune} keeps weights until the R session ends: call it again with {.arg
                out}.",
        call = call
      )
    }
    return(list(kind = "path", path = folder))
  }
  if (!is.character(x)) {
    abort_imagestrata(
      "{.arg {name}} must be the result of {.fn fine_tune}, or its folder, not {seen(x)}.",
      call = call
    )
  }
  list(kind = "path", path = check_existing(x, name, call))
}

# Labels are a table or a CSV file; NULL uses the folders of the images. Their paths stay as they
# are, because they may be relative to the folder of the images.
send_labels <- function(x, name, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (is.data.frame(x)) {
    x[] <- lapply(x, \(column) if (is.factor(column)) as.character(column) else column)
    return(list(kind = "table", table = encode_table(plain_tibble(x), call)))
  }
  if (!is.character(x)) {
    abort_imagestrata(
      "{.arg {name}} must be a data frame or the path of a CSV file, not {seen(x)}.",
      call = call
    )
  }
  list(kind = "path", path = check_existing(x, name, call))
}

# A list as JSON, which keeps R's NULL inside a list, and lists of length one.
send_json <- function(x, ...) {
  list(kind = "json", text = as.character(jsonlite::toJSON(as.list(x), ...)))
}

# R keeps settings as the JSON text that came: reading it into lists and writing it again would turn
# lists of one into scalars.
from_json <- function(text) {
  jsonlite::fromJSON(text, simplifyVector = FALSE)
}

send_files <- function(files, call = rlang::caller_env()) {
  if (is.data.frame(files)) {
    return(encode_table(files, call))
  }
  files <- check_paths(files, "files", call)
  check_exist(files, "files", call)
  as.list(absolute_path(files))
}

send_table_or_file <- function(x, name, made_by, call = rlang::caller_env()) {
  if (!is.character(x)) {
    return(encode_table(check_data_frame(x, name, call, made_by), call))
  }
  check_existing(x, name, call)
}
