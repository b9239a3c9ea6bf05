"""The pages and requests of the server of forms: who gets what, and what is refused."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette import testclient

from imagestrata import (
    ImagestrataError,
    export_labels,
    export_pairs,
    read_labels,
    read_pairs,
    sample_pairs,
)
from imagestrata.annotation.collecting.collected import answers_of
from imagestrata.annotation.collecting.folder import ANSWERS, Forms, read_forms
from imagestrata.annotation.collecting.kinds import KINDS
from imagestrata.annotation.collecting.site import Pace, Rules, make_site
from imagestrata.annotation.collecting.store import Store, collected
from imagestrata.annotation.exporters import EXPORTERS
from imagestrata.sampling.pairs import draw_pairs
from served import ITEMS, a_sample, data_of, exported, packets_of, rating

OWN = {"origin": "http://testserver"}


class Site:
    """A server in this process, with a clock that tests set."""

    def __init__(self, folder: Path, rules: Rules | None = None) -> None:
        self.now = 1000.0
        self.forms: Forms = read_forms(folder)
        self.store = Store(folder / ANSWERS, self.forms.sheets.values())
        site = make_site(self.forms, self.store, rules, lambda: self.now)
        self.client = testclient.TestClient(site, raise_server_exceptions=False)

    def get(self, path: str, **given: Any) -> Any:
        return self.client.get(path, **given)

    def post(self, path: str, content: Any, **headers: str) -> Any:
        return self.client.post(path, json=content, headers=OWN | headers)

    def begin(self, group: str = "Democrat", **given: str | None) -> Any:
        link = self.forms.links[group]
        return self.post(f"/r/{link}/begin", {"id": None, "code": None} | given)

    def enter(self, group: str = "Democrat", **given: str | None) -> tuple[str, dict[str, Any]]:
        """The address of a person's own pages, and the data of her page."""
        reply = self.begin(group, **given)
        assert reply.status_code == 200, reply.text
        own = reply.json()["go"].removeprefix("..")
        return own, data_of(self.get(own).text)

    def answer(self, own: str, task: str, value: Any, sequence: str = "00000001") -> Any:
        return self.post(f"{own}answers", {"sequence": sequence, "task": task, "value": value})

    def finish(self, own: str, data: dict[str, Any]) -> Any:
        for number, task in enumerate(data["images"]):
            reply = self.answer(own, task, rating(), f"all-{number:05d}")
        return reply.json()

    def sheets(self) -> list[str]:
        return [person.sheet for person in collected(self.store.file).people]


@pytest.fixture
def packets(tmp_path) -> pd.DataFrame:
    return packets_of(tmp_path)


@pytest.fixture
def folder(packets, tmp_path) -> Path:
    return exported(packets, tmp_path / "forms")


@pytest.fixture
def site(folder) -> Any:
    one = Site(folder)
    yield one
    one.store.close()


# ---- who gets which packet ----


def test_each_visitor_gets_the_next_packet_of_her_group(site, packets):
    groups = packets.drop_duplicates("packet_id").set_index("packet_id")["group"]
    for group in ("Republican", "Democrat", "Democrat", "Republican"):
        site.enter(group)
    assert len({*site.sheets()}) == 4
    assert [groups[name] for name in site.sheets()] == [
        "Republican", "Democrat", "Democrat", "Republican"
    ]  # fmt: skip
    full = site.begin("Democrat")
    assert full.status_code == 409
    assert "taken or finished" in full.json()["error"]
    assert len(site.sheets()) == 4


