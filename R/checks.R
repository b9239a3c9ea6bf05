# Every deliberate error has the class `imagestrata_error` and says three things: what was expected,
# what was seen, and (in `hint`) what to do now. Texts are cli templates.

abort_imagestrata <- function(message, hint = NULL, ..., class = NULL,
                              call = rlang::caller_env(), .envir = parent.frame()) {
  lines <- c(message, i = hint)
  lines[] <- vapply(lines, format_text, "", .envir = .envir)
  rlang::abort(
    lines,
    class = c(class, "imagestrata_error"),
    hint = if (!is.null(hint)) lines[["i"]],
    ...,
    call = call,
    use_cli_format = TRUE
  )
}

# A warning of ours, in the same form.
warn_imagestrata <- function(message, hint = NULL, .envir = parent.frame()) {
  cli::cli_warn(c(message, i = hint), class = "imagestrata_warning", .envir = .envir)
}

# Line breaks in a template only serve the reader of the source.
format_text <- function(text, .envir = parent.frame()) {
  cli::format_inline(gsub("\\s*\n\\s*", " ", text), .envir = .envir)
}

# ---- Arguments ----------------------------------------------------------------------------

# Checks of arguments in R's terms. Python checks ranges, choices and seeds.

check_string <- function(x, name, null = FALSE, call = rlang::caller_env()) {
  if (null && is.null(x)) {
    return(NULL)
  }
  if (is.factor(x)) {
    abort_factor(name, call)
  }
  if (!is.character(x) || length(x) != 1 || is.na(x)) {
    abort_imagestrata("{.arg {name}} must be one piece of text, not {seen(x)}.", call = call)
  }
  known_text(as.character(x))
}

check_flag <- function(x, name, call = rlang::caller_env()) {
  if (!rlang::is_bool(x)) {
    abort_imagestrata(
      "{.arg {name}} must be {.code TRUE} or {.code FALSE}, not {seen(x)}.",
      call = call
    )
  }
  x
}

check_number <- function(x, name, null = FALSE, minimum = -Inf, call = rlang::caller_env()) {
  if (null && is.null(x)) {
    return(NULL)
  }
  if (!is.numeric(x) || length(x) != 1 || is.na(x)) {
    abort_imagestrata("{.arg {name}} must be one number, not {seen(x)}.", call = call)
  }
  if (x < minimum) {
    abort_imagestrata("{.arg {name}} must be at least {minimum}, not {.val {x}}.", call = call)
  }
  as.double(x)
}

# Counts and shares that only R uses; Python checks those that it gets.
check_count <- function(x, name, call = rlang::caller_env()) {
  x <- check_number(x, name, call = call)
  if (x < 1 || x != round(x)) {
    abort_imagestrata("{.arg {name}} must be a whole number of at least 1, not {.val
                       {x}}.", call = call)
  }
  x
}

check_share <- function(x, name, call = rlang::caller_env(), hint = NULL) {
  x <- check_number(x, name, call = call)
  if (x <= 0 || x >= 1) {
    abort_imagestrata(
      "{.arg {name}} must be between 0 and 1, not {.val {x}}.",
      hint = hint, call = call
    )
  }
  x
}

check_choice <- function(x, name, choices, call, hint = NULL) {
  if (is.factor(x)) {
    abort_factor(name, call)
  }
  if (!rlang::is_string(x) || !x %in% choices) {
    abort_imagestrata(
      "{.arg {name}} must be one of {.or {.val {choices}}}, not {seen(x)}.",
      hint = hint,
      call = call
    )
  }
  x
}

check_scale <- function(scale, call = rlang::caller_env(),
                        hint = "The default is {.code c(0, 10)}.") {
  if (!is.numeric(scale) || length(scale) != 2 || anyNA(scale) || scale[1] >= scale[2]) {
    abort_imagestrata(
      "{.arg scale} must be the lowest and the highest rating, not {seen(scale)}.",
      hint = hint,
      call = call
    )
  }
  scale
}

# A path as Python and every later R session understand it: absolute, with `/`.
check_path <- function(x, name, null = FALSE, call = rlang::caller_env()) {
  absolute_path(check_string(x, name, null, call))
}

# The path of a file or folder that exists.
check_existing <- function(x, name, call = rlang::caller_env()) {
  path <- check_path(x, name, call = call)
  check_exist(path, name, call)
  path
}

absolute_path <- function(path) {
  if (is.null(path)) {
    return(NULL)
  }
  path <- path.expand(on_disk(path))
  relative <- !grepl("^(/|\\\\\\\\|[A-Za-z]:)", path, useBytes = TRUE)
  path[relative] <- file.path(on_disk(getwd()), path[relative])
  known_text(normalizePath(path, winslash = "/", mustWork = FALSE))
}

# In the C locale (batch jobs, containers) R does not know the encoding of names and arguments. They
# are UTF-8, and are marked as such here.
known_text <- function(x) {
  if (in_c_locale()) {
    utf8 <- !is.na(x) & validUTF8(x)
    Encoding(x[utf8]) <- "UTF-8"
  }
  x
}

