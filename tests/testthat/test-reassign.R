test_that("tables cross, and people who come back as a list", {
  calls <- local_core(reassign = \(packets, ratings, ...) toy_table(packet_id = "p009"))
  packets <- tibble::tibble(packet_id = "p001", image_id = "a")
  ratings <- tibble::tibble(respondent_id = "r1", image_id = "a")
  expect_equal(reassign(packets, ratings, respondents = "r1")$packet_id, "p009")
  sent <- calls$reassign
  expect_equal(decode_table(sent[[2]]), ratings)
  expect_equal(sent$respondents, list("r1"))
  expect_error(reassign(packets, "r1"), "ratings", class = "imagestrata_error")
  expect_error(reassign("p001", ratings), "packets", class = "imagestrata_error")
})

test_that("what drop-outs left open comes again", {
  skip_if_no_core()
  packets <- assign_annotators(demo_sample(), n_images = 5)
  lost <- packets$packet_id == "p002"
  answered <- packets[!lost, ]
  answered$respondent_id <- paste0("r", answered$packet_id)
  answered$group <- factor(answered$group)
  more <- reassign(packets, answered, n_images = 5)
  expect_setequal(more$image_id, packets$image_id[lost])
  expect_false(any(more$packet_id %in% packets$packet_id))
  expect_true(all(is.na(more$respondent_id)))
  same <- unique(answered$respondent_id[answered$group == packets$group[lost][1]])
  back <- reassign(packets, answered, n_images = 5, respondents = same)
  expect_true(all(back$respondent_id %in% c(same, NA)))
  seen <- merge(answered, back, by = c("respondent_id", "cluster"))
  expect_equal(nrow(seen), 0)
  done <- dplyr::mutate(packets, respondent_id = packet_id)
  expect_equal(nrow(reassign(packets, done, n_images = 5)), 0)
})