def test_an_idle_packet_is_free_again_and_late_answers_are_kept(site):
    first, data = site.enter()
    site.enter()
    site.answer(first, data["images"][0], rating(), "first-00001")
    site.now += 3599
    assert site.begin().status_code == 409
    site.now += 2
    second, theirs = site.enter()
    # The packet that was idle for longest of those with the fewest people: both have one.
    assert site.sheets()[2] in site.sheets()[:2]
    # Whoever comes back late goes on, and both are exported.
    for number, image in enumerate(data["images"]):
        site.answer(first, image, rating(7, 7), f"late-{number:05d}")
    site.finish(second, theirs)
    table = answers_of(site.forms, collected(site.store.file))
    assert table.groupby("respondent_id").size().tolist() == [6, 6]
    # A finished packet is never handed out again.
    site.now += 10_000
    site.enter()
    assert site.sheets()[3] == ({*site.sheets()[:2]} - {site.sheets()[0]}).pop()


def test_a_person_returns_by_her_code_or_her_id_in_a_panel(site):
    own, data = site.enter()
    code = data["remote"]["code"]
    assert re.fullmatch("[2-9A-HJKMNP-Z]{5}-[2-9A-HJKMNP-Z]{5}", code)
    site.answer(own, data["images"][1], rating())
    again, same = site.enter(code=code.lower())
    assert (again, same["images"]) == (own, data["images"])
    assert same["remote"]["done"] == [data["images"][1]]
    panel, _ = site.enter("Republican", id="5f3a")
    assert site.enter("Republican", id="5f3a")[0] == panel
    assert len(site.sheets()) == 2
    elsewhere = site.begin("Democrat", id="5f3a")
    assert (elsewhere.status_code, elsewhere.json()) == (
        403, {"error": "Your code belongs to another link of this study."}
    )  # fmt: skip
    unknown = site.begin(code="AAAAA-BBBBB")
    assert unknown.status_code == 404 and "no such code" in unknown.json()["error"]
    assert len(site.sheets()) == 2


def test_looking_at_a_link_takes_no_packet(site):
    """Programs open links to show a preview."""
    link = site.forms.links["Democrat"]
    for _ in range(5):
        assert site.get(f"/r/{link}?id=5f3a").status_code == 200
    assert site.sheets() == []
    assert site.get(f"/r/{link}?id=<b>").status_code == 400
    assert site.begin(id="../x").status_code == 422


# ---- answers ----


def test_an_answer_is_stored_once_and_the_end_comes_with_the_last(site):
    own, data = site.enter()
    first, second, third = data["images"]
    for _ in range(2):  # the acknowledgement was lost
        assert site.answer(own, first, rating(), "same-00001").json() == {"left": 2, "end": None}
    other = site.answer(own, first, rating(5, 5), "same-00001")
    assert other.status_code == 409
    partly = rating(3, None)
    assert site.answer(own, second, partly, "part-00001").json()["left"] == 2
    skipped = {"ratings": {}, "skipped": True, "seconds": 1, "order": ITEMS}
    assert site.answer(own, second, skipped, "skip-00001").json()["left"] == 1
    end = site.answer(own, third, rating(0, 10), "last-00001").json()
    assert end["left"] == 0 and re.fullmatch("[0-9A-F]{10}", end["end"]["code"])
    assert end["end"]["address"] is None
    assert data_of(site.get(own).text)["remote"]["end"] == end["end"]
    with sqlite3.connect(site.store.file) as connection:
        assert connection.execute("SELECT count(*) FROM answer").fetchone() == (4,)


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        [],
        {},
        rating() | {"more": 1},
        rating(11),
        rating(-1),
        rating() | {"ratings": {"proud": True}},
        rating() | {"ratings": {"proud": 1.0}},
        rating() | {"ratings": {"proud": "1"}},
        rating() | {"ratings": {"other": 1}},
        rating() | {"ratings": [1, 2]},
        rating(skipped=True),
        rating(skipped=1),
        rating(seconds=-1),
        rating(seconds="2"),
        rating(seconds=True),
        rating(seconds=1e12),
        rating(order=["angry"]),
        rating(order=["angry", "angry"]),
        rating(order=["angry", 1]),
        rating(order="angry"),
    ],
)
def test_invalid_ratings_are_refused(site, value):
    own, data = site.enter()
    reply = site.answer(own, data["images"][0], value)
    assert reply.status_code == 422, reply.text
    assert reply.json()["error"].endswith(".")
    assert collected(site.store.file).answers == []


