# How long tables and matrices take from R to Python and back. Run it with the Python that
# has the core:  RETICULATE_PYTHON=.venv/bin/python Rscript benchmarks/border.R

pkgload::load_all(quiet = TRUE)
invisible(core())
reticulate::py_run_string("
from imagestrata.bridge import codec
held = {}
def take_table(x): held['table'] = codec.decode_table(x)
def give_table(): return codec.encode_table(held['table'])
def take_matrix(x): held['matrix'] = codec.decode_matrix(x)
def give_matrix(): return codec.encode_matrix(held['matrix'])
")
py <- reticulate::py

set.seed(1)
n <- 1e6
table <- tibble::tibble(
  image_id = sprintf("%020x", seq_len(n)),
  silhouette = runif(n),
  cluster = sample(n),
  kept = runif(n) > 0.5,
  account = factor(sample(letters, n, TRUE)),
  day = as.Date("2020-01-01") + sample(1000, n, TRUE)
)
table$cluster[7] <- NA
table$image_id[9] <- NA
matrix <- matrix(rnorm(20000 * 512), nrow = 20000)

seconds <- function(code) {
  gc()
  system.time(code)[["elapsed"]]
}
median_of <- function(code, times = 5) {
  code <- substitute(code)
  frame <- parent.frame()
  stats::median(vapply(seq_len(times), \(i) seconds(eval(code, frame)), 0))
}

rows <- tibble::tribble(
  ~what, ~`R to Python, s`, ~`Python to R, s`, ~`wanted, s`,
  "table, 1,000,000 rows of 6 columns",
  median_of(py$take_table(encode_table(table))), median_of(decode_table(py$give_table())), 3,
  "matrix, 20,000 x 512",
  median_of(py$take_matrix(encode_matrix(matrix))), median_of(decode_matrix(py$give_matrix())), 1
)
stopifnot(
  identical(decode_table(py$give_table()), table),
  max(abs(decode_matrix(py$give_matrix()) - matrix)) < 1e-6
)

machine <- paste0(
  reticulate::import("imagestrata.doctor")$processor_name(), ", ", parallel::detectCores(),
  " cores; R ", getRversion(), ", reticulate ", packageVersion("reticulate"), ", Python ",
  reticulate::py_config()$version
)
text <- c(
  "# The border between R and Python", "",
  knitr::kable(rows, format = "pipe", digits = 2), "",
  "- Medians of 5 runs. Both ways together are checked to bring back what left.", "",
  paste0("Measured on ", machine, ".")
)
folder <- file.path("benchmarks", "results")
writeLines(text, file.path(folder, "border.md"))
result <- list(machine = machine, rows = rows)
jsonlite::write_json(result, file.path(folder, "border.json"), pretty = TRUE, auto_unbox = TRUE)
writeLines(text)
