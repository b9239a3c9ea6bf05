"""Tags by Amazon Rekognition: moto's, and a server on this machine that fails as servers do."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from images import encode, write_files, write_pictures
from imagestrata import ImagestrataError, Rekognition, costs, tag_frequencies, tag_images
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_run
from imagestrata.text import rekognition as rekognition_module
from imagestrata.text.rekognition import LIMIT, small_enough
from rekognition_server import face, rekognition_server

PRICE = 0.001


@pytest.fixture(autouse=True)
def keys(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-words")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def server():
    with rekognition_server() as running:
        yield running


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "pictures", 3)


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


def service(server, operation="labels", **settings):
    settings = {"concurrency": 1, "retries": 0} | settings
    return Rekognition(operation, endpoint_url=server.url, **settings)


def tag(pictures, server, run, operation="labels", settings=None, **options):
    asked = service(server, operation, **settings or {})
    return tag_images(pictures, asked, out=run, **{"progress": False} | options)


# ---- what is asked and what comes back ----


def test_labels(server, pictures, run):
    tags = tag(pictures, server, run)
    columns = ["image_id", "path", "file", "rank", "label", "confidence", "annotator", "reason"]
    assert tags.columns.tolist() == columns
    assert tags["label"].tolist() == ["Crowd", "Flag", "Hat"] * 3
    assert tags["confidence"].tolist() == [0.9825, 0.715, 0.6] * 3
    assert tags["rank"].tolist() == [1, 2, 3] * 3
    assert {operation for operation, _ in server.requests} == {"DetectLabels"}
    assert {request["MinConfidence"] for _, request in server.requests} == {55.0}
    counts = read_run(run)["steps"]["tag"]["counts"]
    assert counts["cost"] == pytest.approx(3 * PRICE)
    assert counts["models"] == ["3.0"]
    assert counts["sent_to"] == "127.0.0.1"


def test_celebrities(server, pictures, run):
    tags = tag(pictures, server, run, "celebrities")
    assert tags["label"].tolist() == ["Somebody"] * 3  # once, though two faces; one too unsure
    assert tags["confidence"].tolist() == [0.99] * 3
    assert {operation for operation, _ in server.requests} == {"RecognizeCelebrities"}


def test_moderation(server, pictures, run):
    tags = tag(pictures, server, run, "moderation")
    assert tags["label"].tolist() == ["Violence", "Weapons"] * 3
    assert tags["confidence"].tolist() == [0.905] * 6
    assert {operation for operation, _ in server.requests} == {"DetectModerationLabels"}
    assert {request["MinConfidence"] for _, request in server.requests} == {55.0}
    assert read_run(run)["steps"]["tag"]["counts"]["models"] == ["7.0"]


def test_text_is_in_the_order_of_reading(server, pictures, run):
    tags = tag(pictures, server, run, "text")
    assert tags["label"].tolist() == ["NO MORE", "war", "NO MORE"] * 3  # one line is too unsure
    assert tags["rank"].tolist() == [1, 2, 3] * 3
    assert tags["confidence"].tolist() == [0.8, 0.99, 0.7] * 3
    assert {operation for operation, _ in server.requests} == {"DetectText"}


def test_faces(server, pictures, run):
    with pytest.warns(ImagestrataWarning, match="are guesses from looks"):
        tags = tag(pictures, server, run, "faces")
    columns = ["emotion", "emotion_confidence", "age_low", "age_high"]
    assert tags.columns.tolist()[3:] == [
        "rank", "label", "confidence", *columns, "annotator", "reason",
    ]  # fmt: skip
    assert (tags["annotator"] == "model:rekognition faces").all()
    assert tags["label"].tolist() == ["face"] * 6  # of three in each image, one is too unsure
    largest = tags.iloc[0]
    assert largest[columns].tolist() == ["angry", 0.75, 40, 52]
    assert tags["emotion"].tolist() == ["angry", "happy"] * 3
    asked = {tuple(request["Attributes"]) for _, request in server.requests}
    assert asked == {("AGE_RANGE", "EMOTIONS")}  # and no sex
    with pytest.warns(ImagestrataWarning, match="guesses"):
        pd.testing.assert_frame_equal(tag(pictures, server, run, "faces"), tags)
    assert len(server.requests) == 3
    assert tag_frequencies(tags)["n_images"].tolist() == [3]


@pytest.mark.filterwarnings("ignore:Emotions and ages")
def test_images_without_a_face_and_odd_faces(server, pictures, run):
    plain = face(0.1, "HAPPY", 20, 28)
    odd = {name: plain[name] for name in ("BoundingBox", "Confidence")}
    replies = [{"FaceDetails": []}, {"FaceDetails": [odd]}, {"FaceDetails": [{"Confidence": 1}]}]
    server.answer = lambda number: replies[number - 1]
    with pytest.warns(ImagestrataWarning, match="1 of 3 images have no answer yet"):
        tags = tag(pictures, server, run, "faces")
    assert tags["reason"].iloc[0] == "nothing recognised"
    assert tags["label"].iloc[1] == "face" and tags[["emotion", "age_low"]].isna().all().all()
    assert tags["reason"].iloc[2].startswith("not a valid answer of Amazon Rekognition")


@pytest.mark.filterwarnings("ignore:Emotions and ages")
@pytest.mark.parametrize("operation", ["moderation", "text", "faces"])
def test_no_operation_is_paid_twice(server, pictures, run, operation):
    budget = 2.5 * PRICE
    with pytest.warns(ImagestrataWarning, match="budget reached"):
        first = tag(pictures, server, run, operation, budget=budget)
    assert len(server.requests) == 2 and first["reason"].notna().sum() == 1
    tag(pictures, server, run, operation)
    assert len(server.requests) == 3
    tag(pictures, server, run, "labels", overwrite=True)
    tag(pictures, server, run, operation, overwrite=True)
    assert len(server.requests) == 6


def test_the_permission_is_named(server, pictures, run):
    server.answer = lambda number: (400, "AccessDeniedException")
    with pytest.raises(ImagestrataError) as caught:
        tag(pictures, server, run, "moderation")
    assert "rekognition:DetectModerationLabels" in caught.value.hint


def test_text_with_moto(pictures, run):
    from moto import mock_aws

    with mock_aws():
        tags = tag_images(
            pictures, Rekognition("text", retries=0), out=run, consent=True, progress=False
        )
    assert tags["label"].notna().all() and tags["confidence"].between(0.55, 1).all()


def test_the_same_road_with_moto(pictures, run):
    from moto import mock_aws

    with mock_aws():
        tags = tag_images(
            pictures, Rekognition(retries=0), out=run, consent=True, n_tags=1, progress=False
        )
    assert tags["label"].tolist() == ["Mobile Phone"] * 3
    assert tags["confidence"].tolist() == pytest.approx([0.999364] * 3, abs=1e-4)


def test_pictures_leave_without_metadata(server, tmp_path, run):
    exif = Image.Exif()
    exif[0x010E] = "at home"
    picture = Image.new("RGB", (300, 200), "#3060c0")
    write_files(tmp_path / "one", {"a.jpg": encode(picture, "JPEG", exif=exif)})
    tag(tmp_path / "one", server, run)
    (sent,) = server.pictures()
    assert (sent.format, sent.size) == ("JPEG", (300, 200))
    assert not dict(sent.getexif())


def test_large_pictures_shrink():
    noise = np.random.default_rng(0).integers(0, 256, (1700, 2600, 3), dtype=np.uint8)
    data = small_enough(Image.fromarray(noise))
    assert LIMIT / 3 < len(data) <= LIMIT
    whole = Image.new("RGB", (4000, 3000), "red")
    assert Image.open(BytesIO(small_enough(whole))).size == (4000, 3000)


def test_nothing_recognised_and_too_unsure(server, pictures, run):
    server.answer = lambda number: {"Labels": []} if number == 1 else None
    tags = tag(pictures, server, run, min_confidence=0.99)
    assert tags["reason"].tolist() == ["nothing recognised"] + ["below min_confidence"] * 2
    assert tags[["rank", "label", "confidence"]].isna().all().all()


# ---- what it costs ----


def test_consent_comes_first_and_says_what_it_costs(pictures, run, capsys):
    with pytest.raises(ImagestrataError) as caught:
        tag_images(pictures, Rekognition(price=0.5), out=run, progress=False)
    message = str(caught.value)
    assert "3 images leave this machine" in message
    assert "rekognition.us-east-1.amazonaws.com" in message
    assert "Estimate: 1.50 at a price of 0.5 per image" in message
    assert "Nothing has been sent yet" in message
    assert "consent=True" in caught.value.hint


def test_costs_before_and_after(server, pictures, run):
    asked = service(server, price=0.25)
    before = costs(pictures, asked, run, progress=False).iloc[0]
    assert before.tolist() == [3, 0, 0.75, 0]
    assert not server.requests
    tag_images(pictures, asked, out=run, progress=False)
    after = costs(pictures, asked, run, progress=False).iloc[0]
    assert after.tolist() == [3, 3, 0, 0.75]


def test_nothing_is_paid_twice(server, pictures, run):
    tag(pictures, server, run)
    tag(pictures, server, run)
    few = tag(pictures, server, run, n_tags=1, overwrite=True)
    assert few["label"].tolist() == ["Crowd"] * 3
    Image.new("RGB", (90, 90), "#abcdef").save(pictures / "new.png")
    more = tag(pictures, server, run, overwrite=True)
    assert len(server.requests) == 4
    assert more["image_id"].nunique() == 4


def test_the_budget_is_hard(server, pictures, run):
    with pytest.warns(UserWarning, match=r"1 of 3 images have no answer yet: budget reached \(1\)"):
        tags = tag(pictures, server, run, budget=2 * PRICE)
    assert len(server.requests) == 2
    assert tags["reason"].dropna().tolist() == ["budget reached"]
    tag(pictures, server, run, budget=3 * PRICE)
    assert len(server.requests) == 3


def test_attempts_that_may_be_billed_count(server, pictures, run):
    """A cut connection: the service may have looked at the image. botocore tries again."""
    server.answer = lambda number: "cut" if number == 1 else None
    with pytest.warns(UserWarning, match=r"1 of 3 images .*budget reached"):
        tags = tag(pictures, server, run, settings={"retries": 2}, budget=3 * PRICE)
    assert len(server.requests) == 3
    assert tags["reason"].isna().tolist() == [True] * 6 + [False]
    asked = costs(pictures, service(server), run, progress=False).iloc[0]
    assert asked[["n_answered", "spent"]].tolist() == [2, 3 * PRICE]


def test_attempts_that_are_refused_are_not_billed(server, pictures, run):
    server.answer = lambda number: (400, "ThrottlingException") if number == 1 else None
    tags = tag(pictures, server, run, settings={"retries": 2}, budget=3 * PRICE)
    assert len(server.requests) == 4
    assert tags["label"].notna().all()


# ---- faults ----


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ((500, "InternalServerError"), "HTTP 500: InternalServerError"),
        ((400, "InvalidParameterException"), "HTTP 400: InvalidParameterException"),
        (b'{"Labels": [', "not a valid answer of Amazon Rekognition"),
        ({"Faces": []}, "not a valid answer of Amazon Rekognition"),
        ("cut", "no answer from 127.0.0.1"),
    ],
)
def test_faults_are_rows_and_asked_for_again(server, pictures, run, fault, reason):
    server.answer = lambda number: fault if number == 2 else None
    with pytest.warns(UserWarning, match="1 of 3 images have no answer yet"):
        tags = tag(pictures, server, run)
    assert tags["reason"].dropna().str.slice(0, len(reason)).tolist() == [reason]
    again = tag(pictures, server, run)
    assert again["label"].notna().all()
    assert len(server.requests) == 4


def test_images_that_it_does_not_take_are_answered(server, pictures, run):
    server.answer = lambda number: (400, "InvalidImageFormatException") if number == 2 else None
    tags = tag(pictures, server, run)
    assert tags["reason"].dropna().tolist() == ["refused: InvalidImageFormatException"]
    tag(pictures, server, run)
    assert len(server.requests) == 3


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_keys_that_are_refused_stop_it(server, pictures, run, code):
    server.answer = lambda number: (400, code)
    with pytest.raises(ImagestrataError, match=f"refuses every request .{code}") as caught:
        tag(pictures, server, run)
    assert len(server.requests) == 1
    assert "AKID" not in str(caught.value) + caught.value.hint


def test_no_keys(server, pictures, run, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ImagestrataError, match="no usable keys"):
        tag(pictures, server, run)
    with pytest.raises(ImagestrataError, match=r"no usable keys for Amazon \(ProfileNotFound"):
        tag(pictures, server, run, settings={"profile": "nobody"})


def test_a_service_that_is_away_stops_it(tmp_path, run):
    pictures = write_pictures(tmp_path / "many", 12)
    away = Rekognition(endpoint_url="http://127.0.0.1:9", retries=0, concurrency=1)
    with pytest.raises(ImagestrataError, match="10 images in a row received no answer from 127"):
        tag_images(pictures, away, out=run, progress=False)
    assert costs(pictures, away, run, progress=False)["spent"].tolist() == [0]


def test_keys_are_nowhere(server, pictures, run, caplog):
    caplog.set_level(logging.INFO)
    server.answer = lambda number: (500, "InternalServerError") if number == 2 else None
    with pytest.warns(UserWarning) as warned:
        tag(pictures, server, run)
    said = caplog.text + " ".join(str(one.message) for one in warned) + repr(service(server))
    for file in run.rglob("*"):
        if file.is_file():
            said += file.read_bytes().decode("latin-1")
    assert "very-secret-words" not in said
    assert "AKIDEXAMPLE" not in said


def test_a_killed_run_goes_on(server, tmp_path, run):
    """A process of its own dies without a word after two answers."""
    pictures = write_pictures(tmp_path / "five", 5)
    script = (
        "import os, sys\n"
        "from imagestrata import Rekognition, tag_images\n"
        "from imagestrata.text.answers import Answers\n"
        "add, done = Answers.add, []\n"
        "def add_and_die(self, *answer):\n"
        "    add(self, *answer)\n"
        "    done.append(answer)\n"
        "    if len(done) == 2: os._exit(9)\n"
        "Answers.add = add_and_die\n"
        "service = Rekognition(endpoint_url=sys.argv[1], concurrency=1)\n"
        "tag_images(sys.argv[2], service, out=sys.argv[3], progress=False)\n"
    )
    python = [sys.executable, "-c", script, server.url, str(pictures), str(run)]
    assert subprocess.run(python, check=False).returncode == 9
    assert len(server.requests) == 2
    tags = tag(pictures, server, run)
    assert len(server.requests) == 5
    assert tags["label"].tolist() == ["Crowd", "Flag", "Hat"] * 5


# ---- nothing but what was named and agreed to ----


def test_endpoints_of_the_environment_are_not_taken(server, pictures, run, monkeypatch, capsys):
    """The notice names Amazon, so that pictures must not go elsewhere."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", server.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    client = Rekognition().client()
    assert client.meta.endpoint_url == "https://rekognition.us-east-1.amazonaws.com"
    assert Rekognition(region="eu-west-1").host == "rekognition.eu-west-1.amazonaws.com"


