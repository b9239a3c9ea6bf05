# Makes data/simulated_posts.rda: posts of a year that show the 18,096 images of the simulated
# study, linked to its clusters; and adds to simulated_clusters what was simulated about them.
# Accounts are invented. Run it in the root of the repository: Rscript data-raw/simulated_posts.R
# Needs the core's packages, because link_posts() links the posts.

source("data-raw/partisan_emotions.R")
pkgload::load_all(quiet = TRUE)
set.seed(174172)

# ---- Who posts, and when ------------------------------------------------------------------

parties <- c("Democrat", "Republican", "Independent")
n_authors <- 200
share_of_posts <- c(Democrat = 0.54, Republican = 0.42, Independent = 0.04)
authors <- tibble::tibble(
  author = sprintf("account_%03d", seq_len(n_authors)),
  party = factor(sample(rep(parties, c(97, 99, 4))), parties),
  activity = exp(rnorm(n_authors)),
  followers = as.integer(signif(exp(rnorm(n_authors, log(30000), 1.2)), 3)),
  liked = rnorm(n_authors, sd = 0.4)
)
of_party <- as.integer(authors$party)
in_party <- as.vector(tapply(authors$activity, authors$party, sum))
authors$activity <- authors$activity * share_of_posts[of_party] / in_party[of_party]
# How well posts are liked has nothing to do with followers, in these 200 accounts, too.
authors$liked <- stats::residuals(
  stats::lm(liked ~ log(followers), authors, weights = authors$activity)
)

# Authors are busy in some months, and on a few days of a month.
days <- seq(as.Date("2018-01-01"), as.Date("2018-12-31"), by = "day")
month <- as.integer(format(days, "%m"))
volume <- c(0.8, 0.8, 0.9, 0.9, 1, 1.3, 1.3, 1, 1, 1.1, 1, 0.7)
when <- t(vapply(seq_len(n_authors), function(i) {
  busy <- volume * rgamma(12, 4)
  day <- rgamma(length(days), 0.2) * ifelse(format(days, "%u") %in% c("6", "7"), 0.5, 1)
  weight <- day / tapply(day, month, sum)[month] * busy[month]
  weight / sum(weight)
}, numeric(length(days))))

# ---- Which topics belong to a party or a month ----------------------------------------------

# A third of the topics are as frequent in both parties. Events make a topic more frequent for a
# month, and half as much (on the log scale) for the next one; more so in the party of the topic.
gap <- sample(rep(c(-1, 0, 1), 103)) * pmax(0.2, rnorm(n_clusters, 0.6, 0.25))
event <- rep(NA_integer_, n_clusters)
event[sample(n_clusters, 60)] <- sample(12, 60, replace = TRUE)
gap[c(5, 8, 17, 182, 272)] <- c(0.8, 0.9, 1.2, 0.8, 0.6)
event[c(5, 8, 17, 182, 272)] <- c(6L, 6L, 6L, 6L, NA)
side <- c(Democrat = 0.5, Republican = -0.5, Independent = 0)
rises <- function(topic, party) {
  belongs <- sign(gap[topic]) * sign(side[[party]])
  high <- log(c(2, 4, 6)[belongs + 2])
  rise <- numeric(12)
  if (!is.na(event[topic])) {
    rise[event[topic]] <- high
    if (event[topic] < 12) rise[event[topic] + 1] <- high / 2
  }
  rise
}
# How often each party shows a topic, in proportion, by month.
intensity <- function(topic, party) {
  share_of_posts[[party]] * exp(side[[party]] * gap[topic] + rises(topic, party)) *
    volume / sum(volume)
}

# Images are shown once, or as a part of the times that anybody on the network shared them.
n_other <- n_images - n_sampled
image_cluster <- c(cluster, rep(seq_len(n_clusters), size - n_h))
evokes <- rbind(
  overall,
  sweep(evoked[image_cluster[-seq_len(n_sampled)], ] +
    sapply(dimensions, \(d) rnorm(n_other, sd = 0.7))[, dimension], 2, level, "+")
)
enthusiasm <- rowMeans(evokes[, 1:3])
aversion <- rowMeans(evokes[, 4:7])
shared <- c(n_shares, 1L + rnbinom(n_other, size = 0.8, mu = exp(
  0.8 + 0.18 * enthusiasm[-seq_len(n_sampled)] + 0.1 * aversion[-seq_len(n_sampled)]
)))
times_shown <- 1L + rbinom(n_images, shared - 1L, 0.06)
n_shown <- as.vector(tapply(times_shown, image_cluster, sum))

