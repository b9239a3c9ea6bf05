#' Tag images with the labels of a ready-made classifier or model
#'
#' @description Assigns labels of a ready-made classifier to each image. With a network such as the
#' default, nothing leaves the machine. Its published weights have the 1,000 classes of ImageNet:
#' things and animals, with few people or events. CLIP (`"clip:ViT-B-32"`) compares the images with
#' `labels` in your own words. A vision language model ([model_server()], [local_model()]) is a
#' coder, who answers your questions with fixed answers.
#'
#' With [rekognition()] the images go to Amazon, which charges for them, and with a server to its
#' machine. This requires `consent = TRUE`, and an error states the cost beforehand. Each answer is
#' stored in `out` as soon as it arrives, and you never pay twice for an answer: neither after a
#' crash, nor when you add images, nor with `overwrite` or another `n_tags`. [costs()] estimates the
#' cost and sends nothing.
#'
#' @param images A scan, from [scan_images()], or anything that it takes; then the images are
#'   scanned first.
#' @param classifier The default, whose weights are installed with the Python packages; a classifier
#'   of torchvision, by name; `"clip:<name>"`, see [list_encoders()]; [rekognition()]; or a vision
#'   language model, from [model_server()] or [local_model()].
#' @param n_tags Largest number of labels per image, the most confident first; by default 5, and all
#'   with CLIP and for the text and the faces that [rekognition()] finds.
#' @param min_confidence Labels with a lower confidence are left out.
#' @param weights A file with the classifier's weights, the last layer included, or both towers of
#'   CLIP. By default they are read from the cache of torch, or downloaded once.
#' @param labels Names of the classes, in order; required if the weights have other classes than the
#'   published ones. For CLIP captions, such as `"a photo of a protest"`, which are taken as they
#'   are; or a named list, in which each name is a label with one or several captions, whose vectors
#'   are averaged (a named vector for one caption each). For a model, the answers to `question`, or
#'   a named vector in which the names are answers and the values say what they mean; without them,
#'   the question is one of yes or no.
#' @param exclusive CLIP only. Does each image have one of the labels? Their confidences then sum to
#'   1 (a softmax with the network's own scale). With `FALSE`, each label is compared with captions
#'   of any image ("a photo", "a picture", "an image"); networks that were trained to answer about
#'   each caption alone (SigLIP) do that instead.
#' @param calibrate CLIP only. Labels given by hand for some of the images, a data frame or a CSV
#'   file, from which confidences become probabilities: `image_id` and `label`, one of `labels`; or
#'   `code`, one of `labels`, with the `label` 1 or 0. At least ten images; columns of
#'   [sample_images()] become weights. Without it, confidences are only a ranking.
#' @param question Models only, as all arguments to `side`. A question such as `"Does this image
#'   show a protest?"`. The table calls its code "question".
#' @param questions Several questions in one request: a named list with a question of yes or no for
#'   each code, or a list of a question and its answers, `list(protest = "Does this image show a
#'   protest?", place = list("Where is it?", c("street", "indoors", "cannot tell")))`.
#' @param meaning Is the model told to answer by what is visible (`"denotative"`), or by what the
#'   image suggests to a viewer (`"connotative"`)? `docs/tagging.md` has the words.
#' @param max_tokens Longest reply, in tokens; `NULL` sets no limit. Models that reason before they
#'   answer need more. A `budget` needs a limit.
#' @param temperature 0 for the most likely answer; by default the setting of the server.
#' @param side Longest side of the pictures that are sent, in pixels, as JPEG without metadata.
#' @param resize,precision,device,batch_size As for [embed_images()]; like `weights`, they are for
#'   networks.
#' @param budget The most that all answers of the service or model in `out` (of a model: to these
#'   questions) may cost together, in the currency of its `price`. Repeated attempts count; nothing
#'   is sent once the budget is spent.
#' @param consent May the images leave this machine?
#' @param out Run folder: the table goes to `tags.parquet` there, the answers of a service to
#'   `tags/answers.jsonl` (for a service or a model it is required). An interrupted call continues.
#' @param engine A Dask cluster whose workers decode and classify, as for [scan_images()]. Only this
#'   process sends requests to a service, so that it can keep the budget.
#' @inheritParams embed_images
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per image and tag: `image_id`, `path`, `rank`, `label`, `confidence`
#'   (a probability according to the model), `annotator` ("model:" and the name of the classifier),
#'   `reason`. An image without a tag has one row with a reason.
#'
#'   With CLIP also `decision`, `TRUE` for the most probable of exclusive labels and for others from
#'   0.5 on; and `split`, "fold" where the image's own label was not used to calibrate its
#'   confidence although it has one, otherwise missing. Other functions count only the labels with a
#'   decision of `TRUE`.
#'
#'   With the faces of [rekognition()], a row per face, the largest first, and the columns
#'   `emotion`, `emotion_confidence`, `age_low` and `age_high`, which are guesses from looks: a
#'   warning says so. With its text, a row per line, in the order of reading.
#'
#'   With a model, a table of labels instead, as people's are: a row per image and question with
#'   `image_id`, `path`, `file`, `code`, `label` ("1" or "0" for yes or no), `annotator`
#'   ("model:" and the name of the model), `kind` ("binary" or "choice"), `reason`. An answer is
#'   never guessed: a label is missing, with its reason, if the model refused, if no answer came, or
#'   if it gave other answers in three attempts.
#'
#'   Whoever takes labels by people refuses tables whose `annotator` begins with "model:". Give them
#'   as `predictions`, which labels by people correct, for instance in [label_shares()].
#'
#' @details Calibration is a logistic regression on the scores of CLIP (cosines times its scale):
#' one slope, an inverse temperature, and a constant per label, which is Platt scaling for one
#' label. Labelled images are dealt into five folds, and get the probability of the fit without
#' their own fold, so that they can be compared with their labels; all others get that of the fit to
#' all labels.
#' @family words
#' @seealso [compare_tags()] evaluates tags; `cluster_keywords(clustering, tags, column = "label",
#'   separator = ";")` finds the tags that are typical of each cluster.
#' @export
#' @examples
#' \dontrun{
#' tags <- tag_images("my-images", n_tags = 3)
#' tag_frequencies(tags)
#'
#' labels <- list(
#'   protest = c("a photo of a protest", "people marching with signs"),
#'   speech = "a photo of a person giving a speech",
#'   other = c("a photo of something else", "a photo")
#' )
#' tags <- tag_images("my-images", "clip:ViT-B-32", labels = labels)
#'
#' model <- model_server("llava", base_url = "http://localhost:11434/v1")
#' questions <- list(
#'   protest = "Does this image show a protest?",
#'   place = list("Where is it?", c("street", "indoors", "cannot tell"))
#' )
#' coded <- tag_images("my-images", model, questions = questions, out = "my-run")
#'
#' amazon <- rekognition("labels", region = "eu-west-1")
#' costs("my-images", amazon)
#' tags <- tag_images("my-images", amazon, budget = 5, consent = TRUE, out = "my-run")
#' }
tag_images <- function(images,
                       classifier = "efficientnet_lite0",
                       n_tags = NULL,
                       min_confidence = 0,
                       weights = NULL,
                       labels = NULL,
                       exclusive = TRUE,
                       calibrate = NULL,
                       question = NULL,
                       questions = NULL,
                       meaning = "denotative",
                       max_tokens = 300,
                       temperature = NULL,
                       side = 512,
                       resize = "rescale_crop",
                       precision = "auto",
                       device = "auto",
                       batch_size = NULL,
                       budget = NULL,
                       consent = FALSE,
                       out = NULL,
                       overwrite = FALSE,
                       progress = TRUE,
                       engine = NULL,
                       ...) {
  decode_table(call_verb(
    "tag_images",
    classifier = send_tagger(classifier, "classifier"),
    labels = send_named_texts(labels, "labels"),
    calibrate = send_labels(calibrate, "calibrate"),
    questions = send_questions(questions)
  ))
}

