"""Keys of services never show, and nothing is sent anywhere unless that was asked for."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import logging
import pickle
import pprint
import re
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

import imagestrata.text.server as server_module
from images import write_pictures
from imagestrata import (
    ImagestrataError,
    ModelServer,
    describe_images,
    draw_demo_corpus,
)
from imagestrata.bridge import calls
from model_server import chat, model_server

KEY = "sk-proj-Zq8vT3xW5yK7mN9pR2s"

#: What servers answer: with the key in full, masked, and in the middle of other text.
ECHOES = {
    "full": f"Incorrect API key provided: {KEY}. You can find it in your account.",
    "masked": "Incorrect API key provided: sk-proj-************pR2s.",
    "quoted": f"header 'Authorization: Bearer {KEY}' is not valid",
    "long": "x " * 90 + KEY,
}


@pytest.fixture
def server():
    with model_server() as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(server_module, "_FIRST_WAIT", 0.001)


def everything_written(folder: Path) -> str:
    return "".join(
        path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()
    )


def assert_hidden(text: str) -> None:
    assert KEY not in text and "pR2s" not in text, text


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("status", [401, 400, 500])
def test_keys_never_show(server, tmp_path, caplog, capfd, echo, status):
    """Neither in errors and their tracebacks, nor in tables, warnings, logs or ``run.json``."""
    folder = write_pictures(tmp_path / "pictures", 2)
    body = {"error": {"message": ECHOES[echo], "code": "x"}}
    server.answer = lambda number, request: (status, {}, body)
    asked = ModelServer("m", server.url, api_key=KEY, concurrency=1, retries=1)
    out = tmp_path / "run"
    with caplog.at_level(logging.DEBUG, logger="imagestrata"):
        if status == 401:
            with pytest.raises(ImagestrataError, match="refuses every request") as stopped:
                describe_images(folder, asked, out, max_tokens=50, progress=False)
            told = "".join(traceback.format_exception(stopped.value))
        else:
            with pytest.warns(UserWarning) as warned:
                table = describe_images(folder, asked, out, max_tokens=50, progress=False)
            told = table.to_csv() + "".join(str(one.message) for one in warned)
    assert server.keys and set(server.keys) == {f"Bearer {KEY}"}
    shown = capfd.readouterr()
    for text in (told, caplog.text, shown.out, shown.err, repr(asked), str(asked)):
        assert_hidden(text)
    assert_hidden(everything_written(out))


def test_a_server_shows_its_key_in_no_way():
    """Whatever prints, lists, copies or stores it."""
    asked = ModelServer("m", "http://localhost:1/v1", api_key=KEY)
    other = dataclasses.replace(asked, model="n")
    for one in (asked, other, copy.copy(asked), copy.deepcopy(asked)):
        assert one.key() == KEY
        shown = [one, vars(one), dataclasses.asdict(one), dataclasses.astuple(one), dir(one)]
        shown += [one.api_key, inspect.getmembers(one), inspect.getmembers(one.api_key)]
        for each in shown:
            assert_hidden(f"{each} {each!r} {pprint.pformat(each)}")
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(dataclasses.asdict(one))
        assert_hidden(json.dumps(dataclasses.asdict(one), default=str))
        with pytest.raises(ImagestrataError, match="A key is never written to files"):
            pickle.dumps(one)
    assert asked == ModelServer("m", "http://localhost:1/v1", api_key=KEY) != other
    assert len({asked, copy.deepcopy(asked)}) == 1
    keyless = ModelServer("m", "http://localhost:1/v1")
    assert pickle.loads(pickle.dumps(keyless)) == keyless != asked


def test_keys_do_not_show_in_what_r_is_told(server, tmp_path):
    folder = write_pictures(tmp_path / "pictures", 1)
    server.answer = lambda number, request: (401, {}, {"error": {"message": ECHOES["full"]}})
    sent = {
        "kind": "ModelServer",
        "model": "m",
        "base_url": server.url,
        "api_key": KEY,
        "retries": 0,
    }
    sent |= {"concurrency": 1, "tokens_per_image": 100}
    images = {"kind": "path", "path": str(folder)}
    answer: Any = calls.call("describe_images", images, sent, str(tmp_path / "run"), progress=False)
    assert answer["error"]["kind"] == "ImagestrataError"
    assert_hidden(str(answer))


def test_the_key_of_the_environment_does_not_show(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    with pytest.raises(ImagestrataError, match="OPENAI_API_KEY must be text without") as stopped:
        ModelServer("m").client()
    assert_hidden("".join(traceback.format_exception(stopped.value)))
    for wrong in (KEY + "\n", KEY + " ", "schlüssel-pR2s", b"pR2s", ""):
        with pytest.raises(ImagestrataError, match="`api_key` must be text") as stopped:
            ModelServer("m", api_key=wrong)  # type: ignore[arg-type]
        assert_hidden(str(stopped.value))


@pytest.mark.parametrize(
    "address", ["https://me:{}@a.org/v1", "https://{}@a.org/v1", "https://a.org/v1?key={}"]
)
def test_addresses_hold_no_keys(address):
    """They are stored in ``run.json`` and told before anything is sent."""
    with pytest.raises(ImagestrataError, match="must be an address without a user") as stopped:
        ModelServer("m", address.format(KEY))
    assert_hidden(str(stopped.value))


def test_answers_that_work_leave_no_key_either(server, tmp_path):
    folder = write_pictures(tmp_path / "pictures", 2)
    server.answer = lambda number, request: chat("A picture.")
    asked = ModelServer("m", server.url, api_key=KEY, concurrency=1)
    describe_images(folder, asked, tmp_path / "run", progress=False)
    written = everything_written(tmp_path / "run")
    assert "A picture." in written
    assert_hidden(written)


#: Python's own eye on every socket: whatever opens one ends the process.
NO_NETWORK = """
import os, sys
def hook(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib")):
        print("network:", event, arguments, file=sys.stderr, flush=True)
        os._exit(77)
sys.addaudithook(hook)
"""


def offline(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", NO_NETWORK + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_is_sent_by_the_whole_road(tmp_path):
    """With sockets watched, from a folder to the gallery, the packets and the bundle."""
    corpus = draw_demo_corpus(tmp_path / "images", n_images=90, seed=2)
    out = tmp_path / "run"
    steps: list[list[object]] = [
        ["run", corpus, "--out", out, "--encoder", "hog", "--quiet"],
        ["pairs", out, "--n", 6, "--k", 3, "--quiet"],
        ["assign", out, "--n-images", 2, "--quiet"],
        ["share", out, tmp_path / "bundle"],
        ["doctor"],
    ]
    code = (
        "import json\nfrom imagestrata import cli\n"
        "for step in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['imagestrata', *step]\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert not end.code, (step, end.code)\n"
    )
    done = offline(code, json.dumps([[str(one) for one in step] for step in steps]))
    assert done.returncode == 0, done.stderr
    assert (out / "gallery" / "index.html").exists()
    assert (tmp_path / "bundle" / "README.txt").exists()


def test_the_watch_sees_what_is_sent():
    """Else the test above could not fail."""
    done = offline("import socket; socket.create_connection(('127.0.0.1', 9))")
    assert done.returncode == 77
    assert "network: socket." in done.stderr


def test_nothing_leaves_without_consent(tmp_path):
    """A server elsewhere is refused before anything is sent to it, and even looked up."""
    folder = write_pictures(tmp_path / "pictures", 1)
    code = (
        "from imagestrata import ImagestrataError, ModelServer, Rekognition\n"
        "from imagestrata import describe_images, embed_text, tag_images\n"
        "import pandas as pd\n"
        "away = ModelServer('m', 'https://models.example.org/v1', api_key='k')\n"
        "texts = pd.DataFrame({'image_id': ['a'], 'description': ['b']})\n"
        "for send in (\n"
        "    lambda: describe_images(sys.argv[1], away, sys.argv[2], progress=False),\n"
        "    lambda: embed_text(texts, away, progress=False),\n"
        "    lambda: tag_images(sys.argv[1], Rekognition(), out=sys.argv[2], progress=False),\n"
        "):\n"
        "    try: send()\n"
        "    except ImagestrataError as error: print(error)\n"
    )
    done = offline(code, folder, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Nothing has been sent yet.") == 3
    assert done.stdout.count("use consent=True") == 3


def test_only_these_modules_can_reach_the_network():
    """Whoever adds another has to think about consent, and to name it here."""
    package = Path(server_module.__file__).parents[1]
    reaching = ("openai", "boto3", "socket", "urllib.request", "requests", "httpx", "aiohttp")
    reaching += ("distributed",)
    found = set()
    for path in package.rglob("*.py"):
        code = path.read_text(encoding="utf-8")
        lines = [line for line in code.splitlines() if "import" in line or "require(" in line]
        text = "\n".join(lines)
        asks = any(f'"{name}"' in text or f"import {name}" in text for name in reaching)
        if asks or re.search(r"hub\.download|hub_download|snapshot_download|urlopen", code):
            found.add(path.relative_to(package).as_posix())
    assert found == {
        "encoders/weights.py",
        "text/server.py",
        "text/rekognition.py",
        "lock.py",
        "annotation/collecting/serve.py",  # listens; it asks nobody
        "engine.py",  # a cluster of the user's own, named by the argument `engine`
    }
