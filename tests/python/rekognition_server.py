"""A real HTTP server with the interface of Amazon Rekognition, and with faults on demand."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

LABELS = {
    "Labels": [
        {"Name": "Flag", "Confidence": 71.5},
        {"Name": "Crowd", "Confidence": 98.25},
        {"Name": "Hat", "Confidence": 60.0},
    ],
    "LabelModelVersion": "3.0",
}
CELEBRITIES = {
    "CelebrityFaces": [
        {"Name": "Somebody", "Id": "1", "MatchConfidence": 99.0},
        {"Name": "Somebody", "Id": "1", "MatchConfidence": 80.0},
        {"Name": "Hardly", "Id": "2", "MatchConfidence": 40.0},
    ],
    "UnrecognizedFaces": [],
}
MODERATION = {
    "ModerationLabels": [
        {"Name": "Violence", "Confidence": 90.5, "ParentName": "", "TaxonomyLevel": 1},
        {"Name": "Weapons", "Confidence": 90.5, "ParentName": "Violence", "TaxonomyLevel": 2},
    ],
    "ModerationModelVersion": "7.0",
}
TEXT = {
    "TextDetections": [
        {"DetectedText": "NO MORE", "Type": "LINE", "Id": 0, "Confidence": 80.0},
        {"DetectedText": "war", "Type": "LINE", "Id": 1, "Confidence": 99.0},
        {"DetectedText": "NO MORE", "Type": "LINE", "Id": 2, "Confidence": 70.0},
        {"DetectedText": "?", "Type": "LINE", "Id": 3, "Confidence": 20.0},
        {"DetectedText": "war", "Type": "WORD", "Id": 4, "ParentId": 1, "Confidence": 99.0},
    ],
    "TextModelVersion": "3.0",
}


def face(width: float, emotion: str, low: int, high: int, confidence: float = 99.5) -> Any:
    """A face as Amazon describes it."""
    box = {"Left": 0.1, "Top": 0.1, "Width": width, "Height": width}
    emotions = [{"Type": "CALM", "Confidence": 10.0}, {"Type": emotion, "Confidence": 75.0}]
    age = {"Low": low, "High": high}
    return {"BoundingBox": box, "Confidence": confidence, "Emotions": emotions, "AgeRange": age}


FACES = {
    "FaceDetails": [
        face(0.1, "HAPPY", 20, 28), face(0.4, "ANGRY", 40, 52), face(0.3, "SAD", 5, 9, 30.0)
    ]
}  # fmt: skip
#: What Amazon might answer.
ANSWERS = {
    "DetectLabels": LABELS,
    "RecognizeCelebrities": CELEBRITIES,
    "DetectModerationLabels": MODERATION,
    "DetectText": TEXT,
    "DetectFaces": FACES,
}


class Server:
    """What tests see of the server.

    ``answer`` takes the number of the request (from 1) and returns what to send: a
    dictionary (a good answer), bytes (sent as they are), ``(status, code)``, or "cut".
    None: what Amazon might answer.
    """

    def __init__(self) -> None:
        self.answer: Callable[[int], Any] = lambda number: None
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.url = ""

    def pictures(self) -> list[Image.Image]:
        """The pictures that were sent."""
        sent = [base64.b64decode(request["Image"]["Bytes"]) for _, request in self.requests]
        return [Image.open(BytesIO(data)) for data in sent]


@contextmanager
def rekognition_server() -> Iterator[Server]:
    """Run the server in threads of its own."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            with state.lock:
                state.requests.append((operation, request))
                number = len(state.requests)
            answer = state.answer(number)
            if answer == "cut":
                self.close_connection = True
                return
            if answer is None:
                answer = ANSWERS[operation]
            status = 200
            if isinstance(answer, tuple):
                status, code = answer
                answer = {"__type": code, "Message": f"about AKIDEXAMPLE: {code}"}
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
