# Makes inst/extdata: a few small images, drawn by the package itself, and what the verbs
# make of them. Run by `make document`; needs Python.

pkgload::load_all(quiet = TRUE)
target <- file.path("inst", "extdata")
images <- file.path(target, "images")
unlink(target, recursive = TRUE)
dir.create(images, recursive = TRUE)

drawn <- draw_demo_corpus(tempfile(), n_images = 160, seed = 1, progress = FALSE)
labels <- utils::read.csv(file.path(drawn, "labels.csv"))
shrink <- reticulate::py_run_string("
from imagestrata.corpus.decode import UnreadableImage, open_image
def shrink(source, target):
    try:
        image = open_image(source)
    except UnreadableImage:
        data = open(source, 'rb').read()
        open(target, 'wb').write(data[:200])
        return
    image.thumbnail((112, 112))
    image.save(target, 'JPEG', quality=70)
")$shrink
stem <- tools::file_path_sans_ext(basename(labels$file))
for (i in seq_len(nrow(labels))) {
  shrink(file.path(drawn, labels$file[i]), file.path(images, paste0(stem[i], ".jpg")))
}

topics <- cluster_images(images, encoder = "hog", progress = FALSE)
drawn <- sample_images(topics, n_per_cluster = 3)
store <- function(x, name) {
  x$path <- file.path("images", basename(x$path))
  attr(x, "folder") <- NULL
  saveRDS(x, file.path(target, name), version = 3)
}
store(topics, "topics.rds")
store(drawn, "sample.rds")
print(topics)
message(sum(file.size(list.files(target, recursive = TRUE, full.names = TRUE))), " bytes")
