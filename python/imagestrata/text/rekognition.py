"""Tag images with Amazon Rekognition."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..corpus.pictures import plain_jpeg
from ..errors import ImagestrataError
from ..extras import require
from ..validate import check_address, check_choice, check_float, check_int
from ..wording import arg, quote
from ..work import Stopped
from .http import LARGEST_ANSWER, LOCAL_HOSTS
from .server import NOT_AS_EXPECTED, Declined, OverBudget, Purse, Unanswered

if TYPE_CHECKING:
    from PIL import Image

#: The name of each operation in permissions of AWS.
OPERATIONS = {
    "labels": "DetectLabels",
    "celebrities": "RecognizeCelebrities",
    "moderation": "DetectModerationLabels",
    "text": "DetectText",
    "faces": "DetectFaces",
}

#: Operations whose results are things in an image, all of which count, in Amazon's order or ours.
IN_ORDER = ("text", "faces")

#: The largest image in a request, in bytes (AWS, "Guidelines and quotas").
LIMIT = 5 * 2**20

_JPEG_QUALITY = 92
_WHO = "Amazon Rekognition"

#: Errors that every further request would receive: keys, permission, account.
_NEVER = {
    "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
    "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
    "OptInRequired", "SubscriptionRequiredException", "UnknownOperationException",
    "UnrecognizedClientException",
}  # fmt: skip

#: Errors that an image causes itself, and always will.
_ALWAYS = {"ImageTooLargeException", "InvalidImageFormatException"}

#: Errors of attempts that did not reach the service and are not billed.
_NOT_REACHED = (
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "ProxyConnectionError",
    "SSLError",
)


@dataclass(frozen=True)
class Rekognition:
    """Amazon Rekognition, as a classifier for :func:`tag_images`.

    Keys are never arguments: boto3 reads them from the places of Amazon's tools (environment,
    ``~/.aws``, single sign-on), and they are neither stored nor displayed.

    Attributes
    ----------
    operation : {"labels", "celebrities", "moderation", "text", "faces"}
        ``detect_labels`` (things, scenes, activities); ``recognize_celebrities``;
        ``detect_moderation_labels`` (nudity, violence, drugs, ..., and the groups that Amazon puts
        them in); ``detect_text``, one tag per line; or ``detect_faces``, one tag per face, the
        largest first, with the columns ``emotion``, ``emotion_confidence``, ``age_low`` and
        ``age_high``.
    region : str
        The region in which Amazon computes, which also decides the applicable law. Default:
        "us-east-1", for which the default price holds.
    min_confidence : float
        The lowest confidence of a label or match, from 0 to 1. Default 0.55, the service's own
        default for labels.
    price : float
        The price of an image. Default 0.001, in US dollars: the list price of these operations
        in us-east-1 for the first million images a month in 2024. Prices change and differ
        between regions: look yours up.
    concurrency : int
        The number of simultaneous requests. Default 4; most regions allow 5 per second.
    retries : int
        The number of further attempts after a failure, with growing pauses (botocore's
        "standard" mode). Default 5.
    timeout : float
        The longest duration of an attempt, in seconds from the beginning of the request to the
        last byte of the answer. Default 60. Answers of more than 50 MB are not read.
    profile : str or None
        A named profile of ``~/.aws``.
    endpoint_url : str or None
        Another address of the service, such as a private address of your university.

    Notes
    -----
    Amazon may store the images and use them to improve the service, unless your organisation has
    opted out ("AI services opt-out policy"). Images of people are personal data: clarify this
    before you use ``consent=True``. Amazon recognises celebrities from its own list, and confuses
    other people with them: check matches by hand (:func:`compare_tags`).

    Emotions and ages are guesses from the looks of a face: they are not what people feel or how old
    they are, and errors differ by skin colour, sex and age. Only age and emotion are requested. Use
    them for statements about many images after a check by hand, never to judge a person.

    Examples
    --------
    >>> from imagestrata import Rekognition
    >>> Rekognition("celebrities", region="eu-west-1").host
    'rekognition.eu-west-1.amazonaws.com'
    """

    operation: str = "labels"
    region: str = "us-east-1"
    min_confidence: float = 0.55
    price: float = 0.001
    concurrency: int = 4
    retries: int = 5
    timeout: float = 60.0
    profile: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        check_choice("operation", self.operation, OPERATIONS)
        if not isinstance(self.region, str) or not re.fullmatch(r"[a-z0-9-]+", self.region):
            raise ImagestrataError(
                f"{arg('region')} must be one such as us-east-1, not {quote(self.region)}."
            )
        check_float("min_confidence", self.min_confidence, minimum=0, maximum=1)
        check_float("price", self.price, minimum=0)
        check_int("concurrency", self.concurrency, minimum=1, maximum=64)
        check_int("retries", self.retries, minimum=0, maximum=20)
        check_float("timeout", self.timeout, minimum=0.01)
        if self.endpoint_url is not None:
            check_address("endpoint_url", self.endpoint_url, "https://rekognition.example.org")

    @property
    def host(self) -> str:
        """The host that receives the images."""
        return str(urlsplit(self.address).hostname)

    @property
    def address(self) -> str:
        """The address of requests; endpoints in the environment or ``~/.aws`` are ignored."""
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return self.endpoint_url or f"https://rekognition.{self.region}.{suffix}"

    @property
    def is_local(self) -> bool:
        """Whether the images stay on this machine."""
        return self.host in LOCAL_HOSTS

    def identity(self) -> dict[str, Any]:
        """The settings that identify its answers."""
        return {
            "service": "rekognition",
            "operation": self.operation,
            "region": self.region,
            "endpoint_url": self.endpoint_url,
            "least": float(self.min_confidence),
        }

    def client(self) -> Any:
        """A client of boto3, which repeats failed attempts itself."""
        boto3 = require("boto3", "rekognition", _WHO)
        config = require("botocore.config", "rekognition", _WHO)
        errors = require("botocore.exceptions", "rekognition", _WHO)
        try:
            session = boto3.session.Session(profile_name=self.profile, region_name=self.region)
            keys = session.get_credentials()
        except errors.BotoCoreError as error:
            raise _no_keys(f" ({type(error).__name__})") from None
        if keys is None:
            raise _no_keys()
        settings = config.Config(
            connect_timeout=min(self.timeout, 20),
            read_timeout=self.timeout,
            max_pool_connections=self.concurrency,
            retries={"total_max_attempts": self.retries + 1, "mode": "standard"},
            proxies={} if self.is_local else None,
        )
        client = session.client("rekognition", endpoint_url=self.address, config=settings)
        endpoint = client._endpoint  # botocore has no other place for limits on answers
        endpoint.http_session = _BoundedSession(endpoint.http_session, self.timeout, errors)
        return client


class _BoundedSession:
    """A session of botocore that limits the length and the duration of answers."""

    def __init__(self, session: Any, timeout: float, errors: Any) -> None:
        self._session = session
        self._timeout = timeout
        self._errors = errors

    def send(self, request: Any) -> Any:
        end = time.monotonic() + self._timeout
        request.stream_output = True  # lets us read the answer
        response = self._session.send(request)
        if hasattr(response.raw, "read1"):
            read = partial(response.raw.read1, 2**14)  # the bytes that have arrived
        else:  # before version 2 of urllib3
            read = partial(response.raw.read, 1)
        chunks, n_bytes = [], 0
        try:
            while chunk := read():
                chunks.append(chunk)
                n_bytes += len(chunk)
                if n_bytes > LARGEST_ANSWER or time.monotonic() > end:
                    response.raw.close()
                    raise self._errors.ReadTimeoutError(endpoint_url=response.url)
        except self._errors.HTTPClientError:
            raise
        except Exception as error:  # errors of urllib3 for a broken connection
            raise self._errors.HTTPClientError(error=error) from None
        response._content = b"".join(chunks)
        return response

    def close(self) -> None:
        self._session.close()


class RekognitionConnection:
    """Asks Rekognition within a budget; safe for threads.

    botocore repeats failed attempts. The price of each attempt is reserved before it is sent, so
    that repetitions cannot exceed the budget.

    Parameters
    ----------
    service : Rekognition
    purse : Purse
    stop : threading.Event
        Set when the work ends early: nothing more is sent then.
    """

    def __init__(self, service: Rekognition, purse: Purse, stop: threading.Event) -> None:
        self.service = service
        self.purse = purse
        self.stop = stop
        self._thread = threading.local()
        self._errors = require("botocore.exceptions", "rekognition", _WHO)
        self._parsers = require("botocore.parsers", "rekognition", _WHO)
        self._client = service.client()
        self._client.meta.events.register("before-send.rekognition", self._before)
        self._client.meta.events.register("response-received.rekognition", self._after)

    def ask(self, picture: Image.Image) -> dict[str, Any]:
        """Send a picture and return the fields of the answer.

        Raises
        ------
        Unanswered, Declined, OverBudget, Stopped
            For this picture.
        ImagestrataError
            If no request can succeed.
        """
        image = {"Bytes": small_enough(picture)}
        least = float(self.service.min_confidence)
        percent = round(100 * least, 6)
        self._thread.promised = False
        try:
            found, faces, model = self._detect(image, percent)
            if not all(isinstance(name, str) and 0 <= value <= 1 for name, value in found):
                raise ValueError("names with a confidence were expected")
        except (OverBudget, Stopped):
            raise
        except self._errors.ClientError as error:
            raise self._refused(error) from None
        except (
            self._errors.NoCredentialsError,
            self._errors.CredentialRetrievalError,
            self._errors.PartialCredentialsError,
            self._errors.TokenRetrievalError,
        ) as error:
            raise _no_keys(f" ({type(error).__name__})") from None
        except self._errors.BotoCoreError as error:
            reason = f"no answer from {self.service.host} ({type(error).__name__})"
            raise Unanswered(reason, passing=True) from None
        except (self._parsers.ResponseParserError, *NOT_AS_EXPECTED) as error:
            if not self._thread.promised:
                self.purse.on_lost(self.service.price)  # paid, although it is unusable
            reason = f"not a valid answer of {_WHO} ({type(error).__name__})"
            raise Unanswered(reason, passing=True) from None
        finally:
            if self._thread.promised:
                self._settle(billed=True, lost=True)
        kept = [row for row, (_, confidence) in enumerate(found) if confidence >= least]
        if self.service.operation not in IN_ORDER:
            kept.sort(key=lambda row: (-found[row][1], found[row][0]))
            first = {found[row][0]: row for row in reversed(kept)}  # each name once
            kept = [row for row in kept if first[found[row][0]] == row]
        answer = {
            "tags": [[found[row][0], round(found[row][1], 6)] for row in kept],
            "reason": None,
            "model": model,
            "cost": self.service.price,
        }
        return answer | ({"faces": json.dumps([faces[row] for row in kept])} if faces else {})

    def _detect(
        self, image: dict[str, bytes], percent: float
    ) -> tuple[list[tuple[Any, Any]], list[dict[str, Any]], Any]:
        """Names with their confidence, what is known about faces, and the version of the model."""
        operation = self.service.operation
        if operation == "celebrities":
            response = self._client.recognize_celebrities(Image=image)
            people = response["CelebrityFaces"]
            return [(one["Name"], one["MatchConfidence"] / 100) for one in people], [], None
        if operation == "text":
            response = self._client.detect_text(Image=image)
            lines = [one for one in response["TextDetections"] if one["Type"] == "LINE"]
            found = [(one["DetectedText"], one["Confidence"] / 100) for one in lines]
            return found, [], response.get("TextModelVersion")
        if operation == "faces":
            response = self._client.detect_faces(Image=image, Attributes=["AGE_RANGE", "EMOTIONS"])
            details = sorted(response["FaceDetails"], key=_area, reverse=True)
            faces = [_face(one) for one in details]
            return [("face", one["Confidence"] / 100) for one in details], faces, None
        if operation == "moderation":
            response = self._client.detect_moderation_labels(Image=image, MinConfidence=percent)
            labels, version = response["ModerationLabels"], "ModerationModelVersion"
        else:
            response = self._client.detect_labels(Image=image, MinConfidence=percent)
            labels, version = response["Labels"], "LabelModelVersion"
        found = [(one["Name"], one["Confidence"] / 100) for one in labels]
        return found, [], response.get(version)

    def _before(self, **_: Any) -> None:
        """Reserve the price of an attempt before it is sent."""
        if self.stop.is_set():
            raise Stopped
        self.purse.promise(self.service.price)
        self._thread.promised = True

    def _after(self, exception: Exception | None, parsed_response: Any, **_: Any) -> None:
        """Settle the price of an attempt that has ended."""
        if not self._thread.promised:
            return
        if exception is not None:
            reached = type(exception).__name__ not in _NOT_REACHED
            self._settle(billed=reached, lost=reached)
        else:
            status = parsed_response["ResponseMetadata"]["HTTPStatusCode"]
            self._settle(billed=status < 300, lost=False)

    def _settle(self, *, billed: bool, lost: bool) -> None:
        self._thread.promised = False
        self.purse.settle(self.service.price, self.service.price if billed else 0.0, lost=lost)

    def _refused(self, error: Any) -> Exception:
        """The exception for an error of AWS, with its code only: messages may contain keys."""
        code = str(error.response.get("Error", {}).get("Code", "unknown error"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        if code in _NEVER or status in (401, 403, 404):
            return ImagestrataError(
                f"{self.service.host} refuses every request ({code}).",
                "Check the keys, their permission for "
                f"rekognition:{OPERATIONS[self.service.operation]}, and the region; stored answers "
                "are kept.",
            )
        if code in _ALWAYS:
            return Declined(code)
        passing = status >= 500 or "Throttl" in code or "Throughput" in code
        return Unanswered(f"HTTP {status}: {code}", passing=passing)


def _area(face: dict[str, Any]) -> float:
    box = face["BoundingBox"]
    return float(box["Width"]) * float(box["Height"])


def _face(face: dict[str, Any]) -> dict[str, Any]:
    """The likeliest emotion of a face and the range of its age, as Amazon guesses them."""
    age = face.get("AgeRange") or {}
    emotions = face.get("Emotions") or []
    likeliest = max(emotions, key=lambda one: float(one["Confidence"]), default=None)
    return {
        "emotion": None if likeliest is None else str(likeliest["Type"]).lower(),
        "emotion_confidence": None
        if likeliest is None
        else round(float(likeliest["Confidence"]) / 100, 6),
        "age_low": None if age.get("Low") is None else int(age["Low"]),
        "age_high": None if age.get("High") is None else int(age["High"]),
    }


def small_enough(picture: Image.Image) -> bytes:
    """A JPEG without metadata, with fewer pixels if it would exceed the limit."""
    from PIL import Image

    data = plain_jpeg(picture, _JPEG_QUALITY)
    while len(data) > LIMIT:
        scale = min(0.9, 0.95 * math.sqrt(LIMIT / len(data)))
        size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
        data = plain_jpeg(picture, _JPEG_QUALITY)
    return data


def _no_keys(detail: str = "") -> ImagestrataError:
    return ImagestrataError(
        f"boto3 finds no usable keys for Amazon{detail}.",
        "Run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )
