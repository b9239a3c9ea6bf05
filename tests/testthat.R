library(testthat)
library(imagestrata)

test_check("imagestrata")