def test_a_service_on_this_machine_is_reached_past_every_proxy(server, pictures, run, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert tag(pictures, server, run)["label"].notna().all()


@pytest.mark.parametrize(
    "answer",
    [
        {"Labels": [{"Name": "Flag", "Confidence": 1e30}]},
        {"Labels": [{"Name": "Flag", "Confidence": -5.0}]},
        {"Labels": [{"Name": 5, "Confidence": 80.0}]},
        {"Labels": [{"Name": "Flag"}]},
        b"[" * 200_000,
    ],
)
def test_a_strange_answer_costs_itself_alone(server, pictures, run, answer):
    server.answer = lambda number: answer if number == 2 else None
    with pytest.warns(UserWarning, match="1 of"):
        tags = tag(pictures, server, run)
    assert tags["reason"].str.contains("not a valid answer").sum() == 1
    assert not tag(pictures, server, run)["label"].isna().any()


def test_half_a_character_is_no_obstacle(server, pictures, run):
    server.answer = lambda number: {"Labels": [{"Name": "a \ud83d", "Confidence": 80.0}]}
    assert set(tag(pictures, server, run)["label"]) == {"a ?"}


@pytest.mark.parametrize("kind", ["slow", "large"])
def test_an_answer_is_bounded_in_time_and_size(tmp_path, run, kind, monkeypatch):
    monkeypatch.setattr(rekognition_module, "LARGEST_ANSWER", 2**20)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                for _ in range(400):
                    self.wfile.write(b" " * (1 if kind == "slow" else 2**16))
                    self.wfile.flush()
                    time.sleep(0.1 if kind == "slow" else 0)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{running.server_port}"
    asked = Rekognition(endpoint_url=url, retries=0, timeout=1 if kind == "slow" else 30)
    begun = time.monotonic()
    try:
        with pytest.warns(UserWarning, match="no answer"):
            tag_images(write_pictures(tmp_path / "one", 1), asked, out=run, progress=False)
    finally:
        running.shutdown()
        running.server_close()
    assert time.monotonic() - begun < 20  # the slow one would take 40 seconds


# ---- bad input ----


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"operation": "hands"}, "`operation` must be one of"),
        ({"region": ""}, "`region` must be one such as"),
        ({"min_confidence": 55}, "`min_confidence` must be between 0 and 1"),
        ({"price": -1}, "`price` must be at least 0"),
        ({"retries": 99}, "`retries` must be between 0 and 20"),
        ({"endpoint_url": "here"}, "`endpoint_url` must be an address"),
        (
            {"endpoint_url": "https://me:pw@a.org"},
            "`endpoint_url` must be an address without a user",
        ),
        ({"region": "a.org/#"}, "`region` must be one such as"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ImagestrataError, match=message):
        Rekognition(**settings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": None}, "`out` must be a run folder"),
        ({"weights": "x.pth"}, 'weights="x.pth" has no effect with a service'),
        ({"device": "cuda"}, 'device="cuda" has no effect with a service'),
        ({"budget": -1}, "`budget` must be at least 0"),
        ({"consent": "yes"}, "`consent` must be True or False"),
    ],
)
def test_bad_arguments(pictures, run, options, message):
    with pytest.raises(ImagestrataError, match=message):
        tag_images(pictures, Rekognition(), **{"out": run, "progress": False} | options)


def test_what_is_no_service(pictures, run):
    with pytest.raises(
        ImagestrataError,
        match=r"must be the name of a network, a Rekognition\(\), a ModelServer\(\) or",
    ):
        tag_images(pictures, 3, out=run, progress=False)
    with pytest.raises(ImagestrataError, match=r"Rekognition\(\), not 'resnet18'"):
        costs(pictures, "resnet18")
    with pytest.raises(ImagestrataError, match="costs nothing"):
        tag_images(pictures, "resnet18", budget=1, progress=False)


def test_unreadable_pictures_cost_nothing(server, pictures, run):
    from imagestrata import scan_images

    images = scan_images(pictures, progress=False)
    Path(images["path"].iloc[1]).unlink()
    with pytest.warns(UserWarning, match=r"1 of 3 .*file not found \(1\)"):
        tags = tag(images, server, run, n_tags=1)
    assert tags["reason"].dropna().tolist() == ["file not found"]
    assert len(server.requests) == 2
