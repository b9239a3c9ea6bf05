#' Find and crop the faces in images
#'
#' Stores each face in a file of its own, so that you can train a network to recognise a person with
#' [fine_tune()]. Nothing leaves the machine, and this function recognises nobody.
#'
#' Faces are personal data. Recognise people only with their consent, or public figures in their
#' public role, and follow your data protection officer and ethics board.
#'
#' The detector is the frontal detector of the library dlib, which includes its weights
#' (`install_imagestrata(extras = "faces")`). It finds whole faces that look at the camera. It
#' misses profiles and many small or covered faces, so counts of faces are too low. Detectors may
#' miss some groups of people more often than others. We have not measured this for your images:
#' check a sample by hand before you compare groups.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param out The run folder: crops go to `faces/` there, as JPEG without metadata, and the table to
#'   `faces.parquet`. An interrupted call continues.
#' @param margin The margin around a face on each side, as a share of its box.
#' @param min_size Side of the smallest box that the detector looks for, in pixels; it often misses
#'   faces that are only a little larger. Half the size takes four times as long.
#' @param min_score Faces with a lower score are left out. 0 is the detector's own limit.
#' @param size Longer side of the largest crops, in pixels. Larger crops are shrunk; smaller ones
#'   stay as they are.
#' @param overwrite Replace the faces in `out` that were cropped with other settings or from other
#'   images?
#' @param engine A Dask cluster whose workers look for faces, as for [scan_images()]. They also need
#'   the Python package `dlib`; this process writes the crops.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per face: `image_id` and `path` of the image; `face`, numbered from
#'   left to right within an image; `left`, `top`, `width`, `height` of its box without margin, in
#'   pixels of the upright image; `score` (higher is more certain, but it is not a probability);
#'   `crop`, the file; `reason`. An image without a face has one row with the reason.
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
  decode_table(call_verb("crop_faces"))
}
