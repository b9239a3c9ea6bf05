# Linked posts: four images in clusters 1 to 3 and the residual; two posts have several images,
# one of them twice; covariates belong to authors and posts.
toy_linked <- function(n = 900, n_authors = 25, seed = 1) {
  withr::with_seed(seed, {
    by <- sample(n_authors, n, TRUE, prob = stats::rexp(n_authors) + 0.1)
    followers <- stats::rnorm(n_authors)
    effect <- stats::rnorm(n_authors, sd = 0.4)
    party <- c("A", "B", "B", "C")[1 + by %% 4]
    day <- as.Date("2020-01-10") + sample(0:360, n, TRUE)
    p <- stats::plogis(-1 + 0.6 * (party == "B") + 0.3 * followers[by] + effect[by])
    posts <- tibble::tibble(
      post_id = paste0("p", seq_len(n)), image_id = paste0("i", seq_len(n)),
      cluster = ifelse(stats::runif(n) < p, 1L, sample(c(2L, 3L, -1L), n, TRUE)),
      author = paste0("a", by), party = party, followers = followers[by], time = day,
      size = stats::runif(n, 0.5, 2)
    )
  })
  extra <- posts[c(1, 1, 2, 3), ]
  extra$cluster <- c(2L, 2L, 3L, -1L)
  posts <- rbind(posts, extra)
  posts$cluster_name <- c("cats", "dogs", "maps")[ifelse(posts$cluster > 0, posts$cluster, NA)]
  posts
}

# One row per post, with what it shows.
posts_of <- function(linked, cluster) {
  posts <- linked[!duplicated(linked$post_id), ]
  posts$y <- posts$post_id %in% linked$post_id[linked$cluster == cluster]
  posts$month <- as.Date(format(posts$time, "%Y-%m-01"))
  posts$days <- as.numeric(posts$month)
  posts
}

# What the golden tables of both languages hold: factors, splines, products, infinite coefficients,
# a topic that is too rare.
golden_linked <- function() {
  linked <- toy_linked(400, 30, seed = 5)
  linked$cluster[linked$party == "C" & linked$cluster == 3] <- 2L
  linked$cluster[c(11, 12)] <- 4L
  linked$followers <- round(linked$followers, 3)
  linked$size <- round(linked$size, 3)
  linked
}

golden_model <- function(linked) {
  linked$time <- as.Date(linked$time)
  topic_model(linked, ~ party * followers + s(month, df = 3), weights = "size")
}
