#' Amazon Rekognition, as a classifier for tags
#'
#' Amazon's `detect_labels` (things, scenes, activities) or `recognize_celebrities`, for
#' [tag_images()]. Nothing is sent by this function.
#'
#' @details
#' Keys are never arguments: they are taken from where Amazon's tools keep them (the environment
#' variables `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `~/.aws`, single sign-on), and are
#' neither stored nor printed.
#'
#' Amazon says that it may store images sent to this service, and use them to improve it, unless
#' your organisation has opted out ("AI services opt-out policy"). Images of people are personal
#' data: settle that before you say `consent = TRUE`. Celebrities are those that Amazon knows, and
#' it takes other people for them: check matches by hand, see [compare_tags()].
#'
#' @param operation `"labels"` or `"celebrities"`.
#' @param region Where Amazon computes, and by whose law. The default price holds for the default.
#' @param min_confidence Labels or matches of which the service is less sure are left out, 0 to 1.
#'   0.55 is the service's own default for labels.
#' @param price The price of an image. By default in US dollars the list price of both operations in
#'   us-east-1 for the first million images a month, as we knew it in 2024. Amazon changes prices
#'   and has others for other regions: look it up.
#' @param concurrency Requests under way at once; most regions allow 5 a second.
#' @param retries Further attempts after a failure, with growing pauses.
#' @param timeout Seconds from a request to the last byte of its answer; then it is given up.
#'   Answers of more than 50 MB are not read.
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
  check_dots(...)
  structure(check_arguments(), class = "imagestrata_rekognition")
}

#' @export
print.imagestrata_rekognition <- function(x, ...) {
  cat("<Amazon Rekognition, ", x$operation, ", in ", x$region, ">\n", sep = "")
  invisible(x)
}

# The name of a classifier, or a service with the keys that R knows of.
send_tagger <- function(x, name, call = rlang::caller_env()) {
  if (!inherits(x, "imagestrata_rekognition")) {
    return(check_string(x, name, call = call))
  }
  # Python saw the environment as it was when it started.
  keys <- Sys.getenv(c(
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"
  ))
  c(list(kind = "Rekognition"), unclass(x), list(environment = as.list(keys[nzchar(keys)])))
}
