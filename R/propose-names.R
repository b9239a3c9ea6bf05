#' Propose names for clusters, by keywords or by a model that sees their images
#'
#' Proposals are not names: `cluster_name` does not change until a person accepts them with
#' `edit_clusters(topics, accept = TRUE)`, or `accept = c(3, 7)` for some of them;
#' `names = c("3" = "Protest")` gives another name. In a CSV file of the ledger, write `name` in
#' place of `propose` in the column `action`. The accepted name is an edit of its own, so that the
#' ledger shows what a machine proposed and what a person decided. A proposal lapses when its
#' cluster is named, merged, split or dropped.
#'
#' A name that a machine proposed and nobody checked is not a finding. Look at random images of a
#' cluster, `plot_montage(topics, order = "random")`, before you accept it.
#'
#' @param clustering A clustering, from [cluster_images()]. It does not change: the one with the
#'   proposals is returned.
#' @param by `"keywords"`: names are the first words that are typical of the cluster; or a vision
#'   language model, from [model_server()] or [local_model()], which sees the nine most typical
#'   images of each cluster and its ten first keywords.
#' @param keywords The result of [cluster_keywords()]. By default they are found in the column
#'   `description` of the clustering's images; a model needs none.
#' @param clusters Numbers of the clusters; by default all without a name.
#' @param n_words Number of keywords in a name. A name that two clusters would share has more.
#' @param prompt The question to a model. If there are keywords, a sentence with them is appended.
#' @param max_tokens,temperature,budget,consent As in [describe_images()], for a model. What leaves
#'   this machine is one collage per cluster, and its keywords.
#' @param out Run folder of the clustering, in which the proposals are stored as [edit_clusters()]
#'   stores edits. A model requires it: each answer is stored as soon as it arrives and never paid
#'   for twice.
#' @param overwrite As in [edit_clusters()].
#' @inheritParams scan_images
#'
#' @returns The clustering with the proposals. Its ledger, `tidy(x, "edits")`, has a line with the
#'   action `propose` for each, whose editor is `keywords` or the model; `tidy(x, "proposals")`
#'   lists those that are open.
#' @family verbs
#' @export
#' @examplesIf imagestrata_ready()
#' found <- as_clustering(diag(2)[c(1, 1, 2, 2), ], c(1, 1, 2, 2))
#' words <- data.frame(
#'   image_id = found$image_id,
#'   description = c("a grey cat", "one cat, asleep", "the dog barks", "dog and ball")
#' )
#' proposed <- propose_names(found, keywords = cluster_keywords(found, words), clusters = 1:2)
#' tidy(proposed, "proposals")
#' tidy(edit_clusters(proposed, accept = TRUE))
propose_names <- function(clustering,
                          by = "keywords",
                          keywords = NULL,
                          clusters = NULL,
                          n_words = 3,
                          prompt = naming_prompt,
                          max_tokens = 50,
                          temperature = NULL,
                          budget = NULL,
                          consent = FALSE,
                          out = NULL,
                          overwrite = FALSE,
                          progress = TRUE,
                          ...) {
  by <- if (is.character(by)) check_string(by, "by") else send_model_of_words(by, "by")
  sent <- call_verb("propose_names", by = by)
  new_clustering(sent, out, source = out %||% attr(clustering, "source"))
}

naming_prompt <- paste(
  "These images are typical of one visual topic in a collection of images. Propose a short name",
  "for the topic, of two to five words. Answer with the name only."
)
