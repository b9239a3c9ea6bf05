# Makes data/simulated_labels.rda and data/simulated_predictions.rda: what two coders said about the
# 1,087 images of the simulated sample, and what a network predicts for all 18,096, with the truth.
# Nobody labelled anything, and there is no network. Run it in the root of the repository, after
# data-raw/simulated_posts.R: Rscript data-raw/simulated_labels.R

for (name in c("clusters", "posts", "sample")) {
  load(file.path("data", paste0("simulated_", name, ".rda")))
}
set.seed(309)

# ---- Images, and who posts them -----------------------------------------------------------

posts <- tibble::as_tibble(as.data.frame(simulated_posts))
posts <- posts[!is.na(posts$image_id), ]
posts$side <- c(Democrat = 0.5, Republican = -0.5, Independent = 0)[as.character(posts$party)]
images <- dplyr::summarise(
  dplyr::group_by(posts, image_id, cluster), side = mean(side), .groups = "drop"
)
images <- images[order(as.integer(sub("simulated-", "", images$image_id))), ]
n_images <- nrow(images)
n_clusters <- nrow(simulated_clusters)
of_cluster <- function(values) values[images$cluster]

# ---- What images show ---------------------------------------------------------------------

# Topics differ in how many of their images show a protest, and those of Democrats show more.
# `side` is 0.5 for an image that only Democrats post.
leans <- simulated_clusters$party_gap
protest <- rnorm(n_clusters, -4, 1.4) + 0.9 * leans
protest[c(5, 8, 17, 182)] <- c(3, -1, 0.5, -2.5)
children <- rnorm(n_clusters, -3.2, 1.1)
children[c(5, 8, 17, 182, 272)] <- c(-1, 3.5, -2.5, 4, -3)
truth <- tibble::tibble(
  protest = rbinom(n_images, 1, plogis(of_cluster(protest) + 0.5 * images$side)),
  children = rbinom(n_images, 1, plogis(of_cluster(children)))
)
settings <- c("graphic", "indoors", "outdoors")
setting <- cbind(rnorm(n_clusters, 0, 1.3), rnorm(n_clusters, 0.2, 1.3), rnorm(n_clusters, 0, 1.3))
setting[c(5, 8, 17, 182, 272), ] <- rbind(
  c(-2, -2, 2), c(-2, 2, 0), c(3, -2, -2), c(-2, -1, 1), c(0, 0, 0)
)
# The utility of each answer, with Gumbel noise, is a multinomial logit model.
utility <- setting[images$cluster, ] - log(-log(matrix(runif(3 * n_images), ncol = 3)))
# Protests are outdoors more often.
utility[, 3] <- utility[, 3] + 1.5 * truth$protest
truth$setting <- max.col(utility)
# How angry people or words in the image are, from 1 to 5.
anger <- of_cluster(rnorm(n_clusters, 2.8, 0.6)) + 0.8 * truth$protest + rnorm(n_images, sd = 0.7)
truth$anger <- pmin(5, pmax(1, round(anger)))

# ---- What a network predicts --------------------------------------------------------------

# It mistakes some of the rallies that Republicans post for protests, and misses quiet protests that
# Democrats post. All else it gets wrong in both parties alike.
seen <- function(truth, off, separation, shift = 0) {
  score <- off + separation * truth + shift + rnorm(n_images, sd = 1.2)
  round(plogis(1.7 * score), 2)
}
probability <- tibble::tibble(
  protest = seen(truth$protest, -3.1, 4.9, -1.9 * images$side),
  children = seen(truth$children, -2.6, 5)
)
right <- runif(n_images) < 0.85
predicted <- tibble::tibble(
  setting = ifelse(right, truth$setting, sample(3, n_images, replace = TRUE)),
  # A network of numbers tends to the mean.
  anger = 0.8 + 0.6 * truth$anger + rnorm(n_images, sd = 0.5)
)

# ---- What coders say ----------------------------------------------------------------------

