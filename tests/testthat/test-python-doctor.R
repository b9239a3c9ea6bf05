looked <- function() {
  list(
    found = "{\"versions\": {\"python\": \"3.11.7\"}, \"machine\": {\"cores\": 2, \"gpu\": null}}",
    encoders = toy_table(
      name = c("hog", "resnet18"), ready = c(TRUE, FALSE), needs = c(NA, "resnet18.pth")
    )
  )
}

printed <- function(report) {
  report$r[] <- "1.0"
  print(report)
}

test_that("a healthy machine is reported", {
  local_core(examine = \(...) looked())
  report <- imagestrata_doctor()
  report$conflicts <- list()
  expect_snapshot(printed(report))
})

test_that("what is wrong comes with what to do", {
  local_core(examine = \(...) failing_answer("ImagestrataError", "It is broken.", "Mend it."))
  report <- imagestrata_doctor()
  report$conflicts <- thread_conflicts("/opt/libmkl_rt.so", "torch")
  expect_snapshot(printed(report))
})

test_that("modules are looked for without starting Python here", {
  skip_if_no_core()
  expect_true(has_modules(reticulate::py_config()$python))
  bare <- Filter(\(python) nzchar(python_version(python)), find_pythons())
  skip_if(length(bare) == 0)
  expect_type(has_modules(bare[[1]]), "logical")
})
