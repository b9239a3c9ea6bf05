test_that("both languages say the same of ratings, with their numbers", {
  expected <- readLines(test_path("..", "fixtures", "methods-ratings.txt"), encoding = "UTF-8")
  told <- told_ratings()
  expect_equal(paste0(names(told), ": ", told), expected)
})

test_that("the methods paragraph describes means, gaps and models", {
  means <- quietly(rating_means(toy_ratings(), variance = "respondent"))
  text <- methods_paragraph(results = list(means, simulated_posts))
  expect_match(text, "We estimated mean ratings of 1 item and 1 dimension by group.", fixed = TRUE)
  expect_match(text, "Every cluster has equal weight. Standard errors allow for respondents.")
  expect_match(text, "The 95% intervals are those of the t distribution.", fixed = TRUE)
  expect_match(text, "Posts and ratings were analysed with R", fixed = TRUE)
  mixed <- suppressWarnings(suppressMessages(rating_model(
    dplyr::filter(simulated_ratings, .data$cluster <= 8), proud ~ group, method = "mixed"
  )))
  expect_match(
    methods_paragraph(results = mixed),
    "We fitted mixed models of the ratings of 1 item on group, about images like these, in which "
  )
})
