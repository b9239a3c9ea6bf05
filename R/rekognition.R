#' Use Amazon Rekognition to tag images
#'
#' Describes one of Amazon's services for images, for [tag_images()]. This function sends nothing.
#'
#' @details Keys are never arguments: they are read from the places that Amazon's tools use (the
#' environment variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `~/.aws`, single sign-on),
#' and are neither stored nor printed.
#'
#' Amazon says that it may store images sent to this service, and use them to improve it, unless
#' your organisation has opted out ("AI services opt-out policy"). Images of people are personal
#' data: settle that before you set `consent = TRUE`. Amazon recognises only the celebrities in its
#' database, and mistakes other people for them: check matches by hand, see [compare_tags()].
#'
#' Emotions and ages are guesses from the looks of a face: they are not what people feel or how old
#' they are, and errors differ by skin colour, sex and age. Only age and emotion are requested. Use
#' them for statements about many images after a check by hand, never to judge a person.
#'
#' @param operation The service: `"labels"` (things, scenes, activities), `"celebrities"`,
#'   `"moderation"` (nudity, violence, drugs, ..., and the groups that Amazon puts them in),
#'   `"text"` (one tag per line) or `"faces"` (one tag per face, the largest first, with the columns
#'   `emotion`, `emotion_confidence`, `age_low` and `age_high`).
#' @param region Region in which Amazon computes, which also decides the applicable law. The default
#'   price is that of the default region.
#' @param min_confidence Labels or matches with a lower confidence are left out, 0 to 1. 0.55 is the
#'   service's own default for labels.
#' @param price Price of an image. The default is the list price of these operations in us-east-1 in
#'   US dollars, for the first million images a month, as of 2024. Prices change and differ between
#'   regions: check the current price.
#' @param concurrency Number of simultaneous requests; most regions allow 5 a second.
#' @param retries Number of further attempts after a failure, with increasing pauses.
#' @param timeout Largest time from a request to the end of its answer, in seconds. Answers of more
#'   than 50 MB are not read.
#' @param profile A named profile of `~/.aws`.
#' @param endpoint_url Another address of the service, such as a private one of your university.
#' @inheritParams scan_images
#'
#' @returns A list of class `imagestrata_rekognition`, for [tag_images()] and [costs()].
#' @family words
#' @export
#' @examples
#' rekognition("celebrities", region = "eu-west-1")
rekognition <- function(operation = "labels",
                        region = "us-east-1",
                        min_confidence = 0.55,
                        price = 0.001,
                        concurrency = 4,
                        retries = 5,
                        timeout = 60,
                        profile = NULL,
                        endpoint_url = NULL,
                        ...) {
  structure(check_arguments(), class = "imagestrata_rekognition")
}

#' @export
print.imagestrata_rekognition <- function(x, ...) {
  cat("<Amazon Rekognition, ", x$operation, ", in ", x$region, ">\n", sep = "")
  invisible(x)
}

# The name of a classifier, a model, or a service with the keys in R's environment.
send_tagger <- function(x, name, call = rlang::caller_env()) {
  if (inherits(x, c("imagestrata_server", "imagestrata_local_model"))) {
    return(send_model_of_words(x, name, call))
  }
  if (!inherits(x, "imagestrata_rekognition")) {
    return(check_string(x, name, call = call))
  }
  # Python has the environment of the time when it started.
  keys <- Sys.getenv(c(
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"
  ))
  c(list(kind = "Rekognition"), unclass(x), list(environment = as.list(keys[nzchar(keys)])))
}
