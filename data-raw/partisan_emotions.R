# Makes data/: a simulated study in the shape of the published one (309 clusters of 18,096
# images, 1,087 of them sampled, ten emotions, 360 + 360 respondents). Nothing here was said
# by a person. Run it in the root of the repository: Rscript data-raw/partisan_emotions.R, and then
# data-raw/simulated_posts.R, which adds columns to simulated_clusters.

set.seed(18096)

# ---- Items ------------------------------------------------------------------------------

emotion_items <- tibble::tibble(
  item = c(
    "hopeful", "enthusiastic", "proud",
    "angry", "resentful", "bitter", "hateful",
    "worried", "scared", "afraid"
  ),
  dimension = rep(c("enthusiasm", "aversion", "anxiety"), c(3, 4, 3))
)

# ---- Clusters ---------------------------------------------------------------------------

# One cluster holds 905 images (5%); after it sizes fall like (rank + b)^-c to pairs. For a given
# b, c makes the sum right; b is such that the published rule draws the published number of
# images. The second size puts half of all images just after cluster 17, as in Figure 9.
n_clusters <- 309
n_images <- 18096
n_sampled <- 1087
drawn_from <- function(size) pmin(5, size - 1)
sizes_for <- function(b) {
  shape <- function(c) c(905, pmax(2, 750 * ((1 + b) / (seq_len(n_clusters - 1) + b))^c))
  c <- uniroot(\(c) sum(shape(c)) - n_images, c(0.1, 60))$root
  round(shape(c))
}
b <- seq(1, 100, by = 0.1)
short <- vapply(b, \(b) abs(sum(drawn_from(sizes_for(b))) - n_sampled), 0)
size <- sizes_for(b[which.min(short)])
# Pairs become threes, or threes pairs, until the sample is right; then the large ones give
# or take what rounding left over.
while ((off <- n_sampled - sum(drawn_from(size))) != 0) {
  at <- if (off > 0) which(size == 2)[1] else max(which(size == 3))
  size[at] <- size[at] + sign(off)
}
off <- n_images - sum(size)
size[2:31] <- size[2:31] + off %/% 30 + (seq_len(30) <= off %% 30)
stopifnot(!is.unsorted(-size), sum(size) == n_images, sum(drawn_from(size)) == n_sampled)

shows <- rep(NA_character_, n_clusters)
shows[c(5, 8, 17, 182, 272)] <- c(
  "protesters with signs", "children in cages", "posters that announce marches",
  "a child taken from its mother", "hats with an altered slogan"
)
simulated_clusters <- tibble::tibble(
  cluster = seq_len(n_clusters),
  size = as.integer(size),
  share = size / n_images,
  shows = shows
)

# ---- What clusters and images evoke, on a scale of 0 to 10 --------------------------------

items <- emotion_items$item
dimension <- emotion_items$dimension
dimensions <- unique(dimension)
level <- c(2.9, 2.6, 2.5, 3.9, 3.3, 3.1, 2.7, 3.2, 2.8, 2.8)
# Democrats less Republicans, in the directions of the paper's Figure 10.
gap <- c(0.7, 0.1, 0.6, 0.65, 0, 0, 0, 0.8, 0.75, 0.75)
names(level) <- names(gap) <- items

# Clusters differ by dimension, and a little by item. Large ones enthuse, small ones frighten,
# so that it matters whether clusters or images count the same.
size_slope <- c(enthusiasm = 0.25, aversion = 0, anxiety = -0.25)
log_size <- as.vector(scale(log(size)))
by_dimension <- sapply(dimensions, \(d) rnorm(n_clusters, sd = 1.3) + size_slope[[d]] * log_size)
evoked <- by_dimension[, dimension] + rnorm(n_clusters * 10, sd = 0.4)
colnames(evoked) <- items
wanted <- function(clusters, enthusiasm, aversion, anxiety) {
  goal <- c(enthusiasm = enthusiasm, aversion = aversion, anxiety = anxiety)
  evoked[clusters, ] <<- rep(goal[dimension] - level, each = length(clusters))
}
wanted(5, 5, 6.5, 5.2)
wanted(8, 0.8, 6, 6.4)
wanted(17, 6, 1.5, 1.2)
wanted(182, 0, 7, 6.6)
wanted(272, 6.5, 0.4, 0.4)

