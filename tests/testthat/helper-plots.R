# Figures from a part of the simulated study.
few_means <- function(...) {
  quietly(rating_means(dplyr::filter(simulated_ratings, cluster <= 12), ...))
}
few_gaps <- function(...) {
  quietly(rating_gaps(dplyr::filter(simulated_ratings, cluster <= 12), ...))
}

# Pictures of one colour, wide and high, grey and transparent.
toy_pictures <- function(env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  path <- file.path(folder, c("wide.png", "high.png", "clear.png"))
  png::writePNG(array(rep(c(0.8, 0.2, 0.2), each = 200), c(10, 20, 3)), path[1])
  png::writePNG(matrix(0.5, 20, 10), path[2])
  png::writePNG(array(rep(c(0.2, 0.2, 0.8, 0.5), each = 100), c(10, 10, 4)), path[3])
  path
}
