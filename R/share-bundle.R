#' Write what others need to check a study, without pictures, paths or names
#'
#' Ids, embeddings, clusters, the sample, the drawn pairs, ratings, and the settings and
#' versions of every step. A `README.txt` in the bundle says what is there.
#'
#' @section What embeddings still tell:
#' Embeddings are not anonymous. Whoever has a picture can find out whether it, or one like
#' it, is among them; labels such as sex or age can often be predicted from them; and rough
#' pictures have been made from vectors of strong encoders.
#'
#' The id of an image is the beginning of its file's SHA-256. Nobody can make a picture of
#' it, but whoever has the very same file can tell that it was in the corpus.
#' `new_ids = TRUE` replaces the ids, but does not make images anonymous: whoever has the files
#' computes their vectors anew and looks for the nearest one in the bundle. Noise must be very
#' strong to prevent that. Measured on 3,887 photographs (MobileNetV2, 1,280 numbers; a projection
#' is undone from a tenth of the images that the attacker knows already):
#'
#' | noise | projection | images linked | class told by the nearest five |
#' | --- | --- | --- | --- |
#' | none | none | 100% | .89 |
#' | 0.1 | none | 100% | .89 |
#' | 0.5 | none | 99.9% | .88 |
#' | 1 | none | 99.9% | .86 |
#' | 2 | none | 93% | .69 |
#' | 5 | none | 4% | .23 |
#' | 10 | none | 0.3% | .12 |
#' | none | 64 | 99% | .75 |
#' | 1 | 64 | 8% | .50 |
#' | 5 | 64 | 0% | .12 |
#'
#' Noise that keeps images from being linked also takes away what the vectors are shared for. The
#' bundle is attacked in the same way before it is written, and the share of its images that were
#' linked stands in the warning and in `README.txt`. If being in the corpus can harm someone, do
#' not share vectors.
#'
#' Noise, projection and new ids are drawn from the operating system's entropy and not from a
#' seed, and are not kept: with a seed that can be guessed, noise could be taken off again. The
#' mean of several bundles of one study has less noise: share one. With `noise` or `projection`,
#' silhouettes, distances and centroids are computed anew from the shared vectors.
#'
#' @param run A run folder with embeddings; clusters, sample and pairs are taken from it where
#'   they are there.
#' @param out A new folder for the bundle, not in the run folder.
#' @param ratings The result of [read_ratings()]. Respondents are numbered anew, at random.
#' @param columns Names of columns of your own, of the images, that go along as they are. By
#'   default none does: captions, sources and dates can name people.
#' @param noise Adds normal noise to every number of the embeddings; its standard deviation is
#'   this share of theirs.
#' @param projection Multiplies the embeddings with a random matrix down to so many numbers,
#'   which nearly keeps distances. Applied before noise.
#' @param new_ids Give images new random ids, and leave out the sizes of pictures and files?
#' @param key The CSV file for the key to the new ids. By default `<name of out>-key.csv` beside
#'   the run folder. Whoever has it can undo the new ids: never share it.
#' @inheritParams scan_images
#'
#' @returns The path of the folder, invisibly. [read_embeddings()] and [read_clustering()] read
#'   it. A warning always says what embeddings still tell.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' run <- tempfile()
#' cluster_images(imagestrata_example("images"), encoder = "hog", out = run, progress = FALSE)
#' bundle <- suppressWarnings(share_bundle(run, tempfile(), new_ids = TRUE))
#' list.files(bundle)
#' read_clustering(bundle)
share_bundle <- function(run,
                         out,
                         ratings = NULL,
                         columns = NULL,
                         noise = NULL,
                         projection = NULL,
                         new_ids = FALSE,
                         key = NULL,
                         overwrite = FALSE,
                         ...) {
  check_dots(...)
  run <- check_existing(run, "run")
  bundle <- call_verb(
    "share_bundle",
    run = run, noise = check_number(noise, "noise", null = TRUE)
  )
  cli::cli_inform(c("v" = "To be shared: {.file {bundle}}"))
  invisible(bundle)
}
