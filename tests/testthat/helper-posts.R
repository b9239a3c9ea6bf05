# Linked posts as link_posts() returns them: authors of two parties with few and many posts, up to
# three images a post, topics that authors favour, some posts without a known image.
made_posts <- function(n_posts = 600, n_authors = 24, seed = 1) {
  withr::local_seed(seed)
  author <- sprintf("a%02d", sample(n_authors, n_posts, TRUE, prob = stats::rlnorm(n_authors)))
  number <- as.integer(sub("a", "", author))
  posts <- tibble::tibble(
    post_id = sprintf("p%04d", seq_len(n_posts)), author = author,
    party = c("D", "R")[1 + number %% 2],
    time = as.POSIXct("2024-01-03", tz = "UTC") + 86400 * 118 * stats::runif(n_posts)
  )
  linked <- posts[rep(seq_len(n_posts), sample(1:3, n_posts, TRUE)), ]
  favourite <- as.integer(sub("a", "", linked$author)) %% 6 + 1
  drawn <- sample(6, nrow(linked), TRUE, prob = c(8, 5, 3, 2, 1, 1))
  linked$cluster <- ifelse(stats::runif(nrow(linked)) < 0.4, favourite, drawn)
  linked$cluster_name <- c("flags", "charts")[linked$cluster]
  linked$cluster[linked$cluster == 6] <- -1
  linked$image_id <- paste0("i", linked$cluster, "-", sample(40, nrow(linked), TRUE))
  lost <- sample(nrow(linked), nrow(linked) / 10)
  linked$cluster[lost] <- linked$image_id[lost] <- linked$cluster_name[lost] <- NA
  linked$unmatched <- NA_character_
  linked$unmatched[lost] <- sample(c("no image", "not in the scan"), length(lost), TRUE)
  linked[c(
    "post_id", "image_id", "cluster", "cluster_name", "unmatched", "author", "party", "time"
  )]
}

# Five posts of three authors, worked by hand.
tiny_posts <- function() {
  tibble::tribble(
    ~post_id, ~image_id, ~cluster, ~author, ~party,
    "1", "x", 1, "ann", "D",
    "1", "y", 2, "ann", "D",
    "1", "x", 1, "ann", "D",
    "2", "x", 1, "ann", "D",
    "3", "z", -1, "bob", "D",
    "4", NA, NA, "bob", "D",
    "5", "y", 2, "cem", "R"
  )
}

# What both languages compute from the golden posts.
golden_shown <- function() {
  linked <- made_posts(400, 14)
  # Nobody posts in March.
  linked <- linked[format(linked$time, "%m") != "03", ]
  linked$time <- format(linked$time, "%Y-%m-%dT%H:%M:%SZ")
  linked
}

golden_prevalence <- function(linked) {
  linked$time <- as.POSIXct(linked$time, "UTC", format = "%Y-%m-%dT%H:%M:%SZ")
  units <- c("post", "image", "author")
  quietly(dplyr::bind_rows(lapply(units, \(unit) {
    plain_tibble(topic_prevalence(
      linked, c(party, month), unit = unit, time_zone = "America/New_York",
      denominator = if (unit == "image") "all" else "known"
    ))
  })))
}

golden_topic_odds <- function(linked) {
  linked$time <- as.POSIXct(linked$time, "UTC", format = "%Y-%m-%dT%H:%M:%SZ")
  quietly(dplyr::bind_rows(
    plain_tibble(topic_odds(linked, c(party, month))),
    plain_tibble(topic_odds(linked, c(month, party), unit = "image")),
    plain_tibble(topic_odds(linked, month, unit = "author")),
    plain_tibble(topic_odds(linked, month, compare = "pairs", conf_level = 0.9))
  ))
}

golden_topic_gaps <- function(linked) {
  linked$time <- as.POSIXct(linked$time, "UTC", format = "%Y-%m-%dT%H:%M:%SZ")
  quietly(dplyr::bind_rows(
    plain_tibble(topic_gaps(linked, c(party, month), adjust = "BH")),
    plain_tibble(topic_gaps(linked, c(month, party), unit = "author"))
  ))
}
