#' Write a network of what posts have in common
#'
#' Writes which images, topics, authors and hashtags occur in the same posts, as GraphML or GEXF.
#' Gephi, Cytoscape, igraph and networkx read these files.
#'
#' @details A post counts once for an edge, whatever its number of images. Hashtags that differ in
#' upper and lower case are different. A hashtag that one author uses in every post has a large
#' weight; `n_authors` shows it. Posts that show no image of the clustering are left out, with a
#' warning that counts them. Characters that XML forbids become U+FFFD.
#'
#' @param linked The result of [link_posts()], or a table with the same columns: one row per post
#'   and image.
#' @param out The file. Its ending, `.graphml` or `.gexf`, decides the format.
#' @param nodes The two kinds of nodes: `"topic"`, `"image"`, `"author"`, `"hashtag"`, or a
#'   column of `linked`. An edge joins two nodes that occur in the same post (an image and a topic:
#'   if the image belongs to the topic). The same kind twice, `c("hashtag", "hashtag")`, joins
#'   those that occur together.
#' @param min_weight The smallest number of posts of an edge. Nodes without an edge are left out.
#' @param columns Columns of `linked` that nodes get as attributes, such as the party of authors. A
#'   node whose posts differ has no value.
#' @param residual Images in no cluster are no topic, `"drop"`; `"together"` makes the residual a
#'   node.
#' @param level `"cluster"`, or `"theme"` if [group_clusters()] grouped the clusters into themes.
#' @param author,hashtags The columns of authors and hashtags. Hashtags are a list column, or
#'   texts.
#' @param separator The text that separates the entries of a text that is a list. By default
#'   hashtags are divided at spaces, commas, semicolons and `|`, and texts of other columns are one
#'   value.
#' @param overwrite Replace an existing file?
#' @inheritParams scan_images
#'
#' @returns The file, invisibly. Its edges have a `weight`, the number of posts, and `n_authors`,
#'   if authors are known. Its nodes have `kind`, `label`, `n_posts` (the posts in which they
#'   occur) and `columns`; topics and images also `cluster` and `cluster_name` (or `theme` and
#'   `theme_name`).
#' @family posts
#' @export
#' @examplesIf imagestrata_ready()
#' file <- tempfile(fileext = ".graphml")
#' export_network(simulated_posts, file, c("topic", "hashtag"), min_weight = 5)
#' export_network(
#'   simulated_posts, file, c("author", "topic"),
#'   columns = "party", overwrite = TRUE
#' )
export_network <- function(linked,
                           out,
                           nodes = c("topic", "hashtag"),
                           min_weight = 1,
                           columns = NULL,
                           residual = "drop",
                           level = "cluster",
                           author = "author",
                           hashtags = "hashtags",
                           separator = NULL,
                           overwrite = FALSE,
                           ...) {
  check_dots(...)
  linked <- plain_columns(check_linked(linked))
  columns <- check_texts(columns, "columns")
  nodes <- check_texts(nodes, "nodes")
  themes <- c("cluster", "cluster_name", "theme", "theme_name")
  wanted <- c("post_id", "image_id", themes, author, hashtags, unlist(columns), unlist(nodes))
  path <- call_verb(
    "export_network",
    linked = encode_table(linked[names(linked) %in% wanted]), nodes = nodes, columns = columns
  )
  cli::cli_inform(c("v" = "Network: {.file {path}}"))
  invisible(path)
}