def test_requests_that_no_page_of_ours_makes_are_refused(site):
    own, data = site.enter()
    _, other = site.enter()
    task = data["images"][0]
    theirs = next(one for one in other["images"] if one not in data["images"])
    good = {"sequence": "00000001", "task": task, "value": rating()}

    def status(content: Any = good, path: str = f"{own}answers", **headers: str) -> int:
        return int(site.post(path, content, **headers).status_code)

    assert status(origin="https://evil.example.org") == 403
    assert status(origin="null") == 403
    assert status(origin="") == 403
    assert status(**{"sec-fetch-site": "cross-site"}) == 403
    assert status({**good, "task": theirs}) == 422
    assert status({**good, "task": 1}) == 422
    assert status({**good, "sequence": "x"}) == 422
    assert status({**good, "sequence": "DROP TABLE answer"}) == 422
    assert status({"task": task}) == 422
    assert status([1]) == 422
    assert status({**good, "value": "x" * 270_000}) == 413
    wrong = own[:-2] + ("0/" if own[-2] != "0" else "1/")
    assert status(path=f"{wrong}answers") == 404
    assert site.client.post(f"{own}answers", content=b"{}", headers=OWN).status_code == 415
    raw = OWN | {"content-type": "application/json"}
    for text in (b"{", b'{"a": NaN}', b"\xff", b'"\\ud800"', b"[" * 50_000):
        assert site.client.post(f"{own}answers", content=text, headers=raw).status_code == 400
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert site.client.request(method, own).status_code == 405
    assert site.get(f"{own}answers").status_code == 405
    assert collected(site.store.file).answers == []
    assert status(**{"sec-fetch-site": "same-origin"}) == 200


def test_whoever_sends_too_much_is_slowed(site, monkeypatch):
    stopped = SimpleNamespace(monotonic=lambda: 0.0)  # however slow this machine is
    monkeypatch.setattr("imagestrata.annotation.collecting.site.time", stopped)
    own, data = site.enter()
    task = data["images"][0]
    found = [site.answer(own, task, rating(), f"{number:08d}").status_code for number in range(200)]
    assert found[:100] == [200] * 100
    assert found[-1] == 429
    assert site.get(own).headers["retry-after"] == "2"
    assert site.enter("Republican")  # others are not