# Parties differ more about some clusters than about others.
party_gap <- matrix(gap, n_clusters, 10, byrow = TRUE, dimnames = list(NULL, items)) +
  sapply(dimensions, \(d) rnorm(n_clusters, sd = 0.5))[, dimension]
party_gap[5, 1:3] <- 4
party_gap[8, 8:10] <- 3.6

# ---- The sample -------------------------------------------------------------------------

n_h <- as.integer(drawn_from(size))
cluster <- rep(seq_len(n_clusters), n_h)
image_evoked <- evoked[cluster, ] +
  sapply(dimensions, \(d) rnorm(n_sampled, sd = 0.7))[, dimension]
# Shares: more where images enthuse or anger, the same for no two clusters.
overall <- sweep(image_evoked, 2, level, "+")
expected <- exp(
  0.8 + 0.18 * rowMeans(overall[, 1:3]) + 0.1 * rowMeans(overall[, 4:7]) +
    rnorm(n_clusters, sd = 0.4)[cluster]
)
n_shares <- 1L + as.integer(rnbinom(n_sampled, size = 0.8, mu = expected))

simulated_sample <- tibble::tibble(
  image_id = sprintf("simulated-%04d", seq_len(n_sampled)),
  path = sprintf("simulated/%04d.jpg", seq_len(n_sampled)),
  cluster = cluster,
  N_h = as.integer(size)[cluster],
  n_h = n_h[cluster],
  inclusion_probability = n_h / N_h,
  weight_corpus = N_h / n_h,
  weight_cluster = 1 / n_h,
  weight_share = weight_corpus * n_shares,
  n_shares = n_shares
)

# ---- Who rates what ---------------------------------------------------------------------

# Images in the order of their clusters go round the 360 respondents like cards: neighbours,
# and so images of one cluster, go to different people. Then once more round, and so on, until
# everybody has eight. Where the end of one round meets the start of the next the clusters
# differ as well.
n_people <- 360
sd_general <- 0.8
sd_special <- 0.5
deal <- function() {
  cards <- unlist(replicate(3, {
    first <- sample(n_clusters, 1)
    c(which(cluster >= first), which(cluster < first))
  }, simplify = FALSE))[seq_len(n_people * 8)]
  person <- rep(seq_len(n_people), 8)
  list(person = sample(n_people)[person], image = cards)
}
fair <- function(dealt) !anyDuplicated(paste(dealt$person, cluster[dealt$image]))
answers <- lapply(c(Democrat = 1, Republican = -1) / 2, function(side) {
  repeat {
    dealt <- deal()
    if (fair(dealt)) break
  }
  # People differ in how much they feel at all, by dimension, and by item.
  general <- rnorm(n_people, sd = sd_general)
  special <- sapply(dimensions, \(d) rnorm(n_people, sd = sd_special))
  feels <- general + special[, dimension]
  felt <- rep(level, each = length(dealt$image)) + image_evoked[dealt$image, ] +
    side * party_gap[cluster[dealt$image], ] + feels[dealt$person, ] +
    rnorm(length(dealt$image)) + rnorm(length(dealt$image) * 10, sd = 1.3)
  rating <- pmin(10L, pmax(0L, as.integer(round(felt))))
  c(dealt, list(rating = rating, general = general, special = special))
})

