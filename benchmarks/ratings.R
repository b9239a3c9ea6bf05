# How long a million ratings take. Run it in the root of the repository:
# Rscript benchmarks/ratings.R

source("benchmarks/machine.R")
pkgload::load_all(quiet = TRUE)

set.seed(1)
people <- sized(125, 12500)
drawn <- simulated_sample[as.vector(replicate(people, sample(nrow(simulated_sample), 8))), ]
respondent <- rep(sprintf("r%05d", seq_len(people)), each = 8)
rows <- rep(seq_along(respondent), each = 10)
ratings <- tibble::tibble(
  respondent_id = respondent[rows],
  group = ifelse(as.integer(substring(respondent, 2)) %% 2, "Democrat", "Republican")[rows],
  image_id = drawn$image_id[rows],
  item = rep(emotion_items$item, length(respondent)),
  rating = sample(0:10, length(rows), replace = TRUE)
)
stopifnot(nrow(ratings) == 80 * people)

seconds <- function(code) {
  gc()
  system.time(code)[["elapsed"]]
}
joined <- suppressMessages(read_ratings(ratings, simulated_sample))
table <- tibble::tribble(
  ~what, ~seconds,
  "`read_ratings(table, sample)`",
  seconds(suppressMessages(read_ratings(ratings, simulated_sample))),
  "`rating_means()`", seconds(rating_means(joined)),
  "`rating_gaps()`", seconds(rating_gaps(joined)),
  "`rating_gaps(variance = \"two-way\")`", seconds(rating_gaps(joined, variance = "two-way")),
  "`rating_gaps(by = c(group, cluster))`", seconds(rating_gaps(joined, by = c(group, cluster))),
  "`rating_reliability()`", seconds(rating_reliability(joined))
)
write_result(
  "ratings", table,
  title = paste(format(80 * people, big.mark = ",", scientific = FALSE), "ratings"), digits = 1,
  notes = paste(
    "Ten items,", format(people, big.mark = ","), "respondents of two groups, eight images each.",
    "Wanted: less than 10 seconds."
  )
)
