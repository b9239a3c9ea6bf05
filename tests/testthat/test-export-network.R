test_that("networks are written and can be read", {
  skip_if_no_core()
  skip_if_not_installed("xml2")
  linked <- tibble::tibble(
    post_id = c(1, 2, 2), image_id = c("a", "b", "c"), cluster = c(1, 1, 2),
    cluster_name = c("<flags> & more", "<flags> & more", NA), author = c("ann", "ben", "ben"),
    party = factor(c("D", "R", "R")), hashtags = list(c("#vote", "#now"), "#vote", "#vote"),
    time = Sys.time()
  )
  for (ending in c(".graphml", ".gexf")) {
    file <- withr::local_tempfile(fileext = ending)
    expect_message(export_network(linked, file, columns = "party"), "Network")
    network <- xml2::xml_ns_strip(xml2::read_xml(file))
    expect_equal(
      sort(xml2::xml_attr(xml2::xml_find_all(network, "//node"), "id")),
      c("hashtag:#now", "hashtag:#vote", "topic:1", "topic:2")
    )
    expect_length(xml2::xml_find_all(network, "//edge"), 3)
    expect_match(as.character(network), "&lt;flags&gt; &amp; more", fixed = TRUE)
    expect_error(suppressMessages(export_network(linked, file)), "exists",
      class = "imagestrata_error"
    )
  }
  path <- suppressMessages(
    export_network(linked, file, c("author", "topic"), min_weight = 1, overwrite = TRUE)
  )
  expect_equal(basename(path), basename(file))
  expect_error(export_network(linked, "network.csv"), "graphml", class = "imagestrata_error")
  expect_error(export_network(linked, file, "topic", overwrite = TRUE), "two kinds",
    class = "imagestrata_error"
  )
  expect_error(export_network(list(), file), "link_posts", class = "imagestrata_error")
})
