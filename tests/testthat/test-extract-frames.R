# A film of solid colours, one second each, written by the core's own library.
write_film <- function(path, colours = c("red", "green", "blue")) {
  script <- "
import sys, cv2, numpy as np
path, *colours = sys.argv[1:]
bgr = {'red': (0, 0, 255), 'green': (0, 255, 0), 'blue': (255, 0, 0)}
film = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
for colour in colours:
    for _ in range(10):
        film.write(np.full((48, 64, 3), bgr[colour], np.uint8))
film.release()
"
  file <- withr::local_tempfile(fileext = ".py")
  writeLines(script, file)
  core()
  system2(reticulate::py_exe(), c(file, path, colours))
  path
}

test_that("settings reach Python", {
  calls <- local_core(extract_frames = \(...) toy_table(path = "/p/a.jpg", time = 0))
  folder <- withr::local_tempdir()
  frames <- extract_frames(folder, folder, every = NULL, scene_changes = 20, progress = FALSE)
  expect_equal(frames$path, "/p/a.jpg")
  expect_equal(calls$extract_frames[[1]]$paths, list(absolute_path(folder)))
  expect_null(calls$extract_frames$every)
  expect_equal(calls$extract_frames$scene_changes, 20)
  extract_frames(folder, folder, scene_changes = TRUE, progress = FALSE)
  expect_true(calls$extract_frames$scene_changes)
  expect_equal(calls$extract_frames$every, 1)
  expect_error(extract_frames(folder, folder, scene_changes = "all"), "scene_changes")
})

test_that("frames come from the seconds that they say, and go down the road", {
  skip_if_no_core()
  folder <- withr::local_tempdir()
  write_film(file.path(folder, "a.avi"))
  writeLines("no film", broken <- file.path(folder, "b.mp4"))
  films <- tibble::tibble(path = file.path(folder, c("a.avi", "b.mp4")), author = c("x", "y"))
  out <- withr::local_tempdir()
  expect_warning(
    frames <- extract_frames(films, out, scene_changes = TRUE, progress = FALSE),
    "1 of 2 videos"
  )
  expect_equal(frames$time, c(0, 1, 2, NA))
  expect_equal(frames$scene, c(1, 2, 3, NA))
  expect_equal(frames$reason, c(NA, NA, NA, "not a video"))
  expect_equal(frames$author, c("x", "x", "x", "y"))
  expect_true(all(file.exists(frames$path[1:3])))
  images <- scan_images(frames, progress = FALSE)
  expect_equal(images$status, rep("ok", 3))
  expect_equal(images$time, c(0, 1, 2))
  expect_equal(images$author, rep("x", 3))
})