drawn <- match(simulated_sample$image_id, images$image_id)
coders <- c("coder_1", "coder_2")
binary <- function(truth, misses, invents) {
  ifelse(truth == 1, rbinom(length(truth), 1, 1 - misses), rbinom(length(truth), 1, invents))
}
other <- function(answer, p) {
  slip <- runif(length(answer)) < p
  ifelse(slip, (answer + sample(2, length(answer), replace = TRUE) - 1) %% 3 + 1, answer)
}
said <- lapply(coders, function(coder) {
  of <- truth[drawn, ]
  tibble::tibble(
    protest = binary(of$protest, 0.05, 0.01),
    children = binary(of$children, 0.04, 0.01),
    setting = other(of$setting, 0.04),
    anger = pmin(5, pmax(1, round(of$anger + rnorm(nrow(of), sd = 0.5))))
  )
})
names(said) <- coders
# Where they differed about what is seen, they met and decided; anger stayed as each saw it.
met <- as.list(truth[drawn, c("protest", "children", "setting")])
met <- Map(
  \(truth, first, second) ifelse(first == second, NA, truth), met, said[[1]][1:3], said[[2]][1:3]
)

kinds <- c(protest = "binary", children = "binary", setting = "choice", anger = "scale")
rows_of <- function(answers, annotator) {
  seconds <- round(exp(rnorm(length(drawn), log(6), 0.45)), 1)
  if (annotator == "meeting") seconds <- NA_real_
  rows <- lapply(names(answers), function(code) {
    label <- answers[[code]]
    if (code == "setting") label <- settings[label]
    tibble::tibble(
      image_id = simulated_sample$image_id,
      code = code,
      label = as.character(label),
      annotator = annotator,
      note = NA_character_,
      kind = unname(kinds[code]),
      seconds = seconds
    )
  })
  dplyr::bind_rows(rows)
}
simulated_labels <- dplyr::bind_rows(
  rows_of(said[[1]], coders[1]), rows_of(said[[2]], coders[2]), rows_of(met, "meeting")
)
simulated_labels <- simulated_labels[!is.na(simulated_labels$label), ]
simulated_labels <- simulated_labels[order(
  match(simulated_labels$image_id, simulated_sample$image_id),
  match(simulated_labels$code, names(kinds)),
  match(simulated_labels$annotator, c(coders, "meeting"))
), ]
# Each coder passed over three images that the other one labelled.
skipped <- matrix(sample(simulated_sample$image_id, 6), 3, dimnames = list(NULL, coders))
for (coder in coders) {
  of <- simulated_labels$image_id %in% skipped[, coder]
  simulated_labels$label[of & simulated_labels$annotator == coder] <- NA
  simulated_labels <- simulated_labels[!(of & simulated_labels$annotator == "meeting"), ]
}

# ---- Predictions for all images, with the truth -------------------------------------------

shown <- tibble::tibble(
  protest = as.character(as.integer(probability$protest >= 0.5)),
  children = as.character(as.integer(probability$children >= 0.5)),
  setting = settings[predicted$setting],
  anger = sprintf("%.1f", pmin(5, pmax(1, predicted$anger)))
)
known <- dplyr::mutate(truth, setting = settings[setting])
simulated_predictions <- dplyr::bind_rows(lapply(names(kinds), function(one) {
  tibble::tibble(
    image_id = images$image_id,
    code = one,
    label = shown[[one]],
    probability = if (kinds[[one]] == "binary") probability[[one]] else NA_real_,
    # Labels of the sample trained the network, in folds: no image is predicted by a network that
    # has seen its label.
    split = ifelse(seq_len(n_images) %in% drawn, "fold", NA),
    truth = as.character(known[[one]])
  )
}))

for (name in c("simulated_labels", "simulated_predictions")) {
  file <- file.path("data", paste0(name, ".rda"))
  save(list = name, file = file, compress = "xz", version = 3)
  message(name, ": ", nrow(get(name)), " rows, ", file.size(file), " bytes")
}
