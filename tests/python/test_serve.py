"""The server of forms as a process of its own: real requests, a real browser, and kill -9."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imagestrata import (
    ImagestrataError,
    export_answers,
    export_labels,
    export_packets,
    export_pairs,
    read_labels,
    read_pairs,
    read_ratings,
    serve_forms,
)
from imagestrata.annotation.collecting.serve import addresses, check_choices
from imagestrata.sampling.pairs import draw_pairs
from pages import expect_soon, wait_until
from served import ITEMS, Rater, a_sample, ask, exported, packets_of, rating


@pytest.fixture
def packets(tmp_path) -> pd.DataFrame:
    return packets_of(tmp_path)


@pytest.fixture
def folder(packets, tmp_path) -> Path:
    return exported(packets, tmp_path / "forms")


@pytest.fixture
def tab(browser) -> Iterator[Any]:
    """A tab that must not complain, unless the server is away."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert [text for text in complaints if "ERR_CONNECTION_REFUSED" not in text] == []


def begin(page: Any, link: str, code: str = "") -> str:
    """Open a link, begin, and give the code that the page shows."""
    page.goto(link)
    if code:
        page.get_by_label("Your code, if you have begun before").fill(code)
    page.locator("#entry button").click()
    page.wait_for_selector("#code")
    shown: str = page.locator("#code").text_content()
    page.get_by_role("button", name="Begin").click()
    return shown


def rate(page: Any, *ratings: int) -> None:
    """Rate the items of an image in the order of ITEMS, by mouse."""
    for item, value in zip(ITEMS, ratings, strict=True):
        page.get_by_role("button", name=f"{item}: {value}", exact=True).click()
    page.get_by_role("button", name="Next image").click()


def saved(page: Any) -> None:
    wait_until(page, "document.getElementById('kept').textContent === 'Saved'")


@pytest.mark.browser
def test_a_rater_pauses_resumes_and_finishes(folder, packets, tab, browser, tmp_path):
    """A second rater gets another packet, and what was clicked is what is read."""
    with serve_forms(folder, port=0, return_address="https://x.example.org/?c={code}") as server:
        code = begin(tab, server.links["Democrat"])
        rate(tab, 3, 0)
        rate(tab, 10, 4)
        # In the middle of the third image she closes the tab.
        tab.get_by_role("button", name="proud: 7", exact=True).click()
        saved(tab)
        tab.goto("about:blank")

        elsewhere = browser.new_context()
        other = elsewhere.new_page()
        assert begin(other, server.links["Democrat"]) != code
        rate(other, 1, 1)
        other.get_by_role("button", name="Skip this image").click()
        rate(other, 2, 2)
        other.wait_for_selector("#received")
        elsewhere.close()

        # On another device she goes on where she stopped, and sees none of her earlier answers.
        device = browser.new_context()
        again = device.new_page()
        assert begin(again, server.links["Democrat"], code.lower()) == code
        assert again.locator("#place").text_content() == "Image 3 of 3 · 2 rated"
        assert again.locator("#items [aria-pressed=true]").count() == 0
        rate(again, 8, 6)
        again.wait_for_selector("#received")
        shown = again.locator("#completion").text_content()
        link = again.locator("#return").get_attribute("href")
        assert link == f"https://x.example.org/?c={shown}"
        device.close()
        file = export_answers(folder, tmp_path / "answers.csv")

    table = pd.read_csv(file, dtype=str)
    people = pd.read_csv(tmp_path / "answers-people.csv", dtype=str, keep_default_na=False)
    assert people["respondent_id"].iloc[0] == code
    assert people["completion_code"].iloc[0] == shown
    assert people["n_done"].tolist() == ["3", "3"]
    with pytest.warns(UserWarning, match="2 of 12 rows have no rating"):
        ratings = read_ratings(file, items=ITEMS)
    mine = ratings[ratings["respondent_id"] == code]
    given = mine.pivot(index="image_id", columns="item", values="rating")
    theirs = packets[packets["packet_id"] == people["packet_id"].iloc[0]]
    assert given.loc[theirs["image_id"], ITEMS].to_numpy().tolist() == [[3, 0], [10, 4], [8, 6]]
    assert set(ratings["group"]) == {"Democrat"}
    assert people["packet_id"].nunique() == 2
    assert (table["skipped"] == "1").sum() == 2
    assert sorted(table.loc[:1, "item_position"]) == ["1", "2"]


