# How long tables and matrices take from R to Python and back, and what cluster_images() takes
# in R and in Python. Run it in the root of the repository with the Python that has the core:
# RETICULATE_PYTHON=.venv/bin/python Rscript benchmarks/border.R [--images 20000] [--rounds 5]

source("benchmarks/machine.R")

argument <- function(name, default) {
  given <- commandArgs(trailingOnly = TRUE)
  at <- match(paste0("--", name), given)
  if (is.na(at)) default else as.integer(given[[at + 1]])
}
n_images <- argument("images", sized(500L, 20000L))
rounds <- argument("rounds", sized(1L, 5L))

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
n <- sized(1e4, 1e6)
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
  paste("table,", format(n, big.mark = ",", scientific = FALSE), "rows of 6 columns"),
  median_of(py$take_table(encode_table(table))), median_of(decode_table(py$give_table())), 3,
  "matrix, 20,000 x 512",
  median_of(py$take_matrix(encode_matrix(matrix))), median_of(decode_matrix(py$give_matrix())), 1
)
stopifnot(
  identical(decode_table(py$give_table()), table),
  max(abs(decode_matrix(py$give_matrix()) - matrix)) < 1e-6
)

# The same clustering in R and in a Python of its own, in turns. Both read the vectors from a
# run folder, and both end with the table of images in their own language.
python <- function(...) {
  # The same core as R's, and not R's search path for libraries, which are another Python's.
  environment <- c("LD_LIBRARY_PATH=", paste0("PYTHONPATH=", core_source()))
  words <- c("benchmarks/border.py", ...)
  system2(reticulate::py_config()$python, words, stdout = TRUE, env = environment)
}
run <- tempfile("run")
csv <- tempfile(fileext = ".csv")
invisible(python("make", run, n_images))
embeddings <- read_embeddings(run)
invisible(cluster_images(matrix(rnorm(1600), ncol = 8), progress = FALSE))
times <- vapply(seq_len(rounds), \(round) {
  in_python <- scan(text = python("cluster", run, csv), quiet = TRUE)
  in_r <- seconds(topics <<- cluster_images(embeddings, seed = 0, progress = FALSE))
  c(r = in_r, python = in_python[[1]], without_reading = in_python[[2]])
}, c(r = 0, python = 0, without_reading = 0))
theirs <- utils::read.csv(csv, colClasses = c(image_id = "character"))
stopifnot(
  identical(topics$image_id, theirs$image_id),
  identical(as.integer(topics$cluster), theirs$cluster)
)
verb <- tibble::tibble(
  what = paste0("`cluster_images()`, ", format(n_images, big.mark = ","), " x 512"),
  `R, s` = stats::median(times["r", ]),
  `Python, s` = stats::median(times["python", ]),
  `without reading vectors, s` = stats::median(times["without_reading", ]),
  `R / Python` = stats::median(times["r", ] / times["python", ]),
  wanted = 1.10
)

write_result(
  "border", rows,
  title = "Tables and matrices between R and Python", digits = 2, packages = "reticulate",
  notes = "Medians of 5 runs. Both ways together are checked to bring back what left."
)
write_result(
  "border_verb", verb,
  title = "A verb in R and in Python", digits = 2, packages = "reticulate",
  notes = paste0(
    "Medians of ", rounds, " rounds in which both take turns, with the same result; Python is a ",
    "process of its own, starting not counted."
  )
)
