# Writes PARITY.md: which verb, class and method of one language is which in the other.
# Run by `make document`; tests/testthat/test-parity.R fails where the file is out of date.

pkgload::load_all(quiet = TRUE)
source(file.path("tests", "testthat", "helper-parity.R"))
writeLines(parity_page(), "PARITY.md")
