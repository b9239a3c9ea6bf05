"""Requests go to the named address alone, and answers end in time and within bounds."""

from __future__ import annotations

import gzip
import json
import threading
import time
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from images import write_pictures
from imagestrata import ImagestrataError, ModelServer, describe_images, embed_text
from imagestrata.text import http as http_module
from imagestrata.text import server as server_module
from imagestrata.text.http import proxy_for
from imagestrata.validate import check_address
from model_server import chat, model_server


@pytest.fixture
def server():
    with model_server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.01)


@contextmanager
def raw_server(answer):
    """A server that hands the connection to ``answer``; yields its address and what it got."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((dict(self.headers), body))
            answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def describe_one(url, tmp_path, **settings):
    folder = write_pictures(tmp_path / "pictures", 1)
    asked = ModelServer("m", url, **{"retries": 0, "timeout": 20} | settings)
    return describe_images(folder, asked, tmp_path / "run", progress=False)


def send(handler, data, **headers):
    handler.send_response(200)
    usual = {"Content-Type": "application/json", "Content-Length": len(data)}
    for name, value in {**usual, **headers}.items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(data)


# ---- where requests go ----


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server, tmp_path, status):
    with model_server() as other:
        place = {"Location": other.url + "/chat/completions?token=secret"}
        server.answer = lambda number, request: (status, place)
        with pytest.raises(ImagestrataError, match=r"redirects requests to 127\.0\.0\.1") as error:
            describe_one(server.url, tmp_path)
        assert "secret" not in str(error.value)
        assert not other.requests


def test_a_local_server_is_reached_past_every_proxy(server, tmp_path, monkeypatch):
    with model_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        table = describe_one(server.url, tmp_path)
        assert table["description"].tolist() == ["A picture."]
        assert not proxy.requests


def test_a_proxy_on_the_way_is_named_before_anything_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example.org:3128")
    with pytest.raises(ImagestrataError) as stopped:
        describe_one("http://models.example.org/v1", tmp_path)
    assert "models.example.org, unencrypted (through the proxy proxy.example.org)" in str(
        stopped.value
    )
    assert "secret" not in str(stopped.value)
    assert proxy_for("https://models.example.org") is None
    monkeypatch.setenv("no_proxy", "models.example.org")
    assert proxy_for("http://models.example.org") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_ORG_ID", "org-SECRET"),
        ("OPENAI_PROJECT_ID", "proj-SECRET"),
        ("OPENAI_CUSTOM_HEADERS", "X-Gateway-Key: SECRET"),
        ("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer SECRET"),
        ("OPENAI_API_KEY", "SECRET"),
        ("OPENAI_ADMIN_KEY", "SECRET"),
    ],
)
def test_settings_for_openai_stay_with_openai(tmp_path, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with raw_server(lambda handler: send(handler, json.dumps(chat("A")).encode())) as (url, seen):
        describe_one(url, tmp_path)
        embed = {"data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "m", "object": "list"}
    ((headers, _),) = seen
    assert "SECRET" not in str(headers)
    assert headers["authorization"] == "Bearer none"
    texts = pd.DataFrame({"image_id": ["a"], "description": ["b"]})
    with raw_server(lambda handler: send(handler, json.dumps(embed).encode())) as (url, seen):
        embed_text(texts, ModelServer("m", url, retries=0), progress=False)
    assert "SECRET" not in str(seen[0][0])


def test_the_key_of_openai_goes_encrypted_or_not_at_all(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "precious")
    assert ModelServer("m").key() == "precious"
    for address in ("http://api.openai.com/v1", "https://api.openai.com:8443/v1"):
        assert ModelServer("m", address).key() is None


def test_what_runs_elsewhere_is_not_local():
    local = "http://localhost:11434/v1"
    assert ModelServer("llava", local).is_local
    assert not ModelServer("qwen3-vl:235b-cloud", local).is_local
    assert not ModelServer("glm:cloud", local).is_local


@pytest.mark.parametrize(
    "address",
    [
        "http://:{}@a.org/v1",
        "https://me:{}@a.org",
        "https://{}@a.org/v1",
        "https://a.org/v1?key={}",
        "https://a.org/v1#{}",
        "//{}@a.org",
        "ftp://me:{}@a.org",
        "https://me:{}@a.org:port",
        "https://[me:{}@a.org",
    ],
)
def test_addresses_that_hold_a_key_are_refused_without_showing_it(address):
    with pytest.raises(ImagestrataError, match="`base_url` must be") as stopped:
        check_address("base_url", address.format("sk-pr3c10us"), "https://a.org")
    assert "sk-pr3c10us" not in str(stopped.value)


# ---- how long and how large answers may be ----


def drip(handler, *, headers_too):
    """A byte now and then, for ever."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        if not headers_too:
            handler.wfile.write(b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(400):
            handler.wfile.write(b"X-A: b\r\n" if headers_too else b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


@pytest.mark.parametrize("headers_too", [False, True])
def test_the_time_is_for_the_whole_answer(tmp_path, headers_too):
    def forever(handler):
        drip(handler, headers_too=headers_too)

    begun = time.monotonic()
    with raw_server(forever) as (url, _), pytest.warns(UserWarning, match="have no answer yet"):
        table = describe_one(url, tmp_path, timeout=1)
    assert table["reason"].str.contains("no answer from 127.0.0.1").all()
    assert time.monotonic() - begun < 15  # it would go on for 40 seconds


def test_a_large_answer_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(http_module, "LARGEST_ANSWER", 2**20)
    sent = []

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        try:
            for _ in range(1000):
                handler.wfile.write(b" " * 2**16)
                sent.append(2**16)
        except OSError:
            pass

    with raw_server(endless) as (url, _), pytest.warns(UserWarning, match="have no answer yet"):
        table = describe_one(url, tmp_path)
    assert "an answer of more than 1 MB" in table["reason"][0]
    assert sum(sent) < 50 * 2**20  # what was under way


def test_an_answer_that_unfolds_is_refused(tmp_path):
    packed = gzip.compress(b" " * 2**24)

    def answer(handler):
        send(handler, packed, **{"Content-Encoding": "gzip"})

    with raw_server(answer) as (url, seen), pytest.warns(UserWarning, match="have no answer yet"):
        table = describe_one(url, tmp_path)
    assert "compressed with gzip" in table["reason"][0]
    assert seen[0][0]["accept-encoding"] == "identity"


# ---- answers that are strange ----


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -500, "completion_tokens": -300},
        {"prompt_tokens": 1e30, "completion_tokens": 1},
        {"prompt_tokens": "many", "completion_tokens": [1]},
        {"prompt_tokens": None, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
    ],
)
def test_without_a_believable_bill_an_answer_costs_what_was_promised(server, tmp_path, usage):
    folder = write_pictures(tmp_path / "pictures", 6)
    server.answer = lambda number, request: chat("A picture.") | {"usage": usage}
    asked = ModelServer("m", server.url, price=(1000.0, 1000.0), concurrency=1)
    with pytest.warns(UserWarning) as warned:
        table = describe_images(folder, asked, tmp_path / "run", budget=1.5, progress=False)
    assert len(server.requests) == 1
    assert table["cost"][0] == pytest.approx(1.364)  # 1,000 + 64 tokens sent, 300 answered
    assert pd.isna(table["tokens_in"][0])
    told = " ".join(str(one.message) for one in warned)
    assert "reported no plausible number of tokens for 1 answer" in told
    with pytest.warns(UserWarning, match="for 6 answers"):
        again = describe_images(folder, asked, tmp_path / "run", budget=1e9, progress=False)
    assert again["description"].notna().all()
    assert again["cost"].sum() == pytest.approx(6 * 1.364)


