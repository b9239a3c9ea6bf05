#' Have a vision language model judge pairs of images
#'
#' @description Asks a model about each pair what people are asked on the page of [export_pairs()].
#' A model is no annotator: what it says is a proxy, which the judgements of people correct. Have
#' the model judge all pairs and people some of them, and give both to [score_clustering()].
#'
#' Each answer is stored in `out` as soon as it arrives. An interrupted call continues, and you
#' never pay twice for an answer.
#'
#' @details A reply that is none of the answers, word for word, is asked for again, up to three
#' times, and is then missing: nothing is guessed. Refusals are final. The same call asks again for
#' pairs that received no answer (failures of the server, the budget).
#'
#' People must judge a random sample of the pairs of each stratum. The result of [sample_pairs()] is
#' in random order: its first 150 rows are such a sample. Draw many pairs for the model (2,000, for
#' instance), since only people's time is scarce.
#'
#' Images go to the server as JPEG without metadata (no place, no camera), the left one of a pair
#' first. A server on another machine requires `consent = TRUE`; without it, an error states how
#' many images would go where, and at what cost.
#'
#' @param pairs The result of [sample_pairs()].
#' @param provider The model, from [model_server()] or [local_model()]. It must take two pictures in
#'   one request.
#' @param out The run folder: answers go to `judgements/answers.jsonl` there, and the table to
#'   `judgements.csv`.
#' @param graded Use the answers unrelated (0), loosely related (1) and closely related (2) instead
#'   of different (0) and same (1)?
#' @param questions The question to the model, or several questions about each pair: a character
#'   vector with a name for each. Ask the model what you ask people.
#' @param max_tokens Largest length of a reply; `NULL` sets no limit. A `budget` needs a limit.
#' @param side Longest side of the pictures that are sent, in pixels.
#' @param budget The most that all answers in `out` to these questions by this model may cost
#'   together, in the currency of the server's `price`.
#' @inheritParams describe_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per pair (and question), in the order of the pairs: their columns;
#'   `question`, if there are several; `annotator`, which is "model:" and the name of the model;
#'   `judgement` (0, 1 or 2, or missing); and `reason`, why the judgement is missing (a refusal, a
#'   reply that is none of the answers, no answer, an unreadable file, the budget).
#' @family verbs
#' @export
#' @examples
#' \dontrun{
#' pairs <- sample_pairs(embeddings, n = 2000, clusterings = topics)
#' server <- model_server("llava", base_url = "http://localhost:11434/v1")
#' machine <- judge_pairs(pairs, server, out = "run")
#'
#' people <- head(pairs, 150)
#' export_pairs(people, "pairs.html")
#' answers <- read_pairs(c("anna.csv", "ben.csv"), people)
#' agreement(dplyr::bind_rows(answers, machine))
#' score_clustering(topics, consensus(answers), machine = machine)
#' }
judge_pairs <- function(pairs,
                        provider,
                        out,
                        graded = FALSE,
                        questions = NULL,
                        max_tokens = 300,
                        temperature = NULL,
                        side = 512,
                        budget = NULL,
                        consent = FALSE,
                        overwrite = FALSE,
                        progress = TRUE,
                        ...) {
  decode_table(call_verb(
    "judge_pairs",
    provider = send_model_of_words(provider, "provider"),
    questions = send_pair_questions(questions)
  ))
}