# Both parties show as many images in all as their posts promise: topics of Republicans lean more
# or less, until topics without a gap are the same share of the images of both.
balance <- function(shift) {
  gap <<- ifelse(leans < 0, leans - shift, leans)
  by_party <- sapply(parties, \(party) {
    vapply(seq_len(n_clusters), \(topic) sum(intensity(topic, party)), 0)
  })
  by_party / rowSums(by_party)
}
leans <- gap
off <- function(shift) {
  images <- colSums(n_shown * balance(shift))
  images[[1]] / images[[2]] - share_of_posts[[1]] / share_of_posts[[2]]
}
shown_by <- balance(uniroot(off, c(-0.2, 1.5), tol = 1e-9)$root)
expected <- sweep(n_shown * shown_by, 2, colSums(n_shown * shown_by), "/")
simulated_clusters$party_gap <- log(expected[, "Democrat"] / expected[, "Republican"])
simulated_clusters$party_gap[gap == 0] <- 0
simulated_clusters$event <- event

# ---- Posts: images of a topic, shown together --------------------------------------------

albums <- lapply(seq_len(n_clusters), function(topic) {
  own <- which(image_cluster == topic)
  rounds <- lapply(seq_len(max(times_shown[own])), \(i) own[times_shown[own] >= i])
  images <- unlist(lapply(rounds, \(x) x[sample.int(length(x))]))
  n_in_album <- sample(4, length(images), replace = TRUE, prob = c(0.72, 0.15, 0.06, 0.07))
  album <- rep(seq_along(n_in_album), n_in_album)[seq_along(images)]
  again <- duplicated(data.frame(album, images))
  images <- images[!again]
  album <- album[!again]
  # Authors have topics of their own.
  likes <- authors$activity * exp(rnorm(n_authors, sd = 0.7))
  weight <- when * likes * exp(side[of_party] * gap[topic]) *
    exp(t(sapply(parties, rises, topic = topic)))[of_party, month]
  drawn <- sample.int(length(weight), max(album), replace = TRUE, prob = weight)
  tibble::tibble(
    author = ((drawn - 1) %% n_authors + 1)[album],
    day = ((drawn - 1) %/% n_authors + 1)[album],
    album = paste(topic, album),
    image = images
  )
})
shown <- dplyr::bind_rows(albums)

# One album in seven joins another one of the same author and day; a post has up to four images.
joined <- dplyr::distinct(shown, author, day, album)
joined <- dplyr::group_by(joined[sample.int(nrow(joined)), ], author, day)
joined <- dplyr::mutate(joined, post = cumsum(runif(dplyr::n()) > 0.15))
shown <- dplyr::left_join(shown, joined, by = c("author", "day", "album"))
shown <- dplyr::distinct(shown, author, day, post, image, .keep_all = TRUE)
shown <- dplyr::group_by(shown, author, day, post)
shown <- dplyr::ungroup(dplyr::mutate(shown, part = (dplyr::row_number() - 1) %/% 4))

# Posts with text only, and posts of which no file could be used.
n_without <- 3000
lost <- c(
  rep("lost", 60), # not in the folder
  rep("broken", 30) # in the folder, but truncated or damaged
)
other <- sample.int(
  length(when), n_without + length(lost),
  prob = authors$activity * when, replace = TRUE
)
other <- tibble::tibble(
  author = (other - 1) %% n_authors + 1,
  day = (other - 1) %/% n_authors + 1,
  post = -seq_along(other),
  part = 0,
  file = c(rep(NA, n_without), sprintf("%s-%02d.jpg", lost, seq_along(lost)))
)
# A third of the files that could not be used belong to posts that show other images, too.
with_others <- which(!is.na(other$file))[seq_along(lost) %% 3 == 0]
other[with_others, c("author", "day", "post", "part")] <-
  shown[sample.int(nrow(shown), length(with_others)), c("author", "day", "post", "part")]
rows <- dplyr::bind_rows(shown, other)

# ---- What posts say, and how often they are shared ------------------------------------------

