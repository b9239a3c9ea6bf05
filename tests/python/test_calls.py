"""What R calls answers in one form, whatever happens, and only from the main thread."""

from __future__ import annotations

import json
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import imagestrata
from imagestrata import progress
from imagestrata.bridge import calls
from imagestrata.bridge.codec import decode_matrix, decode_table, encode_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images: red ones and stripes, and a file that is none."""
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for i in range(40):
        pixels = rng.integers(0, 60, (48, 48, 3), dtype=np.uint8)
        if i % 2:
            pixels[..., 0] += 190
        else:
            pixels[::6] += 190
        Image.fromarray(pixels).save(images / f"{i:02d}.png")
    (images / "broken.jpg").write_bytes(b"\xff\xd8 no")
    return images


def paths(*given: Path) -> dict[str, Any]:
    return {"kind": "paths", "paths": [str(path) for path in given]}


def value(answer: dict[str, Any]) -> Any:
    assert answer["error"] is None, answer["error"]["traceback"]
    return answer["value"]


def as_r_sends(matrix: dict[str, Any]) -> dict[str, Any]:
    """R knows doubles only."""
    wire = np.frombuffer(matrix["data"], f"<f{matrix['size']}").astype("<f8")
    return {"dim": matrix["dim"], "size": 8, "data": bytearray(wire.tobytes())}


def test_an_error_of_the_user_is_a_message_and_a_hint() -> None:
    answer = calls.call("scan_images", paths(Path("/no/such/folder")), progress=False)
    assert answer["value"] is None
    assert answer["error"]["kind"] == "ImagestrataError"
    assert "/no/such/folder" in answer["error"]["message"]
    assert answer["error"]["hint"]


def test_any_other_error_has_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(imagestrata, "list_encoders", broken, raising=False)
    error = calls.call("list_encoders")["error"]
    assert error["kind"] == "ZeroDivisionError"
    assert "by nought" in error["message"] and "in broken" in error["traceback"]


def test_warnings_are_collected_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def loud() -> pd.DataFrame:
        for text in ("one", "two", "one"):
            warnings.warn(text, stacklevel=1)
        return pd.DataFrame({"name": ["hog"]})

    monkeypatch.setattr(imagestrata, "list_encoders", loud, raising=False)
    answer = calls.call("list_encoders")
    assert answer["warnings"] == ["one", "two"]
    assert decode_table(answer["value"])["name"].tolist() == ["hog"]


def test_an_interrupt_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(imagestrata, "list_encoders", interrupted, raising=False)
    assert calls.call("list_encoders")["error"]["kind"] == "interrupt"


def test_an_interrupt_that_breaks_its_own_handler_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def _signal_handler() -> None:  # as reticulate's is called
        raise RuntimeError("(Unknown exception occurred)")

    monkeypatch.setattr(imagestrata, "list_encoders", lambda: _signal_handler(), raising=False)
    assert calls.call("list_encoders")["error"]["kind"] == "interrupt"


def test_progress_comes_from_the_calling_thread_to_the_end(folder: Path) -> None:
    seen = []
    answer = calls.call(
        "scan_images",
        paths(folder),
        progress=lambda step, done, total, pace: seen.append(
            (threading.current_thread() is threading.main_thread(), done, total, pace)
        ),
    )
    value(answer)
    assert all(main for main, *_ in seen)
    assert seen[0][1:] == (0, 41, "")
    assert seen[-1][1:3] == (41, 41)


def test_r_gets_the_pace(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    seen = []
    reporter = calls._calm(lambda *heard: seen.append(heard))
    with progress.track(reporter, "Scanning", 100, "images") as advance:
        advance(50, already=True)
        for _ in range(5):
            now[0] += 2
            advance(10)
    assert seen == [
        ("Scanning", 0, 100, ""),
        ("Scanning", 60, 100, "5.0 images/s, 0:08 left"),
        ("Scanning", 70, 100, "5.0 images/s, 0:06 left"),
        ("Scanning", 80, 100, "5.0 images/s, 0:04 left"),
        ("Scanning", 90, 100, "5.0 images/s, 0:02 left"),
        ("Scanning", 100, 100, "5.0 images/s"),
    ]


def test_from_a_folder_to_the_gallery(folder: Path, tmp_path: Path) -> None:
    quiet = {"progress": False}
    table = value(calls.call("scan_images", paths(folder), **quiet))
    assert decode_table(table)["status"].value_counts().to_dict() == {"ok": 40, "rejected": 1}

    images = {"kind": "table", "table": table}
    sent = value(calls.call("embed_images", images, "hog", out=None, **quiet))
    carried = {
        "kind": "embeddings",
        "folder": None,
        "images": sent["images"],
        "matrix": as_r_sends(sent["matrix"]),
        "encoder": sent["encoder"],
    }
    clustered = value(calls.call("cluster_images", carried, "kmeans", n_clusters=2, **quiet))
    direct = imagestrata.cluster_images(
        imagestrata.embed_images(folder, "hog", progress=False), "kmeans", n_clusters=2, **quiet
    )
    tables = clustered["tables"]
    assert decode_table(tables["images"])["cluster"].tolist() == direct.images["cluster"].tolist()
    assert decode_table(tables["summary"]).to_dict() == direct.summary.to_dict()

    clustering = {
        "kind": "clustering",
        "tables": {name: tables[name] for name in ("images", "clusters", "trace", "searches")},
        "centroids": as_r_sends(clustered["centroids"]),
        "settings": clustered["settings"],
    }
    placed = decode_table(value(calls.call("predict_clusters", clustering, carried)))
    assert placed["cluster"].tolist() == direct.images["cluster"].tolist()
    drawn = value(calls.call("sample_images", clustering, 3.0, seed=0.0, out=None))
    assert decode_table(drawn)["cluster"].value_counts().to_dict() == {1: 3, 2: 3}
    found = decode_table(value(calls.call("find_images", clustering, [1.0], 2.0)))
    assert found["rank"].tolist() == [1, 2]
    page = value(calls.call("image_gallery", clustering, str(tmp_path), sample=drawn, **quiet))
    assert Path(page).exists()
    picture = tmp_path / "montage.png"
    assert value(calls.call("plot_montage", clustering, str(picture), n_clusters=2.0)) is None
    assert picture.exists()


def test_stored_vectors_stay_in_their_folder_and_are_found_by_id(
    folder: Path, tmp_path: Path
) -> None:
    run = str(tmp_path / "run")
    sent = value(calls.call("embed_images", paths(folder), "hog", out=run, progress=False))
    assert sent["matrix"] is None
    stored = value(calls.call("read_matrix", run))
    all_images = decode_table(sent["images"])
    assert decode_table(stored["ids"])["image_id"].tolist() == all_images["image_id"].tolist()
    some = {
        "kind": "embeddings",
        "folder": run,
        "images": encode_table(all_images.iloc[[30, 2, 7]].reset_index(drop=True)),
    }
    received = calls._receive(some)
    whole = decode_matrix(as_r_sends(stored["matrix"]))
    assert received.images["image_id"].tolist() == all_images["image_id"].iloc[[30, 2, 7]].tolist()
    assert np.array_equal(received.matrix, whole[[30, 2, 7]])


def test_signatures_name_every_argument_with_its_default() -> None:
    table = decode_table(value(calls.call("signatures")))
    drawn = table[table["verb"] == "sample_images"].set_index("argument")["default"]
    assert drawn["clustering"] == ""
    assert json.loads(drawn["allocation"]) is None
    assert json.loads(drawn["budget"]) is None
    assert "..." in table.loc[table["verb"] == "compare_clusterings", "argument"].tolist()


def test_examine_gives_what_the_doctor_found() -> None:
    sent = value(calls.call("examine"))
    assert "python" in json.loads(sent["found"])["versions"]
    assert {"name", "ready", "note"} <= set(decode_table(sent["encoders"]))


def test_a_model_outlives_its_python_object_and_goes_by_its_folder(
    folder: Path, tmp_path: Path
) -> None:
    labels = pd.DataFrame({"path": [f"{i:02d}.png" for i in range(40)], "red": [0, 1] * 20})
    keep = tmp_path / "model-1"
    sent = value(
        calls.call("fine_tune",
            paths(folder), {"kind": "table", "table": encode_table(labels)}, None,
            encoder="hog", freeze="backbone", epochs=2, keep=str(keep), progress=False,
        )
    )  # fmt: skip
    assert sent["task"] == "binary" and sent["labels"] == ["red"]
    assert json.loads(sent["training"])["settings"]["epochs"] == 2
    model = {"kind": "path", "path": str(keep)}
    again = value(calls.call("read_model", str(keep)))
    for name, table in sent["tables"].items():
        pd.testing.assert_frame_equal(decode_table(again["tables"][name]), decode_table(table))
    # One file is a list of one image, not a folder.
    found = decode_table(value(calls.call("predict_labels", paths(folder / "01.png"), model)))
    assert found["label"].tolist() == ["red"]
    best = decode_table(value(calls.call("calibrate_thresholds", model, measure="f1")))
    assert best["label"].tolist() == ["red"]
    vectors = value(calls.call("embed_images", paths(folder), model=model, progress=False))
    assert json.loads(vectors["encoder"])["name"] == "hog"


def test_labels_of_a_rule_come_with_what_it_counted() -> None:
    ratings = pd.DataFrame({"path": ["a", "b", "c"], "anger": [9, 0, 2]})
    sent = value(calls.call("label_ratings", {"kind": "table", "table": encode_table(ratings)}))
    assert decode_table(sent["labels"])["anger"].tolist() == [1, 0]
    assert decode_table(sent["counts"])["weak"].tolist() == [1]
    assert sent["incomplete"] == 0


def test_every_verb_is_called_by_its_name_and_nothing_else_is() -> None:
    assert decode_table(value(calls.call("list_encoders")))["name"].tolist()
    for unknown in ("no_such_verb", "__doc__", "import_module"):
        assert calls.call(unknown)["error"]["kind"] == "LookupError"


def test_what_r_sends_is_told_by_its_kind(tmp_path: Path) -> None:
    table = encode_table(pd.DataFrame({"cluster": [1, 2]}))
    matrix = {"dim": [1, 2], "size": 8, "data": bytearray(np.array([0.5, 2.0]).tobytes())}
    receive = calls._receive
    assert receive(table)["cluster"].tolist() == [1, 2]
    assert receive({"kind": "table", "table": table})["cluster"].tolist() == [1, 2]
    assert receive({"kind": "labels", "table": table}).tolist() == [1, 2]
    assert receive({"kind": "matrix", "matrix": matrix}).tolist() == [[0.5, 2.0]]
    assert receive({"kind": "json", "text": '{"k": [null, 2]}'}) == {"k": [None, 2]}
    assert receive({"kind": "paths", "paths": [str(tmp_path)]}) == str(tmp_path)
    one_file = tmp_path / "a.jpg"
    one_file.touch()
    assert receive({"kind": "paths", "paths": [str(one_file)]}) == [str(one_file)]
    both = [{"kind": "path", "path": "a"}, {"kind": "path", "path": "b"}]
    assert receive({"kind": "several", "several": both, "names": None}) == ["a", "b"]
    named = receive({"kind": "several", "several": both, "names": ["x", "y"]})
    assert named == {"x": "a", "y": "b"}
    assert receive({"learning_rate": [0.1]}) == {"learning_rate": [0.1]}
    server = receive({"kind": "ModelServer", "model": "m", "retries": 2.0, "timeout": 5.0})
    assert (server.retries, type(server.retries), server.timeout) == (2, int, 5.0)
    assert receive(None) is None and receive([1.0]) == [1.0] and receive("text") == "text"


def test_every_result_with_tables_is_sent_as_its_tables_and_settings() -> None:
    one = pd.DataFrame({"a": [1]})
    tuned = imagestrata.Tuning(one, one, one, one, {"k": 3})
    sent = calls._send(imagestrata.Comparison(one, one, one, {"k": 3}))
    assert list(sent["tables"]) == ["pairs", "flows", "summary"]
    assert json.loads(sent["settings"]) == {"k": 3}
    again = calls._receive({"kind": "tuning", **{
        "tables": {name: encode_table(getattr(tuned, name))
                   for name in ("results", "selection", "heldout", "differences")},
        "settings": json.dumps(tuned.settings),
    }})  # fmt: skip
    pd.testing.assert_frame_equal(again.results, one)
    assert calls._send({"path": Path("x"), "n": 3, "table": None}) == {
        "path": "x", "n": 3, "table": None
    }  # fmt: skip