# The name under which R finds a file: without a mark of its encoding, or R would escape its
# letters.
on_disk <- function(path) {
  if (in_c_locale()) {
    Encoding(path) <- "unknown"
  }
  path
}

in_c_locale <- function(known = l10n_info()) {
  !(known[["MBCS"]] || known[["UTF-8"]] || known[["Latin-1"]])
}

# A file or folder of weights as a path; the name of published weights unchanged.
check_weights <- function(x, call = rlang::caller_env()) {
  x <- check_string(x, "weights", null = TRUE, call)
  if (is.null(x)) {
    return(NULL)
  }
  is_path <- file.exists(path.expand(on_disk(x))) ||
    grepl("^([~./\\\\]|[A-Za-z]:)", x) ||
    grepl("\\.(safetensors|pth|pt|bin|tar)$", x)
  if (is_path) absolute_path(x) else x
}

# Python refuses TRUE and FALSE, and names the words that a verb takes.
check_residual <- function(x, call = rlang::caller_env()) {
  if (rlang::is_bool(x)) x else check_string(x, "residual", call = call)
}

check_paths <- function(x, name, call = rlang::caller_env()) {
  if (is.factor(x)) {
    abort_factor(name, call)
  }
  if (!is.character(x) || length(x) == 0) {
    abort_imagestrata("{.arg {name}} must be paths as text, not {seen(x)}.", call = call)
  }
  unknown <- which(is.na(x))
  if (length(unknown) > 0) {
    abort_imagestrata(
      "{.arg {name}} has {length(unknown)} missing path{?s} among {length(x)}, the first at
       {unknown[[1]]}.",
      hint = "Remove {cli::qty(length(unknown))}{?it/them}.",
      call = call
    )
  }
  known_text(as.character(x))
}

check_exist <- function(paths, name, call = rlang::caller_env()) {
  refuse_sheet(paths, call)
  absent <- paths[!file.exists(path.expand(on_disk(paths)))]
  if (length(absent) > 0) {
    abort_imagestrata(
      "{.arg {name}}: the file or folder {.file {absent[[1]]}} does not exist{also(absent)}.",
      hint = "{remedy_for_absent(absent[[1]])}",
      call = call
    )
  }
  invisible(paths)
}

# Tables are read from CSV: the core has the same check, see python/imagestrata/verbs.py.
refuse_sheet <- function(x, call = rlang::caller_env()) {
  sheet <- if (is.character(x)) grep("[.](xlsx|xlsm|xls|ods|numbers)$", x, TRUE, value = TRUE)
  if (length(sheet) > 0) {
    read <- sprintf('readxl::read_excel("%s")', sheet[[1]])
    abort_imagestrata(
      "{.file {sheet[[1]]}} is a spreadsheet file, but tables are read from CSV.",
      hint = "Save it as CSV with the encoding UTF-8, or read it with {.code {read}} and give the
              table.",
      class = "spreadsheet",
      call = call
    )
  }
}

remedy_for_absent <- function(path) {
  forward <- chartr("\\", "/", path)
  if (forward != path && file.exists(path.expand(on_disk(forward)))) {
    format_text("Use forward slashes: {.val {forward}}.")
  } else if (forward != path) {
    format_text("Backslashes separate folders on Windows only: use {.val {forward}}.")
  } else {
    format_text(
      "Paths are relative to the working directory {.file {getwd()}}: check the spelling, or give
       the full path."
    )
  }
}

abort_factor <- function(name, call) {
  abort_imagestrata(
    "{.arg {name}} must be text, not a factor.",
    hint = "Use {.code as.character()}, or read the data with {.code stringsAsFactors = FALSE}.",
    call = call
  )
}

# A data frame with all columns of `needs` and at least one of `any_of`.
check_data_frame <- function(x, name, call = rlang::caller_env(), made_by = NULL, needs = NULL,
                             any_of = NULL, hint = NULL) {
  wanted <- c(
    if (length(needs) > 0) format_text("the column{cli::qty(length(needs))}{?s} {.var {needs}}"),
    if (length(any_of) > 0) format_text("a column {.or {.var {any_of}}}")
  )
  if (!is.data.frame(x)) {
    refuse_sheet(x, call)
    such <- if (!is.null(made_by)) format_text(" such as {.fn {made_by}} returns")
    such <- such %||% if (length(wanted) > 0) paste0(" with ", toString(wanted))
    abort_imagestrata("{.arg {name}} must be a data frame{such}, not {seen(x)}.", call = call)
  }
  if (!all(needs %in% names(x)) || (length(any_of) > 0 && !any(any_of %in% names(x)))) {
    abort_imagestrata(
      "{.arg {name}} must have {wanted}; it has {.var {names(x)}}.",
      hint = hint,
      call = call
    )
  }
  x
}

# A list, because a single text would reach Python as a scalar.
check_texts <- function(x, name, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (is.factor(x)) {
    abort_factor(name, call)
  }
  if (!is.character(x) || anyNA(x)) {
    abort_imagestrata(
      "{.arg {name}} must be text without missing values, not {seen(x)}.",
      call = call
    )
  }
  as.list(known_text(x))
}

