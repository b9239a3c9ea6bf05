#' Group clusters into themes
#'
#' Builds a tree over the clusters and cuts it. A theme is a layer above clusters, as chapters are
#' above sections.
#'
#' @param clustering A clustering, from [cluster_images()] or [edit_clusters()]. It does not change:
#'   a clustering with themes is returned.
#' @param n Number of themes. By default (`NULL`) a rule decides, see Details.
#' @param names Names of themes by number: `c("1" = "Animals")`. If `clustering` has themes already
#'   and `n` is not given, they stay and are renamed.
#' @param keywords The result of [cluster_keywords()], from which themes are named. By default it is
#'   made from the column `description` of the images, if there is one.
#' @param out Run folder with the clustering. The themes are stored there, and [read_clustering()]
#'   returns the clustering with them. Themes can be renamed, and clusters that were edited can be
#'   grouped anew, without `overwrite`.
#' @param overwrite Replace other themes in `out`?
#' @inheritParams scan_images
#'
#' @details
#' **Tree.** The distance of two clusters is one minus the cosine of the directions in which their
#' centroids lie from the mean of all centroids, after these were scaled to length one. (It is the
#' Euclidean distance of the centroids for vectors that UMAP placed and for those of fewer than 10
#' dimensions, whose angles mean nothing.) The two groups of clusters with the smallest mean
#' distance are joined, until all are one: average linkage. On photographs with known categories,
#' this agreed better with these than Ward's, complete and single linkage, than centroids about the
#' mean image, and than distances after the neighbourhood step, which keeps clusters apart but
#' forgets which of them are similar.
#'
#' **Number.** Without `n`, groups are joined while their mean distance is below 95 percent of the
#' mean distance of all clusters. Clusters that are similar to no others are themes of their own.
#' The largest gap between the heights of merges, and the highest silhouette of the clusters, agreed
#' less well with the categories.
#'
#' **Names.** A theme is named by its three first keywords: those with the highest mean of 1 / rank
#' in its clusters, weighted by the sizes of these. Without keywords, it has the names of its two
#' largest clusters that have one, or is called "Theme 1".
#'
#' **Later changes.** New images have the theme of the cluster that they join. Edits of the clusters
#' are followed, see [edit_clusters()]. If all images are clustered anew, the themes move to
#' `replaced/` with everything else that uses the clusters.
#'
#' @returns A clustering as [cluster_images()] returns it, with the same clusters. Images and
#'   clusters have the columns `theme` (1 is the theme with most images) and `theme_name`. The
#'   residual is no cluster: its images have no theme. `tidy(x, "themes")` has one row per theme,
#'   and `tidy(x, "tree")` the tree.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' topics <- group_clusters(demo_topics(), n = 3, names = c("1" = "Most images"))
#' tidy(topics, "themes")
#' head(tidy(topics, "tree"))
group_clusters <- function(clustering,
                           n = NULL,
                           names = NULL,
                           keywords = NULL,
                           out = NULL,
                           overwrite = FALSE,
                           ...) {
  texts <- send_by_cluster(names, "names", scalars = TRUE, what = "themes")
  sent <- call_verb("group_clusters", names = texts)
  new_clustering(sent, out, source = attr(clustering, "source"))
}
