"""Descriptions by a real server on this machine, which fails in every way that servers do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from images import ORIENTATION, encode, picture, write_files, write_pictures
from imagestrata import ImagestrataError, ModelServer, costs, describe_images
from imagestrata.errors import ImagestrataWarning
from imagestrata.provenance import read_run
from imagestrata.text import server as server_module
from imagestrata.text.answers import Answers
from imagestrata.text.server import OverBudget, Pace, Purse
from model_server import TOKENS_IN, TOKENS_OUT, chat, model_server, picture_in

#: One answer costs 200 * 1 + 50 * 2 = 300 millionths.
PRICE = (1.0, 2.0)
ONE_ANSWER = (TOKENS_IN * PRICE[0] + TOKENS_OUT * PRICE[1]) / 1e6
#: And with 60 tokens answered, the most that these tests allow, 320.
MAX_TOKENS = 60
DEAREST = (TOKENS_IN * PRICE[0] + MAX_TOKENS * PRICE[1]) / 1e6


@pytest.fixture
def server():
    with model_server() as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "pictures", 4)


def provider(server, **settings):
    return ModelServer("stub", server.url, **{"concurrency": 1, "price": PRICE} | settings)


def describe(images, server, out, provider_settings=None, **options):
    options = {"max_tokens": MAX_TOKENS, "progress": False} | options
    return describe_images(images, provider(server, **provider_settings or {}), out, **options)


def once(fault):
    """Fail the first request only."""
    return lambda number, request: fault if number == 1 else "A picture."


# ---- what is asked and what comes back ----


def test_every_image_gets_its_own_description(server, pictures, tmp_path):
    server.answer = lambda number, request: f"Red {picture_in(request).getpixel((0, 0))[0]}"
    table = describe(pictures, server, tmp_path / "run", {"concurrency": 3})
    assert table["path"].str.endswith(("000.png", "001.png", "002.png", "003.png")).all()
    for path, text in zip(table["path"], table["description"], strict=True):
        red = Image.open(path).getpixel((0, 0))[0]
        assert abs(int(text.split()[1]) - red) < 20
    assert table["reason"].isna().all()
    assert (table["model"] == "stub-1").all()
    assert table["tokens_in"].tolist() == [TOKENS_IN] * 4
    assert table["cost"].tolist() == pytest.approx([ONE_ANSWER] * 4)
    counts = read_run(tmp_path / "run")["steps"]["describe"]["counts"]
    assert counts["cost"] == pytest.approx(4 * ONE_ANSWER)
    assert counts["sent_to"] == "127.0.0.1"


def test_the_request(server, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "a camera"
    data = encode(picture(1, (1200, 900)), "JPEG", exif=exif)
    folder = write_files(tmp_path / "pictures", {"one.jpg": data})
    describe(folder, server, tmp_path / "run", {"api_key": "secret"}, temperature=0, side=300)
    (request,) = server.requests
    sent = picture_in(request)
    assert sent.size == (225, 300)  # upright, at most 300 pixels a side
    assert not dict(sent.getexif())
    words = "Describe the connotative meaning of this image, in one paragraph"
    assert request["messages"][0]["content"][0] == {"type": "text", "text": words}
    assert (request["model"], request["max_tokens"], request["temperature"]) == ("stub", 60, 0)
    assert server.keys == ["Bearer secret"]
    run = tmp_path / "run"
    stored = "".join(path.read_text() for path in [run / "run.json", *run.rglob("*.jsonl")])
    assert "secret" not in stored
    assert "secret" not in repr(provider(server, api_key="secret"))


def test_the_key_of_openai_goes_to_nobody_else(server, pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "precious")
    describe(pictures, server, tmp_path / "run")
    assert set(server.keys) == {"Bearer none"}


def test_refusals_and_empty_answers_are_rows_with_a_reason(server, tmp_path):
    answers = [
        "I'm sorry, but I can't help with that.",
        chat("", "content_filter"),
        chat(None, refusal="This is against the rules."),
        chat("  \n"),
        chat("It goes on and", "length"),
        "I can feel the joy of the crowd.",
    ]
    folder = write_pictures(tmp_path / "pictures", len(answers))
    server.answer = lambda number, request: answers[number - 1]
    with pytest.warns(ImagestrataWarning, match="1 of 2 descriptions is cut off"):
        table = describe(folder, server, tmp_path / "run")
    reasons = table["reason"].fillna("").tolist()
    assert reasons == [
        "refused: I'm sorry, but I can't help with that.",
        "refused: content filter",
        "refused: This is against the rules.",
        "empty answer",
        "cut off at max_tokens",
        "",
    ]
    assert table["description"].isna().tolist() == [True] * 4 + [False] * 2
    assert table["cost"].notna().all()
    # They are answers: the same call asks for none of them again.
    again = describe(folder, server, tmp_path / "run")
    assert len(server.requests) == 6
    pd.testing.assert_frame_equal(again, table)


def test_answers_without_a_limit(server, pictures, tmp_path):
    server.answer = lambda number, request: chat("On and on", "length" if number == 1 else "stop")
    with pytest.warns(ImagestrataWarning, match="1 of 4 descriptions is cut off"):
        table = describe(pictures, server, tmp_path / "run", max_tokens=None)
    assert table["reason"].fillna("").tolist() == ["cut off at the model's own limit", "", "", ""]
    assert all("max_tokens" not in request for request in server.requests)
    with pytest.raises(ImagestrataError, match="length of answers is not limited"):
        describe(pictures, server, tmp_path / "run", max_tokens=None, budget=1)
    asked = costs(pictures, provider(server), max_tokens=None, progress=False)
    assert asked["tokens_out"].tolist() == [4000]
    away = ModelServer("big", "https://models.example.org/v1", api_key="key", price=PRICE)
    with pytest.raises(ImagestrataError, match=r"perhaps 4,000 answered; about 0\.01"):
        describe_images(pictures, away, tmp_path / "new", max_tokens=None, progress=False)


def test_columns_of_the_user_come_along(server, pictures, tmp_path):
    from imagestrata import scan_images

    images = scan_images(pictures, progress=False).assign(party="green")
    table = describe(images.iloc[:2], server, tmp_path / "run")
    assert table["party"].tolist() == ["green", "green"]
    assert len(server.requests) == 2


# ---- faults ----


@pytest.mark.parametrize(
    "fault",
    [429, (429, {"Retry-After": "0"}), 500, 503, "cut", b"{not json", b"[]", {"choices": []}],
    ids=str,
)
def test_faults_that_pass(server, pictures, tmp_path, fault):
    server.answer = once(fault)
    table = describe(pictures, server, tmp_path / "run")
    assert table["description"].tolist() == ["A picture."] * 4
    assert len(server.requests) == 5


def test_a_slow_answer_is_given_up(server, pictures, tmp_path):
    server.answer = once("slow")
    table = describe(pictures, server, tmp_path / "run", {"timeout": 0.2})
    assert table["description"].tolist() == ["A picture."] * 4
    assert len(server.requests) == 5


def test_attempts_without_an_answer_count_as_paid(server, pictures, tmp_path):
    """A server may bill what it could not deliver; an error it does not bill."""
    server.answer = lambda number, request: {2: "cut", 3: 500}.get(number, "A picture.")
    describe(pictures, server, tmp_path / "run")
    cost = read_run(tmp_path / "run")["steps"]["describe"]["counts"]["cost"]
    assert cost == pytest.approx(4 * ONE_ANSWER + DEAREST)


def test_one_image_that_never_succeeds_is_a_row(server, pictures, tmp_path):
    server.answer = lambda number, request: 500 if 2 <= number <= 4 else "A picture."
    with pytest.warns(UserWarning, match=r"1 of 4 images have no answer yet: HTTP 500"):
        table = describe(pictures, server, tmp_path / "run", {"retries": 2})
    assert table["reason"].fillna("").tolist() == ["", "HTTP 500: fault 500", "", ""]
    assert not read_run(tmp_path / "run")["steps"]["describe"]["finished"]
    # The same call asks for that one only.
    table = describe(pictures, server, tmp_path / "run", {"retries": 2})
    assert table["description"].tolist() == ["A picture."] * 4
    assert len(server.requests) == 3 + 3 + 1
    assert read_run(tmp_path / "run")["steps"]["describe"]["finished"]


def test_a_request_that_is_wrong_is_not_repeated(server, pictures, tmp_path):
    server.answer = once(400)
    with pytest.warns(UserWarning, match="1 of 4"):
        table = describe(pictures, server, tmp_path / "run")
    assert table["reason"].iloc[0] == "HTTP 400: fault 400"
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_everything_ends_it(server, pictures, tmp_path, status):
    server.answer = lambda number, request: status
    with pytest.raises(ImagestrataError, match=f"refuses every request .*HTTP {status}"):
        describe(pictures, server, tmp_path / "run")
    assert len(server.requests) == 1


def test_no_credit_ends_it(server, pictures, tmp_path):
    body = {"error": {"message": "no money", "code": "insufficient_quota"}}
    server.answer = lambda number, request: (429, {}, body)
    with pytest.raises(ImagestrataError, match="refuses every request"):
        describe(pictures, server, tmp_path / "run")
    assert len(server.requests) == 1


def test_ten_failures_in_a_row_end_it(server, tmp_path):
    folder = write_pictures(tmp_path / "pictures", 14)
    server.answer = lambda number, request: "A picture." if number <= 2 else 500
    with pytest.raises(ImagestrataError, match="10 images in a row received no answer"):
        describe(folder, server, tmp_path / "run", {"retries": 0})
    server.answer = lambda number, request: "A picture."
    before = len(server.requests)
    table = describe(folder, server, tmp_path / "run", {"retries": 0})
    assert table["description"].notna().all()
    assert len(server.requests) - before == 12


def test_bad_files_in_a_row_do_not_end_it(server, tmp_path):
    from imagestrata import scan_images

    images = scan_images(write_pictures(tmp_path / "pictures", 14), progress=False)
    for path in images["path"][:12]:
        Path(path).unlink()
    with pytest.warns(UserWarning, match=r"12 of 14 .*file not found \(12\)"):
        table = describe(images, server, tmp_path / "run")
    assert table["description"].notna().sum() == 2


@pytest.mark.parametrize("answered_first", [True, False])
def test_wrong_requests_in_a_row(server, tmp_path, answered_first):
    """Once any image was answered, a request held to be wrong is the image's fault."""
    folder = write_pictures(tmp_path / "pictures", 13)
    server.answer = lambda number, request: (
        "A picture." if answered_first and number in (1, 13) else 400
    )
    if answered_first:
        with pytest.warns(UserWarning, match="11 of 13"):
            describe(folder, server, tmp_path / "run")
    else:
        with pytest.raises(ImagestrataError, match="10 images in a row"):
            describe(folder, server, tmp_path / "run")
        assert len(server.requests) == 10