# Images to leave out: ids, paths or names of files; a data frame; or a list in a file.
check_exclude <- function(x, call = rlang::caller_env()) {
  if (is.data.frame(x)) {
    keys <- intersect(c("image_id", "path", "file", "label", "reason"), names(x))
    return(list(kind = "table", table = encode_table(tibble::as_tibble(x)[keys], call)))
  }
  if (is.factor(x) || is.numeric(x)) {
    x <- id_text(x, "exclude", call)
  }
  if (is.character(x) && length(x) == 1 && grepl("[.](txt|csv|tsv)$", x, ignore.case = TRUE)) {
    return(list(kind = "path", path = check_existing(x, "exclude", call)))
  }
  check_texts(x, "exclude", call)
}

# A list, because a vector of length one would reach Python as a scalar.
check_clusters <- function(x, name, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (!is.numeric(x) || length(x) == 0 || anyNA(x)) {
    abort_imagestrata(
      "{.arg {name}} must be numbers of clusters, not {seen(x)}.",
      hint = "Clusters are numbered from 1, the largest; -1 is the residual.",
      call = call
    )
  }
  as.list(as.double(x))
}

# The run folder of a stored object, which may have moved since.
check_folder <- function(x, name, call = rlang::caller_env()) {
  folder <- attr(x, "folder")
  if (!dir.exists(on_disk(folder))) {
    abort_imagestrata(
      "{.arg {name}} has its vectors in the run folder {.file {folder}}, which no longer exists.",
      hint = "If it was moved, use {.code read_embeddings(<new folder>)}; if it was deleted, call
              {.fn embed_images} again.",
      call = call
    )
  }
  folder
}

# Refuses arguments that were given (are not NULL) but have an effect only with something else.
# (Names begin with dots, because the arguments may have any name.)
check_unused <- function(.used, .needed, ..., .call = rlang::caller_env()) {
  given <- list(...)
  idle <- names(given)[!vapply(given, is.null, NA)]
  if (!.used && length(idle) > 0) {
    abort_imagestrata(
      "{.arg {idle}} {?has/have} an effect only with {.code { .needed}}.",
      hint = "Leave {cli::qty(length(idle))}{?it/them} out, or use {.code { .needed}}.",
      call = .call
    )
  }
}

# Refuses arguments that a function does not have: misspelt or surplus ones, which its dots catch,
# and abbreviated ones, which R would complete. The dots are not evaluated.
check_dots <- function(...) {
  refuse_dots(rlang::caller_env(), rlang::caller_fn(), rlang::caller_call())
}

# The same for a function `verb` that was called as `written` and is evaluated in `env`; arguments
# without a default must be given.
refuse_dots <- function(env, verb, written) {
  known <- setdiff(names(formals(verb)), "...")
  open <- "..." %in% names(formals(verb))
  given <- if (open) rlang::names2(as.list(eval(quote(substitute(list(...))), env))[-1])
  abbreviated <- setdiff(names(written), c(known, given, ""))
  if (length(c(given, abbreviated)) > 0) {
    abort_unknown(c(given, abbreviated), known, env)
  }
  required <- known[vapply(formals(verb)[known], rlang::is_missing, NA)]
  absent <- Filter(\(name) eval(call("missing", as.name(name)), env), required)
  if (length(absent) > 0) {
    abort_imagestrata(
      "{.arg {absent}} must be given.",
      hint = "The arguments are {.arg {known}}.",
      code = "absent_argument", call = env
    )
  }
}

abort_unknown <- function(given, known, call) {
  named <- given[given != ""]
  if (length(named) > 0) {
    message <- "There is no argument {.arg {named[[1]]}}."
    meant <- meant_argument(named[[1]], known)
  } else {
    message <- "{length(given)} value{?s} without a name {?belongs/belong} to no argument."
    meant <- NULL
  }
  if (length(known) == 0) {
    hint <- "Leave it out: this function has no arguments."
  } else if (is.null(meant)) {
    hint <- "The arguments are {.arg {known}}."
  } else {
    hint <- "Did you mean {.arg {meant}}?"
  }
  abort_imagestrata(message, hint, code = "unknown_argument", call = call)
}

# The argument that is meant; NULL if no name is similar enough (by Python's bound).
meant_argument <- function(name, known) {
  if (elsewhere[name] %in% known) {
    return(elsewhere[[name]])
  }
  begun <- known[startsWith(known, name)]
  if (length(begun) > 0) {
    return(begun[[1]])
  }
  differ <- utils::adist(name, known, list(substitutions = 2)) / (nchar(name) + nchar(known))
  if (any(differ <= 0.4)) known[[which.min(differ)]]
}

# Names that other packages use for our arguments, see python/imagestrata/verbs.py.
elsewhere <- c(
  random_state = "seed", random_seed = "seed", verbose = "progress", quiet = "progress",
  n_jobs = "engine", force = "overwrite", output = "out", outdir = "out", out_dir = "out",
  path = "out", folder = "out", confidence_level = "conf_level", alpha = "conf_level"
)
