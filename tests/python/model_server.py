"""A real HTTP server with the OpenAI interface, and with faults on demand."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

#: Tokens of every answer.
TOKENS_IN, TOKENS_OUT = 200, 50


class Server:
    """What tests see of the server.

    ``answer`` takes the number of the request (from 1) and its content, and returns what
    to send: a text (a good answer), a dictionary (the whole answer), bytes (sent as they
    are), a number (a status), ``(status, headers)`` or ``(status, headers, content)``,
    ``"cut"`` or ``"slow"``.
    """

    def __init__(self) -> None:
        self.answer: Callable[[int, dict[str, Any]], Any] = lambda number, request: "A picture."
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self.under_way = 0
        self.lock = threading.Lock()
        self.url = ""


@contextmanager
def model_server() -> Iterator[Server]:
    """Run the server in threads of its own."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(length))
            with state.lock:
                state.requests.append(request)
                state.keys.append(self.headers["Authorization"])
                number = len(state.requests)
                state.under_way += 1
                state.most_at_once = max(state.most_at_once, state.under_way)
            try:
                self.reply(state.answer(number, request), request)
            finally:
                with state.lock:
                    state.under_way -= 1

        def reply(self, answer: Any, request: dict[str, Any]) -> None:
            if answer == "cut":
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "10000")
                self.end_headers()
                self.wfile.write(b'{"choices": [')
                self.close_connection = True
                return
            if answer == "slow":
                time.sleep(0.4)
                answer = "Too late."
            status, headers, body = 200, {}, answer
            if isinstance(answer, int):
                status, body = answer, {"error": {"message": f"fault {answer}"}}
            elif isinstance(answer, tuple):
                status, headers, *rest = answer
                body = rest[0] if rest else {"error": {"message": f"fault {status}"}}
            elif isinstance(answer, str):
                body = chat(answer)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client has gone

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chat(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """An answer of the chat interface."""
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "stub-1",
        "choices": [choice],
        "usage": {
            "prompt_tokens": TOKENS_IN,
            "completion_tokens": TOKENS_OUT,
            "total_tokens": TOKENS_IN + TOKENS_OUT,
        },
    }


def picture_in(request: dict[str, Any]) -> Image.Image:
    """The picture that a request carries."""
    url = request["messages"][0]["content"][1]["image_url"]["url"]
    head, data = url.split(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(data)))