def test_a_filter_of_the_service_is_a_refusal(server, pictures, tmp_path):
    body = {"error": {"message": "Not this one.", "code": "content_filter"}}
    server.answer = once((400, {}, body))
    table = describe(pictures, server, tmp_path / "run")
    assert table["reason"].iloc[0] == "refused: Not this one."
    assert table["cost"].iloc[0] == 0
    assert read_run(tmp_path / "run")["steps"]["describe"]["finished"]


def test_no_server(pictures, tmp_path):
    with model_server() as gone:
        pass
    with pytest.warns(UserWarning, match=r"no answer from 127.0.0.1 \(4\)"):
        table = describe(pictures, gone, tmp_path / "run", {"retries": 0})
    assert table["description"].isna().all()
    asked = costs(pictures, provider(gone), tmp_path / "run", progress=False)
    assert asked["spent"].tolist() == [0]


def test_changed_and_vanished_files_are_rows(server, pictures, tmp_path):
    from imagestrata import scan_images

    images = scan_images(pictures, progress=False)
    (pictures / "000.png").unlink()
    (pictures / "001.png").write_bytes(encode(picture(99)))
    with pytest.warns(UserWarning, match="2 of 4"):
        table = describe(images, server, tmp_path / "run")
    assert table["reason"].tolist()[:2] == ["file not found", "changed since the scan"]
    assert len(server.requests) == 2