simulated_ratings <- lapply(names(answers), function(party) {
  answer <- answers[[party]]
  row <- order(answer$person, answer$image)
  rating <- matrix(answer$rating, ncol = 10)[row, ]
  image <- answer$image[row]
  tibble::tibble(
    respondent_id = rep(sprintf("%s%03d", substr(party, 1, 1), answer$person[row]), each = 10),
    group = party,
    image_id = rep(simulated_sample$image_id[image], each = 10),
    cluster = rep(cluster[image], each = 10),
    item = rep(items, times = length(image)),
    dimension = rep(dimension, times = length(image)),
    rating = as.vector(t(rating))
  )
})
simulated_ratings <- dplyr::mutate(
  dplyr::bind_rows(simulated_ratings),
  item = factor(item, items),
  dimension = factor(dimension, dimensions)
)
simulated_ratings <- dplyr::left_join(
  simulated_ratings,
  dplyr::select(simulated_sample, image_id, N_h, n_h, dplyr::starts_with("weight_")),
  by = "image_id"
)
# Every image is rated by both parties, nobody rates more than eight or two of one cluster.
rated <- dplyr::distinct(simulated_ratings, respondent_id, group, image_id, cluster)
stopifnot(
  nrow(dplyr::distinct(rated, group, image_id)) == 2 * n_sampled,
  max(dplyr::count(rated, respondent_id)$n) == 8,
  !anyDuplicated(rated[c("respondent_id", "cluster")])
)

# ---- Who the respondents are --------------------------------------------------------------

# Age, gender and ideology are drawn given what a respondent feels. So that each effect can be
# named, they depend on parts that are independent of each other: age on how much a respondent feels
# in general, gender on the anxiety that comes on top, ideology on enthusiasm and aversion on top.
set.seed(8)
parties <- c("Democrat", "Republican")
age_general <- c(Democrat = -0.4, Republican = 0)
gender_anxiety <- 0.4
ideology_enthusiasm <- c(Democrat = -0.55, Republican = -0.55)
ideology_aversion <- c(Democrat = -0.45, Republican = 0.45)
ideology_mean <- c(Democrat = 2.6, Republican = 5.4)

describe <- function(party, general, special) {
  n <- length(general)
  mixed <- function(...) {
    known <- c(...)
    known + sqrt(1 - stats::var(known)) * rnorm(n)
  }
  general <- general / sd_general
  special <- special / sd_special
  age <- 43 + 16 * mixed(age_general[[party]] * general)
  woman <- mixed(gender_anxiety * special[, "anxiety"]) > qnorm(0.4)
  ideology <- ideology_mean[[party]] + 1.1 * mixed(
    ideology_enthusiasm[[party]] * special[, "enthusiasm"] +
      ideology_aversion[[party]] * special[, "aversion"]
  )
  tibble::tibble(
    age = as.integer(pmin(85, pmax(18, round(age)))),
    gender = factor(ifelse(woman, "woman", "man"), c("man", "woman")),
    ideology = as.integer(pmin(7, pmax(1, round(ideology))))
  )
}

# The panel is younger than the parties' supporters, and has too many women. Weights make the
# respondents of a party agree with what is known of its supporters.
age_group <- function(age) cut(age, c(17, 29, 44, 59, Inf), c("18-29", "30-44", "45-59", "60-85"))
known_ages <- c("18-29" = 0.2, "30-44" = 0.25, "45-59" = 0.25, "60-85" = 0.3)
known_women <- c(Democrat = 0.56, Republican = 0.48)

weigh <- function(who, party) {
  women <- known_women[[party]]
  known <- known_ages[as.character(age_group(who$age))] *
    ifelse(who$gender == "woman", women, 1 - women)
  as.vector(known) / ave(rep(1 / nrow(who), nrow(who)), age_group(who$age), who$gender, FUN = sum)
}

simulated_respondents <- dplyr::bind_rows(lapply(parties, function(party) {
  answer <- answers[[party]]
  who <- describe(party, answer$general, answer$special)
  dplyr::bind_cols(
    respondent_id = sprintf("%s%03d", substr(party, 1, 1), seq_len(n_people)), group = party,
    who, survey_weight = weigh(who, party)
  )
}))

# ---- Who was asked, and what they left out --------------------------------------------------

