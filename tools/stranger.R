# What somebody gets who has nothing but the source package. Run it outside the repository, with the
# installed package in the first library. The argument is the source package.

tarball <- commandArgs(trailingOnly = TRUE)
stopifnot(file.exists(tarball), !file.exists("DESCRIPTION"))

# The source package has what it is made of and nothing else.
files <- sub("^imagestrata/", "", utils::untar(tarball, list = TRUE))
parts <- unique(sub("^((inst|python|tests|tools)/[^/]+|[^/]+).*", "\\1", files))
expected <- c(
  "DESCRIPTION", "LICENSE", "NAMESPACE", "NEWS.md", "R", "build", "configure", "configure.win",
  "data", "inst", "inst/CITATION", "inst/doc", "inst/extdata", "man", "pyproject.toml", "python",
  "python/imagestrata", "tests", "tests/fixtures", "tests/testthat", "tests/testthat.R", "tools",
  "tools/configure.R", "vignettes"
)
unexpected <- setdiff(parts, expected)
missing <- setdiff(expected, c(parts, "build"))
if (length(c(unexpected, missing)) > 0) {
  stop("The source package has ", toString(unexpected), " and lacks ", toString(missing))
}
compiled <- grep("__pycache__|[.]pyc$|[.]o$|[.]orig$", files, value = TRUE)
stopifnot(length(compiled) == 0)

library(imagestrata)
here <- normalizePath(system.file(package = "imagestrata"))
stopifnot(startsWith(here, normalizePath(.libPaths()[1])))

# Vignettes, news and citation come with it.
vignettes <- grep("^vignettes/[^/]+[.]Rmd$", files)
stopifnot(nrow(utils::vignette(package = "imagestrata")$results) == length(vignettes))
version <- as.character(utils::packageVersion("imagestrata"))
stopifnot(
  version %in% utils::news(package = "imagestrata")$Version,
  grepl(version, format(utils::citation("imagestrata"), style = "text"), fixed = TRUE)
)

# It clusters, with the Python core that it brings along.
topics <- cluster_images(
  system.file("extdata", "images", package = "imagestrata"),
  seed = 1, out = "run"
)
core <- reticulate::import("imagestrata")
stopifnot(
  startsWith(normalizePath(core$`__file__`), here),
  core$`__version__` == version,
  nrow(topics) > 50,
  nrow(tidy(topics)) > 1
)
drawn <- sample_images(topics, n_per_cluster = 2, seed = 1)
page <- image_gallery(topics, "run", sample = drawn, view = FALSE)
stopifnot(nrow(drawn) > 1, file.exists(page))
cat("The source package works by itself:", nrow(tidy(topics)), "clusters.\n")