hashtags <- c(
  "#BorderCrisis", "#CleanEnergy", "#FarmBill", "#FutureOfWork", "#GunSafety", "#HealthCareForAll",
  "#HurricaneRelief", "#InfrastructureWeek", "#JobsReport", "#LowerTaxes", "#MedicareMonday",
  "#MilitaryFamilies", "#NationalParks", "#OpioidCrisis", "#SchoolSafety", "#SmallBusiness",
  "#StateOfTheUnion", "#TaxReform", "#TradeDeal", "#VeteransDay", "#VotingRights", "#WomenInSTEM"
)
hashtag <- sample(hashtags, n_clusters, replace = TRUE)
hashtag[c(5, 8, 17, 182, 272)] <- c(
  "#MarchForFamilies", "#NoKidsInCages", "#MarchForFamilies", "#KeepFamiliesTogether", "#RedHats"
)
ours <- c(Democrat = "#ForTheFamilies", Republican = "#SecureTheBorder", Independent = NA)

posts <- dplyr::group_by(rows, author, day, post, part)
posts <- dplyr::summarise(
  posts,
  image = list(image[!is.na(image)]),
  file = list(file[!is.na(file)]),
  .groups = "drop"
)
n_posts <- nrow(posts)
# Most posts are of daytime; minutes are enough.
posts$time <- as.POSIXct("2018-01-01", tz = "UTC") + 86400 * (posts$day - 1) +
  60 * round(1439 * rbeta(n_posts, 4, 2.5))
posts <- posts[order(posts$time), ]
# Images that are not in the sample have numbers in the order of time.
number <- integer(n_images)
number[c(seq_len(n_sampled), setdiff(unlist(posts$image), seq_len(n_sampled)))] <-
  seq_len(n_images)
paths <- sprintf("simulated/%04d.jpg", number)
stopifnot(identical(paths[seq_len(n_sampled)], simulated_sample$path))

topic <- vapply(posts$image, \(x) image_cluster[x[1]], 0L)
some <- function(words, p) ifelse(runif(n_posts) < p, words, NA)
tags <- cbind(
  some(hashtag[topic], 0.6),
  some("#FamiliesBelongTogether", 0.25),
  some(ours[of_party[posts$author]], 0.15)
)
mean_of <- function(x) vapply(posts$image, \(i) if (length(i) > 0) mean(x[i]) else mean(x), 0)
account <- authors[posts$author, ]
media <- Map(\(image, file) c(basename(paths[image]), file), posts$image, posts$file)
posts <- tibble::tibble(
  post_id = sprintf("p%05d", seq_len(n_posts)),
  author = account$author,
  party = account$party,
  time = posts$time,
  media = vapply(media, \(x) if (length(x) > 0) paste(x, collapse = ",") else NA_character_, ""),
  hashtags = apply(tags, 1, \(x) if (all(is.na(x))) NA else paste(x[!is.na(x)], collapse = " ")),
  followers = account$followers,
  retweets = as.integer(rnbinom(n_posts, size = 1, mu = exp(
    1.2 + 0.18 * mean_of(enthusiasm) + 0.1 * mean_of(aversion) +
      0.5 * log(account$followers / 30000) + account$liked
  )))
)

# ---- The clusters of their images -------------------------------------------------------------

ids <- sub(".*/(.*)[.]jpg", "simulated-\\1", paths)
stopifnot(identical(ids[seq_len(n_sampled)], simulated_sample$image_id))
vectors <- matrix(as.numeric(image_cluster), ncol = 1, dimnames = list(ids, NULL))
topics <- as_clustering(vectors, image_cluster)
stopifnot(identical(topics$cluster, image_cluster))
known <- which(!is.na(shows))
names <- setNames(rep("", n_clusters), seq_len(n_clusters))
names[known] <- shows[known]
topics <- edit_clusters(topics, names = names)
damaged <- grep("broken", other$file, value = TRUE)
images <- data.frame(
  image_id = c(ids, damaged),
  path = c(paths, file.path("simulated", damaged)),
  status = rep(c("ok", "rejected"), c(n_images, length(damaged))),
  reason = rep(c(NA, "truncated or damaged"), c(n_images, length(damaged))),
  duplicate_of = NA_character_
)
simulated_posts <- link_posts(topics, posts, images = images)
stopifnot(
  setequal(simulated_posts$image_id, c(ids, NA)),
  !anyDuplicated(na.omit(simulated_posts[c("post_id", "image_id")]))
)

for (name in c("simulated_clusters", "simulated_posts")) {
  file <- file.path("data", paste0(name, ".rda"))
  save(list = name, file = file, compress = "xz", version = 3)
  message(name, ": ", file.size(file), " bytes")
}