@pytest.mark.browser
def test_a_coder_labels_groups_pauses_and_goes_on(tab, browser, tmp_path):
    sample = a_sample(tmp_path / "images")
    codes = {"protest": "binary", "scene": ["march", "vigil"]}
    folder = export_labels(
        sample, tmp_path / "label", codes, to="server", thumbnail=40, progress=False
    )
    with serve_forms(folder, port=0) as server:
        code = begin(tab, server.links[""])
        tab.locator("#judge").get_by_role("button", name="protest: yes").click()
        tab.locator("#judge").get_by_role("button", name="scene: march").click()
        tab.get_by_role("button", name="Next group").click()
        saved(tab)
        device = browser.new_context()
        again = device.new_page()
        assert begin(again, server.links[""], code) == code
        assert again.locator("#place").text_content() == "Group 2 of 3 · 1 labelled"
        assert again.locator("#title").text_content().startswith("Group 2")
        for _ in range(2):
            again.keyboard.press("0")
            again.keyboard.press("2")
            again.keyboard.press("Enter")
        again.wait_for_selector("#received")
        device.close()
        file = export_answers(folder, tmp_path / "answers.csv")
    labels = read_labels(file, folder)
    counts = labels.groupby(["code", "label"])["image_id"].nunique().to_dict()
    assert counts == {
        ("protest", "0"): 4, ("protest", "1"): 2, ("scene", "march"): 2, ("scene", "vigil"): 4
    }  # fmt: skip
    assert set(labels["annotator"]) == {code}


@pytest.mark.browser
def test_several_questions_about_pairs_go_to_the_server(tab, browser, tmp_path):
    sample = a_sample(tmp_path / "images")
    pairs = draw_pairs(sample, [0, 0, 1, 1, 2, 2], 3, 0.5, np.random.default_rng(1))
    questions = {"things": "Same things?", "ideas": "Same idea?"}
    out = {"to": "server", "thumbnail": 40, "progress": False, "questions": questions}
    folder = export_pairs(pairs, tmp_path / "judge", **out)
    with serve_forms(folder, port=0) as server:
        code = begin(tab, server.links[""])
        for key in "sds":  # the first pair, and one question about the second
            tab.keyboard.press(key)
        saved(tab)
        device = browser.new_context()
        again = device.new_page()
        assert begin(again, server.links[""], code) == code
        # No answer is sent back: the unfinished pair is answered again.
        assert again.locator("#place").text_content() == "Pair 2 of 3 · 1 judged"
        assert again.locator('.ask [aria-pressed="true"]').count() == 0
        for key in "ddss":
            again.keyboard.press(key)
        again.wait_for_selector("#received")
        device.close()
        file = export_answers(folder, tmp_path / "answers.csv")
    judged = read_pairs(file, folder)
    assert judged["question"].tolist() == [*questions] * 3
    assert judged["judgement"].tolist() == [1, 0, 0, 0, 1, 1]


@pytest.mark.browser
def test_without_a_connection_nothing_is_lost(folder, tab, tmp_path):
    """The page keeps answers, says so, and sends them by itself; also after it was closed."""
    server = serve_forms(folder, port=0)
    port = int(server.address.rpartition(":")[2])
    try:
        code = begin(tab, server.links["Democrat"])
        rate(tab, 1, 2)
        saved(tab)
        own = tab.url
        server.stop()
        rate(tab, 3, 4)
        wait_until(tab, "document.getElementById('kept').textContent.startsWith('No connection')")
        rate(tab, 5, 6)
        expect_soon(tab.locator("#waiting")).to_be_visible()
        expect_soon(tab.locator("#received")).to_be_hidden()
        kept = "Object.keys(localStorage).filter((key) => key.includes('unsent')).length"
        assert tab.evaluate(kept) >= 4
        # The browser is closed without a goodbye, and opened again with its storage.
        state = tab.context.storage_state()
        context = tab.context.browser.new_context(storage_state=state)
        server = serve_forms(folder, port=port)
        page = context.new_page()
        page.goto(own)
        wait_until(page, f"{kept} === 0")
        context.close()
        # This tab sends the same again, which changes nothing.
        tab.wait_for_selector("#received", timeout=60_000)
        assert tab.evaluate(kept) == 0
    finally:
        server.stop()
    ratings = read_ratings(export_answers(folder, tmp_path / "answers.csv"), items=ITEMS)
    assert sorted(ratings["rating"]) == [1, 2, 3, 4, 5, 6]
    assert set(ratings["respondent_id"]) == {code}


