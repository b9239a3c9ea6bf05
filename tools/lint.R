# The style of the R package: settings in .lintr.
found <- lintr::lint_package()
scripts <- list.files(c("tools", "benchmarks", "data-raw"), "[.]R$", full.names = TRUE)
found <- c(list(found), lapply(scripts, lintr::lint))
invisible(lapply(found, print))
quit(status = as.integer(sum(lengths(found)) > 0))
