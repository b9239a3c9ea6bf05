test_that("requirements are read from the core's own list", {
  requirements <- core_requirements()
  expect_true(any(startsWith(requirements, "torch>=")))
  expect_true(any(startsWith(requirements, "pandas>=")))
  expect_false(any(grepl("pytest", requirements)))
  expect_error(core_requirements("nonsense"), "nonsense", class = "imagestrata_error")
})

test_that("arrays of TOML are read from one line or many", {
  lines <- c("[a]", "one = [\"x>=1\", \"y[z]>=2\"]", "many = [", "  \"p\",", "  \"q\",", "]")
  expect_equal(read_toml_array(lines, "one"), c("x>=1", "y[z]>=2"))
  expect_equal(read_toml_array(lines, "many"), c("p", "q"))
})

test_that("the newest Python that imagestrata and reticulate can use is taken", {
  versions <- c(a = "3.9.2", b = "3.12.1", c = "", d = "3.11.9")
  expect_equal(is_usable(versions, NULL), c(FALSE, TRUE, FALSE, TRUE))
  expect_equal(is_usable(versions, "3.11"), c(FALSE, FALSE, FALSE, TRUE))
  expect_equal(newest_python(numeric_version("1.28")), "3.11")
  expect_equal(newest_python(numeric_version("1.34")), "3.12")
  expect_null(newest_python(numeric_version("1.41")))
  expect_equal(python_range("3.11"), "3.11")
  expect_equal(python_range("3.12"), "3.11 to 3.12")
  expect_equal(python_range(NULL), "3.11 or newer")
  expect_equal(names(newest_first(versions[c("d", "b")])), c("b", "d"))
})

test_that("a Python that is none, or too old, is refused", {
  not_python <- withr::local_tempfile(lines = c("#!/bin/sh", "echo 2.7.18"))
  Sys.chmod(not_python, "755")
  expect_error(check_python(not_python), "2.7.18", class = "imagestrata_no_python")
  expect_error(check_python("/no/python"), "need Python", class = "imagestrata_no_python")
})

test_that("programs run without R's libraries in their way", {
  withr::local_envvar(LD_LIBRARY_PATH = "/r/lib", OTHER = "1")
  expect_equal(without_r_libraries(Sys.getenv("LD_LIBRARY_PATH")), "")
  expect_equal(Sys.getenv("LD_LIBRARY_PATH"), "/r/lib")
  expect_equal(with_envvar(c(OTHER = "2"), Sys.getenv("OTHER")), "2")
  expect_equal(Sys.getenv("OTHER"), "1")
  withr::local_envvar(OTHER = NA)
  with_envvar(c(OTHER = "2"), NULL)
  expect_equal(Sys.getenv("OTHER", NA), NA_character_)
})

test_that("an environment is made and filled, with the torch that was chosen", {
  commands <- character()
  fake <- function(python, arguments, what, ...) {
    commands <<- c(commands, paste(basename(python), paste(arguments, collapse = " ")))
  }
  local_replaced("run_python", fake)
  install_requirements("python", c("torch", "pandas"), "default")
  install_requirements("python", c("torch", "pandas"), "cpu")
  expect_equal(commands, c(
    "python -m pip install --quiet torch pandas",
    "python -m pip install --quiet uv",
    "python -m uv pip install --quiet --python python --torch-backend cpu torch pandas"
  ))
})

test_that("Python is found where installers of Windows put it", {
  local <- withr::local_tempdir()
  programs <- withr::local_tempdir()
  withr::local_envvar(LOCALAPPDATA = local, ProgramFiles = programs, PYENV_ROOT = local)
  pythons <- c(
    file.path(local, "Python", "pythoncore-3.14-64", "python.exe"),
    file.path(local, "Programs", "Python", "Python313", "python.exe"),
    file.path(programs, "Python312", "python.exe")
  )
  expect_false(any(pythons %in% find_pythons()))
  for (python in pythons) {
    dir.create(dirname(python), recursive = TRUE)
    file.create(python)
  }
  expect_true(all(pythons %in% find_pythons()))
  withr::local_envvar(LOCALAPPDATA = NA, ProgramFiles = NA)
  expect_false(any(pythons %in% find_pythons()))
})

test_that("install_imagestrata() makes an environment that can be found", {
  skip_if(length(find_pythons()) == 0, "no Python")
  home <- withr::local_tempdir()
  withr::local_envvar(WORKON_HOME = home, RETICULATE_PYTHON = "/some/other/python")
  local_replaced("install_requirements", function(...) NULL)
  expect_warning(
    installed <- suppressMessages(install_imagestrata(envname = "r-test")),
    "RETICULATE_PYTHON"
  )
  expect_true(file.exists(installed))
  expect_true(reticulate::virtualenv_exists("r-test"))
})

test_that("the core has the package's version and title", {
  metadata <- list.files(core_source(), "METADATA", recursive = TRUE, full.names = TRUE)
  stated <- read.dcf(metadata)
  expect_equal(
    unname(stated[, "Version"]),
    as.character(utils::packageVersion("imagestrata"))
  )
  title <- utils::packageDescription("imagestrata")$Title
  expect_equal(tolower(unname(stated[, "Summary"])), tolower(gsub("\\s+", " ", title)))
})
