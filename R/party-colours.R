#' Colours of political parties
#'
#' Returns the customary colours of a country's parties, as plots take them in `colours`.
#' Independents are grey. All colours of a country differ in lightness, so that a figure is readable
#' in grey, and colour-blind readers can distinguish them.
#'
#' @param country One of `"US"`, `"Australia"`, `"Canada"`, `"France"`, `"Germany"`, `"Italy"`,
#'   `"Spain"`, `"UK"`.
#' @inheritParams scan_images
#'
#' @details Plots find the colour of a group by its name. Abbreviations, plurals and names in the
#' language of the country mean the same party: `"Republicans"`, `"Rep"` and `"GOP"` have the colour
#' of `"Republican"`, `"Die Linke"` that of `"Left"`. Groups with other names need colours of
#' their own: `c(party_colours("UK"), Alliance = "#b8860b")`.
#'
#' Plots use the colours of the United States by themselves. Groups of an ordered factor, numbers
#' and dates get a sequential palette: the darker, the higher.
#'
#' @returns A character vector of colours, with the names of the parties.
#' @family plots
#' @export
#' @examples
#' party_colours()
#' party_colours("Germany")
#'
#' means <- rating_means(simulated_ratings)
#' plot_rating_means(means, colours = party_colours("US"))
party_colours <- function(country = "US", ...) {
  check_dots(...)
  check_choice(country, "country", unique(parties$country), rlang::current_env())
  rows <- parties[parties$country == country, ]
  c(rlang::set_names(rows$colour, rows$party), Independent = independents[[country]])
}

# Customary hues; the lightness is chosen so that no two colours of a country are alike in grey.
# tests/testthat/test-party-colours.R measures them. `also`: other names of the party.
parties <- tibble::tribble(
  ~country, ~party, ~colour, ~also,
  "US", "Democrat", "#0249a7", "democratic, dem, d",
  "US", "Republican", "#de4a4b", "rep, gop, r",
  "UK", "Conservative", "#013783", "con, tory, tories",
  "UK", "Labour", "#c02324", "lab",
  "UK", "Liberal Democrat", "#ff9f5a", "lib dem, ld",
  "UK", "Green", "#2fa33f", "green party",
  "UK", "Reform UK", "#48b0c7", "reform",
  "UK", "SNP", "#f1c427", "scottish national party",
  "UK", "Plaid Cymru", "#015948", "plaid",
  "Germany", "CDU/CSU", "#1f1f1f", "union, cdu, csu",
  "Germany", "SPD", "#c92e2f", "",
  "Germany", "Greens", "#3fad4c", "green, gr\u00fcne, gr\u00fcnen, b\u00fcndnis 90 die gr\u00fcnen",
  "Germany", "FDP", "#f2c40e", "",
  "Germany", "AfD", "#5fbaee", "",
  "Germany", "Left", "#9d0060", "the left, die linke, linke",
  "Germany", "BSW", "#650870", "",
  "France", "Renaissance", "#f4b30f", "re, ensemble, lrem, la r\u00e9publique en marche",
  "France", "National Rally", "#012d6d", "rn, rassemblement national",
  "France", "France Unbowed", "#891c1d", "unbowed, lfi, la france insoumise",
  "France", "The Republicans", "#0160a7", "lr, republicans, les r\u00e9publicains",
  "France", "Socialist", "#d82b72", "ps, parti socialiste, socialist party",
  "France", "Greens", "#50bb5b", "green, eelv, les \u00e9cologistes, \u00e9cologiste",
  "Spain", "PP", "#055c9f", "partido popular, people's party",
  "Spain", "PSOE", "#cf3b3c", "socialist, partido socialista",
  "Spain", "Vox", "#42b04f", "",
  "Spain", "Sumar", "#8c0055", "",
  "Spain", "Podemos", "#5c0066", "unidas podemos",
  "Spain", "ERC", "#f2c40e", "esquerra, esquerra republicana",
  "Spain", "Junts", "#5ec2c9", "",
  "Italy", "Brothers of Italy", "#002f73", "fdi, fratelli d'italia",
  "Italy", "Democratic Party", "#c32728", "pd, partito democratico",
  "Italy", "Five Star Movement", "#ebbf08", "m5s, five star, movimento 5 stelle",
  "Italy", "League", "#37a845", "lega",
  "Italy", "Forza Italia", "#63b4e4", "fi",
  "Italy", "Greens and Left", "#025646", "avs, alleanza verdi e sinistra",
  "Canada", "Liberal", "#c02324", "lib, lpc",
  "Canada", "Conservative", "#023a87", "con, cpc, tory, tories",
  "Canada", "NDP", "#ff8166", "new democrat, new democratic party",
  "Canada", "Bloc Qu\u00e9b\u00e9cois", "#82c6f3", "bloc, bq, bloc quebecois",
  "Canada", "Green", "#33a542", "green party",
  "Australia", "Labor", "#c62a2c", "alp, labour",
  "Australia", "Coalition", "#023a87", "liberal, lib, lnp, liberal national",
  "Australia", "Nationals", "#075e4d", "national, nat",
  "Australia", "Greens", "#3bab49", "green",
  "Australia", "One Nation", "#fc9763", "phon"
)

