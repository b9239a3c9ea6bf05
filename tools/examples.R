# Makes inst/extdata: a few small images, drawn by the package itself, and what the verbs
# make of them. Run by `make document`; needs Python.

pkgload::load_all(quiet = TRUE)
target <- file.path("inst", "extdata")
images <- file.path(target, "images")
unlink(target, recursive = TRUE)
dir.create(images, recursive = TRUE)

drawn <- draw_demo_corpus(tempfile(), n_images = 100, seed = 1, progress = FALSE)
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

# What somebody might say of each image, for a model; of every ninth nobody said whether it is
# outdoors. Broken files cannot be judged.
people <- c("fence", "football", "hands", "megaphone", "podium", "portrait", "protest")
writing <- c(
  "ballot", "bar_chart", "calendar", "chat", "line_chart", "meme", "newspaper", "poster",
  "protest", "test_card"
)
outdoors <- c(
  "bus", "car", "city_night", "courthouse", "flag", "football", "house", "mountains", "protest",
  "road_sign", "ship", "sunset", "tree"
)
said <- data.frame(
  path = paste0(stem, ".jpg"),
  people = as.integer(labels$kind %in% people),
  writing = as.integer(labels$kind %in% writing),
  outdoors = as.integer(labels$kind %in% outdoors)
)
said$outdoors[seq(1, nrow(said), 9)] <- NA
said <- said[labels$variant != "broken", ]
utils::write.csv(said, file.path(target, "labels.csv"), row.names = FALSE, na = "", quote = FALSE)
run <- tempfile()
model <- fine_tune(
  images, file.path(target, "labels.csv"),
  encoder = "hog", freeze = "backbone", epochs = 20, out = run, progress = FALSE
)
file.copy(file.path(run, "model"), target, recursive = TRUE)
# Nobody else has the images where they are here.
reticulate::py_run_string("
import pandas as pd
from pathlib import Path
def forget_folders(file):
    table = pd.read_parquet(file)
    table['path'] = ['images/' + Path(path).name for path in table['path']]
    table.to_parquet(file, index=False)
")$forget_folders(file.path(target, "model", "predictions.parquet"))
attr(model, "tables")$predictions$path <- file.path("images", basename(augment(model)$path))
model$folder <- "model"
saveRDS(model, file.path(target, "model.rds"), version = 3)
print(topics)
print(model)
message(sum(file.size(list.files(target, recursive = TRUE, full.names = TRUE))), " bytes")
