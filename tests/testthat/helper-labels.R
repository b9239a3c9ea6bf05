# Numbers between 0 and 1 that look random and are the same everywhere.
scattered <- function(n, seed) {
  x <- sin((seq_len(n) + 1000 * seed) * 12.9898) * 43758.5453
  x - floor(x)
}

# A made corpus of 14 clusters and a residual: images with predictions, a sample of one to five
# images of a cluster in two waves, labels of three codes by people, of which some are missing, and
# posts.
golden_labelled <- function() {
  sizes <- c(90, 70, 55, 40, 33, 27, 21, 16, 12, 9, 7, 4, 3, 2, 30)
  cluster <- rep(c(1:14, -1), sizes)
  n <- length(cluster)
  images <- data.frame(
    image_id = sprintf("i%03d", seq_len(n)), cluster = cluster,
    cluster_name = ifelse(cluster == 2, "flags", ""), wave = 1,
    n_copies = 1 + floor(4 * scattered(n, 1)^2)
  )
  images$cluster_name[images$cluster_name == ""] <- NA
  images$wave[images$cluster == 3][41:55] <- 2
  chance <- 0.15 + 0.6 * scattered(15, 2)[match(cluster, unique(cluster))]
  protest <- scattered(n, 3) < chance
  place <- c("indoors", "outdoors", "graphic")[1 + (scattered(n, 4) < chance) +
    (scattered(n, 5) < 0.2)]
  anger <- pmin(pmax(round(1 + 4 * chance + 2 * scattered(n, 6) - 1), 1), 5)
  rank <- ave(scattered(n, 7), cluster, images$wave, FUN = rank)
  n_h <- ave(rank, cluster, images$wave, FUN = \(x) min(5, max(length(x) - 1, 1)))
  n_h[cluster %in% c(8, 9, 10)] <- 1
  drawn <- rank <= n_h
  size <- ave(rank, cluster, images$wave, FUN = length)
  sample <- data.frame(images[c("image_id", "cluster", "wave")], N_h = size, n_h = n_h)[drawn, ]
  labels <- rbind(
    data.frame(image_id = images$image_id, code = "protest", label = as.integer(protest)),
    data.frame(image_id = images$image_id, code = "place", label = place),
    data.frame(image_id = images$image_id, code = "anger", label = anger)
  )[rep(drawn, 3), ]
  # Nobody labelled the protests of cluster 12, and one image was skipped.
  labels$label[labels$code == "protest" & labels$image_id %in% images$image_id[cluster == 12]] <- NA
  labels$label[labels$code == "protest"][7] <- NA
  p <- stats::plogis(3 * (protest - 0.5) + 2 * (scattered(n, 8) - 0.5) + (cluster %% 3 - 1))
  predictions <- rbind(
    data.frame(
      image_id = images$image_id, code = "protest", label = as.integer(p >= 0.5),
      probability = signif(p, 6)
    ),
    data.frame(
      image_id = images$image_id, code = "place",
      label = ifelse(scattered(n, 9) < 0.2, "indoors", place), probability = NA
    ),
    data.frame(
      image_id = images$image_id, code = "anger", probability = NA,
      label = pmin(pmax(anger + round(2 * scattered(n, 10) - 0.8), 1), 5)
    )
  )
  predictions$label[predictions$code == "anger"][c(3, 50)] <- NA
  predictions$split <- "fold"
  list(
    images = images, sample = sample, labels = labels, predictions = predictions,
    posts = golden_labelled_posts(images$image_id)
  )
}

golden_labelled_posts <- function(ids) {
  n <- 700
  author <- 1 + floor(18 * scattered(n, 11)^1.5)
  data.frame(
    post_id = sprintf("p%03d", 1 + floor(seq_len(n) / 1.6)),
    image_id = ids[1 + floor(length(ids) * scattered(n, 12)^1.3)]
  ) |>
    dplyr::mutate(
      author = sprintf("a%02d", author[match(.data$post_id, .data$post_id)]),
      party = c("D", "R")[1 + as.integer(sub("a", "", .data$author)) %% 2],
      time = as.Date("2024-01-10") + as.integer(sub("p", "", .data$post_id)) %/% 8
    )
}