# ---- nothing is paid for twice ----


def test_a_killed_run_goes_on(server, pictures, tmp_path):
    """Killed as hard as can be while the third answer is under way."""
    held = threading.Event()

    def answer(number, request):
        if number == 3:
            held.set()
            threading.Event().wait(5)
        return f"Answer {number}"

    server.answer = answer
    script = (
        "from imagestrata import ModelServer, describe_images\n"
        f"server = ModelServer('stub', {server.url!r}, concurrency=1)\n"
        f"describe_images({str(pictures)!r}, server, {str(tmp_path / 'run')!r},\n"
        f"    max_tokens={MAX_TOKENS}, progress=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    assert held.wait(30)
    process.kill()
    process.wait()
    journal = tmp_path / "run" / "descriptions" / "answers.jsonl"
    with journal.open("a") as file:
        file.write('{"request": "half a li')
    server.answer = lambda number, request: f"Answer {number}"
    table = describe(pictures, server, tmp_path / "run")
    assert table["description"].tolist() == ["Answer 1", "Answer 2", "Answer 4", "Answer 5"]
    assert len(server.requests) == 5
    # The half line did not swallow the answer after it.
    assert len([line for line in journal.read_text().splitlines() if "Answer" in line]) == 4


def test_a_line_that_broke_off_is_no_answer_and_harms_none(tmp_path):
    path = tmp_path / "answers.jsonl"
    fields = {"description": str}
    for name in "ab":
        Answers(path, "r", fields).add(name, {"description": f'{{"{name}": 1}}', "cost": 1})
    whole = path.read_bytes()
    first, second, _ = whole.split(b"\n")
    for cut in range(len(first) + 2, len(first) + 1 + len(second)):
        path.write_bytes(whole[:cut])
        assert [*Answers(path, "r", fields).found] == ["a"]
        Answers(path, "r", fields).add("c", {"description": "C", "cost": 2})
        found = Answers(path, "r", fields)
        assert [*found.found] == ["a", "c"] and found.spent == 3


def test_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch):
    path = tmp_path / "answers.jsonl"
    answers = Answers(path, "r", {"description": str})

    def full(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for _ in range(2):
        before = path.read_bytes() if path.exists() else b""
        with monkeypatch.context() as patch, pytest.raises(ImagestrataError, match="No space"):
            patch.setattr(os, "fsync", full)
            answers.add("a", {"description": "A"})
        assert path.read_bytes() == before and "a" not in answers.found
        answers.add("b", {"description": "B"})


def test_more_images_cost_only_themselves(server, pictures, tmp_path):
    describe(pictures, server, tmp_path / "run")
    write_files(pictures, {"new.png": encode(picture(50))})
    with pytest.raises(ImagestrataError, match="other images"):
        describe(pictures, server, tmp_path / "run")
    table = describe(pictures, server, tmp_path / "run", overwrite=True)
    assert len(table) == 5
    assert len(server.requests) == 5


def test_another_prompt_is_another_answer(server, pictures, tmp_path):
    server.answer = lambda number, request: request["messages"][0]["content"][0]["text"]
    describe(pictures, server, tmp_path / "run", prompt="Name it.")
    with pytest.raises(ImagestrataError, match='with prompt="Name it'):
        describe(pictures, server, tmp_path / "run", prompt="Count it.")
    describe(pictures, server, tmp_path / "run", prompt="Count it.", overwrite=True)
    assert len(server.requests) == 8
    back = describe(pictures, server, tmp_path / "run", prompt="Name it.", overwrite=True)
    assert back["description"].tolist() == ["Name it."] * 4
    assert len(server.requests) == 8


# ---- limits ----


def test_budget_is_never_exceeded(server, tmp_path):
    """Enough for two answers and the dearest third, but not for a fourth."""
    folder = write_pictures(tmp_path / "pictures", 6)
    budget = 2 * ONE_ANSWER + DEAREST + 1e-9
    settings = {"tokens_per_image": 100}
    with pytest.warns(UserWarning, match=r"budget reached \(3\)"):
        table = describe(folder, server, tmp_path / "run", settings, budget=budget)
    assert table["cost"].sum() <= budget
    assert len(server.requests) == 3
    assert table["reason"].dropna().tolist() == ["budget reached"] * 3
    # The budget is for all calls together.
    with pytest.warns(UserWarning, match=r"budget reached \(3\)"):
        describe(folder, server, tmp_path / "run", settings, budget=budget)
    assert len(server.requests) == 3
    describe(folder, server, tmp_path / "run", settings, budget=1)
    assert len(server.requests) == 6


def test_a_wrong_estimate_costs_one_image(server, pictures, tmp_path):
    """The first image goes alone, and its bill stops the others."""
    dear = chat("A picture.") | {"usage": {"prompt_tokens": 10**6, "completion_tokens": 1}}
    server.answer = lambda number, request: dear
    with pytest.warns(UserWarning, match=r"budget reached \(3\)"):
        describe(pictures, server, tmp_path / "run", {"concurrency": 4}, budget=1.5, max_tokens=10)
    assert len(server.requests) == 1


def test_concurrency(server, tmp_path):
    folder = write_pictures(tmp_path / "pictures", 7)
    together = threading.Barrier(3)

    def answer(number, request):
        if number > 1:  # the first goes alone
            together.wait(10)
        return "A picture."

    server.answer = answer
    table = describe(folder, server, tmp_path / "run", {"concurrency": 3})
    assert table["description"].notna().all()
    assert server.most_at_once == 3


def test_pace():
    now = [100.0]
    pace = Pace(30, clock=lambda: now[0])
    assert [pace.wait_for() for _ in range(3)] == [0, 2, 4]
    now[0] = 105.0
    assert pace.wait_for() == 1
    now[0] = 200.0
    assert [pace.wait_for(), pace.wait_for()] == [0, 2]
    assert [Pace(None, clock=lambda: 1.0).wait_for() for _ in range(2)] == [0, 0]


def test_purse():
    purse = Purse(10, spent=3)
    purse.promise(4)
    with pytest.raises(OverBudget):
        purse.promise(4)
    purse.settle(4, 1)
    purse.promise(6)
    Purse(None).promise(1e9)


# ---- consent and costs ----


def test_nothing_is_sent_without_consent(pictures, tmp_path):
    away = ModelServer("big", "http://models.example.org/v1", api_key="key", price=PRICE)
    with pytest.raises(ImagestrataError) as caught:
        describe_images(pictures, away, tmp_path / "run", progress=False)
    message = str(caught.value)
    assert "4 images leave this machine" in message
    assert "models.example.org, unencrypted, for the model 'big'" in message
    assert "4,256 tokens sent, at most 1,200 answered" in message
    assert "0.01 at the given price" in message
    assert "consent=True" in message


def test_costs_beforehand_and_afterwards(server, pictures, tmp_path):
    model = provider(server, tokens_per_image=900)
    (before,) = costs(pictures, model, prompt="Hm?", max_tokens=60, progress=False).to_dict(
        "records"
    )
    assert before == {
        "n_images": 4,
        "n_answered": 0,
        "tokens_in": 4 * 903,
        "tokens_out": 240,
        "cost": pytest.approx((4 * 903 + 2 * 240) / 1e6),
        "spent": 0,
    }
    assert not server.requests
    describe(pictures, server, tmp_path / "run")
    write_files(pictures, {"new.png": encode(picture(50))})
    after = costs(pictures, model, tmp_path / "run", max_tokens=MAX_TOKENS, progress=False).iloc[0]
    assert (after["n_images"], after["n_answered"], after["tokens_in"]) == (5, 4, TOKENS_IN)
    assert after["spent"] == pytest.approx(4 * ONE_ANSWER)


def test_without_a_price(server, pictures, tmp_path):
    table = describe(pictures, server, tmp_path / "run", {"price": None})
    assert table["cost"].isna().all()
    assert table["tokens_in"].tolist() == [TOKENS_IN] * 4
    with pytest.raises(ImagestrataError, match="price of tokens is unknown"):
        describe(pictures, server, tmp_path / "run", {"price": None}, budget=1)


# ---- bad input ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": " "}, "`prompt` must be a text"),
        ({"max_tokens": 0}, "`max_tokens` must be at least 1"),
        ({"side": 8}, "`side` must be between 32 and 4096"),
        ({"temperature": "hot"}, "`temperature` must be a finite number"),
        ({"consent": "yes"}, "`consent` must be True or False"),
        ({"budget": -1}, "`budget` must be at least 0"),
    ],
)
def test_bad_arguments(server, pictures, tmp_path, options, message):
    with pytest.raises(ImagestrataError, match=message):
        describe(pictures, server, tmp_path / "run", **options)
    assert not server.requests


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "localhost:11434"}, "`base_url` must be an address"),
        ({"model": ""}, "`model` must be the name"),
        ({"base_url": "http://host/v1\nX: y"}, "`base_url` must be an address"),
        ({"base_url": "http://ho st/v1"}, "`base_url` must be an address"),
        ({"base_url": "https://api.openai.com\\.example.org"}, "`base_url` must be an address"),
        ({"price": 3}, "`price` must be two numbers"),
        ({"price": {1: 2, 3: 4}}, "`price` must be two numbers"),
        ({"price": (1, None)}, "`price` must be a finite number"),
        ({"price": ("a", 1)}, "`price` must be a finite number"),
        ({"concurrency": 0}, "`concurrency` must be between"),
        ({"retries": -1}, "`retries` must be between"),
        ({"timeout": 0}, "`timeout` must be at least"),
        ({"requests_per_minute": 0}, "`requests_per_minute` must be at least"),
    ],
)
def test_bad_servers(settings, message):
    with pytest.raises(ImagestrataError, match=message):
        ModelServer(**{"model": "m"} | settings)


def test_not_a_provider(pictures, tmp_path):
    with pytest.raises(
        ImagestrataError, match="`provider` must be a ModelServer\\(\\) or a LocalModel\\(\\)"
    ):
        describe_images(pictures, "gpt", tmp_path / "run", progress=False)


def test_openai_without_a_key(pictures, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ImagestrataError, match="No key for OpenAI"):
        describe_images(pictures, ModelServer("m"), tmp_path / "run", consent=True, progress=False)


def test_the_missing_library_is_named(server, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImagestrataError, match=r"pip install 'imagestrata\[text\]'"):
        describe(pictures, server, tmp_path / "run")


def test_no_warning_when_all_is_well(server, pictures, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        describe(pictures, server, tmp_path / "run")
