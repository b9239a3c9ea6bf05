# Colours as people with a deficiency of colour vision see them (Machado, Oliveira and Fernandes
# 2009, severity 1), in CIE Lab.
deficiencies <- list(
  none = diag(3),
  protan = rbind(
    c(0.152286, 1.052583, -0.204868), c(0.114503, 0.786281, 0.099216),
    c(-0.003882, -0.048116, 1.051998)
  ),
  deutan = rbind(
    c(0.367322, 0.860646, -0.227968), c(0.280085, 0.672501, 0.047413),
    c(-0.011820, 0.042940, 0.968881)
  ),
  tritan = rbind(
    c(1.255528, -0.076749, -0.178779), c(-0.078411, 0.930809, 0.147602),
    c(0.004733, 0.691367, 0.303900)
  )
)

seen_as <- function(colours, deficiency = diag(3)) {
  s <- t(grDevices::col2rgb(colours)) / 255
  linear <- ifelse(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055)^2.4)
  linear <- pmin(pmax(linear %*% t(deficiency), 0), 1)
  s <- ifelse(linear <= 0.0031308, 12.92 * linear, 1.055 * linear^(1 / 2.4) - 0.055)
  grDevices::convertColor(s, "sRGB", "Lab")
}

# A difference of about 2.3 is just noticeable.
expect_distinct <- function(colours, in_grey) {
  expect_gt(min(diff(sort(seen_as(colours)[, 1]))), in_grey)
  for (deficiency in deficiencies) {
    expect_gt(min(stats::dist(seen_as(colours, deficiency))), 9)
  }
  # White paper has a lightness of 100.
  expect_lt(max(seen_as(colours)[, 1]), 82)
}

test_that("simulated vision is right where it is known", {
  expect_equal(seen_as("white")[1, ], c(L = 100, a = 0, b = 0), tolerance = 1e-3)
  for (deficiency in deficiencies) {
    expect_equal(rowSums(deficiency), rep(1, 3), tolerance = 1e-5)
  }
  # The classical pair that deuteranopes confuse.
  olive <- c("#9a6a20", "#6c7a20")
  expect_lt(
    stats::dist(seen_as(olive, deficiencies$deutan)), stats::dist(seen_as(olive)) / 2
  )
})

test_that("parties of every country are distinct in grey and for colour-blind readers", {
  for (country in unique(parties$country)) {
    expect_distinct(party_colours(country), 5)
  }
  expect_distinct(party_colours(), 14)
  expect_setequal(names(independents), parties$country)
})

test_that("independents are neutral, other groups beside parties are not", {
  for (country in unique(parties$country)) {
    grey <- grDevices::col2rgb(party_colours(country)[["Independent"]])
    expect_equal(length(unique(as.vector(grey))), 1)
  }
  three <- default_colours(c("Democrat", "Independent", "Republican"))
  expect_equal(three, party_colours()[c("Democrat", "Independent", "Republican")])
  expect_equal(default_colours(c("None", "Left"))[["None"]], independents[["US"]])
  expect_distinct(c(party_colours(), other_colours[1:3]), 2)
})

test_that("groups have the colours of their parties under any of their names", {
  us <- party_colours()
  expect_equal(default_colours(c("GOP", "Dems"))[["GOP"]], us[["Republican"]])
  expect_equal(
    check_colours(party_colours("Germany"), c("Gr\u00fcne", "CDU", "Die Linke"))[["Die Linke"]],
    party_colours("Germany")[["Left"]]
  )
  expect_equal(
    check_colours(party_colours("UK"), c("Tories", "Lib Dems")),
    c(Tories = party_colours("UK")[["Conservative"]],
      `Lib Dems` = party_colours("UK")[["Liberal Democrat"]])
  )
  # A group that has no party of this country.
  expect_error(
    check_colours(party_colours("UK"), c("Labour", "Alliance")), "no colour for \"Alliance\"",
    class = "imagestrata_error"
  )
  expect_error(party_colours("Atlantis"), "Atlantis", class = "imagestrata_error")
  expect_equal(party_of(c("Rep", "Republicans")), c("Republican", NA))
})

test_that("palettes of other groups are distinct, ordered ones from light to dark", {
  expect_distinct(group_colours, 7)
  expect_length(default_colours(letters), 26)
  for (n in 2:7) {
    colours <- sequential_colours(n)
    expect_true(all(diff(seen_as(colours)[, 1]) < -8))
    if (n <= 5) expect_distinct(colours, 9)
  }
  expect_equal(unname(default_colours(c("low", "high"), ordered = TRUE)), sequential_colours(2))
  expect_equal(default_colours(c("Democrat", "Republican"), TRUE), party_colours()[1:2])
  expect_true(are_ordered(factor("a", ordered = TRUE)))
  expect_true(are_ordered(1:7))
  expect_false(are_ordered(1:7, "cluster"))
  expect_false(are_ordered("a"))
})