golden_label_shares <- function(x) {
  of <- function(case, ...) {
    table <- quietly(label_shares(x$labels, ...))
    by <- attr(table, "by")
    table <- plain_tibble(table)
    table$group <- if (length(by) == 0) "" else do.call(paste, lapply(table[by], as.character))
    kept <- c(
      "code", "label", "group", "method", "estimate", "std.error", "df", "conf.low", "conf.high",
      "n_labelled", "n_predicted", "lambda"
    )
    cbind(case = case, table[kept])
  }
  rbind(
    of("all", x$predictions, x$sample, clustering = x$images),
    of("unplaced", x$predictions, x$sample),
    of("sample", NULL, x$sample, conf_level = 0.9),
    of("cluster", x$predictions, x$sample, cluster, clustering = x$images),
    of("share", x$predictions, x$sample, weight = "share", clustering = x$images),
    of("party", x$predictions, x$sample, c(party, month), linked = x$posts),
    of("posts", x$predictions, x$sample, party, weight = "post", linked = x$posts),
    of(
      "these posts", x$predictions, x$sample, party,
      weight = "post", linked = x$posts, author = NULL
    )
  )
}

golden_label_scores <- function(x) {
  labels <- x$labels[x$labels$code != "anger", ]
  quietly(score_labels(labels, x$predictions, x$sample, party, x$posts, bins = 4))
}

golden_label_models <- function(x) {
  posts <- x$posts
  posts$likes <- as.integer(sub("p", "", posts$post_id)) %% 7
  of <- function(case, formula, ..., linked = posts, clustering = NULL) {
    table <- quietly(label_model(
      formula, x$labels, x$predictions, linked, x$sample, ...,
      clustering = clustering
    ))
    cbind(case = case, plain_tibble(table))
  }
  rbind(
    of("outcome", protest ~ party + month),
    of("logit", protest ~ party, family = "logit", conf_level = 0.9),
    of("predictor", likes ~ protest * party),
    of("log", log1p(likes) ~ party + protest, tuning = 1),
    of("answer", place ~ party, answer = "indoors"),
    of("label", label ~ party, code = "anger"),
    of("spline", protest ~ s(time)),
    of("images", protest ~ n_copies, linked = NULL, clustering = x$images)
  )
}

read_labelled <- function() {
  names <- c("images", "sample", "labels", "predictions", "posts")
  tables <- lapply(rlang::set_names(names), \(name) read_golden(paste0("labelled-", name)))
  tables$posts$time <- as.Date(tables$posts$time)
  tables
}

golden_label_plan <- function(x) {
  of <- function(case, predictions, ...) {
    plan <- quietly(plan_labels(x$labels, predictions, x$sample, clustering = x$images, ...))
    needed <- tidy(plan, "needed")
    needed$group <- if ("cluster" %in% names(needed)) as.character(needed$cluster) else ""
    rbind(
      data.frame(
        case = case, row = paste0(plan$cluster, "/", plan$wave), value = plan$sd, n = plan$n_next
      ),
      data.frame(
        case = case, row = paste0(needed$method, "/", needed$group), value = needed$width_planned,
        n = needed$n_needed
      ),
      data.frame(
        case = case, row = paste0("now/", needed$method, "/", needed$group), value = needed$width,
        n = needed$n_labelled
      )
    )
  }
  rbind(
    of("protest", x$predictions, width = 0.1, code = "protest"),
    of("place", x$predictions, width = 0.1, code = "place"),
    of("anger", x$predictions, width = 0.2, code = "anger"),
    of("alone", NULL, width = 0.15, code = "protest", conf_level = 0.9),
    of("cluster", x$predictions, width = 0.4, code = "place", by = "cluster")
  )
}
