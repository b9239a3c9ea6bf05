# The style of the R package: settings in .lintr.
found <- lintr::lint_package()
scripts <- c(list.files("tools", "[.]R$", full.names = TRUE), "benchmarks/border.R")
found <- c(list(found), lapply(scripts, lintr::lint))
invisible(lapply(found, print))
quit(status = as.integer(sum(lengths(found)) > 0))