def test_a_pace_allows_a_burst_and_then_a_rate():
    pace = Pace(2.0, 3.0)
    assert [pace.allows("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert pace.allows("b", 0.0)
    assert [pace.allows("a", 0.5), pace.allows("a", 0.5)] == [True, False]
    assert [pace.allows("a", 9.0) for _ in range(4)] == [True, True, True, False]


# ---- what leaves ----


def everything_sent(site: Site, group: str) -> str:
    """All texts that an annotator can receive."""
    link = site.forms.links[group]
    own, data = site.enter(group)
    texts = [site.get("/").text, site.get(f"/r/{link}").text, site.get(own).text]
    texts += [str(site.get(path).headers) for path in (f"/r/{link}", own)]
    for picture in data["pictures"]:
        reply = site.get(own + picture)
        assert reply.headers["content-type"] == "image/jpeg"
        texts.append(str(reply.headers))
    texts.append(json.dumps(site.finish(own, data)))
    texts.append(site.get(own).text)
    return "\n".join(texts)


def test_neither_ids_nor_names_nor_answers_leave(site, folder, packets, tmp_path):
    other, data = site.enter("Democrat", id="SOMEBODY")
    site.answer(other, data["images"][0], rating(9, 8), "theirs-0001")
    sent = everything_sent(site, "Democrat")
    names = [*packets["image_id"], *packets["packet_id"], *map(str, packets["path"])]
    names += ["Democrat", "Republican", str(tmp_path), "SOMEBODY", site.forms.researcher]
    names += [site.forms.secret.hex(), site.forms.links["Republican"]]
    assert [name for name in names if name in sent] == []
    # Her own answers are not sent back either, whoever opens her page.
    page = data_of(site.get(other).text)
    assert set(page["remote"]) == {"code", "name", "done", "end"}
    # An image of another packet is not shown.
    own, mine = site.enter("Republican")
    foreign = next(one for one in site.forms.sheets["p004"].images if one not in mine["images"])
    assert site.get(f"{own}images/{foreign}.jpg").status_code == 404
    for path in ("images/../forms.json", "images/..%2fforms.jpg", "images/%2e%2e/secrets.json"):
        assert site.get(own + path).status_code == 404
    for path in ("/forms.json", "/secrets.json", "/answers.sqlite", "/images/", "/docs"):
        assert site.get(path).status_code == 404


def test_every_reply_is_private_and_cannot_be_framed(site):
    own, data = site.enter()
    replies = [site.get("/"), site.get(own), site.get(own + data["pictures"][0])]
    replies += [site.get("/nothing"), site.begin("Democrat", code="wrong"), site.get("/w/x/")]
    replies += [site.get(f"/w/{site.forms.researcher}/"), site.client.put(own)]
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-content-type-options"] == "nosniff"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "set-cookie" not in reply.headers
        if "text/html" in reply.headers["content-type"]:
            inside = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', reply.text)
            assert inside is not None
            known = inside[1].replace("&#39;", "'")
            assert policy == f"{known}; frame-ancestors 'none'"
    assert site.get("/nothing").status_code == 404
    assert "There is no such page." in site.get("/nothing").text
    assert site.get("/robots.txt").text.endswith("Disallow: /\n")


def test_the_page_of_the_researcher_needs_her_token(site):
    own, data = site.enter()
    site.finish(own, data)
    site.enter("Republican", id="PANEL7")
    token = site.forms.researcher
    for wrong in ("x", token[:-1], token + "x", site.forms.links["Democrat"], "é"):
        for page in ("", "progress", "answers.csv"):
            reply = site.get(f"/w/{wrong}/{page}")
            assert reply.status_code == 404 and "PANEL7" not in reply.text
    site.now += 4000
    state = site.get(f"/w/{token}/progress").json()
    democrats, republicans = state["groups"]
    assert democrats | {"begun": 1, "finished": 1, "dropouts": 0, "seconds": 2.5} == democrats
    assert republicans | {"begun": 1, "finished": 0, "dropouts": 1, "seconds": None} == republicans
    assert democrats["sheets"] == {"finished": 1, "free": 1}
    assert [one["state"] for one in state["open"]] == ["free"] * 3
    text = site.get(f"/w/{token}/answers.csv")
    assert text.headers["content-disposition"] == 'attachment; filename="answers.csv"'
    assert len(text.text.splitlines()) == 1 + 3 * len(ITEMS)


def test_the_end_is_what_the_researcher_chose(folder):
    rules = Rules(3600, "DONE42", "https://x.example.org/?cc={code}&who={id}")
    site = Site(folder, rules)
    end = site.finish(*site.enter(id="a+b@c"))["end"]
    assert end == {"code": "DONE42", "address": "https://x.example.org/?cc=DONE42&who=a%2Bb%40c"}
    site.store.close()


def test_behind_a_proxy_the_public_address_is_an_origin(folder):
    site = Site(folder, Rules(address="https://study.example.org/a"))
    assert site.begin("Democrat").status_code == 200
    link = site.forms.links["Republican"]
    asked = {"id": None, "code": None}
    path = f"/r/{link}/begin"
    assert site.post(path, asked, origin="https://study.example.org").status_code == 200
    # What a header claims does not count.
    forged = {"origin": "https://evil.org", "x-forwarded-host": "evil.org"}
    assert site.post(path, asked, **forged).status_code == 403
    site.store.close()


def test_a_full_disk_is_no_acknowledgement(site, monkeypatch):
    own, data = site.enter()

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("imagestrata.annotation.collecting.site.keep", full)
    reply = site.answer(own, data["images"][0], rating())
    assert reply.status_code == 503
    assert "please try again" in reply.json()["error"]
    monkeypatch.undo()
    assert site.answer(own, data["images"][0], rating()).status_code == 200


# ---- the database ----


def test_transactions_that_wait_together_fail_alone(site):
    def fails(connection: Any) -> None:
        connection.execute("UPDATE person SET code = 'changed'")
        raise ValueError("mine")

    site.enter(id="P1")
    futures = [
        site.store.write(lambda connection: connection.execute("SELECT 1").fetchone()),
        site.store.write(fails),
        site.store.write(lambda connection: connection.execute("SELECT 2").fetchone()),
    ]
    assert [futures[0].result(), futures[2].result()] == [(1,), (2,)]
    with pytest.raises(ValueError, match="mine"):
        futures[1].result()
    assert [person.code for person in collected(site.store.file).people] == ["P1"]


def test_an_answer_is_on_the_disk_before_it_is_acknowledged(site):
    for connection in (site.store._writing, site.store._reading):
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert site.store.file.stat().st_mode & 0o077 == 0


def test_a_database_that_cannot_be_read_is_named(folder):
    (folder / ANSWERS).write_bytes(b"no database at all" * 100)
    with pytest.raises(ImagestrataError, match=r"answers\.sqlite' cannot be opened"):
        Store(folder / ANSWERS, [])
    with pytest.raises(ImagestrataError, match=r"answers\.sqlite' cannot be opened"):
        collected(folder / ANSWERS)
    (folder / ANSWERS).unlink()
    with sqlite3.connect(folder / ANSWERS) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ImagestrataError, match="another version of imagestrata"):
        Store(folder / ANSWERS, [])


# ---- pairs ----


def test_all_pairs_go_to_every_annotator(tmp_path):
    sample = a_sample(tmp_path / "images")
    vectors = pd.DataFrame({"x": [0.0, 0, 5, 5, 9, 9], "y": [0.0, 1, 0, 1, 0, 1]})
    from imagestrata import Embeddings

    embeddings = Embeddings.from_arrays(vectors.to_numpy("float32"), sample["image_id"].tolist())
    embeddings.images["path"] = sample["path"].to_numpy()
    pairs = sample_pairs(embeddings, 6, 3, progress=False)
    folder = export_pairs(pairs, tmp_path / "judge", to="server", thumbnail=40, progress=False)
    site = Site(folder)
    assert site.forms.links.keys() == {""}
    given = {}
    for person, judgement in (("ann", 1), ("ben", 0)):
        own, data = site.enter("", id=person)
        text = site.get(own).text
        assert not [one for one in (*pairs["pair_id"], *sample["image_id"]) if f'"{one}"' in text]
        for number, (task, left, right) in enumerate(data["pairs"]):
            assert site.get(own + data["pictures"][left]).status_code == 200
            site.now += 4
            end = site.answer(own, task, judgement, f"{person}-{number:05d}").json()
            given[person, task] = judgement
            assert left != right
        assert end["left"] == 0
        for wrong in (2, -1, True, "1", None, 0.0):
            assert site.answer(own, task, wrong, "wrong-00001").status_code == 422
    state = site.get(f"/w/{site.forms.researcher}/progress").json()
    assert state["groups"][0]["seconds"] == 4.0
    assert state["open"] == [] and state["groups"][0]["sheets"] == {"open": 1}
    table = answers_of(site.forms, collected(site.store.file))
    site.store.close()
    judged = read_pairs(table, pairs)
    assert judged.groupby("annotator")["judgement"].unique().map(list).to_dict() == {
        "ann": [1], "ben": [0]
    }  # fmt: skip
    assert len(judged) == 2 * len(pairs)


def test_several_questions_about_pairs_are_kept_one_by_one(tmp_path):
    sample = a_sample(tmp_path / "images")
    pairs = draw_pairs(sample, [0, 0, 1, 1, 2, 2], 4, 0.5, np.random.default_rng(1))
    questions = {"things": "Same things?", "ideas": "Same idea?"}
    out = {"to": "server", "thumbnail": 40, "progress": False, "questions": questions}
    folder = export_pairs(pairs, tmp_path / "judge", **out)
    site = Site(folder)
    own, data = site.enter("", id="ann")
    assert data["questions"] == [{"name": name, "text": text} for name, text in questions.items()]
    (first, *_), (second, *_), *_ = data["pairs"]
    assert site.answer(own, first, {"ideas": 1}, "ann-00001").json()["left"] == 4
    assert site.answer(own, first, {"ideas": 1, "things": 0}, "ann-00002").json()["left"] == 3
    assert site.answer(own, second, {"ideas": 0}, "ann-00003").json()["left"] == 3
    for wrong in (1, {"moods": 1}, {"ideas": 2}, {"ideas": True}, [1, 0], None):
        assert site.answer(own, second, wrong, "wrong-00001").status_code == 422
    table = answers_of(site.forms, collected(site.store.file))
    site.store.close()
    columns = ["pair_id", "image_a", "image_b", "annotator", "question", "judgement", "answer"]
    assert table.columns.tolist() == columns
    with pytest.warns(UserWarning, match="no judgement"):
        judged = read_pairs(table, folder)
    assert judged[["pair_id", "question", "judgement"]].to_numpy().tolist() == [
        [pairs["pair_id"][0], "things", 0],
        [pairs["pair_id"][0], "ideas", 1],
        [pairs["pair_id"][1], "ideas", 0],
    ]

    # Of a pair that is judged again, only the questions in the table are asked.
    again = export_pairs(judged.iloc[1:], tmp_path / "again", **out)
    site = Site(again)
    own, data = site.enter("", id="ann")
    assert [*data["questions"]] == [{"name": "ideas", "text": "Same idea?"}]
    ends = [site.answer(own, task, {"ideas": 1}, f"x-{task}").json() for task, *_ in data["pairs"]]
    assert [end["left"] for end in ends] == [1, 0]
    site.store.close()
    site = Site(export_pairs(judged, tmp_path / "both", **out))
    own, data = site.enter("", id="ann")
    assert data["asked"] == [[0, 1], [1]]
    task = data["pairs"][1][0]
    assert site.answer(own, task, {"things": 1}, "ann-00001").status_code == 422
    assert site.answer(own, task, {"ideas": 1}, "ann-00002").json()["left"] == 1
    site.store.close()


# ---- labels ----

CODES = {"protest": "binary", "scene": ["march", "vigil"], "crowd": (1, 7), "remark": "text"}


def a_label(data: dict[str, Any], group: int = 0, **given: Any) -> dict[str, Any]:
    """An answer to a group of images, as the page sends it."""
    value = {"codes": {"protest": "1", "scene": "vigil", "crowd": "3"}, "images": {}}
    return value | {"skipped": {}, "notes": {}, "seconds": 6, "done": True} | given


@pytest.fixture
def labelling(tmp_path) -> Any:
    sample = a_sample(tmp_path / "images")
    named = sample.assign(cluster=["71", "71", "72", "72", "73", "73"])
    book = pd.DataFrame({"code": ["protest"], "definition": ["People march."],
                         "answer": [""], "example": [named["image_id"].iloc[0]]})  # fmt: skip
    folder = export_labels(named, tmp_path / "label", CODES, to="server", coders=2, double=0.5,
                           codebook=book, thumbnail=40, progress=False)  # fmt: skip
    one = Site(folder)
    yield one
    one.store.close()


def test_packets_of_labels_are_handed_out_and_read(labelling, tmp_path):
    site = labelling
    given = {}
    for person in ("ann", "ben"):
        own, data = site.enter("", id=person)
        text = site.get(own).text
        true = pd.read_csv(tmp_path / "label-key.csv", dtype=str)
        assert not [one for one in true["image_id"] if one in text]
        assert not re.search("Cluster|coder-|\\b7[123]\\b", json.dumps(data["groups"]))
        (example,) = data["codebook"][0]["examples"]
        assert site.get(own + example).status_code == 200
        for number, group in enumerate(data["groups"], start=1):
            assert group["title"] == f"Group {number}"
            images = [data["images"][place]["id"] for place in group["images"]]
            for place in group["images"]:
                assert site.get(own + data["images"][place]["picture"]).status_code == 200
            value = a_label(data)
            if len(images) > 1:
                value["images"] = {images[1]: {"scene": "march", "remark": "=1+1"}}
                value["notes"] = {images[1]: "a note"}
            if number == 1:
                value["skipped"] = {images[0]: "too disturbing"}
            reply = site.answer(own, f"g{number}", value, f"{person}-{number:05d}")
            assert reply.status_code == 200, reply.text
        assert reply.json()["left"] == 0
        given[person] = len(data["images"])
    assert site.begin("", id="cam").status_code == 409
    state = site.get(f"/w/{site.forms.researcher}/progress").json()["groups"][0]
    assert state["answered"] == sum(given.values()) == 9
    assert 2 <= state["seconds"] <= 6  # six seconds for groups of one to three images
    table = answers_of(site.forms, collected(site.store.file))
    labels = read_labels(table, tmp_path / "label-key.csv")
    assert set(labels["annotator"]) == {"ann", "ben"}
    assert set(labels.loc[labels["code"] == "scene", "label"].dropna()) == {"vigil", "march"}
    assert set(labels.loc[labels["code"] == "remark", "label"].dropna()) == {"=1+1"}
    skipped = labels[labels["label"].isna()]
    assert set(skipped["note"]) == {"too disturbing"}
    assert skipped.groupby("annotator")["image_id"].nunique().tolist() == [1, 1]


@pytest.mark.parametrize(
    "given",
    [
        {"codes": {"other": "1"}},
        {"codes": {"protest": "yes"}},
        {"codes": {"protest": 1}},
        {"codes": {"crowd": "8"}},
        {"codes": {"remark": 1}},
        {"codes": {"remark": "x" * 10_001}},
        {"codes": []},
        {"images": {"elsewhere": {"protest": "1"}}},
        {"images": []},
        {"skipped": {"elsewhere": "dark"}},
        {"notes": {"elsewhere": "dark"}},
        {"done": 1},
        {"seconds": None},
        {"more": 1},
    ],
)
def test_invalid_labels_are_refused(labelling, given):
    own, data = labelling.enter("", id="ann")
    assert labelling.answer(own, "g1", a_label(data, **given)).status_code == 422
    assert labelling.answer(own, "g99", a_label(data)).status_code == 422


def test_a_group_is_done_when_every_image_has_its_labels(labelling):
    own, data = labelling.enter("", id="ann")
    n = len(data["groups"])
    part = a_label(data, codes={"protest": "1"})
    assert labelling.answer(own, "g1", part, "part-0001").json()["left"] == n
    assert labelling.answer(own, "g1", a_label(data), "whole-001").json()["left"] == n - 1


def test_answers_of_others_never_leave_for_a_meeting(tmp_path):
    sample = a_sample(tmp_path / "images")
    with pytest.raises(ImagestrataError, match="never does"):
        export_labels(sample, tmp_path / "x", "protest", to="server", disputed=sample)


def test_every_kind_that_can_be_served_can_be_checked():
    assert {*KINDS} == {*EXPORTERS["server"].kinds}


def test_an_excluded_image_leaves_no_copy_when_forms_are_replaced(packets, tmp_path):
    out = exported(packets, tmp_path / "forms")
    before = {path.name for path in (out / "images").iterdir()}
    exported(packets, out, exclude=[packets["image_id"].iloc[0]], overwrite=True)
    after = {path.name for path in (out / "images").iterdir()}
    assert (len(before), len(after), len(before & after)) == (6, 5, 0)
    assert packets["image_id"].iloc[0] not in (out / "forms.json").read_text()