@pytest.mark.browser
def test_the_researcher_sees_how_far_it_is(folder, tab):
    with serve_forms(folder, port=0) as server:
        rater = Rater(server.links["Democrat"])
        for image in rater.data["images"]:
            rater.answer(image, rating())
        Rater(server.links["Republican"] + "?id=PANEL7")
        tab.goto(server.researcher)
        figures = [one.inner_text().split("\n") for one in tab.locator(".figures div").all()]
        assert ["1", "begun"] in figures and ["2.5 s", "median per image"] in figures
        assert "1 of 2 sets finished, 0 taken, 1 free" in tab.locator("#groups").inner_text()
        assert tab.locator(".link code").first.inner_text() == server.links["Democrat"]
        tab.locator("#open summary").click()
        assert tab.locator("#open tbody tr").count() == 3
        with tab.expect_download() as download:
            tab.get_by_role("link", name="Download answers").click()
        table = pd.read_csv(download.value.path())
        assert len(table) == 3 * len(ITEMS)


# ---- kill -9 ----


def test_a_reply_that_breaks_off_is_a_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def break_off() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 53\r\n\r\n")

        thread = threading.Thread(target=break_off)
        thread.start()
        with pytest.raises(ConnectionError, match="broke off"):
            ask(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()


def killed(server: Any) -> None:
    server._process.kill()
    server._process.wait()


def test_killed_at_any_moment_no_acknowledged_answer_is_lost(folder, tmp_path):
    """None is stored twice either, although every unanswered request is repeated."""
    server = serve_forms(folder, port=0)
    port = int(server.address.rpartition(":")[2])
    rater = Rater(server.links["Democrat"])
    tasks = rater.data["images"]
    acknowledged: dict[str, tuple[str, int]] = {}
    number = 0
    for pause in (0.0, 0.02, 0.05):
        # The server is killed by another process while answers arrive.
        script = (
            "import os, sys, time; time.sleep(float(sys.argv[1])); os.kill(int(sys.argv[2]), 9)"
        )
        pid = str(server._process.pid)
        killer = subprocess.Popen([sys.executable, "-S", "-c", script, str(pause), pid])
        pending = None
        while True:
            number += 1
            pending = (f"{number:09d}-kill", tasks[number % 3], number % 11)
            try:
                rater.answer(pending[1], rating(pending[2], 0), pending[0])
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                break
            acknowledged[pending[0]] = pending[1:]
        killer.wait()
        server._process.wait()
        server = serve_forms(folder, port=port)
        rater.answer(pending[1], rating(pending[2], 0), pending[0])  # as the page does
        acknowledged[pending[0]] = pending[1:]
    killed(server)
    with sqlite3.connect(folder / "answers.sqlite") as connection:
        rows = connection.execute("SELECT sequence, task, value FROM answer").fetchall()
    stored = {
        sequence: (task, json.loads(value)["ratings"]["proud"]) for sequence, task, value in rows
    }
    assert len(rows) == len(stored) == number
    assert stored == acknowledged
    # The export goes on without a server.
    table = pd.read_csv(export_answers(folder, tmp_path / "answers.csv"))
    last = dict(acknowledged.values())
    assert sorted(table.loc[table["item"] == "proud", "rating"]) == sorted(last.values())


def test_a_server_ends_with_the_process_that_started_it(folder):
    script = (
        "import sys; from imagestrata import serve_forms\n"
        "server = serve_forms(sys.argv[1], port=0); print(server.address, flush=True)\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
    )
    address = done.stdout.strip()
    for _ in range(200):
        try:
            ask(address)
        except (urllib.error.URLError, ConnectionError):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the server still runs")


# ---- starting ----


def test_one_server_per_folder_and_port(folder, packets, tmp_path):
    other = exported(packets, tmp_path / "other")
    with serve_forms(folder, port=0) as server:
        assert server.is_running and server.folder == folder
        assert "Democrat: http://127.0.0.1" in repr(server)
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(ImagestrataError, match="Another process is working in"):
            serve_forms(folder, port=0)
        with pytest.raises(ImagestrataError, match=f"cannot listen at '127.0.0.1', port {port}"):
            serve_forms(other, port=port)
    assert not server.is_running
    assert "stopped" in repr(server)


def test_the_address_of_a_proxy_is_that_of_the_links(folder):
    with serve_forms(folder, port=0, address="https://study.example.org/a/") as server:
        assert server.links["Democrat"].startswith("https://study.example.org/a/r/")
        assert server.researcher.startswith("https://study.example.org/a/w/")


def test_the_network_is_served_only_when_asked(folder):
    forms = type("Forms", (), {"links": {"": "x"}, "researcher": "y"})()
    local = check_choices(folder)
    assert local.host == "127.0.0.1"
    assert addresses(local, forms, 9)["links"] == {"": "http://127.0.0.1:9/r/x"}
    assert (
        addresses(check_choices(folder, "localhost"), forms, 9)["address"] == "http://127.0.0.1:9"
    )
    assert addresses(check_choices(folder, "::1"), forms, 9)["address"] == "http://[::1]:9"
    everyone = addresses(check_choices(folder, "0.0.0.0"), forms, 9)["address"]
    assert everyone.startswith("http://") and "0.0.0.0" not in everyone


def test_bad_input(folder, packets, tmp_path):
    for given, message in [
        ({"port": 70000}, "`port` must be"),
        ({"port": "80"}, "`port` must be"),
        ({"host": "example"}, "`host` must be a network address"),
        ({"address": "study.example.org"}, "`address` must be the public address"),
        ({"address": "https://a.org/?x=1"}, "`address` must be the public address"),
        ({"release_after": 0}, "`release_after` must be"),
        ({"completion_code": "a b"}, "`completion_code` must be text without spaces"),
        ({"return_address": "http://a.org"}, "begins with https://"),
        ({"return_address": "javascript:alert(1)"}, "begins with https://"),
        ({"return_address": "https://a.org@b.org/"}, "begins with https://"),
    ]:
        with pytest.raises(ImagestrataError, match=message):
            serve_forms(folder, **given)
    with pytest.raises(ImagestrataError, match="There is no folder"):
        serve_forms(tmp_path / "nothing")
    with pytest.raises(ImagestrataError, match="has no export for a server"):
        serve_forms(tmp_path / "images")
    pages = export_packets(packets, tmp_path / "pages", thumbnail=40, progress=False)
    with pytest.raises(ImagestrataError, match="is an export for 'page', not for a server"):
        serve_forms(pages)


def test_a_run_folder_stands_for_its_export(folder, packets, tmp_path):
    assert check_choices(tmp_path).folder == folder
    exported(packets, tmp_path / "second")
    with pytest.raises(ImagestrataError, match="has 2 exports for a server: forms, second"):
        check_choices(tmp_path)


def test_answers_survive_a_new_export(folder, packets, tmp_path):
    with pytest.raises(ImagestrataError, match="Nobody has answered"):
        export_answers(folder, tmp_path / "a.csv")
    with serve_forms(folder, port=0) as server:
        rater = Rater(server.links["Democrat"])
        rater.answer(rater.data["images"][0], rating())
    with pytest.raises(ImagestrataError, match="contains the answers of annotators"):
        exported(packets, folder, overwrite=True)
    file = export_answers(folder, tmp_path / "a.csv")
    with pytest.raises(ImagestrataError, match="exists already"):
        export_answers(folder, tmp_path / "a.csv")
    assert export_answers(folder, tmp_path / "a.csv", overwrite=True) == file
    with pytest.raises(ImagestrataError, match="is a folder of a server of forms"):
        read_ratings(folder)