independents <- c(
  US = "#a6a6a6", Australia = "#7f7f7f", Canada = "#797979", France = "#8e8e8e",
  Germany = "#818181", Italy = "#7c7c7c", Spain = "#868686", UK = "#777777"
)

neutral_names <- c(
  "independent", "ind", "i", "no party", "none", "non partisan", "nonpartisan", "unaffiliated",
  "undecided", "other"
)

# Names as they are compared: without case, signs and the plural.
plain_name <- function(x) {
  x <- trimws(gsub("[^[:alnum:]]+", " ", tolower(x)))
  ifelse(nchar(x) > 3, sub("s$", "", x), x)
}

# The party of each group in a country; NA for other groups, and for a second group of a party.
party_of <- function(groups, country = "US") {
  rows <- parties[parties$country == country, ]
  names <- Map(c, rows$party, strsplit(rows$also, ", ", fixed = TRUE))
  names <- c(names, list(Independent = neutral_names))
  known <- plain_name(unlist(names, use.names = FALSE))
  party <- rep(names(names), lengths(names))[match(plain_name(groups), known)]
  party[duplicated(party)] <- NA
  party
}

# For each group, the place of the colour for its party; `given` names parties of any country.
match_parties <- function(groups, given) {
  place <- match(groups, given)
  for (country in unique(parties$country)) {
    party <- party_of(groups, country)
    named <- party_of(given, country)
    found <- match(party, named, incomparables = NA)
    place <- dplyr::coalesce(place, ifelse(found %in% place, NA, found))
  }
  place
}

# A colour for each group: US parties have theirs, ordered groups a sequential palette.
default_colours <- function(groups, ordered = FALSE) {
  party <- party_of(groups)
  rest <- is.na(party)
  # "d" and "r" may be anything, unless both are there; so may "i" and "none".
  certain <- all(c("Democrat", "Republican") %in% party) ||
    any(nchar(groups) > 1 & party %in% c("Democrat", "Republican"))
  if (certain && sum(rest) <= length(other_colours)) {
    colours <- party_colours()[party]
    colours[rest] <- other_colours[seq_len(sum(rest))]
    return(rlang::set_names(colours, groups))
  }
  if (ordered && length(groups) > 1) {
    return(rlang::set_names(sequential_colours(length(groups)), groups))
  }
  neutral_colours(groups, party %in% "Independent" & nchar(groups) > 1)
}

# Groups without an order; those that stand for no party are grey.
neutral_colours <- function(groups, neutral) {
  n <- sum(!neutral)
  if (n > length(group_colours)) {
    return(rlang::set_names(grDevices::hcl.colors(length(groups), "Zissou 1"), groups))
  }
  if (!any(neutral)) {
    return(group_colours)
  }
  colours <- rep(independents[["US"]], length(groups))
  colours[!neutral] <- group_colours[seq_len(n)]
  rlang::set_names(colours, groups)
}

# From light to dark.
sequential_colours <- function(n) {
  steps <- if (n == 1) 60 else seq(25, 88, length.out = n)
  tolower(grDevices::hcl.colors(101, "Mako", rev = TRUE)[round(steps)])
}

# Whether groups have an order: ordered factors, numbers and dates, but not numbers of clusters.
are_ordered <- function(x, name = "") {
  is.ordered(x) ||
    ((is.numeric(x) || inherits(x, c("Date", "POSIXct"))) && !name %in% c("cluster", "theme"))
}