STRANGE = {
    "half a character": json.dumps(chat("a \ud83d")).encode(),
    "half a character in the model": json.dumps(chat("a") | {"model": "\udc00"}).encode(),
    "1e30 tokens": json.dumps(chat("a") | {"usage": {"prompt_tokens": 1e30}}).encode(),
    "not a number": json.dumps(chat("a") | {"usage": {"prompt_tokens": float("nan")}}).encode(),
    "deep": b"[" * 200_000,
    "deep in an answer": json.dumps(chat("a")).encode()[:-1] + b', "x": ' + b"[" * 200_000,
    "a list": b"[1, 2]",
    "no choices": json.dumps(chat("a") | {"choices": []}).encode(),
    "a text that is none": json.dumps(chat({"a": 1})).encode(),
    "an error with half a character": (500, {}, {"error": {"message": "\ud83d"}}),
    "a refusal with half a character": json.dumps(chat(None, refusal="\ud83d no")).encode(),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_no_answer_stands_between_the_user_and_the_others(server, tmp_path, kind):
    folder = write_pictures(tmp_path / "pictures", 3)
    server.answer = lambda number, request: STRANGE[kind] if number == 2 else "A picture."
    asked = ModelServer("m", server.url, retries=0, concurrency=1)
    for _ in range(2):  # what was stored must be readable, too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = describe_images(folder, asked, tmp_path / "run", progress=False)
        server.answer = lambda number, request: STRANGE[kind]
    assert (table["description"] == "A picture.").sum() == 2
    assert len(pd.read_parquet(tmp_path / "run" / "descriptions.parquet")) == 3


def test_a_key_in_an_answer_is_not_stored(server, tmp_path):
    key = "sk-proj-Zq8vT3xW5yK7mN9pR2s"
    server.answer = lambda number, request: chat(f"Your key is {key}.")
    table = describe_one(server.url, tmp_path, api_key=key)
    assert table["description"].tolist() == ["Your key is [key]."]
    stored = (tmp_path / "run" / "descriptions" / "answers.jsonl").read_text()
    assert key not in stored
