#' Extract frames from videos
#'
#' Writes frames of videos as images, each with the video and the time that it comes from.
#' [scan_images()], [cluster_images()] and the other verbs take the result and keep its columns.
#'
#' Frames of one video resemble each other, and long videos have more of them. Inferences about
#' videos or authors need the column `video_id` as a cluster, or one frame per video.
#'
#' A scene is found where the pictures of the half second before and after differ: the distance of
#' colours in CIELAB, averaged over 32 x 18 parts of the picture, is above the threshold. (Black and
#' white have a distance of 100.) The change must be sudden, or a fade of at most two seconds;
#' other gradual changes are movement. Flashes of up to a fifth of a second are ignored, and scenes
#' of less than half a second may be missed. If a scene fades in, its first clear frame is taken. A
#' pass of its own through the video finds the scenes, which takes two to three times as long.
#'
#' OpenCV decodes. For AV1, which YouTube offers and `yt-dlp` prefers, PyAV is needed:
#' `install_imagestrata(extras = "video")`. Without it, such a video is a row with the reason
#' `"format not supported"`. Colours of high dynamic range (HDR) look pale.
#'
#' A video breaks off if its frames end before its stated duration. Files that state none, such as
#' recordings of a stream, do not show that their end is missing. In Matroska, WebM and MPEG, the
#' stated duration is also that of the sound: if that is half a second longer than the pictures, the
#' video has the row with the reason, too.
#'
#' @param videos A folder, with all folders in it; a character vector of folders and videos; or a
#'   data frame with a column `path`, whose other columns are kept. In a folder, files with the name
#'   or the content of a video are read: MP4, QuickTime, 3GP, Matroska, WebM, AVI, MPEG, Windows
#'   Media, Flash and Ogg. Animated GIF and WebP files are images: [scan_images()] reads their first
#'   frame.
#' @param out The folder of the frames. Frames are written to a folder per video there, and the
#'   table to `frames.csv`. An interrupted call continues. The same call with more videos extracts
#'   only the frames of those that are new by their content.
#' @param every Seconds between two frames. The first frame at or after 0, 1, 2, ... seconds is
#'   taken. YouTube-8M and many studies since take one frame per second (Abu-El-Haija et al. 2016).
#'   With `NULL`, only changes of scene give frames.
#' @param scene_changes Also take the first frame of every scene? `TRUE` finds changes above 12; a
#'   number is another threshold, from 1 to 100: the lower, the more scenes.
#' @param overwrite Replace frames in `out` that were extracted with other settings?
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per frame, sorted by `video` and `time`: `path` of the frame, a JPEG
#'   file (quality 95), upright, as large as players show it; `video_id`, the first 20 hexadecimal
#'   digits of the SHA-256 of the video's bytes; `video`, its file; `time`, the seconds from the
#'   first frame of the video to this one, by its time stamp; `scene`, numbered within the video,
#'   missing if `scene_changes` is `FALSE`; `reason`, missing for a frame; then columns of your own.
#'
#'   A video that cannot be decoded has one row without `path`, with the reason. A video that breaks
#'   off has its frames and such a row, whose `time` is that of the last frame. So has a video of
#'   which an earlier one is an exact copy (`"same bytes"`). Other functions leave these rows out.
#' @references
#' Abu-El-Haija, S. et al. (2016). YouTube-8M: A large-scale video classification benchmark.
#' arXiv:1609.08675.
#' @family verbs
#' @export
#' @examples
#' \dontrun{
#' frames <- extract_frames("clips", "frames", every = 2)
#' topics <- cluster_images(frames, out = "run")
#' }
extract_frames <- function(videos,
                           out,
                           every = 1,
                           scene_changes = FALSE,
                           overwrite = FALSE,
                           progress = TRUE,
                           ...) {
  decode_table(call_verb("extract_frames"))
}