# A packet for each respondent, in random order.
simulated_packets <- rated |>
  dplyr::mutate(order = rnorm(dplyr::n())) |>
  dplyr::arrange(respondent_id, order) |>
  dplyr::group_by(respondent_id) |>
  dplyr::mutate(position = dplyr::row_number()) |>
  dplyr::ungroup() |>
  dplyr::mutate(packet_id = sprintf("p%03d", match(respondent_id, unique(respondent_id)))) |>
  dplyr::left_join(dplyr::select(simulated_sample, image_id, path), by = "image_id") |>
  dplyr::select(packet_id, group, position, image_id, cluster, path, respondent_id)

# What is missing depends on what is known of everybody who was asked: on age, ideology and the
# cluster, and given these on nothing that would have been answered.
asked <- dplyr::left_join(
  simulated_packets, dplyr::select(simulated_respondents, -group),
  by = "respondent_id"
)
# The older give up more often: after each image but the last, for good.
stops <- runif(nrow(asked)) < plogis(-4.5 + 0.35 * (asked$age - 45) / 10)
stopped <- dplyr::lag(ave(stops, asked$respondent_id, FUN = cumsum), default = 0) > 0 &
  asked$position > 1
# Images are skipped more often if their cluster evokes aversion and anxiety, and by conservatives.
unpleasant <- rowMeans(sweep(evoked, 2, level, "+")[, dimension != "enthusiasm"])
unpleasant <- as.vector(scale(unpleasant))
skipped <- runif(nrow(asked)) <
  plogis(-3.6 + 0.6 * unpleasant[asked$cluster] + 0.25 * (asked$ideology - 4))
missing <- asked[stopped | skipped, c("respondent_id", "image_id")]
simulated_ratings <- dplyr::anti_join(
  simulated_ratings, missing,
  by = c("respondent_id", "image_id")
)
# And one answer in a hundred was overlooked.
simulated_ratings <- simulated_ratings[runif(nrow(simulated_ratings)) >= 0.01, ]

# What was simulated, for the help page: of 50,000 new people of each party who rate images of all
# clusters, the mean answer, and how it depends on them. Ratings are rounded and cut at 0 and 10.
noise <- sqrt(0.7^2 + 1 + 1.3^2)
mean_answer <- function(felt) rowSums(pnorm(outer(felt, seq(0.5, 9.5), "-") / noise))
truth <- dplyr::bind_rows(lapply(parties, function(party) {
  n <- 50000
  general <- rnorm(n, sd = sd_general)
  special <- sapply(dimensions, \(d) rnorm(n, sd = sd_special))
  who <- describe(party, general, special)
  weight <- weigh(who, party)
  side <- if (party == "Democrat") 1 / 2 else -1 / 2
  dplyr::bind_rows(lapply(dimensions, function(d) {
    of_items <- lapply(items[dimension == d], function(i) {
      felt <- level[[i]] + evoked[, i] + side * party_gap[, i]
      feels <- seq(-6, 6, by = 0.05)
      means <- vapply(feels, \(x) mean(mean_answer(felt + x)), 0)
      stats::approx(feels, means, general + special[, d], rule = 2)$y
    })
    answer <- Reduce(`+`, of_items) / length(of_items)
    fit <- stats::lm(answer ~ I(age / 10) + gender + ideology, who, weights = weight)
    slopes <- stats::coef(fit)
    tibble::tibble(
      group = party, dimension = d, in_sample = mean(answer),
      in_population = stats::weighted.mean(answer, weight),
      age_10_years = slopes[[2]], woman = slopes[[3]], ideology = slopes[[4]]
    )
  }))
}))
print(as.data.frame(truth), digits = 2)
message(
  "not rated: ", round(100 * nrow(missing) / nrow(asked), 1), "% (stopped ",
  round(100 * mean(stopped), 1), "%)"
)

# ---- Store ------------------------------------------------------------------------------

class(simulated_sample) <- c("imagestrata_sample", "imagestrata_result", class(simulated_sample))
dir.create("data", showWarnings = FALSE)
for (name in c(
  "emotion_items", "simulated_clusters", "simulated_sample", "simulated_respondents",
  "simulated_packets", "simulated_ratings"
)) {
  file <- file.path("data", paste0(name, ".rda"))
  save(list = name, file = file, compress = "xz", version = 3)
  message(name, ": ", file.size(file), " bytes")
}
