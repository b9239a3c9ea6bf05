#' Write a bundle for the replication of a study, without pictures, paths or names
#'
#' With `thumbnails = TRUE` it is a run folder for colleagues who may see the images but do not have
#' the files: it also contains small copies of them, and the gallery.
#'
#' Writes ids, embeddings, clusters, the sample, the drawn pairs, ratings, and the settings and
#' versions of every step to a folder that you can share. A `README.txt` in it lists the contents.
#'
#' @section What embeddings reveal: Embeddings are not anonymous. Anyone who has a picture can find
#'   out whether the picture, or a similar one, is among them. Labels such as sex or age can often
#'   be predicted from them, and rough pictures have been reconstructed from vectors of strong
#'   encoders.
#'
#' The id of an image is the beginning of its file's SHA-256. Nobody can reconstruct a picture from
#' it, but anyone who has the same file can tell that it was in the corpus. `new_ids = TRUE`
#' replaces the ids, but does not make images anonymous: anyone who has the files can compute their
#' vectors and look for the nearest vector in the bundle. Noise must be very strong to prevent that.
#' We measured it on 3,887 photographs (MobileNetV2, 1,280 numbers; the attacker undoes a projection
#' with a tenth of the images, which he already knows):
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
#' Noise that prevents linking also removes the information for which vectors are shared. Before the
#' bundle is written, the same attack is made on it; the warning and `README.txt` report the share
#' of images that it links. If being in the corpus can harm someone, do not share vectors.
#'
#' Noise, projection and new ids are drawn from the operating system's entropy, not from a seed, and
#' are not stored: an attacker who guesses a seed could remove the noise. The mean of several
#' bundles of one study has less noise, so share only one. With `noise` or `projection`,
#' silhouettes, distances and centroids are computed again from the shared vectors.
#'
#' Posts are never included. If a sample was weighted by posts, its `weight_share` remains: an image
#' that very many posts show may be recognised by it.
#'
#' @param run A run folder with embeddings. Its clusters, sample and pairs are included if they
#'   exist.
#' @param out A new folder for the bundle, not in the run folder.
#' @param ratings The result of [read_ratings()]. Respondents get new, random numbers.
#' @param columns Names of your own columns of the images that are included unchanged. By default
#'   none is: captions, sources and dates can identify people.
#' @param noise Standard deviation of normal noise that is added to the embeddings, as a share of
#'   their own standard deviation.
#' @param projection Number of dimensions of a random projection of the embeddings, which nearly
#'   keeps distances. It is applied before noise.
#' @param new_ids Give images new random ids, and leave out the sizes of pictures and files?
#' @param key The CSV file for the key to the new ids. By default `<name of out>-key.csv` beside
#'   the run folder. Whoever has it can undo the new ids: never share it.
#' @param thumbnails Include small copies of the images: JPEG files without metadata, whose longer
#'   side has at most 320 pixels, and the gallery (`gallery/index.html`)? Galleries, montages,
#'   [find_images()], coding sheets and pages for annotators then show these copies. `noise` and
#'   `projection` are then refused, since the images can be seen.
#' @param exclude With `thumbnails`: images of which no copy is included, as in [export_packets()].
#'   Their rows remain, since estimates need them.
#' @param warning With `thumbnails`: a text about the images, which `README.txt` contains and the
#'   gallery shows before the first image.
#' @inheritParams scan_images
#'
#' @returns The path of the folder, invisibly. [read_embeddings()] and [read_clustering()] read it,
#'   and further steps can be stored in it. A warning always says what embeddings reveal, and of how
#'   many images there are small copies.
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
                         thumbnails = FALSE,
                         exclude = NULL,
                         warning = NULL,
                         overwrite = FALSE,
                         progress = TRUE,
                         ...) {
  check_dots(...)
  run <- check_existing(run, "run")
  bundle <- call_verb("share_bundle", run = run, noise = check_number(noise, "noise", null = TRUE))
  cli::cli_inform(c("v" = "Bundle to share: {.file {bundle}}"))
  invisible(bundle)
}
