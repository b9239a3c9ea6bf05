#' Find the faces in images and cut them out
#'
#' Each face becomes a file of its own: the step before a network learns to recognise a person
#' with [fine_tune()]. Nothing leaves the machine, and nobody is recognised here.
#'
#' Faces are people's. Recognise people only with their consent, or public figures in their public
#' role; what a data protection officer or ethics board says comes first.
#'
#' The detector is the frontal one of the library dlib, whose weights are in the library
#' (`install_imagestrata(extras = "faces")`). It looks for whole faces that look at the camera: it
#' misses profiles, and many small or covered ones, and so counts of faces are too
#' low. Detectors may find some groups of people less often than others. Whether this one does on
#' your images we have not measured: check a sample by hand before comparing groups.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param out The run folder: crops go to `faces/` there, as JPEG without metadata, and the table to
#'   `faces.parquet`. A call that was interrupted goes on.
#' @param margin The margin around a face on each side, as a share of its box.
#' @param min_size Side of the smallest box that is looked for, in pixels; faces hardly larger are
#'   often missed. Half the size takes four times as long.
#' @param min_score Faces with a lower score are left out. 0 is the detector's own limit.
#' @param size Crops are shrunk until their longer side has this many pixels at most. None is ever
#'   enlarged.
#' @param overwrite Replace faces cut out there with other settings or of other images?
#' @param engine A Dask cluster whose workers look for faces, as for [scan_images()]. They need the
#'   Python package `dlib`, too; the crops are written from here.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per face: `image_id` and `path` of the image; `face`, from 1 within
#'   an image, left to right; `left`, `top`, `width`, `height` of its box without margin, in pixels
#'   of the upright image; `score` (higher is surer, but it is no probability); `crop`, the file;
#'   `reason`. An image without a face is one row with the reason.
#' @family fine-tuning
#' @export
#' @examples
#' \dontrun{
#' faces <- crop_faces("photos", "run")
#' # Put crops of each person into a folder of their own, then:
#' model <- fine_tune("sorted-faces")
#' predict_labels("run/faces", model)
#' }
crop_faces <- function(images,
                       out,
                       margin = 0.2,
                       min_size = 32,
                       min_score = 0,
                       size = NULL,
                       overwrite = FALSE,
                       progress = TRUE,
                       engine = NULL,
                       ...) {
  check_dots(...)
  decode_table(call_verb("crop_faces"))
}