# Texts, or names with one or several texts each.
send_named_texts <- function(x, name, call = rlang::caller_env()) {
  if (is.null(names(x))) {
    return(check_texts(x, name, call = call))
  }
  if (anyDuplicated(names(x)) || !all(nzchar(names(x)))) {
    abort_imagestrata(
      "Each element of {.arg {name}} must have a name of its own, or none of them a name.",
      call = call
    )
  }
  several <- lapply(unname(as.list(x)), function(one) {
    texts <- check_texts(one, name, call = call)
    if (length(texts) == 1) texts[[1]] else texts
  })
  list(kind = "several", several = several, names = as.list(names(x)))
}

# For each code a question, or a question and its answers, which may have meanings.
send_questions <- function(x, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  known <- is.list(x) || is.character(x)
  if (!known || is.data.frame(x) || !rlang::is_dictionaryish(x) || length(x) == 0) {
    abort_imagestrata(
      "{.arg questions} must be a list with a name for each code, not {seen(x)}.",
      hint = "For instance {.code questions = list(protest = \"Is this a protest?\")}.",
      call = call
    )
  }
  several <- lapply(unname(as.list(x)), send_question, call = call)
  list(kind = "several", several = several, names = as.list(names(x)))
}

send_question <- function(x, call) {
  if (rlang::is_string(x)) {
    return(x)
  }
  if (!is.list(x) || length(x) != 2 || !rlang::is_string(x[[1]])) {
    abort_imagestrata(
      "Each element of {.arg questions} must be a question, or a list of a question and its
       answers, not {seen(x)}.",
      hint = "For instance {.code list(\"Where is it?\", c(\"street\", \"indoors\"))}.",
      call = call
    )
  }
  answers <- x[[2]]
  answers <- if (is.numeric(answers)) {
    as.list(answers)
  } else {
    send_named_texts(answers, "questions", call)
  }
  list(kind = "several", several = list(x[[1]], answers), names = NULL)
}

#' Count how often each label occurs
#'
#' @param tags The result of [tag_images()], or a data frame of yours with `image_id` and `label`
#'   (missing for images without one). With a column `decision`, only labels with a decision of
#'   `TRUE` count; with a column `code`, the tag of a question of yes or no is its code, and images
#'   without an answer are not in its share.
#' @inheritParams scan_images
#'
#' @returns A tibble with a row per label, the most frequent first: `label`, `n_images` with it,
#'   their `share` of the images that could be tagged, and `mean_confidence` if there is a
#'   confidence. Images that could not be tagged (with a `reason`) are left out.
#' @family words
#' @export
#' @examplesIf imagestrata_ready()
#' tag_frequencies(data.frame(image_id = c("a", "a", "b"), label = c("dog", "ball", "dog")))
tag_frequencies <- function(tags, ...) {
  decode_table(call_verb("tag_frequencies", tags = send_texts(tags, "tags")))
}
